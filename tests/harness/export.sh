# shellcheck shell=bash
# Tests of scripts/export, and of the patches that it writes; a part of tests/harness/run, which sources it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
[ -n "${T:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# export_refused NAME PATTERN
export_refused() {
	run "$R/scripts/export"
	expect "export: $1 is refused" 3 "$2"
}

# Branch "series" without the commits of before.
restart_branch() {
	tree_git reset -q --hard "$1"
}

mark() {
	tree_git commit -q --allow-empty -m "$1"
}

expect_markers() {
	local tip number
	tip=$(tree_git rev-parse series)
	tree_git -c user.name=x -c user.email=x@x rebase -q --onto base 'series~6' series 2>/dev/null
	export_refused "a commit before the first series" \
		'commit [0-9a-f]{12} "bpf: Fix the beginning" belongs to no series: it stands before the first'
	restart_branch "$tip"
	mark "series: gat"
	export_refused "an unknown series" 'a commit "series: gat", but there is no series gat .*there are: fixes-one gate top'
	restart_branch "$tip"
	mark "series: gate"
	export_refused "a series that begins twice" 'two commits "series: gate"'
	restart_branch "$tip~3"
	export_refused "a branch that lacks a series" 'no commit "series: top" .git commit --allow-empty -m "series: top"'
	restart_branch "$tip~5"
	mark "series: top"
	export_refused "another order" '"series: top" where "series: gate" is expected'
	restart_branch "$tip~3"
	echo x >>"$W/linux/kernel/bpf/syscall.c"
	tree_git commit -q -a -m "series: top"
	export_refused "a change in the commit that begins a series" '"series: top" is not empty'
	restart_branch "$tip"
	for number in $(seq 14); do
		echo "$number" >>"$W/linux/kernel/bpf/destructive.c"
		tree_git commit -q -a -m "bpf: Add number $number"
	done
	export_refused "a series of 16 patches" "series top has 16 patches, and a tree takes 15 at most"
	expect_true "export: and nothing of it is written" [ "$(echo "$R"/patches/7.3/top/000[1-9]*)" = \
		"$(echo "$R"/patches/7.3/top/000[12]*)" ]
	restart_branch "HEAD~"
	run "$R/scripts/export"
	expect "export: one of 15 is none too long" 0 "top: 15 patches"
	restart_branch "$tip"
	# where fixes-one put a line
	sed -i 's/^line 0$/line zero/' "$W/linux/kernel/bpf/verifier.c"
	tree_git commit -q -a -m "bpf: Spell out nought"
	export_refused "a patch for something that its series does not need" \
		"series top on what it needs .gate.: top/0003-bpf-Spell-out-nought.patch does not apply"
	restart_branch "$tip"
	run "$R/scripts/export"
}

# The lines of the README.
expect_by_hand() {
	local p=$R/patches/7.3
	user_tree 7.3.4
	expect_true "export: there is a cover letter beside them" [ -f "$p/top/0000-cover-letter.eml" ]
	run fake_git -C "$T/user" am "$p"/gate/*.patch "$p"/top/*.patch
	expect "git am takes all *.patch of the series as they are" 0 "Applying: bpf: Add a gate" "Applying: bpf: Add a file"
}

# What the README says of a change: the empty commits stay.
expect_rebase() {
	local before
	before=$(subjects series)
	echo "newer file" >"$W/linux/kernel/bpf/destructive.c"
	tree_git commit -q -a --fixup=series
	run env GIT_SEQUENCE_EDITOR=: git -C "$W/linux" rebase -q -i --autosquash base
	expect_true "export: a rebase keeps the empty commits" [ "$before" = "$(subjects series)" ]
	run "$R/scripts/export"
	expect "export: and the patch has the fixup" 0 "top: 2 patches"
	expect_true "export: in its place" grep -qx '+newer file' "$R"/patches/7.3/top/0002-*.patch
}

# All that an export writes.
export_state() {
	(cd "$R" && find . -path ./scripts -prune -o -type f -exec sha256sum {} + -printf '%p %T@\n' | sort)
	git -C "$W/linux" for-each-ref
	cat "$W/tree.stamp"
}

work_to_export() {
	[ -d "$T/kept" ] || {
		make_repo
		use_good_source
		"$R/scripts/make-tree" >"$OUT"
		"$R/scripts/export" >"$OUT"
		echo "newer file" >"$W/linux/kernel/bpf/destructive.c"
		tree_git commit -q -a -m "bpf: Write a newer file"
		mkdir "$T/kept"
		cp -a "$R" "$BUILD" "$T/kept/"
	}
	rm -rf "$R" "$BUILD"
	cp -a "$T/kept/." "$T/"
}

test_export_interrupted() {
	everywhere "export: Ctrl-C at any moment" work_to_export export_state "$R/scripts/export"
	work_to_export
	stub cp <<-SCRIPT
		touch "$T/started"
		sleep 0.2
		exec /bin/cp "\$@"
	SCRIPT
	run_interrupted "$R/scripts/export"
	rm "$T/stubs/cp"
	expect "export: Ctrl-C in the last step: it is too late" 0 "^too late to interrupt" "top: 3 patches"
	run "$R/scripts/export" --check
	expect "export: and all of it is done" 0 "equal branch series"
	run "$R/scripts/export" --check x
	expect "export: too many arguments" 2 "too many arguments"
}

test_export() {
	local p=$R/patches/7.3
	make_repo
	use_good_source
	run "$R/scripts/make-tree"
	printf 'A cover subject\n\nThe text of the cover.\n' >"$p/top/cover-letter.txt"
	run "$R/scripts/export"
	expect "export: patches are written" 0 "fixes-one: 1 patches" "top: 2 patches"
	expect_true "export: each series has numbers of its own" grep -qx 'Subject: \[PATCH bpf-next 1/2\] bpf: Spell out a number' "$p"/top/0001-*.patch
	expect_true "export: fixes are for the tree that takes them" grep -qx 'Subject: \[PATCH bpf 1/1\] bpf: Fix the beginning' "$p"/fixes-one/0001-*.patch
	expect_true "export: author" grep -qx 'From: bpf-destructive project <bpf-destructive@localhost>' "$p"/top/0001-*.patch
	expect_true "export: the date survives git am" grep -qx 'Date: .* +0200' "$p"/top/0001-*.patch
	expect_true "export: the cover letter" grep -qx 'Subject: \[PATCH bpf-next 0/2\] A cover subject' "$p/top/0000-cover-letter.eml"
	expect_true "export: its text" grep -qx 'The text of the cover.' "$p/top/0000-cover-letter.eml"
	expect_true "export: it counts the series' own patches" grep -q '4 files changed, 6 insertions' "$p/top/0000-cover-letter.eml"
	expect_true "export: no cover letter without a text" is_absent "$p/gate/0000-cover-letter.eml"
	expect_true "export: a patch has the lines of its own stack" grep -q '^@@ -17,7 +17,7 @@' "$p"/top/0001-*.patch
	expect_true "export: the added file" cmp "$R/kernel/bpf/destructive.c" "$W/linux/kernel/bpf/destructive.c"
	cp -a "$p" "$T/first"
	run "$R/scripts/export"
	expect "export: a second run changes nothing" 0 ": 0 files changed"
	rm -rf "$W/linux" "$W/tree.stamp"
	run "$R/scripts/make-tree"
	run "$R/scripts/export"
	expect "export: nor does a new tree made from the patches" 0 ": 0 files changed"
	printf '[diff]\n\tnoprefix = true\n[format]\n\tsignOff = true\n\tuseAutoBase = true\n' >"$T/gitconfig"
	run "$R/scripts/export"
	expect "export: nor do the user's git settings" 0 ": 0 files changed"
	: >"$T/gitconfig"
	echo letter >"$p/top/0000-cover-letter.patch"
	run "$R/scripts/export"
	expect "export: a cover letter of the old name is removed" 0 ": 1 files changed"
	expect_by_hand
	expect_true "export: byte for byte" diff -r "$T/first" "$p"
	run "$R/scripts/export" --check
	expect "export --check: equal" 0 "equal branch series"
	echo "edited here" >>"$R/kernel/bpf/destructive.c"
	run "$R/scripts/export" --check
	expect "export --check: names the file that differs" 3 "kernel/bpf/destructive.c differs.*make export"
	run "$R/scripts/export"
	expect_rebase
	expect_markers
	echo x >>"$W/linux/kernel/bpf/syscall.c"
	run "$R/scripts/export"
	expect "export: a dirty tree is refused" 3 "not committed"
	git -C "$W/linux" commit -q -a -m "fixup! bpf: Add a file"
	run "$R/scripts/export"
	expect "export: a fixup commit is refused" 3 "unfinished commit"
	git -C "$W/linux" commit -q --amend -m "bpf: Third"
	git -C "$W/linux" rm -q kernel/bpf/destructive.c
	git -C "$W/linux" commit -q --amend -m "bpf: Third"
	run "$R/scripts/export"
	expect "export: a third commit" 0 "top: 3 patches"
	expect_true "export: a file that is not added any more is removed" is_absent "$R/kernel"
	run "$R/scripts/make-tree"
	expect "tree: after an export there is nothing to do" 0 "up to date"
	sed -i '/^series: top/d' "$p/manifest"
	restart_branch 'series~4'
	run "$R/scripts/export"
	expect "export: without a series that the manifest has no more" 0 "gate: 1 patches"
	expect_true "export: its patches and its stack are removed" bash -c \
		"! ls '$p'/top/*.patch && ! git -C '$W/linux' rev-parse -q --verify refs/stacks/top"
}

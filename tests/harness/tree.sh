# shellcheck shell=bash
# Tests of scripts/make-tree, scripts/clean and the manifest; a part of tests/harness/run, which sources it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
[ -n "${T:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# manifest_refused NAME LINE PATTERN: this line instead of the last one.
manifest_refused() {
	sed -i "\$s/.*/$2/" "$R/patches/7.3/manifest"
	run "$R/scripts/make-tree"
	expect "manifest: $1 is refused" 3 "$3"
	make_repo
}

test_manifest() {
	manifest_refused "a need that is unknown" "series: top needs other" "series top needs other, which is no series"
	manifest_refused "a need that stands behind" "series: top needs top" "series top needs top, which is no series that stands before"
	manifest_refused "a series that is there twice" "series: gate" "series gate is there twice"
	manifest_refused "a word that is not needs" "series: top after gate" "series: NAME needs NAME"
	manifest_refused "needs without a name" "series: top needs" "series: NAME needs NAME"
	manifest_refused "a name with a slash" "series: ..\/top" "is no name of a series"
	sed -i '/^series:/d' "$R/patches/7.3/manifest"
	run "$R/scripts/make-tree"
	expect "manifest: without any series it is refused" 3 "names no series"
	make_repo
}

# Branch "series" and refs/stacks/* of a new tree.
expect_commits() {
	local series stacks
	expect_true "tree: an empty commit before the patches of each series" [ "$(subjects series)" = "$(printf '%s\n' \
		'series: fixes-one' 'bpf: Fix the beginning' 'series: gate' 'bpf: Add a gate' \
		'series: top' 'bpf: Spell out a number' 'bpf: Add a file')" ]
	expect_true "tree: a stack is a series on what it needs, without such commits" [ "$(subjects stacks/top)" = \
		"$(printf '%s\n' 'bpf: Add a gate' 'bpf: Spell out a number' 'bpf: Add a file')" ]
	expect_true "tree: and nothing but the series where it needs nothing" \
		[ "$(subjects stacks/gate)" = "bpf: Add a gate" ]
	expect_true "tree: stacks that begin alike have the same commits" \
		[ "$(tree_git rev-parse stacks/gate)" = "$(tree_git rev-parse stacks/top~2)" ]
	series=$(tree_git rev-parse series) stacks=$(tree_git for-each-ref refs/stacks)
	tree_git update-ref -d refs/stacks/gate
	run "$R/scripts/make-tree"
	expect "tree: a stack that is gone is made again" 0 "4 patches"
	sleep 1
	rm -rf "$W/linux" "$W/tree.stamp"
	run "$R/scripts/make-tree"
	expect_true "tree: made again, the commits are the same" [ "$series" = "$(tree_git rev-parse series)" ]
	expect_true "tree: those of the stacks too" [ "$stacks" = "$(tree_git for-each-ref refs/stacks)" ]
}

test_tree() {
	local before tip
	use_good_source
	spoil_second_patch
	run "$R/scripts/make-tree"
	expect "tree: a patch that does not apply is named, with its file" 3 \
		"top/0002-bpf-Add-a-file.patch does not apply, first at file kernel/bpf/syscall.c"
	expect_true "tree: no half-made tree" is_absent "$W/linux" "$W/tree.stamp" "$W"/linux.new.*
	make_repo
	run "$R/scripts/make-tree"
	expect "tree: made" 0 "4 patches in 3 series on Linux 7.3.4"
	expect_commits
	expect_true "tree: files that .gitignore names are in the base" \
		git -C "$W/linux" cat-file -e base:.clang-format
	expect_true "tree: nothing is left uncommitted" [ -z "$(git -C "$W/linux" status --porcelain)" ]
	echo work >>"$W/linux/kernel/bpf/syscall.c"
	run "$R/scripts/make-tree"
	expect "tree: work in a tree that is made from the patches is named" 0 "has uncommitted changes"
	run env FORCE=1 "$R/scripts/make-tree"
	expect "tree: FORCE=1 puts that aside, too" 0 "was kept as"
	expect_true "tree: and makes the tree again" [ -z "$(git -C "$W/linux" status --porcelain)" ]
	expect_true "tree: with that work beside it" grep -qx work "$W"/linux.saved-*/kernel/bpf/syscall.c
	rm -rf "$W"/linux.saved-*
	before=$(stat -c %Y%i "$W/linux/kernel/bpf/verifier.c")
	run "$R/scripts/make-tree"
	expect "tree: nothing to do" 0 "up to date"
	tip=$(git -C "$W/linux" rev-parse series)
	spoil_second_patch
	run "$R/scripts/make-tree"
	expect "tree: a spoiled patch is refused when the tree is there" 3 "0002-bpf-Add-a-file.patch"
	expect_true "tree: the old tree is untouched" \
		[ "$tip" = "$(git -C "$W/linux" rev-parse HEAD)" ]
	make_repo
	sed -i 's/^+new file$/+other file/' "$R"/patches/7.3/top/0002-*.patch
	run "$R/scripts/make-tree"
	expect "tree: changed patches are put in place" 0 "4 patches"
	expect_true "tree: the new content is there" grep -qx "other file" "$W/linux/kernel/bpf/destructive.c"
	expect_true "tree: files that did not change keep their time" \
		[ "$before" = "$(stat -c %Y%i "$W/linux/kernel/bpf/verifier.c")" ]
	make_repo
	echo work >>"$W/linux/kernel/bpf/syscall.c"
	run "$R/scripts/make-tree"
	expect "tree: uncommitted work is not overwritten" 3 "uncommitted changes"
	git -C "$W/linux" commit -q -a -m "bpf: Work"
	run "$R/scripts/make-tree"
	expect "tree: commits that are not exported are not overwritten" 3 "not made from the patches"
	run env FORCE=1 "$R/scripts/make-tree"
	expect "tree: FORCE=1 puts the work aside" 0 "was kept as"
	expect_true "tree: the work is still there" grep -qx work "$W"/linux.saved-*/kernel/bpf/syscall.c
	exec 6>"$W/.in-use"
	flock -s 6
	run "$R/scripts/clean"
	expect "clean: takes nothing away that is in use" 3 "something is built or running"
	exec 6>&-
	run env BASE=9.9 "$R/scripts/clean"
	expect "clean: a base that there is not" 3 "there is no base 9.9"
	run "$R/scripts/clean"
	expect_true "clean: removes the tree, keeps the source and what was put aside" \
		test ! -e "$W/linux" -a -e "$W/source/record" -a -e "$(echo "$W"/linux.saved-*)"
	rm -rf "$W"/linux.saved-*
	printf 'damage' | dd of="$W/source/linux-7.3.4.tar.xz" bs=1 seek=1000 conv=notrunc 2>/dev/null
	run "$R/scripts/make-tree"
	expect "tree: a tarball that was damaged on the disk is refused" 3 "is damaged"
}

test_tree_interrupted() {
	use_good_source
	stub tar <<<"touch '$T/started'; exec sleep 20"
	run_interrupted "$R/scripts/make-tree"
	rm "$T/stubs/tar"
	expect "tree: interrupted, it says what it is about to do" 130 "^interrupted; what is half made is removed" \
		"^tree: removing $W/linux.new" "^the tree is as it was before"
	expect_true "tree: and does it" is_absent "$W/linux" "$W"/linux.new.*
	mkdir "$W/linux.new.killed"
	everywhere "tree: Ctrl-C at any moment, without a tree" no_tree tree_state "$R/scripts/make-tree"
	expect_true "tree: what an earlier run left is removed" is_absent "$W/linux.new.killed"
	spoil_content
	everywhere "tree: Ctrl-C at any moment, when the patches changed" old_tree tree_state "$R/scripts/make-tree"
	everywhere "tree: Ctrl-C at any moment, when the source is another one" old_source tree_state "$R/scripts/make-tree"
	expect_last_step
}

# All of the tree, also what is beside its branch.
tree_state() {
	[ -e "$W/linux" ] || {
		echo "no tree"
		return
	}
	git -C "$W/linux" for-each-ref
	git -C "$W/linux" symbolic-ref HEAD
	git -C "$W/linux" status --porcelain
	git -C "$W/linux" diff HEAD
	cat "$W/tree.stamp"
	ls "$W"
}

no_tree() {
	rm -rf "$W/linux" "$W/tree.stamp"
}

spoil_content() {
	sed -i 's/^+new file$/+other file/' "$R"/patches/7.3/top/0002-*.patch
}

# A tree of the patches as they were.
old_tree() {
	rm -rf "$W/linux" "$W/tree.stamp"
	make_repo
	"$R/scripts/make-tree" >"$OUT"
	spoil_content
}

# And of a source that was the same.
old_source() {
	old_tree
	sed -i 's/^record: ./record: x/' "$W/tree.stamp"
}

# Ctrl-C while git writes the files of the tree that is there.
expect_last_step() {
	old_tree
	git -C "$W/linux" config filter.slow.smudge "touch '$T/started'; sleep 1; cat"
	echo "destructive.c filter=slow" >"$W/linux/.git/info/attributes"
	run_interrupted "$R/scripts/make-tree"
	expect "tree: Ctrl-C in the last step: it is too late" 0 "^too late to interrupt" "4 patches in 3 series"
	run "$R/scripts/make-tree"
	expect "tree: and nothing is left to do" 0 "up to date"
}

test_clean_interrupted() {
	use_good_source
	run "$R/scripts/make-tree"
	stub find <<<"rm -r '$W'/linux*/kernel; touch '$T/started'; exec sleep 20"
	run_interrupted "$R/scripts/clean"
	rm "$T/stubs/find"
	expect "clean: Ctrl-C says who removes the rest" 130 "^interrupted; the next run removes the rest"
	run "$R/scripts/clean"
	expect "clean: half a tree is not taken for work" 0 "^clean: removing"
	expect_true "clean: and it is removed" is_absent "$W"/linux*
	run "$R/scripts/clean" --all --nonsense
	expect "clean: too many arguments" 2 "too many arguments"
}

# A patch that applies in the row and not where its maintainer applies it, and the other way around.
test_places() {
	use_good_source
	make_repo
	sed -i 's/^series: top.*/series: top/' "$R/patches/7.3/manifest"
	# with the line that gate changes around it
	git -C "$T/dev" format-patch -q -U12 -o "$R/patches/7.3/top" series~2..series
	run "$R/scripts/make-tree"
	expect "tree: a series that applies in the row only is refused" 3 \
		"series top on the bare base: top/0001-.* does not apply, first at file kernel/bpf/verifier.c"
	make_repo
	echo "series: other" >>"$R/patches/7.3/manifest"
	mkdir "$R/patches/7.3/other"
	sed -e 's/line twenty/line XX/' -e 's/Spell out/Spell otherwise/' "$R"/patches/7.3/top/0001-*.patch \
		>"$R/patches/7.3/other/0001-bpf-Spell-otherwise.patch"
	run "$R/scripts/make-tree"
	expect "tree: and one that applies on its own only" 3 \
		"to Linux 7.3.4: other/0001-bpf-Spell-otherwise.patch does not apply, first at file kernel/bpf/verifier.c"
	make_repo
}

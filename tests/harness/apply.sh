# shellcheck shell=bash
# Tests of scripts/apply; a part of tests/harness/run, which sources it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
[ -n "${T:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Everything that apply must leave alone, as text.
state_of() {
	git -C "$1" rev-parse HEAD
	git -C "$1" symbolic-ref -q HEAD || true
	git -C "$1" status --porcelain
	git -C "$1" stash list
	git -C "$1" worktree list
	(cd "$1" && find . -path ./.git -prune -o -type f -printf '%p %T@\n' | sort)
	is_absent "$1/.git/rebase-apply"
}

# apply_refused NAME PATTERN [ARGUMENT...]: it fails and leaves the tree alone.
apply_refused() {
	local before name=$1 pattern=$2
	shift 2
	before=$(state_of "$T/user")
	run "$R/scripts/apply" "$T/user" "$@"
	expect "apply: $name" 3 "$pattern"
	expect_true "apply: $name: no advice on a session that is gone" \
		bash -c "! grep -qE 'hint:|git am --(continue|skip|abort)|am --show' '$OUT'"
	expect_true "apply: $name: the tree is untouched" [ "$before" = "$(state_of "$T/user")" ]
}

# applied SUBJECT...: these are on top of the user's tree.
applied() {
	[ "$(git -C "$T/user" log --reverse --format=%s "$HEAD"..)" = "$(printf '%s\n' "$@")" ]
}

test_apply() {
	local head
	make_repo
	user_tree 7.3.9
	head=$(git -C "$T/user" rev-parse HEAD)
	run make -s -C "$R" apply TREE="$T/user"
	expect "apply: success through make" 0 "bpf: Spell out a number" "reset --keep $head"
	expect_true "apply: the patches are there" grep -qx "line twenty" "$T/user/kernel/bpf/verifier.c"
	expect_true "apply: no work tree is left" [ "$(git -C "$T/user" worktree list | wc -l)" -eq 1 ]
	run git -C "$T/user" reset --keep "$head"
	expect "apply: the undo works" 0
	run "$R/scripts/apply"
	expect "apply: without a tree it is a usage error" 2 "which tree"
	run "$R/scripts/apply" "$T/k"
	expect "apply: not a git tree" 3 "not a git work tree"

	echo work >>"$T/user/kernel/bpf/verifier.c"
	apply_refused "a dirty tree is refused, with the cure" "uncommitted changes.*git -C $T_TYPED/user stash"
	user_tree 7.2.1
	fake_git -C "$T/user" commit -q --allow-empty -m "bpf: Add a file"
	echo work >>"$T/user/kernel/bpf/verifier.c"
	apply_refused "a wrong version is refused, whatever else there is" "^apply: .* is Linux 7.2.1.*patches for: 7.3"
	fake_git -C "$T/user" reset -q --hard HEAD~
	run env FORCE=1 "$R/scripts/apply" "$T/user"
	expect "apply: FORCE=1 tries a wrong version" 0 "because of FORCE=1"
	user_tree 7.3.4
	sed -i 's/^EXTRAVERSION =/EXTRAVERSION = -rc1/' "$T/user/Makefile"
	fake_git -C "$T/user" commit -q -a -m rc
	apply_refused "a release candidate is refused" "is Linux 7.3.4-rc1"
	user_tree 7.3.4
	mkdir "$T/user/.git/rebase-merge"
	apply_refused "a rebase in progress is refused" "in the middle of git rebase.*git -C .* rebase --abort"
	rmdir "$T/user/.git/rebase-merge"
	sed 's/^ line 3$/ line nowhere/' "$R"/patches/7.3/fixes-one/0001-*.patch | fake_git -C "$T/user" am -q >/dev/null 2>&1 || true
	run "$R/scripts/apply" "$T/user"
	expect "apply: git am in progress is refused, with the cure" 3 "in the middle of git am; .*git -C .* am --abort"
	fake_git -C "$T/user" am --abort
	touch "$T/user/.git/index.lock"
	apply_refused "another git at work" "another git is working in .*If none is: rm $T_TYPED/user/.git/index.lock"
	rm "$T/user/.git/index.lock"
	spoil_second_patch
	apply_refused "a patch that does not apply is named" "top/0002-bpf-Add-a-file.patch does not apply, first at file kernel/bpf/syscall.c"
	expect_true "apply: and nobody asks whether it is there already" bash -c "! grep -q already '$OUT'"
	make_repo
	echo mine >"$T/user/kernel/bpf/destructive.c"
	apply_refused "an untracked file in the way" "kernel/bpf/destructive.c"
	echo '/*' >"$T/user/.git/info/exclude"
	apply_refused "one that git ignores" "kernel/bpf/destructive.c is in the way"
	expect_true "apply: one that git ignores: it is the user's still" grep -qx mine "$T/user/kernel/bpf/destructive.c"
	rm "$T/user/.git/info/exclude"
	rm "$T/user/kernel/bpf/destructive.c"
	printf '#!/bin/sh\necho "the hook says no"\nexit 1\n' >"$T/user/.git/hooks/applypatch-msg"
	chmod +x "$T/user/.git/hooks/applypatch-msg"
	apply_refused "a hook that says no" "the hook says no"
	rm "$T/user/.git/hooks/applypatch-msg"
	git -C "$T/user" config filter.other.smudge "sed s/20/21/"
	echo "verifier.c filter=other" >"$T/user/.git/info/attributes"
	apply_refused "git am fails where git apply does not" "git am failed at fixes-one/0001-.*, first at file kernel/bpf/verifier.c"
	rm "$T/user/.git/info/attributes"
}

user_state() {
	state_of "$T/user"
}

fresh_user_tree() {
	user_tree 7.3.4
}

test_apply_interrupted() {
	user_tree 7.3.4
	interrupt_try
	interrupt_commit 1
	interrupt_commit 3
	interrupt_last_step
	run "$R/scripts/apply" "$T/user"
	expect "apply: a run after it finds all there" 0 "has all of it"
	# the commits are the same each time then
	export GIT_AUTHOR_DATE="1790000000 +0000" GIT_COMMITTER_DATE="1790000000 +0000"
	everywhere "apply: Ctrl-C at any moment" fresh_user_tree user_state "$R/scripts/apply" "$T/user"
	unset GIT_AUTHOR_DATE GIT_COMMITTER_DATE
}

# Ctrl-C while git writes the files of the user's tree.
interrupt_last_step() {
	git -C "$T/user" config filter.slow.smudge "case \$PWD in */made\ up/user) touch '$T/started'; sleep 1 ;; esac; cat"
	echo "verifier.c filter=slow" >"$T/user/.git/info/attributes"
	run_interrupted "$R/scripts/apply" "$T/user"
	rm "$T/user/.git/info/attributes"
	expect "apply: Ctrl-C in the last step: it is too late" 0 "^too late to interrupt" "^Applied to"
	expect_true "apply: Ctrl-C in the last step: all of it is done" \
		[ -z "$(git -C "$T/user" status --porcelain)" -a "$(git -C "$T/user" log --format=%s -n 1)" = "bpf: Add a file" ]
}

test_apply_arguments() {
	user_tree 7.3.4
	run "$R/scripts/apply" ""
	expect "apply: an empty path is a usage error" 2 "which tree"
	run "$R/scripts/apply" "$T/user" ""
	expect "apply: so is an empty name" 2 'no series ""'
	run "$R/scripts/apply" "$T/user" "\$NAME" '@' ']'
	expect "apply: and a strange one" 2 'no series ".NAME"'
	run "$R/scripts/apply" "$T/nowhere"
	expect "apply: a tree that there is not" 3 "no such directory"
	run "$R/scripts/apply" "$T/user/kernel"
	expect "apply: a directory in a tree" 3 "inside of the git tree $T/user$"
	run bash -c "'$R/scripts/apply' '$T/user' 2>'$T/said' | true; cat '$T/said'"
	expect_true "apply: nobody has to read what it says" [ ! -s "$OUT" ]
	expect_true "apply: and no work tree is left" [ "$(git -C "$T/user" worktree list | wc -l)" -eq 1 ]
}

test_apply_series() {
	local HEAD
	user_tree 7.3.9
	HEAD=$(git -C "$T/user" rev-parse HEAD)
	run make -s -C "$R" apply TREE="$T/user" SERIES=top
	expect "apply: SERIES=top" 0 "Applied to .*: gate top"
	expect_true "apply: it comes with what it needs, and nothing else" \
		applied "bpf: Add a gate" "bpf: Spell out a number" "bpf: Add a file"
	run make -s -C "$R" apply TREE="$T/user"
	expect "apply: a series that is there is named and left out" 0 \
		'series gate is on the tree already .commit [0-9a-f]+ "bpf: Add a gate"' "Applied to .*: fixes-one$"
	run "$R/scripts/apply" "$T/user" top
	expect "apply: all of it is there" 0 "has all of it; nothing was changed"
	git -C "$T/user" reset -q --keep "$HEAD"
	run make -s -C "$R" apply TREE="$T/user" SERIES="gate fixes-one"
	expect "apply: two series, in the order of the manifest" 0 "Applied to .*: fixes-one gate$"
	run "$R/scripts/apply" "$T/user" nonsense
	expect "apply: an unknown series is a usage error" 2 "no series \"nonsense\" for 7.3; there are: fixes-one gate top"
	run "$R/scripts/apply" "$T/user" top
	git -C "$T/user" reset -q --keep HEAD~
	apply_refused "a tree with a part of a series" "has 1 of the 2 patches of series top already" top
}

# interrupt_commit NUMBER: Ctrl-C when git am is about to make its commit of this number.
interrupt_commit() {
	cat >"$T/user/.git/hooks/pre-applypatch" <<-HOOK
		#!/bin/sh
		echo >>"$T/commits"
		[ "\$(wc -l <"$T/commits")" -lt $1 ] || { touch "$T/started"; sleep 20; }
	HOOK
	chmod +x "$T/user/.git/hooks/pre-applypatch"
	rm -f "$T/commits"
	interrupt_apply "in commit $1"
	rm "$T/user/.git/hooks/pre-applypatch"
}

# Ctrl-C while it is tried whether the patches apply.
interrupt_try() {
	stub git <<-SCRIPT
		[[ "\$*" != *"apply --cached"* ]] || { touch "$T/started"; exec sleep 20; }
		exec $(type -P git) "\$@"
	SCRIPT
	interrupt_apply "while the patches are tried"
	rm "$T/stubs/git"
}

# interrupt_apply WHERE: Ctrl-C when $T/started appears.
interrupt_apply() {
	local before
	before=$(state_of "$T/user")
	run_interrupted "$R/scripts/apply" "$T/user"
	expect "apply: Ctrl-C $1" 130 "^interrupted; what was made for .* is removed$" "/user is as it was before$"
	expect_true "apply: Ctrl-C $1: the tree is untouched" [ "$before" = "$(state_of "$T/user")" ]
}

# git does not work in trees of somebody else, not even for root.
test_owner() {
	foreign_tree apply || return 0
	run "$R/scripts/apply" "$T/user"
	expect "apply: a tree of somebody else is named, with the cure" 3 \
		"belongs to nobody, .*git config --global --add safe.directory $T_TYPED/user$"
	git config --global --add safe.directory "$T/user"
	run "$R/scripts/apply" "$T/user"
	expect "apply: and with it the patches are applied" 0 "Applied to"
	: >"$T/gitconfig"
	user_tree 7.3.4
	chmod a+rx "$TEMPORARY"
	run setpriv --reuid=nobody --regid=nogroup --clear-groups "$R/scripts/apply" "$T/user"
	expect "apply: one that others may not write in" 3 "belongs to root, .*Run this as root"
	git config --global --add safe.directory "$T/user"
	run setpriv --reuid=nobody --regid=nogroup --clear-groups "$R/scripts/apply" "$T/user"
	expect "apply: not even when git may" 3 "you may not write in $T/user, which belongs to root; .*git clone $T_TYPED/user"
}

# A clone by somebody whose git writes other line ends.
test_line_ends() {
	local clone=$T/crlf
	rm -rf "$clone"
	make_repo
	cp "$REPO/.gitattributes" "$R/"
	git -C "$R" init -q
	fake_git -C "$R" add -A -f
	fake_git -C "$R" commit -q -m x
	git -c core.autocrlf=true clone -q "$R" "$clone"
	git -C "$clone" config core.autocrlf true
	user_tree 7.3.4
	run make -s -C "$clone" apply TREE="$T/user"
	expect "a clone with core.autocrlf=true works" 0 "Applied to"
	expect_true "and nothing is modified in it" [ -z "$(git -C "$clone" status --porcelain)" ]
}

# shellcheck shell=bash
# What the parts of tests/harness/run share: helpers, the made-up kernel and repository, a server and stubs.
# shellcheck disable=SC2034 # most variables are used by the parts only

# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

REPO=$TOP
R=
TEMPORARY=$(mktemp -d)
# All that a path may have in it has to work.
T="$TEMPORARY/made up"
mkdir "$T"
# as it is in a command that is printed, for a pattern
T_TYPED=${T// /\\\\ }
SERVER_PID=
PARTS_PID=

cleanup() {
	# not in a child that is killed early
	[ "$BASHPID" = "$$" ] || return 0
	[ -z "$PARTS_PID" ] || kill -- "-$PARTS_PID" 2>/dev/null || true
	stop_server
	rm -rf "$TEMPORARY"
}
trap cleanup EXIT

# The tests say themselves what is set, and nothing is asked of the real kernel.org.
unset LINUX FORCE INSTALL FLAVOUR ARCH
export no_proxy=127.0.0.1 NO_PROXY=127.0.0.1
export BASE=7.3 BUILD=$T/build JOBS=1 KERNEL_ORG=http://127.0.0.1:1
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$T/gitconfig
export PATH=$T/stubs:$PATH
W=$BUILD/$BASE

# ---- helpers ------------------------------------------------------------------------------

OUT=$T/out
STATUS=0

# Run a command; its output is in $OUT and its exit status in $STATUS.
run() {
	STATUS=0
	"$@" >"$OUT" 2>&1 </dev/null || STATUS=$?
}

# expect NAME STATUS [PATTERN...]: the last run had this status and its output each pattern.
expect() {
	local name=$1 status=$2 pattern
	shift 2
	if [ "$STATUS" -ne "$status" ]; then
		tap_not_ok "$name"
		echo "exit status $STATUS, expected $status" | tap_diag
		head -n 20 "$OUT" | tap_diag
		return
	fi
	for pattern in "$@"; do
		grep -qE -e "$pattern" "$OUT" && continue
		tap_not_ok "$name"
		echo "no \"$pattern\" in the output" | tap_diag
		head -n 20 "$OUT" | tap_diag
		return
	done
	tap_ok "$name"
}

# expect_true NAME COMMAND...; the command may look at $OUT
expect_true() {
	local name=$1
	shift
	if "$@" >"$T/said" 2>&1; then
		tap_ok "$name"
		return
	fi
	tap_not_ok "$name"
	{
		echo "failed: $*"
		head -n 20 "$T/said"
	} | tap_diag
}

is_absent() {
	local path
	for path in "$@"; do
		[ ! -e "$path" ] || {
			echo "$path is there"
			return 1
		}
	done
}

wait_for_file() {
	for _ in $(seq 100); do
		[ ! -e "$1" ] || return 0
		sleep 0.1
	done
	die "$1 does not appear"
}

# Ctrl-C goes to all processes of the terminal.
interrupt() {
	local group=$1 signal=$2
	kill "-$signal" -- "-$group"
}

# In a process group of its own, as at a terminal. (bash starts what runs in the background with SIGINT ignored.)
in_group() {
	python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.setpgid(0, 0)
open(sys.argv[1], "w").write(str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])' "$T/group" "$@"
}

# run_interrupted COMMAND...: run, with Ctrl-C when $T/started appears.
run_interrupted() {
	local pid
	rm -f "$T/started"
	in_group "$@" >"$OUT" 2>&1 </dev/null &
	pid=$!
	wait_for_file "$T/started"
	interrupt "$(cat "$T/group")" INT
	STATUS=0
	wait "$pid" || STATUS=$?
}

# A git that is one at its call number $1 sends Ctrl-C to the group; $T/calls has how many there were.
stub_git_interrupts() {
	: >"$T/calls"
	stub git <<-SCRIPT
		echo >>"$T/calls"
		[ "\$(wc -l <"$T/calls")" != "$1" ] || kill -INT -- "-\$(cat "$T/group")"
		exec $(PATH=${PATH#"$T/stubs:"} type -P git) "\$@"
	SCRIPT
}

# everywhere NAME RESTORE STATE COMMAND...: with Ctrl-C at many of its calls of git, from the second to the last (the first
# is for the environment, before anything can be said), COMMAND leaves all as it was, and says so, or has done all of
# it. The function RESTORE makes what it begins with, STATE prints it, with times as in "1.5" at the end of lines.
everywhere() {
	local name=$1 restore=$2 state=$3 calls number before after seen=0
	shift 3
	"$restore"
	before=$("$state")
	stub_git_interrupts 0
	run in_group "$@"
	calls=$(wc -l <"$T/calls")
	rm "$T/stubs/git"
	after=$("$state" | without_times)
	if [ "$STATUS" -ne 0 ] || [ "$(without_times <<<"$before")" = "$after" ]; then
		tap_not_ok "$name"
		tap_diag <"$OUT"
		return
	fi
	"$restore"
	before=$("$state")
	for number in $(seq 2 $((calls / 10 + 1)) "$calls") $(seq $((calls - 3)) "$calls"); do
		stub_git_interrupts "$number"
		run in_group "$@"
		rm "$T/stubs/git"
		if [ "$STATUS" -eq 130 ] && [ "$("$state")" = "$before" ] && says_interrupted; then
			seen=$((seen + 1))
		elif [ "$STATUS" -eq 0 ] || says_done && [ "$("$state" | without_times)" = "$after" ]; then
			"$restore"
			before=$("$state")
		else
			tap_not_ok "$name"
			{
				echo "at call $number of $calls, status $STATUS:"
				cat "$OUT"
				diff <(echo "$before") <("$state") || true
			} | tap_diag
			return
		fi
	done
	expect_true "$name" [ "$seen" -ge 5 ]
}

without_times() {
	sed -E 's/ [0-9]+\.[0-9]+$//'
}

says_done() {
	[ "$STATUS" -eq 130 ] && tail -n 1 "$OUT" | grep -qx 'what was asked for is done'
}

says_interrupted() {
	grep -q '^interrupted; ' "$OUT" && tail -n 1 "$OUT" | grep -qE ' as (it was|they were) before$'
}

# ---- made-up kernel and repository --------------------------------------------------------

SELFTESTS_DIR=tools/testing/selftests/bpf

make_kernel() {
	local dir=$1 version=$2
	mkdir -p "$dir/kernel/bpf" "$dir/include" "$dir/$SELFTESTS_DIR/prog_tests"
	echo 'void test_old(void)' >"$dir/$SELFTESTS_DIR/prog_tests/old.c"
	cat >"$dir/Makefile" <<-MAKEFILE
		# SPDX-License-Identifier: GPL-2.0
		VERSION = ${version%%.*}
		PATCHLEVEL = $(cut -d . -f 2 <<<"$version")
		SUBLEVEL = $(cut -d . -f 3 <<<"$version")
		EXTRAVERSION =
		\$(if \$(word 2,\$(CURDIR)),\$(error source directory cannot contain spaces or colons))
		kernelversion: ; @echo \$(VERSION).\$(PATCHLEVEL).\$(SUBLEVEL)\$(EXTRAVERSION)
	MAKEFILE
	seq 1 40 | sed 's/^/line /' >"$dir/kernel/bpf/verifier.c"
	seq 1 40 | sed 's/^/row /' >"$dir/kernel/bpf/syscall.c"
	# like the real one: it ignores files that the tarball ships
	printf '.*\n*.patch\n' >"$dir/.gitignore"
	echo shipped >"$dir/.clang-format"
}

fake_git() {
	git -c user.name="bpf-destructive project" -c user.email=bpf-destructive@localhost "$@"
}

# A commit on the tree in $T/dev: commit_at DATE MESSAGE
commit_at() {
	fake_git -C "$T/dev" add -A
	GIT_AUTHOR_DATE=$1 fake_git -C "$T/dev" commit -q -m "$2"
}

# The kernel in $T/dev, and in a row on top of it three series: "fixes-one" and "gate" have a patch each, and "top",
# which needs gate and not fixes-one, two: a change, and a new file with a change.
make_series() {
	local dev=$T/dev
	make_kernel "$dev" 7.3.4
	fake_git -C "$dev" init -q -b series
	fake_git -C "$dev" add -A -f
	fake_git -C "$dev" commit -q -m base
	fake_git -C "$dev" tag base
	# a line more, so that what the others change is at other lines in the row
	sed -i '1i line 0' "$dev/kernel/bpf/verifier.c"
	commit_at "1790000000 +0000" "bpf: Fix the beginning"
	sed -i 's/^line 10$/line ten/' "$dev/kernel/bpf/verifier.c"
	commit_at "1790000000 +0000" "bpf: Add a gate"
	sed -i 's/^line 20$/line twenty/' "$dev/kernel/bpf/verifier.c"
	commit_at "1790000000 +0200" $'bpf: Spell out a number\n\nA body with a line.'
	echo "new file" >"$dev/kernel/bpf/destructive.c"
	sed -i 's/^row 30$/row thirty/' "$dev/kernel/bpf/syscall.c"
	printf 'void test_one(void)\nvoid serial_test_two(void)\nvoid helper(void)\n' >"$dev/$SELFTESTS_DIR/prog_tests/top.c"
	commit_at "1790000100 +0000" "bpf: Add a file"
}

# A copy of the repository with the made-up series: $R.
make_repo() {
	local to=$T/repo/patches/$BASE
	R=$T/repo
	rm -rf "$R"
	mkdir -p "$to"
	cp -a "$REPO/scripts" "$REPO/Makefile" "$R/"
	mkdir -p "$R/vm/arch"
	printf 'machine: x86_64\npackages: qemu-of-x86\n' >"$R/vm/arch/x86_64"
	printf 'machine: aarch64\npackages: qemu-of-arm firmware\ncross-packages: gcc-for-arm libc-for-arm\n' \
		>"$R/vm/arch/arm64"
	git -C "$T/dev" format-patch -q -o "$to/fixes-one" base..series~3
	git -C "$T/dev" format-patch -q -o "$to/gate" series~3..series~2
	git -C "$T/dev" format-patch -q -o "$to/top" series~2..series
	write_manifest unknown
}

write_manifest() {
	cat >"$R/patches/$BASE/manifest" <<-MANIFEST
		base: 7.3
		version: 7.3.4
		reference: yes
		source-package: linux-source-7.3 7.3.4-1 (suite some-suite)
		source-sha256: ${2:-none}
		kernel-org-sha256: $1
		differs: nothing
		series: fixes-one
		series: gate
		series: top needs gate
	MANIFEST
}

make_tarball() {
	mkdir -p "$T/k"
	make_kernel "$T/k/linux-7.3.4" 7.3.4
	# bytes that do not compress, so that half of the file is not all of it
	head -c 100000 /dev/urandom >"$T/k/linux-7.3.4/random"
	tar -C "$T/k" -cJf "$T/linux-7.3.4.tar.xz" linux-7.3.4
	GOOD=$(sha256_of "$T/linux-7.3.4.tar.xz")
}

use_good_source() {
	rm -rf "$BUILD"
	run env LINUX="$T/linux-7.3.4.tar.xz" "$R/scripts/get-source"
	[ "$STATUS" -eq 0 ] || die "no source: $(cat "$OUT")"
}

spoil_second_patch() {
	sed -i 's/^ row 29$/ row other/' "$R"/patches/7.3/top/0002-*.patch
}

tree_git() {
	git -C "$W/linux" "$@"
}

# The subjects on top of the base of the tree: subjects REF
subjects() {
	tree_git log --reverse --format=%s "base..$1"
}

user_tree() {
	rm -rf "$T/user"
	make_kernel "$T/user" "$1"
	git -C "$T/user" init -q -b main
	fake_git -C "$T/user" add -A -f
	fake_git -C "$T/user" commit -q -m "Linux $1"
}

# foreign_tree NAME: $T/user of somebody else; without root a test of NAME is skipped
foreign_tree() {
	if [ "$(id -u)" -ne 0 ]; then
		tap_skip "$1: a tree of somebody else" "this needs root"
		return 1
	fi
	user_tree 7.3.4
	chown -R nobody "$T/user"
}

# What each test begins with: the made-up repository, and nothing built, stubbed or configured.
start_fresh() {
	stop_server
	rm -rf "$BUILD" "$T/stubs" "$T/user"
	mkdir "$T/stubs"
	: >"$GIT_CONFIG_GLOBAL"
	make_repo
}

# ---- loopback server ----------------------------------------------------------------------

start_server() {
	local port=
	mkdir -p "$T/www/v7.x"
	cp "$T/linux-7.3.4.tar.xz" "$T/www/v7.x/"
	printf -- '-----BEGIN PGP SIGNED MESSAGE-----\n%s  linux-7.3.4.tar.xz\n' "$GOOD" \
		>"$T/www/v7.x/sha256sums.asc"
	: >"$T/port"
	python3 "$REPO/tests/harness/server.py" "$T/www" >"$T/port" 2>/dev/null &
	SERVER_PID=$!
	for _ in $(seq 100); do
		port=$(cat "$T/port")
		[ -z "$port" ] || break
		sleep 0.1
	done
	[ -n "$port" ] || die "the test's server did not start"
	export KERNEL_ORG=http://127.0.0.1:$port
}

stop_server() {
	[ -n "$SERVER_PID" ] || return 0
	kill "$SERVER_PID" 2>/dev/null || true
	wait "$SERVER_PID" 2>/dev/null || true
	SERVER_PID=
}

# ---- stubs --------------------------------------------------------------------------------

# stub NAME: a command in $T/stubs with the script on standard input.
stub() {
	mkdir -p "$T/stubs"
	{
		echo '#!/bin/bash'
		cat
	} >"$T/stubs/$1"
	chmod +x "$T/stubs/$1"
}

stub_apt_fails() {
	stub apt-get <<-'SCRIPT'
		case "$*" in
		*indextargets*) echo "http://mirror.invalid/|Debian|stable|Packages" ;;
		*) echo "E: apt has no network here"; exit 100 ;;
		esac
	SCRIPT
}

stub_apt_works() {
	local deb=$T/deb
	rm -rf "$deb"
	mkdir -p "$deb/DEBIAN" "$deb/usr/src"
	printf 'Package: linux-source-7.3\nVersion: %s\nArchitecture: all\nMaintainer: x <x@localhost>\nDescription: x\n' \
		"$1" >"$deb/DEBIAN/control"
	cp "$T/linux-7.3.4.tar.xz" "$deb/usr/src/linux-source-7.3.tar.xz"
	dpkg-deb --root-owner-group -b "$deb" "$T/package.deb" >/dev/null
	stub apt-get <<-SCRIPT
		case "\$*" in
		*indextargets*) echo "http://mirror.invalid/|Debian|stable|Packages" ;;
		*download*) cp "$T/package.deb" . ;;
		esac
	SCRIPT
}

# shellcheck shell=bash
# Tests of scripts/check and scripts/cut; a part of tests/harness/run, which sources it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
[ -n "${T:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# check_says NAME STATUS PATTERN CHECK...: of the made-up tree, made from the patches as they are
check_says() {
	local name=$1 status=$2 pattern=$3
	shift 3
	run "$R/scripts/make-tree"
	[ "$STATUS" -eq 0 ] || die "no tree: $(cat "$OUT")"
	run "$R/scripts/check" "$@"
	expect "check: $name" "$status" "$pattern"
}

test_check() {
	local p=$R/patches/7.3 name
	make_repo
	use_good_source
	run "$R/scripts/make-tree"
	for name in fixes-one gate top; do
		printf 'A cover subject\n\nThe text of the cover.\n' >"$p/$name/cover-letter.txt"
	done
	run "$R/scripts/export"
	check_says "series that are in order" 1 "^10 passed, 1 failed, 0 skipped" size applies exported messages
	expect "check: each says what it stands on" 1 "^ok .* top applies without offset or fuzz on what it needs .gate." \
		"^ok .* gate applies .* on the bare base" "^ok .* in a row" "^ok .* at most 15 patches .2.$"
	expect "check: a fix without a Fixes: tag" 1 "^not ok .* messages of fixes-one" \
		"a fix without a tag Fixes: bpf: Fix the beginning"
	sed -i 's/^---$/Fixes: 0123456789ab ("bpf: Begin")\n&/' "$p"/fixes-one/0001-*.patch
	check_says "and one with it" 0 "^3 passed" messages
	rm "$p/gate/0000-cover-letter.eml"
	check_says "no cover letter" 1 "gate/cover-letter.txt is its text" size
	for name in $(seq 10 24); do
		printf 'From: %s <%s>\nSubject: [PATCH] bpf: Add %s\n\nx\n---\n--- /dev/null\n+++ b/file%s\n@@ -0,0 +1 @@\n+x\n' \
			"$AUTHOR_NAME" "$AUTHOR_EMAIL" "$name" "$name" >"$p/gate/00$name-x.patch"
	done
	check_says "too many patches" 1 "# it has 16 patches" size
	rm "$p"/gate/00[12]?-x.patch
	sed -i 's/^@@ -17,7 +17,7 @@/@@ -15,7 +15,7 @@/' "$p"/top/0001-*.patch
	check_says "an offset on what it needs" 1 "top/0001-bpf-Spell-out-a-number.patch: .*offset 2 lines" applies
	write_manifest unknown "$GOOD"
	mkdir "$p/old"
	cp "$p"/top/0001-*.patch "$p/old/"
	check_says "patches of no series" 1 "old/0001-.*.patch belongs to no series" manifest
	make_repo
	sed -i '/^series: top/d' "$R/patches/7.3/manifest"
	run "$R/scripts/check" applies
	expect "check: another manifest than the tree's" 3 "the patches are not what .* is made of"
	make_repo
	run "$R/scripts/check" --help
	expect "check: the help lists the names" 0 "^  size +SERIES: a cover letter" "^  limits "
	run "$R/scripts/check" size nonsense
	expect "check: an unknown name" 2 "unknown check: nonsense .there are: manifest size .* limits.$"
	git -C "$R" init -q
	check_says "no unit tests" 0 "# SKIP there is no directory tests/unit" unit
	mkdir -p "$R/tests/unit"
	touch "$R/tests/unit/__init__.py"
	check_says "a directory without unit tests" 1 "# no test ran" unit
	printf 'import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertTrue(%s)\n' True \
		>"$R/tests/unit/test_t.py"
	check_says "a unit test" 0 "^ok 1 - .* .1 tests.$" unit
	sed -i 's/True)/False)/' "$R/tests/unit/test_t.py"
	check_says "a unit test that fails" 1 "^# FAIL: test_a " unit
	{ echo 'def long():' && seq 60 | sed 's/^/    /' && seq 439; } >"$R/tests/unit/test_t.py"
	check_says "what is too long" 1 "^# tests/unit/test_t.py: long.. has 61 lines, more than 60" limits
	expect_true "check: 500 lines are not too many" bash -c "! grep -q 'test_t.py has' '$OUT'"
	sed -i 1d "$R/tests/unit/test_t.py"
	sed -i 's/^ *//' "$R/tests/unit/test_t.py"
	check_says "what is not too long" 0 "^ok 1" limits
	rm -rf "$R/tests" "$R/.git"
}

# a unit test that runs this, and is still there then
slow_unit_test() {
	mkdir -p "$R/tests/unit"
	touch "$R/tests/unit/__init__.py"
	printf 'import os, signal, time\nopen("%s", "w").write(str(os.getpid()))\n%s\ntime.sleep(60)\n' "$T/started" "$1" \
		>"$R/tests/unit/test_t.py"
}

# What runs beside the other checks.
test_beside() {
	use_good_source
	run "$R/scripts/make-tree"
	slow_unit_test ""
	run_interrupted "$R/scripts/check" applies unit
	# one that nobody waits for has no command line
	expect_true "check: Ctrl-C ends what runs beside, too" bash -c \
		"sleep 0.5; ! grep -q unittest '/proc/$(cat "$T/started")/cmdline' 2>/dev/null"
	slow_unit_test "os.killpg(0, signal.SIGKILL)"
	run "$R/scripts/check" unit applies
	expect "check: no result is no success" 3 "unit has no result"
	rm -r "$R/tests"
}

# left_out FILE...: of the made-up selftests in $T/linux
left_out() {
	bash -c '. "$0/scripts/lib.sh"; . "$0/scripts/lib-selftests.sh"; leave_out_others "$@"; echo "light: $LIGHT"' \
		"$R" "$T/linux" "${@/#/$SELFTESTS_DIR/prog_tests/}"
}

test_own_tests() {
	local bpf=$T/linux/$SELFTESTS_DIR
	mkdir -p "$bpf/prog_tests" "$bpf/progs"
	touch "$bpf"/progs/{top,light,shared,runner,loaded,other}.c "$bpf"/prog_tests/other.c
	echo '#include "top.h"' >"$bpf/prog_tests/top.c"
	printf '#include "top.skel.h"\n#include "light.lskel.h"\nfd = open("loaded.bpf.o");\n' >"$bpf/top.h"
	echo '#include "shared.c"' >"$bpf/progs/top.c"
	echo '#include "runner.skel.h"' >"$bpf/test_progs.c"
	run left_out top.c
	expect "selftests: the light skeletons of what is left are named" 0 "^light: light.c$"
	expect_true "selftests: what the series' tests need is left, also what a header or a program includes" \
		[ "$(cd "$bpf" && echo prog_tests/* progs/*)" = \
		"prog_tests/top.c progs/light.c progs/loaded.c progs/runner.c progs/shared.c progs/top.c" ]
	touch "$bpf/prog_tests/other.c"
	echo '#include "linked.skel.h"' >>"$bpf/prog_tests/top.c"
	run left_out top.c
	expect "selftests: what is linked of several programs is named" 0 "progs/linked.c is not there" "^light: all$"
	expect_true "selftests: and nothing is left out then" [ -e "$bpf/prog_tests/other.c" ]
	cat >"$T/build" <<-SCRIPT
		set -euo pipefail
		. "$R/scripts/lib.sh"
		. "$R/scripts/lib-selftests.sh"
		selftests_make() { echo "make \$*"; [ "\$#" -eq 3 ] || touch "\$2/one.test.o"; }
		LIGHT=light.c
		build_own_tests linux "$T" "\$@"
		echo built
	SCRIPT
	run bash "$T/build" a/one.c
	expect "selftests: a test that is there" 0 "^make linux .* LSKELS= .*LSKELS_EXTRA=light.c .*/test_progs" "^built$"
	run bash "$T/build" a/one.c a/two.c
	expect "selftests: one of the series that does not compile is a failure" 1 "^two.test.o does not compile$"
	rm -rf "$T"/{linux,build,one.test.o}
}

test_cut() {
	use_good_source
	run "$R/scripts/make-tree"
	stub make <<<'echo "make is called"; exit 1'
	stub "$CLANG" <<<'echo clang'
	stub df <<<'echo; echo - - - 99G'
	mkdir -p "$R/vm/config"
	touch "$R/vm/config/common.config" "$R/vm/config/$(uname -m).config"
	run "$R/scripts/cut" top
	expect "cut: the tests are those that the series touches, the kernel what it needs" 3 \
		"^cut top: Linux 7.3.4 with gate top; tests: one two$" "make is called"
	expect_true "cut: nothing else is in its tree" bash -c \
		"grep -qx 'line ten' '$W/cut-top/linux/kernel/bpf/verifier.c' && ! grep -qx 'line 0' '$W/cut-top/linux/kernel/bpf/verifier.c'"
	run "$R/scripts/cut" gate
	expect "cut: a series without tests" 3 "series gate and what it needs add or change no file of prog_tests"
	run "$R/scripts/cut" nonsense
	expect "cut: an unknown series" 2 "no series \"nonsense\""
	run env FLAVOUR=debug "$R/scripts/cut" top
	expect "cut: not with another configuration" 2 "FLAVOUR=debug"
	rm "$T"/stubs/{make,"$CLANG",df}
}

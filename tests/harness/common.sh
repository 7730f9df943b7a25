# shellcheck shell=bash
# Tests of scripts/lib.sh, of scripts/build-kernel, and of arguments; a part of tests/harness/run, which sources it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
[ -n "${T:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

test_lib() {
	cat >"$T/steps" <<-SCRIPT
		set -euo pipefail
		. "$R/scripts/lib.sh"
		part() { echo "in the log"; false; echo "not reached"; }
		step "good step" true
		step "bad step" part
		echo "not reached"
	SCRIPT
	run bash "$T/steps"
	expect "step: a failure stops with 3 and shows the log" 3 "good step: 0 s" "bad step: failed" \
		"[|] in the log" "whole log: $BUILD/logs"
	expect_true "step: nothing runs after the failure" bash -c "! grep -q 'not reached' '$OUT'"
	cat >"$T/scratch" <<-SCRIPT
		set -euo pipefail
		. "$R/scripts/lib.sh"
		SCRATCH=\$(mktemp -d)
		trap remove_scratch EXIT
		(remove_scratch)
		[ -d "\$SCRATCH" ] && echo "there: \$SCRATCH"
	SCRIPT
	run bash "$T/scratch"
	expect "a child that runs its parent's trap leaves the scratch directory there" 0 "^there: /"
	expect_true "the parent removes it" is_absent "$(sed -n 's/^there: //p' "$OUT")"
	cat >"$T/tap" <<-SCRIPT
		set -euo pipefail
		. "$R/scripts/lib.sh"
		tap_ok one
		tap_skip two "no reason"
		[ "\$1" = good ] || tap_not_ok three
		tap_summary
	SCRIPT
	run bash "$T/tap" good
	expect "tap: success" 0 "^1\.\.2$" "^1 passed, 0 failed, 1 skipped$"
	run bash "$T/tap" bad
	expect "tap: a failure gives status 1" 1 "^not ok 3 - three$" "^1 passed, 1 failed, 1 skipped$"
	mkdir -p "$W/linux" "$R/vm/config"
	touch "$R/vm/config/common.config" "$R/vm/config/$(uname -m).config"
	run env FLAVOUR=nonsense "$R/scripts/build-kernel" config
	expect "a kernel that is not described is refused" 3 "nonsense.config is missing"
	run env BASE=9.9 "$R/scripts/get-source"
	expect "an unknown base is refused and the known ones are named" 3 "no base 9.9.*bases: 7.3"
}

# A build that says what the real one says when an object is stale; it links only what is not there.
test_double_types() {
	local bpf=tools/testing/selftests/bpf
	use_good_source
	mkdir -p "$R/vm/config"
	touch "$R/vm/config/common.config" "$R/vm/config/$(uname -m).config"
	rm -rf "$W/linux"
	cp -a "$T/dev" "$W/linux"
	mkdir -p "$W/linux/scripts/kconfig"
	ln -s /bin/true "$W/linux/scripts/kconfig/merge_config.sh"
	stub make <<-'SCRIPT'
		: "${KBUILD_BUILD_TIMESTAMP:?is not there, an old pahole would use threads}"
		for arg; do
			case $arg in
			O=*) obj=${arg#O=} ;;
			KCONFIG_CONFIG=*) : >>"${arg#*=}" ;;
			all)
				[ ! -e "$obj/vmlinux.unstripped" ] || exit 0
				touch "$obj/vmlinux.unstripped" "$obj/vmlinux"
				[ -z "$TWICE" ] || echo "WARN: multiple IDs found for '$TWICE': 1, 2 - using 1"
				;;
			esac
		done
	SCRIPT
	run env TWICE=task_struct "$R/scripts/build-kernel"
	expect "kernel: types that are twice in its BTF are refused" 3 "BTF: 'task_struct'" "ccache -C"
	run env TWICE=task_struct "$R/scripts/build-kernel"
	expect "kernel: when it is tried again, too" 3 "BTF: 'task_struct'"
	run env TWICE= "$R/scripts/build-kernel"
	expect "kernel: with each type once it is built" 0 "kernel build: "
	run env TWICE= "$R/scripts/build-kernel"
	expect "kernel: and not again" 0 "is up to date"
	touch "$W/obj/vmlinux"
	run env TWICE= "$R/scripts/build-kernel"
	expect "kernel: but behind somebody who built it by hand" 0 "kernel build: "

	mkdir -p "$R/patches/$BASE/regress" "$W/linux/$bpf"
	touch "$R/patches/$BASE/regress/not-run" "$W/linux/$bpf"/config{,.vm,.x86_64}
	fake_git -C "$W/linux" add "$bpf"
	fake_git -C "$W/linux" commit -q -m "selftests/bpf: Add a config"
	# whatever this machine is, and has left
	stub uname <<<'echo x86_64'
	stub df <<<'echo; echo - - - 99G'
	run env TWICE=task_struct "$R/scripts/regress" patched
	expect "regress: types that are twice are refused there, too" 3 "==> regress patched kernel" "BTF: 'task_struct'"
	rm -rf "$T"/stubs/{make,df,uname} "$W"/{linux,obj,regress}
}

# Wrong arguments are refused before anything is built or booted.
test_arguments() {
	run env JOBS=x "$REPO/scripts/build-kernel"
	expect "arguments: JOBS must be a number" 2 "JOBS=x: a number of jobs is needed"
	run env ACCEL=foo "$REPO/vm/boot"
	expect "arguments: ACCEL must be known" 2 "ACCEL=foo: choose from auto, kvm, tcg"
	run "$REPO/vm/run-tests" --jobs 0
	expect "arguments: no jobs are none" 2 "invalid positive value"
	run "$REPO/vm/run-tests" --list "no such test"
	expect "arguments: a test that there is not" 2 "no test is named no such test"
	run "$REPO/vm/run-tests" --list
	expect "arguments: the tests are listed without a kernel" 0 "^panic: nmi, NMI$"
	run bash -c "'$REPO/vm/run-tests' --list | true"
	expect_true "arguments: nobody has to read the list" [ ! -s "$OUT" ]
	run "$REPO/vm/mkinitramfs"
	expect "arguments: mkinitramfs without any" 2 "^usage: mkinitramfs"
	run sh "$REPO/scripts/regress-guest"
	expect "arguments: regress-guest runs in the test VM only" 65 "this is not the test VM"
}

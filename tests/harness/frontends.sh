# shellcheck shell=bash
# Tests of scripts/build-frontends; a part of tests/harness/run, which sources it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
[ -n "${T:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# stub_debian STATUS: a Debian whose mirror is there, or fails in the midst of it; $T/got has what was asked for.
stub_debian() {
	stub_apt_fails
	stub mmdebstrap <<-SCRIPT
		echo "\$*" >>"$T/got"
		mkdir -p "\${@: -2:1}/usr/bin"
		echo bpftrace >"\${@: -2:1}/usr/bin/bpftrace"
		exit $1
	SCRIPT
	rm -f "$T/got"
}

# A packer that says what it packs.
make_packer() {
	cat >"$R/vm/mkinitramfs" <<-'SCRIPT'
		#!/bin/bash
		echo "$*" >"$3"
	SCRIPT
	chmod +x "$R/vm/mkinitramfs"
}

# expect_packed NAME OLDEST NEWER NEWEST: with files of these ages it is packed anew, and nothing is fetched for it.
expect_packed() {
	touch -d "3 hours ago" "$2"
	touch -d "2 hours ago" "$3"
	touch -d "1 hour ago" "$4"
	run "$R/scripts/build-frontends"
	expect "frontends: it is packed anew with $1" 0 "^==> front ends$"
	expect_true "frontends: of what is there" [ "$(wc -l <"$T/got")" -eq 1 ]
}

test_frontends() {
	local root=$BUILD/sysroot-sid-x86_64
	make_packer
	stub_debian 1
	run "$R/scripts/build-frontends"
	expect "frontends: a mirror that has no sid stops it" 3 "bpftrace of Debian sid: failed"
	expect_true "frontends: nothing is there then" is_absent "$root" "$W/frontends.gz"
	stub_debian 0
	run "$R/scripts/build-frontends"
	expect "frontends: bpftrace comes from sid, and is packed" 0 "^==> front ends$"
	expect_true "frontends: with its libraries" grep -qF -e "-r $root $W/frontends.gz $root/usr/bin/bpftrace:bin/bpftrace" "$W/frontends.gz"
	expect_true "frontends: whatever date the mirror has" grep -q 'Check-Valid-Until "false" sid ' "$T/got"
	run "$R/scripts/build-frontends"
	expect "frontends: a second time there is nothing to do" 0 "is up to date"
	expect_true "frontends: and nothing is asked for" [ "$(wc -l <"$T/got")" -eq 1 ]
	expect_packed "another packer" "$root/made-of" "$W/frontends.gz" "$R/vm/mkinitramfs"
	expect_packed "another bpftrace" "$R/vm/mkinitramfs" "$W/frontends.gz" "$root/made-of"
	run "$R/scripts/build-frontends" --nonsense
	expect "frontends: an unknown argument is a usage error" 2 "unknown argument"
}

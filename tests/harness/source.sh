# shellcheck shell=bash
# Tests of scripts/get-source; a part of tests/harness/run, which sources it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
[ -n "${T:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fresh_source() {
	rm -rf "$W/source"
}

test_kernel_org() {
	local before
	start_server
	stub_apt_fails
	run "$R/scripts/get-source"
	expect "source: tarball of kernel.org, checksum of the server" 0 "Linux 7.3.4, from kernel.org"
	expect_true "source: the record has the checksum" grep -qx "sha256: $GOOD" "$W/source/record"
	before=$(stat -c '%i %Y' "$W/source/linux-7.3.4.tar.xz")
	run env KERNEL_ORG=http://127.0.0.1:1 "$R/scripts/get-source"
	expect "source: a second run needs no server" 0 "from kernel.org"
	expect_true "source: a second run leaves the file alone" \
		[ "$before" = "$(stat -c '%i %Y' "$W/source/linux-7.3.4.tar.xz")" ]

	fresh_source
	write_manifest "$GOOD"
	run "$R/scripts/get-source"
	expect "source: checksum of the manifest" 0 "verified: sha256 of the manifest"

	fresh_source
	write_manifest "${GOOD//[0-9]/0}"
	run "$R/scripts/get-source"
	expect "source: wrong checksum in the manifest is refused" 3 "is not what it should be"
	expect_true "source: nothing of it is kept" is_absent "$W/source/record" "$W/source/linux-7.3.4.tar.xz"

	write_manifest unknown
	cp "$T/www/v7.x/sha256sums.asc" "$T/sums"
	sed -i "s/$GOOD/${GOOD//[0-9]/0}/" "$T/www/v7.x/sha256sums.asc"
	run "$R/scripts/get-source"
	expect "source: wrong checksum on the server is refused" 3 "is not what it should be"
	echo nothing >"$T/www/v7.x/sha256sums.asc"
	run "$R/scripts/get-source"
	expect "source: no checksum on the server is refused" 3 "does not list"
	cp "$T/sums" "$T/www/v7.x/sha256sums.asc"

	touch "$T/www/truncate"
	run "$R/scripts/get-source"
	expect "source: a truncated download is refused" 3 "download linux-7.3.4.tar.xz from kernel.org: failed"
	expect_true "source: nothing of the truncated download is kept" \
		is_absent "$W/source/record" "$W/source/linux-7.3.4.tar.xz"
	rm "$T/www/truncate"
	run "$R/scripts/get-source"
	expect "source: a rerun after it gets the whole file" 0 "from kernel.org"
	expect_true "source: the whole file is the right one" \
		[ "$(sha256_of "$W/source/linux-7.3.4.tar.xz")" = "$GOOD" ]

	echo >>"$W/source/linux-7.3.4.tar.xz"
	run "$R/scripts/get-source"
	expect "source: a file that changed on the disk is got again" 0 "from kernel.org"
	expect_true "source: it is the right one again" \
		[ "$(sha256_of "$W/source/linux-7.3.4.tar.xz")" = "$GOOD" ]
	stop_server
}

test_debian() {
	fresh_source
	write_manifest unknown "$GOOD"
	stub_apt_fails
	run "$R/scripts/get-source"
	expect "source: no kernel.org and no apt" 3 "cannot be had from kernel.org" "apt has no network here"
	expect_true "source: nothing is recorded then" is_absent "$W/source/record"
	if [ ! -f /usr/share/keyrings/debian-archive-keyring.gpg ] || ! command -v dpkg-deb >/dev/null; then
		tap_skip "source: Debian package" "this is not Debian"
		return
	fi
	stub_apt_works 7.3.4-1
	run "$R/scripts/get-source"
	expect "source: Debian package when kernel.org is away" 0 "from Debian, linux-source-7.3 7.3.4-1"
	fresh_source
	write_manifest unknown "${GOOD//[0-9]/0}"
	run "$R/scripts/get-source"
	expect "source: same package version with other content is refused" 3 "the manifest says something else"
	stub_apt_works 7.3.4-2
	run "$R/scripts/get-source"
	expect "source: a newer revision of the package is taken" 0 "7.3.4-2"
	write_manifest unknown
}

test_source_interrupted() {
	use_good_source
	cp "$W/source/record" "$T/record"
	# a transfer that has begun
	stub curl <<-SCRIPT
		case "\$*" in
		*-fsSIL*) exit 0 ;;
		*sha256sums*) echo "$GOOD  linux-7.3.4.tar.xz" ;;
		*) touch "$T/started"; exec sleep 20 ;;
		esac
	SCRIPT
	run_interrupted env LINUX=default "$R/scripts/get-source"
	expect "source: Ctrl-C says what it does" 130 "^interrupted; what was got so far is removed$" "is as it was before$"
	expect_true "source: and does it" is_absent "$W"/source/scratch.*
	expect_true "source: what was there is there" cmp "$T/record" "$W/source/record"
	run "$R/scripts/get-source" too many
	expect "source: too many arguments" 2 "unknown argument: too"
	rm "$T/stubs/curl"
}

test_source_owner() {
	foreign_tree source || return 0
	run env LINUX="$T/user" "$R/scripts/get-source"
	expect "source: a tree of somebody else is named, with the cure" 3 \
		"belongs to nobody, .*git config --global --add safe.directory $T_TYPED/user$"
	git config --global --add safe.directory "$T/user"
	run env LINUX="$T/user" "$R/scripts/get-source"
	expect "source: and with it its commit is taken" 0 "from LINUX=" "git commit"
	git -C "$T/user" update-ref -d HEAD
	run env LINUX="$T/user" "$R/scripts/get-source"
	expect "source: a tree without commits" 3 "has no commits"
}

test_linux_variable() {
	local newer
	fresh_source
	run env LINUX="$T/linux-7.3.4.tar.xz" "$R/scripts/get-source"
	expect "source: LINUX=tarball" 0 "Linux 7.3.4, from LINUX="
	run "$R/scripts/get-source"
	expect "source: LINUX= is remembered" 0 "Linux 7.3.4, from LINUX="
	head -c 60 "$T/linux-7.3.4.tar.xz" >"$T/bad.tar.xz"
	run env LINUX="$T/bad.tar.xz" "$R/scripts/get-source"
	expect "source: LINUX=damaged tarball is refused" 3 "no kernel Makefile in it"
	run env LINUX="$T/nowhere" "$R/scripts/get-source"
	expect "source: LINUX=missing file is refused" 3 "no such file"
	make_kernel "$T/k2/linux-6.3.5" 6.3.5
	run env LINUX="$T/k2/linux-6.3.5" "$R/scripts/get-source"
	expect "source: LINUX=directory of another base is refused" 3 "is Linux 6.3.5, and the patches are for 7.3"
	run env FORCE=1 LINUX="$T/k2/linux-6.3.5" "$R/scripts/get-source"
	expect "source: FORCE=1 takes it" 0 "Linux 6.3.5"
	newer=$T/k2/linux-7.3.5
	make_kernel "$newer" 7.3.5
	run env LINUX="$newer" "$R/scripts/get-source"
	expect "source: LINUX=directory, another point release is said" 0 "Linux 7.3.5" "were made for 7.3.4"
	git -C "$newer" init -q
	fake_git -C "$newer" add -A
	fake_git -C "$newer" commit -q -m x
	echo change >>"$newer/kernel/bpf/syscall.c"
	run env LINUX="$newer" "$R/scripts/get-source"
	expect "source: LINUX=git tree, uncommitted changes are said" 0 "without them"
}

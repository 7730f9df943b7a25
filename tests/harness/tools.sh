# shellcheck shell=bash
# Tests of scripts/tools; a part of tests/harness/run, which sources it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
[ -n "${T:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

test_tools() {
	local path=$T/stubs:$PATH
	rm -rf "$T/stubs"
	stub uname <<<'echo x86_64'
	stub id <<<'echo 1000'
	stub sudo <<<'exit 1'
	stub apt-get <<<"echo \"\$*\" >>'$T/apt.log'"
	stub dpkg-query <<-SCRIPT
		shift 3
		for name; do
			echo "\$name" >>"$T/asked"
			[ "\$name" = bison ] && [ ! -e "$T/have-bison" ] || echo "\$name installed"
		done
	SCRIPT
	run env PATH="$path" "$R/scripts/tools"
	expect "tools: the command is printed" 3 "apt-get install -y --no-install-recommends bison$"
	run env PATH="$path" "$R/scripts/tools" --install
	expect "tools: neither root nor sudo" 3 "Neither root nor sudo" "recommends bison$"
	expect_true "tools: apt was not called" is_absent "$T/apt.log"
	stub id <<<'echo 0'
	stub apt-get <<<"echo \"\$*\" >>'$T/apt.log'; case \"\$*\" in *install*) touch '$T/have-bison' ;; esac"
	run env PATH="$path" "$R/scripts/tools" --install
	expect "tools: root installs what is missing" 0 "packages are installed"
	expect_true "tools: apt got the one package" grep -q 'install.* bison$' "$T/apt.log"
	: >"$T/apt.log"
	run env PATH="$path" "$R/scripts/tools" --install
	expect "tools: nothing to install" 0 "packages are installed"
	expect_true "tools: no apt-get update then" [ ! -s "$T/apt.log" ]
	expect_asked "this machine's own architecture" x86_64 "" "qemu-of-x86"
	expect_asked "another one, with its compiler" x86_64 arm64 "firmware gcc-for-arm libc-for-arm qemu-of-arm"
	expect_asked "another one on a machine of its own" aarch64 arm64 "firmware qemu-of-arm"
	run env ARCH=arm65 "$R/scripts/tools"
	expect "tools: an unknown architecture is refused" 2 "ARCH=arm65: choose from arm64 x86_64$"
	run env ARCH=../arch/x86_64 "$R/scripts/tools"
	expect "tools: so is a path" 2 "ARCH=../arch/x86_64: choose from arm64 x86_64$"
	stub uname <<<'echo riscv64'
	run "$R/scripts/tools"
	expect "tools: and a machine that is not known" 2 "this machine is riscv64, .* no record; ARCH= takes: arm64 x86_64$"
	stub uname <<<'echo x86_64'
	run "$R/scripts/tools" --nonsense
	expect "tools: an unknown argument is a usage error" 2 "unknown argument"
	run "$R/scripts/tools" --install x
	expect "tools: so is a list that is not there" 2 "unknown argument: x"
}

test_lacking() {
	echo "lacks: selftests not built yet" >>"$R/vm/arch/arm64"
	# shellcheck disable=SC2016 # for the other shell
	local script='. "$0/scripts/lib.sh"; echo "selftests: $(lacking selftests)."; echo "nmi: $(lacking nmi)."'
	run env ARCH=arm64 bash -c "$script" "$R"
	expect "records: what is lacking, and why" 0 "^selftests: not built yet\.$" "^nmi: \.$"
	run env ARCH=x86_64 bash -c "$script" "$R"
	expect "records: another architecture has it" 0 "^selftests: \.$"
	echo "lacks: nmi none before 9.9" >>"$R/patches/$BASE/manifest"
	run env ARCH=x86_64 bash -c "$script" "$R"
	expect "records: what a base lacks" 0 "^nmi: none before 9.9\.$"
}

# expect_asked NAME MACHINE ARCH PACKAGES: on this machine these are needed beside those of packages.txt.
expect_asked() {
	stub uname <<<"echo $2"
	rm -f "$T/asked"
	run env ARCH="$3" "$R/scripts/tools"
	expect "tools: $1" 0 "packages are installed"
	expect_true "tools: $1: its packages are among them" [ "$(sed -e 's/#.*//' -e 's/ .*//' -e '/^$/d' "$R/scripts/packages.txt" |
		sort | comm -13 - <(sort "$T/asked") | paste -sd ' ')" = "$4" ]
}

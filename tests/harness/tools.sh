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
		grep -v '^#' "$REPO/scripts/packages.txt" | while read -r name _; do
			[ -n "\$name" ] || continue
			[ "\$name" = bison ] && [ ! -e "$T/have-bison" ] && continue
			echo "\$name installed"
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
	stub uname <<<'echo riscv64'
	run env PATH="$path" "$R/scripts/tools"
	expect "tools: an unknown architecture is refused" 3 "this machine is riscv64"
	run "$R/scripts/tools" --nonsense
	expect "tools: an unknown argument is a usage error" 2 "unknown argument"
}

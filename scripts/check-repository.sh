# shellcheck shell=bash
# The repository itself; part of scripts/check, which sources it.
# shellcheck disable=SC2164 # a check runs with "set -e"

# Files of the repository that are tracked, or new and not ignored. What the series adds to the
# kernel is the kernel's, not ours.
own_files() {
	git -C "$TOP" ls-files --cached --others --exclude-standard --exclude=/build |
		while read -r path; do
			[ -f "$TOP/$path" ] || continue
			printf '%s\n' "$path"
		done
}

# Files of ours whose first line names interpreter $1 (a pattern), or whose name ends in $2.
files_of() {
	local path first
	own_files | while read -r path; do
		IFS= read -r first 2>/dev/null <"$TOP/$path" || true
		if [[ $first =~ ^#!.*/(env )?($1)([[:space:]]|$) || $path == *"$2" ]]; then
			printf '%s\n' "$path"
		fi
	done
}

check_shell() {
	local files
	need_command shellcheck
	mapfile -t files < <(files_of 'bash|sh|dash' .sh)
	[ ${#files[@]} -gt 0 ] || fail "no shell script was found"
	remark "${#files[@]} files"
	cd "$TOP"
	shellcheck -x "${files[@]}"
}

check_python() {
	local files
	mapfile -t files < <(files_of 'python3?' .py)
	[ ${#files[@]} -gt 0 ] || skip "there is no Python file"
	remark "${#files[@]} files"
	cd "$TOP"
	# compiled in memory: py_compile would leave a directory beside the file
	python3 - "${files[@]}" <<-'PYTHON'
		import sys
		for name in sys.argv[1:]:
		    with open(name, "rb") as source:
		        compile(source.read(), name, "exec")
	PYTHON
}

check_unit() {
	local said number
	[ -d "$TOP/tests/unit" ] || skip "there is no directory tests/unit"
	cd "$TOP"
	said=$(PYTHONDONTWRITEBYTECODE=1 python3 -m unittest discover -s tests/unit -t . 2>&1) || {
		grep -E '^(FAIL|ERROR): ' <<<"$said" || true
		fail "$said"
	}
	# "Ran 7 tests in 0.1s", and "OK (skipped=1)" at the end
	number=$(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} in .*/\1/p' <<<"$said")
	[ "${number:-0}" -gt 0 ] || fail "no test ran: $said"
	remark "$number tests$(sed -n '$s/^OK (\(.*\))$/, \1/p' <<<"$said")"
}

check_results() {
	cd "$TOP"
	python3 -B -m vmtest.results --check
	python3 -B -m vmtest.bench.page --check
}

# Paths of the machine on which a file was written, and registries that it should not name.
check_paths() {
	local pattern parent
	pattern='\b(deb|security|ftp[a-z.]*|snapshot)\.debian\.org|archive\.ubuntu\.com'
	pattern+='|\bpypi\.org|pythonhosted\.org|registry\.npmjs\.org|\bcrates\.io'
	pattern+='|proxy\.golang\.org|\b(ghcr|quay|docker)\.io|/home/[a-z0-9_-]+/'
	pattern+="|(?<![\\w.\$}/-])\\Q$TOP\\E(?![\\w-])"
	# The directory above the repository, unless it is one that every machine has.
	parent=$(dirname "$TOP")
	case $parent in
	/ | /usr* | /home | /root | /tmp | /opt | /srv | /var* | /mnt | /src) ;;
	*) pattern+="|(?<![\\w.\$}/-])\\Q$parent\\E/" ;;
	esac
	cd "$TOP"
	own_files | tr '\n' '\0' | xargs -0 grep -IHnP -e "$pattern" && return 1
	return 0
}

MOST_LINES=500
MOST_LINES_OF_README=200
MOST_LINES_OF_FUNCTION=60

# Files of ours that people read from top to bottom: no BPF programs, and nothing that a script makes.
files_to_read() {
	local exported
	exported=$(cat "$TOP"/patches/*/exported-files 2>/dev/null || true)
	own_files | grep -vxF -e "$exported" | grep -vE '^(patches|results)/|^COPYING$|[.]bpf[.]c$'
}

long_files() {
	local path lines most
	files_to_read | while read -r path; do
		lines=$(wc -l <"$TOP/$path")
		most=$MOST_LINES
		[ "$path" != README.md ] || most=$MOST_LINES_OF_README
		[ "$lines" -le "$most" ] || echo "$path has $lines lines, more than $most"
	done
}

# long_functions FILE...
long_functions() {
	python3 - "$MOST_LINES_OF_FUNCTION" "$@" <<-'PYTHON'
		import ast
		import sys
		most = int(sys.argv[1])
		for path in sys.argv[2:]:
		    with open(path, "rb") as source:
		        tree = ast.parse(source.read(), path)
		    for node in ast.walk(tree):
		        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
		            continue
		        lines = node.end_lineno - node.lineno + 1
		        if lines > most:
		            print(f"{path}: {node.name}() has {lines} lines, more than {most}")
	PYTHON
}

check_limits() {
	local files long functions
	mapfile -t files < <(files_of 'python3?' .py)
	cd "$TOP"
	long=$(long_files)
	functions=$(long_functions "${files[@]}")
	[ -z "$long$functions" ] || fail "$long${long:+${functions:+$'\n'}}$functions"
}

# shellcheck shell=bash
# The series' own selftests, without the kernel's others, which take several times as long to build; sourced behind
# lib.sh.
# shellcheck disable=SC2154,SC2164 # variables of lib.sh; a caller has "set -e"

BPF=tools/testing/selftests/bpf

# list_words DIRECTORY PATTERN FILE...: what is found, without what is behind the first dot
list_words() {
	local dir=$1 pattern=$2
	shift 2
	(cd "$dir" && { grep -hoE "$pattern" "$@" || true; }) | sed 's/\..*//' | sort -u
}

# leave_out_others LINUX FILE...: leave in a copy of the kernel's source only what these files of prog_tests need.
# The build takes what is there. LIGHT is for it: the light skeletons among that, or "all" if nothing was left out.
leave_out_others() {
	local dir=$1/$BPF keep path sources
	shift
	sources=("${@#"$BPF"/}")
	# headers of the tests can include skeletons, too
	mapfile -t -O "${#sources[@]}" sources < <(
		cd "$dir"
		sed -n 's|^#include "\([a-z0-9_]*\.h\)".*|\1|p' "${sources[@]}" | sort -u |
			while read -r path; do
				[ ! -f "$path" ] || printf '%s\n' "$path"
			done
	)
	keep=$({
		printf '%s\n' "${@#"$BPF"/}"
		list_words "$dir" '\b\w+\.((l|sub)?skel\.h|bpf\.o)\b' "${sources[@]}" test_progs.c |
			sed 's|.*|progs/&.c|'
	})
	LIGHT=all
	while read -r path; do
		[ -f "$dir/$path" ] || {
			echo "$path is not there, as it is linked of several programs: all are built"
			return
		}
	done <<<"$keep"
	# and the programs that those include
	keep+=$'\n'$(cd "$dir" && xargs sed -n 's|^#include "\([a-z0-9_]*\.c\)".*|progs/\1|p' <<<"$keep")
	(cd "$dir" && printf '%s\n' prog_tests/*.c progs/*.c | grep -vxF "$keep" | xargs rm -f)
	LIGHT=$(list_words "$dir" '\b\w+\.lskel\.h\b' "${sources[@]}" | sed 's/$/.c/' | paste -sd ' ')
}

# build_own_tests LINUX OUT FILE...: behind leave_out_others. A test that does not compile is left out by the kernel's
# Makefile; those of the series must not be.
build_own_tests() {
	local linux=$1 out=$2 file variables=()
	shift 2
	[ "$LIGHT" = all ] || variables=(LINKED_SKELS= LSKELS= LSKELS_SIGNED= LSKELS_EXTRA="$LIGHT")
	selftests_make "$linux" "$out" "${variables[@]}" "$out/test_progs" "$out/bpf_testmod.ko" "$out/sign-file"
	for file; do
		file=$(basename "$file" .c).test.o
		[ -f "$out/$file" ] || {
			# once more, for its errors to be the last lines of the log
			selftests_make "$linux" "$out" "${variables[@]}" "$out/$file" || true
			echo "$file does not compile"
			exit 1
		}
	done
}

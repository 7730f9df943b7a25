# shellcheck shell=bash
# What the compilers say of each patch; part of scripts/check, which sources it. The checks here have nothing to do
# with the others: what they share is what stands in scripts/check before its table.
# shellcheck disable=SC2153,SC2164 # variables of lib.sh and scripts/check; a check runs with "set -e"

PREFIX=$WORK/prefix
PREFIX_OBJ=$WORK/prefix-obj$SUFFIX
CONFIG=$OBJ/.config

# One key from all arguments, this file, and what every compile depends on.
cache_key() {
	{
		printf '%s\n' "$@"
		sha256_of "$RECORD"
		sha256_of "$CONFIG"
		sha256_of "$TOP/scripts/check-compile.sh"
		"${CROSS}gcc" --version
	} | sha256sum | cut -d ' ' -f 1
}

need_config() {
	[ -f "$CONFIG" ] || skip "there is no kernel configuration yet ($CONFIG), run \"make kernel\""
}

# The work tree and object directory in which every prefix of the series is compiled: the tree
# and objects of the real build stay as they are.
prepare_prefix() {
	if [ "$(git -C "$PREFIX" rev-parse --show-toplevel 2>/dev/null)" != "$PREFIX" ]; then
		rm -rf "$PREFIX"
		tree_git worktree prune
		tree_git worktree add -q --detach "$PREFIX" base
	fi
	mkdir -p "$PREFIX_OBJ"
	# make looks at the time of .config: leave an equal one alone
	if ! cmp -s "$CONFIG" "$PREFIX_OBJ/.config.from"; then
		cp "$CONFIG" "$PREFIX_OBJ/.config"
		cp "$CONFIG" "$PREFIX_OBJ/.config.from"
		prefix_make olddefconfig
	fi
}

prefix_make() {
	local cc=${CROSS}gcc
	if command -v ccache >/dev/null; then
		cc="ccache $cc"
	fi
	CCACHE_DEPEND=1 CCACHE_DIR=${CCACHE_DIR:-$BUILD/ccache} nice make -C "$PREFIX" O="$PREFIX_OBJ" \
		ARCH="$MAKE_ARCH" CROSS_COMPILE="$CROSS" CC="$cc" -j"$JOBS" "$@"
}

prefix_checkout() {
	own_git -C "$PREFIX" checkout -q --detach --force "$1"
}

# What patch NUMBER (from 0) is made on.
before() {
	if [ "$1" -eq 0 ]; then
		echo "$START"
	else
		echo "${COMMITS[$1 - 1]}"
	fi
}

# The objects that show whether commits $1..$2 compile. Declarations in headers are
# used all over; these three files see nearly all of BPF's.
objects_of() {
	local path
	tree_git diff --no-renames --diff-filter=d --name-only "$1" "$2" | while read -r path; do
		case $path in
		kernel/*.c | net/*.c) printf '%s\n' "${path%.c}.o" ;;
		include/*.h | kernel/*.h | net/*.h)
			printf 'kernel/bpf/%s.o\n' verifier syscall core
			;;
		esac
	done | sort -u
}

# Only objects whose source is there at commit $1.
existing_at() {
	local commit=$1 object
	while read -r object; do
		if tree_git cat-file -e "$commit:${object%.o}.c" 2>/dev/null; then
			printf '%s\n' "$object"
		fi
	done
}

# Warnings in log $1 without what moves with unrelated lines: paths, line numbers, addresses.
warnings_of() {
	grep -E '(warning|error):' "$1" |
		sed -E -e "s#^$PREFIX/##; s#^(\.\./)+prefix/##" \
			-e 's/:[0-9]+(:[0-9]+)?: /: /' -e 's/\+0x[0-9a-f]+//g' |
		sort || true
}

# compile_with LOG COMMIT MAKE-ARGUMENT... -- OBJECT...
compile_with() {
	local log=$1 commit=$2 args=()
	shift 2
	while [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	shift
	prefix_checkout "$commit"
	# An object that is up to date prints no warnings.
	(cd "$PREFIX_OBJ" && rm -f "$@")
	prefix_make "${args[@]}" "$@" >"$log" 2>&1
}

# base_warnings KIND OBJECTS MAKE-ARGUMENT...: file with the warnings of the base, from the cache
# if it is there. Prints its name.
base_warnings() {
	local kind=$1 key objects
	if [ -z "$2" ]; then
		echo /dev/null
		return
	fi
	mapfile -t objects <<<"$2"
	shift 2
	key=$(cache_key "base-$kind" "${objects[@]}" "$@")
	if [ ! -f "$CACHE/$key" ]; then
		compile_with "$CHECK_LOGS/$kind-base.log" base "$@" -- "${objects[@]}" || {
			echo "the base does not compile, see $CHECK_LOGS/$kind-base.log" >&2
			return 1
		}
		mkdir -p "$CACHE"
		warnings_of "$CHECK_LOGS/$kind-base.log" >"$CACHE/$key.new"
		mv "$CACHE/$key.new" "$CACHE/$key"
	fi
	printf '%s\n' "$CACHE/$key"
}

# Fail with the lines that are in the warnings of log $1 and not in file $2.
fail_on_new() {
	local new
	new=$(warnings_of "$1" | comm -23 - "$2")
	[ -z "$new" ] || fail "new warnings:
$new"
}

# check_compile NUMBER: the tree after patch NUMBER (from 0) compiles without new warnings.
check_compile() {
	local number=$1 key objects known commit=${COMMITS[$1]} log
	objects=$(objects_of "$(before "$number")" "$commit")
	[ -n "$objects" ] || not_concerned
	need_config
	key=$(cache_key compile "$(tree_git rev-parse "$commit^{tree}")" "$objects")
	remark "${objects//$'\n'/ }"
	if is_cached "$key"; then
		return
	fi
	prepare_prefix >"$CHECK_LOGS/compile-prepare.log" 2>&1 ||
		fail "cannot prepare the object directory, see $CHECK_LOGS/compile-prepare.log"
	known=$(base_warnings compile "$(objects_of base series | existing_at base)" W=1)
	log=$CHECK_LOGS/compile-$SERIES-$((number + 1))-make.log
	mapfile -t objects <<<"$objects"
	compile_with "$log" "$commit" W=1 -- "${objects[@]}" || {
		grep -E 'error|Error' "$log" | head -n 15
		fail "does not compile, see $log"
	}
	fail_on_new "$log" "$known"
	set_cached "$key"
}

# The files that the series adds below kernel/.
added_sources() {
	tree_git diff --no-renames --diff-filter=A --name-only base series -- 'kernel/*.c' | sort
}

# The objects of those that commits $1..$2 touch.
added_objects_of() {
	comm -12 <(objects_of "$1" "$2") <(added_sources | sed 's/\.c$/.o/')
}

# The options that the added files have an #if for.
options_of_added() {
	added_sources | sed 's/^/series:/' | xargs -r git -C "$TREE" show |
		grep -E '^# *if' | grep -o 'CONFIG_[A-Z0-9_]*' | sort -u
}

# check_options NUMBER: what the series adds compiles without these options, too, after patch
# NUMBER (from 0), and without any warning.
check_options() {
	local number=$1 commit=${COMMITS[$1]} key objects options option log
	local PREFIX_OBJ=$WORK/prefix-obj-options$SUFFIX
	objects=$(added_objects_of "$(before "$number")" "$commit")
	[ -n "$objects" ] || not_concerned
	need_config
	options=$(options_of_added) || skip "no added file has an #if for an option"
	remark "${options//$'\n'/ }"
	key=$(cache_key options "$(tree_git rev-parse "$commit^{tree}")" "$objects" "$options")
	if is_cached "$key"; then
		return
	fi
	grep -vxE "(${options//$'\n'/|})=.*" "$CONFIG" >"$SCRATCH/config"
	for option in $options; do
		echo "# $option is not set"
	done >>"$SCRATCH/config"
	local CONFIG=$SCRATCH/config
	prepare_prefix >"$CHECK_LOGS/options-prepare.log" 2>&1 ||
		fail "cannot prepare the object directory, see $CHECK_LOGS/options-prepare.log"
	for option in $options; do
		! grep -q "^$option=" "$PREFIX_OBJ/.config" || fail "$option does not go off"
	done
	log=$CHECK_LOGS/options-$SERIES-$((number + 1))-make.log
	mapfile -t objects <<<"$objects"
	compile_with "$log" "$commit" W=1 -- "${objects[@]}" || {
		grep -E 'error|Error' "$log" | head -n 15
		fail "does not compile, see $log"
	}
	fail_on_new "$log" /dev/null
	set_cached "$key"
}

# The BPF objects of the selftests that show whether commits $1..$2 compile.
bpf_objects_of() {
	local path name
	tree_git diff --no-renames --diff-filter=d --name-only "$1" "$2" | while read -r path; do
		name=$(basename "$path" .c)
		case $path in
		tools/testing/selftests/bpf/progs/*.c) printf '%s.bpf.o\n' "$name" ;;
		# a program that includes nearly all of the header's macros
		tools/lib/bpf/*.h | tools/testing/selftests/bpf/progs/*.h) printf 'stream.bpf.o\n' ;;
		esac
	done | sort -u
}

# The C files of the test runner that commits $1..$2 touch.
test_files_of() {
	tree_git diff --no-renames --diff-filter=d --name-only "$1" "$2" -- \
		'tools/testing/selftests/bpf/*.c' ':!tools/testing/selftests/bpf/progs'
}

# check_selftests NUMBER: the selftests that patch NUMBER (from 0) touches compile after it. The
# C files are only parsed, with the skeletons of all series.
check_selftests() {
	local number=$1 previous commit=${COMMITS[$1]} dir objects files file key log why
	previous=$(before "$number")
	objects=$(bpf_objects_of "$previous" "$commit")
	files=$(test_files_of "$previous" "$commit")
	[ -n "$objects$files" ] || not_concerned
	why=$(lacking selftests)
	[ -z "$why" ] || skip "$why"
	[ -f "$SELFTESTS/test_progs" ] || skip "the selftests are not built, run \"make selftests\""
	key=$(cache_key selftests "$(tree_git rev-parse "$commit^{tree}")" "$objects" "$files")
	remark "$(tr '\n' ' ' <<<"$objects $files" | sed -E 's#tools/testing/selftests/bpf/##g; s/^ +| +$//g')"
	if is_cached "$key"; then
		return
	fi
	prepare_prefix >"$CHECK_LOGS/compile-prepare.log" 2>&1
	prefix_checkout "$commit"
	log=$CHECK_LOGS/selftests-$SERIES-$((number + 1))-make.log
	dir=$WORK/prefix-selftests$SUFFIX
	: >"$log"
	for file in $objects; do
		rm -f "$dir/$file"
		selftests_make "$PREFIX" "$dir" "$dir/$file" >>"$log" 2>&1 || true
		[ -f "$dir/$file" ] || fail "$file does not compile, see $log"
	done
	cd "$PREFIX/tools/testing/selftests/bpf"
	for file in $files; do
		"${CROSS}gcc" ${SYSROOT:+--sysroot="$SYSROOT"} -std=gnu11 -D_GNU_SOURCE= -fsyntax-only -Wall -Werror -Wno-unused-but-set-variable \
			-I. -I"$SELFTESTS" -I"$SELFTESTS/tools/include" -I"$OBJ/include/generated" \
			-I"$PREFIX/tools/lib" -I"$PREFIX/tools/include" -I"$PREFIX/tools/include/uapi" \
			-I"$PREFIX/tools/arch/$SRCARCH/include" \
			"$PREFIX/$file" >>"$log" 2>&1 || {
			grep error "$log" | head -n 10
			fail "$file does not compile, see $log"
		}
	done
	set_cached "$key"
}

# check_bpftool NUMBER: bpftool compiles after patch NUMBER (from 0), and has no warning.
check_bpftool() {
	local number=$1 commit=${COMMITS[$1]} key log dir=$WORK/prefix-bpftool
	[ -n "$(tree_git diff --name-only "$(before "$number")" "$commit" -- tools/bpf/bpftool)" ] || not_concerned
	key=$(cache_key bpftool "$(tree_git rev-parse "$commit^{tree}")")
	if is_cached "$key"; then
		return
	fi
	prepare_prefix >"$CHECK_LOGS/compile-prepare.log" 2>&1
	prefix_checkout "$commit"
	mkdir -p "$dir"
	log=$CHECK_LOGS/bpftool-$SERIES-$((number + 1))-make.log
	make -C "$PREFIX/tools/bpf/bpftool" -j"$JOBS" OUTPUT="$dir/" EXTRA_CFLAGS=-Werror feature-libbfd=0 \
		feature-llvm=0 feature-clang-bpf-co-re=0 >"$log" 2>&1 || {
		grep -E 'error|Error' "$log" | head -n 15
		fail "does not compile, see $log"
	}
	set_cached "$key"
}

# What the compiler says to a call of one of the macros for destructive kfuncs.
compiler_says() {
	# no vmlinux.h: bpf_helpers.h declares the kfuncs
	printf '#include <linux/types.h>\n#include <bpf/bpf_helpers.h>\nint f(char *s) { %s; return 0; }\n' "$1" |
		"$CLANG" --target=bpf -fsyntax-only -Wall -x c -I "$CHECK_LOGS/formats" -I "$TREE/tools/lib" \
			-I "$TREE/tools/include/uapi" - 2>&1
}

# No program of the selftests is compiled to see that it is warned of.
check_formats() {
	local call macro said
	command -v "$CLANG" >/dev/null || skip "$CLANG is not there, run \"make tools INSTALL=1\""
	mkdir -p "$CHECK_LOGS/formats"
	# made by a build of libbpf, and not needed here
	: >"$CHECK_LOGS/formats/bpf_helper_defs.h"
	for macro in panic crash_kexec pr_emerg halt restart power_off; do
		said=$(compiler_says "bpf_$macro(\"100%% of %s, %llu %px\n\", s, 1ULL, s)")
		[ -z "$said" ] || fail "bpf_$macro() with a good format: $said"
	done
	for call in 'bpf_panic("%s %d", s)' 'bpf_panic("%d", s)' 'bpf_panic("%d", 1, 2)' 'bpf_panic("%s", 1)'; do
		grep -q 'warning: .*-Wformat' <<<"$(compiler_says "$call")" || fail "no warning: $call"
	done
}

# sparse up to 0.6.4 does not know __typeof_unqual__ and the kernel's Makefiles then leave it out.
# Read as __typeof__ it only keeps qualifiers, which gives the base and the series the same
# additional warnings.
sparse_flags() {
	local flags=-D__CHECK_ENDIAN__ said
	echo 'int f(const int *q); int f(const int *q) { __typeof_unqual__(*q) v = *q; return v; }' \
		>"$SCRATCH/unqual.c"
	# not through "grep -q": it may go at the first match, and sparse by SIGPIPE, which pipefail shows
	said=$(sparse "$SCRATCH/unqual.c" 2>&1) || true
	if [[ $said == *error:* ]]; then
		flags+=" -D__typeof_unqual__=__typeof__"
	fi
	printf '%s\n' "$flags"
}

# Those of objects $2... whose source sparse has not read, by log $1. What sparse has to say may
# stand before "CHECK" in the same line, as two of them write at a time.
not_checked() {
	local log=$1 object
	shift
	for object; do
		grep -q "CHECK   ${object%.o}\.c\$" "$log" || printf '%s\n' "$object"
	done
}

# sparse asks for a declaration of every kfunc; the kernel has none for them on purpose.
check_sparse() {
	local key objects known flags missing log=$CHECK_LOGS/sparse-make.log
	need_config
	need_command sparse
	flags=$(sparse_flags)
	objects=$(tree_git diff --no-renames --diff-filter=d --name-only base series -- 'kernel/*.c' 'net/*.c' |
		sed 's/\.c$/.o/')
	[ -n "$objects" ] || skip "the series touch no .c file of the kernel"
	key=$(cache_key sparse "$(tree_git rev-parse 'series^{tree}')" "$objects" "$flags")
	if is_cached "$key"; then
		return
	fi
	prepare_prefix >"$CHECK_LOGS/sparse-prepare.log" 2>&1 ||
		fail "cannot prepare the object directory, see $CHECK_LOGS/sparse-prepare.log"
	known=$(base_warnings sparse "$(existing_at base <<<"$objects")" C=2 CF="$flags")
	mapfile -t objects <<<"$objects"
	compile_with "$log" series C=2 CF="$flags" -- "${objects[@]}" ||
		fail "does not compile, see $log"
	missing=$(not_checked "$log" "${objects[@]}")
	[ -z "$missing" ] || fail "sparse did not read the source of ${missing//$'\n'/ }, see $log:
$(grep -w -m 3 sparse "$log" || tail -n 12 "$log")"
	sed -i -E "/symbol 'bpf_[a-z0-9_]+' was not declared. Should it be static/d" "$log"
	fail_on_new "$log" "$known"
	set_cached "$key"
}

# shellcheck shell=bash
# Common parts of the scripts; sourced, never run. The callers use "set -euo pipefail".
#
# Exit codes: 0 all is well, 1 a check or test failed, 2 wrong usage,
#             3 the harness itself could not do its work.
# shellcheck disable=SC2034 # most variables are used by the callers only

# Messages of git and make are compared, so they must not be translated.
export LC_ALL=C

# A git hook or an outer make would otherwise reach into the kernel tree's own git and make
# calls: "make BASE=x" travels in MAKEFLAGS and overrides variables of the kernel's Makefiles.
while read -r lib_var; do
	unset "$lib_var"
done < <(git rev-parse --local-env-vars 2>/dev/null || true)
unset lib_var CDPATH MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL GNUMAKEFLAGS

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BASE=${BASE:-7.3}
PATCHES=$TOP/patches/$BASE
MANIFEST=$PATCHES/manifest
BUILD=$(realpath -m "${BUILD:-$TOP/build}")
WORK=$BUILD/$BASE
SOURCE=$WORK/source
RECORD=$SOURCE/record
# TREE is never taken from the environment: for "make apply" it is the user's tree.
TREE=$WORK/linux
STAMP=$WORK/tree.stamp
# Which kernel: nothing is the ordinary one, "debug" the one with vm/config/debug.config, too.
# Whatever is built for one of them is kept apart.
KERNEL=${KERNEL:-}
OBJ=$WORK/obj${KERNEL:+-$KERNEL}
LOGS=$BUILD/logs
JOBS=${JOBS:-$(nproc)}

AUTHOR_NAME="bpf-destructive project"
AUTHOR_EMAIL=bpf-destructive@localhost

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 3
}

usage_error() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	printf 'Try: %s --help\n' "$0" >&2
	exit 2
}

# The comment at the top of the calling script is its help text.
usage() {
	sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
}

[[ $JOBS =~ ^[1-9][0-9]*$ ]] || usage_error "JOBS=$JOBS: a number of jobs is needed"

# A directory of the calling script, which has "trap remove_scratch EXIT". A child that is killed before
# bash has reset its traps would run this, too.
SCRATCH=
remove_scratch() {
	[ "$BASHPID" = "$$" ] || return 0
	[ -z "$SCRATCH" ] || rm -rf "$SCRATCH"
}

note() {
	printf 'note: %s\n' "$*"
}

# The first word after "key:" in a file of "key: value" lines; field_line has the whole value.
field_line() {
	[ -f "$2" ] || return 0
	sed -n "s/^$1:[[:space:]]*//p" "$2" | head -n 1
}

field() {
	local value
	value=$(field_line "$1" "$2")
	printf '%s\n' "${value%%[[:space:]]*}"
}

is_sha256() {
	[[ $1 =~ ^[0-9a-f]{64}$ ]]
}

sha256_of() {
	sha256sum <"$1" | cut -d ' ' -f 1
}

need_manifest() {
	[ -f "$MANIFEST" ] && return
	die "there is no base $BASE: $MANIFEST is missing (bases: $(list_bases))"
}

list_bases() {
	local file
	for file in "$TOP"/patches/*/manifest; do
		[ -f "$file" ] && basename "$(dirname "$file")"
	done | paste -sd ' ' || true
}

# Is version $1 a release of $BASE (7.3 or 7.3.N)? Release candidates and -next are not.
is_release_of_base() {
	[[ $1 == "$BASE" ]] && return
	[[ $1 == "$BASE".* && ${1#"$BASE".} =~ ^[0-9]+$ ]]
}

# A patch file of the series; 0000-* is the cover letter.
list_patches() {
	local file
	for file in "$PATCHES"/[0-9]*.patch; do
		[ -f "$file" ] || continue
		[[ ${file##*/} == 0000-* ]] || printf '%s\n' "$file"
	done
}

# One hash over names and contents of the patches.
patches_hash() {
	local patch
	list_patches | while read -r patch; do
		printf '%s %s\n' "$(sha256_of "$patch")" "${patch##*/}"
	done | sha256sum | cut -d ' ' -f 1
}

need_space() {
	local want=$1 dir=$BUILD have
	while [ ! -d "$dir" ]; do
		dir=$(dirname "$dir")
	done
	have=$(df -PBG "$dir" | awk 'NR == 2 { print $4 + 0 }')
	[ "$have" -ge "$want" ] ||
		die "$want GiB of free space are needed in $BUILD, there are $have GiB"
}

# One writer at a time per base. The lock goes away with the process.
lock_work() {
	mkdir -p "$WORK"
	exec 9>"$WORK/.lock"
	flock -n 9 || die "another run is working in $WORK (lock $WORK/.lock)"
}

# Whoever builds in $WORK or runs what is there, for as long as that takes. "make clean" waits for nobody,
# and takes nothing away from anybody.
hold_work() {
	mkdir -p "$WORK"
	exec 7>"$WORK/.in-use"
	flock -n -s 7 || die "$WORK is being removed"
}

# guest_commands NAME...: what mkinitramfs is told to put commands of this machine into the guest's /bin.
guest_commands() {
	local name file
	for name; do
		file=$(type -P "$name") || {
			echo "$name is not there; scripts/tools --install gets it"
			exit 1
		}
		echo "$file:bin/$name"
	done
}

# git on a tree of ours: the user's settings (signing, whitespace, hooks) must not change
# what we make.
own_git() {
	GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null git -c core.hooksPath=/dev/null "$@"
}

# ---- the state of the tree --------------------------------------------------------------

# What $TREE was made from, and the commit that came out.
write_stamp() {
	printf 'record: %s\npatches: %s\ntip: %s\n' "$(sha256_of "$RECORD")" \
		"$(patches_hash)" "$(own_git -C "$TREE" rev-parse refs/heads/series)" >"$STAMP.new"
	mv "$STAMP.new" "$STAMP"
}

# What somebody did in the tree that would be lost, as one line; nothing when it is as we left it.
foreign_work() {
	local head tip
	[ -d "$TREE" ] || return 0
	tip=$(own_git -C "$TREE" rev-parse -q --verify refs/heads/series) || {
		echo "it has no branch \"series\""
		return
	}
	head=$(own_git -C "$TREE" symbolic-ref -q --short HEAD || echo "a detached HEAD")
	if [ "$head" != series ]; then
		echo "it is on $head, not on branch \"series\""
	elif [ -n "$(own_git -C "$TREE" status --porcelain --untracked-files=no)" ]; then
		echo "it has uncommitted changes"
	elif [ "$tip" != "$(field tip "$STAMP")" ]; then
		echo "its branch \"series\" has commits that were not made from the patches"
	fi
}

# ---- applying patches without a work tree -----------------------------------------------

# Apply patch $2 to the scratch index $3 of repository $1. Says nothing on success; output of
# git goes to file $4.
apply_to_index() {
	GIT_INDEX_FILE=$3 own_git -C "$1" apply --cached --verbose --whitespace=nowarn "$2" \
		>"$4" 2>&1
}

# The first file that "git apply" complained about in log $1.
failing_file() {
	sed -n -E \
		-e 's/^error: patch failed: (.*):[0-9]+$/\1/p' \
		-e 's/^error: (.*): (patch does not apply|does not exist|already exists|wrong type|No such file).*/\1/p' \
		"$1" | head -n 1
}

# Does the series apply to commit $2 of repository $1? Nothing but a scratch index is written.
# On failure the message is left in APPLY_ERROR.
APPLY_ERROR=
try_series() {
	local repo=$1 commit=$2 dir patch
	shift 2
	dir=$(mktemp -d)
	if ! GIT_INDEX_FILE=$dir/index own_git -C "$repo" read-tree "$commit" 2>"$dir/log"; then
		APPLY_ERROR="cannot read $commit: $(cat "$dir/log")"
		rm -rf "$dir"
		return 1
	fi
	for patch in "$@"; do
		apply_to_index "$repo" "$patch" "$dir/index" "$dir/log" && continue
		APPLY_ERROR=$(printf '%s does not apply, first at file %s\n' \
			"${patch##*/}" "$(failing_file "$dir/log")"
			grep '^error:' "$dir/log" | sed 's/^/    /' | head -n 10)
		rm -rf "$dir"
		return 1
	done
	rm -rf "$dir"
}

# ---- what is built already ----------------------------------------------------------------

# build_key FILE...: one hash over the kernel tree and the files that a build depends on, or
# nothing while somebody works in the tree.
build_key() {
	[ -z "$(own_git -C "$TREE" status --porcelain --untracked-files=no)" ] || return 0
	{
		own_git -C "$TREE" rev-parse 'HEAD^{tree}'
		cat "$@"
		gcc --version
		"$CLANG" --version 2>&1 || true
	} | sha256sum | cut -d ' ' -f 1
}

# is_built STAMP KEY
is_built() {
	[ -n "$2" ] && [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

# ---- the kernel --------------------------------------------------------------------------

# kernel_make TREE MAKE-ARGUMENT...: the kernel of TREE in $OBJ. ccache finds objects again in another
# clone: no absolute paths in the hash. With a time given, the kernel's build does without the threads
# of an old pahole, which make another BTF each time.
kernel_make() {
	local tree=$1 cc=gcc
	shift
	command -v ccache >/dev/null && cc="ccache gcc"
	CCACHE_BASEDIR=$WORK CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=time_macros \
		KBUILD_BUILD_TIMESTAMP="Thu Jan  1 00:00:00 UTC 1970" \
		make -C "$tree" O="$OBJ" -j"$JOBS" CC="$cc" "$@"
}

# kernel_build TREE: vmlinux, the boot image of whatever architecture this is, and modules; a step. When
# the tree changes while it is built, an object can be made of two states of a header, here or in
# ccache. Types are twice in the BTF then, modules do not load and programs are refused.
kernel_build() {
	kernel_make "$1" all
	grep -q 'multiple IDs found' "$STEP_LOG" || return 0
	# or a rerun would have nothing to link, and nothing to say
	rm -f "$OBJ/vmlinux" "$OBJ/vmlinux.unstripped"
	sed -n "s/.*multiple IDs found for/twice in the kernel's BTF:/p" "$STEP_LOG" | head -n 5 >&2
	die "remove $OBJ, empty ccache (ccache -C) and build again"
}

# $OBJ/.config.new becomes the configuration. An unchanged file keeps its time, or everything would
# be built again.
use_new_config() {
	cmp -s "$OBJ/.config.new" "$OBJ/.config" || cp "$OBJ/.config.new" "$OBJ/.config"
}

# ---- the kernel's BPF selftests -----------------------------------------------------------

CLANG=${CLANG:-clang-22}
LLVM=${CLANG#clang}
SELFTESTS=$WORK/selftests${KERNEL:+-$KERNEL}

# selftests_make TREE OUT MAKE-ARGUMENT...: the selftests of TREE against the kernel in $OBJ. What
# this machine or configuration cannot build is left out, and missed where it is needed.
selftests_make() {
	local tree=$1 out=$2
	shift 2
	mkdir -p "$out"
	make -C "$tree/tools/testing/selftests/bpf" -j"$JOBS" \
		OUTPUT="$out" O="$OBJ" KBUILD_OUTPUT="$OBJ" VMLINUX_BTF="$OBJ/vmlinux" \
		CLANG="$CLANG" LLC="llc$LLVM" LLVM_STRIP="llvm-strip$LLVM" \
		LLVM_CONFIG="llvm-config$LLVM" \
		BPF_STRICT_BUILD=0 SKIP_DOCS=1 SKIP_LLVM=1 SKIP_LIBBFD=1 "$@"
}

# ---- steps with progress ----------------------------------------------------------------

log_lines() {
	wc -l <"$1" 2>/dev/null || echo 0
}

# Runs beside a step until it is killed. The shell of the step runs in the foreground, so that
# an interrupt reaches it; this one looks whether its parent is still there.
step_ticker() {
	local log=$1 start=$SECONDS every=30
	[ -t 1 ] && every=1
	while sleep "$every" >/dev/null 2>&1 & wait $! && kill -0 $$ 2>/dev/null; do
		if [ -t 1 ]; then
			printf '\r    %d s, %d lines\033[K' $((SECONDS - start)) "$(log_lines "$log")"
		else
			printf '    ... %d s, %d lines\n' $((SECONDS - start)) "$(log_lines "$log")"
		fi
	done
}

# step NAME COMMAND...: run it with its output in a log file, exit 3 when it fails. Do not call
# it in "if" or "||": bash would ignore "set -e" inside a COMMAND that is a function. The log is
# $STEP_LOG for it.
step() {
	local name=$1 slug log rc start=$SECONDS ticker
	shift
	slug=${name//[^A-Za-z0-9.]/-}
	log=$LOGS/$BASE-$slug.log
	STEP_LOG=$log
	mkdir -p "$LOGS"
	: >"$log"
	printf '==> %s\n' "$name"
	step_ticker "$log" 9>&- &
	ticker=$!
	set +e
	(
		set -e
		"$@"
	) >"$log" 2>&1 </dev/null
	rc=$?
	kill "$ticker" 2>/dev/null
	wait "$ticker" 2>/dev/null
	set -e
	if [ -t 1 ]; then
		printf '\r\033[K'
	fi
	if [ "$rc" -eq 0 ]; then
		printf '    %s: %d s\n' "$name" $((SECONDS - start))
		return
	fi
	{
		printf '    %s: failed after %d s with exit status %d\n' \
			"$name" $((SECONDS - start)) "$rc"
		tail -n 20 "$log" | sed 's/^/    | /'
		printf '    whole log: %s\n' "$log"
	} >&2
	exit 3
}

# ---- TAP --------------------------------------------------------------------------------

TAP_PASSED=0
TAP_FAILED=0
TAP_SKIPPED=0

tap_number() {
	echo $((TAP_PASSED + TAP_FAILED + TAP_SKIPPED))
}

tap_ok() {
	TAP_PASSED=$((TAP_PASSED + 1))
	printf 'ok %d - %s\n' "$(tap_number)" "$1"
}

tap_not_ok() {
	TAP_FAILED=$((TAP_FAILED + 1))
	printf 'not ok %d - %s\n' "$(tap_number)" "$1"
}

# tap_skip NAME REASON
tap_skip() {
	TAP_SKIPPED=$((TAP_SKIPPED + 1))
	printf 'ok %d - %s # SKIP %s\n' "$(tap_number)" "$1" "$2"
}

# Text on standard input as TAP diagnostics.
tap_diag() {
	sed 's/^/# /'
}

# A run without any test is not a success.
tap_summary() {
	printf '1..%d\n' "$(tap_number)"
	printf '%d passed, %d failed, %d skipped\n' "$TAP_PASSED" "$TAP_FAILED" "$TAP_SKIPPED"
	[ "$TAP_FAILED" -eq 0 ] && [ "$(tap_number)" -gt 0 ]
}

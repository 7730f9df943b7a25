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
	[ -f "$MANIFEST" ] ||
		die "there is no base $BASE: $MANIFEST is missing (bases: $(list_bases))"
	read_series
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

# ---- the series -------------------------------------------------------------------------

# The names of the series in the order of the manifest, and what each of them needs.
ALL_SERIES=()
declare -A NEEDS=()

# What a tree takes as one series.
MOST_PATCHES=15

# "series: NAME" or "series: NAME needs NAME...", a line each; what a series needs stands before it.
read_series() {
	local name word needs need
	ALL_SERIES=()
	NEEDS=()
	while read -r name word needs; do
		[[ $name =~ ^[a-z][a-z0-9-]*$ ]] || die "$MANIFEST: \"$name\" is no name of a series"
		[[ $word == needs && -n $needs || -z $word ]] ||
			die "$MANIFEST: series: $name $word $needs: \"series: NAME needs NAME...\" is expected"
		[ -z "${NEEDS[$name]+known}" ] || die "$MANIFEST: series $name is there twice"
		for need in $needs; do
			[ -n "${NEEDS[$need]+known}" ] ||
				die "$MANIFEST: series $name needs $need, which is no series that stands before it"
		done
		ALL_SERIES+=("$name")
		NEEDS[$name]=$needs
	done < <(sed -n 's/^series:[[:space:]]*//p' "$MANIFEST")
	[ ${#ALL_SERIES[@]} -gt 0 ] || die "$MANIFEST names no series (\"series: NAME\")"
}

need_series() {
	local name
	for name; do
		[ -n "${NEEDS[$name]+known}" ] ||
			usage_error "there is no series $name for $BASE; there are: ${ALL_SERIES[*]}"
	done
}

# with_needs NAME...: these series and all that they need, in the order of the manifest.
with_needs() {
	local -A wanted=()
	local name need i
	for name; do
		wanted[$name]=1
	done
	for ((i = ${#ALL_SERIES[@]} - 1; i >= 0; i--)); do
		name=${ALL_SERIES[i]}
		[ -n "${wanted[$name]:-}" ] || continue
		for need in ${NEEDS[$name]}; do
			wanted[$need]=1
		done
	done
	for name in "${ALL_SERIES[@]}"; do
		[ -z "${wanted[$name]:-}" ] || printf '%s\n' "$name"
	done
}

# The patches of series NAME... in directory $1, in this order; 0000-* is the cover letter.
list_patches_in() {
	local dir=$1 name file
	shift
	for name; do
		for file in "$dir/$name"/[0-9]*.patch; do
			[ -f "$file" ] || continue
			[[ ${file##*/} == 0000-* ]] || printf '%s\n' "$file"
		done
	done
}

list_patches() {
	list_patches_in "$PATCHES" "$@"
}

# One hash over the manifest's lines of the series, and names and contents of the patches.
patches_hash() {
	local patch
	{
		sed -n '/^series:/p' "$MANIFEST"
		list_patches "${ALL_SERIES[@]}" | while read -r patch; do
			printf '%s %s\n' "$(sha256_of "$patch")" "${patch#"$PATCHES"/}"
		done
	} | sha256sum | cut -d ' ' -f 1
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
# what we make. Whose a tree of the user's is, has been looked at before.
own_git() {
	GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null \
		git -c core.hooksPath=/dev/null -c safe.directory='*' "$@"
}

# ---- the state of the tree --------------------------------------------------------------

# The commit of each series on what it needs: refs/stacks/NAME of the tree.
stacks_hash() {
	own_git -C "$TREE" for-each-ref --format='%(refname) %(objectname)' refs/stacks |
		sha256sum | cut -d ' ' -f 1
}

# What $TREE was made from, and the commits that came out.
write_stamp() {
	printf 'record: %s\npatches: %s\ntip: %s\nstacks: %s\n' "$(sha256_of "$RECORD")" \
		"$(patches_hash)" "$(own_git -C "$TREE" rev-parse refs/heads/series)" \
		"$(stacks_hash)" >"$STAMP.new"
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

# A repository in $SCRATCH that has the objects of another one: what is made in it leaves no trace there.
make_lab() {
	own_git init -q --bare "$SCRATCH/lab"
	lab_git config user.name "$AUTHOR_NAME"
	lab_git config user.email "$AUTHOR_EMAIL"
	(cd "$1" && realpath "$(own_git rev-parse --git-path objects)") \
		>"$SCRATCH/lab/objects/info/alternates"
}

lab_git() {
	own_git -C "$SCRATCH/lab" "$@"
}

# The first file that "git apply" complained about in log $1.
failing_file() {
	sed -n -E \
		-e 's/^error: patch failed: (.*):[0-9]+$/\1/p' \
		-e 's/^error: (.*): (patch does not apply|does not exist|already exists|does not match index|wrong type|No such file).*/\1/p' \
		"$1" | head -n 1
}

# A patch's name with that of its series.
patch_name() {
	printf '%s/%s\n' "$(basename "$(dirname "$1")")" "${1##*/}"
}

# try_patches TREE-ISH PATCH...: do the patches apply, in the lab? The tree that they give is left in
# TRIED, or the message in APPLY_ERROR; the patches that apply at other lines only are in OFFSETS. The subshells
# are for the callers' traps: what a trap says while a function is redirected goes into the log.
TRIED=
APPLY_ERROR=
OFFSETS=
try_patches() {
	local index=$SCRATCH/try.index log=$SCRATCH/try.log patch found
	rm -f "$index"
	OFFSETS=
	if ! (GIT_INDEX_FILE=$index lab_git read-tree "$1") 2>"$log"; then
		APPLY_ERROR="cannot read $1: $(cat "$log")"
		return 1
	fi
	shift
	for patch; do
		if (GIT_INDEX_FILE=$index lab_git apply --cached --verbose --whitespace=nowarn "$patch") \
			>"$log" 2>&1; then
			# git apply knows no fuzz; an offset means that the patch was made on another source
			found=$(grep -E 'offset|fuzz' "$log" | sed "s|^|$(patch_name "$patch"): |" || true)
			OFFSETS+=${found:+$found$'\n'}
			continue
		fi
		APPLY_ERROR=$(printf '%s does not apply, first at file %s\n' \
			"$(patch_name "$patch")" "$(failing_file "$log")"
			grep '^error:' "$log" | sed 's/^/    /' | head -n 10)
		return 1
	done
	TRIED=$(GIT_INDEX_FILE=$index lab_git write-tree)
}

# How a series' place is called in a message.
place_of() {
	if [ -n "${NEEDS[$1]}" ]; then
		echo "what it needs ($(with_needs "$1" | grep -vx "$1" | paste -sd ' '))"
	else
		echo "the bare base"
	fi
}

# try_stacks TREE-ISH DIR NAME...: do the patches of these series in DIR apply on what each of them needs? The
# message is left in APPLY_ERROR. Stacks that begin alike are tried once.
declare -A TRIED_STACKS=()
try_stacks() {
	local base=$1 dir=$2 name part parts patches tree
	shift 2
	for name; do
		parts='' tree=$base
		for part in $(with_needs "$name"); do
			parts+=" $part"
			if [ -z "${TRIED_STACKS[$parts]:-}" ]; then
				mapfile -t patches < <(list_patches_in "$dir" "$part")
				try_patches "$tree" "${patches[@]}" || {
					APPLY_ERROR="series $name on $(place_of "$name"): $APPLY_ERROR"
					return 1
				}
				TRIED_STACKS[$parts]=$TRIED
			fi
			tree=${TRIED_STACKS[$parts]}
		done
	done
}

# am_on COMMIT PATCH...: the commit that git am makes of the patches is left in MADE. It is made in the lab, in
# a work tree that holds no files: git am writes just those that it needs.
MADE=
am_on() {
	local commit=$1 dir=$SCRATCH/am
	shift
	MADE=$commit
	[ $# -gt 0 ] || return 0
	lab_git worktree add -q --no-checkout --detach "$dir" "$commit"
	own_git -C "$dir" read-tree "$commit"
	own_git -C "$dir" am -q --no-3way --no-scissors --whitespace=nowarn \
		--committer-date-is-author-date "$@"
	MADE=$(own_git -C "$dir" rev-parse HEAD)
	rm -rf "$dir"
	lab_git worktree prune
}

# make_stacks COMMIT DIR: refs/stacks/NAME of the lab, from the patches in DIR: each series on what it needs, and
# on nothing else.
make_stacks() {
	local base=$1 dir=$2 name part parts patches commit
	local -A known=()
	for name in "${ALL_SERIES[@]}"; do
		parts='' commit=$base
		for part in $(with_needs "$name"); do
			parts+=" $part"
			if [ -z "${known[$parts]:-}" ]; then
				mapfile -t patches < <(list_patches_in "$dir" "$part")
				am_on "$commit" "${patches[@]}"
				known[$parts]=$MADE
			fi
			commit=${known[$parts]}
		done
		lab_git update-ref "refs/stacks/$name" "$commit"
	done
}

# Where series NAME begins in refs/stacks/NAME of a repository: stack_start REPOSITORY NAME NUMBER-OF-PATCHES
stack_start() {
	own_git -C "$1" rev-parse "refs/stacks/$2~$3"
}

# Take refs/stacks/* of the lab over into a tree of ours.
fetch_stacks() {
	own_git -C "$1" fetch -q --no-tags --no-write-fetch-head --prune "$SCRATCH/lab" \
		'+refs/stacks/*:refs/stacks/*'
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

# checkout_to DIRECTORY REF: the files of a ref of $TREE, in place: those that are equal keep their time.
checkout_to() {
	local dir=$1
	mkdir -p "$dir"
	(
		export GIT_INDEX_FILE=$dir.index
		own_git --git-dir="$TREE/.git" --work-tree="$dir" read-tree --reset -u "$2"
		# Headers that the selftests' build makes in its source directory may be those of another ref.
		cd "$dir"
		own_git --git-dir="$TREE/.git" --work-tree="$dir" clean -q -d -f -x tools/testing/selftests/bpf
	)
}

# The configuration of a guest's kernel.
CONFIGS=("$TOP/vm/config/common.config" "$TOP/vm/config/$(uname -m).config")
[ -z "$KERNEL" ] || CONFIGS+=("$TOP/vm/config/$KERNEL.config")

# Kconfig drops what it does not know or what lacks a dependency, silently.
check_config() {
	local line missing=()

	while read -r line; do
		grep -qxF "$line" "$OBJ/.config.new" || missing+=("$line")
	done < <(grep -h '^CONFIG_' "${CONFIGS[@]}")
	[ ${#missing[@]} -eq 0 ] ||
		die "Kconfig of this kernel did not take: ${missing[*]}"
}

# guest_config TREE: a step.
guest_config() {
	mkdir -p "$OBJ"
	kernel_make "$1" KCONFIG_CONFIG="$OBJ/.config.new" tinyconfig
	(cd "$1" && KCONFIG_CONFIG="$OBJ/.config.new" \
		scripts/kconfig/merge_config.sh -O "$OBJ" -m "$OBJ/.config.new" "${CONFIGS[@]}")
	kernel_make "$1" KCONFIG_CONFIG="$OBJ/.config.new" olddefconfig
	check_config
	use_new_config
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

# pack_test_progs TREE OUT ARCHIVE [-i INIT]: test_progs of OUT, with what its tests call.
pack_test_progs() {
	local tree=$1 out=$2 archive=$3 commands
	shift 3
	# The test of signed loaders makes its own key.
	commands=$(guest_commands bash openssl keyctl)
	mapfile -t commands <<<"$commands"
	mkdir -p "$out/stripped"
	"llvm-strip$LLVM" -o "$out/stripped/test_progs" "$out/test_progs"
	"$TOP/vm/mkinitramfs" "$archive" "$@" \
		"$out/stripped/test_progs:bin/test_progs" "$out/bpf_testmod.ko:bin/bpf_testmod.ko" \
		"$out/sign-file:bin/sign-file" \
		"$tree/tools/testing/selftests/bpf/verify_sig_setup.sh:bin/verify_sig_setup.sh" "${commands[@]}"
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

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

# The first word after "key:" in a file of "key: value" lines; field_line has the whole value. Every script asks for
# many: no process for each.
field_line() {
	local line
	[ -f "$2" ] || return 0
	while IFS= read -r line || [ -n "$line" ]; do
		[[ $line == "$1":* ]] || continue
		line=${line#"$1":}
		printf '%s\n' "${line#"${line%%[![:space:]]*}"}"
		return
	done <"$2"
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

# ---- which kernel: architecture and flavour --------------------------------------------------

# The architectures that have a record.
list_arches() {
	local record
	for record in "$TOP"/vm/arch/*; do
		echo "${record##*/}"
	done | paste -sd ' '
}

# The architecture that this machine is, by its record in vm/arch, or nothing.
host_arch() {
	local record
	record=$(grep -lx "machine: $(uname -m)" "$TOP"/vm/arch/*) || return 0
	echo "${record##*/}"
}

# ARCH is an architecture of ours, not what the kernel's Makefile takes it for: nothing inherits it.
HOST_ARCH=$(host_arch)
ARCH=${ARCH:-$HOST_ARCH}
export -n ARCH
ARCH_RECORD=$TOP/vm/arch/$ARCH
[ -n "$ARCH" ] || usage_error "this machine is $(uname -m), of which there is no record; ARCH= takes: $(list_arches)"
[[ $ARCH =~ ^[a-z0-9_]+$ && -f $ARCH_RECORD ]] || usage_error "ARCH=$ARCH: choose from $(list_arches)"
# lacking FEATURE: why the architecture or the base lacks it, by their records; nothing if it is there
lacking() {
	sed -n "s/^lacks: $1 //p" "$ARCH_RECORD" "$MANIFEST"
}

MAKE_ARCH=$(field make-arch "$ARCH_RECORD")
SRCARCH=$(field srcarch "$ARCH_RECORD")
# Of a guest that is not what this machine is: the prefix of compiler and binutils, and its user space.
CROSS=
SYSROOT=
if [ "$ARCH" != "$HOST_ARCH" ]; then
	CROSS=$(field cross "$ARCH_RECORD")
	SYSROOT=$BUILD/sysroot-$ARCH
fi
# The compiler for programs of the guest. Its C library is that of the guest, which may be newer than the compiler's.
read -ra GUEST_CC <<<"${CROSS}gcc $(field_line cc-flags "$ARCH_RECORD")"
[ -z "$SYSROOT" ] || GUEST_CC+=(--sysroot="$SYSROOT" -L"$SYSROOT/usr/lib/$(field triplet "$ARCH_RECORD")")
# Nothing is the ordinary kernel, "debug" the one with vm/config/debug.config, too.
FLAVOUR=${FLAVOUR:-}
# Whatever is built for one of them is kept apart.
SUFFIX=${SYSROOT:+-$ARCH}${FLAVOUR:+-$FLAVOUR}
# How a step of a build is called.
KIND=${SYSROOT:+$ARCH }${FLAVOUR:+$FLAVOUR }
OBJ=$WORK/obj$SUFFIX

# The bases and their series.
# shellcheck source-path=SCRIPTDIR source=lib-series.sh
. "$TOP/scripts/lib-series.sh"

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

# guest_commands NAME...: what mkinitramfs is told to put commands into the guest's /bin.
guest_commands() {
	local name file
	for name; do
		if [ -n "$SYSROOT" ]; then
			file=$(cd "$SYSROOT" && find bin usr/bin sbin usr/sbin -name "$name" | head -n 1)
			file=${file:+$SYSROOT/$file}
		else
			file=$(type -P "$name" || true)
		fi
		[ -n "$file" ] || {
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

# ---- Debian --------------------------------------------------------------------------------

# The machine's own mirror, so that nothing has to be configured.
debian_mirror() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(CODENAME)|$(IDENTIFIER)' |
		awk -F '|' '$2 == "Debian" && $4 == "Packages" && $3 !~ /security|updates|backports/ && !seen++ { print $1 }'
}

# debian_root DIRECTORY ARCHITECTURE SUITE PACKAGES [OPTION...]: packages of Debian and what they depend on, in a
# directory; nothing of it runs here, and no root rights are needed. A step.
debian_root() {
	local dir=$1 mirror mode=unshare
	[ "$(id -u)" -ne 0 ] || mode=root
	mirror=$(debian_mirror)
	[ -n "$mirror" ] || {
		echo "apt is not configured with a Debian mirror, which $4 of $3 come from"
		exit 1
	}
	rm -rf "$dir.new" "$dir"
	mmdebstrap --variant=extract --mode=$mode --architectures="$2" --skip=check/qemu --include="$4" "${@:5}" \
		"$3" "$dir.new" "$mirror"
	echo "$2 $3 $4" >"$dir.new/made-of"
	mv "$dir.new" "$dir"
}

# has_debian_root DIRECTORY ARCHITECTURE SUITE PACKAGES
has_debian_root() {
	[ "$(cat "$1/made-of" 2>/dev/null)" = "$2 $3 $4" ]
}

# ---- what is built already ----------------------------------------------------------------

# build_key FILE...: one hash over the kernel tree and the files that a build depends on, or
# nothing while somebody works in the tree.
build_key() {
	[ -z "$(own_git -C "$TREE" status --porcelain --untracked-files=no)" ] || return 0
	{
		own_git -C "$TREE" rev-parse 'HEAD^{tree}'
		cat "$@"
		"${CROSS}gcc" --version
		"$CLANG" --version 2>&1 || true
	} | sha256sum | cut -d ' ' -f 1
}

# is_built STAMP KEY
is_built() {
	[ -n "$2" ] && [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

# ---- the kernel --------------------------------------------------------------------------

# kernel_make TREE MAKE-ARGUMENT...: the kernel of TREE in $OBJ. ccache finds objects again in another
# clone: no absolute paths in the hash. It takes the dependencies that the compiler writes: to preprocess each file
# for the hash takes a fifth of a first build. With a time given, the kernel's build does without the threads
# of an old pahole, which make another BTF each time.
kernel_make() {
	local tree=$1 cc=${CROSS}gcc
	shift
	! command -v ccache >/dev/null || cc="ccache $cc"
	CCACHE_BASEDIR=$WORK CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=time_macros CCACHE_DEPEND=1 \
		KBUILD_BUILD_TIMESTAMP="Thu Jan  1 00:00:00 UTC 1970" \
		make -C "$tree" O="$OBJ" -j"$JOBS" ARCH="$MAKE_ARCH" CROSS_COMPILE="$CROSS" CC="$cc" "$@"
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
CONFIGS=("$TOP/vm/config/common.config")
[ ! -f "$TOP/vm/config/$BASE.config" ] || CONFIGS+=("$TOP/vm/config/$BASE.config")
CONFIGS+=("$TOP/vm/config/$ARCH.config")
[ -z "$FLAVOUR" ] || CONFIGS+=("$TOP/vm/config/$FLAVOUR.config")

# The last word on each option: a fragment can take back what one before it has asked for.
wanted_options() {
	cat "${CONFIGS[@]}" | awk '
		match($0, /^# CONFIG_[A-Z0-9_]+ is not set$/) { delete want[$2]; next }
		/^CONFIG_/ { split($0, part, "="); want[part[1]] = $0 }
		END { for (name in want) print want[name] }' | sort
}

# Kconfig drops what it does not know or what lacks a dependency, silently.
check_config() {
	local line missing=()

	while read -r line; do
		grep -qxF "$line" "$OBJ/.config.new" || missing+=("$line")
	done < <(wanted_options)
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
SELFTESTS=$WORK/selftests$SUFFIX
# bpftool as it runs here, whatever the guest is.
BPFTOOL=$SELFTESTS/${SYSROOT:+host-}tools/sbin/bpftool

# selftests_make TREE OUT MAKE-ARGUMENT...: the selftests of TREE against the kernel in $OBJ. What
# this machine or configuration cannot build is left out, and missed where it is needed.
selftests_make() {
	local tree=$1 out=$2 cross=()
	shift 2
	mkdir -p "$out"
	# what runs here meanwhile is built with HOSTCC
	[ -z "$SYSROOT" ] || cross=(
		CROSS_COMPILE="$CROSS" CC="${GUEST_CC[*]}"
		CLANG_TARGET_ARCH="--target=${CROSS%-} --sysroot=$SYSROOT $(clang_gcc_flags)"
	)
	make -C "$tree/tools/testing/selftests/bpf" -j"$JOBS" ARCH="$SRCARCH" "${cross[@]}" \
		OUTPUT="$out" O="$OBJ" KBUILD_OUTPUT="$OBJ" VMLINUX_BTF="$OBJ/vmlinux" \
		CLANG="$CLANG" LLC="llc$LLVM" LLVM_STRIP="llvm-strip$LLVM" \
		LLVM_CONFIG="llvm-config$LLVM" \
		BPF_STRICT_BUILD=0 SKIP_DOCS=1 SKIP_LLVM=1 SKIP_LIBBFD=1 "$@"
}

# And where clang finds what belongs to the compiler, for the few programs of the selftests that it links.
clang_gcc_flags() {
	local libgcc
	libgcc=$("${CROSS}gcc" -print-libgcc-file-name)
	echo "--gcc-install-dir=$(dirname "$libgcc") -L/usr/${CROSS%-}/lib"
}

# pack_test_progs TREE OUT ARCHIVE [-i INIT]: test_progs of OUT, with what its tests call.
pack_test_progs() {
	local tree=$1 out=$2 archive=$3 commands object objects=()
	shift 3
	# What the tests load with bpftool; a cut may be without.
	for object in destructive_tools test_signed_loader; do
		[ ! -f "$out/$object.bpf.o" ] || objects+=("$out/$object.bpf.o:bin/$object.bpf.o")
	done
	# The test of signed loaders makes its own key.
	commands=$(guest_commands bash openssl keyctl)
	mapfile -t commands <<<"$commands"
	mkdir -p "$out/stripped"
	"llvm-strip$LLVM" -o "$out/stripped/test_progs" "$out/test_progs"
	"$TOP/vm/mkinitramfs" ${SYSROOT:+-r "$SYSROOT"} "$archive" "$@" \
		"$out/stripped/test_progs:bin/test_progs" "$out/bpf_testmod.ko:bin/bpf_testmod.ko" \
		"$out/sign-file:bin/sign-file" "$out/tools/sbin/bpftool:bin/bpftool" "${objects[@]}" \
		"$tree/tools/testing/selftests/bpf/verify_sig_setup.sh:bin/verify_sig_setup.sh" "${commands[@]}"
}

# ---- steps with progress ----------------------------------------------------------------

# record_time NAME SECONDS: for whoever asks where the time of a run goes.
record_time() {
	mkdir -p "$LOGS"
	printf '%d\t%s\t%s\t%s\n' "$EPOCHSECONDS" "$BASE$SUFFIX" "$1" "$2" >>"$LOGS/times.tsv"
}

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
	# It may live a little longer than this shell, whose locks are 7, 8 and 9.
	step_ticker "$log" 7>&- 8>&- 9>&- &
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
		record_time "$name" $((SECONDS - start))
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

# vmtest MODULE ARGUMENT...: a program of the runner, for the same base and architecture
vmtest() {
	BASE=$BASE ARCH=$ARCH BUILD=$BUILD PYTHONPATH=$TOP python3 -B -m "vmtest.$1" "${@:2}"
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

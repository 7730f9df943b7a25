# shellcheck shell=bash
# How programs of the guest are compiled; sourced behind lib.sh. $GUEST of the caller is where they go.
# shellcheck disable=SC2154 # variables of lib.sh

LIBBPF=$SELFTESTS/tools/build/libbpf/libbpf.a
# for the sources of a program: NAME.c and NAME-*.c are NAME?(-*).c
shopt -s extglob

# guest_cc ARGUMENT...: the compiler, for programs of the guest
guest_cc() {
	"${GUEST_CC[@]}" -O2 -Wall -Wextra -Werror "$@"
}

# The same, for programs that use libbpf. linux/types.h of the tools has less than that of an architecture.
guest_bpf_cc() {
	guest_cc -include asm/types.h -I"$SELFTESTS/tools/include" -I"$TREE/tools/include/uapi" "$@"
}

# bpf_cc ARGUMENT...: the compiler of BPF programs, called as README.md says, with errors for warnings
bpf_cc() {
	# -fms-extensions and what it warns of: vmlinux.h of a kernel that uses them
	"$CLANG" -O2 -g --target="$(field bpf-target "$ARCH_RECORD")" -D__TARGET_ARCH_"$SRCARCH" -fms-extensions -Wno-microsoft-anon-tag \
		-Wall -Werror -Wno-missing-declarations -I"$SELFTESTS/tools/include" "$@"
}

# build_program NAME DIR [ARGUMENT...]: DIR/NAME.bpf.c, and DIR/NAME.c and DIR/NAME-*.c, to $GUEST/NAME
build_program() {
	local name=$1 dir=$2 statfs
	shift 2

	statfs=$(field statfs "$ARCH_RECORD")
	statfs=${statfs:-statfs}
	bpf_cc -mcpu=v3 -DCONSOLE_WRITE="\"$(field console-write "$ARCH_RECORD")\"" \
		-DSTATFS="\"$statfs\"" -DSYS_STATFS="\"$(field syscalls "$ARCH_RECORD")$statfs\"" \
		-I"$dir" -I"$TOP/vm/guest" -c "$dir/$name.bpf.c" -o "$GUEST/$name.bpf.o"
	"$BPFTOOL" gen skeleton "$GUEST/$name.bpf.o" name "$name" >"$GUEST/$name.skel.h"
	guest_bpf_cc -I"$GUEST" -I"$dir" -I"$TOP/vm/guest" -o "$GUEST/$name" "$@" "$dir/$name"?(-*).c \
		"$LIBBPF" -lelf -lz -lpthread
}

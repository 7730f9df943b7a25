// SPDX-License-Identifier: GPL-2.0
/*
 * A program that has no maps carries its own signature, and calls a destructive
 * kfunc of vmlinux. The signature covers the instructions, and stands in neither
 * for BPF_F_DESTRUCTIVE nor for CAP_SYS_BOOT. Nothing is attached.
 *
 * Runs in the directory of verify_sig_setup.sh and sign-file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include "gate.h"

/* It takes no map, which would have to be signed by a loader program. */
#define KFUNC "crash_kexec"
#define DIR "/tmp/signed"

static struct bpf_insn insns[] = {
	/* the registers, which sys_enter has */
	{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_1 },
	{ .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
	{ .code = BPF_JMP | BPF_EXIT },
};
static char log_buf[64 * 1024];
static unsigned char sig[8192];
static size_t sig_size;
static unsigned int sys_enter;

static void sign(void)
{
	FILE *file;

	/* possess the session's keyring, in which the key is going to be */
	syscall(SYS_request_key, "keyring", "_uid.0", NULL, KEY_SPEC_SESSION_KEYRING);
	if (system("mkdir -p " DIR " && ./verify_sig_setup.sh setup " DIR " >/dev/null"))
		die("no key");
	file = fopen(DIR "/prog", "w");
	if (!file || fwrite(insns, sizeof(insns), 1, file) != 1 || fclose(file))
		die(DIR "/prog: %s", strerror(errno));
	if (system("./sign-file -d sha256 " DIR "/signing_key.pem " DIR "/signing_key.pem " DIR "/prog"))
		die("no signature");
	file = fopen(DIR "/prog.p7s", "r");
	sig_size = file ? fread(sig, 1, sizeof(sig), file) : 0;
	if (!sig_size)
		die(DIR "/prog.p7s: %s", strerror(errno));
	fclose(file);
}

static int load(unsigned int flags)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_RAW_TP,
		.attach_btf_id = sys_enter,
		.insns = (unsigned long)insns,
		.insn_cnt = ARRAY_SIZE(insns),
		.license = (unsigned long)"GPL",
		.prog_flags = flags,
		.log_buf = (unsigned long)log_buf,
		.log_size = sizeof(log_buf),
		.log_level = 1,
		.signature = (unsigned long)sig,
		.signature_size = sig_size,
		.keyring_id = KEY_SPEC_SESSION_KEYRING,
	};
	int fd;

	log_buf[0] = '\0';
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void expect(const char *what, unsigned int flags, int want, const char *msg)
{
	int err = load(flags);

	if (err != want || !strstr(log_buf, msg))
		die("%s: %d (%s) instead of %d, log:\n%s", what, err, strerror(-err), want, log_buf);
	printf("signed: %s: %d\n", what, err);
}

int main(void)
{
	struct btf *btf = btf__load_vmlinux_btf();

	read_caps();
	sys_enter = find_type(btf, "btf_trace_sys_enter", BTF_KIND_TYPEDEF);
	insns[1].imm = find_type(btf, KFUNC, BTF_KIND_FUNC);
	if (!insns[1].imm)
		die("the kernel has no " KFUNC "()");
	sign();

	expect("with the flag", BPF_F_DESTRUCTIVE, 0, "");
	expect("without the flag", 0, -EACCES,
	       "destructive kfunc " KFUNC " requires the BPF_F_DESTRUCTIVE load flag");
	set_caps(permitted & ~BIT(CAP_SYS_BOOT));
	expect("with the flag, without CAP_SYS_BOOT", BPF_F_DESTRUCTIVE, -EPERM,
	       "BPF_F_DESTRUCTIVE requires CAP_SYS_BOOT in the initial user namespace");
	set_caps(permitted);
	insns[2].imm = 1;
	expect("changed", BPF_F_DESTRUCTIVE, -EKEYREJECTED, "signature verification failed");
	puts("signed: passed");
	return 0;
}

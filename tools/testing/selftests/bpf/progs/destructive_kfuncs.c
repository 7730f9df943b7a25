// SPDX-License-Identifier: GPL-2.0
/* Who may call each destructive kfunc, and what the verifier asks of its arguments. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "bpf_misc.h"

char _license[] SEC("license") = "GPL";

/* Not there without CONFIG_CRASH_DUMP. */
extern int bpf_crash_kexec(void) __weak __ksym;

#define NEEDS_FLAG(kfunc) "destructive kfunc " #kfunc " requires the BPF_F_DESTRUCTIVE load flag"

/* Both hooks that the kfuncs are registered for, and LSM, which shares one of them. */
#define KFUNC_TESTS(kfunc, call)						\
	SEC("kprobe") __flag(BPF_F_DESTRUCTIVE) __success			\
	int kfunc##_kprobe(void *ctx) { call; return 0; }			\
	SEC("kprobe") __failure __msg(NEEDS_FLAG(kfunc))			\
	int kfunc##_kprobe_without_flag(void *ctx) { call; return 0; }		\
	SEC("fentry/bpf_fentry_test1") __flag(BPF_F_DESTRUCTIVE) __success	\
	int kfunc##_fentry(void *ctx) { call; return 0; }			\
	SEC("fentry/bpf_fentry_test1") __failure __msg(NEEDS_FLAG(kfunc))	\
	int kfunc##_fentry_without_flag(void *ctx) { call; return 0; }		\
	SEC("lsm/file_open") __failure __msg(NEEDS_FLAG(kfunc))			\
	int kfunc##_lsm_without_flag(void *ctx) { call; return 0; }

KFUNC_TESTS(bpf_vpanic, bpf_panic("%d", 42))
KFUNC_TESTS(bpf_vpr_emerg, bpf_pr_emerg("%d", 42))
KFUNC_TESTS(bpf_crash_kexec, bpf_crash_kexec())
KFUNC_TESTS(bpf_halt, bpf_halt())
KFUNC_TESTS(bpf_restart, bpf_restart())
KFUNC_TESTS(bpf_power_off, bpf_power_off())

SEC("xdp")
__failure __msg("calling kernel function bpf_vpanic is not allowed")
int vpanic_is_not_for_xdp(struct xdp_md *ctx)
{
	bpf_panic("no tracing program");
	return XDP_PASS;
}

char writable_fmt[] = "in a map that the program can change";

SEC("kprobe") __flag(BPF_F_DESTRUCTIVE)
__success
int panic_takes_twelve_values(void *ctx)
{
	bpf_panic("%d %d %d %d %d %d %d %d %d %d %d %d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
	return 0;
}

SEC("kprobe") __flag(BPF_F_DESTRUCTIVE)
__success
int pr_emerg_takes_twelve_values(void *ctx)
{
	return bpf_pr_emerg("%d %d %d %d %d %d %d %d %d %d %d %d",
			    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) > 0;
}

SEC("kprobe") __flag(BPF_F_DESTRUCTIVE)
__failure __msg("R1 does not point to a readonly map")
int panic_format_must_be_constant(void *ctx)
{
	bpf_vpanic(writable_fmt, NULL, 0);
	return 0;
}

SEC("kprobe") __flag(BPF_F_DESTRUCTIVE)
__failure __msg("R1 does not point to a readonly map")
int pr_emerg_format_must_be_constant(void *ctx)
{
	return bpf_vpr_emerg(writable_fmt, NULL, 0);
}

SEC("kprobe") __flag(BPF_F_DESTRUCTIVE)
__failure __msg("R1 doesn't point to a const string")
int panic_format_must_be_a_string(void *ctx)
{
	bpf_vpanic(ctx, NULL, 0);
	return 0;
}

SEC("kprobe") __flag(BPF_F_DESTRUCTIVE)
__failure __msg("invalid read from stack R2 off=-8 size=16")
int panic_values_must_be_there(void *ctx)
{
	__u64 one = 1;

	bpf_vpanic("%d %d", &one, 2 * sizeof(one));
	return 0;
}

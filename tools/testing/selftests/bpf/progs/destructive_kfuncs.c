// SPDX-License-Identifier: GPL-2.0
/* Who may call each destructive kfunc, and what the verifier asks of its arguments. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "bpf_misc.h"

char _license[] SEC("license") = "GPL";

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
KFUNC_TESTS(bpf_vcrash_kexec, bpf_crash_kexec("%d", 42))
KFUNC_TESTS(bpf_vpr_emerg, bpf_pr_emerg("%d", 42))
KFUNC_TESTS(bpf_vhalt, bpf_halt("%d", 42))
KFUNC_TESTS(bpf_vrestart, bpf_restart("%d", 42))
KFUNC_TESTS(bpf_vpower_off, bpf_power_off("%d", 42))

SEC("xdp")
__failure __msg("calling kernel function bpf_vpanic is not allowed")
int vpanic_is_not_for_xdp(struct xdp_md *ctx)
{
	bpf_panic("no tracing program");
	return XDP_PASS;
}

/* Each is for all destructive kfuncs, which have the same arguments. */
#define FORMAT_TEST(name, call, ...)					\
	SEC("kprobe") __flag(BPF_F_DESTRUCTIVE) __VA_ARGS__		\
	int name(void *ctx) { call; return 0; }

char writable_fmt[] = "in a map that the program can change";
int unknown;

FORMAT_TEST(message_without_values, bpf_panic("100%%\n"), __success)
FORMAT_TEST(message_of_twelve_values,
	    bpf_panic("%d %d %d %d %d %d %d %d %d %d %d %d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
	    __success)
FORMAT_TEST(thirteen_values,
	    __u64 values[13] = {}; bpf_vpanic("%d", values, sizeof(values)),
	    __failure __msg("More than 12 values for the format"))
FORMAT_TEST(more_values_than_conversions,
	    bpf_vpanic("%d", (__u64[]){ 1, 2 }, 2 * sizeof(__u64)), __success)
FORMAT_TEST(fewer_values_than_conversions,
	    bpf_vpanic("%d %d", (__u64[]){ 1 }, sizeof(__u64)),
	    __failure __msg("Invalid format string"))
FORMAT_TEST(unknown_conversion,
	    bpf_vpanic("%f", (__u64[]){ 1 }, sizeof(__u64)),
	    __failure __msg("Invalid format string"))
FORMAT_TEST(conversion_that_writes,
	    bpf_vpanic("%n", (__u64[]){ 1 }, sizeof(__u64)),
	    __failure __msg("Invalid format string"))
FORMAT_TEST(width_of_five_digits,
	    bpf_vpanic("%-99999d", (__u64[]){ 1 }, sizeof(__u64)), __success)
FORMAT_TEST(width_of_six_digits,
	    bpf_vpanic("%0100000d", (__u64[]){ 1 }, sizeof(__u64)),
	    __failure __msg("Invalid format string"))
FORMAT_TEST(lone_percent,
	    bpf_vpanic("lone %", (__u64[]){ 1 }, sizeof(__u64)),
	    __failure __msg("Invalid format string"))
FORMAT_TEST(control_character,
	    bpf_vpanic("\033[2J", NULL, 0),
	    __failure __msg("Invalid format string"))
FORMAT_TEST(half_a_value,
	    bpf_vpanic("%d", (__u64[]){ 1, 2 }, 12),
	    __failure __msg("Size of the values for the format is not a multiple of 8"))
FORMAT_TEST(unknown_size,
	    bpf_vpanic("no value", (__u64[]){ 1 }, unknown & sizeof(__u64)),
	    __failure __msg("R3 must be a known constant"))
FORMAT_TEST(values_that_are_not_there,
	    bpf_vpanic("%d %d", (__u64[]){ 1 }, 2 * sizeof(__u64)),
	    __failure __msg("invalid read from stack R2"))
FORMAT_TEST(format_in_a_writable_map,
	    bpf_vpanic(writable_fmt, NULL, 0),
	    __failure __msg("R1 does not point to a readonly map"))
FORMAT_TEST(format_that_is_no_string,
	    bpf_vpanic(ctx, NULL, 0),
	    __failure __msg("R1 doesn't point to a const string"))

struct lock {
	struct bpf_res_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct lock);
} locks SEC(".maps");

/* All of them can be called with a lock of the program held. */
SEC("kprobe") __flag(BPF_F_DESTRUCTIVE)
__success
int with_a_lock_held(void *ctx)
{
	int key = 0;
	struct lock *elem = bpf_map_lookup_elem(&locks, &key);

	if (!elem || bpf_res_spin_lock(&elem->lock))
		return 0;
	bpf_pr_emerg("%d", 42);
	bpf_crash_kexec("%d", 42);
	bpf_power_off("%d", 42);
	bpf_halt("%d", 42);
	bpf_restart("%d", 42);
	bpf_panic("%d", 42);
	bpf_res_spin_unlock(&elem->lock);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Pairs of programs: one that may be attached anywhere, and one that may not, because
 * of what it does.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} callees SEC(".maps");

/* A program that does @what and then tail calls. */
#define CALLER(section, name, arg, what)		\
SEC("?" section)				\
int name(arg)					\
{						\
	what;					\
	bpf_tail_call(ctx, &callees, 0);	\
	return 0;				\
}

CALLER("kprobe", kprobe_plain, bpf_user_pt_regs_t *ctx, (void)0)
CALLER("kprobe", kprobe_write, bpf_user_pt_regs_t *ctx, *(__u64 *)ctx = 0)

CALLER("raw_tp.w/task_newtask", tp_plain, __u64 *ctx, (void)0)
CALLER("raw_tp.w/task_newtask", tp_write, __u64 *ctx, *(__u64 *)ctx[0] = 0)

__u64 seen;

static __always_inline void read_key(__u64 *key)
{
	if (key)
		seen = *key;
}

static __always_inline void write_value(__u64 *value)
{
	if (value)
		*value = 0;
}

/* In struct bpf_iter__bpf_map_elem the third pointer is the key, and the fourth the value. */
CALLER("iter/bpf_map_elem", iter_plain, __u64 **ctx, (void)0)
CALLER("iter/bpf_map_elem", iter_read_key, __u64 **ctx, read_key(ctx[2]))
CALLER("iter/bpf_map_elem", iter_write_value, __u64 **ctx, write_value(ctx[3]))

CALLER("kprobe.session", session_plain, void *ctx, (void)0)
CALLER("kprobe.session", session_cookie, void *ctx, *bpf_session_cookie(ctx) = 0)

CALLER("fsession/bpf_fentry_test1", fsession_plain, void *ctx, (void)0)
CALLER("fsession/bpf_fentry_test1", fsession_cookie, void *ctx, *bpf_session_cookie(ctx) = 0)

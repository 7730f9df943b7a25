// SPDX-License-Identifier: GPL-2.0
/* Extensions, and the programs that they extend. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

/* Keeps the call of a function that does nothing, and what it is passed. */
static __always_inline void used(const void *arg)
{
	asm volatile ("" :: "r"(arg));
}

__noinline int struct_ops_func(struct bpf_dummy_ops_state *state)
{
	used(state);
	return 0;
}

SEC("?struct_ops/test_1")
int BPF_PROG(struct_ops_target, struct bpf_dummy_ops_state *state)
{
	return struct_ops_func(NULL);
}

SEC("?.struct_ops")
struct bpf_dummy_ops dummy_ops = {
	.test_1 = (void *)struct_ops_target,
};

/* A program, or an extension of one. */
#define PROG(section, name, arg, ret)		\
SEC("?" section)				\
int name(arg __arg_ctx)			\
{						\
	return ret;				\
}

SEC("?freplace")
int ext_struct_ops(struct bpf_dummy_ops_state *state)
{
	return 1;
}

struct limits_arg {
	__u64 first;
};

__noinline int tp_btf_func(struct bpf_raw_tracepoint_args *ctx __arg_ctx, struct limits_arg *arg)
{
	used(ctx);
	used(arg);
	return 0;
}

SEC("?tp_btf/task_newtask")
int tp_btf_target(struct bpf_raw_tracepoint_args *ctx)
{
	struct limits_arg arg = {};

	return tp_btf_func(ctx, &arg);
}

SEC("?freplace")
int ext_tp_btf(struct bpf_raw_tracepoint_args *ctx __arg_ctx, struct limits_arg *arg)
{
	return 0;
}

SEC("?freplace")
int ext_tp_btf_read(struct bpf_raw_tracepoint_args *ctx __arg_ctx, struct limits_arg *arg)
{
	return !!*(__u64 *)ctx;
}

PROG("kprobe", kprobe_plain, bpf_user_pt_regs_t *ctx, 0)
PROG("kprobe", kprobe_override, bpf_user_pt_regs_t *ctx, bpf_override_return((void *)ctx, 0))
PROG("freplace", ext_kprobe, bpf_user_pt_regs_t *ctx, 0)
PROG("freplace", ext_override, bpf_user_pt_regs_t *ctx, bpf_override_return((void *)ctx, 0))

#define WRITE_TP (*(__u64 *)ctx->args[0] = 0)

PROG("raw_tp.w/task_newtask", tp_plain, struct bpf_raw_tracepoint_args *ctx, 0)
PROG("raw_tp.w/task_newtask", tp_write, struct bpf_raw_tracepoint_args *ctx, WRITE_TP)
PROG("freplace", ext_tp_write, struct bpf_raw_tracepoint_args *ctx, WRITE_TP)

/* Structs without a name have the same one. */
typedef struct {
	__u64 first;
} small_t;

typedef struct {
	__u64 first, beyond;
} big_t;

/* Functions with arguments that an extension may take for something else. */
#define FUNC(name, arg)		\
__noinline int name(arg)	\
{				\
	used(ptr);		\
	return 0;		\
}

FUNC(arg_plain, small_t *ptr)
FUNC(arg_nonnull, small_t *ptr __arg_nonnull)
FUNC(arg_untrusted, struct task_struct *ptr __arg_untrusted)
FUNC(arg_trusted, struct task_struct *ptr __arg_trusted)

SEC("?tp_btf/task_newtask")
int BPF_PROG(args, struct task_struct *task)
{
	small_t arg = {};

	return arg_plain(&arg) + arg_nonnull(&arg) + arg_untrusted(task) + arg_trusted(task);
}

#define EXT(name, arg, ret)	\
SEC("?freplace")		\
int name(arg)			\
{				\
	return ret;		\
}

EXT(ext_plain, small_t *ptr, ptr ? ptr->first : 0)
EXT(ext_big, big_t *ptr, ptr ? ptr->beyond : 0)
EXT(ext_nonnull, small_t *ptr __arg_nonnull, ptr->first)
EXT(ext_task, struct task_struct *ptr, ptr ? ptr->pid : 0)
EXT(ext_untrusted, struct task_struct *ptr __arg_untrusted, ptr->pid)
EXT(ext_trusted, struct task_struct *ptr __arg_trusted, ptr->pid)

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} storage SEC(".maps"), other_storage SEC(".maps");

#define NO_STORAGE(map) (!bpf_get_local_storage(&(map), 0))

PROG("cgroup_skb/egress", cgroup_skb, struct __sk_buff *ctx, 0)
PROG("cgroup_skb/egress", cgroup_skb_storage, struct __sk_buff *ctx, NO_STORAGE(storage))
PROG("freplace", ext_skb, struct __sk_buff *ctx, 0)
PROG("freplace", ext_storage, struct __sk_buff *ctx, NO_STORAGE(storage))
PROG("freplace", ext_other_storage, struct __sk_buff *ctx, NO_STORAGE(other_storage))

PROG("cgroup_skb/egress", cgroup_skb_cb, struct __sk_buff *ctx, !ctx->cb[0])
PROG("socket", socket, struct __sk_buff *ctx, 0)
PROG("socket", socket_cb, struct __sk_buff *ctx, !ctx->cb[0])
PROG("lwt_xmit", lwt, struct __sk_buff *ctx, 0)
PROG("lwt_xmit", lwt_cb, struct __sk_buff *ctx, !ctx->cb[0])
PROG("tc", tc, struct __sk_buff *ctx, 0)
PROG("freplace", ext_cb, struct __sk_buff *ctx, !(ctx->cb[0] = 1))

PROG("syscall", syscall_plain, struct limits_arg *ctx, 0)
PROG("syscall", syscall_write, struct limits_arg *ctx, ctx->first = 0)
PROG("freplace", ext_syscall_write, struct limits_arg *ctx, ctx->first = 0)

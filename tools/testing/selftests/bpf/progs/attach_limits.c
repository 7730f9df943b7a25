// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that may not be attached everywhere, because of a helper that they
 * call or of how far they reach into their context, and plain ones that may.
 * prog_tests/attach_limits.c has them tail call and extend each other.
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

/* The first eight bytes behind a pointer, or of the registers of a kprobe. */
#define FIRST(ptr) (*(volatile __u64 *)(ptr))

SEC("?kprobe")
int kprobe_plain(bpf_user_pt_regs_t *ctx)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("?kprobe")
int kprobe_override(bpf_user_pt_regs_t *ctx)
{
	bpf_override_return(ctx, 0);
	return 0;
}

SEC("?freplace")
int ext_override(bpf_user_pt_regs_t *ctx)
{
	bpf_override_return(ctx, 0);
	return 0;
}

SEC("?freplace")
int ext_kprobe(bpf_user_pt_regs_t *ctx)
{
	return 0;
}

SEC("?kprobe")
int kprobe_write(bpf_user_pt_regs_t *ctx)
{
	FIRST(ctx) = 0;
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("?raw_tp.w/task_newtask")
int tp_plain(struct bpf_raw_tracepoint_args *ctx)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("?raw_tp.w/task_newtask")
int tp_write(struct bpf_raw_tracepoint_args *ctx)
{
	FIRST(ctx->args[0]) = 0;
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("?freplace")
int ext_tp_write(struct bpf_raw_tracepoint_args *ctx)
{
	FIRST(ctx->args[0]) = 0;
	return 0;
}

SEC("?iter/bpf_map_elem")
int iter_plain(struct bpf_iter__bpf_map_elem *ctx)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("?iter/bpf_map_elem")
int iter_read(struct bpf_iter__bpf_map_elem *ctx)
{
	void *key = ctx->key;

	if (key)
		(void)FIRST(key);
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("?iter/bpf_map_elem")
int iter_write(struct bpf_iter__bpf_map_elem *ctx)
{
	void *value = ctx->value;

	if (value)
		FIRST(value) = 0;
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

/*
 * A function of an iterator that has the name of one, and pointers for arguments
 * where the context of one has them.
 */
__noinline int bpf_iter_bpf_map_elem(struct bpf_iter__bpf_map_elem *ctx __arg_ctx,
				     struct bpf_iter__bpf_map_elem *map __arg_ctx,
				     struct bpf_iter__bpf_map_elem *key __arg_ctx,
				     struct bpf_iter__bpf_map_elem *value __arg_ctx)
{
	/* keep the call, and what it passes */
	asm volatile ("" :: "r"(ctx), "r"(map), "r"(key), "r"(value));
	return 0;
}

SEC("?iter/bpf_map_elem")
int iter_named(struct bpf_iter__bpf_map_elem *ctx)
{
	bpf_iter_bpf_map_elem(ctx, ctx, ctx, ctx);
	return 0;
}

SEC("?freplace")
int ext_iter(struct bpf_iter__bpf_map_elem *ctx __arg_ctx,
	     struct bpf_iter__bpf_map_elem *map __arg_ctx,
	     struct bpf_iter__bpf_map_elem *key __arg_ctx,
	     struct bpf_iter__bpf_map_elem *value __arg_ctx)
{
	void *buffer = ctx->value;

	if (buffer)
		FIRST(buffer) = 0;
	return 0;
}

/* What a syscall program takes for its context is its own affair, up to 65535 bytes. */
struct syscall_ctx {
	__u64 first;
	char room[65504];
	__u64 last;
};

SEC("?syscall")
int syscall_plain(struct syscall_ctx *ctx __arg_ctx)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

/* Returns one if there is nothing at the end of the context, and puts something there. */
static __always_inline int use_syscall_ctx(struct syscall_ctx *ctx)
{
	int ret = !ctx->last;

	ctx->first++;
	ctx->last = 1;
	return ret;
}

SEC("?syscall")
int syscall_write(struct syscall_ctx *ctx __arg_ctx)
{
	return use_syscall_ctx(ctx);
}

/* Only these neither use their context nor pass it on to another program. */
__noinline int unused_ctx(struct syscall_ctx *ctx __arg_ctx)
{
	int ret = 0;

	/* keep the call, and what it returns */
	asm volatile ("" : "+r"(ret) : "r"(ctx));
	return ret;
}

SEC("?syscall")
int syscall_none(struct syscall_ctx *ctx __arg_ctx)
{
	return unused_ctx(ctx);
}

static __noinline int pass_on(struct syscall_ctx *ctx)
{
	int ret = 0;

	bpf_tail_call(ctx, &callees, 0);
	/* for the compiler the call comes back */
	barrier_var(ret);
	return ret;
}

SEC("?syscall")
int syscall_subprog(struct syscall_ctx *ctx __arg_ctx)
{
	return pass_on(ctx);
}

__noinline int pass_on_global(struct syscall_ctx *ctx __arg_ctx)
{
	return pass_on(ctx);
}

SEC("?syscall")
int syscall_global(struct syscall_ctx *ctx __arg_ctx)
{
	return pass_on_global(ctx);
}

SEC("?freplace")
int ext_syscall_write(struct syscall_ctx *ctx __arg_ctx)
{
	return use_syscall_ctx(ctx);
}

/* reaches as far as ext_syscall_write */
SEC("?freplace")
int ext_syscall_helper(struct syscall_ctx *ctx __arg_ctx)
{
	return bpf_get_current_comm(&ctx->last, sizeof(ctx->last));
}

SEC("?freplace")
int ext_syscall_none(struct syscall_ctx *ctx __arg_ctx)
{
	return 1;
}

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} storage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} percpu_storage SEC(".maps");

SEC("?cgroup_skb/egress")
int skb_plain(struct __sk_buff *skb)
{
	return 0;
}

SEC("?cgroup_skb/egress")
int skb_storage(struct __sk_buff *skb)
{
	return !bpf_get_local_storage(&storage, 0);
}

SEC("?freplace")
int ext_skb(struct __sk_buff *skb)
{
	return 1;
}

/* Returns one if there is nothing in the storage, and puts something there. */
SEC("?freplace")
int ext_storage(struct __sk_buff *skb)
{
	__u64 *value = bpf_get_local_storage(&storage, 0);

	return !(*value)++;
}

SEC("?freplace")
int ext_percpu_storage(struct __sk_buff *skb)
{
	return !bpf_get_local_storage(&percpu_storage, 0);
}

SEC("?raw_tp/task_newtask")
int raw_tp_plain(struct bpf_raw_tracepoint_args *ctx)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

/* The first argument of a raw tracepoint, and one if there is nothing in the last one. */
__u64 args_seen;

static __always_inline int look_at_args(struct bpf_raw_tracepoint_args *ctx)
{
	args_seen = ctx->args[0] + !ctx->args[11];
	return 0;
}

SEC("?raw_tp/task_newtask")
int raw_tp_args(struct bpf_raw_tracepoint_args *ctx)
{
	return look_at_args(ctx);
}

SEC("?freplace")
int ext_raw_tp_args(struct bpf_raw_tracepoint_args *ctx)
{
	return look_at_args(ctx);
}

/* Functions with arguments that an extension may take for something else. */
struct limits_arg {
	__u64 first;
};

__noinline int arg_plain(struct limits_arg *arg)
{
	/* keep the call */
	asm volatile ("" :: "r"(arg));
	return 0;
}

__noinline int arg_nonnull(struct limits_arg *arg __arg_nonnull)
{
	asm volatile ("" :: "r"(arg));
	return 0;
}

__noinline int arg_untrusted(struct task_struct *task __arg_untrusted)
{
	asm volatile ("" :: "r"(task));
	return 0;
}

__noinline int arg_trusted(struct task_struct *task __arg_trusted)
{
	asm volatile ("" :: "r"(task));
	return 0;
}

SEC("?tp_btf/task_newtask")
int BPF_PROG(args_target, struct task_struct *task)
{
	struct limits_arg arg = {};

	return arg_plain(&arg) + arg_nonnull(&arg) + arg_untrusted(task) + arg_trusted(task);
}

SEC("?freplace")
int ext_arg_plain(struct limits_arg *arg)
{
	if (arg)
		arg->first = 0;
	return 0;
}

SEC("?freplace")
int ext_arg_nonnull(struct limits_arg *arg __arg_nonnull)
{
	arg->first = 0;
	return 0;
}

SEC("?freplace")
int ext_arg_task(struct task_struct *task)
{
	if (task)
		task->pid = 0;
	return 0;
}

SEC("?freplace")
int ext_arg_untrusted(struct task_struct *task __arg_untrusted)
{
	return task->pid;
}

SEC("?freplace")
int ext_arg_trusted(struct task_struct *task __arg_trusted)
{
	return task->pid;
}

/* An extension of this one has the arguments of the function, and no tracepoint. */
__noinline int arg_ctx(struct bpf_raw_tracepoint_args *ctx __arg_ctx, struct limits_arg *arg)
{
	asm volatile ("" :: "r"(ctx), "r"(arg));
	return 0;
}

SEC("?tp_btf/task_newtask")
int ctx_target(struct bpf_raw_tracepoint_args *ctx)
{
	struct limits_arg arg = {};

	return arg_ctx(ctx, &arg);
}

SEC("?freplace")
int ext_ctx(struct bpf_raw_tracepoint_args *ctx __arg_ctx, struct limits_arg *arg)
{
	return 0;
}

SEC("?freplace")
int ext_ctx_read(struct bpf_raw_tracepoint_args *ctx __arg_ctx, struct limits_arg *arg)
{
	return !!FIRST(ctx);
}

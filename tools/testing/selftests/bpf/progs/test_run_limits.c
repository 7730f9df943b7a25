// SPDX-License-Identifier: GPL-2.0
/* Programs that are test-run, and those that get their context by way of them. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} callees SEC(".maps");

/* What a syscall program takes for its context is its own affair, up to 65535 bytes. */
struct syscall_ctx {
	__u64 first;
	char room[65504];
	__u64 last;
};

/* Returns one if there is nothing at the end of the context, and puts something there. */
static __always_inline int use_ctx(struct syscall_ctx *ctx)
{
	int ret = !ctx->last;

	ctx->first++;
	ctx->last = 1;
	return ret;
}

#define PROG(section, name, arg, ret)		\
SEC("?" section)				\
int name(arg __arg_ctx)			\
{						\
	return ret;				\
}

#define TAIL_CALL (bpf_tail_call(ctx, &callees, 0), 0)

PROG("syscall", syscall_write, struct syscall_ctx *ctx, use_ctx(ctx))
PROG("freplace", ext_syscall_write, struct syscall_ctx *ctx, use_ctx(ctx))

static __noinline int pass_on(struct syscall_ctx *ctx)
{
	int ret = 0;

	bpf_tail_call(ctx, &callees, 0);
	/* for the compiler the call comes back */
	barrier_var(ret);
	return ret;
}

__noinline int pass_on_global(struct syscall_ctx *ctx __arg_ctx)
{
	return pass_on(ctx);
}

PROG("syscall", syscall_main, struct syscall_ctx *ctx, TAIL_CALL)
PROG("syscall", syscall_static, struct syscall_ctx *ctx, pass_on(ctx))
PROG("syscall", syscall_global, struct syscall_ctx *ctx, pass_on_global(ctx))

/* The first argument of a raw tracepoint, and one if there is nothing in the last one. */
__u64 args_seen;

#define LOOK_AT_ARGS (args_seen = ctx->args[0] + !ctx->args[11], 0)

PROG("raw_tp/task_newtask", raw_tp_plain, struct bpf_raw_tracepoint_args *ctx, TAIL_CALL)
PROG("raw_tp/task_newtask", raw_tp_args, struct bpf_raw_tracepoint_args *ctx, LOOK_AT_ARGS)
PROG("freplace", ext_raw_tp_args, struct bpf_raw_tracepoint_args *ctx, LOOK_AT_ARGS)

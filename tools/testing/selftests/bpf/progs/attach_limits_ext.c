// SPDX-License-Identifier: GPL-2.0
/* An extension that takes a struct of attach_limits.c for bigger than it is there. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

struct limits_arg {
	__u64 first;
	__u64 beyond;
};

SEC("?freplace")
int ext_arg_big(struct limits_arg *arg)
{
	if (arg)
		arg->beyond = 0;
	return 0;
}

__noinline int arg_big(struct limits_arg *arg)
{
	/* keep the call */
	asm volatile ("" :: "r"(arg));
	return 0;
}

SEC("?tp_btf/task_newtask")
int BPF_PROG(big_target, struct task_struct *task)
{
	struct limits_arg arg = {};

	return arg_big(&arg);
}

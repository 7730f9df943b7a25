// SPDX-License-Identifier: GPL-2.0
/* An extension that takes a struct of attach_limits.c for bigger than it is. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

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

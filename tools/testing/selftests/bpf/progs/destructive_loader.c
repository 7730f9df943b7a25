// SPDX-License-Identifier: GPL-2.0
/* Without maps, so that its light skeleton is a simple one. Never attached or run. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern void bpf_kfunc_call_test_destructive(void) __ksym;

SEC("raw_tp/task_newtask")
int prog(void *ctx)
{
	bpf_kfunc_call_test_destructive();
	return 0;
}

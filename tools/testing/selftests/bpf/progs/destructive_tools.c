// SPDX-License-Identifier: GPL-2.0
/* A program that needs BPF_F_DESTRUCTIVE, and one that cannot have it. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(tracing, int n)
{
	/* never true: other tests may run it while it is attached */
	if (n < 0)
		bpf_pr_emerg("%d", n);
	return 0;
}

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return 0;
}

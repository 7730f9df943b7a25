// SPDX-License-Identifier: GPL-2.0
/* Without maps, so that its light skeleton is a simple one. Never attached or run. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

SEC("kprobe")
int halts(void *ctx)
{
	bpf_halt();
	return 0;
}

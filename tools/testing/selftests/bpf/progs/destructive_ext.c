// SPDX-License-Identifier: GPL-2.0
/* Programs with a function to replace, and the program that replaces it. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

/* Without it the call is dead code, and the replacement a harmless one. */
const volatile bool armed = true;

__noinline int replaced(int n)
{
	/* keep the call, and what it returns */
	asm volatile ("" : "+r"(n));
	return n;
}

SEC("?kprobe")
int kprobe_target(void *ctx)
{
	return replaced(0);
}

SEC("?xdp")
int xdp_target(struct xdp_md *ctx)
{
	return replaced(XDP_PASS);
}

SEC("?freplace")
int replacement(int n)
{
	if (armed)
		bpf_panic("replaced, %d", n);
	return n;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A refcount saturates: the kernel's own check for a use-after-free in the making.
 *
 *	bpftool prog loadall saturated.bpf.o /sys/fs/bpf/saturated autoattach destructive
 *
 * refcount_warn_saturate() is in lib/, where nothing can be probed. What it says passes
 * the console tracepoint, in the same task, and at that moment.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

SEC("tp_btf/console")
int BPF_PROG(saturated, const char *text, size_t len)
{
	char what[64];

	if (bpf_strnstr(text, "refcount_t: ", len))
		return 0;

	bpf_probe_read_kernel_str(what, sizeof(what), text);
	if (bpf_crash_kexec("%s", what))
		bpf_panic("%s", what);
	return 0;
}

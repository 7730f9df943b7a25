// SPDX-License-Identifier: GPL-2.0
/*
 * Panics on the first refcount that saturates: the kernel's own check for a
 * use-after-free in the making. By default it warns, and goes on.
 *
 * refcount_warn_saturate() itself cannot be probed: lib/ is built without what
 * fentry, and kprobe events, need. But it says what is wrong, and the console
 * tracepoint is hit by whoever says it, at that moment, in that task.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define PREFIX "refcount_t: "

char _license[] SEC("license") = "GPL";

SEC("tp_btf/console")
int BPF_PROG(saturated, const char *text, size_t len)
{
	struct task_struct *task = bpf_get_current_task_btf();
	char what[64] = {};

	if (len >= sizeof(what))
		len = sizeof(what) - 1;
	if (bpf_probe_read_kernel(what, len, text))
		return 0;
	if (bpf_strncmp(what, sizeof(PREFIX) - 1, PREFIX))
		return 0;

	bpf_panic("%s In task %s (pid %d)", what, task->comm, task->pid);
	return 0;
}

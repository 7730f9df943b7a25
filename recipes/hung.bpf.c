// SPDX-License-Identifier: GPL-2.0
/*
 * A task hangs for longer than kernel.hung_task_timeout_secs, unless its name is on a
 * list of up to eight.
 *
 *	./set hung.bpf.o except=rsync,backup
 *	bpftool prog loadall hung.bpf.o /sys/fs/bpf/hung autoattach destructive
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

const volatile char except[8][16];

SEC("tp_btf/sched_process_hang")
int BPF_PROG(hung, struct task_struct *task)
{
	int i;

	for (i = 0; i < 8; i++)
		if (!bpf_strcmp(task->comm, (const char *)except[i]))
			return 0;

	/* The current task is khungtaskd. The dump has the stack of the other one, too. */
	if (bpf_crash_kexec("%s (pid %d) hangs", task->comm, task->pid))
		bpf_panic("%s (pid %d) hangs", task->comm, task->pid);
	return 0;
}

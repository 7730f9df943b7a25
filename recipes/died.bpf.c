// SPDX-License-Identifier: GPL-2.0
/*
 * A process without which the machine is of no use fails, or is killed: a dump where a
 * crash kernel is loaded, and a restart where none is.
 *
 *	./set died.bpf.o comm=$COMM
 *	bpftool prog loadall died.bpf.o /sys/fs/bpf/died autoattach destructive
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define ENOENT 2

char _license[] SEC("license") = "GPL";

const volatile char comm[16];

SEC("tp_btf/sched_process_exit")
int BPF_PROG(died, struct task_struct *task, bool group_dead)
{
	if (!group_dead || !task->exit_code || bpf_strcmp(task->comm, (const char *)comm))
		return 0;

	if (bpf_crash_kexec("%s died, wait status 0x%x", task->comm, task->exit_code) == -ENOENT)
		bpf_restart("%s died, wait status 0x%x", task->comm, task->exit_code);
	return 0;
}

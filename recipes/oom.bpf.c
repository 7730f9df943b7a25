// SPDX-License-Identifier: GPL-2.0
/*
 * The OOM killer chooses a victim in one cgroup. The inode number of the cgroup's
 * directory is its id.
 *
 *	./set oom.bpf.o cgroup=$(stat -c %i $CGROUP)
 *	bpftool prog loadall oom.bpf.o /sys/fs/bpf/oom autoattach destructive
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

const volatile __u64 cgroup;

SEC("tp_btf/mark_victim")
int BPF_PROG(oom, struct task_struct *task)
{
	if (task->cgroups->dfl_cgrp->kn->id != cgroup)
		return 0;

	if (bpf_crash_kexec("out of memory: %s (pid %d)", task->comm, task->tgid))
		bpf_panic("out of memory: %s (pid %d)", task->comm, task->tgid);
	return 0;
}

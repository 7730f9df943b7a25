// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody writes to a variable of the kernel. The writer's stack is in the dump.
 *
 *	bpftool prog loadall written.bpf.o /sys/fs/bpf/written destructive
 *	./watch /sys/fs/bpf/written/written \
 *		0x$(grep -w $VARIABLE /proc/kallsyms | cut -d " " -f 1) 4
 *
 * A hardware watchpoint is a perf event, which bpftool cannot open. watch can.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

SEC("perf_event")
int written(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	void *ip = (void *)PT_REGS_IP(&ctx->regs);

	if (bpf_crash_kexec("written at %pB by %s (pid %d)", ip, task->comm, task->tgid))
		bpf_panic("written at %pB by %s (pid %d)", ip, task->comm, task->tgid);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What ends the machine when a task gets a name, in each of the ways that are compared.
 * __set_task_comm() is the event: it has a tracepoint at its beginning and writes to
 * memory, so that every kind of program can watch it.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

/* The crash kernel, not a panic. */
const volatile bool dump;
bool armed;

static __always_inline int end(void)
{
	if (!armed)
		return 0;
	if (dump)
		bpf_crash_kexec("bench: renamed");
	else
		bpf_panic("bench: renamed");
	return 0;
}

SEC("?fentry/__set_task_comm")
int fentry(void *ctx)
{
	return end();
}

SEC("?kprobe/__set_task_comm")
int kprobe(struct pt_regs *ctx)
{
	return end();
}

SEC("?tp_btf/task_rename")
int tp_btf(void *ctx)
{
	return end();
}

SEC("?raw_tp/task_rename")
int raw_tp(void *ctx)
{
	return end();
}

/* On the name itself, in memory. */
SEC("?perf_event")
int breakpoint(void *ctx)
{
	return end();
}

/* Where the kfunc of 2022 can be called, and the new one beside it: at any system call. */
SEC("?tp_btf/sys_enter")
int BPF_PROG(crash_kexec_2022, struct pt_regs *regs, long id)
{
	if (armed)
		crash_kexec(regs);
	return 0;
}

SEC("?tp_btf/sys_enter")
int sys_enter(void *ctx)
{
	return end();
}

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/* What BPF programs do today: tell user space, which ends the machine. */
SEC("?fentry/__set_task_comm")
int ringbuf(void *ctx)
{
	__u64 now;

	if (!armed)
		return 0;
	now = bpf_ktime_get_ns();
	bpf_ringbuf_output(&events, &now, sizeof(now), BPF_RB_FORCE_WAKEUP);
	return 0;
}

__u64 comm_address;

/* Where the name of the task that runs this is. */
SEC("?raw_tp")
int find_comm(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	comm_address = (__u64)&task->comm;
	return 0;
}

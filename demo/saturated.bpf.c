// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a crash dump at the first refcount that saturates: the kernel's own
 * check for a use-after-free in the making. By default it warns, and goes on.
 * Where no crash kernel is loaded it panics. Until then it records what
 * processes execute, and the record is in the dump.
 *
 * refcount_warn_saturate() itself cannot be probed: lib/ is built without what
 * fentry, and kprobe events, need. But it says what is wrong, and the console
 * tracepoint is hit by whoever says it, at that moment, in that task.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "record.h"

#define PREFIX "refcount_t: "

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECORDS);
	__type(key, __u32);
	__type(value, struct record);
} recorder SEC(".maps");

static __u64 seq;

static struct record *next_record(void)
{
	__u64 mine = __sync_fetch_and_add(&seq, 1);
	__u32 slot = mine % RECORDS;
	struct record *record;

	record = bpf_map_lookup_elem(&recorder, &slot);
	if (!record)
		return NULL;
	record->seq = mine + 1;
	record->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	return record;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct record *record = next_record();

	if (record)
		bpf_probe_read_kernel_str(record->text, sizeof(record->text), bprm->filename);
	return 0;
}

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

	if (bpf_crash_kexec("%s In task %s (pid %d)", what, task->comm, task->pid))
		bpf_panic("%s In task %s (pid %d)", what, task->comm, task->pid);
	return 0;
}

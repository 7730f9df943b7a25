// SPDX-License-Identifier: GPL-2.0
/*
 * An answer does not come within 5 seconds: a function, vfs_read() here, does not return
 * to a process of one name.
 *
 *	./set unanswered.bpf.o comm=$COMM seconds=5
 *	bpftool prog loadall unanswered.bpf.o /sys/fs/bpf/unanswered \
 *		pinmaps /sys/fs/bpf/unanswered-maps autoattach destructive
 *
 * Timers live as long as somebody holds their map: a pin does.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

const volatile char comm[16];
const volatile __u64 seconds = 5;

struct question {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, int);
	__type(value, struct question);
} questions SEC(".maps");

static int late(void *map, int *pid, struct question *question)
{
	if (bpf_crash_kexec("pid %d has had no answer for %llu s", *pid, seconds))
		bpf_panic("pid %d has had no answer for %llu s", *pid, seconds);
	return 0;
}

SEC("fentry/vfs_read")
int BPF_PROG(asked)
{
	struct question *question, new = {};
	int pid = bpf_get_current_pid_tgid();

	if (bpf_strcmp(bpf_get_current_task_btf()->comm, (const char *)comm) ||
	    bpf_map_update_elem(&questions, &pid, &new, BPF_ANY))
		return 0;
	question = bpf_map_lookup_elem(&questions, &pid);
	if (question && !bpf_timer_init(&question->timer, &questions, 1 /* CLOCK_MONOTONIC */) &&
	    !bpf_timer_set_callback(&question->timer, late))
		bpf_timer_start(&question->timer, seconds * 1000000000, 0);
	return 0;
}

SEC("fexit/vfs_read")
int BPF_PROG(answered)
{
	int pid = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&questions, &pid);
	return 0;
}

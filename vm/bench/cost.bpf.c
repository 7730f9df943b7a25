// SPDX-License-Identifier: GPL-2.0
/* Programs that are not destructive, for what everybody else pays: cost.c attaches and runs them. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

/* How often a program that repeats something does so. */
__u32 times;

SEC("fentry/__set_task_comm")
int fentry(void *ctx)
{
	return 0;
}

SEC("kprobe/__set_task_comm")
int kprobe(void *ctx)
{
	return 0;
}

SEC("tp_btf/task_rename")
int tp_btf(void *ctx)
{
	return 0;
}

SEC("raw_tp/task_rename")
int raw_tp(void *ctx)
{
	return 0;
}

SEC("tc")
int empty(struct __sk_buff *ctx)
{
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} jumps SEC(".maps");

/* To itself, where the array has it, for as long as the kernel goes along. */
SEC("tc")
int tail_call(struct __sk_buff *ctx)
{
	bpf_tail_call(ctx, &jumps, 0);
	return 0;
}

struct timer_elem {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timer_elem);
} timers SEC(".maps");

static int expire(void *map, int *key, struct timer_elem *elem)
{
	return 0;
}

static int start_timer(__u32 i, void *ctx)
{
	struct timer_elem *elem;
	__u32 key = 0;

	elem = bpf_map_lookup_elem(&timers, &key);
	if (elem)
		bpf_timer_start(&elem->timer, 3600000000000, 0);
	return 0;
}

SEC("tc")
int timer(struct __sk_buff *ctx)
{
	struct timer_elem *elem;
	__u32 key = 0;

	elem = bpf_map_lookup_elem(&timers, &key);
	if (!elem)
		return 0;
	bpf_timer_init(&elem->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	bpf_timer_set_callback(&elem->timer, expire);
	bpf_loop(times, start_timer, NULL, 0);
	bpf_timer_cancel(&elem->timer);
	return 0;
}

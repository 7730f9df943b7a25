// SPDX-License-Identifier: GPL-2.0
/*
 * Programs to be loaded with and without BPF_F_DESTRUCTIVE, and to be attached
 * and run by prog_tests/destructive_use.c. None calls a destructive kfunc: who
 * may use a program depends on the flag.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_experimental.h"

char _license[] SEC("license") = "GPL";

int callee_runs;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} callees SEC(".maps");

struct async_elem {
	struct bpf_timer timer;
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct async_elem);
} asyncs SEC(".maps");

/* What the last set or start of a callback returned, and how often one ran. */
int async_err;
int async_runs;

#define USE_PROG(name, sec) \
	SEC("?" sec) int name(void *ctx) { return 0; }

USE_PROG(kprobe, "kprobe/bpf_fentry_test1")
USE_PROG(kprobe_multi, "kprobe.multi/bpf_fentry_test1")
USE_PROG(kprobe_session, "kprobe.session/bpf_fentry_test1")
USE_PROG(uprobe, "uprobe//proc/self/exe:uprobe_use_target")
USE_PROG(uprobe_multi, "uprobe.multi//proc/self/exe:uprobe_use_target")
USE_PROG(uprobe_session, "uprobe.session//proc/self/exe:uprobe_use_target")
USE_PROG(tracepoint, "tp/syscalls/sys_enter_getpgid")
USE_PROG(raw_tp, "raw_tp/task_newtask")
USE_PROG(raw_tp_writable, "raw_tp.w/task_newtask")
USE_PROG(perf_event, "perf_event")
USE_PROG(tp_btf, "tp_btf/task_newtask")
USE_PROG(fentry, "fentry/bpf_fentry_test1")
USE_PROG(fexit, "fexit/bpf_fentry_test1")
USE_PROG(fsession, "fsession/bpf_fentry_test1")
USE_PROG(fentry_multi, "fentry.multi/bpf_fentry_test1")
USE_PROG(fmod_ret, "fmod_ret/bpf_modify_return_test")
USE_PROG(iter, "iter/task")
USE_PROG(iter_replaced, "iter/task")

SEC("?raw_tp/task_newtask")
int caller(void *ctx)
{
	bpf_tail_call(ctx, &callees, 0);
	return 1;
}

SEC("?raw_tp/task_newtask")
int callee(void *ctx)
{
	callee_runs++;
	return 2;
}

/* Functions to replace and to watch, and programs that do. */
__noinline int replaced(int n)
{
	/* keep the call, and what it returns */
	asm volatile ("" : "+r"(n));
	return n;
}

SEC("?raw_tp/task_newtask")
int target(void *ctx)
{
	return replaced(1);
}

SEC("?freplace/replaced")
int replacement(int n)
{
	return 0;
}

SEC("?fentry/target")
int watch_entry(void *ctx)
{
	return 0;
}

SEC("?fexit/target")
int watch_exit(void *ctx)
{
	return 0;
}

SEC("?fmod_ret/replaced")
int change_return(void *ctx)
{
	return 0;
}

static int timer_callback(void *map, int *key, struct async_elem *elem)
{
	async_runs++;
	return 0;
}

static int wq_callback(void *map, int *key, void *value)
{
	async_runs++;
	return 0;
}

static struct async_elem *lookup_async(void)
{
	int key = 0;

	return bpf_map_lookup_elem(&asyncs, &key);
}

SEC("?raw_tp/task_newtask")
int timer_set(void *ctx)
{
	struct async_elem *elem = lookup_async();

	if (!elem)
		return 0;
	bpf_timer_init(&elem->timer, &asyncs, 1 /* CLOCK_MONOTONIC */);
	async_err = bpf_timer_set_callback(&elem->timer, timer_callback);
	return 0;
}

SEC("?raw_tp/task_newtask")
int timer_start(void *ctx)
{
	struct async_elem *elem = lookup_async();

	if (elem)
		async_err = bpf_timer_start(&elem->timer, 0, 0);
	return 0;
}

SEC("?raw_tp/task_newtask")
int wq_set(void *ctx)
{
	struct async_elem *elem = lookup_async();

	if (!elem)
		return 0;
	bpf_wq_init(&elem->work, &asyncs, 0);
	async_err = bpf_wq_set_callback(&elem->work, wq_callback, 0);
	return 0;
}

SEC("?raw_tp/task_newtask")
int wq_start(void *ctx)
{
	struct async_elem *elem = lookup_async();

	if (elem)
		async_err = bpf_wq_start(&elem->work, 0);
	return 0;
}

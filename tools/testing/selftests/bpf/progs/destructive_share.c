// SPDX-License-Identifier: GPL-2.0
/* What a program with BPF_F_DESTRUCTIVE may share with one without. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern void bpf_kfunc_call_test_destructive(void) __weak __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} progs SEC(".maps");

struct timer_elem { struct bpf_timer timer; };
struct wq_elem { struct bpf_wq wq; };
struct task_work_elem { struct bpf_task_work task_work; };
struct plain_elem { __u64 value; };

#define ARRAY(name, elem)							\
	struct name##_map {							\
		__uint(type, BPF_MAP_TYPE_ARRAY);				\
		__uint(max_entries, 1);						\
		__type(key, int);						\
		__type(value, struct elem);					\
	} name SEC(".maps")

ARRAY(timers, timer_elem);
ARRAY(wqs, wq_elem);
ARRAY(task_works, task_work_elem);
ARRAY(plain, plain_elem);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
	__array(values, struct timers_map);
} outer SEC(".maps");

static __always_inline int use(void *map)
{
	int key = 0;

	return !bpf_map_lookup_elem(map, &key);
}

#define RAW_TP(name, stmt) \
	SEC("?raw_tp/task_newtask") int name(void *ctx) { stmt; return 0; }

RAW_TP(use_timers, use(&timers))
RAW_TP(use_wqs, use(&wqs))
RAW_TP(use_task_works, use(&task_works))
RAW_TP(use_plain, use(&plain))
RAW_TP(use_outer, use(&outer))
RAW_TP(use_timers_and_call, use(&timers); bpf_kfunc_call_test_destructive())
RAW_TP(caller, bpf_tail_call(ctx, &progs, 0))

/* For a function of progs/destructive.c. */
#define WATCH(name, sec) \
	SEC("?" sec "/replaced") int name(void *ctx) { return 0; }

WATCH(watch_fentry, "fentry")
WATCH(watch_fexit, "fexit")
WATCH(watch_fsession, "fsession")
WATCH(watch_fmod_ret, "fmod_ret")

// SPDX-License-Identifier: GPL-2.0
/* Where in a program a destructive call may hide, and what lets it load. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "bpf_experimental.h"
#include "bpf_misc.h"

char _license[] SEC("license") = "GPL";

extern void bpf_kfunc_call_test_destructive(void) __weak __ksym;

#define MSG_CALL "destructive kfunc bpf_kfunc_call_test_destructive requires the BPF_F_DESTRUCTIVE load flag"
/* Tools look for this: the kernel, or the program type, has no such kfunc. */
#define MSG_NO_KFUNC "calling kernel function bpf_kfunc_call_test_destructive is not allowed"

struct async_elem {
	struct bpf_timer timer;
	struct bpf_wq work;
	struct bpf_task_work task_work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct async_elem);
} asyncs SEC(".maps");

#define CALLING(name, ...)							\
	static __noinline int name(__VA_ARGS__)					\
	{									\
		bpf_kfunc_call_test_destructive();				\
		return 0;							\
	}

CALLING(static_subprog, void)
CALLING(loop_body, __u32 i, void *ctx)
CALLING(per_elem, struct bpf_map *map, int *key, struct async_elem *elem, void *ctx)
CALLING(timer_cb, void *map, int *key, struct async_elem *elem)
CALLING(wq_cb, void *map, int *key, void *value)
CALLING(task_work_cb, struct bpf_map *map, void *key, void *value)

__noinline int global_subprog(void)
{
	bpf_kfunc_call_test_destructive();
	return 0;
}

static __always_inline void call_if_there(void)
{
	if (bpf_ksym_exists(bpf_kfunc_call_test_destructive))
		bpf_kfunc_call_test_destructive();
}

/* Programs that make the call in the place @stmt, without the flag and with it. */
#define CALL_IN(place, stmt)							\
	static __always_inline int place(void)					\
	{									\
		struct async_elem *elem;					\
		int key = 0;							\
										\
		elem = bpf_map_lookup_elem(&asyncs, &key);			\
		if (elem)							\
			stmt;							\
		return 0;							\
	}									\
										\
	SEC("raw_tp/sys_enter")							\
	__description("destructive call without the flag: " #place)		\
	__failure __not_msg("calling kernel function") __msg(MSG_CALL)		\
	int place##_without_flag(void *ctx) { return place(); }			\
										\
	SEC("raw_tp/sys_enter")							\
	__description("destructive call with the flag: " #place)		\
	__flag(BPF_F_DESTRUCTIVE) __success					\
	int place##_with_flag(void *ctx) { return place(); }

CALL_IN(main_prog, bpf_kfunc_call_test_destructive())
CALL_IN(weak_kfunc, call_if_there())
CALL_IN(in_static_subprog, static_subprog())
CALL_IN(in_global_subprog, global_subprog())
CALL_IN(loop_callback, bpf_loop(1, loop_body, NULL, 0))
CALL_IN(elem_callback, bpf_for_each_map_elem(&asyncs, per_elem, NULL, 0))
CALL_IN(timer_callback, bpf_timer_set_callback(&elem->timer, timer_cb))
CALL_IN(wq_callback, bpf_wq_set_callback(&elem->work, wq_cb, 0))
CALL_IN(task_work_callback,
	bpf_task_work_schedule_signal(bpf_get_current_task_btf(), &elem->task_work, &asyncs,
				      task_work_cb))

SEC("raw_tp/sys_enter")
__description("destructive: the report names kfunc, reason and cure")
__failure
__msg("The destructive kfunc bpf_kfunc_call_test_destructive is not allowed:")
__msg("the program was loaded")
__msg("without BPF_F_DESTRUCTIVE.")
__msg("Load a tracing program with BPF_F_DESTRUCTIVE")
int report(void *ctx)
{
	bpf_kfunc_call_test_destructive();
	return 0;
}

SEC("tc")
__description("destructive: a type that cannot have the flag")
__failure __msg(MSG_CALL)
int call_of_other_type(struct __sk_buff *skb)
{
	bpf_kfunc_call_test_destructive();
	return 0;
}

SEC("kprobe")
__description("destructive: a kfunc that the type has not is told apart")
__flag(BPF_F_DESTRUCTIVE)
__failure __not_msg("load flag") __msg(MSG_NO_KFUNC)
int no_such_kfunc_for_type(void *ctx)
{
	bpf_kfunc_call_test_destructive();
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: CAP_BPF, CAP_PERFMON and CAP_SYS_BOOT are enough")
__flag(BPF_F_DESTRUCTIVE)
__success
__caps_unpriv(CAP_BPF | CAP_PERFMON | CAP_SYS_BOOT)
__success_unpriv
int flag_with_caps(void *ctx)
{
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: CAP_BPF and CAP_PERFMON are not enough")
__flag(BPF_F_DESTRUCTIVE)
__success
__caps_unpriv(CAP_BPF | CAP_PERFMON)
__failure_unpriv
__msg_unpriv("BPF_F_DESTRUCTIVE requires CAP_SYS_BOOT in the initial user namespace")
int flag_without_cap(void *ctx)
{
	return 0;
}

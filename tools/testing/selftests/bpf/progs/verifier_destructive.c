// SPDX-License-Identifier: GPL-2.0
/* Where in a program a destructive call may hide, and what it may look like. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_misc.h"

char _license[] SEC("license") = "GPL";

char writable_fmt[] = "in a map that the program can change";

#define REFUSED_CALL "destructive kfunc bpf_vpanic requires the BPF_F_DESTRUCTIVE load flag"

/* The capabilities that any tracing program needs, with and without the one more. */
#define CAPS_TRACING (CAP_BPF | CAP_PERFMON)

SEC("kprobe")
__description("destructive: a call needs the flag")
__failure __msg(REFUSED_CALL)
int call_without_flag(void *ctx)
{
	bpf_panic("no flag");
	return 0;
}

SEC("kprobe")
__description("destructive: the report names kfunc, reason and cure")
__failure
__msg("The destructive kfunc bpf_vpanic is not allowed:")
__msg("the program was loaded without BPF_F_DESTRUCTIVE.")
__msg("Load a tracing program with BPF_F_DESTRUCTIVE and CAP_SYS_BOOT")
int report_without_flag(void *ctx)
{
	bpf_panic("no flag");
	return 0;
}

SEC("kprobe")
__description("destructive: CAP_BPF, CAP_PERFMON and CAP_SYS_BOOT are enough")
__flag(BPF_F_DESTRUCTIVE)
__success
__caps_unpriv(CAP_BPF | CAP_PERFMON | CAP_SYS_BOOT)
__success_unpriv
int call_with_caps(void *ctx)
{
	bpf_panic("flag and capability");
	return 0;
}

SEC("kprobe")
__description("destructive: the flag needs CAP_SYS_BOOT, with a call or without")
__flag(BPF_F_DESTRUCTIVE)
__success
__caps_unpriv(CAP_BPF | CAP_PERFMON)
__failure_unpriv
__msg_unpriv("BPF_F_DESTRUCTIVE is refused: it requires CAP_SYS_BOOT in the initial user namespace")
int flag_without_cap(void *ctx)
{
	return 0;
}

SEC("kprobe")
__description("destructive: CAP_SYS_BOOT without the flag is worth nothing")
__caps_unpriv(CAP_BPF | CAP_PERFMON | CAP_SYS_BOOT)
__failure_unpriv __msg_unpriv(REFUSED_CALL)
int cap_without_flag(void *ctx)
{
	bpf_panic("capability, but no flag");
	return 0;
}

SEC("kprobe")
__description("destructive: CAP_SYS_ADMIN does not stand in for CAP_SYS_BOOT")
__flag(BPF_F_DESTRUCTIVE)
__caps_unpriv(CAP_SYS_ADMIN)
__failure_unpriv __msg_unpriv("BPF_F_DESTRUCTIVE is refused: it requires CAP_SYS_BOOT")
int sys_admin_is_no_sys_boot(void *ctx)
{
	return 0;
}

SEC("xdp")
__description("destructive: the type is judged before the capability")
__flag(BPF_F_DESTRUCTIVE)
__failure __msg("BPF_F_DESTRUCTIVE is refused: program type 6 is not a tracing type")
__caps_unpriv(CAP_BPF | CAP_NET_ADMIN)
__failure_unpriv __msg_unpriv("BPF_F_DESTRUCTIVE is refused: program type 6 is not a tracing type")
int wrong_type(void *ctx)
{
	return XDP_PASS;
}

SEC("kprobe")
__description("destructive: a call that is dead code is no call")
__success
int dead_call(void *ctx)
{
	asm volatile ("r1 = 0;"
		      "if r1 == 0 goto +1;"
		      "call %[bpf_vpanic];"
		      "r0 = 0;"
		      :: __imm(bpf_vpanic) : __clobber_all);
	return 0;
}

static __noinline int static_subprog(void)
{
	bpf_panic("static");
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: static subprogram without the flag")
__failure __msg(REFUSED_CALL)
int static_subprog_without_flag(void *ctx)
{
	return static_subprog();
}

SEC("raw_tp/sys_enter")
__description("destructive: static subprogram with the flag")
__flag(BPF_F_DESTRUCTIVE)
__success
int static_subprog_with_flag(void *ctx)
{
	return static_subprog();
}

__noinline int global_subprog(int n)
{
	bpf_panic("global, %d", n);
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: global subprogram without the flag")
__failure __msg(REFUSED_CALL)
int global_subprog_without_flag(void *ctx)
{
	return global_subprog(1);
}

SEC("raw_tp/sys_enter")
__description("destructive: global subprogram with the flag")
__flag(BPF_F_DESTRUCTIVE)
__success
int global_subprog_with_flag(void *ctx)
{
	return global_subprog(1);
}

static int loop_body(__u32 i, void *ctx)
{
	bpf_panic("round %u", i);
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: callback without the flag")
__failure __msg(REFUSED_CALL)
int callback_without_flag(void *ctx)
{
	bpf_loop(1, loop_body, NULL, 0);
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: callback with the flag")
__flag(BPF_F_DESTRUCTIVE)
__success
int callback_with_flag(void *ctx)
{
	bpf_loop(1, loop_body, NULL, 0);
	return 0;
}

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

static int timer_callback(void *map, int *key, struct async_elem *elem)
{
	bpf_panic("timer");
	return 0;
}

static __always_inline int set_timer(void)
{
	struct async_elem *elem;
	int key = 0;

	elem = bpf_map_lookup_elem(&asyncs, &key);
	if (elem)
		bpf_timer_set_callback(&elem->timer, timer_callback);
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: timer callback without the flag")
__failure __msg(REFUSED_CALL)
int timer_without_flag(void *ctx)
{
	return set_timer();
}

SEC("raw_tp/sys_enter")
__description("destructive: timer callback with the flag")
__flag(BPF_F_DESTRUCTIVE)
__success
int timer_with_flag(void *ctx)
{
	return set_timer();
}

static int wq_callback(void *map, int *key, void *value)
{
	bpf_panic("workqueue");
	return 0;
}

static __always_inline int set_wq(void)
{
	struct async_elem *elem;
	int key = 0;

	elem = bpf_map_lookup_elem(&asyncs, &key);
	if (elem)
		bpf_wq_set_callback(&elem->work, wq_callback, 0);
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: workqueue callback without the flag")
__failure __msg(REFUSED_CALL)
int wq_without_flag(void *ctx)
{
	return set_wq();
}

SEC("raw_tp/sys_enter")
__description("destructive: workqueue callback with the flag")
__flag(BPF_F_DESTRUCTIVE)
__success
int wq_with_flag(void *ctx)
{
	return set_wq();
}

static int task_work_callback(struct bpf_map *map, void *key, void *value)
{
	bpf_panic("task work");
	return 0;
}

static __always_inline int set_task_work(void)
{
	struct async_elem *elem;
	int key = 0;

	elem = bpf_map_lookup_elem(&asyncs, &key);
	if (elem)
		bpf_task_work_schedule_signal(bpf_get_current_task_btf(), &elem->task_work,
					      &asyncs, task_work_callback);
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: task work callback without the flag")
__failure __msg(REFUSED_CALL)
int task_work_without_flag(void *ctx)
{
	return set_task_work();
}

SEC("raw_tp/sys_enter")
__description("destructive: task work callback with the flag")
__flag(BPF_F_DESTRUCTIVE)
__success
int task_work_with_flag(void *ctx)
{
	return set_task_work();
}

static long elem_callback(struct bpf_map *map, int *key, struct async_elem *elem, void *ctx)
{
	bpf_panic("map element");
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: map element callback without the flag")
__failure __msg(REFUSED_CALL)
int map_elem_without_flag(void *ctx)
{
	bpf_for_each_map_elem(&asyncs, elem_callback, NULL, 0);
	return 0;
}

SEC("raw_tp/sys_enter")
__description("destructive: map element callback with the flag")
__flag(BPF_F_DESTRUCTIVE)
__success
int map_elem_with_flag(void *ctx)
{
	bpf_for_each_map_elem(&asyncs, elem_callback, NULL, 0);
	return 0;
}

extern void bpf_halt(void) __weak __ksym;
extern void bpf_no_such_kfunc(void) __weak __ksym;

SEC("kprobe")
__description("destructive: weak kfunc that is there, without the flag")
__failure __msg("destructive kfunc bpf_halt requires the BPF_F_DESTRUCTIVE load flag")
int weak_without_flag(void *ctx)
{
	if (bpf_ksym_exists(bpf_halt))
		bpf_halt();
	return 0;
}

SEC("kprobe")
__description("destructive: weak kfunc that is there, with the flag")
__flag(BPF_F_DESTRUCTIVE)
__success
int weak_with_flag(void *ctx)
{
	if (bpf_ksym_exists(bpf_halt))
		bpf_halt();
	return 0;
}

SEC("kprobe")
__description("destructive: weak kfunc that is not there needs no flag")
__success
int weak_missing(void *ctx)
{
	if (bpf_ksym_exists(bpf_no_such_kfunc))
		bpf_no_such_kfunc();
	return 0;
}

SEC("kprobe")
__description("bpf_pr_emerg: twelve values, and what it returns")
__flag(BPF_F_DESTRUCTIVE)
__success
int emerg_twelve_values(void *ctx)
{
	return bpf_pr_emerg("%d %d %d %d %d %d %d %d %d %d %d %d",
			    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) > 0;
}

SEC("kprobe")
__description("bpf_pr_emerg: the format must be constant")
__flag(BPF_F_DESTRUCTIVE)
__failure __msg("R1 does not point to a readonly map")
int emerg_format_not_constant(void *ctx)
{
	return bpf_vpr_emerg(writable_fmt, NULL, 0);
}

SEC("kprobe")
__description("bpf_panic: twelve values")
__flag(BPF_F_DESTRUCTIVE)
__success
int twelve_values(void *ctx)
{
	bpf_panic("%d %d %d %d %d %d %d %d %d %d %d %d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
	return 0;
}

SEC("kprobe")
__description("bpf_panic: the format must be constant")
__flag(BPF_F_DESTRUCTIVE)
__failure __msg("R1 does not point to a readonly map")
int format_not_constant(void *ctx)
{
	bpf_vpanic(writable_fmt, NULL, 0);
	return 0;
}

SEC("kprobe")
__description("bpf_panic: the format must be a string")
__flag(BPF_F_DESTRUCTIVE)
__failure __msg("R1 doesn't point to a const string")
int format_no_string(void *ctx)
{
	bpf_vpanic(ctx, NULL, 0);
	return 0;
}

SEC("kprobe")
__description("bpf_panic: values that are not there")
__flag(BPF_F_DESTRUCTIVE)
__failure __msg("invalid read from stack R2 off=-8 size=16")
int values_out_of_bounds(void *ctx)
{
	__u64 one = 1;

	bpf_vpanic("%d %d", &one, 2 * sizeof(one));
	return 0;
}

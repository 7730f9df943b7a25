// SPDX-License-Identifier: GPL-2.0
/*
 * One program for each program type and main attach type that can reach a
 * destructive kfunc, or tries to. prog_tests/destructive.c loads each of them
 * alone; none is ever attached or run. The name has the kfunc that it calls
 * behind "__", if that is not bpf_vpanic().
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_experimental.h"
#include "bpf_misc.h"

char _license[] SEC("license") = "GPL";

/* Not there without CONFIG_CRASH_DUMP. */
extern void crash_kexec(struct pt_regs *regs) __weak __ksym;
extern int bpf_crash_kexec(void) __weak __ksym;

/* Without it the call is dead code, and the program a harmless one. */
const volatile bool armed = true;

static __always_inline void maybe_panic(void)
{
	if (armed)
		bpf_panic("%s: %d", "destructive_gate", 42);
}

/* For the types that bpf_vpanic() is not registered for. */
static __always_inline void maybe_crash(struct pt_regs *regs)
{
	if (armed)
		crash_kexec(regs);
}

#define PANIC_PROG(name, sec) \
	SEC("?" sec) int name(void *ctx) { maybe_panic(); return 0; }
#define CRASH_PROG(name, sec, retval) \
	SEC("?" sec) int name##__crash_kexec(void *ctx) { maybe_crash(NULL); return retval; }

PANIC_PROG(kprobe, "kprobe")
PANIC_PROG(kretprobe, "kretprobe")
PANIC_PROG(kprobe_multi, "kprobe.multi")
PANIC_PROG(kretprobe_multi, "kretprobe.multi")
PANIC_PROG(kprobe_session, "kprobe.session")
PANIC_PROG(uprobe, "uprobe")
PANIC_PROG(uprobe_sleepable, "uprobe.s")
PANIC_PROG(uretprobe, "uretprobe")
PANIC_PROG(uprobe_multi, "uprobe.multi")
PANIC_PROG(uprobe_multi_sleepable, "uprobe.multi.s")
PANIC_PROG(uretprobe_multi, "uretprobe.multi")
PANIC_PROG(uprobe_session, "uprobe.session")

PANIC_PROG(tracepoint, "tp/syscalls/sys_enter_getpid")
PANIC_PROG(raw_tp, "raw_tp/sys_enter")
PANIC_PROG(raw_tp_writable, "raw_tp.w/sys_enter")
PANIC_PROG(perf_event, "perf_event")

PANIC_PROG(tp_btf, "tp_btf/sys_enter")
PANIC_PROG(fentry, "fentry/bpf_fentry_test1")
PANIC_PROG(fentry_sleepable, "fentry.s/" SYS_PREFIX "sys_nanosleep")
PANIC_PROG(fentry_multi, "fentry.multi")
PANIC_PROG(fexit, "fexit/bpf_fentry_test1")
PANIC_PROG(fsession, "fsession/bpf_fentry_test1")
PANIC_PROG(fmod_ret, "fmod_ret/bpf_modify_return_test")
PANIC_PROG(iter, "iter/task")
PANIC_PROG(iter_sleepable, "iter.s/task")

/* What bpf_throw() calls in the end. Needs a JIT that supports it. */
__noinline int exception_callback(u64 cookie)
{
	maybe_panic();
	return 0;
}

SEC("?raw_tp/sys_enter")
__exception_cb(exception_callback)
int exception(void *ctx)
{
	bpf_throw(1);
	return 0;
}

/* One of the few places where a program has real registers that crash_kexec() takes. */
SEC("?tp_btf/sys_enter")
int BPF_PROG(tp_btf__crash_kexec, struct pt_regs *regs, long id)
{
	maybe_crash(regs);
	return 0;
}

/* It also takes registers that a program has made up. */
SEC("?fentry/bpf_fentry_test1")
int fentry_made_up__crash_kexec(void *ctx)
{
	struct pt_regs regs = {};

	maybe_crash(&regs);
	return 0;
}

/* The other destructive kfuncs, on both hooks that they are registered for. */
#define KFUNC_PROG(name, sec, call)						\
	SEC("?" sec) int name(void *ctx)					\
	{									\
		if (armed)							\
			call;							\
		return 0;							\
	}

KFUNC_PROG(kprobe__bpf_crash_kexec, "kprobe", bpf_crash_kexec())
KFUNC_PROG(fentry__bpf_crash_kexec, "fentry/bpf_fentry_test1", bpf_crash_kexec())
KFUNC_PROG(lsm__bpf_crash_kexec, "lsm/file_open", bpf_crash_kexec())
KFUNC_PROG(kprobe__bpf_vpr_emerg, "kprobe", bpf_pr_emerg("%d", 42))
KFUNC_PROG(fentry__bpf_vpr_emerg, "fentry/bpf_fentry_test1", bpf_pr_emerg("%d", 42))
KFUNC_PROG(lsm__bpf_vpr_emerg, "lsm/file_open", bpf_pr_emerg("%d", 42))
KFUNC_PROG(kprobe__bpf_halt, "kprobe", bpf_halt())
KFUNC_PROG(fentry__bpf_halt, "fentry/bpf_fentry_test1", bpf_halt())
KFUNC_PROG(lsm__bpf_halt, "lsm/file_open", bpf_halt())
KFUNC_PROG(kprobe__bpf_restart, "kprobe", bpf_restart())
KFUNC_PROG(fentry__bpf_restart, "fentry/bpf_fentry_test1", bpf_restart())
KFUNC_PROG(lsm__bpf_restart, "lsm/file_open", bpf_restart())
KFUNC_PROG(kprobe__bpf_power_off, "kprobe", bpf_power_off())
KFUNC_PROG(fentry__bpf_power_off, "fentry/bpf_fentry_test1", bpf_power_off())
KFUNC_PROG(lsm__bpf_power_off, "lsm/file_open", bpf_power_off())

/* LSM shares the kfuncs of the tracing programs, but is not one of them. */
PANIC_PROG(lsm, "lsm/file_open")
CRASH_PROG(lsm, "lsm/file_open", 0)

CRASH_PROG(xdp, "xdp", XDP_PASS)
CRASH_PROG(tc, "tc", 0)
CRASH_PROG(tcx, "tcx/ingress", 0)
CRASH_PROG(cgroup_skb, "cgroup_skb/ingress", 1)
CRASH_PROG(syscall, "syscall", 0)
CRASH_PROG(struct_ops, "struct_ops/test_1", 0)

/* No destructive kfunc is registered for this type. */
PANIC_PROG(socket, "socket")

SEC("?.struct_ops")
struct bpf_dummy_ops dummy_ops = {
	.test_1 = (void *)struct_ops__crash_kexec,
};

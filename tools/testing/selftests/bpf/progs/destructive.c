// SPDX-License-Identifier: GPL-2.0
/*
 * One program for each program type and main attach type that has a destructive
 * kfunc or can be loaded with BPF_F_DESTRUCTIVE, and some others. They are
 * attached and run only without a call: what counts then is the flag.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_experimental.h"
#include "bpf_misc.h"

char _license[] SEC("license") = "GPL";

/* Not there without CONFIG_CRASH_DUMP. */
extern void crash_kexec(struct pt_regs *regs) __weak __ksym;

/* Without it the call is dead code. */
const volatile bool armed;

#define CALL(regs) ({ if (armed) crash_kexec(regs); })

/* crash_kexec() takes a kprobe's context, where that is struct pt_regs, or made-up registers. */
#define KPROBE(name, sec) \
	SEC("?" sec) int name(struct pt_regs *ctx) { CALL(KPROBE_REGS(ctx)); return 0; }
#define KPROBE_REGS(ctx) \
	__builtin_choose_expr(__builtin_types_compatible_p(bpf_user_pt_regs_t, struct pt_regs), \
			      ctx, &(struct pt_regs){})
#define PROG(name, sec, retval) \
	SEC("?" sec) int name(void *ctx) { CALL(&(struct pt_regs){}); return retval; }

#define UPROBE_TARGET "//proc/self/exe:destructive_uprobe_target"

KPROBE(kprobe, "kprobe/bpf_fentry_test1")
KPROBE(kretprobe, "kretprobe/bpf_fentry_test1")
KPROBE(kprobe_multi, "kprobe.multi/bpf_fentry_test1")
KPROBE(kprobe_session, "kprobe.session/bpf_fentry_test1")
KPROBE(uprobe, "uprobe" UPROBE_TARGET)
KPROBE(uprobe_sleepable, "uprobe.s" UPROBE_TARGET)
KPROBE(uprobe_multi, "uprobe.multi" UPROBE_TARGET)
KPROBE(uprobe_session, "uprobe.session" UPROBE_TARGET)

PROG(tracepoint, "tp/syscalls/sys_enter_getpgid", 0)
PROG(perf_event, "perf_event", 0)
PROG(raw_tp, "raw_tp/task_newtask", 0)
PROG(tp_btf, "tp_btf/task_newtask", 0)
PROG(fentry, "fentry/bpf_fentry_test1", 0)
PROG(fentry_sleepable, "fentry.s/" SYS_PREFIX "sys_nanosleep", 0)
PROG(fentry_multi, "fentry.multi/bpf_fentry_test1", 0)
PROG(fexit, "fexit/bpf_fentry_test1", 0)
PROG(fsession, "fsession/bpf_fentry_test1", 0)
PROG(fmod_ret, "fmod_ret/bpf_modify_return_test", 0)
PROG(iter, "iter/task", 0)
PROG(iter_sleepable, "iter.s/task", 0)

PROG(lsm, "lsm/file_open", 0)
PROG(raw_tp_writable, "raw_tp.w/task_newtask", 0)
PROG(xdp, "xdp", XDP_PASS)
PROG(tc, "tc", 0)
PROG(cgroup_skb, "cgroup_skb/ingress", 1)
PROG(syscall, "syscall", 0)
PROG(socket, "socket", 0)
PROG(struct_ops, "struct_ops/test_1", 0)

SEC("?.struct_ops")
struct bpf_dummy_ops dummy_ops = {
	.test_1 = (void *)struct_ops,
};

/* What bpf_throw() calls in the end. Needs a JIT that supports it. */
__noinline int exception_callback(u64 cookie)
{
	CALL(&(struct pt_regs){});
	return 0;
}

SEC("?raw_tp/task_newtask")
__exception_cb(exception_callback)
int exception(void *ctx)
{
	bpf_throw(1);
	return 0;
}

/* A function to replace, in programs of two types, and what replaces it. */
__noinline int replaced(int n)
{
	/* keep the call, and what it returns */
	asm volatile ("" : "+r"(n));
	return n;
}

PROG(target, "raw_tp/task_newtask", replaced(0))
PROG(target_xdp, "xdp", replaced(XDP_PASS))

SEC("?freplace/replaced")
int ext(int n)
{
	CALL(&(struct pt_regs){});
	return 0;
}

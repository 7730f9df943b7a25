// SPDX-License-Identifier: GPL-2.0
/* What there is to choose from. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "fuzz.h"

const struct kind kinds[] = {
	{ BPF_PROG_TYPE_KPROBE, 0, NO_TARGET, true, PERFMON },
	{ BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, NO_TARGET, true, PERFMON },
	{ BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_SESSION, NO_TARGET, true, PERFMON },
	{ BPF_PROG_TYPE_KPROBE, BPF_TRACE_UPROBE_MULTI, NO_TARGET, true, PERFMON },
	{ BPF_PROG_TYPE_KPROBE, BPF_TRACE_UPROBE_SESSION, NO_TARGET, true, PERFMON },
	{ BPF_PROG_TYPE_TRACEPOINT, 0, NO_TARGET, true, PERFMON },
	{ BPF_PROG_TYPE_PERF_EVENT, 0, NO_TARGET, true, PERFMON },
	{ BPF_PROG_TYPE_RAW_TRACEPOINT, 0, NO_TARGET, true, PERFMON },
	{ BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0, NO_TARGET, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, TARGET_TP, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, TARGET_FUNC, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, TARGET_FUNC, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FSESSION, TARGET_FUNC, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, TARGET_PROG, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, TARGET_PROG, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FSESSION, TARGET_PROG, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, TARGET_FMOD, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, TARGET_ITER, true, PERFMON },
	{ BPF_PROG_TYPE_LSM, BPF_LSM_MAC, TARGET_LSM, true, PERFMON },
	{ BPF_PROG_TYPE_LSM, BPF_LSM_CGROUP, TARGET_LSM, false, PERFMON },
	{ BPF_PROG_TYPE_SOCKET_FILTER, 0, NO_TARGET, true, 0 },
	{ BPF_PROG_TYPE_SCHED_CLS, 0, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_SCHED_ACT, 0, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_XDP, 0, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_SKB, 0, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_SOCK, 0, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_LWT_IN, 0, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_LWT_OUT, 0, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_LWT_XMIT, 0, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_LWT_SEG6LOCAL, 0, NO_TARGET, false, NET_ADMIN },
	{ BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_SK_SKB, 0, NO_TARGET, false, NET_ADMIN },
	{ BPF_PROG_TYPE_SK_MSG, 0, NO_TARGET, false, NET_ADMIN },
	{ BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT, NO_TARGET, false, 0 },
	{ BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR, NO_TARGET, false, NET_ADMIN },
	{ BPF_PROG_TYPE_STRUCT_OPS, 0, NO_TARGET, false, NET_ADMIN },
	{ BPF_PROG_TYPE_SYSCALL, 0, NO_TARGET, false, 0 },
	{ BPF_PROG_TYPE_NETFILTER, BPF_NETFILTER, NO_TARGET, true, NET_ADMIN },
	{ BPF_PROG_TYPE_EXT, 0, TARGET_PROG, false, PERFMON | NET_ADMIN },
	{ BPF_PROG_TYPE_UNSPEC, 0, NO_TARGET, false, 0 },
};

_Static_assert(ARRAY_SIZE(kinds) <= MAX_KINDS, "too many kinds");
const size_t kind_count = ARRAY_SIZE(kinds);

const struct kind *find_kind(enum bpf_prog_type type)
{
	const struct kind *kind = kinds;

	while (kind->type != type)
		kind++;
	return kind;
}

const char *const kfunc_names[KFUNC_COUNT] = {
	"bpf_vpanic", "bpf_vpr_emerg", "bpf_vhalt", "bpf_vrestart", "bpf_vpower_off", "bpf_vcrash_kexec",
	"crash_kexec",
};

const char *const shape_names[SHAPE_COUNT] = {
	"nowhere", "straight", "unknown branch", "after tail call", "static subprogram", "global subprogram",
	"nested subprogram", "callback", "dead branch", "dead by bounds", "dead static subprogram",
	"dead global subprogram", "dead callback", "after exit", "owned array", "owned timers or work",
	"inner timers or work", "imm 0", "wrong id", "wrong fd",
};

bool shape_calls(enum shape shape)
{
	return shape >= STRAIGHT && shape <= CALLBACK;
}

bool shape_is_wrong(enum shape shape)
{
	return shape == AFTER_EXIT || shape == IMM_0 || shape == WRONG_ID || shape == WRONG_FD;
}

const uint64_t all_caps = BIT(CAP_SYS_BOOT) | BIT(CAP_BPF) | PERFMON | NET_ADMIN | BIT(CAP_SYS_ADMIN);

// SPDX-License-Identifier: GPL-2.0
/*
 * Random BPF_PROG_LOADs against the gates of destructive programs.
 *
 * Each round makes up a program: a type, an attach type and target, flags, a few
 * instructions with a call to a destructive kfunc somewhere or nowhere, and the
 * capabilities of the loader. What is made up is known, and so is the answer
 * that the kernel has to give; where it depends on more than the gates, either
 * answer is taken. A second opinion comes from the kernel: whatever it loads is
 * read back as translated, and without the flag no destructive call may be left.
 *
 * Programs with such a call are loaded, and neither attached nor run. What is
 * attached, where a door has to open, has the flag and ends nothing.
 *
 * Round N of a seed is always the same: --seed S --first N --count 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "gate.h"
#include "guard.h"

#define MAX_INSNS 256
#define MAX_SUBPROGS 4
/* How many rounds a child in a user namespace of its own does. */
#define USERNS_ROUNDS 16

#define PIN "/sys/fs/bpf/fuzz_iter"

/* ---- random numbers ---------------------------------------------------------------- */

static uint64_t rng_state;

static uint64_t rng(void)
{
	uint64_t z = (rng_state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static uint32_t below(uint32_t n)
{
	return rng() % n;
}

static bool percent(uint32_t n)
{
	return below(100) < n;
}

/* ---- what there is to choose from ---------------------------------------------------- */

/* Attach targets: the name of a BTF type, and its kind. */
enum attach_target {
	NO_TARGET,
	TARGET_FUNC,
	TARGET_FMOD,
	TARGET_TP,
	TARGET_ITER,
	TARGET_LSM,
	TARGET_PROG,	/* one of target_progs */
	TARGET_COUNT,
};

static const struct {
	const char *name;
	uint32_t kind;
} target_names[] = {
	[TARGET_FUNC] = { "bpf_fentry_test1", BTF_KIND_FUNC },
	[TARGET_FMOD] = { "bpf_modify_return_test", BTF_KIND_FUNC },
	[TARGET_TP] = { "btf_trace_task_newtask", BTF_KIND_TYPEDEF },
	[TARGET_ITER] = { "bpf_iter_task", BTF_KIND_FUNC },
	[TARGET_LSM] = { "bpf_lsm_file_open", BTF_KIND_FUNC },
};

/* "plain": a program "return 0" of this kind loads. */
struct kind {
	enum bpf_prog_type type;
	enum bpf_attach_type attach_type;
	enum attach_target target;
	bool plain;
	uint64_t caps; /* besides CAP_BPF */
};

#define PERFMON BIT(CAP_PERFMON)
#define NET_ADMIN BIT(CAP_NET_ADMIN)

static const struct kind kinds[] = {
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

/* Kfuncs that are marked KF_DESTRUCTIVE. */
enum kfunc {
	KFUNC_VPANIC,
	KFUNC_VPR_EMERG,
	KFUNC_HALT,
	KFUNC_RESTART,
	KFUNC_POWER_OFF,
	KFUNC_CRASH_KEXEC,
	KFUNC_2022, /* wants registers, and is refused what it gets here */
	KFUNC_COUNT,
};

static const char *const kfunc_names[KFUNC_COUNT] = {
	"bpf_vpanic", "bpf_vpr_emerg", "bpf_vhalt", "bpf_vrestart", "bpf_vpower_off", "bpf_vcrash_kexec",
	"crash_kexec",
};

/* Where in the program the destructive call is. */
enum shape {
	NOWHERE,
	STRAIGHT,
	UNKNOWN_BRANCH,		/* either way is possible */
	AFTER_TAIL_CALL,	/* which can fail */
	STATIC_SUB,
	GLOBAL_SUB,
	NESTED_SUB,
	CALLBACK,
	DEAD_BRANCH,		/* a constant decides */
	DEAD_BOUNDS,		/* what is known of a number decides */
	DEAD_STATIC_SUB,
	DEAD_GLOBAL_SUB,
	DEAD_CALLBACK,		/* a loop of no rounds */
	AFTER_EXIT,		/* no way leads there, which the verifier does not take */
	OWNED_ARRAY,		/* none, but a tail call into an array that has an owner */
	OWNED_ASYNC,		/* none, but a map with timers or work that has an owner */
	INNER_ASYNC,		/* none, but a map of such maps */
	IMM_0,			/* what libbpf leaves of a weak kfunc that is not there */
	WRONG_ID,		/* no kfunc */
	WRONG_FD,		/* a kfunc of a BTF that is none, or not the kernel's */
	SHAPE_COUNT,
};

static const char *const shape_names[SHAPE_COUNT] = {
	"nowhere", "straight", "unknown branch", "after tail call", "static subprogram", "global subprogram",
	"nested subprogram", "callback", "dead branch", "dead by bounds", "dead static subprogram",
	"dead global subprogram", "dead callback", "after exit", "owned array", "owned timers or work",
	"inner timers or work", "imm 0", "wrong id", "wrong fd",
};

static bool shape_calls(enum shape shape)
{
	return shape >= STRAIGHT && shape <= CALLBACK;
}

static bool shape_is_wrong(enum shape shape)
{
	return shape == AFTER_EXIT || shape == IMM_0 || shape == WRONG_ID || shape == WRONG_FD;
}

/* Flags that change nothing about whether these programs load. */
#define HARMLESS_FLAGS (BPF_F_STRICT_ALIGNMENT | BPF_F_TEST_RND_HI32 | BPF_F_TEST_STATE_FREQ | \
			BPF_F_TEST_REG_INVARIANTS)
#define KNOWN_FLAGS (HARMLESS_FLAGS | BPF_F_ANY_ALIGNMENT | BPF_F_SLEEPABLE | BPF_F_XDP_HAS_FRAGS | \
		     BPF_F_XDP_DEV_BOUND_ONLY | BPF_F_DESTRUCTIVE | BPF_F_TOKEN_FD)

static const uint64_t some_caps[] = {
	BIT(CAP_SYS_BOOT), BIT(CAP_BPF), PERFMON, NET_ADMIN, BIT(CAP_SYS_ADMIN),
};
static const uint64_t all_caps = BIT(CAP_SYS_BOOT) | BIT(CAP_BPF) | PERFMON | NET_ADMIN | BIT(CAP_SYS_ADMIN);

/* ---- what is there once ---------------------------------------------------------------- */

static uint32_t kfunc_ids[KFUNC_COUNT], target_ids[TARGET_COUNT], wrong_ids[5];
static int32_t kfunc_imms[KFUNC_COUNT];
static int kfunc_count;
static struct prog_btf prog_btf;
static int text_map;
static char text_value[16] = "fuzz";
/* To extend, watch and tail call: of programs without the flag, and with it. */
static int target_progs[2], owned_arrays[2];
/* Maps with timers or work of programs without the flag, of programs with it, and of an outer map. */
static struct {
	char name[BPF_OBJ_NAME_LEN];
	int fd;
	bool flag;
} async_maps[9];
static int async_count, outer_map;
/* Extensions that replace nothing yet, without the flag and with it. */
static int exts[2];
/* Flagged programs that do nothing, and all that is needed to knock at doors with them. */
static struct {
	enum bpf_prog_type type;
	enum bpf_attach_type attach_type;
	int fd;
} door_progs[ARRAY_SIZE(kinds)];
static int door_count;
static int plain_link, iter_link, tail_array, perf_fd, some_socket;
static bool in_userns;
static bool verbose;

static struct stats {
	unsigned long long rounds, loaded, loaded_flag, loaded_calls, refused;
	unsigned long long by_gate[NR_MSGS];
	unsigned long long must_load, must_fail, either;
	unsigned long long userns, calls_seen, mutated;
	unsigned long long retargets[3]; /* done, EINVAL, EPERM */
	unsigned long long doors_shut, doors_eperm, doors_open, doors_not_open;
	unsigned long long unexpected;
	unsigned long long by_shape[SHAPE_COUNT][2];
	unsigned long long by_door[16][2], door_opened[16];
} *stats;

/* ---- programs ------------------------------------------------------------------------------ */

/* As bpf_token_capable() without a token. */
static bool has_cap(uint64_t caps, uint64_t cap)
{
	return (caps & cap) == cap || caps & BIT(CAP_SYS_ADMIN);
}

struct round {
	const struct kind *kind;
	enum shape shape;
	enum kfunc kfunc;
	enum bpf_attach_type attach_type;
	enum attach_target target;
	int prog;	/* which of target_progs */
	int array;	/* which of owned_arrays */
	int async;	/* which of async_maps */
	uint32_t flags;
	unsigned long long caps;
	bool gpl;
	bool strange;	/* changed in ways that make either answer right */
	bool mutated;	/* bits of its instructions were changed: nobody knows what it does */
	int tail_map;
	int fds[2];
	struct bpf_insn insns[MAX_INSNS];
	int count;
	struct bpf_func_info funcs[MAX_SUBPROGS];
	int func_count;
};

static int emit(struct round *r, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	struct bpf_insn *insn = &r->insns[r->count];

	if (r->count == MAX_INSNS) {
		fprintf(stderr, "fuzz: a program is too long\n");
		exit(3);
	}
	*insn = (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
	return r->count++;
}

static void emit_mov(struct round *r, int dst, int32_t imm)
{
	emit(r, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

static void emit_mov_reg(struct round *r, int dst, int src)
{
	emit(r, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void emit_ld64(struct round *r, int dst, int src, int32_t low)
{
	emit(r, BPF_LD | BPF_DW | BPF_IMM, dst, src, 0, low);
	emit(r, 0, 0, 0, 0, 0);
}

static void emit_helper(struct round *r, int func)
{
	emit(r, BPF_JMP | BPF_CALL, 0, 0, 0, func);
}

static void emit_exit(struct round *r)
{
	emit(r, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* A jump that patch_jump() gives its end. */
static int emit_jump(struct round *r, uint8_t op, int dst, int32_t imm)
{
	return emit(r, BPF_JMP | op | BPF_K, dst, 0, 0, imm);
}

static void patch_jump(struct round *r, int at)
{
	r->insns[at].off = r->count - at - 1;
}

/* Whatever; r6, the context, and r10 are left alone, and r7 to r9 have to be set before. */
static void emit_filler(struct round *r)
{
	static const uint8_t ops[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR, BPF_MOV };

	for (int n = below(6); n > 0; n--) {
		uint8_t size = percent(50) ? BPF_ALU64 : BPF_ALU;
		int dst = 7 + below(3), at;

		switch (below(5)) {
		case 0:
			emit(r, size | ops[below(ARRAY_SIZE(ops))] | BPF_X, dst, 7 + below(3), 0, 0);
			break;
		case 1:
			emit(r, BPF_STX | BPF_MEM | BPF_DW, 10, dst, -16 - 8 * below(4), 0);
			break;
		case 2:
			at = emit_jump(r, percent(50) ? BPF_JEQ : BPF_JGT, dst, below(16));
			emit(r, size | BPF_ADD | BPF_K, dst, 0, 0, below(1000));
			patch_jump(r, at);
			break;
		case 3:
			emit_helper(r, BPF_FUNC_ktime_get_ns);
			emit_mov_reg(r, dst, 0);
			break;
		default:
			emit(r, size | ops[below(ARRAY_SIZE(ops))] | BPF_K, dst, 0, 0, rng());
		}
	}
}

static void emit_prologue(struct round *r)
{
	for (int reg = 7; reg <= 9; reg++)
		emit_mov(r, reg, rng());
}

static void emit_kfunc_call(struct round *r)
{
	if (r->kfunc == KFUNC_2022) {
		emit_mov(r, 1, 0);
	} else {
		emit_mov(r, 3, 8);
		emit(r, BPF_ST | BPF_MEM | BPF_DW, 10, 0, -8, 0);
		emit_mov_reg(r, 2, 10);
		emit(r, BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -8);
		emit_ld64(r, 1, BPF_PSEUDO_MAP_VALUE, text_map);
	}
	emit(r, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, kfunc_ids[r->kfunc]);
}

static void begin_func(struct round *r, uint32_t type)
{
	r->funcs[r->func_count++] = (struct bpf_func_info){ .insn_off = r->count, .type_id = type };
}

/* A function of one number; calls to it are patched to get here. */
static void emit_sub(struct round *r, uint32_t type, int call)
{
	r->insns[call].imm = r->count - call - 1;
	begin_func(r, type);
	emit_prologue(r);
	emit_filler(r);
}

static int emit_sub_call(struct round *r)
{
	emit_mov(r, 1, below(100));
	return emit(r, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0);
}

static void end_func(struct round *r)
{
	emit_filler(r);
	emit_mov(r, 0, 0);
	emit_exit(r);
}

static void emit_tail_call(struct round *r, int map)
{
	emit_mov_reg(r, 1, 6);
	emit_ld64(r, 2, BPF_PSEUDO_MAP_FD, map);
	emit_mov(r, 3, below(3));
	emit_helper(r, BPF_FUNC_tail_call);
}

/* Jump over what follows, for a reason that the verifier knows or does not know. */
static int emit_skip(struct round *r, bool known)
{
	if (!known) {
		emit_helper(r, BPF_FUNC_get_prandom_u32);
		return emit_jump(r, percent(50) ? BPF_JEQ : BPF_JGT, 0, 1 + below(1000));
	}
	if (r->shape == DEAD_BOUNDS) {
		emit_helper(r, BPF_FUNC_get_prandom_u32);
		emit(r, BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 7);
		return emit_jump(r, BPF_JLT, 0, 8 + below(100));
	}
	emit_mov(r, 0, 5);
	return emit_jump(r, BPF_JEQ, 0, 5);
}

static int emit_loop(struct round *r, int rounds)
{
	int at;

	emit_mov(r, 1, rounds);
	at = r->count;
	emit_ld64(r, 2, BPF_PSEUDO_FUNC, 0);
	emit_mov(r, 3, 0);
	emit_mov(r, 4, 0);
	emit_helper(r, BPF_FUNC_loop);
	return at;
}

static void build(struct round *r)
{
	int call = -1, skip;

	/* an extension takes what the function takes that it replaces */
	begin_func(r, r->kind->type == BPF_PROG_TYPE_EXT ? prog_btf.ext : prog_btf.main);
	emit_mov_reg(r, 6, 1);
	emit_prologue(r);
	emit_filler(r);

	switch (r->shape) {
	case STRAIGHT:
		emit_kfunc_call(r);
		break;
	case UNKNOWN_BRANCH:
	case DEAD_BRANCH:
	case DEAD_BOUNDS:
		skip = emit_skip(r, r->shape != UNKNOWN_BRANCH);
		emit_kfunc_call(r);
		patch_jump(r, skip);
		break;
	case AFTER_TAIL_CALL:
		emit_tail_call(r, r->tail_map);
		emit_kfunc_call(r);
		break;
	case OWNED_ARRAY:
		emit_tail_call(r, owned_arrays[r->array]);
		break;
	case OWNED_ASYNC:
		emit_ld64(r, 7, BPF_PSEUDO_MAP_FD, async_maps[r->async].fd);
		emit_mov(r, 7, 0);
		break;
	case INNER_ASYNC:
		emit_ld64(r, 7, BPF_PSEUDO_MAP_FD, outer_map);
		emit_mov(r, 7, 0);
		break;
	case STATIC_SUB:
	case GLOBAL_SUB:
	case NESTED_SUB:
		call = emit_sub_call(r);
		break;
	case DEAD_STATIC_SUB:
	case DEAD_GLOBAL_SUB:
		skip = emit_skip(r, true);
		call = emit_sub_call(r);
		patch_jump(r, skip);
		break;
	case CALLBACK:
	case DEAD_CALLBACK:
		call = emit_loop(r, r->shape == CALLBACK ? 1 + below(5) : 0);
		break;
	case AFTER_EXIT:
		emit_mov(r, 0, 0);
		emit_exit(r);
		emit_kfunc_call(r);
		break;
	case IMM_0:
	case WRONG_ID:
		emit(r, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0,
		     r->shape == IMM_0 ? 0 : wrong_ids[below(ARRAY_SIZE(wrong_ids))]);
		break;
	case WRONG_FD:
		emit(r, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 1 + below(2), kfunc_ids[r->kfunc]);
		break;
	default:
		break;
	}
	end_func(r);

	switch (r->shape) {
	case STATIC_SUB:
	case DEAD_STATIC_SUB:
		emit_sub(r, prog_btf.static_sub, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	case GLOBAL_SUB:
	case DEAD_GLOBAL_SUB:
		emit_sub(r, prog_btf.global, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	case NESTED_SUB:
		emit_sub(r, prog_btf.static_sub, call);
		call = emit_sub_call(r);
		end_func(r);
		emit_sub(r, prog_btf.nested, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	case CALLBACK:
	case DEAD_CALLBACK:
		emit_sub(r, prog_btf.callback, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	default:
		break;
	}
}

static void mutate(struct round *r)
{
	for (int n = 1 + below(3); n > 0; n--) {
		unsigned char *bytes = (unsigned char *)&r->insns[below(r->count)];

		bytes[below(sizeof(r->insns[0]))] ^= percent(50) ? 1U << below(8) : below(256);
	}
}

/* ---- a round --------------------------------------------------------------------------------- */

enum verdict { MUST_LOAD, MUST_FAIL, EITHER };

static const char *const verdict_names[] = { "must load", "must fail", "either" };

static void choose(struct round *r)
{
	memset(r, 0, sizeof(*r));
	/* as many tracing programs as of all other types */
	do
		r->kind = &kinds[below(ARRAY_SIZE(kinds))];
	while (!gate_type(r->kind->type).flag && percent(55));
	r->shape = below(SHAPE_COUNT);
	/* the arrays belong to programs of the first kind */
	if (r->shape == OWNED_ARRAY && percent(70))
		r->kind = kinds;
	do
		r->kfunc = below(KFUNC_COUNT);
	while (!kfunc_ids[r->kfunc] || (r->kfunc == KFUNC_2022 && kfunc_count > 1 && percent(60)));
	r->attach_type = r->kind->attach_type;
	r->target = r->kind->target;
	r->prog = below(2);
	r->array = below(2);
	r->async = below(async_count);
	r->gpl = percent(93);
	r->flags = percent(55) ? BPF_F_DESTRUCTIVE : 0;
	if (percent(30))
		r->flags |= rng() & HARMLESS_FLAGS;
	if (percent(8)) {
		r->flags |= 1U << below(32);
		r->strange = true;
	}
	if (percent(8)) {
		/* past the end, too */
		r->attach_type = below(__MAX_BPF_ATTACH_TYPE + 3);
		r->strange = true;
	}
	if (percent(5)) {
		r->target = below(TARGET_COUNT);
		r->strange = true;
	}
	r->caps = all_caps;
	if (percent(50)) {
		/* SYS_ADMIN stands in for most others, so it is rarely there */
		r->caps = 0;
		for (size_t i = 0; i < ARRAY_SIZE(some_caps); i++)
			if (percent(some_caps[i] == BIT(CAP_SYS_ADMIN) ? 20 : 75))
				r->caps |= some_caps[i];
	}
	if (in_userns)
		r->caps = 0;
	r->mutated = percent(6);
}

static bool is_known(const struct round *r)
{
	return r->kind->plain && !r->strange && !r->mutated && r->gpl && !(r->flags & ~(HARMLESS_FLAGS | BPF_F_DESTRUCTIVE)) &&
	       has_cap(r->caps, BIT(CAP_BPF)) && has_cap(r->caps, r->kind->caps);
}

/* What the kernel has to answer, and, if all but the gate is right, how it has to say so. */
static enum verdict expect(const struct round *r, struct answer *exact)
{
	bool ext = r->kind->type == BPF_PROG_TYPE_EXT, flag = r->flags & BPF_F_DESTRUCTIVE;
	/* the programs to extend are kprobe programs */
	struct gate_type type = gate_type(ext ? BPF_PROG_TYPE_KPROBE : r->kind->type);
	struct facts is = {
		.flag = flag ? YES : NO,
		.type = type.flag ? YES : NO,
		.kfunc = type.kfunc ? YES : NO,
		.boot = r->caps & BIT(CAP_SYS_BOOT) ? YES : NO,
		.bpf = has_cap(r->caps, BIT(CAP_BPF)) ? YES : NO,
		.ext = ext ? YES : NO,
	};
	struct answer answer;

	if (r->target == TARGET_PROG)
		is.target = r->prog ? YES : NO;
	/* what is loaded of the mutated is judged by what the kernel says is in it */
	if (!r->mutated) {
		is.call = shape_calls(r->shape) ? YES : NO;
		is.arg = r->kfunc == KFUNC_2022 ? NO : YES;
		is.inner = r->shape == INNER_ASYNC ? YES : NO;
		if (r->shape == OWNED_ARRAY)
			is.array = r->array ? YES : NO;
		if (r->shape == OWNED_ASYNC)
			is.async = async_maps[r->async].flag ? YES : NO;
	}
	answer = gate_answer(&is);
	*exact = (struct answer){};
	if (r->flags & ~KNOWN_FLAGS || (shape_is_wrong(r->shape) && !r->mutated))
		return MUST_FAIL;
	if (answer.err) {
		if (is_known(r))
			*exact = answer;
		return MUST_FAIL;
	}
	if (r->shape == OWNED_ARRAY && r->kind != kinds)
		return EITHER;
	return is_known(r) ? MUST_LOAD : EITHER;
}

static int load(struct round *r, char *log, size_t log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		.expected_attach_type = r->attach_type,
		.prog_flags = r->flags,
		/* no listing of what is verified: only what is said of a refusal */
		.log_level = 4, .log_buf = log, .log_size = log_size,
	);
	int fd;

	opts.attach_btf_id = target_ids[r->target];
	if (r->target == TARGET_PROG)
		opts.attach_prog_fd = target_progs[r->prog];
	if (r->shape == WRONG_FD) {
		r->fds[1] = percent(50) ? prog_btf.fd : text_map;
		opts.fd_array = percent(50) ? r->fds : NULL;
	}
	if (r->func_count > 1 || r->kind->type == BPF_PROG_TYPE_EXT || percent(30)) {
		opts.prog_btf_fd = prog_btf.fd;
		opts.func_info = r->funcs;
		opts.func_info_cnt = r->func_count;
		opts.func_info_rec_size = sizeof(r->funcs[0]);
	}
	set_caps(in_userns ? permitted : (permitted & ~all_caps) | r->caps);
	/* libbpf tries again with a larger log, not with other programs */
	fd = bpf_prog_load(r->kind->type, "fuzz", r->gpl ? "GPL" : "Proprietary", r->insns, r->count, &opts);
	set_caps(permitted);
	return fd;
}

/* Is a destructive call left in what the kernel made of the program? */
static bool calls_destructive(int fd)
{
	struct bpf_insn insns[MAX_INSNS * 4];
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	info.xlated_prog_insns = (uintptr_t)insns;
	info.xlated_prog_len = sizeof(insns);
	if (bpf_prog_get_info_by_fd(fd, &info, &len))
		die("cannot read a program back");
	if (info.xlated_prog_len > sizeof(insns) || !info.xlated_prog_insns)
		die("a program cannot be read back whole");
	for (size_t i = 0; i < info.xlated_prog_len / sizeof(insns[0]); i++) {
		if (insns[i].code != (BPF_JMP | BPF_CALL) || insns[i].src_reg != BPF_PSEUDO_KFUNC_CALL)
			continue;
		for (int k = 0; k < KFUNC_COUNT; k++)
			if (kfunc_ids[k] && insns[i].imm == kfunc_imms[k])
				return true;
	}
	return false;
}

static void say_round(const struct round *r, unsigned long long number, const char *what, int err, const char *log)
{
	printf("fuzz: round %llu: %s: type %d, attach type %d, target %d, flags %#x, caps %#llx%s, "
	       "call %s (%s, %s), %s%s%s: %s\n%s\n",
	       number, what, r->kind->type, r->attach_type, r->target, r->flags, r->caps,
	       in_userns ? " in a user namespace" : "", shape_names[r->shape], kfunc_names[r->kfunc],
	       async_maps[r->async].name, r->gpl ? "GPL" : "not GPL", r->strange ? ", strange" : "",
	       r->mutated ? ", mutated" : "",
	       err < 0 ? strerror(-err) : "loaded", log);
}

static void do_load(unsigned long long number)
{
	static char log[64 * 1024];
	static struct round r;
	const char *wrong = NULL;
	struct gate_names names;
	struct answer exact, got = {};
	enum verdict verdict;
	bool calls = false;
	int fd;

	choose(&r);
	if (r.shape == AFTER_TAIL_CALL) {
		/* a fresh one: it belongs to the first program that uses it */
		r.tail_map = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "fuzz", 4, 4, 1, NULL);
		if (r.tail_map < 0 && !in_userns)
			die("cannot create a program array");
	}
	build(&r);
	if (r.mutated)
		mutate(&r);
	verdict = expect(&r, &exact);
	log[0] = 0;
	fd = load(&r, log, sizeof(log));
	names = (struct gate_names){
		r.kind->type == BPF_PROG_TYPE_EXT ? BPF_PROG_TYPE_KPROBE : r.kind->type, kfunc_names[r.kfunc],
		async_maps[r.async].name,
	};
	if (fd < 0)
		got = (struct answer){ fd, gate_msg(log, &names) };

	stats->rounds++;
	stats->userns += in_userns;
	stats->must_load += verdict == MUST_LOAD;
	stats->must_fail += verdict == MUST_FAIL;
	stats->either += verdict == EITHER;
	stats->by_shape[r.shape][fd >= 0]++;
	if (fd >= 0) {
		stats->loaded++;
		stats->loaded_flag += !!(r.flags & BPF_F_DESTRUCTIVE);
		stats->loaded_calls += shape_calls(r.shape);
		stats->mutated += r.mutated;
		/* a user namespace may not read programs */
		calls = !in_userns && calls_destructive(fd);
		stats->calls_seen += calls;
		close(fd);
	} else {
		stats->refused++;
		stats->by_gate[got.msg]++;
	}
	if (r.tail_map > 0)
		close(r.tail_map);

	if (verdict == MUST_FAIL && fd >= 0)
		wrong = "was loaded, and must not be";
	else if (verdict == MUST_LOAD && fd < 0)
		wrong = "was refused, and must not be";
	else if (calls && !(r.flags & BPF_F_DESTRUCTIVE))
		wrong = "was loaded without the flag, and there is a destructive call in it";
	else if (fd >= 0 && calls != shape_calls(r.shape) && !in_userns && !r.mutated)
		wrong = calls ? "has a destructive call that was to be dead" : "has lost its destructive call";
	else if (exact.err && (got.err != exact.err || got.msg != exact.msg))
		wrong = "was refused, but not by the gate that it has to meet";
	if (wrong)
		stats->unexpected++;
	if (wrong || verbose) {
		say_round(&r, number, wrong ?: verdict_names[verdict], fd, log);
		printf("fuzz: expected: %s, %d (%s); the answer came from: %s\n", verdict_names[verdict], exact.err,
		       gate_msg_text(exact.msg), gate_msg_text(got.msg));
	}
}

/* ---- doors ------------------------------------------------------------------------------------- */

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	int ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

/* Half of the time, a program that fits the door. */
static int prefer(int prog, enum bpf_prog_type type, enum bpf_attach_type attach_type)
{
	if (percent(50))
		return prog;
	for (int i = 0; i < door_count; i++)
		if (door_progs[i].type == type && door_progs[i].attach_type == attach_type)
			return i;
	return prog;
}

static int door_link(int prog, union bpf_attr *attr)
{
	if (percent(50)) {
		prog = prefer(prog, BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER);
		attr->link_create.prog_fd = door_progs[prog].fd;
		attr->link_create.attach_type = door_progs[prog].attach_type;
		return sys_bpf(BPF_LINK_CREATE, attr);
	}
	attr->link_create.prog_fd = door_progs[prog].fd;
	attr->link_create.attach_type = percent(50) ? door_progs[prog].attach_type : below(__MAX_BPF_ATTACH_TYPE);
	/* this one takes a map for the program */
	if (attr->link_create.attach_type == BPF_STRUCT_OPS)
		attr->link_create.attach_type = BPF_PERF_EVENT;
	attr->link_create.target_fd = percent(50) ? perf_fd : percent(50) ? 0 : (int)below(20);
	attr->link_create.flags = percent(80) ? 0 : rng();
	return sys_bpf(BPF_LINK_CREATE, attr);
}

static int door_raw_tp(int prog, union bpf_attr *attr)
{
	static const char *const names[] = { "task_newtask", "sched_process_exit", "no_such_tracepoint" };

	prog = prefer(prog, BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP);
	attr->raw_tracepoint.prog_fd = door_progs[prog].fd;
	if (door_progs[prog].type != BPF_PROG_TYPE_TRACING || percent(10))
		attr->raw_tracepoint.name = (uintptr_t)names[below(ARRAY_SIZE(names))];
	return sys_bpf(BPF_RAW_TRACEPOINT_OPEN, attr);
}

static int door_test_run(int prog, union bpf_attr *attr)
{
	static uint64_t args[12];

	prog = prefer(prog, BPF_PROG_TYPE_RAW_TRACEPOINT, 0);
	attr->test.prog_fd = door_progs[prog].fd;
	if (percent(30)) {
		attr->test.ctx_in = (uintptr_t)args;
		attr->test.ctx_size_in = sizeof(args);
	}
	return sys_bpf(BPF_PROG_TEST_RUN, attr);
}

static int door_perf(int prog, union bpf_attr *attr)
{
	(void)attr;
	prog = prefer(prog, BPF_PROG_TYPE_PERF_EVENT, 0);
	if (ioctl(perf_fd, PERF_EVENT_IOC_SET_BPF, door_progs[prog].fd))
		return -errno;
	/* the caller opens it again, or it would be busy for ever */
	return close(perf_fd);
}

static int door_array(int prog, union bpf_attr *attr)
{
	uint32_t key = below(4);

	(void)attr;
	prog = prefer(prog, BPF_PROG_TYPE_KPROBE, 0);
	return bpf_map_update_elem(tail_array, &key, &door_progs[prog].fd, BPF_ANY);
}

static int door_link_update(int prog, union bpf_attr *attr)
{
	prog = prefer(prog, BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER);
	attr->link_update.link_fd = percent(30) ? plain_link : iter_link;
	attr->link_update.new_prog_fd = door_progs[prog].fd;
	return sys_bpf(BPF_LINK_UPDATE, attr);
}

static int door_iter(int prog, union bpf_attr *attr)
{
	(void)prog;
	attr->iter_create.link_fd = iter_link;
	return sys_bpf(BPF_ITER_CREATE, attr);
}

static int door_pin(int prog, union bpf_attr *attr)
{
	int fd = open(PIN, O_RDONLY);

	(void)prog;
	(void)attr;
	return fd < 0 ? -errno : fd;
}

static int door_attach(int prog, union bpf_attr *attr)
{
	attr->target_fd = below(20);
	attr->attach_bpf_fd = door_progs[prog].fd;
	attr->attach_type = below(__MAX_BPF_ATTACH_TYPE + 2);
	attr->attach_flags = percent(80) ? 0 : rng();
	return sys_bpf(BPF_PROG_ATTACH, attr);
}

static int door_socket(int prog, union bpf_attr *attr)
{
	int option = percent(50) ? SO_ATTACH_BPF : SO_ATTACH_REUSEPORT_EBPF;

	(void)attr;
	return setsockopt(some_socket, SOL_SOCKET, option, &door_progs[prog].fd, sizeof(int)) ? -errno : 0;
}

/* Both only look at the program, or would. */
static int door_assoc(int prog, union bpf_attr *attr)
{
	attr->prog_assoc_struct_ops.prog_fd = door_progs[prog].fd;
	attr->prog_assoc_struct_ops.map_fd = text_map;
	return sys_bpf(BPF_PROG_ASSOC_STRUCT_OPS, attr);
}

static int door_bind(int prog, union bpf_attr *attr)
{
	attr->prog_bind_map.prog_fd = door_progs[prog].fd;
	attr->prog_bind_map.map_fd = text_map;
	return sys_bpf(BPF_PROG_BIND_MAP, attr);
}

/*
 * "eperm": without CAP_SYS_BOOT the answer is EPERM. "opens": with it, somebody gets in.
 * "looks": the door is open for all, as nothing is attached or run.
 */
static const struct {
	const char *name;
	int (*knock)(int prog, union bpf_attr *attr);
	bool eperm;
	bool opens;
	bool makes_fd;
	bool looks;
} doors[] = {
	{ "BPF_LINK_CREATE", door_link, true, true, true, false },
	{ "BPF_RAW_TRACEPOINT_OPEN", door_raw_tp, true, true, true, false },
	{ "BPF_PROG_TEST_RUN", door_test_run, true, true, false, false },
	{ "PERF_EVENT_IOC_SET_BPF", door_perf, true, true, false, false },
	{ "program array", door_array, true, true, false, false },
	{ "BPF_LINK_UPDATE", door_link_update, true, true, false, false },
	{ "BPF_ITER_CREATE", door_iter, true, true, true, false },
	{ "open() of a pinned iterator", door_pin, true, true, true, false },
	{ "BPF_PROG_ATTACH", door_attach, false, false, false, false },
	{ "SO_ATTACH_BPF", door_socket, false, false, false, false },
	{ "BPF_PROG_ASSOC_STRUCT_OPS", door_assoc, true, false, false, false },
	{ "BPF_PROG_BIND_MAP", door_bind, false, true, false, true },
};

static void open_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000000,
		.disabled = 1,
	};

	perf_fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (perf_fd < 0)
		die("perf_event_open");
}

static void do_door(unsigned long long number)
{
	/* The doors are tried with the capability, too: a door that nobody gets through says nothing. */
	bool allowed = !in_userns && percent(25);
	int door = below(ARRAY_SIZE(doors)), prog = below(door_count), ret;
	union bpf_attr attr;
	bool bad;

	memset(&attr, 0, sizeof(attr));
	set_caps(allowed || in_userns ? permitted : permitted & ~BIT(CAP_SYS_BOOT));
	ret = doors[door].knock(prog, &attr);
	set_caps(permitted);
	if (doors[door].makes_fd && ret >= 0)
		close(ret);
	if (doors[door].knock == door_perf && ret >= 0)
		open_perf();

	stats->by_door[door][allowed]++;
	if (allowed) {
		stats->doors_open += ret >= 0;
		stats->doors_not_open += ret < 0;
		bad = doors[door].looks ? ret < 0 : ret >= 0 && !doors[door].opens;
		stats->door_opened[door] += ret >= 0;
	} else {
		stats->doors_shut++;
		stats->doors_eperm += ret == -EPERM;
		bad = doors[door].looks ? ret < 0 : ret >= 0 || (doors[door].eperm && ret != -EPERM);
	}
	stats->unexpected += bad;
	if (bad || verbose)
		printf("fuzz: round %llu: door %s, program of type %d, %s CAP_SYS_BOOT%s: %s%s\n",
		       number, doors[door].name, door_progs[prog].type,
		       allowed ? "with" : "without", in_userns ? " in a user namespace" : "",
		       ret < 0 ? strerror(-ret) : "open", bad ? ", and that is wrong" : "");
}

/* An extension gets another target than the one that it was loaded for, or the same again. */
static void do_retarget(unsigned long long number)
{
	bool allowed = !in_userns && percent(60);
	int prog = below(2), target = below(2), ret;
	LIBBPF_OPTS(bpf_link_create_opts, opts, .target_btf_id = prog_btf.global);
	struct facts is = {
		.flag = prog ? YES : NO,
		.type = YES,
		.boot = allowed ? YES : NO,
		.ext = YES,
		.target = target ? YES : NO,
	};
	/* Both are taken by file descriptor, which asks for the capability first. */
	int want = (prog || target) && !allowed ? -EPERM : gate_answer(&is).err;

	set_caps(allowed || in_userns ? permitted : permitted & ~BIT(CAP_SYS_BOOT));
	ret = bpf_link_create(exts[prog], target_progs[target], 0, &opts);
	set_caps(permitted);
	if (ret >= 0) {
		close(ret);
		ret = 0;
	}
	stats->retargets[ret == -EPERM ? 2 : !!ret]++;
	stats->unexpected += ret != want;
	if (ret != want || verbose)
		printf("fuzz: round %llu: extension %s flag to target %s flag, %s CAP_SYS_BOOT%s: %s, expected %s\n",
		       number, prog ? "with" : "without", target ? "with" : "without",
		       allowed ? "with" : "without", in_userns ? " in a user namespace" : "", strerror(-ret),
		       strerror(-want));
}

/* ---- set-up -------------------------------------------------------------------------------------- */

static uint64_t symbol(const char *name)
{
	static FILE *kallsyms;
	char line[512], found[256];
	unsigned long long address;

	if (!kallsyms)
		kallsyms = fopen("/proc/kallsyms", "r");
	if (!kallsyms)
		die("/proc/kallsyms");
	rewind(kallsyms);
	while (fgets(line, sizeof(line), kallsyms))
		if (sscanf(line, "%llx %*c %255s", &address, found) == 2 && !strcmp(found, name))
			return address;
	errno = ENOENT;
	die("symbol %s", name);
	return 0;
}

static void find_ids(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	uint64_t base = symbol("__bpf_call_base");

	if (!btf)
		die("no BTF of the kernel");
	for (int i = 0; i < KFUNC_COUNT; i++) {
		int id = btf__find_by_name_kind(btf, kfunc_names[i], BTF_KIND_FUNC);

		/* a kernel with the gate alone has the last one only */
		if (id <= 0 && i != KFUNC_2022)
			continue;
		kfunc_ids[i] = find_type(btf, kfunc_names[i], BTF_KIND_FUNC);
		kfunc_imms[i] = symbol(kfunc_names[i]) - base;
		kfunc_count++;
	}
	for (size_t i = 1; i < ARRAY_SIZE(target_names); i++)
		target_ids[i] = find_type(btf, target_names[i].name, target_names[i].kind);
	/* functions that are no kfuncs, what is no function, and what is nothing */
	wrong_ids[0] = find_type(btf, "panic", BTF_KIND_FUNC);
	wrong_ids[1] = find_type(btf, "emergency_restart", BTF_KIND_FUNC);
	wrong_ids[2] = find_type(btf, "task_struct", BTF_KIND_STRUCT);
	wrong_ids[3] = btf__type_cnt(btf) + 5;
	wrong_ids[4] = -1;
	btf__free(btf);
}

static void make_text(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_RDONLY_PROG);
	uint32_t zero = 0;

	text_map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "text", 4, sizeof(text_value), 1, &opts);
	if (text_map < 0 || bpf_map_update_elem(text_map, &zero, text_value, 0) || bpf_map_freeze(text_map))
		die("cannot make the map of the message");
}

static const struct kind *find_kind(enum bpf_prog_type type)
{
	const struct kind *kind = kinds;

	while (kind->type != type)
		kind++;
	return kind;
}

/* A program that does nothing that matters; "which" is the program or map that it goes with. */
static int load_plain(const struct kind *kind, bool flag, enum shape shape, int which)
{
	static struct round r;
	char log[4096] = "";
	int fd;

	r = (struct round){
		.kind = kind, .shape = shape, .attach_type = kind->attach_type, .target = kind->target,
		.prog = which, .array = which, .async = which, .flags = flag ? BPF_F_DESTRUCTIVE : 0,
		.caps = all_caps, .gpl = true,
	};
	build(&r);
	fd = load(&r, log, sizeof(log));
	if (fd < 0)
		die("cannot load a program of type %d: %s", kind->type, log);
	return fd;
}

static int make_array(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "owned", 4, 4, 4, NULL);

	if (fd < 0)
		die("cannot create a program array");
	return fd;
}

static int make_async(const char *name, int value, bool flag)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .btf_fd = prog_btf.fd, .btf_key_type_id = prog_btf.num,
		    .btf_value_type_id = prog_btf.async_values[value]);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, ASYNC_VALUE_SIZE, 1, &opts);

	if (fd < 0)
		die("cannot create map %s", name);
	snprintf(async_maps[async_count].name, BPF_OBJ_NAME_LEN, "%s", name);
	async_maps[async_count].flag = flag;
	async_maps[async_count].fd = fd;
	return async_count++;
}

/* Each belongs to the first program that is loaded with it, or to the map that it is in. */
static void make_async_maps(void)
{
	static const char *const names[][2] = {
		{ "plain_timer", "flag_timer" }, { "plain_wq", "flag_wq" }, { "plain_work", "flag_work" },
	};
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	uint32_t zero = 0;
	int inner;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (int flag = 0; flag < 2; flag++)
			close(load_plain(find_kind(BPF_PROG_TYPE_KPROBE), flag, OWNED_ASYNC,
					 make_async(names[i][flag], i, flag)));
	inner = async_maps[make_async("inner_timer", 0, false)].fd;
	opts.inner_map_fd = inner;
	outer_map = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer", 4, 4, 1, &opts);
	/* it takes a map that belongs to nobody, but not one of programs with the flag */
	if (outer_map < 0 || bpf_map_update_elem(outer_map, &zero, &inner, BPF_ANY))
		die("cannot make a map of maps");
	if (!bpf_map_update_elem(outer_map, &zero, &async_maps[1].fd, BPF_ANY)) {
		errno = EEXIST;
		die("an inner map is one of programs with the flag");
	}
}

static void make_doors(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *kind = &kinds[i];

		if (!gate_type(kind->type).flag)
			continue;
		door_progs[door_count].type = kind->type;
		door_progs[door_count].attach_type = kind->attach_type;
		door_progs[door_count++].fd = load_plain(kind, true, NOWHERE, 1);
		if (kind->attach_type == BPF_TRACE_ITER) {
			iter_link = bpf_link_create(door_progs[door_count - 1].fd, 0, BPF_TRACE_ITER, NULL);
			unlink(PIN);
			if (iter_link < 0 || bpf_obj_pin(iter_link, PIN))
				die("cannot pin a link of an iterator");
		}
	}
	plain_link = bpf_raw_tracepoint_open("task_newtask", load_plain(find_kind(BPF_PROG_TYPE_RAW_TRACEPOINT), false,
									NOWHERE, 0));
	if (plain_link < 0)
		die("cannot attach a program that is not destructive");
	some_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	open_perf();
}

static void set_up(void)
{
	struct target target = { .type = BPF_PROG_TYPE_KPROBE };

	read_caps();
	if ((permitted & all_caps) != all_caps) {
		errno = EPERM;
		die("not all capabilities are there");
	}
	set_caps(permitted);
	find_ids();
	make_prog_btf(&prog_btf);
	target_ids[TARGET_PROG] = prog_btf.global;
	make_text();
	for (int i = 0; i < 2; i++) {
		target.flags = i ? BPF_F_DESTRUCTIVE : 0;
		target_progs[i] = load_target(&target, &prog_btf);
		if (target_progs[i] < 0)
			die("cannot load a program to extend");
		exts[i] = load_plain(find_kind(BPF_PROG_TYPE_EXT), i, NOWHERE, i);
		owned_arrays[i] = make_array();
		/* it owns the array from now on */
		load_plain(find_kind(BPF_PROG_TYPE_KPROBE), i, OWNED_ARRAY, i);
	}
	tail_array = make_array();
	make_async_maps();
	make_doors();
	stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stats == MAP_FAILED)
		die("mmap");
}

/* ---- main ------------------------------------------------------------------------------------------ */

static void do_round(unsigned long long seed, unsigned long long number)
{
	rng_state = seed + number * 0x2545f4914f6cdd1dULL;
	rng();
	if (percent(2))
		do_retarget(number);
	else if (percent(12))
		do_door(number);
	else
		do_load(number);
}

/* Rounds by a process that has every capability there is, but in a user namespace of its own. */
static void do_rounds_in_userns(unsigned long long seed, unsigned long long first, unsigned long long end)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		if (unshare(CLONE_NEWUSER))
			die("no user namespace");
		in_userns = true;
		read_caps();
		for (unsigned long long i = first; i < end; i++)
			do_round(seed, i);
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) < 0 || status) {
		errno = ECHILD;
		die("a child in a user namespace failed");
	}
}

static bool report(unsigned long long seed)
{
	bool good = !stats->unexpected && stats->loaded && stats->userns &&
		    (kfunc_count == 1 || (stats->loaded_calls && stats->calls_seen));

	printf("fuzz: seed %llu: %llu loads: %llu refused, %llu loaded, %llu of them with the flag, "
	       "%llu with a destructive call\n",
	       seed, stats->rounds, stats->refused, stats->loaded, stats->loaded_flag, stats->loaded_calls);
	for (int i = MSG_NONE + 1; i < NR_MSGS; i++) {
		printf("fuzz: refused %llu: %s\n", stats->by_gate[i], gate_msg_text(i));
		/* few programs load without CAP_BPF */
		good = good && (stats->by_gate[i] || i == MSG_UNPRIV);
	}
	printf("fuzz: extensions: %llu got a target, %llu not that one, %llu not without CAP_SYS_BOOT\n",
	       stats->retargets[0], stats->retargets[1], stats->retargets[2]);
	good = good && stats->retargets[0] && stats->retargets[1] && stats->retargets[2];
	printf("fuzz: known before: %llu must load, %llu must fail; %llu either; %llu in user namespaces; "
	       "%llu loaded with bits changed\n",
	       stats->must_load, stats->must_fail, stats->either, stats->userns, stats->mutated);
	for (int i = 0; i < SHAPE_COUNT; i++)
		printf("fuzz: call %s: %llu loaded, %llu refused\n", shape_names[i], stats->by_shape[i][1],
		       stats->by_shape[i][0]);
	printf("fuzz: doors: %llu tries without CAP_SYS_BOOT, %llu EPERM; with it %llu open, %llu not\n",
	       stats->doors_shut, stats->doors_eperm, stats->doors_open, stats->doors_not_open);
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		printf("fuzz: door %s: %llu tries without, %llu with, which opened it %llu times\n", doors[i].name,
		       stats->by_door[i][0], stats->by_door[i][1], stats->door_opened[i]);
		good = good && stats->by_door[i][0] && !stats->door_opened[i] == !doors[i].opens;
	}
	printf("fuzz: unexpected answers: %llu\n", stats->unexpected);
	printf("fuzz: %s\n", good ? "passed" : "FAILED");
	return good;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "first", required_argument, NULL, 'f' },
		{ "count", required_argument, NULL, 'c' },
		{ "verbose", no_argument, NULL, 'v' },
		{},
	};
	unsigned long long seed = 0, first = 0, count = 20000;
	int opt;

	if (getrandom(&seed, 4, 0) != 4)
		die("getrandom");
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			first = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			count = strtoull(optarg, NULL, 0);
			break;
		case 'v':
			verbose = true;
			break;
		default:
			fprintf(stderr, "usage: fuzz [--seed N] [--first ROUND] [--count ROUNDS] [--verbose]\n");
			return 64;
		}
	}
	if (!in_our_vm()) {
		fprintf(stderr, "fuzz: this is not the test VM: a kernel with a bug in its gates could go down\n");
		return 65;
	}
	/* known before anything can go wrong */
	printf("fuzz: seed %llu, rounds %llu to %llu\n", seed, first,
	       (first + count - 1));
	fflush(stdout);
	set_up();
	for (unsigned long long i = first; i < first + count; i++) {
		unsigned long long batch = i / USERNS_ROUNDS, end = (batch + 1) * USERNS_ROUNDS;

		/* as a function of the number, so that a round can be had alone */
		if (batch % 50 != 7) {
			do_round(seed, i);
			continue;
		}
		end = end < first + count ? end : first + count;
		do_rounds_in_userns(seed, i, end);
		i = end - 1;
	}
	unlink(PIN);
	return report(seed) ? 0 : 1;
}

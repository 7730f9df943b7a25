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
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
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
#include "guard.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1ULL << (n))
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
enum target {
	NO_TARGET,
	TARGET_FUNC,
	TARGET_FMOD,
	TARGET_TP,
	TARGET_ITER,
	TARGET_LSM,
	TARGET_COUNT,
};

static const struct {
	const char *name;
	uint32_t kind;
} target_names[TARGET_COUNT] = {
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
	enum target target;
	bool tracing;
	bool plain;
	uint64_t caps; /* besides CAP_BPF */
};

#define PERFMON BIT(CAP_PERFMON)
#define NET_ADMIN BIT(CAP_NET_ADMIN)

static const struct kind kinds[] = {
	{ BPF_PROG_TYPE_KPROBE, 0, NO_TARGET, true, true, PERFMON },
	{ BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, NO_TARGET, true, true, PERFMON },
	{ BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_SESSION, NO_TARGET, true, true, PERFMON },
	{ BPF_PROG_TYPE_KPROBE, BPF_TRACE_UPROBE_MULTI, NO_TARGET, true, true, PERFMON },
	{ BPF_PROG_TYPE_KPROBE, BPF_TRACE_UPROBE_SESSION, NO_TARGET, true, true, PERFMON },
	{ BPF_PROG_TYPE_TRACEPOINT, 0, NO_TARGET, true, true, PERFMON },
	{ BPF_PROG_TYPE_PERF_EVENT, 0, NO_TARGET, true, true, PERFMON },
	{ BPF_PROG_TYPE_RAW_TRACEPOINT, 0, NO_TARGET, true, true, PERFMON },
	{ BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0, NO_TARGET, true, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, TARGET_TP, true, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, TARGET_FUNC, true, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, TARGET_FUNC, true, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FSESSION, TARGET_FUNC, true, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, TARGET_FMOD, true, true, PERFMON },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, TARGET_ITER, true, true, PERFMON },
	{ BPF_PROG_TYPE_LSM, BPF_LSM_MAC, TARGET_LSM, false, true, PERFMON },
	{ BPF_PROG_TYPE_LSM, BPF_LSM_CGROUP, TARGET_LSM, false, false, PERFMON },
	{ BPF_PROG_TYPE_SOCKET_FILTER, 0, NO_TARGET, false, true, 0 },
	{ BPF_PROG_TYPE_SCHED_CLS, 0, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_SCHED_ACT, 0, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_XDP, 0, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_SKB, 0, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_SOCK, 0, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_LWT_IN, 0, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_LWT_OUT, 0, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_LWT_XMIT, 0, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_LWT_SEG6LOCAL, 0, NO_TARGET, false, false, NET_ADMIN },
	{ BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_SK_SKB, 0, NO_TARGET, false, false, NET_ADMIN },
	{ BPF_PROG_TYPE_SK_MSG, 0, NO_TARGET, false, false, NET_ADMIN },
	{ BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT, NO_TARGET, false, false, 0 },
	{ BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR, NO_TARGET, false, false, NET_ADMIN },
	{ BPF_PROG_TYPE_STRUCT_OPS, 0, NO_TARGET, false, false, NET_ADMIN },
	{ BPF_PROG_TYPE_SYSCALL, 0, NO_TARGET, false, false, 0 },
	{ BPF_PROG_TYPE_NETFILTER, BPF_NETFILTER, NO_TARGET, false, true, NET_ADMIN },
	{ BPF_PROG_TYPE_EXT, 0, NO_TARGET, false, false, PERFMON | NET_ADMIN },
	{ BPF_PROG_TYPE_UNSPEC, 0, NO_TARGET, false, false, 0 },
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
	"bpf_vpanic", "bpf_vpr_emerg", "bpf_halt", "bpf_restart", "bpf_power_off", "bpf_crash_kexec",
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
	IMM_0,			/* what libbpf leaves of a weak kfunc that is not there */
	WRONG_ID,		/* no kfunc */
	WRONG_FD,		/* a kfunc of a BTF that is none, or not the kernel's */
	SHAPE_COUNT,
};

static const char *const shape_names[SHAPE_COUNT] = {
	"nowhere", "straight", "unknown branch", "after tail call", "static subprogram", "global subprogram",
	"nested subprogram", "callback", "dead branch", "dead by bounds", "dead static subprogram",
	"dead global subprogram", "dead callback", "after exit", "owned array", "imm 0", "wrong id", "wrong fd",
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
static int prog_btf;
static uint32_t func_main, func_ext, func_static, func_global, func_nested, func_callback;
static int text_map;
static char text_value[16] = "fuzz";
/* For extensions and program arrays: a program without the flag and one with it. */
static int ext_targets[2], owned_arrays[2];
/* Flagged programs that do nothing, and all that is needed to knock at doors with them. */
static struct {
	enum bpf_prog_type type;
	enum bpf_attach_type attach_type;
	int fd;
} door_progs[16];
static int door_count;
static int plain_link, iter_link, tail_array, perf_fd, some_socket;
static bool in_userns;
static bool verbose;

static struct stats {
	uint64_t rounds, loaded, loaded_flag, loaded_calls, refused;
	uint64_t gate_call, gate_type, gate_cap, gate_ext;
	uint64_t must_load, must_fail, either;
	uint64_t userns, calls_seen, mutated;
	uint64_t doors_shut, doors_eperm, doors_open, doors_not_open;
	uint64_t unexpected;
	uint64_t by_shape[SHAPE_COUNT][2];
	uint64_t by_door[16][2], door_opened[16];
} *stats;

static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "fuzz: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, ": %s\n", strerror(errno));
	va_end(args);
	exit(3);
}

/* ---- capabilities ------------------------------------------------------------------------ */

static uint64_t permitted;

static void set_caps(uint64_t effective)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	for (int i = 0; i < 2; i++) {
		data[i].permitted = permitted >> (32 * i);
		data[i].effective = effective >> (32 * i);
	}
	if (syscall(SYS_capset, &header, data))
		die("capset");
}

static void read_caps(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capget, &header, data))
		die("capget");
	permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
}

/* As bpf_token_capable() without a token. */
static bool has_cap(uint64_t caps, uint64_t cap)
{
	return (caps & cap) == cap || caps & BIT(CAP_SYS_ADMIN);
}

/* ---- programs ------------------------------------------------------------------------------ */

struct round {
	const struct kind *kind;
	enum shape shape;
	enum kfunc kfunc;
	enum bpf_attach_type attach_type;
	enum target target;
	int ext;	/* which of ext_targets */
	int array;	/* which of owned_arrays */
	uint32_t flags;
	uint64_t caps;
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
	switch (r->kfunc) {
	case KFUNC_VPANIC:
	case KFUNC_VPR_EMERG:
		emit_mov(r, 3, 8);
		emit(r, BPF_ST | BPF_MEM | BPF_DW, 10, 0, -8, 0);
		emit_mov_reg(r, 2, 10);
		emit(r, BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -8);
		emit_ld64(r, 1, BPF_PSEUDO_MAP_VALUE, text_map);
		break;
	case KFUNC_2022:
		emit_mov(r, 1, 0);
		break;
	default:
		break;
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
	begin_func(r, r->kind->type == BPF_PROG_TYPE_EXT ? func_ext : func_main);
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
		emit_sub(r, func_static, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	case GLOBAL_SUB:
	case DEAD_GLOBAL_SUB:
		emit_sub(r, func_global, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	case NESTED_SUB:
		emit_sub(r, func_static, call);
		call = emit_sub_call(r);
		end_func(r);
		emit_sub(r, func_nested, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	case CALLBACK:
	case DEAD_CALLBACK:
		emit_sub(r, func_callback, call);
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

enum answer { MUST_LOAD, MUST_FAIL, EITHER };
enum gate { NO_GATE, GATE_CALL, GATE_TYPE, GATE_CAP, GATE_EXT };

static const char *const answer_names[] = { "must load", "must fail", "either" };
static const char *const gate_names[] = { "none", "call", "type", "capability", "extension" };

static void choose(struct round *r)
{
	memset(r, 0, sizeof(*r));
	/* as many tracing programs as of all other types */
	do
		r->kind = &kinds[below(ARRAY_SIZE(kinds))];
	while (!r->kind->tracing && percent(55));
	r->shape = below(SHAPE_COUNT);
	r->kfunc = below(percent(90) ? KFUNC_2022 : KFUNC_COUNT);
	r->attach_type = r->kind->attach_type;
	r->target = r->kind->target;
	r->ext = below(2);
	r->array = below(2);
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

/* What the kernel has to answer, and, if it has to refuse and all else is right, by which gate. */
static enum answer expect(const struct round *r, enum gate *gate)
{
	bool flag = r->flags & BPF_F_DESTRUCTIVE, known = is_known(r);
	bool ext = r->kind->type == BPF_PROG_TYPE_EXT;

	*gate = NO_GATE;
	if (r->flags & ~KNOWN_FLAGS)
		return MUST_FAIL;
	if (flag && !r->kind->tracing && !ext) {
		/* a kfunc that is none is found out before that */
		*gate = known && !shape_is_wrong(r->shape) ? GATE_TYPE : NO_GATE;
		return MUST_FAIL;
	}
	if (flag && !(r->caps & BIT(CAP_SYS_BOOT))) {
		*gate = known && !shape_is_wrong(r->shape) ? GATE_CAP : NO_GATE;
		return MUST_FAIL;
	}
	/* the targets are kprobe programs */
	if (ext && flag != (r->ext == 1))
		return MUST_FAIL;
	/* what is loaded of these is judged by what the kernel says is in it */
	if (r->mutated)
		return EITHER;
	if (shape_calls(r->shape) && !flag) {
		*gate = known && r->kind->tracing && (r->kfunc != KFUNC_2022 || r->kind->type != BPF_PROG_TYPE_KPROBE) ?
			GATE_CALL : NO_GATE;
		return MUST_FAIL;
	}
	if (r->shape == OWNED_ARRAY && flag != (r->array == 1))
		return MUST_FAIL;
	if (shape_is_wrong(r->shape))
		return MUST_FAIL;
	if (!known || !r->kind->tracing)
		return EITHER;
	if (r->shape == OWNED_ARRAY && (r->kind->type != BPF_PROG_TYPE_KPROBE || r->attach_type))
		return EITHER;
	/* refused for its argument wherever it is looked at */
	if (r->kfunc == KFUNC_2022 && shape_calls(r->shape))
		return MUST_FAIL;
	return MUST_LOAD;
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

	if (r->target)
		opts.attach_btf_id = target_ids[r->target];
	if (r->kind->type == BPF_PROG_TYPE_EXT) {
		opts.attach_prog_fd = ext_targets[r->ext];
		opts.attach_btf_id = func_global;
	}
	if (r->shape == WRONG_FD) {
		r->fds[1] = percent(50) ? prog_btf : text_map;
		opts.fd_array = percent(50) ? r->fds : NULL;
	}
	if (r->func_count > 1 || r->kind->type == BPF_PROG_TYPE_EXT || percent(30)) {
		opts.prog_btf_fd = prog_btf;
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
			if (insns[i].imm == kfunc_imms[k])
				return true;
	}
	return false;
}

static enum gate find_gate(int err, const char *log)
{
	static const struct {
		const char *text;
		enum gate gate;
		int err;
	} gates[] = {
		{ "requires the BPF_F_DESTRUCTIVE load flag", GATE_CALL, -EACCES },
		{ "is not a tracing type", GATE_TYPE, -EINVAL },
		{ "it requires CAP_SYS_BOOT in the initial user namespace", GATE_CAP, -EPERM },
		{ "load both with the flag or both without", GATE_EXT, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
		if (err == gates[i].err && strstr(log, gates[i].text))
			return gates[i].gate;
	return NO_GATE;
}

static void say_round(const struct round *r, uint64_t number, const char *what, int err, const char *log)
{
	printf("fuzz: round %llu: %s: type %d, attach type %d, target %d, flags %#x, caps %#llx%s, "
	       "call %s (%s), %s%s%s: %s\n%s\n",
	       (unsigned long long)number, what, r->kind->type, r->attach_type, r->target, r->flags,
	       (unsigned long long)r->caps, in_userns ? " in a user namespace" : "", shape_names[r->shape],
	       kfunc_names[r->kfunc], r->gpl ? "GPL" : "not GPL", r->strange ? ", strange" : "", r->mutated ? ", mutated" : "",
	       err < 0 ? strerror(-err) : "loaded", log);
}

static void do_load(uint64_t number)
{
	static char log[64 * 1024];
	static struct round r;
	const char *wrong = NULL;
	enum answer answer;
	enum gate gate, got;
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
	answer = expect(&r, &gate);
	log[0] = 0;
	fd = load(&r, log, sizeof(log));
	got = fd < 0 ? find_gate(fd, log) : NO_GATE;

	stats->rounds++;
	stats->userns += in_userns;
	stats->must_load += answer == MUST_LOAD;
	stats->must_fail += answer == MUST_FAIL;
	stats->either += answer == EITHER;
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
		stats->gate_call += got == GATE_CALL;
		stats->gate_type += got == GATE_TYPE;
		stats->gate_cap += got == GATE_CAP;
		stats->gate_ext += got == GATE_EXT;
	}
	if (r.tail_map > 0)
		close(r.tail_map);

	if (answer == MUST_FAIL && fd >= 0)
		wrong = "was loaded, and must not be";
	else if (answer == MUST_LOAD && fd < 0)
		wrong = "was refused, and must not be";
	else if (calls && !(r.flags & BPF_F_DESTRUCTIVE))
		wrong = "was loaded without the flag, and there is a destructive call in it";
	else if (fd >= 0 && calls != shape_calls(r.shape) && !in_userns && !r.mutated)
		wrong = calls ? "has a destructive call that was to be dead" : "has lost its destructive call";
	else if (gate != NO_GATE && got != gate)
		wrong = "was refused, but not by the gate that it has to meet";
	if (wrong)
		stats->unexpected++;
	if (wrong || verbose) {
		say_round(&r, number, wrong ?: answer_names[answer], fd, log);
		printf("fuzz: expected: %s, gate %s; the answer came from gate %s\n", answer_names[answer],
		       gate_names[gate], gate_names[got]);
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

/* "eperm": without CAP_SYS_BOOT the answer is EPERM. "opens": with it, somebody gets in. */
static const struct {
	const char *name;
	int (*knock)(int prog, union bpf_attr *attr);
	bool eperm;
	bool opens;
	bool makes_fd;
} doors[] = {
	{ "BPF_LINK_CREATE", door_link, true, true, true },
	{ "BPF_RAW_TRACEPOINT_OPEN", door_raw_tp, true, true, true },
	{ "BPF_PROG_TEST_RUN", door_test_run, true, true, false },
	{ "PERF_EVENT_IOC_SET_BPF", door_perf, true, true, false },
	{ "program array", door_array, true, true, false },
	{ "BPF_LINK_UPDATE", door_link_update, true, true, false },
	{ "BPF_ITER_CREATE", door_iter, true, true, true },
	{ "open() of a pinned iterator", door_pin, true, true, true },
	{ "BPF_PROG_ATTACH", door_attach, false, false, false },
	{ "SO_ATTACH_BPF", door_socket, false, false, false },
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

static void do_door(uint64_t number)
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
		bad = ret >= 0 && !doors[door].opens;
		stats->door_opened[door] += ret >= 0;
	} else {
		stats->doors_shut++;
		stats->doors_eperm += ret == -EPERM;
		bad = ret >= 0 || (doors[door].eperm && ret != -EPERM);
	}
	stats->unexpected += bad;
	if (bad || verbose)
		printf("fuzz: round %llu: door %s, program of type %d, %s CAP_SYS_BOOT%s: %s%s\n",
		       (unsigned long long)number, doors[door].name, door_progs[prog].type,
		       allowed ? "with" : "without", in_userns ? " in a user namespace" : "",
		       ret < 0 ? strerror(-ret) : "open", bad ? ", and that is wrong" : "");
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

static uint32_t find_type(const struct btf *btf, const char *name, uint32_t kind)
{
	int id = btf__find_by_name_kind(btf, name, kind);

	if (id <= 0) {
		errno = ENOENT;
		die("no BTF of %s", name);
	}
	return id;
}

static void find_ids(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	uint64_t base = symbol("__bpf_call_base");

	if (!btf)
		die("no BTF of the kernel");
	for (int i = 0; i < KFUNC_COUNT; i++) {
		kfunc_ids[i] = find_type(btf, kfunc_names[i], BTF_KIND_FUNC);
		kfunc_imms[i] = symbol(kfunc_names[i]) - base;
	}
	for (int i = 1; i < TARGET_COUNT; i++)
		target_ids[i] = find_type(btf, target_names[i].name, target_names[i].kind);
	/* functions that are no kfuncs, what is no function, and what is nothing */
	wrong_ids[0] = find_type(btf, "panic", BTF_KIND_FUNC);
	wrong_ids[1] = find_type(btf, "emergency_restart", BTF_KIND_FUNC);
	wrong_ids[2] = find_type(btf, "task_struct", BTF_KIND_STRUCT);
	wrong_ids[3] = btf__type_cnt(btf) + 5;
	wrong_ids[4] = -1;
	btf__free(btf);
}

static void make_btf(void)
{
	struct btf *btf = btf__new_empty();
	int num, ptr, proto_ctx, proto_num, proto_cb;

	if (!btf)
		die("no BTF");
	num = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	ptr = btf__add_ptr(btf, 0);
	proto_ctx = btf__add_func_proto(btf, num);
	btf__add_func_param(btf, "ctx", ptr);
	proto_num = btf__add_func_proto(btf, num);
	btf__add_func_param(btf, "n", num);
	proto_cb = btf__add_func_proto(btf, num);
	btf__add_func_param(btf, "i", num);
	btf__add_func_param(btf, "ctx", ptr);
	func_main = btf__add_func(btf, "fuzz", BTF_FUNC_GLOBAL, proto_ctx);
	func_ext = btf__add_func(btf, "fuzz_ext", BTF_FUNC_GLOBAL, proto_num);
	func_static = btf__add_func(btf, "fuzz_static", BTF_FUNC_STATIC, proto_num);
	func_global = btf__add_func(btf, "fuzz_global", BTF_FUNC_GLOBAL, proto_num);
	func_nested = btf__add_func(btf, "fuzz_nested", BTF_FUNC_STATIC, proto_num);
	func_callback = btf__add_func(btf, "fuzz_callback", BTF_FUNC_STATIC, proto_cb);
	if (btf__load_into_kernel(btf))
		die("cannot load BTF");
	prog_btf = btf__fd(btf);
}

static void make_text(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_RDONLY_PROG);
	uint32_t zero = 0;

	text_map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "text", 4, sizeof(text_value), 1, &opts);
	if (text_map < 0 || bpf_map_update_elem(text_map, &zero, text_value, 0) || bpf_map_freeze(text_map))
		die("cannot make the map of the message");
}

/* A program that returns 0, after a call of a global function or a tail call if that is asked for. */
static int load_plain(enum bpf_prog_type type, enum bpf_attach_type attach_type, enum target target,
		      uint32_t flags, bool with_global, int array)
{
	static const struct kind any = { 0 };
	static struct round r;
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type, .prog_flags = flags);
	int call = 0, fd;

	memset(&r, 0, sizeof(r));
	r.kind = &any;
	begin_func(&r, func_main);
	emit_mov_reg(&r, 6, 1);
	if (with_global)
		call = emit_sub_call(&r);
	if (array >= 0)
		emit_tail_call(&r, array);
	emit_mov(&r, 0, 0);
	emit_exit(&r);
	if (with_global) {
		emit_sub(&r, func_global, call);
		emit_mov(&r, 0, 0);
		emit_exit(&r);
		opts.prog_btf_fd = prog_btf;
		opts.func_info = r.funcs;
		opts.func_info_cnt = r.func_count;
		opts.func_info_rec_size = sizeof(r.funcs[0]);
	}
	opts.attach_btf_id = target_ids[target];
	fd = bpf_prog_load(type, "plain", "GPL", r.insns, r.count, &opts);
	if (fd < 0)
		die("cannot load a program of type %d", type);
	return fd;
}

static int make_array(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "owned", 4, 4, 4, NULL);

	if (fd < 0)
		die("cannot create a program array");
	return fd;
}

static void make_doors(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *kind = &kinds[i];

		if (!kind->tracing)
			continue;
		door_progs[door_count].type = kind->type;
		door_progs[door_count].attach_type = kind->attach_type;
		door_progs[door_count++].fd = load_plain(kind->type, kind->attach_type, kind->target,
							 BPF_F_DESTRUCTIVE, false, -1);
		if (kind->attach_type == BPF_TRACE_ITER) {
			iter_link = bpf_link_create(door_progs[door_count - 1].fd, 0, BPF_TRACE_ITER, NULL);
			unlink(PIN);
			if (iter_link < 0 || bpf_obj_pin(iter_link, PIN))
				die("cannot pin a link of an iterator");
		}
	}
	plain_link = bpf_raw_tracepoint_open("task_newtask", load_plain(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, NO_TARGET,
									0, false, -1));
	if (plain_link < 0)
		die("cannot attach a program that is not destructive");
	some_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	open_perf();
}

static void set_up(void)
{
	read_caps();
	if ((permitted & all_caps) != all_caps) {
		errno = EPERM;
		die("not all capabilities are there");
	}
	set_caps(permitted);
	find_ids();
	make_btf();
	make_text();
	for (int i = 0; i < 2; i++) {
		uint32_t flag = i ? BPF_F_DESTRUCTIVE : 0;

		owned_arrays[i] = make_array();
		ext_targets[i] = load_plain(BPF_PROG_TYPE_KPROBE, 0, NO_TARGET, flag, true, -1);
		/* it owns the array from now on */
		load_plain(BPF_PROG_TYPE_KPROBE, 0, NO_TARGET, flag, false, owned_arrays[i]);
	}
	tail_array = make_array();
	make_doors();
	stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stats == MAP_FAILED)
		die("mmap");
}

/* ---- main ------------------------------------------------------------------------------------------ */

static void do_round(uint64_t seed, uint64_t number)
{
	rng_state = seed + number * 0x2545f4914f6cdd1dULL;
	rng();
	if (percent(12))
		do_door(number);
	else
		do_load(number);
}

/* Rounds by a process that has every capability there is, but in a user namespace of its own. */
static void do_rounds_in_userns(uint64_t seed, uint64_t first, uint64_t end)
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
		for (uint64_t i = first; i < end; i++)
			do_round(seed, i);
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) < 0 || status) {
		errno = ECHILD;
		die("a child in a user namespace failed");
	}
}

static bool report(uint64_t seed)
{
	bool good = !stats->unexpected && stats->loaded && stats->loaded_calls && stats->calls_seen &&
		    stats->gate_call && stats->gate_type && stats->gate_cap && stats->gate_ext && stats->userns;

	printf("fuzz: seed %llu: %llu loads: %llu loaded (%llu %%), %llu of them with the flag, "
	       "%llu with a destructive call\n",
	       (unsigned long long)seed, (unsigned long long)stats->rounds, (unsigned long long)stats->loaded,
	       (unsigned long long)(stats->rounds ? 100 * stats->loaded / stats->rounds : 0),
	       (unsigned long long)stats->loaded_flag, (unsigned long long)stats->loaded_calls);
	printf("fuzz: refused %llu: call %llu, type %llu, capability %llu, extension %llu\n",
	       (unsigned long long)stats->refused, (unsigned long long)stats->gate_call,
	       (unsigned long long)stats->gate_type, (unsigned long long)stats->gate_cap,
	       (unsigned long long)stats->gate_ext);
	printf("fuzz: known before: %llu must load, %llu must fail; %llu either; %llu in user namespaces; "
	       "%llu loaded with bits changed\n",
	       (unsigned long long)stats->must_load, (unsigned long long)stats->must_fail,
	       (unsigned long long)stats->either, (unsigned long long)stats->userns,
	       (unsigned long long)stats->mutated);
	for (int i = 0; i < SHAPE_COUNT; i++)
		printf("fuzz: call %s: %llu loaded, %llu refused\n", shape_names[i],
		       (unsigned long long)stats->by_shape[i][1], (unsigned long long)stats->by_shape[i][0]);
	printf("fuzz: doors: %llu tries without CAP_SYS_BOOT, %llu EPERM; with it %llu open, %llu not\n",
	       (unsigned long long)stats->doors_shut, (unsigned long long)stats->doors_eperm,
	       (unsigned long long)stats->doors_open, (unsigned long long)stats->doors_not_open);
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		printf("fuzz: door %s: %llu tries without, %llu with, which opened it %llu times\n", doors[i].name,
		       (unsigned long long)stats->by_door[i][0], (unsigned long long)stats->by_door[i][1],
		       (unsigned long long)stats->door_opened[i]);
		good = good && stats->by_door[i][0] && !stats->door_opened[i] == !doors[i].opens;
	}
	printf("fuzz: unexpected answers: %llu\n", (unsigned long long)stats->unexpected);
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
	uint64_t seed = 0, first = 0, count = 20000;
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
	printf("fuzz: seed %llu, rounds %llu to %llu\n", (unsigned long long)seed, (unsigned long long)first,
	       (unsigned long long)(first + count - 1));
	fflush(stdout);
	set_up();
	for (uint64_t i = first; i < first + count; i++) {
		uint64_t batch = i / USERNS_ROUNDS, end = (batch + 1) * USERNS_ROUNDS;

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

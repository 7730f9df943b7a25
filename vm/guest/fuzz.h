/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FUZZ_H
#define FUZZ_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "gate.h"

#define MAX_INSNS 256
#define MAX_SUBPROGS 4
#define MAX_DOORS 16

#define PIN "/sys/fs/bpf/fuzz_iter"

/* ---- what there is to choose from, in fuzz-kinds.c ----------------------------------- */

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

/* Flags that change nothing about whether these programs load. */
#define HARMLESS_FLAGS (BPF_F_STRICT_ALIGNMENT | BPF_F_TEST_RND_HI32 | BPF_F_TEST_STATE_FREQ | \
			BPF_F_TEST_REG_INVARIANTS)
#define KNOWN_FLAGS (HARMLESS_FLAGS | BPF_F_ANY_ALIGNMENT | BPF_F_SLEEPABLE | BPF_F_XDP_HAS_FRAGS | \
		     BPF_F_XDP_DEV_BOUND_ONLY | BPF_F_DESTRUCTIVE | BPF_F_TOKEN_FD)

#define MAX_KINDS 64 /* for an array with something for each */

extern const struct kind kinds[];
extern const size_t kind_count;
extern const char *const kfunc_names[KFUNC_COUNT];
extern const char *const shape_names[SHAPE_COUNT];
extern const uint64_t all_caps;

const struct kind *find_kind(enum bpf_prog_type type);
bool shape_calls(enum shape shape);
bool shape_is_wrong(enum shape shape);

/* ---- what is there once, in fuzz-setup.c --------------------------------------------- */

extern uint32_t kfunc_ids[KFUNC_COUNT], target_ids[TARGET_COUNT], wrong_ids[5];
extern int32_t kfunc_imms[KFUNC_COUNT];
extern int kfunc_count;
extern struct prog_btf prog_btf;
extern int text_map;
/* To extend, watch and tail call: of programs without the flag, and with it. */
extern int target_progs[2], owned_arrays[2];
/* Maps with timers or work of programs without the flag, of programs with it, and of an outer map. */
extern struct async_map {
	char name[BPF_OBJ_NAME_LEN];
	int fd;
	bool flag;
} async_maps[9];
extern int async_count, outer_map;
/* Extensions that replace nothing yet, without the flag and with it. */
extern int exts[2];
/* The program array that is a door. */
extern int tail_array;

extern struct stats {
	unsigned long long rounds, loaded, loaded_flag, loaded_calls, refused;
	unsigned long long by_gate[NR_MSGS];
	unsigned long long must_load, must_fail, either;
	unsigned long long userns, calls_seen, mutated;
	unsigned long long retargets[3]; /* done, EINVAL, EPERM */
	unsigned long long doors_shut, doors_eperm, doors_open, doors_not_open;
	unsigned long long unexpected;
	unsigned long long by_shape[SHAPE_COUNT][2];
	unsigned long long by_door[MAX_DOORS][2], door_opened[MAX_DOORS];
} *stats;

/* A program that does nothing that matters; "which" is the program or map that it goes with. */
int load_plain(const struct kind *kind, bool flag, enum shape shape, int which);
void set_up(void);

/* ---- random numbers and choices, in fuzz-draw.c --------------------------------------- */

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

void rng_seed(uint64_t seed);
uint64_t rng(void);
uint32_t below(uint32_t n);
bool percent(uint32_t n);
void choose(struct round *r);

/* ---- the instructions, in fuzz-build.c ------------------------------------------------- */

void build(struct round *r);
void mutate(struct round *r);

/* ---- loads, in fuzz-load.c --------------------------------------------------------------- */

int load(struct round *r, char *log, size_t log_size);
void do_load(unsigned long long number);

/* ---- doors, in fuzz-doors.c -------------------------------------------------------------- */

void make_doors(void);
void do_door(unsigned long long number);
void do_retarget(unsigned long long number);
bool report_doors(void);

/* ---- fuzz.c ---------------------------------------------------------------------------------- */

extern bool in_userns;
extern bool verbose;

#endif

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GATE_H
#define GATE_H

#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <bpf/btf.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1ULL << (n))

/* ---- what the kernel has to answer to a load, in gate.c ------------------------------- */

/* Of a fact: it is not known or there is no such thing, no, yes. */
enum { ANY, NO, YES };

/* What the gate looks at. */
struct facts {
	uint8_t flag;	/* BPF_F_DESTRUCTIVE is given */
	uint8_t call;	/* a destructive kfunc may be called */
	uint8_t type;	/* the program type can have the flag */
	uint8_t kfunc;	/* the destructive kfuncs are registered for the type */
	uint8_t arg;	/* the argument of the call is good */
	uint8_t boot;	/* the loader has CAP_SYS_BOOT in the initial user namespace */
	uint8_t bpf;	/* the loader has CAP_BPF, there or by a token */
	uint8_t ext;	/* the program is an extension */
	uint8_t target;	/* the BPF program that it extends or watches has the flag */
	uint8_t array;	/* the program array that it uses belongs to programs with the flag */
	uint8_t async;	/* the map with timers or work that it uses belongs to such programs */
	uint8_t inner;	/* it uses a map whose inner maps have timers or work */
};

/* What the verifier log says of a refusal. */
enum gate_msg {
	MSG_NONE,
	/* these come before the verifier looks at the program or its target */
	MSG_TYPE,
	MSG_CAP,
	/* and these after it has begun */
	MSG_UNPRIV,
	MSG_TARGET,
	MSG_EXT,
	MSG_NO_KFUNC,
	MSG_CALL,
	MSG_ARG,
	MSG_INNER,
	MSG_ASYNC,
	NR_MSGS,
};

struct answer {
	int err;
	enum gate_msg msg;
};

struct gate_type {
	bool flag;	/* can have the flag */
	bool kfunc;	/* shares the kfuncs of the tracing types */
	bool unpriv;	/* loads without CAP_BPF, if the sysctl allows it */
};

/* What it is about, as the messages name it. */
struct gate_names {
	int type;
	const char *kfunc;
	const char *map;
};

/* An extension counts as the type that it extends. */
struct gate_type gate_type(int type);
struct answer gate_answer(const struct facts *is);
enum gate_msg gate_msg(const char *log, const struct gate_names *names);
const char *gate_msg_text(enum gate_msg msg);

/* ---- what the programs that ask it have in common ------------------------------------- */

#define ASYNC_VALUE_SIZE 16 /* enough for any */

/* BTF of the programs: functions of an int, and one of the context. */
struct prog_btf {
	int fd;
	uint32_t num, main, global, ext, static_sub, nested, callback;
	uint32_t async_values[3];	/* a struct with a timer, a workqueue, task work */
};

extern uint64_t permitted; /* capabilities */

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void read_caps(void);
void set_caps(uint64_t effective);
uint32_t find_type(const struct btf *btf, const char *name, uint32_t kind);
void make_prog_btf(struct prog_btf *btf);

/* A program with a global function that can be replaced or watched. */
struct target {
	enum bpf_prog_type type;
	enum bpf_attach_type attach_type;
	uint32_t attach_btf_id;
	uint32_t flags;
	int retval;
};
int load_target(const struct target *target, const struct prog_btf *btf);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MATRIX_H
#define MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "gate.h"

#define MAX_NAMES 64	/* program types and attach types are bits of a token */
#define MAX_SUBJECTS 256

enum { INIT_USERNS, CHILD_USERNS, CHILD_USERNS_TOKEN, NR_USERNS };
extern const char *const ns_names[NR_USERNS];

/* Bits of the number of a load. */
enum { WITH_CALL = 1, WITH_FLAG = 2, WITHOUT_BOOT = 4, NR_LOADS = 8 };

/* How to make a program that loads. */
struct setup {
	uint8_t attach_to;
	uint8_t sleepable;
	uint8_t retval;
	int err;		/* 0 if one was found */
};

/* A program type, or an extension or watcher of one. */
extern struct subject {
	char name[64];
	int type;
	int counts_as;		/* the type, for an extension that of its target */
	int target_fd;		/* or -1 */
	uint8_t target;		/* has the target the flag? As in struct facts. */
	struct subject *control; /* shows what is refused anyway */
	struct setup setup[MAX_NAMES]; /* for each attach type */
} subjects[MAX_SUBJECTS];
extern int nr_subjects;

/* What comes out; the children write it. */
extern struct result {
	struct row {
		uint64_t judged;		/* attach types whose control loads */
		char answers[NR_LOADS];		/* to these */
	} rows[NR_USERNS][MAX_SUBJECTS];
	int loads, judged, wrong;
} *result;

/* Enumerators of the kernel, by value and without the prefix. */
extern struct names {
	const char *name[MAX_NAMES];
	int cnt;
} types, attach_types;

/* The kfunc that is called, and whether it gets what it wants: as in struct facts. */
extern const char *kfunc;
extern uint8_t kfunc_arg;

/* matrix-subjects.c, of which set_up() is called once, and with all privileges */
extern char log_buf[64 * 1024];
void set_up(bool fixes);
int load(const struct subject *s, int attach_type, const struct setup *setup, int how, int token_fd,
	 bool log);

/* matrix-judge.c */
void judge_all(int ns, int token_fd);

/* matrix-userns.c */
void judge_in_child(int ns);

#endif

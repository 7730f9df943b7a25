/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the crasher have in common, but not its BPF programs: see crasher.h. */
#ifndef CRASHER_TOOL_H
#define CRASHER_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <bpf/libbpf.h>
#include "crasher.h"
#include "crasher.skel.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_WITH 4

enum {
	EXIT_SURVIVED = 42, /* armed and triggered, and still there */
	EXIT_SETUP = 43,    /* not loaded, not attached, or it did not run */
	EXIT_USAGE = 64,
	EXIT_NO_VM = 65,
};

struct via {
	const char *name;
	void (*end)(void);
};

struct target {
	const char *name;
	void (*trigger)(void);
	bool may_not_run; /* only runs where there is no way back */
};

/* Everything that the command line says. */
struct plan {
	const struct target *target;
	const struct via *via;
	const char *on;
	const char *token;
	const char *with[MAX_WITH]; /* programs beside it */
	int withs;
	int action;
	int message;
	int mix[MIX_CPUS];
	int mixed;
	int first;
	int stuck; /* a CPU that goes round in a loop of the kernel, or -1 */
	bool behind_claim;
	bool busy;
	bool crowd;
	bool control;
	bool race;
	bool force;
};

/* crasher-tool.c */
void write_file(const char *path, const char *text);
void pause_ms(long ms);

/* crasher-arguments.c */
void parse_arguments(struct plan *plan, int argc, char **argv);
const char *action_name(int action);

/* crasher-trigger.c */
int uprobe_target(int n); /* for the probes, which find it by its name */
void call_statfs(void);
const struct target *find_target(const char *name);
void print_targets(FILE *to);

/* crasher-via.c */
void print_something(void);
const struct via *find_via(const char *name);
void print_vias(FILE *to);

/* crasher-load.c */
extern struct crasher *skel;
extern int iter_fd;
struct crasher *open_skeleton(void);
void make_destructive(struct bpf_program *prog);
int load_and_attach(const struct plan *plan);
void locate_counters(void);

/* crasher-crowd.c */
int load_crowd(const struct plan *plan);
void arm_crowd(bool armed);
void report_crowd(void);

/* crasher-cpus.c */
int run_on_cpu(long cpu);
void trigger_on_all_cpus(void);
int prepare_other_cpu(const struct plan *plan);

#endif

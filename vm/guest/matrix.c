// SPDX-License-Identifier: GPL-2.0
/*
 * The gate of BPF_F_DESTRUCTIVE, whole: every program type and attach type that the
 * running kernel knows, and extensions and watchers of a program of each type, with
 * and without the flag, the call of a destructive kfunc and CAP_SYS_BOOT, in the
 * initial user namespace, in a child of it, and in a child with a BPF token that
 * delegates everything.
 *
 * The types come from the BTF of the running kernel, so one that is added to the
 * kernel is tried, and has to be refused until gate.c has it.
 *
 * Nothing here is attached or run. A kernel with the gate and without the fixes of
 * the series is tried with --without-fixes.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "matrix.h"
#include "guard.h"

/* As "0-3,7". */
static void print_set(uint64_t set)
{
	const char *comma = "  ";

	for (int first = 0, last; first < attach_types.cnt; first = last + 1) {
		last = first;
		if (!(set & BIT(first)))
			continue;
		while (last + 1 < attach_types.cnt && set & BIT(last + 1))
			last++;
		printf(last > first ? "%s%d-%d" : "%s%d", comma, first, last);
		comma = ",";
	}
	printf(set ? "\n" : "  none\n");
}

static void print_table(void)
{
	printf("# What the gate answers to loads: . ok, A EACCES, I EINVAL, P EPERM, - refused without flag and call, too.\n"
	       "# Four answers with CAP_SYS_BOOT and four without it: to a plain program, with a destructive call, with\n"
	       "# the flag, with both. The attach types are those of which a plain program loads, by number.\n"
	       "%-40s  %-9s  %-9s  %-9s  attach types\n", "# program type", "init ns", "child ns", "token");
	for (int i = 0; i < nr_subjects; i++) {
		printf("%-40s", subjects[i].name);
		for (int ns = 0; ns < NR_USERNS; ns++) {
			printf(" ");
			for (int how = 0; how < NR_LOADS; how++)
				printf("%s%c", how % 4 ? "" : " ", result->rows[ns][i].answers[how] ?: '-');
		}
		print_set(result->rows[INIT_USERNS][i].judged);
	}
}

int main(int argc, char **argv)
{
	bool fixes = argc < 2;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--without-fixes"))) {
		fprintf(stderr, "usage: matrix [--without-fixes]\n");
		return 64;
	}
	if (!in_our_vm()) {
		fprintf(stderr, "matrix: this is not the test VM: a kernel with a bug in its gates could go down\n");
		return 65;
	}
	set_up(fixes);
	printf("matrix: %d program types, %d extensions and watchers, %d attach types, kfunc %s\n", types.cnt,
	       nr_subjects - types.cnt, attach_types.cnt, kfunc);
	judge_all(INIT_USERNS, -1);
	judge_in_child(CHILD_USERNS);
	judge_in_child(CHILD_USERNS_TOKEN);
	print_table();
	printf("matrix: %d loads, %d of them judged by the gate alone, %d wrong answers\n", result->loads,
	       result->judged, result->wrong);
	printf("matrix: %s\n", result->wrong || !result->judged ? "FAILED" : "passed");
	return result->wrong || !result->judged;
}

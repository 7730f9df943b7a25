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
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fuzz.h"
#include "guard.h"

/* How many rounds a child in a user namespace of its own does. */
#define USERNS_ROUNDS 16

bool in_userns;
bool verbose;

static void do_round(unsigned long long seed, unsigned long long number)
{
	rng_seed(seed + number * 0x2545f4914f6cdd1dULL);
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
	good = report_doors() && good;
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

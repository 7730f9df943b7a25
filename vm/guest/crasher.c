// SPDX-License-Identifier: GPL-2.0
/*
 * Ends the machine it runs on, from a BPF program of choice.
 *
 * The program is loaded with BPF_F_DESTRUCTIVE, attached and made to run once
 * without being armed: it has to run, and the machine has to live. With
 * --control that is all. Otherwise the program is armed and made to run again,
 * and whoever reads the exit status of this tool knows that it failed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "crasher-tool.h"
#include "guard.h"

static void report(const struct plan *plan)
{
	fprintf(stderr, "crasher: %s is armed and was triggered, but the machine lives\n",
		plan->target->name);
	printf("crasher: result %d, printed %llu, limited %llu, failed %llu\n", skel->bss->result,
	       (unsigned long long)skel->bss->printed, (unsigned long long)skel->bss->limited,
	       (unsigned long long)skel->bss->failed);
	report_crowd();
}

/* The machine is ended by other means, with the program in the path of that. */
static int end_by_other_means(const struct plan *plan)
{
	printf("crasher: %s %s\n", plan->control ? "not arming" : "arming", plan->target->name);
	fflush(stdout);
	skel->bss->armed = !plan->control;
	plan->via->end();
	pause_ms(1000);
	/* what is deferred may take a while, and what only prints is over */
	if (plan->action == ACTION_POWER_OFF && !plan->control)
		pause_ms(10000);
	skel->bss->armed = false;
	if (!skel->bss->hits) {
		fprintf(stderr, "crasher: %s did not run\n", plan->target->name);
		return EXIT_SETUP;
	}
	if (plan->control)
		return 0;
	report(plan);
	return EXIT_SURVIVED;
}

static int end_by_program(const struct plan *plan)
{
	const struct target *target = plan->target;

	target->trigger();
	if (!skel->bss->hits && !target->may_not_run) {
		fprintf(stderr, "crasher: %s did not run\n", target->name);
		return EXIT_SETUP;
	}
	printf("crasher: %s for %s ran %llu times, not armed, and the machine lives\n",
	       target->name, action_name(plan->action), (unsigned long long)skel->bss->hits);
	if (plan->control)
		return 0;

	printf("crasher: arming %s\n", target->name);
	fflush(stdout);
	if (plan->race)
		trigger_on_all_cpus();
	skel->bss->armed = true;
	arm_crowd(true);
	if (plan->busy)
		pause_ms(500);
	target->trigger();
	arm_crowd(false);
	if (plan->action == ACTION_FLOOD)
		for (int i = 1; i < 100; i++)
			target->trigger();
	pause_ms(plan->mixed || plan->action == ACTION_PANIC || plan->action == ACTION_POWER_OFF ? 10000 : 1000);
	report(plan);
	return EXIT_SURVIVED;
}

int main(int argc, char **argv)
{
	struct plan plan;
	int err;

	parse_arguments(&plan, argc, argv);
	if (!in_our_vm() && !plan.force) {
		fprintf(stderr, "crasher: this is not the test VM (no %s): it would take this machine down; --force if that is meant\n",
			GUEST_PORT);
		return EXIT_NO_VM;
	}

	err = load_and_attach(&plan);
	if (err) {
		fprintf(stderr, "crasher: cannot load and attach %s: %s\n", plan.target->name,
			strerror(-err));
		return EXIT_SETUP;
	}
	locate_counters();
	if (prepare_other_cpu(&plan))
		return EXIT_SETUP;
	return plan.via ? end_by_other_means(&plan) : end_by_program(&plan);
}

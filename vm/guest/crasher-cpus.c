// SPDX-License-Identifier: GPL-2.0
/* On which CPU the crasher runs, and what the other ones do meanwhile. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>
#include "crasher-tool.h"

/* The skeleton has no volatile. */
#define LOOK_AT(flag) (*(volatile bool *)&(flag))

int run_on_cpu(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (!sched_setaffinity(0, sizeof(set), &set))
		return 0;
	fprintf(stderr, "crasher: CPU %ld: %s\n", cpu, strerror(errno));
	return -errno;
}

static void *trigger_on_cpu(void *arg)
{
	run_on_cpu((long)arg);
	for (;;) {
		struct statfs st;

		statfs("/", &st);
	}
	return NULL;
}

static void start_thread(void *(*function)(void *), long cpu)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, function, (void *)cpu))
		fprintf(stderr, "crasher: no thread for CPU %ld\n", cpu);
}

static void start_on_all_cpus(void *(*function)(void *))
{
	for (long i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
		start_thread(function, i);
	pause_ms(500);
}

void trigger_on_all_cpus(void)
{
	start_on_all_cpus(trigger_on_cpu);
}

/* A thread for each CPU, named for it, that is there and makes system calls. */
static void *be_busy(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "busy-%ld", (long)arg);
	pthread_setname_np(pthread_self(), name);
	run_on_cpu((long)arg);
	for (;;)
		getppid();
	return NULL;
}

static void *get_stuck(void *arg)
{
	run_on_cpu((long)arg);
	write_file("/sys/kernel/debug/provoke-crash/DIRECT", "SOFTLOCKUP");
	return NULL;
}

static void *hold_port_lock(void *arg)
{
	run_on_cpu((long)arg);
	while (!LOOK_AT(skel->bss->holding))
		;
	write_file("/dev/hvc0", "crasher: something for the port\n");
	return NULL;
}

/*
 * The other CPU hangs as well, as soon as somebody wants that lock there, so lose no
 * time. Whoever prints may do it on either CPU, and then only the other one goes on.
 */
static void (*end_beside_holder)(void) = call_statfs;

static void *trigger_beside_holder(void *arg)
{
	run_on_cpu((long)arg);
	while (!LOOK_AT(skel->bss->held))
		;
	if (skel->bss->held_cpu == (long)arg)
		return NULL;
	skel->bss->armed = true;
	end_beside_holder();
	return NULL;
}

/* Have another CPU in the state that the plan says. */
int prepare_other_cpu(const struct plan *plan)
{
	bool port = plan->withs && !strcmp(plan->with[0], "hold_port_lock");
	bool serial = plan->withs && !strcmp(plan->with[0], "hold_serial_lock");

	fflush(stdout);
	if (plan->busy)
		start_on_all_cpus(be_busy);
	if (plan->stuck >= 0) {
		start_thread(get_stuck, plan->stuck);
		pause_ms(1000);
	}
	if (!port && !serial)
		return 0;
	if (plan->via)
		end_beside_holder = plan->via->end;
	if (port) {
		const struct sched_param fifo = { .sched_priority = 1 };

		start_thread(hold_port_lock, 1);
		pause_ms(200);
		/* before all else that this CPU has to do */
		sched_setscheduler(0, SCHED_FIFO, &fifo);
		skel->bss->holding = true;
		trigger_beside_holder(NULL);
	} else {
		skel->bss->holding = true;
		start_thread(trigger_beside_holder, 0);
		start_thread(trigger_beside_holder, 1);
		write_file("/dev/kmsg", "crasher: something for the console\n");
	}
	for (int i = 0; i < 200 && !skel->bss->held; i++)
		pause_ms(5);
	if (skel->bss->held)
		return 0;
	fprintf(stderr, "crasher: no CPU holds the lock\n");
	return -EAGAIN;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * stop [--dump] [--storm] [--fifo] ROUTE
 *
 * Watches for a task that gets a name, in the way that ROUTE says, and then has that
 * happen: a program of stop.bpf.c ends the machine, or somebody else does. --dump: by
 * starting the crash kernel. --storm: another CPU does the same without end. --fifo:
 * what runs in user space to end the machine has a real-time priority.
 *
 * The runner counts from the first call after personality(2), by counter.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "stop.skel.h"

enum { EXIT_SURVIVED = 42, EXIT_SETUP = 43, EXIT_USAGE = 64 };

#define SURVIVED_AFTER 20 /* seconds */

static struct stop *skel;
static bool dump, storm, fifo;
static volatile bool go;

static void die(const char *what)
{
	fprintf(stderr, "stop: %s: %s\n", what, strerror(errno));
	exit(EXIT_SETUP);
}

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot pin a thread");
}

static void rename_once(void)
{
	prctl(PR_SET_NAME, "culprit");
}

static void *storm_on(void *cpu)
{
	pin_to((long)cpu);
	while (!go)
		;
	for (;;)
		rename_once();
	return NULL;
}

/* ---- through user space ---------------------------------------------------------------- */

static int end_by_sysrq(void *ctx, void *data, size_t size)
{
	int fd = *(int *)ctx;

	(void)data;
	(void)size;
	if (write(fd, "c", 1) != 1)
		die("sysrq-trigger");
	return 0;
}

static void *wait_for_event(void *ready)
{
	struct sched_param priority = { .sched_priority = 50 };
	int fd = open("/proc/sysrq-trigger", O_WRONLY);
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(skel->maps.events), end_by_sysrq, &fd, NULL);

	if (fd < 0 || !ring)
		die("the loader cannot wait");
	if (fifo && pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority))
		die("no real-time priority");
	prctl(PR_SET_NAME, "loader");
	*(volatile bool *)ready = true;
	for (;;)
		ring_buffer__poll(ring, -1);
	return NULL;
}

static void start_loader(void)
{
	volatile bool ready = false;
	pthread_t thread;

	if (mlockall(MCL_CURRENT | MCL_FUTURE) || pthread_create(&thread, NULL, wait_for_event, (void *)&ready))
		die("no thread");
	while (!ready)
		sched_yield();
	/* let it get to where it waits */
	usleep(50000);
}

/* ---- attaching ------------------------------------------------------------------------- */

static __u64 find_comm(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.find_comm), &opts))
		die("cannot run a program");
	return skel->bss->comm_address;
}

static struct bpf_link *attach_breakpoint(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT, .size = sizeof(attr), .bp_type = HW_BREAKPOINT_W,
		.bp_addr = find_comm(), .bp_len = HW_BREAKPOINT_LEN_8, .sample_period = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	if (fd < 0)
		die("no breakpoint");
	return bpf_program__attach_perf_event(skel->progs.breakpoint, fd);
}

static void load(struct bpf_program *prog)
{
	bool ends = prog != skel->progs.ringbuf;

	bpf_program__set_autoload(prog, true);
	if (prog == skel->progs.breakpoint)
		bpf_program__set_autoload(skel->progs.find_comm, true);
	if (ends)
		bpf_program__set_flags(prog, bpf_program__flags(prog) | BPF_F_DESTRUCTIVE);
	skel->rodata->dump = dump;
	if (stop__load(skel))
		die("cannot load");
}

static void attach(const char *route)
{
	struct bpf_program *prog;
	struct bpf_link *link;

	skel = stop__open();
	prog = skel ? bpf_object__find_program_by_name(skel->obj, route) : NULL;
	if (!prog)
		die(route);
	load(prog);
	link = prog == skel->progs.breakpoint ? attach_breakpoint() : bpf_program__attach(prog);
	if (!link)
		die("cannot attach");
	if (prog == skel->progs.ringbuf)
		start_loader();
	/* the consoles print the notice of the load, which would count for some routes */
	usleep(100000);
}

/* A module of ours, or a peer that needs no order to begin. */
static void arm(void)
{
	int fd;

	if (skel) {
		skel->bss->armed = true;
		return;
	}
	fd = open("/sys/module/probe/parameters/armed", O_WRONLY);
	if (fd >= 0 && write(fd, "1", 1) != 1)
		die("cannot arm the module");
}

static void parse(int argc, char **argv, const char **route)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--dump"))
			dump = true;
		else if (!strcmp(argv[i], "--storm"))
			storm = true;
		else if (!strcmp(argv[i], "--fifo"))
			fifo = true;
		else
			*route = argv[i];
	}
	if (*route)
		return;
	fprintf(stderr, "usage: stop [--dump] [--storm] [--fifo] ROUTE (a program, or other: somebody else's)\n");
	exit(EXIT_USAGE);
}

int main(int argc, char **argv)
{
	const char *route = NULL;
	pthread_t thread;
	time_t end;

	parse(argc, argv, &route);
	setvbuf(stdout, NULL, _IOLBF, 0);
	pin_to(0);
	if (storm && pthread_create(&thread, NULL, storm_on, (void *)1L))
		die("no thread");
	if (strcmp(route, "other"))
		attach(route);
	printf("stop: pid %d\n", getpid());
	end = time(NULL) + SURVIVED_AFTER;
	personality(0xffffffff);
	arm();
	go = true;
	do
		rename_once();
	while (time(NULL) < end);
	printf("stop: the machine lives\n");
	return EXIT_SURVIVED;
}

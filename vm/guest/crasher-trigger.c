// SPDX-License-Identifier: GPL-2.0
/* What makes each of the programs run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "crasher-tool.h"

__attribute__((noinline)) int uprobe_target(int n)
{
	/* keep the call, and the function as one to put a probe on */
	asm volatile("" : "+r"(n));
	return n;
}

void call_statfs(void)
{
	struct statfs st;

	statfs("/", &st);
	pause_ms(50); /* timers and work items come a little later */
}

/* The answer comes, except when the program is armed, and has to stop the timer. */
static void ask_and_answer(void)
{
	struct statfs st;

	statfs("/", &st);
	if (!skel->bss->armed)
		statfs("/", &st);
	pause_ms(500);
	if (!skel->bss->armed && skel->bss->expired) {
		fprintf(stderr, "crasher: the answer has not stopped the timer\n");
		exit(EXIT_SETUP);
	}
}

static void call_uprobe_target(void)
{
	uprobe_target(1);
}

static void read_iter(void)
{
	char buf[64];
	int fd;

	fd = bpf_iter_create(iter_fd);
	if (fd < 0)
		return;
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void burn_cpu(void)
{
	time_t end = time(NULL) + 2;

	while (time(NULL) < end)
		;
}

static void wait_for_nmi(void)
{
	/*
	 * The runner reads this and injects one. Not sysrq-l: it keeps the
	 * console driver busy, and an NMI that comes then panics in silence.
	 */
	write_file("/dev/kmsg", "crasher: waiting for an NMI\n");
	pause_ms(2000);
}

static void write_to_port(void)
{
	write_file("/dev/hvc0", "crasher: something for the port\n");
	pause_ms(500);
}

static void panic_otherwise(void)
{
	/* lkdtm's way to call panic("dumptest") */
	if (skel->bss->armed)
		write_file("/sys/kernel/debug/provoke-crash/DIRECT", "PANIC");
}

static const struct target targets[] = {
	{ "kprobe", call_statfs, false },
	{ "kretprobe", call_statfs, false },
	{ "kprobe_multi", call_statfs, false },
	{ "kprobe_session", call_statfs, false },
	{ "uprobe_multi", call_uprobe_target, false },
	{ "uprobe", call_uprobe_target, false },
	{ "uretprobe", call_uprobe_target, false },
	{ "tracepoint", call_statfs, false },
	{ "raw_tp", call_statfs, false },
	{ "tp_btf", call_statfs, false },
	{ "crash_kexec_2022", call_statfs, false },
	{ "fentry", call_statfs, false },
	{ "fexit", call_statfs, false },
	{ "fsession", call_statfs, false },
	{ "fentry_sleepable", call_statfs, false },
	{ "iter", read_iter, false },
	{ "perf_event", burn_cpu, false },
	{ "nmi", wait_for_nmi, false },
	{ "sched_switch", call_statfs, false },
	{ "console", print_something, false },
	{ "console_write", print_something, false },
	{ "port_lock", write_to_port, false },
	{ "port_lock_printk", print_something, false },
	{ "vt_print", print_something, false },
	{ "no_buffer", call_statfs, true },
	{ "timer", call_statfs, false },
	{ "watchdog", ask_and_answer, false },
	{ "workqueue", call_statfs, false },
	{ "panic_path", panic_otherwise, true },
	{ "redirect_path", panic_otherwise, true },
	/* with --on and --via only, and ended by the latter */
	{ "on_function", NULL, true },
	{ "on_tracepoint", NULL, true },
};

const struct target *find_target(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		if (!strcmp(targets[i].name, name))
			return &targets[i];
	return NULL;
}

void print_targets(FILE *to)
{
	fprintf(to, "  PROGRAM:");
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		fprintf(to, " %s", targets[i].name);
	fprintf(to, "\n");
}

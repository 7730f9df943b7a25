// SPDX-License-Identifier: GPL-2.0
/* The ways to end a machine without BPF, for programs in their paths. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>
#include "crasher-tool.h"

static void lkdtm_panic(void)
{
	write_file("/sys/kernel/debug/provoke-crash/DIRECT", "PANIC");
}

static void lkdtm_oops(void)
{
	write_file("/sys/kernel/debug/provoke-crash/DIRECT", "EXCEPTION");
}

static void sysrq_crash(void)
{
	write_file("/proc/sysrq-trigger", "c");
}

static void sysrq_restart(void)
{
	write_file("/proc/sysrq-trigger", "b");
}

static void call_restart(void)
{
	reboot(RB_AUTOBOOT);
}

static void call_power_off(void)
{
	reboot(RB_POWER_OFF);
}

static void call_halt(void)
{
	reboot(RB_HALT_SYSTEM);
}

void print_something(void)
{
	write_file("/dev/kmsg", "crasher: something for the console\n");
	pause_ms(500);
}

static void read_from_module(void)
{
	char text[16];
	int fd = open("/sys/kernel/bpf_testmod", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text)) < 0)
		fprintf(stderr, "crasher: bpf_testmod: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static const struct via vias[] = {
	{ "panic", lkdtm_panic },
	{ "oops", lkdtm_oops },
	{ "sysrq-crash", sysrq_crash },
	{ "sysrq-restart", sysrq_restart },
	{ "restart", call_restart },
	{ "power-off", call_power_off },
	{ "halt", call_halt },
	{ "print", print_something },
	{ "module", read_from_module },
};

const struct via *find_via(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(vias); i++)
		if (!strcmp(vias[i].name, name))
			return &vias[i];
	return NULL;
}

void print_vias(FILE *to)
{
	fprintf(to, "  WAY:");
	for (size_t i = 0; i < ARRAY_SIZE(vias); i++)
		fprintf(to, " %s", vias[i].name);
	fprintf(to, "\n");
}

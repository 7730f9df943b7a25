// SPDX-License-Identifier: GPL-2.0
/*
 * watch PROGRAM ADDRESS LENGTH
 *
 * Runs a pinned perf_event program whenever a CPU writes to LENGTH bytes (1, 2, 4, 8) at
 * ADDRESS of the kernel. This goes on until the links PROGRAM-cpuN are removed.
 *
 *	cc -o watch watch.c -lbpf
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int watch(int prog, struct perf_event_attr *attr, int cpu, const char *path)
{
	int event, link;

	event = syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return -1;
	link = bpf_link_create(prog, event, BPF_PERF_EVENT, NULL);
	return link < 0 ? -1 : bpf_obj_pin(link, path);
}

int main(int argc, char **argv)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_BREAKPOINT,
		.bp_type = HW_BREAKPOINT_W,
		.sample_period = 1,
	};
	char path[4096];
	int prog, cpu;

	if (argc != 4) {
		fprintf(stderr, "usage: watch PROGRAM ADDRESS LENGTH\n");
		return 2;
	}
	attr.bp_addr = strtoull(argv[2], NULL, 0);
	attr.bp_len = strtoull(argv[3], NULL, 0);
	prog = bpf_obj_get(argv[1]);
	if (prog < 0) {
		perror(argv[1]);
		return 1;
	}

	for (cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
		snprintf(path, sizeof(path), "%s-cpu%d", argv[1], cpu);
		if (watch(prog, &attr, cpu, path)) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

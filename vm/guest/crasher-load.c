// SPDX-License-Identifier: GPL-2.0
/* Loads the program of the plan, and those beside it, and attaches them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "crasher-tool.h"
#include "identify.h"

struct crasher *skel;
int iter_fd = -1;

/* The only caller of crasher__open(): each file with one has a copy of the object file. */
struct crasher *open_skeleton(void)
{
	return crasher__open();
}

/* Of this process, or of a CPU if that is not negative. */
static int attach_perf_event(struct bpf_program *prog, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = 100,
		.freq = 1,
	};
	int fd;

	fd = syscall(SYS_perf_event_open, &attr, cpu < 0 ? 0 : -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return bpf_program__attach_perf_event(prog, fd) ? 0 : -errno;
}

static int attach(struct bpf_program *prog, int cpu)
{
	struct bpf_link *link;

	if (bpf_program__type(prog) == BPF_PROG_TYPE_PERF_EVENT)
		return attach_perf_event(prog, cpu);

	link = bpf_program__attach(prog);
	if (!link)
		return -errno;
	if (bpf_program__expected_attach_type(prog) == BPF_TRACE_ITER)
		iter_fd = bpf_link__fd(link);
	return 0;
}

void make_destructive(struct bpf_program *prog)
{
	bpf_program__set_autoload(prog, true);
	bpf_program__set_flags(prog, bpf_program__flags(prog) | BPF_F_DESTRUCTIVE);
}

int load_and_attach(const struct plan *plan)
{
	struct bpf_program *prog, *with[MAX_WITH];
	int err;

	skel = open_skeleton();
	if (!skel)
		return -errno;

	prog = bpf_object__find_program_by_name(skel->obj, plan->target->name);
	if (!prog)
		return -ENOENT;

	skel->rodata->action = plan->action;
	skel->rodata->message = plan->message;
	skel->rodata->tgid = getpid();
	snprintf((char *)skel->rodata->token, TOKEN_LEN, "%s", plan->token);
	skel->rodata->mixed = plan->mixed;
	for (int i = 0; i < MIX_CPUS; i++)
		skel->rodata->mix[i] = i < plan->mixed ? plan->mix[i] : ACTION_NONE;
	skel->rodata->first = plan->first;
	skel->rodata->behind_claim = plan->behind_claim;
	memset(skel->bss->x450, 'x', sizeof(skel->bss->x450) - 1);

	if (plan->on) {
		err = bpf_program__set_attach_target(prog, 0, plan->on);
		if (err)
			return err;
	}
	make_destructive(prog);
	for (int i = 0; i < plan->withs; i++) {
		with[i] = bpf_object__find_program_by_name(skel->obj, plan->with[i]);
		if (!with[i])
			return -ENOENT;
		make_destructive(with[i]);
	}
	err = crasher__load(skel);
	if (err)
		return err;
	err = identify("crasher", prog) ?: attach(prog, plan->stuck);
	for (int i = 0; !err && i < plan->withs; i++)
		err = attach(with[i], -1);
	return err ?: plan->crowd ? load_crowd(plan) : 0;
}

/*
 * Tell the runner where in the machine's memory the counters are. It reads them
 * there when nothing runs any more that could print them.
 */
void locate_counters(void)
{
	unsigned long at = (unsigned long)&skel->bss->counters;
	long page = sysconf(_SC_PAGESIZE);
	uint64_t entry = 0;
	int fd;

	/* the page has to be there */
	*(volatile unsigned long long *)&skel->bss->counters.called = 0;
	fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0 || pread(fd, &entry, sizeof(entry), at / page * sizeof(entry)) != sizeof(entry))
		fprintf(stderr, "crasher: pagemap: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	/* the upper bits are flags */
	entry &= (1ULL << 55) - 1;
	printf("crasher: counters at physical address %#llx\n",
	       (unsigned long long)(entry * page + at % page));
}

// SPDX-License-Identifier: GPL-2.0
/* bpf_override_return() on a kprobe event of tracefs: each of its probes has to allow it. */
#include <test_progs.h>
#include "trace_helpers.h"
#include "kprobe_multi_override.skel.h"

#define TRACEFS	"/sys/kernel/tracing/"
#define EVENT	"bpf_selftest/override_tracefs"
#define PROBE(place) "p:" EVENT " " place "\n"

/* The first two can be made to fail. */
#define GOOD	PROBE(SYS_PREFIX "sys_getpgid")
#define GOOD2	PROBE(SYS_PREFIX "sys_getsid")
#define BAD	PROBE("bpf_fentry_test1")

#define MSG "A BPF program overrides return values, not allowed here"

static int write_events(const char *commands)
{
	int err = 0, fd = open(TRACEFS "kprobe_events", O_WRONLY | O_APPEND);

	if (write(fd, commands, strlen(commands)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Attach @prog_fd to an event with @probes. */
static int attach(int prog_fd, const char *probes)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	int link_fd, event_fd;
	FILE *file;

	if (!ASSERT_OK(write_events(probes), probes))
		return -EIO;
	file = fopen(TRACEFS "events/" EVENT "/id", "r");
	if (!ASSERT_OK_PTR(file, "open_id"))
		return -EIO;
	ASSERT_EQ(fscanf(file, "%llu", &attr.config), 1, "id");
	fclose(file);
	event_fd = syscall(__NR_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	ASSERT_OK_FD(event_fd, "perf_event_open");
	link_fd = bpf_link_create(prog_fd, event_fd, BPF_PERF_EVENT, NULL);
	close(event_fd);
	return link_fd;
}

static void detach(int link_fd)
{
	if (link_fd >= 0)
		close(link_fd);
	ASSERT_OK(write_events("-:" EVENT "\n"), "remove_event");
}

static void attach_checks_all_probes(int prog_fd)
{
	char inside[256];
	int fd, off;

	fd = attach(prog_fd, GOOD GOOD2);
	ASSERT_OK_FD(fd, "both");
	detach(fd);
	fd = attach(prog_fd, BAD GOOD);
	ASSERT_EQ(fd, -EINVAL, "not_the_first");
	detach(fd);
	fd = attach(prog_fd, GOOD BAD);
	ASSERT_EQ(fd, -EINVAL, "not_the_second");
	detach(fd);

	/* behind the entry, at the first instruction that can be probed */
	for (off = 5; off < 32; off++) {
		snprintf(inside, sizeof(inside), PROBE(SYS_PREFIX "sys_getpgid+%d"), off);
		if (!write_events(inside))
			break;
	}
	fd = attach(prog_fd, GOOD2);
	ASSERT_EQ(fd, -EINVAL, "not_at_the_entry");
	detach(fd);
}

static void append_checks_programs(int prog_fd)
{
	const struct bpf_insn insns[] = { BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN() };
	char log[4096] = "";
	int fd, plain_fd;

	fd = attach(prog_fd, GOOD);
	ASSERT_OK_FD(fd, "attach");
	/* no message of an earlier run */
	close(open(TRACEFS "error_log", O_WRONLY | O_TRUNC));
	ASSERT_OK(write_events(GOOD2), "append_good");
	ASSERT_EQ(write_events(BAD), -EINVAL, "append_bad");
	detach(fd);
	fd = open(TRACEFS "error_log", O_RDONLY);
	ASSERT_GT(read(fd, log, sizeof(log) - 1), 0, "error_log");
	close(fd);
	ASSERT_HAS_SUBSTR(log, MSG, "message");

	plain_fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", insns, ARRAY_SIZE(insns), NULL);
	fd = attach(plain_fd, GOOD);
	ASSERT_OK_FD(fd, "attach_plain");
	ASSERT_OK(write_events(BAD), "append_to_plain");
	detach(fd);
	close(plain_fd);
}

void test_override_tracefs(void)
{
	struct kprobe_multi_override *skel;
	int prog_fd;

	/* Without CONFIG_BPF_KPROBE_OVERRIDE there is no such helper. */
	if (access(TRACEFS "kprobe_events", W_OK) ||
	    libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_override_return, NULL) != 1) {
		test__skip();
		return;
	}

	/* Its pid is 0, so that the return values of this machine stay as they are. */
	skel = kprobe_multi_override__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open_and_load"))
		return;
	prog_fd = bpf_program__fd(skel->progs.test_kprobe_override);
	if (test__start_subtest("attach_checks_all_probes"))
		attach_checks_all_probes(prog_fd);
	if (test__start_subtest("append_checks_programs"))
		append_checks_programs(prog_fd);
	kprobe_multi_override__destroy(skel);
}

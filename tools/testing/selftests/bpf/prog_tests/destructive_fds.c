// SPDX-License-Identifier: GPL-2.0
/* What a file descriptor that is handed out allows without CAP_SYS_BOOT. */
#include "destructive_helpers.h"
#include <linux/hw_breakpoint.h>

static __u64 watched[2];

static void set_prog(int fd, struct bpf_program *prog)
{
	if (fd >= 0)
		ASSERT_OK(ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(prog)), "set_bpf");
}

/* To enable it, to change its period, and to move it if it is a breakpoint. */
static void test_perf_event(struct bpf_program *prog)
{
	struct perf_event_attr breakpoint = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(breakpoint),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (unsigned long)&watched[0],
		.bp_len = HW_BREAKPOINT_LEN_8,
		.sample_period = 1,
		.disabled = 1,
	};
	__u64 old_caps = 0, period = 2000000000;
	int clock_fd, breakpoint_fd;

	clock_fd = open_clock();
	set_prog(clock_fd, prog);
	breakpoint_fd = syscall(__NR_perf_event_open, &breakpoint, 0, -1, -1,
				PERF_FLAG_FD_CLOEXEC);
	set_prog(breakpoint_fd, prog);
	if (!ASSERT_OK_FD(clock_fd, "open_clock") || !drop_sys_boot(&old_caps))
		goto out;
	ASSERT_OK(ioctl(clock_fd, PERF_EVENT_IOC_ENABLE, 0), "enable");
	ASSERT_OK(ioctl(clock_fd, PERF_EVENT_IOC_PERIOD, &period), "period");
	/* not all machines have breakpoints */
	breakpoint.bp_addr = (unsigned long)&watched[1];
	if (breakpoint_fd >= 0)
		ASSERT_OK(ioctl(breakpoint_fd, PERF_EVENT_IOC_MODIFY_ATTRIBUTES, &breakpoint),
			  "move");
	restore_caps(old_caps);
out:
	close(clock_fd);
	close(breakpoint_fd);
}

/* To read it, which runs the program. */
static void test_iter(struct bpf_program *prog)
{
	int link, iter = -1;
	__u64 old_caps = 0;
	char buf[64];

	link = bpf_link_create(bpf_program__fd(prog), 0, BPF_TRACE_ITER, NULL);
	if (ASSERT_OK_FD(link, "link_create"))
		iter = bpf_iter_create(link);
	if (ASSERT_OK_FD(iter, "iter_create") && drop_sys_boot(&old_caps)) {
		ASSERT_OK(read(iter, buf, sizeof(buf)), "read");
		restore_caps(old_caps);
	}
	close(iter);
	close(link);
}

/* To take a program out of it. */
static void test_prog_array(struct bpf_program *prog)
{
	int map, key = 0, fd = bpf_program__fd(prog);
	__u64 old_caps = 0;

	map = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "fds", 4, 4, 1, NULL);
	if (!ASSERT_OK_FD(map, "map_create"))
		return;
	ASSERT_OK(bpf_map_update_elem(map, &key, &fd, BPF_ANY), "update");
	if (drop_sys_boot(&old_caps)) {
		ASSERT_OK(bpf_map_delete_elem(map, &key), "delete");
		ASSERT_EQ(bpf_map_update_elem(map, &key, &fd, BPF_ANY), -EPERM, "put_back");
		restore_caps(old_caps);
	}
	close(map);
}

/* It stays attached, and destructive, without the capability of who has attached it. */
static void test_link(struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach(prog);
	struct bpf_link_info link_info = {};
	struct bpf_prog_info prog_info = {};
	__u32 link_len = sizeof(link_info), prog_len = sizeof(prog_info);
	__u64 old_caps = 0;

	if (ASSERT_OK_PTR(link, "attach") && drop_sys_boot(&old_caps)) {
		ASSERT_OK(bpf_link_get_info_by_fd(bpf_link__fd(link), &link_info, &link_len),
			  "link_info");
		ASSERT_OK(bpf_prog_get_info_by_fd(bpf_program__fd(prog), &prog_info, &prog_len),
			  "prog_info");
		ASSERT_EQ(link_info.prog_id, prog_info.id, "attached");
		ASSERT_TRUE(prog_info.destructive, "destructive");
		restore_caps(old_caps);
	}
	bpf_link__destroy(link);
}

static void test_fd(const char *name, void (*test)(struct bpf_program *prog))
{
	struct bpf_program *prog;
	struct destructive *skel;

	skel = load_prog(name, true, &prog);
	if (skel)
		test(prog);
	destructive__destroy(skel);
}

void test_destructive_fds(void)
{
	if (test__start_subtest("perf_event"))
		test_fd("perf_event", test_perf_event);
	if (test__start_subtest("iter"))
		test_fd("iter", test_iter);
	if (test__start_subtest("link"))
		test_fd("fentry", test_link);
	if (test__start_subtest("prog_array"))
		test_fd("raw_tp", test_prog_array);
}

// SPDX-License-Identifier: GPL-2.0
/* Whose credentials a syscall program calls bpf(2) with: those of who runs it, or none. */
#include <test_progs.h>
#include "cap_helpers.h"
#include "sys_bpf_async.skel.h"

static struct sys_bpf_async *open_and_load(void)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct sys_bpf_async *skel;

	skel = sys_bpf_async__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open_and_load"))
		return NULL;
	if (ASSERT_OK(bpf_map_get_info_by_fd(bpf_map__fd(skel->maps.elems), &info, &len), "info")) {
		skel->bss->map_id = info.id;
		return skel;
	}
	sys_bpf_async__destroy(skel);
	return NULL;
}

/* Run a program, and wait until bpf_sys_bpf() has been called. */
static bool run_prog(struct sys_bpf_async *skel, struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int i;

	if (!ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "run") ||
	    !ASSERT_OK(opts.retval, "retval"))
		return false;
	for (i = 0; i < 200 && !READ_ONCE(skel->bss->runs); i++)
		usleep(10000);
	return ASSERT_EQ(READ_ONCE(skel->bss->runs), 1, "runs");
}

static void test_direct(void)
{
	struct sys_bpf_async *skel;
	__u64 old_caps = 0;

	skel = open_and_load();
	if (!skel)
		return;

	if (run_prog(skel, skel->progs.direct)) {
		ASSERT_GE(skel->data->fd, 0, "fd_with_cap");
		ASSERT_OK(skel->data->close_err, "close");
	}

	skel->bss->runs = 0;
	if (ASSERT_OK(cap_disable_effective(1ULL << CAP_SYS_ADMIN, &old_caps), "drop_cap")) {
		if (run_prog(skel, skel->progs.direct)) {
			ASSERT_EQ(skel->data->fd, -EPERM, "fd_without_cap");
			ASSERT_EQ(skel->data->close_err, -EBADF, "close_nothing");
		}
		ASSERT_OK(cap_enable_effective(old_caps, NULL), "restore_caps");
	}

	sys_bpf_async__destroy(skel);
}

/* A kworker has all capabilities, and they are not the caller's. */
static void test_later(bool wq)
{
	struct sys_bpf_async *skel;

	skel = open_and_load();
	if (!skel)
		return;

	if (run_prog(skel, wq ? skel->progs.from_wq : skel->progs.from_task_work)) {
		ASSERT_EQ(skel->data->fd, -EPERM, "fd");
		ASSERT_EQ(skel->data->close_err, -EPERM, "close");
	}

	sys_bpf_async__destroy(skel);
}

void test_sys_bpf_async(void)
{
	if (test__start_subtest("direct"))
		test_direct();
	if (test__start_subtest("wq"))
		test_later(true);
	if (test__start_subtest("task_work"))
		test_later(false);
}

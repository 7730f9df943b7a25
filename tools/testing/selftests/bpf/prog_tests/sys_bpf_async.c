// SPDX-License-Identifier: GPL-2.0
/* Whose credentials a syscall program calls bpf(2) with: those of who runs it, or none. */
#include <test_progs.h>
#include "cap_helpers.h"
#include "sys_bpf_async.skel.h"

/* Run a program, and wait until it has called bpf_sys_bpf(). */
static void run_prog(struct sys_bpf_async *skel, struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int i;

	skel->bss->runs = 0;
	ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "run");
	ASSERT_OK(opts.retval, "retval");
	for (i = 0; i < 200 && !READ_ONCE(skel->bss->runs); i++)
		usleep(10000);
	ASSERT_EQ(READ_ONCE(skel->bss->runs), 1, "runs");
}

static void caller_has_credentials(struct sys_bpf_async *skel)
{
	__u64 old_caps = 0;

	run_prog(skel, skel->progs.direct);
	ASSERT_OK_FD(skel->data->fd, "fd_with_cap");
	ASSERT_OK(skel->data->close_err, "close");

	if (!ASSERT_OK(cap_disable_effective(1ULL << CAP_SYS_ADMIN, &old_caps), "drop_cap"))
		return;
	run_prog(skel, skel->progs.direct);
	ASSERT_EQ(skel->data->fd, -EPERM, "fd_without_cap");
	ASSERT_EQ(skel->data->close_err, -EBADF, "close_nothing");
	ASSERT_OK(cap_enable_effective(old_caps, NULL), "restore_caps");
}

/* A kworker has all capabilities, and they are not the caller's. */
static void callback_has_none(struct sys_bpf_async *skel, struct bpf_program *prog)
{
	run_prog(skel, prog);
	ASSERT_EQ(skel->data->fd, -EPERM, "fd");
	ASSERT_EQ(skel->data->close_err, -EPERM, "close");
}

void test_sys_bpf_async(void)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct sys_bpf_async *skel;

	skel = sys_bpf_async__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open_and_load"))
		return;
	if (!ASSERT_OK(bpf_map_get_info_by_fd(bpf_map__fd(skel->maps.elems), &info, &len), "info"))
		goto out;
	skel->bss->map_id = info.id;

	if (test__start_subtest("caller_has_credentials"))
		caller_has_credentials(skel);
	if (test__start_subtest("wq_has_none"))
		callback_has_none(skel, skel->progs.from_wq);
	if (test__start_subtest("task_work_has_none"))
		callback_has_none(skel, skel->progs.from_task_work);
out:
	sys_bpf_async__destroy(skel);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A program is test-run with as much context as it needs. Those that it tail calls, or
 * is extended by, need more.
 */
#include <test_progs.h>
#include "test_run_limits.skel.h"

/* Load a program, which may be an extension of @target. */
static struct test_run_limits *load(const char *name, struct bpf_program *target,
				    struct bpf_program **prog)
{
	struct test_run_limits *skel;

	skel = test_run_limits__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	*prog = bpf_object__find_program_by_name(skel->obj, name);
	bpf_program__set_autoload(*prog, true);
	if (bpf_program__type(*prog) == BPF_PROG_TYPE_EXT)
		bpf_program__set_attach_target(*prog, bpf_program__fd(target),
					       bpf_program__name(target));
	if (ASSERT_OK(test_run_limits__load(skel), name))
		return skel;
	test_run_limits__destroy(skel);
	return NULL;
}

typedef void (*run_fn)(struct bpf_program *prog, struct test_run_limits *other_skel);

/* Have one program tail call the other one, or be extended by it, and run it. */
static void run_by(const char *name, const char *other, run_fn run)
{
	struct test_run_limits *skel, *other_skel = NULL;
	struct bpf_program *prog, *other_prog;
	struct bpf_link *link = NULL;
	int key = 0, fd;

	skel = load(name, NULL, &prog);
	if (skel)
		other_skel = load(other, prog, &other_prog);
	if (!other_skel)
		goto out;
	fd = bpf_program__fd(other_prog);
	if (bpf_program__type(other_prog) == BPF_PROG_TYPE_EXT)
		link = bpf_program__attach(other_prog);
	else
		bpf_map__update_elem(skel->maps.callees, &key, sizeof(key), &fd, sizeof(fd), 0);
	run(prog, other_skel);
out:
	bpf_link__destroy(link);
	test_run_limits__destroy(other_skel);
	test_run_limits__destroy(skel);
}

/* With no context, or a short one. */
static void run_syscall(struct bpf_program *prog, struct test_run_limits *other_skel)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	__u64 ctx[2] = { 1, 0x1badcafe };
	int i, fd = bpf_program__fd(prog);

	/* and nothing that was left there by another run */
	for (i = 0; i < 3; i++) {
		ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "run");
		ASSERT_EQ(opts.retval, 1, "retval");
	}

	opts.ctx_in = ctx;
	opts.ctx_size_in = sizeof(ctx[0]);
	ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "run_short");
	ASSERT_EQ(opts.retval, 1, "retval_short");
	ASSERT_EQ(ctx[0], 2, "in_and_out");
	ASSERT_EQ(ctx[1], 0x1badcafe, "behind");
}

/* With the first @cnt of twelve arguments. */
static int run_with_args(struct bpf_program *prog, int cnt)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	__u64 args[12] = { 5, [11] = 7 };

	opts.ctx_in = cnt ? args : NULL;
	opts.ctx_size_in = cnt * sizeof(args[0]);
	return bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
}

static void run_raw_tp(struct bpf_program *prog, struct test_run_limits *other_skel)
{
	ASSERT_OK(run_with_args(prog, 0), "run_without");
	ASSERT_EQ(other_skel->bss->args_seen, 1, "seen_without");
	ASSERT_OK(run_with_args(prog, 11), "run_short");
	ASSERT_EQ(other_skel->bss->args_seen, 6, "seen_short");
	ASSERT_OK(run_with_args(prog, 12), "run_with_all");
	ASSERT_EQ(other_skel->bss->args_seen, 5, "seen_all");
}

void test_test_run_limits(void)
{
	if (test__start_subtest("syscall_tail_call"))
		run_by("syscall_main", "syscall_write", run_syscall);
	if (test__start_subtest("syscall_tail_call_in_function")) {
		/* Without a JIT programs with functions may not tail call. */
		if (env.jit_enabled) {
			run_by("syscall_static", "syscall_write", run_syscall);
			run_by("syscall_global", "syscall_write", run_syscall);
		} else {
			test__skip();
		}
	}
	if (test__start_subtest("syscall_ext"))
		run_by("syscall_main", "ext_syscall_write", run_syscall);
	if (test__start_subtest("raw_tp_tail_call"))
		run_by("raw_tp_plain", "raw_tp_args", run_raw_tp);
	if (test__start_subtest("raw_tp_ext"))
		run_by("raw_tp_plain", "ext_raw_tp_args", run_raw_tp);
}

// SPDX-License-Identifier: GPL-2.0
/* What is checked when an iterator is attached holds for what a link is updated to as well. */
#include <test_progs.h>
#include "iter_limits.skel.h"

static struct iter_limits *load(const char *name, struct bpf_program **prog)
{
	struct iter_limits *skel;

	skel = iter_limits__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	*prog = bpf_object__find_program_by_name(skel->obj, name);
	if (ASSERT_OK_PTR(*prog, name)) {
		bpf_program__set_autoload(*prog, true);
		if (ASSERT_OK(iter_limits__load(skel), name))
			return skel;
	}
	iter_limits__destroy(skel);
	return NULL;
}

/* Attach @from, update its link to @to, and back again. */
static void update_link(const char *from, const char *to, const struct bpf_iter_attach_opts *opts,
			int want)
{
	struct iter_limits *skel, *new_skel;
	struct bpf_program *prog, *new_prog;
	struct bpf_link *link;
	int fd;

	skel = load(from, &prog);
	new_skel = load(to, &new_prog);
	if (!skel || !new_skel)
		goto out;
	link = bpf_program__attach_iter(prog, opts);
	if (!ASSERT_OK_PTR(link, "attach_iter"))
		goto out;
	fd = bpf_link__fd(link);
	ASSERT_EQ(bpf_link_update(fd, bpf_program__fd(new_prog), NULL), want, to);
	ASSERT_OK(bpf_link_update(fd, bpf_program__fd(prog), NULL), from);
	bpf_link__destroy(link);
out:
	iter_limits__destroy(new_skel);
	iter_limits__destroy(skel);
}

static void update_reach(const char *more, const struct bpf_iter_attach_opts *opts)
{
	update_link(more, more, opts, 0);
	update_link(more, "iter_plain", opts, 0);
	update_link("iter_plain", more, opts, -EINVAL);
}

/* Load the program @name for the function with the name of an iterator. */
static void load_for_func(const char *name, int want, const char *msg)
{
	struct iter_limits *skel, *func_skel = NULL;
	struct bpf_program *prog, *func_prog;
	char log[4096] = "";

	skel = load("iter_named", &prog);
	if (skel)
		func_skel = iter_limits__open();
	if (!ASSERT_OK_PTR(func_skel, "open"))
		goto out;
	func_prog = bpf_object__find_program_by_name(func_skel->obj, name);
	bpf_program__set_autoload(func_prog, true);
	bpf_program__set_log_buf(func_prog, log, sizeof(log));
	if (ASSERT_OK(bpf_program__set_attach_target(func_prog, bpf_program__fd(prog),
						     "bpf_iter_bpf_map_elem"), "set_target"))
		ASSERT_EQ(iter_limits__load(func_skel), want, name);
	ASSERT_HAS_SUBSTR(log, msg, name);
out:
	iter_limits__destroy(func_skel);
	iter_limits__destroy(skel);
}

void test_iter_limits(void)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	union bpf_iter_link_info linfo = {};
	int fd;

	/* Keys and values are just big enough for each program. */
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "iterated", sizeof(__u64), sizeof(__u64), 1, NULL);
	if (!ASSERT_OK_FD(fd, "map_create"))
		return;
	linfo.map.map_fd = fd;
	opts.link_info = &linfo;
	opts.link_info_len = sizeof(linfo);

	if (test__start_subtest("max_rdonly_access"))
		update_reach("iter_read_key", &opts);
	if (test__start_subtest("max_rdwr_access"))
		update_reach("iter_write_value", &opts);
	if (test__start_subtest("sleepable")) {
		update_link("iter_plain", "iter_sleepable", &opts, -EINVAL);
		update_link("task_plain", "task_sleepable", NULL, 0);
		update_link("task_sleepable", "task_plain", NULL, 0);
	}
	if (test__start_subtest("functions_are_no_iterators")) {
		load_for_func("ext_iter", -EINVAL, "Cannot extend iterators");
		load_for_func("iter_plain", -EINVAL,
			      "Iterators cannot be attached to another BPF prog");
		load_for_func("fentry_iter", 0, "");
	}
	close(fd);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Where a program may be attached is decided by what it does itself. Programs
 * that do more must not get there by a tail call or as an extension.
 */
#include <test_progs.h>
#include "attach_limits.skel.h"

static struct attach_limits *load(const char *name, struct bpf_program **prog, int callees,
				  struct bpf_program *target, int *err)
{
	struct attach_limits *skel;

	skel = attach_limits__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;

	*prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!ASSERT_OK_PTR(*prog, "find_program"))
		goto out;
	bpf_program__set_autoload(*prog, true);
	if (callees >= 0 &&
	    !ASSERT_OK(bpf_map__reuse_fd(skel->maps.callees, callees), "reuse_fd"))
		goto out;
	if (target &&
	    !ASSERT_OK(bpf_program__set_attach_target(*prog, bpf_program__fd(target),
						      bpf_program__name(target)), "set_target"))
		goto out;

	*err = attach_limits__load(skel);
	return skel;
out:
	attach_limits__destroy(skel);
	return NULL;
}

static struct attach_limits *load_good(const char *name, struct bpf_program **prog,
				       struct bpf_program *target)
{
	struct attach_limits *skel;
	int err;

	skel = load(name, prog, -1, target, &err);
	if (!skel || ASSERT_OK(err, name))
		return skel;
	attach_limits__destroy(skel);
	return NULL;
}

/* One program in the other one's array, and one that is loaded with the other in its array. */
static void tail_call(const char *caller, const char *callee, int want)
{
	struct attach_limits *skel, *other_skel = NULL;
	struct bpf_program *prog, *other;
	int err, fd, key = 0, prog_fd;

	skel = load_good(caller, &prog, NULL);
	if (!skel)
		return;
	other_skel = load_good(callee, &other, NULL);
	if (!other_skel)
		goto out;
	prog_fd = bpf_program__fd(other);
	err = bpf_map__update_elem(skel->maps.callees, &key, sizeof(key), &prog_fd,
				   sizeof(prog_fd), 0);
	ASSERT_EQ(err, want, "update");
	attach_limits__destroy(skel);

	fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "callees", sizeof(key), sizeof(prog_fd), 1,
			    NULL);
	skel = NULL;
	if (!ASSERT_OK_FD(fd, "map_create"))
		goto out;
	ASSERT_OK(bpf_map_update_elem(fd, &key, &prog_fd, 0), "first_update");
	skel = load(caller, &prog, fd, NULL, &err);
	if (skel)
		ASSERT_EQ(err, want, "load");
	close(fd);
out:
	attach_limits__destroy(other_skel);
	attach_limits__destroy(skel);
}

/* Callers and callees that do the same get along, and others do not. */
static void test_tail_call(const char *plain, const char *more)
{
	tail_call(plain, plain, 0);
	tail_call(more, more, 0);
	tail_call(plain, more, -EINVAL);
	tail_call(more, plain, -EINVAL);
}

/* The extension is loaded for one target, which may be another one than it is attached to. */
static void extend(const char *ext, const char *load_target, const char *target, int want)
{
	struct attach_limits *load_skel, *target_skel, *ext_skel = NULL;
	struct bpf_program *load_prog, *target_prog, *ext_prog;
	struct bpf_link *link;

	load_skel = load_good(load_target, &load_prog, NULL);
	target_skel = load_good(target, &target_prog, NULL);
	if (!load_skel || !target_skel)
		goto out;
	ext_skel = load_good(ext, &ext_prog, load_prog);
	if (!ext_skel)
		goto out;

	link = bpf_program__attach_freplace(ext_prog, bpf_program__fd(target_prog), target);
	ASSERT_EQ(link ? 0 : -errno, want, target);
	bpf_link__destroy(link);
out:
	attach_limits__destroy(ext_skel);
	attach_limits__destroy(target_skel);
	attach_limits__destroy(load_skel);
}

static void test_ext(const char *ext, const char *plain, const char *more)
{
	struct attach_limits *plain_skel, *ext_skel = NULL;
	struct bpf_program *plain_prog, *ext_prog;
	struct bpf_link *link;

	extend(ext, more, more, 0);
	extend(ext, plain, more, 0);
	extend(ext, more, plain, -EINVAL);

	/* The target that it was loaded for is not looked up again. */
	plain_skel = load_good(plain, &plain_prog, NULL);
	if (!plain_skel)
		return;
	ext_skel = load_good(ext, &ext_prog, plain_prog);
	if (ext_skel) {
		link = bpf_program__attach(ext_prog);
		ASSERT_EQ(link ? 0 : -errno, -EINVAL, "attach");
		bpf_link__destroy(link);
	}
	attach_limits__destroy(ext_skel);
	attach_limits__destroy(plain_skel);
}

static bool has_override(void)
{
	struct attach_limits *skel;
	struct bpf_program *prog;
	int err = -EINVAL;

	skel = load("kprobe_override", &prog, -1, NULL, &err);
	attach_limits__destroy(skel);
	return !err;
}

void test_attach_limits(void)
{
	if (test__start_subtest("ext_override")) {
		/* CONFIG_BPF_KPROBE_OVERRIDE */
		if (has_override())
			test_ext("ext_override", "kprobe_plain", "kprobe_override");
		else
			test__skip();
	}
	if (test__start_subtest("tail_call_write_ctx"))
		test_tail_call("kprobe_plain", "kprobe_write");
	if (test__start_subtest("tail_call_tp_write"))
		test_tail_call("tp_plain", "tp_write");
	if (test__start_subtest("tail_call_iter_read"))
		test_tail_call("iter_plain", "iter_read");
	if (test__start_subtest("tail_call_iter_write"))
		test_tail_call("iter_plain", "iter_write");
	if (test__start_subtest("ext_tp_write"))
		test_ext("ext_tp_write", "tp_plain", "tp_write");
}

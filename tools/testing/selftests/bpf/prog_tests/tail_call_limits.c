// SPDX-License-Identifier: GPL-2.0
/*
 * What an attach point is checked for is known of the program that is attached. Those
 * that it tail calls must not do more.
 */
#include <test_progs.h>
#include "tail_call_limits.skel.h"

/* Load one program, or two with the same program array. */
static struct tail_call_limits *load(const char *name, const char *other, int want)
{
	struct tail_call_limits *skel;
	int err;

	skel = tail_call_limits__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	bpf_program__set_autoload(bpf_object__find_program_by_name(skel->obj, name), true);
	bpf_program__set_autoload(bpf_object__find_program_by_name(skel->obj, other), true);
	err = tail_call_limits__load(skel);
	if (err == -EOPNOTSUPP)
		test__skip();
	else if (ASSERT_EQ(err, want, name) && !want)
		return skel;
	tail_call_limits__destroy(skel);
	return NULL;
}

/* A callee comes into the array of a caller, or is loaded with the same array. */
static void tail_call(const char *caller, const char *callee, int want)
{
	struct tail_call_limits *skel, *other_skel;
	int key = 0, fd;

	skel = load(caller, caller, 0);
	other_skel = load(callee, callee, 0);
	if (skel && other_skel) {
		fd = bpf_program__fd(bpf_object__find_program_by_name(other_skel->obj, callee));
		ASSERT_EQ(bpf_map__update_elem(skel->maps.callees, &key, sizeof(key), &fd,
					       sizeof(fd), 0), want, "update");
	}
	tail_call_limits__destroy(other_skel);
	tail_call_limits__destroy(skel);
	tail_call_limits__destroy(load(caller, callee, want));
}

static void only_alike(const char *plain, const char *more)
{
	tail_call(plain, plain, 0);
	tail_call(more, more, 0);
	tail_call(plain, more, -EINVAL);
	tail_call(more, plain, -EINVAL);
}

void test_tail_call_limits(void)
{
	if (test__start_subtest("kprobe_write_ctx"))
		only_alike("kprobe_plain", "kprobe_write");
	if (test__start_subtest("max_tp_access"))
		only_alike("tp_plain", "tp_write");
	if (test__start_subtest("max_rdonly_access"))
		only_alike("iter_plain", "iter_read_key");
	if (test__start_subtest("max_rdwr_access"))
		only_alike("iter_plain", "iter_write_value");
	if (test__start_subtest("fsession_cookie"))
		only_alike("fsession_plain", "fsession_cookie");
	if (test__start_subtest("kprobe_session_cookie"))
		tail_call("session_plain", "session_cookie", 0);
}

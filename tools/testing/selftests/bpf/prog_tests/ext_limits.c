// SPDX-License-Identifier: GPL-2.0
/* An extension must not do what its target has not been verified or attached for. */
#include <test_progs.h>
#include "ext_limits.skel.h"

/* The storage of another skeleton, for programs to have it in common; -1 for its own. */
static int storage_fd = -1;

/* Load the program @name, which may be an extension of @func in @target. */
static struct ext_limits *load(const char *name, struct bpf_program *target, const char *func,
			       int want, const char *msg, struct bpf_program **prog)
{
	static char log[64 * 1024];
	struct ext_limits *skel;

	skel = ext_limits__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	*prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!ASSERT_OK_PTR(*prog, name))
		goto out;
	bpf_program__set_autoload(*prog, true);
	if (*prog == skel->progs.struct_ops_target)
		bpf_map__set_autocreate(skel->maps.dummy_ops, true);
	if (target &&
	    !ASSERT_OK(bpf_program__set_attach_target(*prog, bpf_program__fd(target), func), func))
		goto out;

	if (storage_fd >= 0 &&
	    !ASSERT_OK(bpf_map__reuse_fd(skel->maps.storage, storage_fd), "reuse_fd"))
		goto out;

	log[0] = 0;
	if (msg)
		bpf_program__set_log_buf(*prog, log, sizeof(log));
	if (!ASSERT_EQ(ext_limits__load(skel), want, name))
		goto out;
	if (msg)
		ASSERT_HAS_SUBSTR(log, msg, name);
	if (!want)
		return skel;
out:
	ext_limits__destroy(skel);
	return NULL;
}

/*
 * Load the extension @ext for @load_func in the program @load_for, and attach it to @func
 * in @target. With a message from the verifier it is the load that gives @want.
 */
static void extend_func(const char *ext, const char *load_for, const char *load_func,
			const char *target, const char *func, int want, const char *msg)
{
	struct ext_limits *load_skel, *skel, *ext_skel = NULL;
	struct bpf_program *load_prog, *prog, *ext_prog;
	struct bpf_link *link;

	load_skel = load(load_for, NULL, NULL, 0, NULL, &load_prog);
	skel = load(target, NULL, NULL, 0, NULL, &prog);
	if (load_skel && skel)
		ext_skel = load(ext, load_prog, load_func, msg ? want : 0, msg, &ext_prog);
	if (ext_skel) {
		if (!strcmp(func, load_func))
			link = bpf_program__attach(ext_prog);
		else
			link = bpf_program__attach_freplace(ext_prog, bpf_program__fd(prog), func);
		ASSERT_EQ(link ? 0 : -errno, want, func);
		bpf_link__destroy(link);
	}
	ext_limits__destroy(ext_skel);
	ext_limits__destroy(skel);
	ext_limits__destroy(load_skel);
}

static void extend_same(const char *ext, const char *target, const char *func, int want,
			const char *msg)
{
	extend_func(ext, target, func, target, func, want, msg);
}

/* The function is the whole program. */
static void extend(const char *ext, const char *load_for, const char *target, int want)
{
	extend_func(ext, load_for, load_for, target, target, want, NULL);
}

/* The extension does what only @more does, too. */
static void needs_target(const char *ext, const char *plain, const char *more)
{
	extend(ext, more, more, 0);
	extend(ext, plain, more, 0);
	extend(ext, plain, plain, -EINVAL);
	extend(ext, more, plain, -EINVAL);
}

#define MSG_ARG "arg0 is not what the target has, use its type and tags"
#define MSG_BIG "arg0 points to 16 bytes, in the target to 8"

/* One function of the program "args" at load, and perhaps another one at attach. */
static void extend_arg(const char *ext, const char *load_func, const char *func, int want,
		       const char *msg)
{
	extend_func(ext, "args", load_func, "args", func, want, msg);
}

/* What an extension takes its arguments for may be less than what they are, and not more. */
static void test_args(void)
{
	static const char plain[] = "arg_plain", nonnull[] = "arg_nonnull";
	static const char trusted[] = "arg_trusted", untrusted[] = "arg_untrusted";

	extend_arg("ext_plain", plain, plain, 0, NULL);
	extend_arg("ext_nonnull", nonnull, nonnull, 0, NULL);
	extend_arg("ext_untrusted", untrusted, untrusted, 0, NULL);
	extend_arg("ext_trusted", trusted, trusted, 0, NULL);
	/* less, at load and at attach */
	extend_arg("ext_plain", nonnull, nonnull, 0, NULL);
	extend_arg("ext_untrusted", trusted, trusted, 0, NULL);
	extend_arg("ext_plain", plain, nonnull, 0, NULL);
	extend_arg("ext_untrusted", untrusted, trusted, 0, NULL);
	/* more, at load and at attach */
	extend_arg("ext_big", plain, plain, -EINVAL, MSG_BIG);
	extend_arg("ext_nonnull", plain, plain, -EINVAL, MSG_ARG);
	extend_arg("ext_trusted", untrusted, untrusted, -EINVAL, MSG_ARG);
	extend_arg("ext_task", untrusted, untrusted, -EINVAL, MSG_ARG);
	extend_arg("ext_task", trusted, trusted, -EINVAL, MSG_ARG);
	extend_arg("ext_nonnull", nonnull, plain, -EINVAL, NULL);
	extend_arg("ext_trusted", trusted, untrusted, -EINVAL, NULL);
}

static void test_storage(void)
{
	struct bpf_program *prog;
	struct ext_limits *skel;

	skel = load("cgroup_skb_storage", NULL, NULL, 0, NULL, &prog);
	if (!skel)
		return;
	storage_fd = bpf_map__fd(skel->maps.storage);
	extend("ext_skb", "cgroup_skb", "cgroup_skb", 0);
	extend("ext_skb", "cgroup_skb_storage", "cgroup_skb_storage", 0);
	needs_target("ext_storage", "cgroup_skb", "cgroup_skb_storage");
	extend("ext_other_storage", "cgroup_skb_storage", "cgroup_skb_storage", -EINVAL);
	storage_fd = -1;
	ext_limits__destroy(skel);
}

void test_ext_limits(void)
{
	if (test__start_subtest("struct_ops_return_value"))
		extend_same("ext_struct_ops", "struct_ops_target", "struct_ops_func", 0, NULL);
	if (test__start_subtest("tp_btf_is_no_tracepoint")) {
		extend_same("ext_tp_btf", "tp_btf_target", "tp_btf_func", 0, NULL);
		extend_same("ext_tp_btf_read", "tp_btf_target", "tp_btf_func", -EACCES,
			    "invalid bpf_context access");
	}
	if (test__start_subtest("kprobe_override")) {
		/* Without CONFIG_BPF_KPROBE_OVERRIDE there is no such helper. */
		if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_override_return,
					    NULL) == 1) {
			needs_target("ext_override", "kprobe_plain", "kprobe_override");
			extend("ext_kprobe", "kprobe_override", "kprobe_override", 0);
		} else {
			test__skip();
		}
	}
	if (test__start_subtest("max_tp_access"))
		needs_target("ext_tp_write", "tp_plain", "tp_write");
	if (test__start_subtest("arguments"))
		test_args();
	if (test__start_subtest("cgroup_storage"))
		test_storage();
	if (test__start_subtest("skb_cb")) {
		needs_target("ext_cb", "cgroup_skb", "cgroup_skb_cb");
		needs_target("ext_cb", "socket", "socket_cb");
		needs_target("ext_cb", "lwt", "lwt_cb");
		extend("ext_skb", "socket_cb", "socket_cb", 0);
		/* tc programs share skb->cb, as those of dispatchers do. */
		extend("ext_cb", "tc", "tc", 0);
	}
	if (test__start_subtest("syscall_ctx"))
		needs_target("ext_syscall_write", "syscall_plain", "syscall_write");
}

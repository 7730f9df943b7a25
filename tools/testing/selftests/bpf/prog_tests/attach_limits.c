// SPDX-License-Identifier: GPL-2.0
/*
 * Where a program may be attached is decided by what it does itself. Programs
 * that do more must not get there by a tail call or as an extension.
 */
#include <test_progs.h>
#include <network_helpers.h>
#include "attach_limits.skel.h"
#include "attach_limits_ext.skel.h"

/* Of the maps the one in @shared, if any, is that of another skeleton. */
static struct attach_limits *load(const char *name, struct bpf_program **prog,
				  const char *shared, int map_fd, struct bpf_program *target,
				  const char *func, int *err)
{
	struct attach_limits *skel;
	struct bpf_map *map;

	skel = attach_limits__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;

	*prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!ASSERT_OK_PTR(*prog, "find_program"))
		goto out;
	bpf_program__set_autoload(*prog, true);
	if (shared) {
		map = bpf_object__find_map_by_name(skel->obj, shared);
		if (!ASSERT_OK_PTR(map, "find_map") ||
		    !ASSERT_OK(bpf_map__reuse_fd(map, map_fd), "reuse_fd"))
			goto out;
	}
	if (target &&
	    !ASSERT_OK(bpf_program__set_attach_target(*prog, bpf_program__fd(target),
						      func ?: bpf_program__name(target)),
		       "set_target"))
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

	skel = load(name, prog, NULL, -1, target, NULL, &err);
	if (!skel || ASSERT_OK(err, name))
		return skel;
	attach_limits__destroy(skel);
	return NULL;
}

static int set_callee(struct attach_limits *skel, struct bpf_program *callee)
{
	int key = 0, fd = bpf_program__fd(callee);

	return bpf_map__update_elem(skel->maps.callees, &key, sizeof(key), &fd, sizeof(fd), 0);
}

/* Attach an extension to what it was loaded for. One that should not be there is not kept. */
static struct bpf_link *attach_ext(struct bpf_program *ext, int want)
{
	struct bpf_link *link = bpf_program__attach(ext);

	if (ASSERT_EQ(link ? 0 : -errno, want, bpf_program__name(ext)) && !want)
		return link;
	bpf_link__destroy(link);
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
	ASSERT_EQ(set_callee(skel, other), want, "update");
	attach_limits__destroy(skel);

	fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "callees", sizeof(key), sizeof(prog_fd), 1,
			    NULL);
	skel = NULL;
	if (!ASSERT_OK_FD(fd, "map_create"))
		goto out;
	prog_fd = bpf_program__fd(other);
	ASSERT_OK(bpf_map_update_elem(fd, &key, &prog_fd, 0), "first_update");
	skel = load(caller, &prog, "callees", fd, NULL, NULL, &err);
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

	extend(ext, more, more, 0);
	extend(ext, plain, more, 0);
	extend(ext, more, plain, -EINVAL);

	/* The target that it was loaded for is not looked up again. */
	plain_skel = load_good(plain, &plain_prog, NULL);
	if (!plain_skel)
		return;
	ext_skel = load_good(ext, &ext_prog, plain_prog);
	if (ext_skel)
		attach_ext(ext_prog, -EINVAL);
	attach_limits__destroy(ext_skel);
	attach_limits__destroy(plain_skel);
}

/* What syscall_write and ext_syscall_write need. */
#define SYSCALL_CTX_SIZE	(65504 + 2 * sizeof(__u64))
#define SYSCALL_CTX_MAX		65535

/*
 * A program that needs no context is run without one, or with a short one, by way of
 * another that needs much.
 */
static void run_syscall(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	LIBBPF_OPTS(bpf_test_run_opts, short_opts);
	__u64 ctx[2] = { 1, 0x1badcafe };
	int i;

	/* and finds nothing that was left there */
	for (i = 0; i < 3; i++) {
		ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "run");
		ASSERT_EQ(opts.retval, 1, "retval");
	}

	short_opts.ctx_in = ctx;
	short_opts.ctx_size_in = sizeof(ctx[0]);
	ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &short_opts), "run_short");
	ASSERT_EQ(short_opts.retval, 1, "retval_short");
	ASSERT_EQ(ctx[0], 2, "in_and_out");
	ASSERT_EQ(ctx[1], 0x1badcafe, "behind");
}

/* One that is run by itself is refused without the context that it needs. */
static void run_syscall_alone(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int fd = bpf_program__fd(prog);
	__u64 *ctx;

	ASSERT_EQ(bpf_prog_test_run_opts(fd, &opts), -EINVAL, "run_without");
	ctx = calloc(1, SYSCALL_CTX_MAX);
	if (!ASSERT_OK_PTR(ctx, "calloc"))
		return;
	opts.ctx_in = ctx;
	opts.ctx_size_in = SYSCALL_CTX_SIZE - 1;
	ASSERT_EQ(bpf_prog_test_run_opts(fd, &opts), -EINVAL, "run_too_short");
	opts.ctx_size_in = SYSCALL_CTX_SIZE;
	ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "run_with");
	ASSERT_EQ(ctx[0], 1, "out");
	opts.ctx_size_in = SYSCALL_CTX_MAX;
	ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "run_with_more");
	ASSERT_EQ(ctx[0], 2, "in_and_out");
	free(ctx);
}

static void test_tail_call_syscall(const char *caller)
{
	struct attach_limits *skel, *other_skel;
	struct bpf_program *prog, *other;

	skel = load_good(caller, &prog, NULL);
	other_skel = load_good("syscall_write", &other, NULL);
	if (!skel || !other_skel)
		goto out;

	run_syscall_alone(other);
	if (ASSERT_OK(set_callee(skel, other), "update"))
		run_syscall(prog);
out:
	attach_limits__destroy(other_skel);
	attach_limits__destroy(skel);
}

/* The extension @name of the program @target or of @func in it, which is then run. */
static void ext_syscall(const char *name, const char *target, const char *func, int want)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct attach_limits *skel, *ext_skel = NULL;
	struct bpf_program *prog, *ext;
	struct bpf_link *link = NULL;
	int err;

	skel = load_good(target, &prog, NULL);
	if (!skel)
		return;
	ext_skel = load(name, &ext, NULL, -1, prog, func, &err);
	if (!ext_skel || !ASSERT_OK(err, "load"))
		goto out;
	link = attach_ext(ext, want);
	if (!link)
		goto out;
	if (!strcmp(name, "ext_syscall_write")) {
		run_syscall(prog);
	} else {
		ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "run");
		ASSERT_EQ(opts.retval, 1, "retval");
	}
out:
	bpf_link__destroy(link);
	attach_limits__destroy(ext_skel);
	attach_limits__destroy(skel);
}

static void test_ext_syscall(void)
{
	static const char func[] = "unused_ctx";

	test_ext("ext_syscall_write", "syscall_none", "syscall_write");
	test_ext("ext_syscall_helper", "syscall_none", "syscall_write");
	ext_syscall("ext_syscall_none", "syscall_none", NULL, 0);
	ext_syscall("ext_syscall_none", "syscall_none", func, 0);
	ext_syscall("ext_syscall_write", "syscall_none", NULL, -EINVAL);
	ext_syscall("ext_syscall_write", "syscall_none", func, -EINVAL);
	/* What is tail called may reach as far. */
	ext_syscall("ext_syscall_write", "syscall_plain", NULL, 0);
}

/* Runs @prog with the first @cnt of twelve arguments. */
static void run_raw_tp(struct bpf_program *prog, int cnt, int want)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	__u64 args[12] = { 5, [11] = 7 };

	opts.ctx_in = cnt ? args : NULL;
	opts.ctx_size_in = cnt * sizeof(args[0]);
	ASSERT_EQ(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), want, "run");
}

/* A program that needs none is run with some, by way of another that looks at all. */
static void run_raw_tp_short(struct bpf_program *prog, const struct attach_limits *other_skel)
{
	static const struct {
		int cnt;
		__u64 seen;
	} tries[] = { { 0, 1 }, { 1, 6 }, { 11, 6 }, { 12, 5 } };
	int i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		run_raw_tp(prog, tries[i].cnt, 0);
		ASSERT_EQ(other_skel->bss->args_seen, tries[i].seen, "seen");
	}
}

static void test_tail_call_raw_tp(void)
{
	struct attach_limits *skel, *other_skel;
	struct bpf_program *prog, *other;

	skel = load_good("raw_tp_plain", &prog, NULL);
	other_skel = load_good("raw_tp_args", &other, NULL);
	if (!skel || !other_skel)
		goto out;

	/* By itself it is refused without the arguments that it looks at. */
	run_raw_tp(other, 0, -EINVAL);
	run_raw_tp(other, 11, -EINVAL);
	run_raw_tp(other, 12, 0);

	if (ASSERT_OK(set_callee(skel, other), "update"))
		run_raw_tp_short(prog, other_skel);
out:
	attach_limits__destroy(other_skel);
	attach_limits__destroy(skel);
}

static void test_ext_raw_tp(void)
{
	struct attach_limits *skel, *ext_skel = NULL;
	struct bpf_program *prog, *ext;
	struct bpf_link *link;

	skel = load_good("raw_tp_plain", &prog, NULL);
	if (!skel)
		return;
	ext_skel = load_good("ext_raw_tp_args", &ext, prog);
	if (!ext_skel)
		goto out;
	link = attach_ext(ext, 0);
	if (link)
		run_raw_tp_short(prog, ext_skel);
	bpf_link__destroy(link);
out:
	attach_limits__destroy(ext_skel);
	attach_limits__destroy(skel);
}

/*
 * The extension @name of the program @target, which is then run. Its map is the
 * same, if @same, or another one of the same kind.
 */
static void ext_storage(const char *name, const char *target, bool same, int want)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &pkt_v4, .data_size_in = sizeof(pkt_v4));
	struct attach_limits *skel, *ext_skel;
	struct bpf_program *prog, *ext;
	struct bpf_link *link = NULL;
	int err;

	skel = load_good(target, &prog, NULL);
	if (!skel)
		return;
	ext_skel = load(name, &ext, same ? "storage" : NULL, bpf_map__fd(skel->maps.storage),
			prog, NULL, &err);
	if (!ext_skel || !ASSERT_OK(err, "load"))
		goto out;
	link = attach_ext(ext, want);
	if (!link)
		goto out;
	ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "run");
	ASSERT_EQ(opts.retval, 1, "retval");
out:
	bpf_link__destroy(link);
	attach_limits__destroy(ext_skel);
	attach_limits__destroy(skel);
}

static void test_ext_storage(void)
{
	ext_storage("ext_skb", "skb_plain", false, 0);
	ext_storage("ext_skb", "skb_storage", false, 0);
	ext_storage("ext_storage", "skb_storage", true, 0);
	ext_storage("ext_storage", "skb_storage", false, -EINVAL);
	ext_storage("ext_storage", "skb_plain", true, -EINVAL);
	/* Each kind counts for itself. */
	ext_storage("ext_percpu_storage", "skb_storage", true, -EINVAL);
}

#define MSG_ARG "arg0 is not what the target is verified with, use its type and tags"

/* Load the extension @ext, which is in @obj, for @func of @target. */
static struct bpf_program *load_ext_arg(struct bpf_object *obj, const char *ext,
					struct bpf_program *target, const char *func, bool fits)
{
	static char log_buf[64 * 1024];
	struct bpf_program *prog;
	int err;

	prog = bpf_object__find_program_by_name(obj, ext);
	if (!ASSERT_OK_PTR(prog, "find_program"))
		return NULL;
	bpf_program__set_autoload(prog, true);
	if (!ASSERT_OK(bpf_program__set_attach_target(prog, bpf_program__fd(target), func),
		       "set_target"))
		return NULL;

	log_buf[0] = 0;
	bpf_program__set_log_buf(prog, log_buf, sizeof(log_buf));
	err = bpf_object__load(obj);
	ASSERT_EQ(err, fits ? 0 : -EINVAL, ext);
	if (!fits)
		ASSERT_HAS_SUBSTR(log_buf, MSG_ARG, func);
	return err ? NULL : prog;
}

static void attach_ext_arg(struct bpf_program *prog, struct bpf_program *target, const char *func,
			   bool fits)
{
	struct bpf_link *link;

	link = bpf_program__attach_freplace(prog, bpf_program__fd(target), func);
	ASSERT_EQ(link ? 0 : -errno, fits ? 0 : -EINVAL, func);
	bpf_link__destroy(link);
}

/* Load the extension @ext for @load_func, and attach it to @func. */
static void ext_arg(const char *ext, const char *load_func, const char *func, bool fits)
{
	struct attach_limits *skel, *ext_skel;
	struct bpf_program *target, *prog;

	skel = load_good("args_target", &target, NULL);
	ext_skel = attach_limits__open();
	if (!skel || !ASSERT_OK_PTR(ext_skel, "open"))
		goto out;

	prog = load_ext_arg(ext_skel->obj, ext, target, load_func, fits || load_func != func);
	if (prog)
		attach_ext_arg(prog, target, func, fits);
out:
	attach_limits__destroy(ext_skel);
	attach_limits__destroy(skel);
}

/* The struct is bigger for the extension, and for the target in its own file. */
static void test_big_arg(void)
{
	struct attach_limits_ext *ext_skel, *big_skel;
	struct bpf_program *target, *prog;
	struct attach_limits *skel;

	skel = load_good("args_target", &target, NULL);
	big_skel = attach_limits_ext__open();
	ext_skel = attach_limits_ext__open();
	if (!skel || !ASSERT_OK_PTR(big_skel, "open_big") || !ASSERT_OK_PTR(ext_skel, "open_ext"))
		goto out;

	load_ext_arg(ext_skel->obj, "ext_arg_big", target, "arg_plain", false);
	attach_limits_ext__destroy(ext_skel);

	ext_skel = attach_limits_ext__open();
	bpf_program__set_autoload(big_skel->progs.big_target, true);
	if (!ASSERT_OK_PTR(ext_skel, "open_ext") ||
	    !ASSERT_OK(attach_limits_ext__load(big_skel), "load_big"))
		goto out;
	prog = load_ext_arg(ext_skel->obj, "ext_arg_big", big_skel->progs.big_target, "arg_big",
			    true);
	if (prog) {
		attach_ext_arg(prog, big_skel->progs.big_target, "arg_big", true);
		attach_ext_arg(prog, target, "arg_plain", false);
	}
out:
	attach_limits_ext__destroy(ext_skel);
	attach_limits_ext__destroy(big_skel);
	attach_limits__destroy(skel);
}

/* What an extension takes its arguments for may be less than what they are, and not more. */
static void test_ext_args(void)
{
	static const char plain[] = "arg_plain", nonnull[] = "arg_nonnull";
	static const char trusted[] = "arg_trusted", untrusted[] = "arg_untrusted";

	ext_arg("ext_arg_plain", plain, plain, true);
	ext_arg("ext_arg_nonnull", nonnull, nonnull, true);
	ext_arg("ext_arg_untrusted", untrusted, untrusted, true);
	ext_arg("ext_arg_trusted", trusted, trusted, true);
	/* less, at load and at attach */
	ext_arg("ext_arg_plain", nonnull, nonnull, true);
	ext_arg("ext_arg_plain", plain, nonnull, true);
	ext_arg("ext_arg_untrusted", trusted, trusted, true);
	ext_arg("ext_arg_untrusted", untrusted, trusted, true);
	/* more, at load */
	ext_arg("ext_arg_nonnull", plain, plain, false);
	ext_arg("ext_arg_trusted", untrusted, untrusted, false);
	ext_arg("ext_arg_task", untrusted, untrusted, false);
	ext_arg("ext_arg_task", trusted, trusted, false);
	/* and at attach */
	ext_arg("ext_arg_nonnull", nonnull, plain, false);
	ext_arg("ext_arg_trusted", trusted, untrusted, false);
	test_big_arg();
}

/* It gets the context that the function is passed, and may not look into it. */
static void test_ext_tp_btf(void)
{
	struct attach_limits *skel, *ext_skel;
	struct bpf_program *target, *prog;
	int err;

	skel = load_good("ctx_target", &target, NULL);
	if (!skel)
		return;
	ext_skel = load("ext_ctx", &prog, NULL, -1, target, "arg_ctx", &err);
	if (ext_skel)
		ASSERT_OK(err, "load");
	attach_limits__destroy(ext_skel);
	ext_skel = load("ext_ctx_read", &prog, NULL, -1, target, "arg_ctx", &err);
	if (ext_skel)
		ASSERT_EQ(err, -EACCES, "load_read");
	attach_limits__destroy(ext_skel);
	attach_limits__destroy(skel);
}

/* The function has the name of an iterator, and an extension of it would be taken for one. */
static void test_ext_iter(void)
{
	struct attach_limits *skel, *ext_skel;
	struct bpf_program *prog, *ext;
	int err;

	skel = load_good("iter_named", &prog, NULL);
	if (!skel)
		return;

	ext_skel = load("ext_iter", &ext, NULL, -1, prog, "bpf_iter_bpf_map_elem", &err);
	if (ext_skel)
		ASSERT_EQ(err, -EINVAL, "load");
	attach_limits__destroy(ext_skel);
	attach_limits__destroy(skel);
}

/* @from is attached to a map whose keys and values are just big enough for each. */
static void update_iter(const char *from, const char *to, int want)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	struct attach_limits *skel, *new_skel = NULL;
	union bpf_iter_link_info linfo = {};
	struct bpf_program *prog, *new_prog;
	struct bpf_link *link = NULL;
	int fd;

	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "iterated", sizeof(__u64), sizeof(__u64), 1, NULL);
	if (!ASSERT_OK_FD(fd, "map_create"))
		return;
	linfo.map.map_fd = fd;
	opts.link_info = &linfo;
	opts.link_info_len = sizeof(linfo);

	skel = load_good(from, &prog, NULL);
	if (!skel)
		goto out;
	new_skel = load_good(to, &new_prog, NULL);
	if (!new_skel)
		goto out;
	link = bpf_program__attach_iter(prog, &opts);
	if (!ASSERT_OK_PTR(link, "attach_iter"))
		goto out;
	ASSERT_EQ(bpf_link_update(bpf_link__fd(link), bpf_program__fd(new_prog), NULL), want,
		  to);
	/* The map is still big enough for the first one. */
	ASSERT_OK(bpf_link_update(bpf_link__fd(link), bpf_program__fd(prog), NULL), "back");
out:
	bpf_link__destroy(link);
	attach_limits__destroy(new_skel);
	attach_limits__destroy(skel);
	close(fd);
}

static void test_update_iter(const char *more)
{
	update_iter("iter_plain", "iter_plain", 0);
	update_iter(more, more, 0);
	update_iter(more, "iter_plain", 0);
	update_iter("iter_plain", more, -EINVAL);
}

void test_attach_limits(void)
{
	if (test__start_subtest("ext_override")) {
		/* not there without CONFIG_BPF_KPROBE_OVERRIDE */
		if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_override_return,
					    NULL)) {
			test_ext("ext_override", "kprobe_plain", "kprobe_override");
			/* One that does less does no harm. */
			extend("ext_kprobe", "kprobe_override", "kprobe_override", 0);
		} else {
			test__skip();
		}
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
	if (test__start_subtest("tail_call_syscall"))
		test_tail_call_syscall("syscall_plain");
	if (test__start_subtest("tail_call_syscall_subprog")) {
		/* Without a JIT programs with functions may not tail call. */
		if (env.jit_enabled) {
			test_tail_call_syscall("syscall_subprog");
			test_tail_call_syscall("syscall_global");
			ext_syscall("ext_syscall_write", "syscall_subprog", NULL, 0);
			ext_syscall("ext_syscall_write", "syscall_global", NULL, 0);
		} else {
			test__skip();
		}
	}
	if (test__start_subtest("ext_syscall"))
		test_ext_syscall();
	if (test__start_subtest("tail_call_raw_tp"))
		test_tail_call_raw_tp();
	if (test__start_subtest("ext_raw_tp"))
		test_ext_raw_tp();
	if (test__start_subtest("ext_storage"))
		test_ext_storage();
	if (test__start_subtest("ext_args"))
		test_ext_args();
	if (test__start_subtest("ext_tp_btf"))
		test_ext_tp_btf();
	if (test__start_subtest("ext_iter"))
		test_ext_iter();
	if (test__start_subtest("update_iter_read"))
		test_update_iter("iter_read");
	if (test__start_subtest("update_iter_write"))
		test_update_iter("iter_write");
}

// SPDX-License-Identifier: GPL-2.0
/* Who may load a destructive program. Nothing here is attached or run. */
#include "destructive_helpers.h"
#include <bpf/libbpf_internal.h>
#include <bpf/skel_internal.h>
#include "destructive_loader.skel.h"
#include "verifier_destructive.skel.h"

#define MSG_TYPE "BPF_F_DESTRUCTIVE is for tracing programs, not for program type %d"
#define MSG_CAP "BPF_F_DESTRUCTIVE requires CAP_SYS_BOOT in the initial user namespace"
#define MSG_CALL "destructive kfunc crash_kexec requires the BPF_F_DESTRUCTIVE load flag"
#define MSG_NO_KFUNC "calling kernel function crash_kexec is not allowed"

static int expected(enum bpf_prog_type type, bool armed, bool flag, bool cap, char *msg,
		    size_t size)
{
	/* LSM programs share the kfuncs of tracing programs */
	bool has_kfunc = is_tracing_type(type) || type == BPF_PROG_TYPE_LSM;

	msg[0] = '\0';
	if (flag && !is_tracing_type(type)) {
		snprintf(msg, size, MSG_TYPE, type);
		return -EINVAL;
	}
	if (flag && !cap) {
		snprintf(msg, size, MSG_CAP);
		return -EPERM;
	}
	if (armed && !flag) {
		snprintf(msg, size, has_kfunc ? MSG_CALL : MSG_NO_KFUNC);
		return -EACCES;
	}
	return 0;
}

/* All programs of progs/destructive.c, ready to be loaded. */
static struct destructive *prepare(bool armed)
{
	struct destructive *skel = destructive__open();
	struct bpf_program *prog;

	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	skel->rodata->armed = armed;
	bpf_map__set_autocreate(skel->maps.dummy_ops, true);
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, true);
	if (ASSERT_OK(bpf_object__prepare(skel->obj), "prepare"))
		return skel;
	destructive__destroy(skel);
	return NULL;
}

static int load(struct destructive *skel, const char *name, bool flag)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_level = 1);
	struct bpf_program *prog;
	int fd;

	prog = bpf_object__find_program_by_name(skel->obj, name);
	opts.prog_flags = bpf_program__flags(prog) | (flag ? BPF_F_DESTRUCTIVE : 0);
	opts.log_buf = log_buf;
	opts.log_size = sizeof(log_buf);
	log_buf[0] = '\0';
	fd = bpf_program__clone(prog, &opts);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* @skels: without the call, and with it */
static void test_load(struct destructive **skels, const char *name, enum bpf_prog_type type)
{
	int i, err;

	for (i = 0; i < 8; i++) {
		bool armed = i & 4, flag = i & 2, cap = i & 1;
		char what[64], msg[128];
		__u64 old_caps = 0;

		if (!skels[armed])
			break;
		if (!cap && !drop_sys_boot(&old_caps))
			break;
		err = load(skels[armed], name, flag);
		if (!cap)
			restore_caps(old_caps);
		if (skip_unsupported(err, name))
			break;

		snprintf(what, sizeof(what), "call %d, flag %d, CAP_SYS_BOOT %d", armed, flag, cap);
		ASSERT_EQ(err, expected(type, armed, flag, cap, msg, sizeof(msg)), what);
		ASSERT_HAS_SUBSTR(log_buf, msg, what);
	}
}

/* An extension counts as the type of the program that it extends. */
static void test_ext(const char *target_name, bool armed, bool flag, int want, const char *msg)
{
	struct destructive *skel = destructive__open(), *target_skel;
	struct bpf_program *prog, *target;

	target_skel = load_prog(target_name, flag && !want, &target);
	if (!target_skel || !ASSERT_OK_PTR(skel, "open"))
		goto out;
	skel->rodata->armed = armed;
	prog = select_prog(skel->obj, "ext", flag);
	bpf_program__set_attach_target(prog, bpf_program__fd(target), "replaced");
	ASSERT_EQ(destructive__load(skel), want, target_name);
	ASSERT_HAS_SUBSTR(log_buf, msg, target_name);
out:
	destructive__destroy(skel);
	destructive__destroy(target_skel);
}

static int load_nothing(enum bpf_prog_type type, enum bpf_attach_type attach_type, __u32 flags)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_level = 1);

	opts.expected_attach_type = attach_type;
	opts.prog_flags = flags;
	opts.log_buf = log_buf;
	opts.log_size = sizeof(log_buf);
	log_buf[0] = '\0';
	return bpf_prog_load(type, "nothing", "GPL", insns, ARRAY_SIZE(insns), &opts);
}

/*
 * Every program type that the running kernel has. A type that is new is refused
 * the flag, until somebody adds it here as well.
 */
static void test_every_type(void)
{
	int types = kernel_size("bpf_prog_type", BTF_KIND_ENUM);
	int attach_types = kernel_size("bpf_attach_type", BTF_KIND_ENUM);
	int type, i, fd, flags, tried = 0;

	for (type = BPF_PROG_TYPE_UNSPEC + 1; type < types; type++) {
		char what[32], msg[128];

		/* the first attach type with which it loads, sleepable if it has to be */
		for (i = 0, fd = -1; fd < 0 && i < 2 * attach_types; i++) {
			flags = i & 1 ? BPF_F_SLEEPABLE : 0;
			fd = load_nothing(type, i / 2, flags);
		}
		if (fd < 0)
			continue;
		close(fd);
		tried++;

		snprintf(what, sizeof(what), "type %d", type);
		fd = load_nothing(type, (i - 1) / 2, flags | BPF_F_DESTRUCTIVE);
		if (is_tracing_type(type)) {
			ASSERT_OK_FD(fd, what);
		} else {
			snprintf(msg, sizeof(msg), MSG_TYPE, type);
			ASSERT_EQ(fd, -EINVAL, what);
			ASSERT_HAS_SUBSTR(log_buf, msg, what);
		}
		if (fd >= 0)
			close(fd);
	}

	/* all but TRACING, EXT, LSM and STRUCT_OPS load so, if they are configured */
	ASSERT_GE(tried, 15, "types tried");
}

/* Beside any other load flag the answer is that of the other flag. */
static void test_other_flags(void)
{
	int bit, without, with;

	for (bit = 0; bit < 32; bit++) {
		char what[32];

		snprintf(what, sizeof(what), "bit %d", bit);
		without = load_nothing(BPF_PROG_TYPE_KPROBE, 0, 1U << bit);
		with = load_nothing(BPF_PROG_TYPE_KPROBE, 0, 1U << bit | BPF_F_DESTRUCTIVE);
		if (without < 0)
			ASSERT_EQ(with, without, what);
		else
			ASSERT_OK_FD(with, what);
		close(without);
		close(with);
	}
}

static int run_loader(const struct gen_loader_opts *gen)
{
	struct {
		struct bpf_loader_ctx ctx;
		struct bpf_prog_desc prog;
	} ctx = { .ctx.sz = sizeof(ctx) };
	struct bpf_load_and_run_opts opts = {
		.ctx = &ctx.ctx,
		.data = gen->data,
		.data_sz = gen->data_sz,
		.insns = gen->insns,
		.insns_sz = gen->insns_sz,
	};
	int err = bpf_load_and_run(&opts);

	if (!err)
		close(ctx.prog.prog_fd);
	return err;
}

/* The capability that counts is that of the process which runs the loader of a light skeleton. */
static void test_loader(bool flag)
{
	LIBBPF_OPTS(gen_loader_opts, gen);
	struct destructive_loader *skel;
	__u64 old_caps = 0;

	skel = destructive_loader__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;
	select_prog(skel->obj, "prog", flag);
	if (!ASSERT_OK(bpf_object__gen_loader(skel->obj, &gen), "gen_loader") ||
	    !ASSERT_OK(destructive_loader__load(skel), "generate"))
		goto out;
	ASSERT_EQ(run_loader(&gen), flag ? 0 : -EACCES, "with_cap");
	if (drop_sys_boot(&old_caps)) {
		ASSERT_EQ(run_loader(&gen), flag ? -EPERM : -EACCES, "without_cap");
		restore_caps(old_caps);
	}
out:
	destructive_loader__destroy(skel);
}

static int fdinfo_destructive(int fd)
{
	char path[64], line[128];
	int destructive = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	if (!ASSERT_OK_PTR(file, "open_fdinfo"))
		return -1;
	while (fgets(line, sizeof(line), file))
		sscanf(line, "destructive:\t%d", &destructive);
	fclose(file);
	return destructive;
}

static void test_shown(void)
{
	int flag, fd;

	for (flag = 0; flag < 2; flag++) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		fd = load_nothing(BPF_PROG_TYPE_KPROBE, 0, flag ? BPF_F_DESTRUCTIVE : 0);
		if (!ASSERT_OK_FD(fd, "load"))
			return;
		ASSERT_OK(bpf_prog_get_info_by_fd(fd, &info, &len), "get_info");
		ASSERT_EQ((int)info.destructive, flag, "info");
		ASSERT_EQ(fdinfo_destructive(fd), flag, "fdinfo");
		close(fd);
	}
}

void test_destructive(void)
{
	struct destructive *skels[2] = {};
	struct bpf_program *prog;

	skels[0] = prepare(false);
	if (!skels[0])
		return;
	/* it is not there without CONFIG_CRASH_DUMP */
	if (libbpf_find_vmlinux_btf_id("crash_kexec", BPF_TRACE_FENTRY) > 0)
		skels[1] = prepare(true);

	bpf_object__for_each_program(prog, skels[0]->obj) {
		const char *name = bpf_program__name(prog);

		if (prog != skels[0]->progs.ext && test__start_subtest(name))
			test_load(skels, name, bpf_program__type(prog));
	}
	if (test__start_subtest("ext")) {
		test_ext("target", false, true, 0, "");
		test_ext("target_xdp", false, true, -EINVAL, "not for program type 6");
		if (skels[1])
			test_ext("target", true, false, -EACCES, MSG_CALL);
	}
	destructive__destroy(skels[0]);
	destructive__destroy(skels[1]);

	if (test__start_subtest("every_type"))
		test_every_type();
	if (test__start_subtest("other_flags"))
		test_other_flags();
	if (test__start_subtest("loader")) {
		test_loader(false);
		test_loader(true);
	}
	if (test__start_subtest("shown"))
		test_shown();

	RUN_TESTS(verifier_destructive);
}

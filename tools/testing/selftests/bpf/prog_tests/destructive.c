// SPDX-License-Identifier: GPL-2.0
/*
 * Who may load a destructive program. Nothing here is attached or run: the
 * tests that really end a machine do not belong into test_progs.
 */
#include <test_progs.h>
#include <bpf/btf.h>
#include "cap_helpers.h"
#include "destructive_ext.skel.h"
#include "destructive_gate.skel.h"
#include "verifier_destructive.skel.h"

#define MSG_TYPE "BPF_F_DESTRUCTIVE is refused: program type %d is not a tracing type"
#define MSG_CAP "BPF_F_DESTRUCTIVE is refused: it requires CAP_SYS_BOOT in the initial user namespace"
#define MSG_CALL "destructive kfunc %s requires the BPF_F_DESTRUCTIVE load flag"
#define MSG_NO_KFUNC "calling kernel function %s is not allowed"

/* What the kernel, but not libc, calls ENOTSUPP. */
#define KERNEL_ENOTSUPP 524

static char log_buf[64 * 1024];

/* The types of BPF_F_DESTRUCTIVE's gate; all others are refused the flag. */
static bool is_tracing_type(enum bpf_prog_type type)
{
	switch (type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
	case BPF_PROG_TYPE_TRACING:
		return true;
	default:
		return false;
	}
}

static void prepare_prog(struct bpf_program *prog, bool flag)
{
	log_buf[0] = '\0';

	bpf_program__set_autoload(prog, true);
	bpf_program__set_log_buf(prog, log_buf, sizeof(log_buf));
	bpf_program__set_log_level(prog, 1);
	if (flag)
		bpf_program__set_flags(prog, bpf_program__flags(prog) | BPF_F_DESTRUCTIVE);
}

static bool has_vmlinux_func(const char *name)
{
	struct btf *btf;
	int id;

	btf = btf__load_vmlinux_btf();
	if (!ASSERT_OK_PTR(btf, "load_vmlinux_btf"))
		return false;

	id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
	btf__free(btf);
	return id > 0;
}

static int load_gate_prog(const char *name, bool armed, bool flag)
{
	struct destructive_gate *skel;
	struct bpf_program *prog;
	int err;

	skel = destructive_gate__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return -EINVAL;

	prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!ASSERT_OK_PTR(prog, "find_program")) {
		err = -EINVAL;
		goto out;
	}

	skel->rodata->armed = armed;
	if (bpf_program__type(prog) == BPF_PROG_TYPE_STRUCT_OPS)
		bpf_map__set_autocreate(skel->maps.dummy_ops, true);
	prepare_prog(prog, flag);

	err = destructive_gate__load(skel);
out:
	destructive_gate__destroy(skel);
	return err;
}

struct gate_answer {
	int err;
	char msg[128];
};

/* bpf_vpanic() is there for tracing programs, and for LSM, which shares their kfuncs. */
static bool has_kfunc(enum bpf_prog_type type, const char *kfunc)
{
	return is_tracing_type(type) || type == BPF_PROG_TYPE_LSM || !strcmp(kfunc, "crash_kexec");
}

/* The gate table of Documentation/bpf/destructive.rst. */
static struct gate_answer gate_answer(enum bpf_prog_type type, const char *kfunc,
				      bool armed, bool flag, bool cap)
{
	struct gate_answer answer = {};

	if (flag && !is_tracing_type(type)) {
		answer.err = -EINVAL;
		snprintf(answer.msg, sizeof(answer.msg), MSG_TYPE, type);
	} else if (flag && !cap) {
		answer.err = -EPERM;
		snprintf(answer.msg, sizeof(answer.msg), MSG_CAP);
	} else if (!flag && armed) {
		answer.err = -EACCES;
		snprintf(answer.msg, sizeof(answer.msg),
			 has_kfunc(type, kfunc) ? MSG_CALL : MSG_NO_KFUNC, kfunc);
	}

	return answer;
}

typedef int (*load_fn)(const char *name, bool armed, bool flag);

static void test_gate_prog(load_fn load, const char *name, enum bpf_prog_type type,
			   const char *kfunc)
{
	int err, i;

	if (!has_vmlinux_func(kfunc)) {
		test__skip();
		return;
	}

	err = load(name, false, false);
	if (err == -EOPNOTSUPP || err == -KERNEL_ENOTSUPP) {
		test__skip();
		return;
	}
	if (!ASSERT_OK(err, "control"))
		return;

	for (i = 0; i < 8; i++) {
		bool armed = i & 1, flag = i & 2, cap = i & 4;
		struct gate_answer want = gate_answer(type, kfunc, armed, flag, cap);
		__u64 old_caps = 0;
		char what[64];

		snprintf(what, sizeof(what), "%s, flag %d, CAP_SYS_BOOT %d",
			 armed ? kfunc : "no call", flag, cap);

		if (!cap &&
		    !ASSERT_OK(cap_disable_effective(1ULL << CAP_SYS_BOOT, &old_caps), "drop_cap"))
			return;
		err = load(name, armed, flag);
		if (!cap && !ASSERT_OK(cap_enable_effective(old_caps, NULL), "restore_cap"))
			return;

		ASSERT_EQ(err, want.err, what);
		if (want.err)
			ASSERT_HAS_SUBSTR(log_buf, want.msg, what);
	}
}

static void test_gate(void)
{
	struct destructive_gate *skel;
	struct bpf_program *prog;

	skel = destructive_gate__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;

	bpf_object__for_each_program(prog, skel->obj) {
		const char *name = bpf_program__name(prog);
		const char *kfunc = strstr(name, "__");

		if (test__start_subtest(name))
			test_gate_prog(load_gate_prog, name, bpf_program__type(prog),
				       kfunc ? kfunc + 2 : "bpf_vpanic");
	}

	destructive_gate__destroy(skel);
}

/*
 * An extension and its target both have the flag, or neither has. Give it to the
 * target if it can have it, with the capability that the extension may have to
 * do without.
 */
static int load_ext_target(struct destructive_ext *target, struct bpf_program *prog, bool flag)
{
	__u64 cap = 1ULL << CAP_SYS_BOOT, old_caps = 0;
	int err;

	if (!flag || !is_tracing_type(bpf_program__type(prog)))
		return destructive_ext__load(target);

	err = cap_enable_effective(cap, &old_caps);
	if (err)
		return err;
	bpf_program__set_flags(prog, BPF_F_DESTRUCTIVE);
	err = destructive_ext__load(target);
	if (!(old_caps & cap) && cap_disable_effective(cap, NULL))
		return -EPERM;
	return err;
}

/* A program that replaces @name, a global function of a loaded program. */
static int load_ext_prog(const char *name, bool armed, bool flag)
{
	struct destructive_ext *target, *ext = NULL;
	struct bpf_program *prog;
	int err = -EINVAL;

	target = destructive_ext__open();
	if (!ASSERT_OK_PTR(target, "open_target"))
		return -EINVAL;

	prog = bpf_object__find_program_by_name(target->obj, name);
	if (!ASSERT_OK_PTR(prog, "find_target"))
		goto out;

	bpf_program__set_autoload(prog, true);
	if (!ASSERT_OK(load_ext_target(target, prog, flag), "load_target"))
		goto out;

	ext = destructive_ext__open();
	if (!ASSERT_OK_PTR(ext, "open_ext"))
		goto out;

	ext->rodata->armed = armed;
	err = bpf_program__set_attach_target(ext->progs.replacement, bpf_program__fd(prog),
					     "replaced");
	if (!ASSERT_OK(err, "set_attach_target"))
		goto out;

	prepare_prog(ext->progs.replacement, flag);
	err = destructive_ext__load(ext);
out:
	destructive_ext__destroy(ext);
	destructive_ext__destroy(target);
	return err;
}

static int load_nothing(enum bpf_prog_type type, __u32 flags)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	opts.prog_flags = flags;
	opts.log_buf = log_buf;
	opts.log_size = sizeof(log_buf);
	opts.log_level = 1;

	switch (type) {
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
		opts.expected_attach_type = BPF_CGROUP_INET4_CONNECT;
		break;
	case BPF_PROG_TYPE_CGROUP_SOCKOPT:
		opts.expected_attach_type = BPF_CGROUP_GETSOCKOPT;
		break;
	case BPF_PROG_TYPE_SK_LOOKUP:
		opts.expected_attach_type = BPF_SK_LOOKUP;
		break;
	case BPF_PROG_TYPE_NETFILTER:
		opts.expected_attach_type = BPF_NETFILTER;
		break;
	case BPF_PROG_TYPE_SYSCALL:
		opts.prog_flags |= BPF_F_SLEEPABLE;
		break;
	default:
		break;
	}

	log_buf[0] = '\0';
	return bpf_prog_load(type, "nothing", "GPL", insns, ARRAY_SIZE(insns), &opts);
}

/*
 * The flag on a program that does nothing, for every type that the kernel knows
 * and that loads without a target. A type that is new has to be refused, until
 * somebody adds it to is_tracing_type() as well.
 */
static void test_every_type(void)
{
	int type, fd, tried = 0;

	for (type = BPF_PROG_TYPE_UNSPEC + 1; type < __MAX_BPF_PROG_TYPE; type++) {
		char what[32], msg[128];

		fd = load_nothing(type, 0);
		if (fd < 0)
			continue;
		close(fd);
		tried++;

		snprintf(what, sizeof(what), "type %d", type);
		fd = load_nothing(type, BPF_F_DESTRUCTIVE);
		if (is_tracing_type(type)) {
			if (ASSERT_GE(fd, 0, what))
				close(fd);
			continue;
		}

		snprintf(msg, sizeof(msg), MSG_TYPE, type);
		ASSERT_EQ(fd, -EINVAL, what);
		ASSERT_HAS_SUBSTR(log_buf, msg, what);
	}

	/* all but TRACING, EXT, LSM and STRUCT_OPS load so, if they are configured */
	ASSERT_GE(tried, 15, "types tried");
}

void test_destructive(void)
{
	test_gate();

	if (test__start_subtest("every_type"))
		test_every_type();

	/* An EXT program counts as the type that it extends. */
	if (test__start_subtest("ext_of_kprobe"))
		test_gate_prog(load_ext_prog, "kprobe_target", BPF_PROG_TYPE_KPROBE, "bpf_vpanic");
	if (test__start_subtest("ext_of_xdp"))
		test_gate_prog(load_ext_prog, "xdp_target", BPF_PROG_TYPE_XDP, "bpf_vpanic");

	RUN_TESTS(verifier_destructive);
}

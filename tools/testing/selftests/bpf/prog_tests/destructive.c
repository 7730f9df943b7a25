// SPDX-License-Identifier: GPL-2.0
/*
 * Who may load a destructive program. Nothing here is attached or run: the
 * tests that really end a machine do not belong into test_progs.
 */
#include <test_progs.h>
#include "cap_helpers.h"
#include "destructive_ext.skel.h"
#include "destructive_gate.skel.h"
#include "verifier_destructive.skel.h"

#define MSG_TYPE "BPF_F_DESTRUCTIVE is refused: program type %d is not a tracing type"
#define MSG_CAP "BPF_F_DESTRUCTIVE is refused: it requires CAP_SYS_BOOT in the initial user namespace"
#define MSG_CALL "destructive kfunc %s requires the BPF_F_DESTRUCTIVE load flag"
#define MSG_NO_KFUNC "calling kernel function %s is not allowed"

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

	err = load(name, false, false);
	if (err == -EOPNOTSUPP) {
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

		if (test__start_subtest(name))
			test_gate_prog(load_gate_prog, name, bpf_program__type(prog),
				       strstr(name, "crash_kexec") ? "crash_kexec" : "bpf_vpanic");
	}

	destructive_gate__destroy(skel);
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
	if (!ASSERT_OK(destructive_ext__load(target), "load_target"))
		goto out;

	ext = destructive_ext__open();
	if (!ASSERT_OK_PTR(ext, "open_ext"))
		goto out;

	ext->rodata->armed = armed;
	if (!ASSERT_OK(bpf_program__set_attach_target(ext->progs.replacement,
						      bpf_program__fd(prog), "replaced"),
		       "set_attach_target"))
		goto out;

	prepare_prog(ext->progs.replacement, flag);
	err = destructive_ext__load(ext);
out:
	destructive_ext__destroy(ext);
	destructive_ext__destroy(target);
	return err;
}

void test_destructive(void)
{
	test_gate();

	/* An EXT program counts as the type that it extends. */
	if (test__start_subtest("ext_of_kprobe"))
		test_gate_prog(load_ext_prog, "kprobe_target", BPF_PROG_TYPE_KPROBE, "bpf_vpanic");
	if (test__start_subtest("ext_of_xdp"))
		test_gate_prog(load_ext_prog, "xdp_target", BPF_PROG_TYPE_XDP, "bpf_vpanic");

	RUN_TESTS(verifier_destructive);
}

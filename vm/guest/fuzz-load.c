// SPDX-License-Identifier: GPL-2.0
/* A program that is drawn by lot, and the answer that the kernel has to give to it. */
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "fuzz.h"

enum verdict { MUST_LOAD, MUST_FAIL, EITHER };

static const char *const verdict_names[] = { "must load", "must fail", "either" };

/* As bpf_token_capable() without a token. */
static bool has_cap(uint64_t caps, uint64_t cap)
{
	return (caps & cap) == cap || caps & BIT(CAP_SYS_ADMIN);
}

static bool is_known(const struct round *r)
{
	return r->kind->plain && !r->strange && !r->mutated && r->gpl && !(r->flags & ~(HARMLESS_FLAGS | BPF_F_DESTRUCTIVE)) &&
	       has_cap(r->caps, BIT(CAP_BPF)) && has_cap(r->caps, r->kind->caps);
}

/* What the kernel has to answer, and, if all but the gate is right, how it has to say so. */
static enum verdict expect(const struct round *r, struct answer *exact)
{
	bool ext = r->kind->type == BPF_PROG_TYPE_EXT, flag = r->flags & BPF_F_DESTRUCTIVE;
	/* the programs to extend are kprobe programs */
	struct gate_type type = gate_type(ext ? BPF_PROG_TYPE_KPROBE : r->kind->type);
	struct facts is = {
		.flag = flag ? YES : NO,
		.type = type.flag ? YES : NO,
		.kfunc = type.kfunc ? YES : NO,
		.boot = r->caps & BIT(CAP_SYS_BOOT) ? YES : NO,
		.bpf = has_cap(r->caps, BIT(CAP_BPF)) ? YES : NO,
		.ext = ext ? YES : NO,
	};
	struct answer answer;

	if (r->target == TARGET_PROG)
		is.target = r->prog ? YES : NO;
	/* what is loaded of the mutated is judged by what the kernel says is in it */
	if (!r->mutated) {
		is.call = shape_calls(r->shape) ? YES : NO;
		is.arg = r->kfunc == KFUNC_2022 ? NO : YES;
		is.inner = r->shape == INNER_ASYNC ? YES : NO;
		if (r->shape == OWNED_ARRAY)
			is.array = r->array ? YES : NO;
		if (r->shape == OWNED_ASYNC)
			is.async = async_maps[r->async].flag ? YES : NO;
	}
	answer = gate_answer(&is);
	*exact = (struct answer){};
	if (r->flags & ~KNOWN_FLAGS || (shape_is_wrong(r->shape) && !r->mutated))
		return MUST_FAIL;
	if (answer.err) {
		if (is_known(r))
			*exact = answer;
		return MUST_FAIL;
	}
	if (r->shape == OWNED_ARRAY && r->kind != kinds)
		return EITHER;
	return is_known(r) ? MUST_LOAD : EITHER;
}

int load(struct round *r, char *log, size_t log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		.expected_attach_type = r->attach_type,
		.prog_flags = r->flags,
		/* no listing of what is verified: only what is said of a refusal */
		.log_level = 4, .log_buf = log, .log_size = log_size,
	);
	int fd;

	opts.attach_btf_id = target_ids[r->target];
	if (r->target == TARGET_PROG)
		opts.attach_prog_fd = target_progs[r->prog];
	if (r->shape == WRONG_FD) {
		r->fds[1] = percent(50) ? prog_btf.fd : text_map;
		opts.fd_array = percent(50) ? r->fds : NULL;
	}
	if (r->func_count > 1 || r->kind->type == BPF_PROG_TYPE_EXT || percent(30)) {
		opts.prog_btf_fd = prog_btf.fd;
		opts.func_info = r->funcs;
		opts.func_info_cnt = r->func_count;
		opts.func_info_rec_size = sizeof(r->funcs[0]);
	}
	set_caps(in_userns ? permitted : (permitted & ~all_caps) | r->caps);
	/* libbpf tries again with a larger log, not with other programs */
	fd = bpf_prog_load(r->kind->type, "fuzz", r->gpl ? "GPL" : "Proprietary", r->insns, r->count, &opts);
	set_caps(permitted);
	return fd;
}

/* A JIT whose kfuncs may be far away, that of s390x, leaves the id in a call. */
static bool is_kfunc(int32_t imm, int k)
{
	return imm == kfunc_imms[k] || (uint32_t)imm == kfunc_ids[k];
}

/* Is a destructive call left in what the kernel made of the program? */
static bool calls_destructive(int fd)
{
	struct bpf_insn insns[MAX_INSNS * 4];
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	info.xlated_prog_insns = (uintptr_t)insns;
	info.xlated_prog_len = sizeof(insns);
	if (bpf_prog_get_info_by_fd(fd, &info, &len))
		die("cannot read a program back");
	if (info.xlated_prog_len > sizeof(insns) || !info.xlated_prog_insns)
		die("a program cannot be read back whole");
	for (size_t i = 0; i < info.xlated_prog_len / sizeof(insns[0]); i++) {
		if (insns[i].code != (BPF_JMP | BPF_CALL) || insns[i].src_reg != BPF_PSEUDO_KFUNC_CALL)
			continue;
		for (int k = 0; k < KFUNC_COUNT; k++)
			if (kfunc_ids[k] && is_kfunc(insns[i].imm, k))
				return true;
	}
	return false;
}

static void say_round(const struct round *r, unsigned long long number, const char *what, int err, const char *log)
{
	printf("fuzz: round %llu: %s: type %d, attach type %d, target %d, flags %#x, caps %#llx%s, "
	       "call %s (%s, %s), %s%s%s: %s\n%s\n",
	       number, what, r->kind->type, r->attach_type, r->target, r->flags, r->caps,
	       in_userns ? " in a user namespace" : "", shape_names[r->shape], kfunc_names[r->kfunc],
	       async_maps[r->async].name, r->gpl ? "GPL" : "not GPL", r->strange ? ", strange" : "",
	       r->mutated ? ", mutated" : "",
	       err < 0 ? strerror(-err) : "loaded", log);
}

/* "fd" is what the load returned, "calls" whether the kernel left a destructive call in. */
static void count_load(const struct round *r, enum verdict verdict, int fd, bool calls,
		       enum gate_msg msg)
{
	stats->rounds++;
	stats->userns += in_userns;
	stats->must_load += verdict == MUST_LOAD;
	stats->must_fail += verdict == MUST_FAIL;
	stats->either += verdict == EITHER;
	stats->by_shape[r->shape][fd >= 0]++;
	if (fd >= 0) {
		stats->loaded++;
		stats->loaded_flag += !!(r->flags & BPF_F_DESTRUCTIVE);
		stats->loaded_calls += shape_calls(r->shape);
		stats->mutated += r->mutated;
		stats->calls_seen += calls;
	} else {
		stats->refused++;
		stats->by_gate[msg]++;
	}
}

static const char *find_fault(const struct round *r, enum verdict verdict, int fd, bool calls,
			      const struct answer *got, const struct answer *exact)
{
	if (verdict == MUST_FAIL && fd >= 0)
		return "was loaded, and must not be";
	if (verdict == MUST_LOAD && fd < 0)
		return "was refused, and must not be";
	if (calls && !(r->flags & BPF_F_DESTRUCTIVE))
		return "was loaded without the flag, and there is a destructive call in it";
	if (fd >= 0 && calls != shape_calls(r->shape) && !in_userns && !r->mutated)
		return calls ? "has a destructive call that was to be dead" : "has lost its destructive call";
	if (exact->err && (got->err != exact->err || got->msg != exact->msg))
		return "was refused, but not by the gate that it has to meet";
	return NULL;
}

void do_load(unsigned long long number)
{
	static char log[64 * 1024];
	static struct round r;
	const char *wrong;
	struct gate_names names;
	struct answer exact, got = {};
	enum verdict verdict;
	bool calls;
	int fd;

	choose(&r);
	if (r.shape == AFTER_TAIL_CALL) {
		/* a fresh one: it belongs to the first program that uses it */
		r.tail_map = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "fuzz", 4, 4, 1, NULL);
		if (r.tail_map < 0 && !in_userns)
			die("cannot create a program array");
	}
	build(&r);
	if (r.mutated)
		mutate(&r);
	verdict = expect(&r, &exact);
	log[0] = 0;
	fd = load(&r, log, sizeof(log));
	names = (struct gate_names){
		r.kind->type == BPF_PROG_TYPE_EXT ? BPF_PROG_TYPE_KPROBE : r.kind->type, kfunc_names[r.kfunc],
		async_maps[r.async].name,
	};
	if (fd < 0)
		got = (struct answer){ fd, gate_msg(log, &names) };

	/* a user namespace may not read programs */
	calls = fd >= 0 && !in_userns && calls_destructive(fd);
	if (fd >= 0)
		close(fd);
	if (r.tail_map > 0)
		close(r.tail_map);
	count_load(&r, verdict, fd, calls, got.msg);
	wrong = find_fault(&r, verdict, fd, calls, &got, &exact);
	if (wrong)
		stats->unexpected++;
	if (wrong || verbose) {
		say_round(&r, number, wrong ?: verdict_names[verdict], fd, log);
		printf("fuzz: expected: %s, %d (%s); the answer came from: %s\n", verdict_names[verdict], exact.err,
		       gate_msg_text(exact.msg), gate_msg_text(got.msg));
	}
}

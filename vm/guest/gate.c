// SPDX-License-Identifier: GPL-2.0
/*
 * The gate table of Documentation/bpf/destructive.rst, as data. Both the matrix of
 * all loads and the random loads ask it what the kernel has to answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gate.h"

/* Each is a whole line; %s is the number of the type, or the name of the kfunc or map. */
static const char *const msgs[NR_MSGS] = {
	[MSG_TYPE] = "BPF_F_DESTRUCTIVE is for tracing programs, not for program type %s",
	[MSG_CAP] = "BPF_F_DESTRUCTIVE requires CAP_SYS_BOOT in the initial user namespace",
	[MSG_UNPRIV] = "loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN",
	[MSG_TARGET] = "Program with BPF_F_DESTRUCTIVE cannot attach to a program without it",
	[MSG_EXT] = "Extension without BPF_F_DESTRUCTIVE cannot replace a function of a program with it",
	[MSG_NO_KFUNC] = "calling kernel function %s is not allowed",
	[MSG_CALL] = "destructive kfunc %s requires the BPF_F_DESTRUCTIVE load flag",
	[MSG_ARG] = "Possibly NULL pointer passed to trusted R1",
	[MSG_INNER] = "Program with BPF_F_DESTRUCTIVE cannot use timers and work of inner maps",
	[MSG_ASYNC] = "Programs with and without BPF_F_DESTRUCTIVE cannot share timers and work of map %s",
};

/* The first line that fits is the answer to a load that has no other fault. */
static const struct {
	struct facts when;
	struct answer then;
} gate[] = {
	{ { .flag = YES, .type = NO },			{ -EINVAL, MSG_TYPE } },
	{ { .flag = YES, .boot = NO },			{ -EPERM, MSG_CAP } },
	{ { .flag = NO, .call = YES, .bpf = NO },	{ -EPERM, MSG_UNPRIV } },
	{ { .flag = YES, .target = NO },		{ -EINVAL, MSG_TARGET } },
	{ { .flag = NO, .ext = YES, .target = YES },	{ -EINVAL, MSG_EXT } },
	{ { .flag = NO, .call = YES, .kfunc = NO },	{ -EACCES, MSG_NO_KFUNC } },
	{ { .flag = NO, .call = YES },			{ -EACCES, MSG_CALL } },
	{ { .flag = YES, .call = YES, .arg = NO },	{ -EACCES, MSG_ARG } },
	{ { .flag = YES, .inner = YES },		{ -EINVAL, MSG_INNER } },
	{ { .flag = YES, .async = NO },			{ -EINVAL, MSG_ASYNC } },
	{ { .flag = NO, .async = YES },			{ -EINVAL, MSG_ASYNC } },
	{ { .flag = YES, .array = NO },			{ -EINVAL, MSG_NONE } },
	{ { .flag = NO, .array = YES },			{ -EINVAL, MSG_NONE } },
	{ { .flag = ANY },				{ 0, MSG_NONE } },
};

/* The types that are special in any way. */
static const struct gate_type types[] = {
	[BPF_PROG_TYPE_KPROBE] = { .flag = true, .kfunc = true },
	[BPF_PROG_TYPE_TRACEPOINT] = { .flag = true, .kfunc = true },
	[BPF_PROG_TYPE_PERF_EVENT] = { .flag = true, .kfunc = true },
	[BPF_PROG_TYPE_RAW_TRACEPOINT] = { .flag = true, .kfunc = true },
	[BPF_PROG_TYPE_TRACING] = { .flag = true, .kfunc = true },
	[BPF_PROG_TYPE_LSM] = { .kfunc = true },
	[BPF_PROG_TYPE_SOCKET_FILTER] = { .unpriv = true },
	[BPF_PROG_TYPE_CGROUP_SKB] = { .unpriv = true },
};

struct gate_type gate_type(int type)
{
	return type < (int)ARRAY_SIZE(types) ? types[type] : (struct gate_type){};
}

static bool fits(const struct facts *when, const struct facts *is)
{
	const uint8_t *w = (const uint8_t *)when, *v = (const uint8_t *)is;

	for (size_t i = 0; i < sizeof(*when); i++)
		if (w[i] != ANY && w[i] != v[i])
			return false;
	return true;
}

struct answer gate_answer(const struct facts *is)
{
	size_t i = 0;

	while (!fits(&gate[i].when, is))
		i++;
	return gate[i].then;
}

enum gate_msg gate_msg(const char *log, const struct gate_names *names)
{
	char type[16], text[128];

	snprintf(type, sizeof(type), "%d", names->type);
	for (int i = MSG_NONE + 1; i < NR_MSGS; i++) {
		int len = snprintf(text, sizeof(text), msgs[i], i == MSG_TYPE ? type :
				   i == MSG_NO_KFUNC || i == MSG_CALL ? names->kfunc : names->map ?: "");
		const char *found = strstr(log, text);

		/* a whole line */
		if (found && (found == log || found[-1] == '\n') && found[len] == '\n')
			return i;
	}
	return MSG_NONE;
}

const char *gate_msg_text(enum gate_msg msg)
{
	return msgs[msg] ?: "no message";
}

/* ---- what the programs that ask it have in common ------------------------------------- */

uint64_t permitted;

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fprintf(stderr, ": %s\n", strerror(errno));
	va_end(args);
	exit(3);
}

static struct __user_cap_header_struct cap_header = { .version = _LINUX_CAPABILITY_VERSION_3 };

void read_caps(void)
{
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capget, &cap_header, data))
		die("capget");
	permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
}

void set_caps(uint64_t effective)
{
	struct __user_cap_data_struct data[2] = {};

	for (int i = 0; i < 2; i++) {
		data[i].permitted = permitted >> (32 * i);
		data[i].effective = effective >> (32 * i);
	}
	if (syscall(SYS_capset, &cap_header, data))
		die("capset");
}

uint32_t find_type(const struct btf *btf, const char *name, uint32_t kind)
{
	int id = btf__find_by_name_kind(btf, name, kind);

	if (id <= 0) {
		errno = ENOENT;
		die("no BTF of %s", name);
	}
	return id;
}

/* The kernel knows these by their names. */
static int add_async_value(struct btf *btf, const char *name, int size, int u64)
{
	int field = btf__add_struct(btf, name, size), value;

	btf__add_field(btf, "opaque", btf__add_array(btf, u64, u64, size / 8), 0, 0);
	value = btf__add_struct(btf, "value", ASYNC_VALUE_SIZE);
	btf__add_field(btf, "async", field, 0, 0);
	return value;
}

void make_prog_btf(struct prog_btf *ids)
{
	struct btf *btf = btf__new_empty();
	int num, ptr, u64, proto_ctx, proto_num, proto_cb;

	if (!btf)
		die("no BTF");
	num = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	u64 = btf__add_int(btf, "u64", 8, 0);
	ptr = btf__add_ptr(btf, 0);
	proto_ctx = btf__add_func_proto(btf, num);
	btf__add_func_param(btf, "ctx", ptr);
	proto_num = btf__add_func_proto(btf, num);
	btf__add_func_param(btf, "n", num);
	proto_cb = btf__add_func_proto(btf, num);
	btf__add_func_param(btf, "i", num);
	btf__add_func_param(btf, "ctx", ptr);
	ids->num = num;
	ids->main = btf__add_func(btf, "gate_main", BTF_FUNC_GLOBAL, proto_ctx);
	ids->ext = btf__add_func(btf, "gate_ext", BTF_FUNC_GLOBAL, proto_num);
	ids->static_sub = btf__add_func(btf, "gate_static", BTF_FUNC_STATIC, proto_num);
	ids->global = btf__add_func(btf, "gate_global", BTF_FUNC_GLOBAL, proto_num);
	ids->nested = btf__add_func(btf, "gate_nested", BTF_FUNC_STATIC, proto_num);
	ids->callback = btf__add_func(btf, "gate_callback", BTF_FUNC_STATIC, proto_cb);
	ids->async_values[0] = add_async_value(btf, "bpf_timer", sizeof(struct bpf_timer), u64);
	ids->async_values[1] = add_async_value(btf, "bpf_wq", sizeof(struct bpf_wq), u64);
	ids->async_values[2] = add_async_value(btf, "bpf_task_work", sizeof(struct bpf_task_work), u64);
	if (btf__load_into_kernel(btf))
		die("cannot load BTF");
	ids->fd = btf__fd(btf);
}

int load_target(const struct target *target, const struct prog_btf *btf)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1 },
		{ .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 2 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = target->retval },
		{ .code = BPF_JMP | BPF_EXIT },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct bpf_func_info func_info[] = {
		{ .insn_off = 0, .type_id = btf->main },
		{ .insn_off = 4, .type_id = btf->global },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		.expected_attach_type = target->attach_type,
		.attach_btf_id = target->attach_btf_id,
		.prog_flags = target->flags,
		.prog_btf_fd = btf->fd,
		.func_info = func_info,
		.func_info_cnt = ARRAY_SIZE(func_info),
		.func_info_rec_size = sizeof(func_info[0]),
	);

	return bpf_prog_load(target->type, "target", "GPL", insns, ARRAY_SIZE(insns), &opts);
}

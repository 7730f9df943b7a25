// SPDX-License-Identifier: GPL-2.0
/* What there is to load: the types that the running kernel knows, and a program of each. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include "matrix.h"

/* Something in the kernel's BTF for the types that need it; an unlucky guess is refused. */
static const struct {
	const char *name;
	uint32_t kind;
} attach_to[] = {
	{},
	{ "bpf_fentry_test1", BTF_KIND_FUNC },
	{ "btf_trace_sys_enter", BTF_KIND_TYPEDEF },
	{ "bpf_iter_task", BTF_KIND_FUNC },
	{ "bpf_modify_return_test", BTF_KIND_FUNC },
	{ "bpf_lsm_file_open", BTF_KIND_FUNC },
	{ "bpf_lsm_socket_bind", BTF_KIND_FUNC },
	{ "bpf_dummy_ops", BTF_KIND_STRUCT },
	{ "tcp_congestion_ops", BTF_KIND_STRUCT },
};

/* The first one that the kernel has; crash_kexec() is refused what it gets here. */
static const struct {
	const char *name;
	uint8_t arg;
} kfuncs[] = { { "bpf_vhalt", ANY }, { "crash_kexec", NO } };

struct subject subjects[MAX_SUBJECTS];
int nr_subjects;
struct result *result;
struct names types, attach_types;
const char *kfunc;
uint8_t kfunc_arg;
char log_buf[64 * 1024];

static struct prog_btf prog_btf;
static uint32_t attach_ids[ARRAY_SIZE(attach_to)], kfunc_id;
static int format_map;

/* Only what is judged needs a log. */
int load(const struct subject *s, int attach_type, const struct setup *setup, int how, int token_fd,
		bool log)
{
	const struct bpf_insn insns[] = {
		/* a format, and a value */
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_VALUE,
		  .imm = format_map },
		{},
		{ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 8 },
		{ .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL, .imm = kfunc_id },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = setup->retval },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int skip = how & WITH_CALL ? 0 : 7;
	struct bpf_func_info func_info = { .type_id = prog_btf.ext };
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		.expected_attach_type = attach_type,
		.attach_btf_id = attach_ids[setup->attach_to],
		.prog_flags = (setup->sleepable ? BPF_F_SLEEPABLE : 0) | (how & WITH_FLAG ? BPF_F_DESTRUCTIVE : 0),
	);

	if (token_fd >= 0) {
		opts.prog_flags |= BPF_F_TOKEN_FD;
		opts.token_fd = token_fd;
	}
	if (s->target_fd >= 0) {
		opts.attach_prog_fd = s->target_fd;
		opts.attach_btf_id = prog_btf.global;
		opts.prog_btf_fd = prog_btf.fd;
		opts.func_info = &func_info;
		opts.func_info_cnt = 1;
		opts.func_info_rec_size = sizeof(func_info);
	}
	log_buf[0] = '\0';
	if (log) {
		opts.log_buf = log_buf;
		opts.log_size = sizeof(log_buf);
		opts.log_level = 1;
	}
	return bpf_prog_load(s->type, NULL, "GPL", insns + skip, ARRAY_SIZE(insns) - skip, &opts);
}

static void read_enum(struct names *names, const struct btf *btf, const char *enum_name, const char *prefix)
{
	const struct btf_type *t = btf__type_by_id(btf, find_type(btf, enum_name, BTF_KIND_ENUM));
	const struct btf_enum *e = btf_enum(t);

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const char *name = btf__name_by_offset(btf, e[i].name_off);

		/* the number of values, and older names of it */
		if (!strncmp(name, "__MAX", 5) || !strncmp(name, "MAX_", 4))
			continue;
		if (e[i].val < 0 || e[i].val >= MAX_NAMES) {
			errno = ERANGE;
			die("%s", name);
		}
		if (e[i].val >= names->cnt)
			names->cnt = e[i].val + 1;
		names->name[e[i].val] = strncmp(name, prefix, strlen(prefix)) ? name : name + strlen(prefix);
	}
	for (int i = 0; i < names->cnt; i++)
		names->name[i] = names->name[i] ?: "?";
}

static void find_setup(struct subject *s, int attach_type, const struct setup *first)
{
	/* what worked for the attach type before often works again */
	for (int i = first ? -1 : 0; i < 4 * (int)ARRAY_SIZE(attach_to); i++) {
		struct setup try = { .attach_to = i / 4, .sleepable = i / 2 % 2, .retval = i % 2 };
		int fd;

		if (i < 0)
			try = *first;
		if (try.attach_to && s->target_fd >= 0)
			return;
		fd = load(s, attach_type, &try, 0, -1, false);
		if (fd >= 0) {
			close(fd);
			s->setup[attach_type] = try;
			return;
		}
		/* if nothing works the plainest stays */
		if (!i)
			s->setup[attach_type].err = fd;
	}
}

static struct subject *add_subject(int type, int of, int target_fd, uint8_t target, struct subject *control)
{
	const struct setup *first = NULL;
	struct subject *s = &subjects[nr_subjects++];

	if (nr_subjects > MAX_SUBJECTS) {
		errno = E2BIG;
		die("subjects");
	}
	*s = (struct subject){
		.type = type,
		.counts_as = type == BPF_PROG_TYPE_EXT && target_fd >= 0 ? of : type,
		.target_fd = target_fd,
		.target = target,
		.control = control ?: s,
	};
	if (target_fd < 0)
		snprintf(s->name, sizeof(s->name), "%s", types.name[type]);
	else
		snprintf(s->name, sizeof(s->name), "%s of %s%s", types.name[type], types.name[of],
			 target == YES ? ", flag" : "");
	if (control) {
		/* with such a target the load without the flag may be refused for that */
		memcpy(s->setup, control->setup, sizeof(s->setup));
		return s;
	}
	for (int a = 0; a < attach_types.cnt; a++) {
		find_setup(s, a, first);
		if (!s->setup[a].err)
			first = &s->setup[a];
	}
	return s;
}

/* Extensions and watchers of a program of the type, without and, if it can be had, with the flag. */
static void add_users(const struct subject *of)
{
	struct target target = { .type = of->type };
	struct subject *ext, *watcher;
	int fd, a = 0;

	while (a < attach_types.cnt && of->setup[a].err)
		a++;
	if (a == attach_types.cnt)
		return;
	target.attach_type = a;
	target.attach_btf_id = attach_ids[of->setup[a].attach_to];
	target.flags = of->setup[a].sleepable ? BPF_F_SLEEPABLE : 0;
	target.retval = of->setup[a].retval;
	fd = load_target(&target, &prog_btf);
	if (fd < 0)
		return;
	ext = add_subject(BPF_PROG_TYPE_EXT, of->type, fd, NO, NULL);
	watcher = add_subject(BPF_PROG_TYPE_TRACING, of->type, fd, NO, NULL);

	target.flags |= BPF_F_DESTRUCTIVE;
	fd = load_target(&target, &prog_btf);
	/* that it cannot be had is seen where the type itself is loaded */
	if (fd < 0)
		return;
	add_subject(BPF_PROG_TYPE_EXT, of->type, fd, YES, ext);
	add_subject(BPF_PROG_TYPE_TRACING, of->type, fd, YES, watcher);
}

static int make_format(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_RDONLY_PROG);
	static const char format[8] = "matrix";
	const int zero = 0;
	int fd;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "format", sizeof(zero), sizeof(format), 1, &opts);
	if (fd < 0 || bpf_map_update_elem(fd, &zero, format, 0) || bpf_map_freeze(fd))
		die("the map with the format");
	return fd;
}

void set_up(bool fixes)
{
	struct btf *vmlinux = btf__load_vmlinux_btf();
	int id = 0;

	if (!vmlinux)
		die("no BTF of the kernel");
	for (size_t i = 0; i < ARRAY_SIZE(kfuncs) && id <= 0; i++) {
		kfunc = kfuncs[i].name;
		kfunc_arg = kfuncs[i].arg;
		id = btf__find_by_name_kind(vmlinux, kfunc, BTF_KIND_FUNC);
	}
	kfunc_id = find_type(vmlinux, kfunc, BTF_KIND_FUNC);
	format_map = make_format();
	/* one that has gone would make refusals of what should be judged */
	for (size_t i = 1; i < ARRAY_SIZE(attach_to); i++)
		attach_ids[i] = find_type(vmlinux, attach_to[i].name, attach_to[i].kind);
	read_enum(&types, vmlinux, "bpf_prog_type", "BPF_PROG_TYPE_");
	read_enum(&attach_types, vmlinux, "bpf_attach_type", "BPF_");
	make_prog_btf(&prog_btf);

	for (int i = 0; i < types.cnt; i++)
		add_subject(i, 0, -1, ANY, NULL);
	/* without one of the fixes, an extension of a struct_ops program crashes the kernel */
	for (int i = 0; i < types.cnt; i++)
		if (fixes || i != BPF_PROG_TYPE_STRUCT_OPS)
			add_users(&subjects[i]);

	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (result == MAP_FAILED)
		die("mmap");
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The gate of BPF_F_DESTRUCTIVE, whole: every program type and attach type that the
 * running kernel knows, and extensions and watchers of a program of each type, with
 * and without the flag, the call of a destructive kfunc and CAP_SYS_BOOT, in the
 * initial user namespace, in a child of it, and in a child with a BPF token that
 * delegates everything.
 *
 * The types come from the BTF of the running kernel, so one that is added to the
 * kernel is tried, and has to be refused until gate.c has it.
 *
 * Nothing here is attached or run. A kernel with the gate and without the fixes of
 * the series is tried with --without-fixes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "gate.h"
#include "guard.h"

#define MAX_NAMES 64	/* program types and attach types are bits of a token */
#define MAX_SUBJECTS 256

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

enum { INIT_USERNS, CHILD_USERNS, CHILD_USERNS_TOKEN, NR_USERNS };
static const char *const ns_names[NR_USERNS] = { "init userns", "child userns", "child userns, token" };

/* Bits of the number of a load. */
enum { WITH_CALL = 1, WITH_FLAG = 2, WITHOUT_BOOT = 4, NR_LOADS = 8 };

/* How to make a program that loads. */
struct setup {
	uint8_t attach_to;
	uint8_t sleepable;
	uint8_t retval;
	int err;		/* 0 if one was found */
};

/* A program type, or an extension or watcher of one. */
static struct subject {
	char name[64];
	int type;
	int counts_as;		/* the type, for an extension that of its target */
	int target_fd;		/* or -1 */
	uint8_t target;		/* has the target the flag? As in struct facts. */
	struct subject *control; /* shows what is refused anyway */
	struct setup setup[MAX_NAMES]; /* for each attach type */
} subjects[MAX_SUBJECTS];
static int nr_subjects;

/* What comes out; the children write it. */
static struct result {
	struct row {
		uint64_t judged;		/* attach types whose control loads */
		char answers[NR_LOADS];		/* to these */
	} rows[NR_USERNS][MAX_SUBJECTS];
	int loads, judged, wrong;
} *result;

/* Enumerators of the kernel, by value and without the prefix. */
static struct names {
	const char *name[MAX_NAMES];
	int cnt;
} types, attach_types;

static struct prog_btf prog_btf;
static uint32_t attach_ids[ARRAY_SIZE(attach_to)], kfunc_id;
static const char *kfunc;
static uint8_t kfunc_arg;
static int format_map;
static char log_buf[64 * 1024];

/* Only what is judged needs a log. */
static int load(const struct subject *s, int attach_type, const struct setup *setup, int how, int token_fd,
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

/* ---- preparations, once and with all privileges ---------------------------------------- */

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

static void set_up(bool fixes)
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

/* ---- the loads, in three namespaces ---------------------------------------------------- */

static const char *err_name(int err)
{
	return err ? strerrorname_np(-err) ?: "?" : "ok";
}

static char err_letter(int err)
{
	return !err ? '.' : err == -EACCES ? 'A' : err == -EINVAL ? 'I' : err == -EPERM ? 'P' : '?';
}

static void complain(int ns, const struct subject *s, int attach_type, int how, struct answer said,
		     struct answer want)
{
	/* if the table is wrong, thousands of loads are */
	if (result->wrong++ >= 40)
		return;
	printf("matrix: %s, %s, attach type %s, %s flag, %s call, %s CAP_SYS_BOOT:\n"
	       "matrix:   said %s (%s), expected %s (%s)\n", ns_names[ns], s->name, attach_types.name[attach_type],
	       how & WITH_FLAG ? "with" : "no", how & WITH_CALL ? "with" : "no", how & WITHOUT_BOOT ? "no" : "with",
	       err_name(said.err), gate_msg_text(said.msg), err_name(want.err), gate_msg_text(want.msg));
}

static struct answer ask(const struct subject *s, int attach_type, int how, int token_fd)
{
	const struct gate_names names = { s->counts_as, kfunc, NULL };
	struct answer said = {};
	int fd;

	set_caps(how & WITHOUT_BOOT ? permitted & ~BIT(CAP_SYS_BOOT) : permitted);
	fd = load(s, attach_type, &s->setup[attach_type], how, token_fd, true);
	set_caps(permitted);
	result->loads++;
	if (fd < 0) {
		said.err = fd;
		said.msg = gate_msg(log_buf, &names);
	} else {
		close(fd);
	}
	return said;
}

static struct answer want(int ns, const struct subject *s, int how)
{
	const struct gate_type type = gate_type(s->counts_as);
	const struct facts is = {
		.flag = how & WITH_FLAG ? YES : NO,
		.call = how & WITH_CALL ? YES : NO,
		.type = type.flag ? YES : NO,
		.kfunc = type.kfunc ? YES : NO,
		.arg = kfunc_arg,
		.boot = ns == INIT_USERNS && !(how & WITHOUT_BOOT) ? YES : NO,
		.bpf = ns == CHILD_USERNS ? NO : YES,
		.ext = s->type == BPF_PROG_TYPE_EXT ? YES : NO,
		.target = s->target,
	};

	return gate_answer(&is);
}

static bool same(struct answer a, struct answer b)
{
	return a.err == b.err && a.msg == b.msg;
}

/*
 * A load without flag and call knows nothing of the gate: it does not depend on
 * CAP_SYS_BOOT, a token is as good as the capabilities, and without both only two
 * types load.
 */
static struct answer want_control(int ns, const struct subject *s, int attach_type)
{
	bool may = ns != CHILD_USERNS || (s->target_fd < 0 && gate_type(s->type).unpriv);

	return (struct answer){ may ? s->setup[attach_type].err : -EPERM, MSG_NONE };
}

/* The loads that differ only in what the gate looks at. */
static void judge(int ns, struct subject *s, int attach_type, int token_fd)
{
	struct row *row = &result->rows[ns][s - subjects];
	struct answer control = {};
	bool verified = false;

	for (int how = 0; how < NR_LOADS; how++) {
		struct answer said, should = want(ns, s, how);

		if (!(how & ~WITHOUT_BOOT)) {
			control = ask(s->control, attach_type, how, token_fd);
			/* the verifier got past the check of the flag */
			verified = strstr(log_buf, "processed ");
			if (!same(control, want_control(ns, s->control, attach_type)))
				complain(ns, s, attach_type, how, control, want_control(ns, s->control, attach_type));
		}
		said = s->control == s && !(how & ~WITHOUT_BOOT) ? control : ask(s, attach_type, how, token_fd);
		if (control.err) {
			/*
			 * It has another fault. If that was found outside the verifier it
			 * is found first, if inside then after the check of the flag. Where
			 * the verifier found it is not known, so the call may come before.
			 */
			if (!verified || !should.err || (should.msg > MSG_CAP && same(said, control)))
				should = control;
		} else {
			row->judged |= BIT(attach_type);
			/* the gate lets it pass */
			row->answers[how] = said.msg == MSG_ARG ? '.' : err_letter(said.err);
			result->judged++;
		}
		if (!same(said, should))
			complain(ns, s, attach_type, how, said, should);
	}
}

static void judge_all(int ns, int token_fd)
{
	read_caps();
	for (int i = 0; i < nr_subjects; i++)
		for (int a = 0; a < attach_types.cnt; a++)
			judge(ns, &subjects[i], a, token_fd);
	fflush(stdout);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || close(fd))
		die("%s", path);
}

/* Become root, with all capabilities, of new user and mount namespaces. */
static void enter_userns(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		die("no user namespace");
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 0 1");
	write_file("/proc/self/gid_map", "0 0 1");
}

static int pass_int(int sock, int val)
{
	return write(sock, &val, sizeof(val)) == sizeof(val) ? 0 : -EPIPE;
}

static int get_int(int sock)
{
	int val;

	return read(sock, &val, sizeof(val)) == sizeof(val) ? val : -EPIPE;
}

/*
 * A token for a bpffs of this user namespace. The delegation has to be configured
 * by the parent: it is not for who has it to say how much it is.
 */
static int create_token(int sock)
{
	int fs_fd = syscall(SYS_fsopen, "bpf", 0), mnt_fd, bpffs_fd, token_fd;

	if (fs_fd < 0 || pass_int(sock, fs_fd) || get_int(sock))
		die("no bpffs");
	mnt_fd = syscall(SYS_fsmount, fs_fd, 0, 0);
	bpffs_fd = openat(mnt_fd, ".", O_RDONLY | O_DIRECTORY);
	token_fd = bpf_token_create(bpffs_fd, NULL);
	if (token_fd < 0)
		die("no token");
	return token_fd;
}

static void delegate_everything(int pid, int sock)
{
	static const char *const keys[] = { "delegate_cmds", "delegate_maps", "delegate_progs", "delegate_attachs" };
	int fs_fd = syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), get_int(sock), 0);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_STRING, keys[i], "any", 0))
			die("%s", keys[i]);
	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) || pass_int(sock, 0))
		die("cannot delegate");
}

static void judge_in_child(int ns)
{
	int socks[2], status, pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, socks))
		die("socketpair");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(socks[0]);
		enter_userns();
		judge_all(ns, ns == CHILD_USERNS_TOKEN ? create_token(socks[1]) : -1);
		_exit(0);
	}
	close(socks[1]);
	if (ns == CHILD_USERNS_TOKEN)
		delegate_everything(pid, socks[0]);
	if (waitpid(pid, &status, 0) < 0 || status) {
		errno = ECHILD;
		die("%s", ns_names[ns]);
	}
	close(socks[0]);
}

/* ---- the table ------------------------------------------------------------------------ */

/* As "0-3,7". */
static void print_set(uint64_t set)
{
	const char *comma = "  ";

	for (int first = 0, last; first < attach_types.cnt; first = last + 1) {
		last = first;
		if (!(set & BIT(first)))
			continue;
		while (last + 1 < attach_types.cnt && set & BIT(last + 1))
			last++;
		printf(last > first ? "%s%d-%d" : "%s%d", comma, first, last);
		comma = ",";
	}
	printf(set ? "\n" : "  none\n");
}

static void print_table(void)
{
	printf("# What the gate answers to loads: . ok, A EACCES, I EINVAL, P EPERM, - refused without flag and call, too.\n"
	       "# Four answers with CAP_SYS_BOOT and four without it: to a plain program, with a destructive call, with\n"
	       "# the flag, with both. The attach types are those of which a plain program loads, by number.\n"
	       "%-40s  %-9s  %-9s  %-9s  attach types\n", "# program type", "init ns", "child ns", "token");
	for (int i = 0; i < nr_subjects; i++) {
		printf("%-40s", subjects[i].name);
		for (int ns = 0; ns < NR_USERNS; ns++) {
			printf(" ");
			for (int how = 0; how < NR_LOADS; how++)
				printf("%s%c", how % 4 ? "" : " ", result->rows[ns][i].answers[how] ?: '-');
		}
		print_set(result->rows[INIT_USERNS][i].judged);
	}
}

int main(int argc, char **argv)
{
	bool fixes = argc < 2;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--without-fixes"))) {
		fprintf(stderr, "usage: matrix [--without-fixes]\n");
		return 64;
	}
	if (!in_our_vm()) {
		fprintf(stderr, "matrix: this is not the test VM: a kernel with a bug in its gates could go down\n");
		return 65;
	}
	set_up(fixes);
	printf("matrix: %d program types, %d extensions and watchers, %d attach types, kfunc %s\n", types.cnt,
	       nr_subjects - types.cnt, attach_types.cnt, kfunc);
	judge_all(INIT_USERNS, -1);
	judge_in_child(CHILD_USERNS);
	judge_in_child(CHILD_USERNS_TOKEN);
	print_table();
	printf("matrix: %d loads, %d of them judged by the gate alone, %d wrong answers\n", result->loads,
	       result->judged, result->wrong);
	printf("matrix: %s\n", result->wrong || !result->judged ? "FAILED" : "passed");
	return result->wrong || !result->judged;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The gate of BPF_F_DESTRUCTIVE, whole: every program type and attach type that
 * the running kernel knows, with and without the flag, the call of a destructive
 * kfunc and CAP_SYS_BOOT, in the initial user namespace, in a child of it, and in
 * a child with a BPF token that delegates everything.
 *
 * The types come from the BTF of the running kernel, so one that is added to the
 * kernel is tried, and has to be refused until somebody adds it to kinds[].
 *
 * Nothing here is attached or run.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#include <bpf/btf.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cap_helpers.h"
#include "sysctl_helpers.h"
#include "test_progs.h"

/* It takes no arguments but the implicit one. */
#define KFUNC "bpf_halt"
#define NR(array) ((int)ARRAY_SIZE(array))
#define UNPRIV_SYSCTL "/proc/sys/kernel/unprivileged_bpf_disabled"

/* ---- the gate table of Documentation/bpf/destructive.rst, as data ---------------------- */

enum { ANY, NO, YES };

enum gate_msg {
	MSG_NONE,
	/* these come before the verifier looks at the program or its target */
	MSG_TYPE,
	MSG_CAP,
	/* and these after it has begun */
	MSG_EXT_HAS,
	MSG_EXT_LACKS,
	MSG_UNPRIV,
	MSG_NO_KFUNC,
	MSG_CALL,
	NR_MSGS,
};

/* What is found in the verifier log. */
static const char * const msgs[NR_MSGS] = {
	[MSG_TYPE]	= "BPF_F_DESTRUCTIVE is refused: program type %d is not a tracing type",
	[MSG_CAP]	= "BPF_F_DESTRUCTIVE is refused: it requires CAP_SYS_BOOT in the initial",
	[MSG_EXT_HAS]	= "Extension program has BPF_F_DESTRUCTIVE and its target lacks it",
	[MSG_EXT_LACKS]	= "Extension program lacks BPF_F_DESTRUCTIVE and its target has it",
	[MSG_UNPRIV]	= "loading/calling other bpf or kernel functions are allowed for CAP_BPF",
	[MSG_NO_KFUNC]	= "calling kernel function " KFUNC " is not allowed",
	[MSG_CALL]	= "destructive kfunc " KFUNC " requires the BPF_F_DESTRUCTIVE load flag",
};

/* What the gate looks at, each ANY, NO or YES. */
struct facts {
	int flag;	/* BPF_F_DESTRUCTIVE is given */
	int call;	/* the program calls the kfunc */
	int tracing;	/* it counts as a tracing program */
	int kfunc;	/* the kfunc is registered for its type */
	int boot;	/* the loader has CAP_SYS_BOOT in the initial user namespace */
	int bpf;	/* the loader has CAP_BPF, by a token or there */
	int target;	/* the extended program has the flag; ANY where there is none */
};

struct answer {
	int err;
	enum gate_msg msg;
};

/* The first line that fits is the answer to a load that has no other fault. */
static const struct {
	struct facts when;
	struct answer then;
} gate[] = {
	{ { .flag = YES, .tracing = NO },		{ -EINVAL, MSG_TYPE } },
	{ { .flag = YES, .boot = NO },			{ -EPERM, MSG_CAP } },
	{ { .flag = YES, .target = NO },		{ -EINVAL, MSG_EXT_HAS } },
	{ { .flag = YES },				{ 0, MSG_NONE } },
	{ { .flag = NO, .call = YES, .bpf = NO },	{ -EPERM, MSG_UNPRIV } },
	{ { .flag = NO, .target = YES },		{ -EINVAL, MSG_EXT_LACKS } },
	{ { .flag = NO, .call = YES, .kfunc = NO },	{ -EACCES, MSG_NO_KFUNC } },
	{ { .flag = NO, .call = YES },			{ -EACCES, MSG_CALL } },
	{ { .flag = NO, .call = NO },			{ 0, MSG_NONE } },
};

/*
 * The types that are special in any way. An extension counts as the type that it
 * extends.
 */
static const struct kind {
	const char *name;
	bool tracing;	/* can be given the flag */
	bool kfunc;	/* shares the kfuncs of the tracing types */
	bool unpriv;	/* loads without CAP_BPF, if the sysctl allows it */
} kinds[] = {
	{ "KPROBE",			.tracing = true, .kfunc = true },
	{ "TRACEPOINT",			.tracing = true, .kfunc = true },
	{ "PERF_EVENT",			.tracing = true, .kfunc = true },
	{ "RAW_TRACEPOINT",		.tracing = true, .kfunc = true },
	{ "RAW_TRACEPOINT_WRITABLE",	.tracing = true, .kfunc = true },
	{ "TRACING",			.tracing = true, .kfunc = true },
	{ "LSM",			.kfunc = true },
	{ "SOCKET_FILTER",		.unpriv = true },
	{ "CGROUP_SKB",			.unpriv = true },
};

/* ---- what is loaded ------------------------------------------------------------------- */

/* Something in the kernel's BTF for the types that need it; an unlucky guess is refused. */
static const struct {
	const char *name;
	__u32 kind;
} attach_to[] = {
	{ NULL },
	{ "bpf_fentry_test1", BTF_KIND_FUNC },
	{ "btf_trace_sys_enter", BTF_KIND_TYPEDEF },
	{ "bpf_iter_task", BTF_KIND_FUNC },
	{ "bpf_modify_return_test", BTF_KIND_FUNC },
	{ "bpf_lsm_file_open", BTF_KIND_FUNC },
	{ "bpf_lsm_socket_bind", BTF_KIND_FUNC },
	{ "bpf_dummy_ops", BTF_KIND_STRUCT },
	{ "tcp_congestion_ops", BTF_KIND_STRUCT },
};

/* How to make a program that loads. */
struct setup {
	__u8 attach_to;
	__u8 sleepable;
	__u8 retval;
	int err;		/* 0 if one was found */
};

/* Enumerators of the kernel, by value and without the prefix. */
struct names {
	const char *name[64];
	int cnt;
};

/* A program type, or an extension of one. */
struct subject {
	int type;
	int counts_as;		/* the type, for an extension that of its target */
	int target_fd;		/* of an extension, or -1 */
	int target;		/* has the target the flag? As in struct facts. */
	int control;		/* the subject that shows what is refused anyway */
	char name[64];
	struct kind kind;
	struct setup *setup;	/* for each attach type */
};

enum { INIT_USERNS, CHILD_USERNS, CHILD_USERNS_TOKEN, NR_USERNS };

/* Bits of the number of a load. */
enum { WITH_CALL = 1, WITH_FLAG = 2, WITHOUT_BOOT = 4, NR_LOADS = 8 };

/* What the kernel said. The children write it, too, so it is in shared memory. */
struct said {
	__s16 err;
	__u8 msg;
	__u8 asked : 1;
	__u8 verified : 1;	/* the verifier got past the check of the flag */
};

static struct matrix {
	struct btf *vmlinux;
	struct btf *prog_btf;	/* of extensions and their targets */
	int replaced_id;	/* the function that they replace, in prog_btf */
	int entry_id;
	int kfunc_id;
	int attach_id[ARRAY_SIZE(attach_to)];
	struct names types;
	struct names attach_types;
	struct subject *subjects;
	int nr_subjects;
	struct said *said;
	size_t said_size;
} m;

static char log_buf[64 * 1024];

static struct said *said_of(int ns, int subject, int attach_type, int load)
{
	size_t i = ns;

	i = i * m.nr_subjects + subject;
	i = i * m.attach_types.cnt + attach_type;
	return &m.said[i * NR_LOADS + load];
}

static enum gate_msg find_msg(const struct subject *s)
{
	char text[128];
	int i;

	for (i = MSG_NONE + 1; i < NR_MSGS; i++) {
		/* only MSG_TYPE has something to fill in */
		snprintf(text, sizeof(text), msgs[i], s->counts_as);
		if (strstr(log_buf, text))
			return i;
	}
	return MSG_NONE;
}

/* The judged loads have a log, the search for a set-up does not need one. */
static int load(const struct subject *s, int attach_type, const struct setup *setup,
		int how, int token_fd, bool log)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct bpf_func_info func_info = { .insn_off = 0, .type_id = m.replaced_id };
	const struct bpf_insn insns[] = {
		BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, m.kfunc_id),
		BPF_MOV64_IMM(BPF_REG_0, setup->retval),
		BPF_EXIT_INSN(),
	};
	int skip = how & WITH_CALL ? 0 : 1;

	opts.expected_attach_type = attach_type;
	if (setup->sleepable)
		opts.prog_flags |= BPF_F_SLEEPABLE;
	if (how & WITH_FLAG)
		opts.prog_flags |= BPF_F_DESTRUCTIVE;
	if (token_fd >= 0) {
		opts.prog_flags |= BPF_F_TOKEN_FD;
		opts.token_fd = token_fd;
	}
	if (s->target_fd >= 0) {
		opts.attach_prog_fd = s->target_fd;
		opts.attach_btf_id = m.replaced_id;
		opts.prog_btf_fd = btf__fd(m.prog_btf);
		opts.func_info = &func_info;
		opts.func_info_cnt = 1;
		opts.func_info_rec_size = sizeof(func_info);
	} else {
		opts.attach_btf_id = m.attach_id[setup->attach_to];
	}
	if (log) {
		log_buf[0] = '\0';
		opts.log_buf = log_buf;
		opts.log_size = sizeof(log_buf);
		opts.log_level = 1;
	}

	return bpf_prog_load(s->type, NULL, "GPL", insns + skip, ARRAY_SIZE(insns) - skip, &opts);
}

/* A program with a function to replace, which is loaded like any other of its type. */
static int load_target(const struct subject *s, int attach_type, bool flag)
{
	const struct setup *setup = &s->setup[attach_type];
	struct bpf_func_info func_info[] = {
		{ .insn_off = 0, .type_id = m.entry_id },
		{ .insn_off = 3, .type_id = m.replaced_id },
	};
	const struct bpf_insn insns[] = {
		BPF_CALL_REL(2),
		BPF_MOV64_IMM(BPF_REG_0, setup->retval),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts);

	opts.expected_attach_type = attach_type;
	opts.attach_btf_id = m.attach_id[setup->attach_to];
	if (setup->sleepable)
		opts.prog_flags |= BPF_F_SLEEPABLE;
	if (flag)
		opts.prog_flags |= BPF_F_DESTRUCTIVE;
	opts.prog_btf_fd = btf__fd(m.prog_btf);
	opts.func_info = func_info;
	opts.func_info_cnt = ARRAY_SIZE(func_info);
	opts.func_info_rec_size = sizeof(func_info[0]);

	return bpf_prog_load(s->type, NULL, "GPL", insns, ARRAY_SIZE(insns), &opts);
}

/* ---- preparations, once and with all privileges ---------------------------------------- */

static bool read_enum(struct names *names, const char *enum_name, const char *prefix,
		      int at_least)
{
	const struct btf_type *t;
	const struct btf_enum *e;
	int id, i, cnt;

	id = btf__find_by_name_kind(m.vmlinux, enum_name, BTF_KIND_ENUM);
	if (!ASSERT_GT(id, 0, enum_name))
		return false;

	t = btf__type_by_id(m.vmlinux, id);
	e = btf_enum(t);
	cnt = btf_vlen(t);
	for (i = 0; i < cnt; i++) {
		const char *name = btf__name_by_offset(m.vmlinux, e[i].name_off);

		/* the number of values, and older names of it */
		if (!strncmp(name, "__MAX", 5) || !strncmp(name, "MAX_", 4))
			continue;
		/* both are bits of an u64 in a token, so there cannot be more */
		if (e[i].val < 0 || e[i].val >= NR(names->name)) {
			PRINT_FAIL("%s is %d\n", name, e[i].val);
			return false;
		}
		if (e[i].val >= names->cnt)
			names->cnt = e[i].val + 1;
		if (!strncmp(name, prefix, strlen(prefix)))
			name += strlen(prefix);
		names->name[e[i].val] = name;
	}
	for (i = 0; i < names->cnt; i++)
		if (!names->name[i])
			names->name[i] = "?";

	return ASSERT_GE(names->cnt, at_least, enum_name);
}

static int find_name(const struct names *names, const char *name)
{
	int i;

	for (i = 0; i < names->cnt; i++)
		if (!strcmp(names->name[i], name))
			return i;
	return -ENOENT;
}

static bool make_prog_btf(void)
{
	int int_id, proto_id;

	m.prog_btf = btf__new_empty();
	if (!ASSERT_OK_PTR(m.prog_btf, "new_btf"))
		return false;

	int_id = btf__add_int(m.prog_btf, "int", 4, BTF_INT_SIGNED);
	proto_id = btf__add_func_proto(m.prog_btf, int_id);
	m.entry_id = btf__add_func(m.prog_btf, "entry", BTF_FUNC_STATIC, proto_id);
	m.replaced_id = btf__add_func(m.prog_btf, "replaced", BTF_FUNC_GLOBAL, proto_id);
	return ASSERT_GT(m.replaced_id, 0, "add_func") &&
	       ASSERT_OK(btf__load_into_kernel(m.prog_btf), "load_btf");
}

static void find_setup(const struct subject *s, int attach_type, const struct setup *first)
{
	struct setup *setup = &s->setup[attach_type];
	int i, fd;

	/* what worked for the attach type before often works again */
	for (i = -1; i < 4 * NR(attach_to); i++) {
		struct setup try = {
			.attach_to = i / 4,
			.sleepable = i / 2 % 2,
			.retval = i % 2,
		};

		if (i < 0 && !first)
			continue;
		if (i < 0)
			try = *first;
		if (try.attach_to && (m.attach_id[try.attach_to] <= 0 || s->target_fd >= 0))
			continue;

		fd = load(s, attach_type, &try, 0, -1, false);
		if (fd >= 0) {
			close(fd);
			*setup = try;
			return;
		}
		/* if nothing works the plainest stays */
		if (!i)
			setup->err = fd;
	}
}

static struct subject *add_subject(int type, int counts_as, int target_fd, int target)
{
	struct subject *s;
	int i;

	s = realloc(m.subjects, (m.nr_subjects + 1) * sizeof(*s));
	if (!s)
		return NULL;
	m.subjects = s;
	s += m.nr_subjects;

	*s = (struct subject) {
		.type = type,
		.counts_as = counts_as,
		.target_fd = target_fd,
		.target = target,
		.control = m.nr_subjects,
	};
	snprintf(s->name, sizeof(s->name), "%s%s%s%s", m.types.name[type],
		 target_fd >= 0 ? " of " : "", target_fd >= 0 ? m.types.name[counts_as] : "",
		 target == YES ? ", flag" : "");
	for (i = 0; i < NR(kinds); i++)
		if (!strcmp(kinds[i].name, m.types.name[counts_as]))
			s->kind = kinds[i];
	/* an extension itself is never loaded without CAP_BPF */
	if (type != counts_as)
		s->kind.unpriv = false;

	s->setup = calloc(m.attach_types.cnt, sizeof(*s->setup));
	if (!s->setup)
		return NULL;
	m.nr_subjects++;
	return s;
}

static void find_setups(struct subject *s)
{
	const struct setup *first = NULL;
	int a;

	for (a = 0; a < m.attach_types.cnt; a++) {
		find_setup(s, a, first);
		if (!s->setup[a].err)
			first = &s->setup[a];
	}
}

/* Extensions of a program of the type, without and, if it can be had, with the flag. */
static bool add_extensions(int of)
{
	int a, fd, plain;

	for (a = 0; a < m.attach_types.cnt; a++)
		if (!m.subjects[of].setup[a].err)
			break;
	if (a == m.attach_types.cnt)
		return true;

	fd = load_target(&m.subjects[of], a, false);
	if (fd < 0)
		return true;
	plain = m.nr_subjects;
	if (!add_subject(BPF_PROG_TYPE_EXT, m.subjects[of].type, fd, NO))
		return false;
	find_setups(&m.subjects[plain]);

	if (!m.subjects[of].kind.tracing)
		return true;
	fd = load_target(&m.subjects[of], a, true);
	if (fd < 0) {
		/* go on: the loads of the type itself are going to tell more */
		PRINT_FAIL("%s cannot be loaded with the flag: %d\n", m.subjects[of].name, fd);
		return true;
	}
	if (!add_subject(BPF_PROG_TYPE_EXT, m.subjects[of].type, fd, YES))
		return false;
	/* with this target the load without the flag is not a control */
	m.subjects[plain + 1].control = plain;
	memcpy(m.subjects[plain + 1].setup, m.subjects[plain].setup,
	       m.attach_types.cnt * sizeof(struct setup));
	return true;
}

/* Returns 0, 1 if the kernel cannot be tested, or an error that has been reported. */
static int prepare(void)
{
	int i;

	m.vmlinux = btf__load_vmlinux_btf();
	if (!ASSERT_OK_PTR(m.vmlinux, "load_vmlinux_btf"))
		return -EINVAL;
	m.kfunc_id = btf__find_by_name_kind(m.vmlinux, KFUNC, BTF_KIND_FUNC);
	if (m.kfunc_id <= 0)
		return 1;
	for (i = 1; i < NR(attach_to); i++) {
		m.attach_id[i] = btf__find_by_name_kind(m.vmlinux, attach_to[i].name,
							attach_to[i].kind);
		/* one that has gone would make refusals of what should be judged */
		ASSERT_GT(m.attach_id[i], 0, attach_to[i].name);
	}

	if (!read_enum(&m.types, "bpf_prog_type", "BPF_PROG_TYPE_", __MAX_BPF_PROG_TYPE) ||
	    !read_enum(&m.attach_types, "bpf_attach_type", "BPF_", __MAX_BPF_ATTACH_TYPE) ||
	    !make_prog_btf())
		return -EINVAL;

	for (i = 0; i < m.types.cnt; i++) {
		struct subject *s = add_subject(i, i, -1, ANY);

		if (!ASSERT_OK_PTR(s, "add_subject"))
			return -ENOMEM;
		find_setups(s);
	}
	for (i = 0; i < m.types.cnt; i++)
		if (!ASSERT_TRUE(add_extensions(i), "add_extensions"))
			return -EINVAL;

	m.said_size = (size_t)NR_USERNS * m.nr_subjects * m.attach_types.cnt * NR_LOADS *
		      sizeof(*m.said);
	m.said = mmap(NULL, m.said_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (!ASSERT_NEQ(m.said, MAP_FAILED, "mmap")) {
		m.said = NULL;
		return -ENOMEM;
	}
	return 0;
}

static void clean_up(void)
{
	int i;

	for (i = 0; i < m.nr_subjects; i++) {
		if (m.subjects[i].target_fd >= 0)
			close(m.subjects[i].target_fd);
		free(m.subjects[i].setup);
	}
	free(m.subjects);
	btf__free(m.prog_btf);
	btf__free(m.vmlinux);
	if (m.said)
		munmap(m.said, m.said_size);
	memset(&m, 0, sizeof(m));
}

/* ---- the loads, in three namespaces ---------------------------------------------------- */

/* All loads of a namespace. Runs in the children, too, so it reports nothing by itself. */
static int ask_all(int ns, int token_fd)
{
	__u64 boot = 1ULL << CAP_SYS_BOOT;
	int i, a, how, fd, err;

	for (how = 0; how < NR_LOADS; how++) {
		err = how & WITHOUT_BOOT ? cap_disable_effective(boot, NULL) :
					   cap_enable_effective(boot, NULL);
		if (err)
			return err;
		for (i = 0; i < m.nr_subjects; i++) {
			const struct subject *s = &m.subjects[i];

			for (a = 0; a < m.attach_types.cnt; a++) {
				struct said *said = said_of(ns, i, a, how);

				fd = load(s, a, &s->setup[a], how, token_fd, true);
				if (fd >= 0)
					close(fd);
				else
					said->msg = find_msg(s);
				said->err = fd < 0 ? fd : 0;
				said->verified = !!strstr(log_buf, "processed ");
				said->asked = true;
			}
		}
	}
	return cap_enable_effective(boot, NULL);
}

static int write_file(const char *path, const char *text)
{
	ssize_t len = strlen(text);
	int fd, err = 0;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != len)
		err = -EIO;
	close(fd);
	return err;
}

/* Become root, with all capabilities, of new user and mount namespaces. */
static int enter_userns(void)
{
	char uid_map[32], gid_map[32];
	int err;

	snprintf(uid_map, sizeof(uid_map), "0 %d 1", getuid());
	snprintf(gid_map, sizeof(gid_map), "0 %d 1", getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -errno;

	err = write_file("/proc/self/setgroups", "deny");
	if (err && err != -ENOENT)
		return err;
	err = write_file("/proc/self/uid_map", uid_map);
	err = err ?: write_file("/proc/self/gid_map", gid_map);
	if (err)
		return err;
	return setgid(0) || setuid(0) ? -errno : 0;
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
	int fs_fd, mnt_fd, bpffs_fd, err;

	fs_fd = syscall(__NR_fsopen, "bpf", 0);
	if (fs_fd < 0)
		return -errno;
	err = pass_int(sock, fs_fd);
	err = err ?: get_int(sock);
	if (err)
		return err;

	mnt_fd = syscall(__NR_fsmount, fs_fd, 0, 0);
	if (mnt_fd < 0)
		return -errno;
	bpffs_fd = openat(mnt_fd, ".", O_RDONLY | O_DIRECTORY);
	if (bpffs_fd < 0)
		return -errno;
	return bpf_token_create(bpffs_fd, NULL);
}

static int delegate_everything(int pid, int sock)
{
	static const char * const keys[] = {
		"delegate_cmds", "delegate_maps", "delegate_progs", "delegate_attachs",
	};
	int pid_fd, fs_fd, i;

	fs_fd = get_int(sock);
	if (!ASSERT_GE(fs_fd, 0, "fs_fd of the child"))
		return -EPIPE;

	pid_fd = syscall(__NR_pidfd_open, pid, 0);
	if (!ASSERT_GE(pid_fd, 0, "pidfd_open"))
		return -errno;
	fs_fd = syscall(__NR_pidfd_getfd, pid_fd, fs_fd, 0);
	close(pid_fd);
	if (!ASSERT_GE(fs_fd, 0, "pidfd_getfd"))
		return -errno;

	for (i = 0; i < NR(keys); i++)
		ASSERT_OK(syscall(__NR_fsconfig, fs_fd, FSCONFIG_SET_STRING, keys[i], "any", 0),
			  keys[i]);
	ASSERT_OK(syscall(__NR_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "create");
	close(fs_fd);
	return pass_int(sock, 0);
}

static int child(int ns, int sock)
{
	int token_fd = -1, err;

	err = enter_userns();
	if (err)
		return err;
	if (ns == CHILD_USERNS_TOKEN) {
		token_fd = create_token(sock);
		if (token_fd < 0)
			return token_fd;
	}
	return ask_all(ns, token_fd);
}

static bool ask_all_in_child(int ns)
{
	int socks[2], status = -1, pid;

	if (!ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, socks), "socketpair"))
		return false;

	pid = fork();
	if (!ASSERT_GE(pid, 0, "fork")) {
		close(socks[0]);
		close(socks[1]);
		return false;
	}
	if (!pid) {
		close(socks[0]);
		/* no exit(): what the parent has to print is not for us to print */
		_exit(-child(ns, socks[1]));
	}

	close(socks[1]);
	if (ns == CHILD_USERNS_TOKEN && delegate_everything(pid, socks[0]))
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(socks[0]);
	return ASSERT_EQ(WIFEXITED(status) ? -WEXITSTATUS(status) : status, 0, "child");
}

/* ---- the verdict ---------------------------------------------------------------------- */

struct counts {
	int judged;	/* program type and attach type, the control loads */
	int refused;	/* it does not */
	int loads;
	int wrong;
	struct tally {
		int err;
		int cnt;
	} answers[256], refused_answers[256];	/* there are not that many errors */
};

static const char *err_name(int err, char *buf, size_t size)
{
	switch (err) {
	case 0:
		return "ok";
	case -EACCES:
		return "EACCES";
	case -EINVAL:
		return "EINVAL";
	case -EPERM:
		return "EPERM";
	default:
		snprintf(buf, size, "%d", err);
		return buf;
	}
}

static bool fits(const struct facts *when, const struct facts *is)
{
	const int *w = (const int *)when, *v = (const int *)is;
	int i;

	for (i = 0; i < (int)(sizeof(*when) / sizeof(int)); i++)
		if (w[i] != ANY && w[i] != v[i])
			return false;
	return true;
}

static struct answer gate_answer(int ns, const struct subject *s, int how)
{
	const struct facts is = {
		.flag = how & WITH_FLAG ? YES : NO,
		.call = how & WITH_CALL ? YES : NO,
		.tracing = s->kind.tracing ? YES : NO,
		.kfunc = s->kind.kfunc ? YES : NO,
		.boot = ns == INIT_USERNS && !(how & WITHOUT_BOOT) ? YES : NO,
		.bpf = ns == CHILD_USERNS ? NO : YES,
		.target = s->target,
	};
	int i;

	for (i = 0; i < NR(gate); i++)
		if (fits(&gate[i].when, &is))
			return gate[i].then;
	return (struct answer) { -ENOENT, MSG_NONE };
}

/* What the kernel said to the load without flag and call, with the same capabilities. */
static const struct said *control_of(int ns, const struct subject *s, int attach_type, int how)
{
	return said_of(ns, s->control, attach_type, how & WITHOUT_BOOT);
}

static bool is_refused(int ns, const struct subject *s, int attach_type, int how)
{
	return control_of(ns, s, attach_type, how)->err;
}

/*
 * A load without flag and call knows nothing of the gate: it does not depend on
 * CAP_SYS_BOOT, a token is as good as the capabilities, and without both only two
 * types load.
 */
static int want_control_err(int ns, const struct subject *s, int attach_type, bool unpriv)
{
	if (ns == CHILD_USERNS && !(unpriv && s->kind.unpriv))
		return -EPERM;
	return s->setup[attach_type].err;
}

static void complain(const struct subject *s, int attach_type, int how,
		     const struct said *said, struct answer want, struct counts *counts)
{
	char is[16], should[16];

	/* if the table is wrong, thousands of loads are */
	if (counts->wrong++ >= 40)
		return;
	printf("%s, attach type %s, %s flag, %s call, %s CAP_SYS_BOOT:\n", s->name,
	       m.attach_types.name[attach_type], how & WITH_FLAG ? "with" : "no",
	       how & WITH_CALL ? "with" : "no", how & WITHOUT_BOOT ? "no" : "with");
	printf("  said %s (%s), expected %s (%s)\n",
	       said->asked ? err_name(said->err, is, sizeof(is)) : "nothing",
	       msgs[said->msg] ?: "no message",
	       err_name(want.err, should, sizeof(should)), msgs[want.msg] ?: "no message");
}

static void count_answer(struct tally *tally, int err)
{
	while (tally->cnt && tally->err != err)
		tally++;
	tally->err = err;
	tally->cnt++;
}

static void judge_load(int ns, const struct subject *s, int attach_type, int how,
		       struct counts *counts)
{
	const struct said *said = said_of(ns, s - m.subjects, attach_type, how);
	const struct said *control = control_of(ns, s, attach_type, how);
	const struct answer other = { control->err, MSG_NONE };
	struct answer want = gate_answer(ns, s, how);
	bool either = false;

	if (control->err) {
		/*
		 * It has another fault. If that was found outside the verifier it
		 * is found first, if inside then after the check of the flag. Where
		 * the verifier found it is not known, so the call may come before.
		 */
		if (!control->verified || !want.err)
			want = other;
		else if (want.msg > MSG_CAP)
			either = true;
		count_answer(counts->refused_answers, said->err);
	} else {
		count_answer(counts->answers, said->err);
	}

	counts->loads++;
	if (said->asked && said->err == want.err && said->msg == want.msg)
		return;
	if (said->asked && either && said->err == other.err && said->msg == other.msg)
		return;
	complain(s, attach_type, how, said, want, counts);
}

static void judge(int ns, bool unpriv, struct counts *counts)
{
	int i, a, how;

	for (i = 0; i < m.nr_subjects; i++) {
		const struct subject *s = &m.subjects[i];

		for (a = 0; a < m.attach_types.cnt; a++) {
			if (is_refused(ns, s, a, 0))
				counts->refused++;
			else
				counts->judged++;

			for (how = 0; how < NR_LOADS; how++)
				judge_load(ns, s, a, how, counts);

			if (s->control != i)
				continue;
			for (how = 0; how <= WITHOUT_BOOT; how += WITHOUT_BOOT) {
				struct answer want = { .err = want_control_err(ns, s, a, unpriv) };
				const struct said *said = said_of(ns, i, a, how);

				if (said->err != want.err)
					complain(s, a, how, said, want, counts);
			}
		}
	}
}

/*
 * Does a program of the type load? One that fails outside the verifier, whatever
 * is tried, is not configured; otherwise it needs something that attach_to[] or
 * find_setup() do not have yet.
 */
static bool loads_or_is_missing(int ns, int type)
{
	bool verified = false;
	int i, a;

	for (i = 0; i < m.nr_subjects; i++) {
		if (m.subjects[i].type != type)
			continue;
		for (a = 0; a < m.attach_types.cnt; a++) {
			const struct said *control = control_of(ns, &m.subjects[i], a, 0);

			if (!control->err)
				return true;
			verified = verified || control->verified;
		}
	}
	return !verified;
}

/* Without these the test could pass without having tested anything. */
static void judge_coverage(int ns, bool unpriv, const struct counts *counts)
{
	static const struct {
		bool tracing;
		int target;
	} kind[] = { { true, NO }, { true, YES }, { false, NO } };
	/* the ones that depend on attach_to[], and not on the architecture */
	static const struct {
		const char *type;
		const char *attach_type;
	} must_load[] = {
		{ "TRACING", "TRACE_RAW_TP" },
		{ "TRACING", "TRACE_FENTRY" },
		{ "TRACING", "TRACE_FEXIT" },
		{ "TRACING", "MODIFY_RETURN" },
		{ "TRACING", "TRACE_ITER" },
		{ "LSM", "LSM_MAC" },
		{ "LSM", "LSM_CGROUP" },
	};
	int i, j, a, works;

	ASSERT_EQ(counts->wrong, 0, "wrong answers");
	if (ns != CHILD_USERNS || unpriv)
		ASSERT_GT(counts->judged, 0, "judged");
	if (ns == CHILD_USERNS)
		return;

	for (i = 0; i < m.types.cnt; i++)
		ASSERT_TRUE(loads_or_is_missing(ns, i), m.types.name[i]);

	for (i = 0; i < NR(kinds); i++) {
		if (!kinds[i].tracing)
			continue;
		j = find_name(&m.types, kinds[i].name);
		works = 0;
		for (a = 0; j >= 0 && a < m.attach_types.cnt; a++)
			works += !is_refused(ns, &m.subjects[j], a, 0);
		ASSERT_GT(works, 0, kinds[i].name);
	}

	for (i = 0; i < NR(must_load); i++) {
		j = find_name(&m.types, must_load[i].type);
		a = find_name(&m.attach_types, must_load[i].attach_type);
		ASSERT_TRUE(j >= 0 && a >= 0 && !is_refused(ns, &m.subjects[j], a, 0),
			    must_load[i].attach_type);
	}

	/* an extension of each kind of target */
	for (i = 0; i < NR(kind); i++) {
		works = 0;
		for (j = m.types.cnt; j < m.nr_subjects; j++) {
			const struct subject *s = &m.subjects[j];

			if (s->kind.tracing != kind[i].tracing || s->target != kind[i].target)
				continue;
			for (a = 0; a < m.attach_types.cnt; a++)
				works += !is_refused(ns, s, a, 0);
		}
		ASSERT_GT(works, 0, "extensions");
	}
}

/* ---- the table ------------------------------------------------------------------------ */

static bool same_answers(int ns, const struct subject *s, int a, int b)
{
	int how;

	for (how = 0; how < NR_LOADS; how++) {
		bool refused = is_refused(ns, s, a, how);

		if (refused != is_refused(ns, s, b, how))
			return false;
		if (!refused && said_of(ns, s - m.subjects, a, how)->err !=
				said_of(ns, s - m.subjects, b, how)->err)
			return false;
	}
	return true;
}

/* The attach types that are answered like @a, or the shorter list of those that are not. */
static void print_attach_types(int ns, const struct subject *s, int a)
{
	int i, cnt = 0, column = 0;
	bool but;

	for (i = 0; i < m.attach_types.cnt; i++)
		cnt += same_answers(ns, s, a, i);
	if (cnt == m.attach_types.cnt) {
		printf("  all\n");
		return;
	}

	but = cnt > m.attach_types.cnt / 2;
	if (but)
		printf("  all but");
	for (i = 0; i < m.attach_types.cnt; i++) {
		if (same_answers(ns, s, a, i) == but)
			continue;
		if (column > 60)
			column = printf("\n%*s", 109, "") - 110;
		column += printf("  %s", m.attach_types.name[i]);
	}
	printf("\n");
}

static void print_row(int ns, const struct subject *s, int attach_type)
{
	char buf[16];
	int how;

	printf("%-37s", s->name);
	for (how = 0; how < NR_LOADS; how++) {
		bool refused = is_refused(ns, s, attach_type, how);
		int err = said_of(ns, s - m.subjects, attach_type, how)->err;

		printf("%s%-8s", how & WITH_CALL ? "" : "| ",
		       refused ? "-" : err_name(err, buf, sizeof(buf)));
	}
	print_attach_types(ns, s, attach_type);
}

static bool all_refused(int ns, const struct subject *s, int attach_type)
{
	int how;

	for (how = 0; how < NR_LOADS; how++)
		if (!is_refused(ns, s, attach_type, how))
			return false;
	return true;
}

static void print_rows(int ns, const struct subject *s)
{
	int a, b, rows = 0;

	for (a = 0; a < m.attach_types.cnt; a++) {
		for (b = 0; b < a; b++)
			if (same_answers(ns, s, a, b))
				break;
		if (a == b && !all_refused(ns, s, a)) {
			print_row(ns, s, a);
			rows++;
		}
	}
	if (!rows)
		print_row(ns, s, 0);
}

static void print_tally(const char *what, const struct tally *tally)
{
	char buf[16];

	printf("%s:", what);
	for (; tally->cnt; tally++)
		printf(" %s %d", err_name(tally->err, buf, sizeof(buf)), tally->cnt);
	printf("\n");
}

static void print_table(const char *name, int ns, const struct counts *counts)
{
	int i;

	printf("\n%s: what loading a program is answered\n", name);
	printf("\"-\", and attach types that are not named: refused without flag and call, too.\n");
	printf("%s is 0, which is what types without an attach type have.\n\n",
	       m.attach_types.name[0]);
	printf("%-37s| %-34s| CAP_SYS_BOOT dropped\n", "", "CAP_SYS_BOOT");
	printf("%-37s", "");
	for (i = 0; i < NR_LOADS / 2; i++)
		printf("| %-16s", i % 2 ? "flag" : "no flag");
	printf("\n%-37s", "program type");
	for (i = 0; i < NR_LOADS; i++)
		printf("%s%-8s", i & WITH_CALL ? "" : "| ", i & WITH_CALL ? "call" : "no call");
	printf("  attach types\n");
	for (i = 0; i < m.nr_subjects; i++)
		print_rows(ns, &m.subjects[i]);

	printf("\n%s: %d program types and %d extensions, with %d attach types: %d combinations\n",
	       name, m.types.cnt, m.nr_subjects - m.types.cnt, m.attach_types.cnt,
	       m.nr_subjects * m.attach_types.cnt);
	printf("%d judged, %d refused for other reasons, %d loads, %d wrong answers\n",
	       counts->judged, counts->refused, counts->loads, counts->wrong);
	print_tally("answers to the judged", counts->answers);
	print_tally("answers to the others", counts->refused_answers);
	printf("\n");
}

static void test_namespace(const char *name, int ns)
{
	struct counts counts = {};
	char old_sysctl[32], sysctl[32];
	bool unpriv = false, asked;

	/* with it two types load without any capability; it may be locked, so look at it again */
	if (ns == CHILD_USERNS &&
	    (!ASSERT_OK(sysctl_set(UNPRIV_SYSCTL, old_sysctl, "0"), "set_sysctl") ||
	     !ASSERT_OK(sysctl_set(UNPRIV_SYSCTL, sysctl, "0"), "get_sysctl")))
		return;
	if (ns == CHILD_USERNS)
		unpriv = !strcmp(sysctl, "0");

	asked = ns == INIT_USERNS ? ASSERT_OK(ask_all(ns, -1), "ask_all") : ask_all_in_child(ns);
	if (unpriv)
		ASSERT_OK(sysctl_set(UNPRIV_SYSCTL, NULL, old_sysctl), "restore_sysctl");
	if (!asked)
		return;

	judge(ns, unpriv, &counts);
	judge_coverage(ns, unpriv, &counts);
	print_table(name, ns, &counts);
}

/* Serial, because of the sysctl. */
void serial_test_destructive_matrix(void)
{
	static const char * const names[NR_USERNS] = {
		[INIT_USERNS]		= "init_userns",
		[CHILD_USERNS]		= "child_userns",
		[CHILD_USERNS_TOKEN]	= "child_userns_token",
	};
	int ns, err;

	err = prepare();
	if (err) {
		if (err > 0) {
			printf("the kernel has no " KFUNC "()\n");
			test__skip();
		}
		goto out;
	}

	for (ns = 0; ns < NR_USERNS; ns++)
		if (test__start_subtest(names[ns]))
			test_namespace(names[ns], ns);
out:
	clean_up();
}

// SPDX-License-Identifier: GPL-2.0
/* Who may use a destructive program that somebody else has loaded. None of them makes a call. */
#include "destructive_helpers.h"
#include <sys/wait.h>
#include <sched.h>
#include "destructive_share.skel.h"

#define PIN "/sys/fs/bpf/destructive_use"

noinline void destructive_uprobe_target(void)
{
	asm volatile ("");
}

static int result_of(struct bpf_link *link)
{
	if (!link)
		return -errno;
	bpf_link__destroy(link);
	return 0;
}

static int close_fd_of(int fd)
{
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static __u32 prog_id(struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	ASSERT_OK(bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len), "get_info");
	return info.id;
}

static int test_run(int fd)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	return bpf_prog_test_run_opts(fd, &opts);
}

/* Doors: each uses a program in one way and takes that back. prepare() gets @fd ready for it. */
struct door {
	const char *name;
	const char *prog;
	int (*use)(struct bpf_program *prog, int fd);
	int (*prepare)(struct bpf_program *prog);
};

static int use_attach(struct bpf_program *prog, int fd)
{
	return result_of(bpf_program__attach(prog));
}

static int prepare_perf_event(struct bpf_program *prog)
{
	return open_clock();
}

static int use_perf_event_ioctl(struct bpf_program *prog, int fd)
{
	return ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(prog)) ? -errno : 0;
}

static int prepare_prog_array(struct bpf_program *prog)
{
	return bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "door", 4, 4, 1, NULL);
}

static int use_prog_array(struct bpf_program *prog, int fd)
{
	int key = 0, prog_fd = bpf_program__fd(prog);

	return bpf_map_update_elem(fd, &key, &prog_fd, BPF_ANY);
}

static int prepare_iter(struct bpf_program *prog)
{
	return bpf_link_create(bpf_program__fd(prog), 0, BPF_TRACE_ITER, NULL);
}

static int use_iter_create(struct bpf_program *prog, int fd)
{
	return close_fd_of(bpf_iter_create(fd));
}

static int use_iter_open(struct bpf_program *prog, int fd)
{
	int err = bpf_obj_pin(fd, PIN) ?: close_fd_of(open(PIN, O_RDONLY | O_CLOEXEC));

	unlink(PIN);
	return err;
}

static int prepare_tc(struct bpf_program *prog)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tc", "GPL", insns, ARRAY_SIZE(insns), NULL);
}

/* As the anchor in a list of programs, by id. That it is of another type is found out later. */
static int use_relative(struct bpf_program *prog, int fd)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, opts, .flags = BPF_F_BEFORE | BPF_F_ID,
		    .relative_id = prog_id(prog));
	int err = bpf_prog_attach_opts(fd, 1, BPF_TCX_INGRESS, &opts);

	return err == -EINVAL ? 0 : err;
}

static const struct door doors[] = {
	{ "perf_event_ioctl", "perf_event", use_perf_event_ioctl, prepare_perf_event },
	{ "prog_array", "raw_tp", use_prog_array, prepare_prog_array },
	{ "iter_create", "iter", use_iter_create, prepare_iter },
	{ "iter_open", "iter", use_iter_open, prepare_iter },
	{ "relative", "raw_tp", use_relative, prepare_tc },
};

static void test_door(const struct door *door, bool flag)
{
	struct bpf_program *prog;
	struct destructive *skel;
	__u64 old_caps = 0;
	int err, fd = -1;

	skel = load_prog(door->prog, flag, &prog);
	if (!skel)
		return;
	if (door->prepare) {
		fd = door->prepare(prog);
		ASSERT_OK_FD(fd, "prepare");
	}
	if (drop_sys_boot(&old_caps)) {
		err = door->use(prog, fd);
		restore_caps(old_caps);
		if (flag || !skip_unsupported(err, door->prog))
			ASSERT_EQ(err, flag ? -EPERM : 0, flag ? "flag" : "no flag");
	}
	if (flag) {
		err = door->use(prog, fd);
		if (!skip_unsupported(err, door->prog))
			ASSERT_OK(err, "flag and CAP_SYS_BOOT");
	}
	if (fd >= 0)
		close(fd);
	destructive__destroy(skel);
}

/* No attach type of the running kernel is open without the capability, known here or not. */
static void test_attach_types(const char *name)
{
	int type, id, fd, types = kernel_size("bpf_attach_type", BTF_KIND_ENUM);
	struct bpf_program *prog;
	struct destructive *skel;
	__u64 old_caps = 0;

	skel = load_prog(name, true, &prog);
	if (!skel)
		return;
	id = prog_id(prog);
	fd = bpf_program__fd(prog);
	drop_sys_boot(&old_caps);
	for (type = 0; type < types; type++) {
		/* it wants a map in the place of the program */
		if (type != BPF_STRUCT_OPS)
			ASSERT_EQ(bpf_link_create(fd, 0, type, NULL), -EPERM, "link_create");
		ASSERT_ERR(bpf_prog_attach(fd, 0, type, 0), "prog_attach");
	}
	type = bpf_program__expected_attach_type(prog);
	if (bpf_program__type(prog) == BPF_PROG_TYPE_TRACING)
		ASSERT_EQ(bpf_prog_attach(fd, 0, type, 0), -EPERM, "prog_attach_own_type");
	restore_caps(old_caps);
	destructive__destroy(skel);
	/* what is refused is not kept */
	ASSERT_EQ(bpf_prog_get_fd_by_id(id), -ENOENT, "gone");
}

/* An event that others can widen takes no program that has the flag, whoever attaches it. */
static void test_tracefs(const char *name, bool flag)
{
	LIBBPF_OPTS(bpf_kprobe_opts, kprobe, .attach_mode = PROBE_ATTACH_MODE_LEGACY);
	LIBBPF_OPTS(bpf_uprobe_opts, uprobe, .attach_mode = PROBE_ATTACH_MODE_LEGACY,
		    .func_name = "destructive_uprobe_target");
	struct bpf_program *prog;
	struct destructive *skel;
	struct bpf_link *link;

	skel = load_prog(name, flag, &prog);
	if (!skel)
		return;
	link = prog == skel->progs.kprobe ?
	       bpf_program__attach_kprobe_opts(prog, "bpf_fentry_test1", &kprobe) :
	       bpf_program__attach_uprobe_opts(prog, -1, "/proc/self/exe", 0, &uprobe);
	ASSERT_EQ(result_of(link), flag ? -EINVAL : 0, flag ? "flag" : "no flag");
	destructive__destroy(skel);
}

/* All capabilities of a user namespace are not enough. */
static void test_userns(bool flag)
{
	struct bpf_program *prog;
	struct destructive *skel;
	int status = 0;
	pid_t pid;

	skel = load_prog("raw_tp", flag, &prog);
	if (!skel)
		return;
	pid = fork();
	if (!pid)
		_exit(unshare(CLONE_NEWUSER) ? EOPNOTSUPP : -test_run(bpf_program__fd(prog)));
	ASSERT_EQ(waitpid(pid, &status, 0), pid, "waitpid");
	destructive__destroy(skel);

	status = -WEXITSTATUS(status);
	if (skip_unsupported(status, "user namespace"))
		return;
	ASSERT_EQ(status, flag ? -EPERM : 0, flag ? "flag" : "no flag");
}

/* What takes no capability, for it does not make the program run. */
static void test_look(void)
{
	LIBBPF_OPTS(bpf_link_update_opts, update, .flags = BPF_F_REPLACE);
	struct destructive *skel, *new_skel, *target_skel;
	struct bpf_program *prog, *new_prog, *target;
	struct destructive_share *watcher;
	int fd, link = -1, map = -1;
	__u64 old_caps = 0;
	char buf[8];

	skel = load_prog("iter", true, &prog);
	new_skel = load_prog("iter", false, &new_prog);
	target_skel = load_prog("target", true, &target);
	watcher = destructive_share__open();
	if (!skel || !new_skel || !target_skel || !ASSERT_OK_PTR(watcher, "open"))
		goto out;
	select_prog(watcher->obj, "watch_fentry", false);
	bpf_program__set_attach_target(watcher->progs.watch_fentry, bpf_program__fd(target),
				       "replaced");
	link = prepare_iter(prog);
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "look", 4, 4, 1, NULL);
	update.old_prog_fd = bpf_program__fd(prog);
	if (!drop_sys_boot(&old_caps))
		goto out;

	fd = bpf_prog_get_fd_by_id(prog_id(target));
	ASSERT_OK_FD(fd, "get_fd_by_id");
	ASSERT_EQ(test_run(fd), -EPERM, "run_from_id");
	ASSERT_OK(bpf_obj_pin(fd, PIN), "pin");
	close(fd);
	fd = bpf_obj_get(PIN);
	ASSERT_OK_FD(fd, "obj_get");
	ASSERT_EQ(test_run(fd), -EPERM, "run_from_pin");
	ASSERT_OK(bpf_prog_bind_map(fd, map, NULL), "bind_map");
	ASSERT_OK(bpf_prog_stream_read(fd, BPF_STREAM_STDOUT, buf, sizeof(buf), NULL),
		  "stream_read");
	close(fd);
	ASSERT_OK(bpf_link_update(link, bpf_program__fd(new_prog), &update), "old_prog");
	if (ASSERT_OK(destructive_share__load(watcher), "load_watcher"))
		ASSERT_OK(use_attach(watcher->progs.watch_fentry, -1), "attach_watcher");
	restore_caps(old_caps);
	ASSERT_OK(test_run(bpf_program__fd(target)), "run_with_cap");
out:
	unlink(PIN);
	close(link);
	close(map);
	destructive_share__destroy(watcher);
	destructive__destroy(target_skel);
	destructive__destroy(new_skel);
	destructive__destroy(skel);
}

/* A field of a command, as the number of a __u32 in union bpf_attr. */
struct field {
	int cmd, slot;
};

#define FIELD(cmd, name) { cmd, offsetof(union bpf_attr, name) / sizeof(__u32) }

/* These only look at the program. */
static const struct field lookers[] = {
	FIELD(BPF_OBJ_PIN, bpf_fd),
	FIELD(BPF_OBJ_GET_INFO_BY_FD, info.bpf_fd),
	FIELD(BPF_LINK_UPDATE, link_update.old_prog_fd),
	FIELD(BPF_PROG_BIND_MAP, prog_bind_map.prog_fd),
	FIELD(BPF_PROG_STREAM_READ_BY_FD, prog_stream_read.prog_fd),
	FIELD(BPF_PROG_GET_FD_BY_ID, prog_id),
	FIELD(BPF_PROG_GET_NEXT_ID, start_id),
	/* ids of something else, which may be the same numbers */
	FIELD(BPF_TASK_FD_QUERY, task_fd_query.pid),
	FIELD(BPF_MAP_GET_FD_BY_ID, map_id),
	FIELD(BPF_MAP_GET_NEXT_ID, start_id),
	FIELD(BPF_BTF_GET_FD_BY_ID, btf_id),
	FIELD(BPF_BTF_GET_NEXT_ID, start_id),
	FIELD(BPF_LINK_GET_FD_BY_ID, link_id),
	FIELD(BPF_LINK_GET_NEXT_ID, start_id),
};

/* That these are found shows that the search works. */
static const struct field users[] = {
	FIELD(BPF_PROG_TEST_RUN, test.prog_fd),
	FIELD(BPF_RAW_TRACEPOINT_OPEN, raw_tracepoint.prog_fd),
	FIELD(BPF_LINK_CREATE, link_create.prog_fd),
	FIELD(BPF_LINK_UPDATE, link_update.new_prog_fd),
	FIELD(BPF_PROG_ASSOC_STRUCT_OPS, prog_assoc_struct_ops.prog_fd),
};

static int find_field(const struct field *fields, int cnt, int cmd, int slot)
{
	while (--cnt >= 0 && (fields[cnt].cmd != cmd || fields[cnt].slot != slot))
		;
	return cnt;
}

/* Programs of these types, each without the flag and with it, and numbers that are no program. */
static const char * const search_names[] = {
	"raw_tp", "iter", "fentry", "kprobe", "tracepoint", "perf_event",
};

static struct {
	int slots;
	int free_fd;		/* what bpf() returns if it returns one */
	int null_fd, fds[2 * ARRAY_SIZE(search_names)];
	int gone_id, ids[2];
	bool found[ARRAY_SIZE(users)];
} search;

/* What bpf() returns for @value in @slot and, if that is another one, @other in @with. */
static int ask(int cmd, int slot, int value, int with, int other)
{
	static int attr[256];
	int ret;

	attr[with] = other;
	attr[slot] = value;
	ret = syscall(__NR_bpf, cmd, attr, search.slots * sizeof(attr[0]));
	ret = ret < 0 ? -errno : ret;
	attr[with] = 0;
	attr[slot] = 0;
	if (ret == search.free_fd)
		close(ret);
	return ret < 0 ? ret : 0;
}

/* If a program makes a difference, the field takes programs, and one with the flag is refused. */
static void check_field(int cmd, int slot, int no_prog, int plain, int flag)
{
	char what[32];
	int i;

	if (plain == no_prog)
		return;
	i = find_field(users, ARRAY_SIZE(users), cmd, slot);
	if (i >= 0)
		search.found[i] = true;
	if (flag == -EPERM || find_field(lookers, ARRAY_SIZE(lookers), cmd, slot) >= 0)
		return;
	snprintf(what, sizeof(what), "cmd %d, slot %d", cmd, slot);
	ASSERT_EQ(flag, -EPERM, what);
}

static void search_field(int cmd, int slot, int with, int other)
{
#define ASK(value) ask(cmd, slot, value, with, other)
	int i, no_prog = ASK(search.null_fd);

	/* what takes a file descriptor tells one of something else from none */
	for (i = 0; no_prog != ASK(INT_MAX) && i < ARRAY_SIZE(search.fds); i += 2)
		check_field(cmd, slot, no_prog, ASK(search.fds[i]), ASK(search.fds[i + 1]));

	/* and what takes an id says that there is none */
	no_prog = ASK(search.gone_id);
	if (no_prog == -ENOENT)
		check_field(cmd, slot, no_prog, ASK(search.ids[0]), ASK(search.ids[1]));
#undef ASK
}

/*
 * For every command of the running kernel, known here or not, every field that takes a program
 * by file descriptor or by id, whatever is in one other field: closed, unless it only looks.
 */
static void test_every_command(void)
{
	struct destructive *skels[ARRAY_SIZE(search.fds)] = {};
	int i, cmd, slot, with, base, null, link = -1, map = -1;
	int cmds = kernel_size("bpf_cmd", BTF_KIND_ENUM);
	struct bpf_program *prog;
	__u64 old_caps = 0;

	search.slots = kernel_size("bpf_attr", BTF_KIND_UNION) / sizeof(__u32);
	skels[0] = load_prog("raw_tp", false, &prog);
	if (!skels[0])
		return;
	search.gone_id = prog_id(prog);
	destructive__destroy(skels[0]);

	/* no id of a program is the file descriptor of another one */
	base = search.gone_id < 500 ? 600 : 100;
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	search.null_fd = fcntl(null, F_DUPFD_CLOEXEC, base);
	for (i = 0; i < ARRAY_SIZE(skels); i++) {
		skels[i] = load_prog(search_names[i / 2], i & 1, &prog);
		if (!skels[i])
			goto out;
		search.fds[i] = fcntl(bpf_program__fd(prog), F_DUPFD_CLOEXEC, base);
		if (i < 2)
			search.ids[i] = prog_id(prog);
	}
	link = prepare_iter(skels[2]->progs.iter);
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "search", 4, 4, 1, NULL);
	search.free_fd = dup(map);
	close(search.free_fd);
	if (!ASSERT_OK_FD(link, "link") || !ASSERT_OK_FD(map, "map") || !drop_sys_boot(&old_caps))
		goto out;

	for (cmd = 0; cmd < cmds; cmd++) {
		for (slot = 0; slot < search.slots; slot++) {
			search_field(cmd, slot, slot, 0);
			for (with = 0; with < search.slots; with++) {
				const int others[] = { -1, map, link, BPF_TRACE_FENTRY };

				for (i = 0; with != slot && i < ARRAY_SIZE(others); i++)
					search_field(cmd, slot, with, others[i]);
			}
		}
	}
	restore_caps(old_caps);
	for (i = 0; i < ARRAY_SIZE(users); i++)
		ASSERT_TRUE(search.found[i], "found");
out:
	for (i = 0; i < ARRAY_SIZE(skels); i++) {
		close(search.fds[i]);
		destructive__destroy(skels[i]);
	}
	close(search.null_fd);
	close(null);
	close(link);
	close(map);
}

void serial_test_destructive_use(void)
{
	struct bpf_program *prog;
	struct destructive *skel;
	int i;

	skel = destructive__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;
	bpf_object__for_each_program(prog, skel->obj) {
		const char *name = bpf_program__name(prog);
		struct door door = { name, name, use_attach, NULL };

		if (!is_tracing_type(bpf_program__type(prog)) || !test__start_subtest(name))
			continue;
		if (prog != skel->progs.perf_event) {
			test_door(&door, false);
			test_door(&door, true);
		}
		test_attach_types(name);
	}
	destructive__destroy(skel);

	for (i = 0; i < ARRAY_SIZE(doors); i++) {
		if (!test__start_subtest(doors[i].name))
			continue;
		test_door(&doors[i], false);
		test_door(&doors[i], true);
	}
	if (test__start_subtest("tracefs")) {
		for (i = 0; i < 4; i++)
			test_tracefs(i & 2 ? "uprobe" : "kprobe", i & 1);
	}
	if (test__start_subtest("userns")) {
		test_userns(false);
		test_userns(true);
	}
	if (test__start_subtest("look"))
		test_look();
	if (test__start_subtest("every_command"))
		test_every_command();
}

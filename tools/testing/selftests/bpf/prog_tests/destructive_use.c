// SPDX-License-Identifier: GPL-2.0
/*
 * Who may use a destructive program that somebody else has loaded, and who may
 * get at one through another program. The programs do nothing: what counts is
 * that they have the flag.
 */
#include <test_progs.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sched.h>
#include <bpf/libbpf_internal.h>
#include <bpf/skel_internal.h>
#include "cap_helpers.h"
#include "destructive_loader.skel.h"
#include "destructive_use.skel.h"

#define MSG_CALL "destructive kfunc bpf_halt requires the BPF_F_DESTRUCTIVE load flag"
#define MSG_EXT_LACKS "Extension program lacks BPF_F_DESTRUCTIVE and its target has it"
#define MSG_EXT_HAS "Extension program has BPF_F_DESTRUCTIVE and its target lacks it"
#define MSG_FMOD_RET "can't modify return codes of BPF programs"

#define PIN_DIR "/sys/fs/bpf/"
#define PIN_PROG PIN_DIR "destructive_use_prog"
#define PIN_ITER PIN_DIR "destructive_use_iter"

/* What the kernel, but not libc, calls ENOTSUPP. */
#define KERNEL_ENOTSUPP 524

static char log_buf[64 * 1024];

/* What uprobes are put on. */
noinline void uprobe_use_target(void)
{
	asm volatile ("");
}

static bool drop_cap(__u64 *old_caps)
{
	return ASSERT_OK(cap_disable_effective(1ULL << CAP_SYS_BOOT, old_caps), "drop_cap");
}

static void restore_caps(__u64 old_caps)
{
	ASSERT_OK(cap_enable_effective(old_caps, NULL), "restore_caps");
}

static void add_prog(struct bpf_program *prog, bool flag)
{
	bpf_program__set_autoload(prog, true);
	if (flag)
		bpf_program__set_flags(prog, bpf_program__flags(prog) | BPF_F_DESTRUCTIVE);
}

/* A skeleton with the program @name loaded, which is returned in @prog. */
static struct destructive_use *load_prog(const char *name, bool flag, struct bpf_program **prog)
{
	struct destructive_use *skel;
	int err;

	skel = destructive_use__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;

	*prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!ASSERT_OK_PTR(*prog, "find_program"))
		goto out;

	add_prog(*prog, flag);
	err = destructive_use__load(skel);
	if (err == -EOPNOTSUPP || err == -KERNEL_ENOTSUPP) {
		printf("%s:SKIP: %s is not supported here\n", __func__, name);
		test__skip();
		goto out;
	}
	if (ASSERT_OK(err, name))
		return skel;
out:
	destructive_use__destroy(skel);
	return NULL;
}

/*
 * The doors. Each takes a program, uses it in one way, and takes that back. If
 * something is to be ready before that, the door's prepare() has set it up.
 */

static struct bpf_link *prepared_link;
static int prepared_fd = -1;
static pid_t prepared_child;

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

static int open_perf_event(struct perf_event_attr *attr)
{
	return syscall(__NR_perf_event_open, attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int prepare_perf_event(struct bpf_program *prog)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000000,
		.disabled = 1,
	};

	prepared_fd = open_perf_event(&attr);
	return prepared_fd < 0 ? -errno : 0;
}

/* On one of two variables that nobody writes to. */
static struct perf_event_attr breakpoint_attr(int where)
{
	static __u64 watched[2];
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (unsigned long)&watched[where],
		.bp_len = HW_BREAKPOINT_LEN_8,
		.sample_period = 1,
		.disabled = 1,
	};

	return attr;
}

/* A breakpoint that has the program already, and waits for what never happens. */
static int prepare_breakpoint(struct bpf_program *prog)
{
	struct perf_event_attr attr = breakpoint_attr(1);

	prepared_fd = open_perf_event(&attr);
	if (prepared_fd < 0)
		return -errno;
	return ioctl(prepared_fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(prog)) ? -errno : 0;
}

/* The program is detached from the breakpoint, but a child has inherited both. */
static int prepare_inherited_breakpoint(struct bpf_program *prog)
{
	struct perf_event_attr attr = breakpoint_attr(1);
	int link, status;

	attr.inherit = 1;
	prepared_fd = open_perf_event(&attr);
	if (prepared_fd < 0)
		return -errno;
	link = bpf_link_create(bpf_program__fd(prog), prepared_fd, BPF_PERF_EVENT, NULL);
	if (link < 0)
		return link;

	prepared_child = fork();
	if (!prepared_child) {
		close(link);
		raise(SIGSTOP);
		_exit(1);
	}
	close(link);
	if (prepared_child < 0 || waitpid(prepared_child, &status, WUNTRACED) < 0 ||
	    !WIFSTOPPED(status))
		return -ECHILD;
	return 0;
}

static int prepare_iter(struct bpf_program *prog)
{
	prepared_link = bpf_program__attach_iter(prog, NULL);
	return prepared_link ? 0 : -errno;
}

static int prepare_pinned_iter(struct bpf_program *prog)
{
	return prepare_iter(prog) ?: bpf_link__pin(prepared_link, PIN_ITER);
}

static int use_attach(struct bpf_program *prog)
{
	return result_of(bpf_program__attach(prog));
}

static int use_raw_tracepoint_open(struct bpf_program *prog)
{
	return close_fd_of(bpf_raw_tracepoint_open(NULL, bpf_program__fd(prog)));
}

static int use_perf_event_link(struct bpf_program *prog)
{
	int fd = bpf_program__fd(prog);

	return close_fd_of(bpf_link_create(fd, prepared_fd, BPF_PERF_EVENT, NULL));
}

static int use_perf_event_ioctl(struct bpf_program *prog)
{
	return ioctl(prepared_fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(prog)) ? -errno : 0;
}

/* Moves the breakpoint, and with it the program that it has. */
static int use_perf_event_modify(struct bpf_program *prog)
{
	struct perf_event_attr attr = breakpoint_attr(0);

	return ioctl(prepared_fd, PERF_EVENT_IOC_MODIFY_ATTRIBUTES, &attr) ? -errno : 0;
}

static int use_perf_event_modify_inherited(struct bpf_program *prog)
{
	struct perf_event_attr attr = breakpoint_attr(0);

	attr.inherit = 1;
	return ioctl(prepared_fd, PERF_EVENT_IOC_MODIFY_ATTRIBUTES, &attr) ? -errno : 0;
}

/* As before there were links: the event is opened, and takes the program by an ioctl. */
static int use_kprobe_ioctl(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_kprobe_opts, opts, .attach_mode = PROBE_ATTACH_MODE_PERF);

	return result_of(bpf_program__attach_kprobe_opts(prog, "bpf_fentry_test1", &opts));
}

static int use_uprobe_ioctl(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts,
		    .attach_mode = PROBE_ATTACH_MODE_PERF,
		    .func_name = "uprobe_use_target");

	return result_of(bpf_program__attach_uprobe_opts(prog, -1, "/proc/self/exe", 0, &opts));
}

static int use_link_update(struct bpf_program *prog)
{
	return bpf_link_update(bpf_link__fd(prepared_link), bpf_program__fd(prog), NULL);
}

static int use_iter_create(struct bpf_program *prog)
{
	return close_fd_of(bpf_iter_create(bpf_link__fd(prepared_link)));
}

static int use_iter_open(struct bpf_program *prog)
{
	return close_fd_of(open(PIN_ITER, O_RDONLY | O_CLOEXEC));
}

static int test_run(int fd)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	__u64 args[2] = {};

	opts.ctx_in = args;
	opts.ctx_size_in = sizeof(args);
	return bpf_prog_test_run_opts(fd, &opts);
}

static int use_test_run(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (bpf_program__type(prog) == BPF_PROG_TYPE_RAW_TRACEPOINT)
		return test_run(bpf_program__fd(prog));
	return bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
}

static int use_prog_array(struct bpf_program *prog)
{
	int fd, err, key = 0, prog_fd = bpf_program__fd(prog);

	fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "door", sizeof(key), sizeof(fd), 1, NULL);
	if (fd < 0)
		return fd;
	err = bpf_map_update_elem(fd, &key, &prog_fd, BPF_ANY);
	close(fd);
	return err;
}

struct door {
	const char *name;
	const char *prog;
	int (*use)(struct bpf_program *prog);
	int (*prepare)(struct bpf_program *prog);
	/* the program that @prepare gets; default: the one to be used */
	const char *prepare_prog;
};

/* Fails for want of a map, after the program has been looked at. */
static int use_assoc_struct_ops(struct bpf_program *prog)
{
	int err = bpf_prog_assoc_struct_ops(bpf_program__fd(prog), -1, NULL);

	return err == -EBADF ? 0 : err;
}

static const struct door doors[] = {
	{ "link_create_fentry", "fentry", use_attach },
	{ "link_create_fexit", "fexit", use_attach },
	{ "link_create_fsession", "fsession", use_attach },
	{ "link_create_fentry_multi", "fentry_multi", use_attach },
	{ "link_create_fmod_ret", "fmod_ret", use_attach },
	{ "link_create_tp_btf", "tp_btf", use_attach },
	{ "link_create_iter", "iter", use_attach },
	{ "link_create_kprobe", "kprobe", use_attach },
	{ "link_create_kprobe_multi", "kprobe_multi", use_attach },
	{ "link_create_kprobe_session", "kprobe_session", use_attach },
	{ "link_create_uprobe", "uprobe", use_attach },
	{ "link_create_uprobe_multi", "uprobe_multi", use_attach },
	{ "link_create_uprobe_session", "uprobe_session", use_attach },
	{ "link_create_tracepoint", "tracepoint", use_attach },
	{ "link_create_perf_event", "perf_event", use_perf_event_link, prepare_perf_event },
	{ "raw_tracepoint_open_raw_tp", "raw_tp", use_attach },
	{ "raw_tracepoint_open_raw_tp_writable", "raw_tp_writable", use_attach },
	{ "raw_tracepoint_open_tp_btf", "tp_btf", use_raw_tracepoint_open },
	{ "raw_tracepoint_open_fentry", "fentry", use_raw_tracepoint_open },
	{ "perf_event_ioctl", "perf_event", use_perf_event_ioctl, prepare_perf_event },
	{ "perf_event_ioctl_kprobe", "kprobe", use_kprobe_ioctl },
	{ "perf_event_ioctl_uprobe", "uprobe", use_uprobe_ioctl },
	{ "perf_event_modify", "perf_event", use_perf_event_modify, prepare_breakpoint },
	{ "perf_event_modify_inherited", "perf_event", use_perf_event_modify_inherited,
	  prepare_inherited_breakpoint },
	{ "link_update_iter", "iter", use_link_update, prepare_iter, "iter_replaced" },
	{ "iter_create", "iter", use_iter_create, prepare_iter },
	{ "iter_open", "iter", use_iter_open, prepare_pinned_iter },
	{ "test_run_raw_tp", "raw_tp", use_test_run },
	{ "test_run_fentry", "fentry", use_test_run },
	{ "prog_array", "raw_tp", use_prog_array },
	{ "assoc_struct_ops", "raw_tp", use_assoc_struct_ops },
};

static __u32 prog_id(int fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_prog_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* Nothing may keep the program when it was refused, and when all is closed. */
static void check_gone(__u32 id)
{
	int i, fd = 0;

	for (i = 0; i < 200 && fd >= 0; i++) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd >= 0) {
			close(fd);
			usleep(10000);
		}
	}
	ASSERT_EQ(fd, -ENOENT, "gone");
}

static void pass_door(const struct door *door, bool flag, bool cap)
{
	struct destructive_use *skel, *prepare_skel = NULL;
	struct bpf_program *prog, *prepare_prog;
	__u64 old_caps = 0;
	__u32 id;
	char what[64];
	int err;

	skel = load_prog(door->prog, flag, &prog);
	if (!skel)
		return;
	id = prog_id(bpf_program__fd(prog));

	prepare_prog = prog;
	if (door->prepare_prog) {
		prepare_skel = load_prog(door->prepare_prog, false, &prepare_prog);
		if (!prepare_skel)
			goto out;
	}
	if (door->prepare && !ASSERT_OK(door->prepare(prepare_prog), "prepare"))
		goto out;

	if (!cap && !drop_cap(&old_caps))
		goto out;
	err = door->use(prog);
	if (!cap)
		restore_caps(old_caps);

	snprintf(what, sizeof(what), "flag %d, CAP_SYS_BOOT %d", flag, cap);
	ASSERT_EQ(err, flag && !cap ? -EPERM : 0, what);
out:
	unlink(PIN_ITER);
	bpf_link__destroy(prepared_link);
	prepared_link = NULL;
	if (prepared_fd >= 0)
		close(prepared_fd);
	prepared_fd = -1;
	if (prepared_child > 0) {
		kill(prepared_child, SIGKILL);
		waitpid(prepared_child, NULL, 0);
	}
	prepared_child = 0;
	destructive_use__destroy(prepare_skel);
	destructive_use__destroy(skel);
	check_gone(id);
}

static void test_door(const struct door *door)
{
	pass_door(door, false, false);
	pass_door(door, false, true);
	pass_door(door, true, true);
	pass_door(door, true, false);
}

static int use_kprobe_of_tracefs(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_kprobe_opts, opts, .attach_mode = PROBE_ATTACH_MODE_LEGACY);

	return result_of(bpf_program__attach_kprobe_opts(prog, "bpf_fentry_test1", &opts));
}

static int use_uprobe_of_tracefs(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts,
		    .attach_mode = PROBE_ATTACH_MODE_LEGACY,
		    .func_name = "uprobe_use_target");

	return result_of(bpf_program__attach_uprobe_opts(prog, -1, "/proc/self/exe", 0, &opts));
}

/* Events that others can widen take no program that has the flag, whoever attaches it. */
static void test_tracefs(const char *name, int (*use)(struct bpf_program *prog))
{
	struct destructive_use *skel;
	struct bpf_program *prog;
	int flag;

	for (flag = 0; flag < 2; flag++) {
		skel = load_prog(name, flag, &prog);
		if (!skel)
			return;
		ASSERT_EQ(use(prog), flag ? -EINVAL : 0, flag ? "flag" : "no flag");
		destructive_use__destroy(skel);
	}
}

/* BPF_PROG_ATTACH has no check, for it takes no program that can have the flag. */
static void test_prog_attach(void)
{
	static const char * const progs[] = {
		"kprobe", "tracepoint", "perf_event", "raw_tp", "raw_tp_writable", "fentry", "iter",
	};
	int i, type, fd;

	fd = open("/sys/fs/cgroup", O_RDONLY | O_CLOEXEC);
	if (!ASSERT_OK_FD(fd, "open_cgroup"))
		return;

	for (i = 0; i < ARRAY_SIZE(progs); i++) {
		struct destructive_use *skel;
		struct bpf_program *prog;

		skel = load_prog(progs[i], true, &prog);
		if (!skel)
			break;
		for (type = 0; type < __MAX_BPF_ATTACH_TYPE; type++)
			ASSERT_EQ(bpf_prog_attach(bpf_program__fd(prog), fd, type, 0), -EINVAL,
				  progs[i]);
		destructive_use__destroy(skel);
	}

	close(fd);
}

/* However the file descriptor was come by, and what it is still good for. */
static void test_other_fds(void)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	struct destructive_use *skel;
	struct bpf_program *prog;
	__u64 old_caps = 0;
	int fd;

	skel = load_prog("raw_tp", true, &prog);
	if (!skel)
		return;
	if (!ASSERT_OK(bpf_program__pin(prog, PIN_PROG), "pin") || !drop_cap(&old_caps))
		goto out;

	fd = bpf_obj_get(PIN_PROG);
	if (ASSERT_OK_FD(fd, "obj_get")) {
		ASSERT_EQ(test_run(fd), -EPERM, "run_from_pin");
		ASSERT_OK(bpf_prog_get_info_by_fd(fd, &info, &len), "info");
		ASSERT_OK(unlink(PIN_PROG), "unpin");
		ASSERT_OK(bpf_obj_pin(fd, PIN_PROG), "pin_again");
		close(fd);
	}

	fd = bpf_prog_get_fd_by_id(info.id);
	if (ASSERT_OK_FD(fd, "get_fd_by_id")) {
		ASSERT_EQ(test_run(fd), -EPERM, "run_from_id");
		close(fd);
	}
	restore_caps(old_caps);

	ASSERT_OK(test_run(bpf_program__fd(prog)), "run_with_cap");
out:
	unlink(PIN_PROG);
	destructive_use__destroy(skel);
}

static int write_id_map(const char *file, unsigned int id)
{
	char map[32];
	int fd, len;

	len = snprintf(map, sizeof(map), "0 %u 1", id);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = write(fd, map, len) == len ? 0 : -errno;
	close(fd);
	return len;
}

/* Exit statuses of the child. */
enum {
	CHILD_NO_USERNS = 100,
	CHILD_NO_RUN,
};

/* Root in a user namespace, with all capabilities there. Returns what test_run() does, negated. */
static int run_in_userns(int prog_fd)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		unsigned int uid = getuid();

		if (unshare(CLONE_NEWUSER) || write_id_map("/proc/self/uid_map", uid))
			_exit(CHILD_NO_USERNS);
		_exit(-test_run(prog_fd));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status);
}

static void test_userns(void)
{
	struct destructive_use *skel;
	struct bpf_program *prog;
	int ret;

	skel = load_prog("raw_tp", false, &prog);
	if (!skel)
		return;
	ret = run_in_userns(bpf_program__fd(prog));
	destructive_use__destroy(skel);
	if (ret == CHILD_NO_USERNS || ret == EPERM) {
		printf("%s:SKIP: a user namespace is not enough to run any program\n", __func__);
		test__skip();
		return;
	}
	if (!ASSERT_OK(ret, "without_flag"))
		return;

	skel = load_prog("raw_tp", true, &prog);
	if (!skel)
		return;
	ASSERT_EQ(run_in_userns(bpf_program__fd(prog)), EPERM, "with_flag");
	destructive_use__destroy(skel);
}

/* A tail call from @caller, and which of the programs returned. */
static void test_tail_call(bool caller_flag, bool callee_flag, bool callee_first)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	bool good = caller_flag == callee_flag;
	struct destructive_use *skel, *callee_skel;
	struct bpf_program *callee;
	int key = 0, fd, map_fd;
	__u64 args[2] = {};
	char what[64];

	snprintf(what, sizeof(what), "caller flag %d, callee flag %d, callee %s",
		 caller_flag, callee_flag, callee_first ? "first" : "last");

	callee_skel = load_prog("callee", callee_flag, &callee);
	if (!callee_skel)
		return;
	fd = bpf_program__fd(callee);
	map_fd = bpf_map__fd(callee_skel->maps.callees);

	skel = destructive_use__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		goto out;
	add_prog(skel->progs.caller, caller_flag);
	if (!ASSERT_OK(bpf_map__reuse_fd(skel->maps.callees, map_fd), "reuse_fd"))
		goto out;

	if (callee_first) {
		if (!ASSERT_OK(bpf_map_update_elem(map_fd, &key, &fd, BPF_ANY), "insert_first"))
			goto out;
		if (!ASSERT_EQ(destructive_use__load(skel), good ? 0 : -EINVAL, what) || !good)
			goto out;
	} else {
		if (!ASSERT_OK(destructive_use__load(skel), "load_first"))
			goto out;
		if (!ASSERT_EQ(bpf_map_update_elem(map_fd, &key, &fd, BPF_ANY),
			       good ? 0 : -EINVAL, what))
			goto out;
	}

	opts.ctx_in = args;
	opts.ctx_size_in = sizeof(args);
	if (!ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.caller), &opts), "run"))
		goto out;
	ASSERT_EQ(opts.retval, good ? 2 : 1, what);
	ASSERT_EQ(callee_skel->bss->callee_runs, good ? 1 : 0, what);
out:
	destructive_use__destroy(skel);
	destructive_use__destroy(callee_skel);
}

static void test_tail_calls(void)
{
	int i;

	for (i = 0; i < 8; i++)
		test_tail_call(i & 1, i & 2, i & 4);
}

/* Run @name, which sets or starts a callback in the map of @map_skel. Returns what came of that. */
static int run_async(const char *name, bool flag, struct destructive_use *map_skel,
		     struct destructive_use **ret)
{
	struct destructive_use *skel;
	struct bpf_program *prog;
	int err = -EINVAL;

	*ret = NULL;
	skel = destructive_use__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return err;

	prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!ASSERT_OK_PTR(prog, "find_program"))
		goto out;
	add_prog(prog, flag);
	if (map_skel &&
	    !ASSERT_OK(bpf_map__reuse_fd(skel->maps.asyncs, bpf_map__fd(map_skel->maps.asyncs)),
		       "reuse_fd"))
		goto out;
	if (!ASSERT_OK(destructive_use__load(skel), name) ||
	    !ASSERT_OK(test_run(bpf_program__fd(prog)), name))
		goto out;

	*ret = skel;
	return skel->bss->async_err;
out:
	destructive_use__destroy(skel);
	return err;
}

/* A callback that one program sets, and another one starts, or sets as well. */
static void test_async(const char *set, const char *start, bool set_flag, bool start_flag)
{
	struct destructive_use *set_skel, *start_skel, *set2_skel;
	int i, want = set_flag == start_flag ? 0 : -EPERM;
	char what[64];

	snprintf(what, sizeof(what), "%s flag %d, %s flag %d", set, set_flag, start, start_flag);

	if (!ASSERT_OK(run_async(set, set_flag, NULL, &set_skel), set))
		goto out_set;
	if (!ASSERT_EQ(run_async(start, start_flag, set_skel, &start_skel), want, what))
		goto out_start;

	for (i = 0; i < (want ? 5 : 200) && !READ_ONCE(set_skel->bss->async_runs); i++)
		usleep(10000);
	ASSERT_EQ(READ_ONCE(set_skel->bss->async_runs), want ? 0 : 1, what);

	ASSERT_EQ(run_async(set, start_flag, set_skel, &set2_skel), want, "set_again");
	destructive_use__destroy(set2_skel);
out_start:
	destructive_use__destroy(start_skel);
out_set:
	destructive_use__destroy(set_skel);
}

/* Load program @name with @target_prog as what it is attached to, and attach it. */
static int load_onto(const char *name, bool flag, struct bpf_program *target_prog,
		     struct destructive_use **ret)
{
	struct destructive_use *skel;
	struct bpf_program *prog;
	const char *func;
	int err;

	*ret = NULL;
	log_buf[0] = '\0';

	skel = destructive_use__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return -EINVAL;
	prog = bpf_object__find_program_by_name(skel->obj, name);
	func = strchr(bpf_program__section_name(prog), '/') + 1;

	add_prog(prog, flag);
	bpf_program__set_log_buf(prog, log_buf, sizeof(log_buf));
	bpf_program__set_log_level(prog, 1);
	err = bpf_program__set_attach_target(prog, bpf_program__fd(target_prog), func);
	if (!ASSERT_OK(err, "set_attach_target"))
		goto out;
	err = destructive_use__load(skel);
	if (err)
		goto out;
	*ret = skel;
	return 0;
out:
	destructive_use__destroy(skel);
	return err;
}

static void test_ext_load(bool flag, bool target_flag)
{
	struct destructive_use *target_skel, *skel;
	struct bpf_program *target;
	char what[64];
	int err;

	snprintf(what, sizeof(what), "extension flag %d, target flag %d", flag, target_flag);

	target_skel = load_prog("target", target_flag, &target);
	if (!target_skel)
		return;

	err = load_onto("replacement", flag, target, &skel);
	if (flag != target_flag) {
		ASSERT_EQ(err, -EINVAL, what);
		ASSERT_HAS_SUBSTR(log_buf, flag ? MSG_EXT_HAS : MSG_EXT_LACKS, what);
	} else if (ASSERT_OK(err, what)) {
		ASSERT_OK(use_attach(skel->progs.replacement), what);
	}

	destructive_use__destroy(skel);
	destructive_use__destroy(target_skel);
}

/* An extension that was loaded for a target like it, and is attached to another one. */
static void test_ext_retarget(bool flag, bool target_flag)
{
	struct destructive_use *first_skel, *other_skel = NULL, *skel = NULL;
	struct bpf_program *first, *other;
	struct bpf_link *link;
	char what[64];

	snprintf(what, sizeof(what), "extension flag %d, new target flag %d", flag, target_flag);

	first_skel = load_prog("target", flag, &first);
	if (!first_skel)
		return;
	other_skel = load_prog("target", target_flag, &other);
	if (!other_skel || !ASSERT_OK(load_onto("replacement", flag, first, &skel), "load"))
		goto out;

	link = bpf_program__attach_freplace(skel->progs.replacement, bpf_program__fd(other),
					    "replaced");
	ASSERT_EQ(link ? 0 : -errno, flag == target_flag ? 0 : -EINVAL, what);
	bpf_link__destroy(link);
out:
	destructive_use__destroy(skel);
	destructive_use__destroy(other_skel);
	destructive_use__destroy(first_skel);
}

/* A destructive extension of a destructive program, attached by somebody else. */
static void test_ext_attach_without_cap(void)
{
	struct destructive_use *target_skel, *skel;
	struct bpf_program *target;
	__u64 old_caps = 0;

	target_skel = load_prog("target", true, &target);
	if (!target_skel)
		return;
	if (ASSERT_OK(load_onto("replacement", true, target, &skel), "load") &&
	    drop_cap(&old_caps)) {
		ASSERT_EQ(use_attach(skel->progs.replacement), -EPERM, "attach");
		restore_caps(old_caps);
	}

	destructive_use__destroy(skel);
	destructive_use__destroy(target_skel);
}

/* Everybody may watch a destructive program, and nobody may change what it returns. */
static void test_watch(void)
{
	struct destructive_use *target_skel, *skel;
	struct bpf_program *target;
	__u64 old_caps = 0;

	target_skel = load_prog("target", true, &target);
	if (!target_skel)
		return;
	if (!drop_cap(&old_caps))
		goto out;

	if (ASSERT_OK(load_onto("watch_entry", false, target, &skel), "fentry"))
		ASSERT_OK(use_attach(skel->progs.watch_entry), "attach_fentry");
	destructive_use__destroy(skel);

	if (ASSERT_OK(load_onto("watch_exit", false, target, &skel), "fexit"))
		ASSERT_OK(use_attach(skel->progs.watch_exit), "attach_fexit");
	destructive_use__destroy(skel);

	ASSERT_EQ(load_onto("change_return", false, target, &skel), -EINVAL, "fmod_ret");
	ASSERT_HAS_SUBSTR(log_buf, MSG_FMOD_RET, "fmod_ret");
	destructive_use__destroy(skel);

	restore_caps(old_caps);
out:
	destructive_use__destroy(target_skel);
}

/* The loader program of a light skeleton. */
static int load_loader(const struct gen_loader_opts *gen)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	int map_fd, prog_fd, key = 0;

	map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "__loader.map", sizeof(key), gen->data_sz, 1,
				NULL);
	if (map_fd < 0)
		return map_fd;
	prog_fd = bpf_map_update_elem(map_fd, &key, gen->data, BPF_ANY);
	if (prog_fd)
		goto out;

	opts.prog_flags = BPF_F_SLEEPABLE;
	opts.fd_array = &map_fd;
	prog_fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "__loader.prog", "Dual BSD/GPL",
				(const struct bpf_insn *)gen->insns,
				gen->insns_sz / sizeof(struct bpf_insn), &opts);
out:
	close(map_fd);
	return prog_fd;
}

struct loader_ctx {
	struct bpf_loader_ctx ctx;
	struct bpf_prog_desc prog;
};

static void init_loader_ctx(struct loader_ctx *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
	ctx->ctx.sz = sizeof(*ctx);
	ctx->ctx.log_buf = (unsigned long)log_buf;
	ctx->ctx.log_size = sizeof(log_buf);
	ctx->ctx.log_level = 1;
	log_buf[0] = '\0';
}

/* What the loader program says of the program that it loads. */
static int run_loader(int fd)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct loader_ctx ctx;
	int err;

	init_loader_ctx(&ctx);
	opts.ctx_in = &ctx;
	opts.ctx_size_in = sizeof(ctx);

	err = bpf_prog_test_run_opts(fd, &opts);
	if (err)
		return err;
	if ((int)opts.retval < 0)
		return (int)opts.retval;
	if (!ASSERT_GT(ctx.prog.prog_fd, 0, "prog_fd"))
		return -EINVAL;
	close(ctx.prog.prog_fd);
	return 0;
}

/* The loader of one destructive program is in @gen as long as the skeleton is there. */
static struct destructive_loader *generate_loader(bool flag, struct gen_loader_opts *gen)
{
	struct destructive_loader *skel;

	skel = destructive_loader__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	if (flag)
		bpf_program__set_flags(skel->progs.halts, BPF_F_DESTRUCTIVE);
	if (ASSERT_OK(bpf_object__gen_loader(skel->obj, gen), "gen_loader") &&
	    ASSERT_OK(bpf_object__load(skel->obj), "generate"))
		return skel;
	destructive_loader__destroy(skel);
	return NULL;
}

/*
 * The program calls a destructive kfunc, so that it loads tells that the flag came
 * through. The capability that counts is that of the process which runs the loader.
 */
static void test_loader_flag(bool flag, int want_with_cap, int want_without_cap)
{
	LIBBPF_OPTS(gen_loader_opts, gen);
	struct destructive_loader *skel;
	__u64 old_caps = 0;
	int fd;

	skel = generate_loader(flag, &gen);
	if (!skel)
		return;
	fd = load_loader(&gen);
	if (!ASSERT_OK_FD(fd, "load_loader"))
		goto out;

	ASSERT_EQ(run_loader(fd), want_with_cap, "with_cap");
	if (want_with_cap == -EACCES)
		ASSERT_HAS_SUBSTR(log_buf, MSG_CALL, "with_cap_log");
	if (!drop_cap(&old_caps))
		goto out;
	ASSERT_EQ(run_loader(fd), want_without_cap, "without_cap");
	restore_caps(old_caps);
out:
	if (fd >= 0)
		close(fd);
	destructive_loader__destroy(skel);
}

/* The size of the signature of @gen, by the key in @dir. */
static size_t sign_loader(const struct gen_loader_opts *gen, const char *dir, void *sig,
			  size_t size)
{
	char path[64];
	size_t written;
	FILE *file;

	snprintf(path, sizeof(path), "%s/loader", dir);
	file = fopen(path, "w");
	if (!ASSERT_OK_PTR(file, "open_loader"))
		return 0;
	written = fwrite(gen->insns, 1, gen->insns_sz, file);
	written += fwrite(gen->data, 1, gen->data_sz, file);
	if (!ASSERT_OK(fclose(file), "close_loader") ||
	    !ASSERT_EQ(written, gen->insns_sz + gen->data_sz, "write_loader"))
		return 0;
	SYS(failed, "./sign-file -d sha256 %s/signing_key.pem %s/signing_key.pem %s", dir, dir,
	    path);

	snprintf(path, sizeof(path), "%s/loader.p7s", dir);
	file = fopen(path, "r");
	if (!ASSERT_OK_PTR(file, "open_signature"))
		return 0;
	size = fread(sig, 1, size, file);
	fclose(file);
	ASSERT_GT(size, 0, "read_signature");
	return size;
failed:
	return 0;
}

/* As a light skeleton does it. */
static int run_signed_loader(const struct gen_loader_opts *gen, void *sig, size_t sig_size)
{
	__u8 hash[SHA256_DIGEST_LENGTH];
	struct loader_ctx ctx;
	struct bpf_load_and_run_opts opts = {
		.ctx = &ctx.ctx,
		.data = gen->data,
		.data_sz = gen->data_sz,
		.insns = gen->insns,
		.insns_sz = gen->insns_sz,
		.signature = sig,
		.signature_sz = sig_size,
		.keyring_id = KEY_SPEC_SESSION_KEYRING,
		.excl_prog_hash = hash,
		.excl_prog_hash_sz = sizeof(hash),
	};
	int err;

	init_loader_ctx(&ctx);
	libbpf_sha256(gen->insns, gen->insns_sz, hash);
	err = bpf_load_and_run(&opts);
	if (err)
		return err;
	if (!ASSERT_GT(ctx.prog.prog_fd, 0, "prog_fd"))
		return -EINVAL;
	close(ctx.prog.prog_fd);
	return 0;
}

/* A valid signature stands in for nothing, and takes nothing away. */
static void test_loader_signed(bool flag, int want_with_cap, int want_without_cap)
{
	LIBBPF_OPTS(gen_loader_opts, gen, .gen_hash = true);
	char dir[] = "/tmp/destructive_use.XXXXXX";
	struct destructive_loader *skel;
	__u64 old_caps = 0;
	__u8 sig[8192];
	size_t size;

	skel = generate_loader(flag, &gen);
	if (!skel)
		return;
	if (!ASSERT_OK_PTR(mkdtemp(dir), "mkdtemp"))
		goto out;
	/* possess the session's keyring */
	syscall(__NR_request_key, "keyring", "_uid.0", NULL, KEY_SPEC_SESSION_KEYRING);
	SYS(out_dir, "./verify_sig_setup.sh setup %s >/dev/null", dir);
	size = sign_loader(&gen, dir, sig, sizeof(sig));
	if (!size)
		goto out_keys;

	ASSERT_EQ(run_signed_loader(&gen, sig, size), want_with_cap, "with_cap");
	if (want_with_cap == -EACCES)
		ASSERT_HAS_SUBSTR(log_buf, MSG_CALL, "with_cap_log");
	if (drop_cap(&old_caps)) {
		ASSERT_EQ(run_signed_loader(&gen, sig, size), want_without_cap, "without_cap");
		restore_caps(old_caps);
	}
	/* the signature is looked at */
	((char *)gen.data)[gen.data_sz - 1] ^= 1;
	ASSERT_EQ(run_signed_loader(&gen, sig, size), -EKEYREJECTED, "changed_loader");
out_keys:
	SYS_NOFAIL("./verify_sig_setup.sh cleanup %s", dir);
	goto out;
out_dir:
	rmdir(dir);
out:
	destructive_loader__destroy(skel);
}

static int load_insns(const struct bpf_insn *insns, int cnt, enum bpf_prog_type type, __u32 flags,
		      __u32 ifindex)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	int fd;

	opts.prog_flags = flags;
	opts.prog_ifindex = ifindex;
	opts.log_buf = log_buf;
	opts.log_size = sizeof(log_buf);
	opts.log_level = 1;
	log_buf[0] = '\0';

	fd = bpf_prog_load(type, "insns", "GPL", insns, cnt, &opts);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* The flag beside each of the others, and unknown ones beside it. */
static void test_flags(void)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const __u32 good = BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT | BPF_F_TEST_RND_HI32 |
			   BPF_F_TEST_STATE_FREQ | BPF_F_TEST_REG_INVARIANTS | BPF_F_SLEEPABLE |
			   BPF_F_XDP_HAS_FRAGS | BPF_F_XDP_DEV_BOUND_ONLY;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		__u32 flags = 1U << bit;
		int want = -EINVAL, err;
		char what[32];

		if (flags == BPF_F_DESTRUCTIVE)
			continue;
		/* the token has a test of its own; here none is given */
		if (flags & good)
			want = 0;

		snprintf(what, sizeof(what), "bit %d", bit);
		err = load_insns(insns, ARRAY_SIZE(insns), BPF_PROG_TYPE_KPROBE,
				 BPF_F_DESTRUCTIVE | flags, 0);
		ASSERT_EQ(err, want, what);
		/* the answer is that of the other flag */
		err = load_insns(insns, ARRAY_SIZE(insns), BPF_PROG_TYPE_KPROBE, flags, 0);
		ASSERT_EQ(err, want, what);
	}

	/* nor beside what binds a program to a device, which takes no tracing programs */
	ASSERT_EQ(load_insns(insns, ARRAY_SIZE(insns), BPF_PROG_TYPE_KPROBE, 0, 1),
		  -EINVAL, "offload_kprobe");
	ASSERT_EQ(load_insns(insns, ARRAY_SIZE(insns), BPF_PROG_TYPE_KPROBE, BPF_F_DESTRUCTIVE, 1),
		  -EINVAL, "offload_kprobe_destructive");
	/* and no flags like this one; lo takes none at all, which is seen later */
	ASSERT_EQ(load_insns(insns, ARRAY_SIZE(insns), BPF_PROG_TYPE_XDP, 0, 1),
		  -EOPNOTSUPP, "offload");
	ASSERT_EQ(load_insns(insns, ARRAY_SIZE(insns), BPF_PROG_TYPE_XDP, BPF_F_DESTRUCTIVE, 1),
		  -EINVAL, "offload_destructive");
	ASSERT_EQ(load_insns(insns, ARRAY_SIZE(insns), BPF_PROG_TYPE_XDP,
			     BPF_F_XDP_DEV_BOUND_ONLY, 1),
		  -EOPNOTSUPP, "device_bound");
	ASSERT_EQ(load_insns(insns, ARRAY_SIZE(insns), BPF_PROG_TYPE_XDP,
			     BPF_F_DESTRUCTIVE | BPF_F_XDP_DEV_BOUND_ONLY, 1),
		  -EINVAL, "device_bound_destructive");
}

/* A kfunc call that nothing was resolved for is no way to call anything. */
static void test_unresolved(void)
{
	const struct bpf_insn reached[] = {
		BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct bpf_insn dead[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, 0),
		BPF_EXIT_INSN(),
	};
	int i;

	for (i = 0; i < 2; i++) {
		__u32 flags = i ? BPF_F_DESTRUCTIVE : 0;

		ASSERT_EQ(load_insns(reached, ARRAY_SIZE(reached), BPF_PROG_TYPE_KPROBE, flags, 0),
			  -EINVAL, "reached");
		ASSERT_HAS_SUBSTR(log_buf, "invalid kernel function call not eliminated",
				  "reached");
		ASSERT_OK(load_insns(dead, ARRAY_SIZE(dead), BPF_PROG_TYPE_KPROBE, flags, 0),
			  "dead");
	}
}

void serial_test_destructive_use(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(doors); i++)
		if (test__start_subtest(doors[i].name))
			test_door(&doors[i]);

	if (test__start_subtest("kprobe_of_tracefs"))
		test_tracefs("kprobe", use_kprobe_of_tracefs);
	if (test__start_subtest("uprobe_of_tracefs"))
		test_tracefs("uprobe", use_uprobe_of_tracefs);
	if (test__start_subtest("prog_attach"))
		test_prog_attach();
	if (test__start_subtest("other_fds"))
		test_other_fds();
	if (test__start_subtest("userns"))
		test_userns();
	if (test__start_subtest("tail_calls"))
		test_tail_calls();

	if (test__start_subtest("timer")) {
		for (i = 0; i < 4; i++)
			test_async("timer_set", "timer_start", i & 1, i & 2);
	}
	if (test__start_subtest("wq")) {
		for (i = 0; i < 4; i++)
			test_async("wq_set", "wq_start", i & 1, i & 2);
	}

	if (test__start_subtest("ext_load")) {
		for (i = 0; i < 4; i++)
			test_ext_load(i & 1, i & 2);
	}
	if (test__start_subtest("ext_retarget")) {
		for (i = 0; i < 4; i++)
			test_ext_retarget(i & 1, i & 2);
	}
	if (test__start_subtest("ext_attach_without_cap"))
		test_ext_attach_without_cap();
	if (test__start_subtest("watch"))
		test_watch();

	if (test__start_subtest("loader_with_flag"))
		test_loader_flag(true, 0, -EPERM);
	if (test__start_subtest("loader_without_flag"))
		test_loader_flag(false, -EACCES, -EACCES);
	if (test__start_subtest("loader_signed_with_flag"))
		test_loader_signed(true, 0, -EPERM);
	if (test__start_subtest("loader_signed_without_flag"))
		test_loader_signed(false, -EACCES, -EACCES);

	if (test__start_subtest("flags"))
		test_flags();
	if (test__start_subtest("unresolved"))
		test_unresolved();
}

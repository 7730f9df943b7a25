// SPDX-License-Identifier: GPL-2.0
/* The doors: all that attaches, runs or looks at a program that is loaded. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "fuzz.h"

/* Flagged programs that do nothing, and all that is needed to knock at doors with them. */
static struct {
	enum bpf_prog_type type;
	enum bpf_attach_type attach_type;
	int fd;
} door_progs[MAX_KINDS];
static int door_count;
static int plain_link, iter_link, perf_fd, some_socket;

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	int ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

/* Half of the time, a program that fits the door. */
static int prefer(int prog, enum bpf_prog_type type, enum bpf_attach_type attach_type)
{
	if (percent(50))
		return prog;
	for (int i = 0; i < door_count; i++)
		if (door_progs[i].type == type && door_progs[i].attach_type == attach_type)
			return i;
	return prog;
}

static int door_link(int prog, union bpf_attr *attr)
{
	if (percent(50)) {
		prog = prefer(prog, BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER);
		attr->link_create.prog_fd = door_progs[prog].fd;
		attr->link_create.attach_type = door_progs[prog].attach_type;
		return sys_bpf(BPF_LINK_CREATE, attr);
	}
	attr->link_create.prog_fd = door_progs[prog].fd;
	attr->link_create.attach_type = percent(50) ? door_progs[prog].attach_type : below(__MAX_BPF_ATTACH_TYPE);
	/* this one takes a map for the program */
	if (attr->link_create.attach_type == BPF_STRUCT_OPS)
		attr->link_create.attach_type = BPF_PERF_EVENT;
	attr->link_create.target_fd = percent(50) ? perf_fd : percent(50) ? 0 : (int)below(20);
	attr->link_create.flags = percent(80) ? 0 : rng();
	return sys_bpf(BPF_LINK_CREATE, attr);
}

static int door_raw_tp(int prog, union bpf_attr *attr)
{
	static const char *const names[] = { "task_newtask", "sched_process_exit", "no_such_tracepoint" };

	prog = prefer(prog, BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP);
	attr->raw_tracepoint.prog_fd = door_progs[prog].fd;
	if (door_progs[prog].type != BPF_PROG_TYPE_TRACING || percent(10))
		attr->raw_tracepoint.name = (uintptr_t)names[below(ARRAY_SIZE(names))];
	return sys_bpf(BPF_RAW_TRACEPOINT_OPEN, attr);
}

static int door_test_run(int prog, union bpf_attr *attr)
{
	static uint64_t args[12];

	prog = prefer(prog, BPF_PROG_TYPE_RAW_TRACEPOINT, 0);
	attr->test.prog_fd = door_progs[prog].fd;
	if (percent(30)) {
		attr->test.ctx_in = (uintptr_t)args;
		attr->test.ctx_size_in = sizeof(args);
	}
	return sys_bpf(BPF_PROG_TEST_RUN, attr);
}

static int door_perf(int prog, union bpf_attr *attr)
{
	(void)attr;
	prog = prefer(prog, BPF_PROG_TYPE_PERF_EVENT, 0);
	if (ioctl(perf_fd, PERF_EVENT_IOC_SET_BPF, door_progs[prog].fd))
		return -errno;
	/* the caller opens it again, or it would be busy for ever */
	return close(perf_fd);
}

static int door_array(int prog, union bpf_attr *attr)
{
	uint32_t key = below(4);

	(void)attr;
	prog = prefer(prog, BPF_PROG_TYPE_KPROBE, 0);
	return bpf_map_update_elem(tail_array, &key, &door_progs[prog].fd, BPF_ANY);
}

static int door_link_update(int prog, union bpf_attr *attr)
{
	prog = prefer(prog, BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER);
	attr->link_update.link_fd = percent(30) ? plain_link : iter_link;
	attr->link_update.new_prog_fd = door_progs[prog].fd;
	return sys_bpf(BPF_LINK_UPDATE, attr);
}

static int door_iter(int prog, union bpf_attr *attr)
{
	(void)prog;
	attr->iter_create.link_fd = iter_link;
	return sys_bpf(BPF_ITER_CREATE, attr);
}

static int door_pin(int prog, union bpf_attr *attr)
{
	int fd = open(PIN, O_RDONLY);

	(void)prog;
	(void)attr;
	return fd < 0 ? -errno : fd;
}

static int door_attach(int prog, union bpf_attr *attr)
{
	attr->target_fd = below(20);
	attr->attach_bpf_fd = door_progs[prog].fd;
	attr->attach_type = below(__MAX_BPF_ATTACH_TYPE + 2);
	attr->attach_flags = percent(80) ? 0 : rng();
	return sys_bpf(BPF_PROG_ATTACH, attr);
}

static int door_socket(int prog, union bpf_attr *attr)
{
	int option = percent(50) ? SO_ATTACH_BPF : SO_ATTACH_REUSEPORT_EBPF;

	(void)attr;
	return setsockopt(some_socket, SOL_SOCKET, option, &door_progs[prog].fd, sizeof(int)) ? -errno : 0;
}

/* Both only look at the program, or would. */
static int door_assoc(int prog, union bpf_attr *attr)
{
	attr->prog_assoc_struct_ops.prog_fd = door_progs[prog].fd;
	attr->prog_assoc_struct_ops.map_fd = text_map;
	return sys_bpf(BPF_PROG_ASSOC_STRUCT_OPS, attr);
}

static int door_bind(int prog, union bpf_attr *attr)
{
	attr->prog_bind_map.prog_fd = door_progs[prog].fd;
	attr->prog_bind_map.map_fd = text_map;
	return sys_bpf(BPF_PROG_BIND_MAP, attr);
}

/*
 * "eperm": without CAP_SYS_BOOT the answer is EPERM. "opens": with it, somebody gets in.
 * "looks": the door is open for all, as nothing is attached or run.
 */
static const struct {
	const char *name;
	int (*knock)(int prog, union bpf_attr *attr);
	bool eperm;
	bool opens;
	bool makes_fd;
	bool looks;
} doors[] = {
	{ "BPF_LINK_CREATE", door_link, true, true, true, false },
	{ "BPF_RAW_TRACEPOINT_OPEN", door_raw_tp, true, true, true, false },
	{ "BPF_PROG_TEST_RUN", door_test_run, true, true, false, false },
	{ "PERF_EVENT_IOC_SET_BPF", door_perf, true, true, false, false },
	{ "program array", door_array, true, true, false, false },
	{ "BPF_LINK_UPDATE", door_link_update, true, true, false, false },
	{ "BPF_ITER_CREATE", door_iter, true, true, true, false },
	{ "open() of a pinned iterator", door_pin, true, true, true, false },
	{ "BPF_PROG_ATTACH", door_attach, false, false, false, false },
	{ "SO_ATTACH_BPF", door_socket, false, false, false, false },
	{ "BPF_PROG_ASSOC_STRUCT_OPS", door_assoc, true, false, false, false },
	{ "BPF_PROG_BIND_MAP", door_bind, false, true, false, true },
};

_Static_assert(ARRAY_SIZE(doors) <= MAX_DOORS, "too many doors");

static void open_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000000,
		.disabled = 1,
	};

	perf_fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (perf_fd < 0)
		die("perf_event_open");
}

void make_doors(void)
{
	for (size_t i = 0; i < kind_count; i++) {
		const struct kind *kind = &kinds[i];

		if (!gate_type(kind->type).flag)
			continue;
		door_progs[door_count].type = kind->type;
		door_progs[door_count].attach_type = kind->attach_type;
		door_progs[door_count++].fd = load_plain(kind, true, NOWHERE, 1);
		if (kind->attach_type == BPF_TRACE_ITER) {
			iter_link = bpf_link_create(door_progs[door_count - 1].fd, 0, BPF_TRACE_ITER, NULL);
			unlink(PIN);
			if (iter_link < 0 || bpf_obj_pin(iter_link, PIN))
				die("cannot pin a link of an iterator");
		}
	}
	plain_link = bpf_raw_tracepoint_open("task_newtask", load_plain(find_kind(BPF_PROG_TYPE_RAW_TRACEPOINT), false,
									NOWHERE, 0));
	if (plain_link < 0)
		die("cannot attach a program that is not destructive");
	some_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	open_perf();
}

void do_door(unsigned long long number)
{
	/* The doors are tried with the capability, too: a door that nobody gets through says nothing. */
	bool allowed = !in_userns && percent(25);
	int door = below(ARRAY_SIZE(doors)), prog = below(door_count), ret;
	union bpf_attr attr;
	bool bad;

	memset(&attr, 0, sizeof(attr));
	set_caps(allowed || in_userns ? permitted : permitted & ~BIT(CAP_SYS_BOOT));
	ret = doors[door].knock(prog, &attr);
	set_caps(permitted);
	if (doors[door].makes_fd && ret >= 0)
		close(ret);
	if (doors[door].knock == door_perf && ret >= 0)
		open_perf();

	stats->by_door[door][allowed]++;
	if (allowed) {
		stats->doors_open += ret >= 0;
		stats->doors_not_open += ret < 0;
		bad = doors[door].looks ? ret < 0 : ret >= 0 && !doors[door].opens;
		stats->door_opened[door] += ret >= 0;
	} else {
		stats->doors_shut++;
		stats->doors_eperm += ret == -EPERM;
		bad = doors[door].looks ? ret < 0 : ret >= 0 || (doors[door].eperm && ret != -EPERM);
	}
	stats->unexpected += bad;
	if (bad || verbose)
		printf("fuzz: round %llu: door %s, program of type %d, %s CAP_SYS_BOOT%s: %s%s\n",
		       number, doors[door].name, door_progs[prog].type,
		       allowed ? "with" : "without", in_userns ? " in a user namespace" : "",
		       ret < 0 ? strerror(-ret) : "open", bad ? ", and that is wrong" : "");
}

/* An extension gets another target than the one that it was loaded for, or the same again. */
void do_retarget(unsigned long long number)
{
	bool allowed = !in_userns && percent(60);
	int prog = below(2), target = below(2), ret;
	LIBBPF_OPTS(bpf_link_create_opts, opts, .target_btf_id = prog_btf.global);
	struct facts is = {
		.flag = prog ? YES : NO,
		.type = YES,
		.boot = allowed ? YES : NO,
		.ext = YES,
		.target = target ? YES : NO,
	};
	/* Both are taken by file descriptor, which asks for the capability first. */
	int want = (prog || target) && !allowed ? -EPERM : gate_answer(&is).err;

	set_caps(allowed || in_userns ? permitted : permitted & ~BIT(CAP_SYS_BOOT));
	ret = bpf_link_create(exts[prog], target_progs[target], 0, &opts);
	set_caps(permitted);
	if (ret >= 0) {
		close(ret);
		ret = 0;
	}
	stats->retargets[ret == -EPERM ? 2 : !!ret]++;
	stats->unexpected += ret != want;
	if (ret != want || verbose)
		printf("fuzz: round %llu: extension %s flag to target %s flag, %s CAP_SYS_BOOT%s: %s, expected %s\n",
		       number, prog ? "with" : "without", target ? "with" : "without",
		       allowed ? "with" : "without", in_userns ? " in a user namespace" : "", strerror(-ret),
		       strerror(-want));
}

/* Has each door been tried, and opened for whom it should? */
bool report_doors(void)
{
	bool good = true;

	printf("fuzz: doors: %llu tries without CAP_SYS_BOOT, %llu EPERM; with it %llu open, %llu not\n",
	       stats->doors_shut, stats->doors_eperm, stats->doors_open, stats->doors_not_open);
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		printf("fuzz: door %s: %llu tries without, %llu with, which opened it %llu times\n", doors[i].name,
		       stats->by_door[i][0], stats->by_door[i][1], stats->door_opened[i]);
		good = good && stats->by_door[i][0] && !stats->door_opened[i] == !doors[i].opens;
	}
	return good;
}

// SPDX-License-Identifier: GPL-2.0
/* What is done to programs all the time: attach, run, detach, tail call, start a timer. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "cost.h"
#include "cost.skel.h"

/* Each several times, as an interrupt may come in between. */
#define ROUNDS 11
/* So many in one run, for what a program repeats. */
#define TIMES 100

static struct cost *skel;

static void rename_once(const char *name)
{
	begin();
	prctl(PR_SET_NAME, "renamed");
	end("event %s", name);
}

static void attach_and_detach(struct bpf_program *prog)
{
	struct bpf_link *link;
	const char *name = bpf_program__name(prog);

	begin();
	link = bpf_program__attach(prog);
	end("attach %s", name);
	if (!link)
		die(name);
	rename_once(name);
	begin();
	bpf_link__destroy(link);
	end("detach %s", name);
}

/* name: of what is repeated so many times, in one run */
static void run(struct bpf_program *prog, const char *name, int times)
{
	static char packet[64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));
	int err;

	skel->bss->times = times;
	begin();
	err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	end("run %s %d", name, times);
	if (err)
		die(name);
}

static void run_tail_call(void)
{
	int map = bpf_map__fd(skel->maps.jumps), prog = bpf_program__fd(skel->progs.tail_call), key = 0, err;

	run(skel->progs.tail_call, "tail_call", 0);
	begin();
	err = bpf_map_update_elem(map, &key, &prog, BPF_ANY);
	end("update prog_array");
	if (err)
		die("the program array");
	run(skel->progs.tail_call, "tail_call", 33);
	bpf_map_delete_elem(map, &key);
}

static void ask_for_info(void)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	begin();
	bpf_prog_get_info_by_fd(bpf_program__fd(skel->progs.empty), &info, &len);
	end("info of a program");
}

void run_operations(void)
{
	skel = cost__open_and_load();
	if (!skel)
		die("cannot load");
	for (int i = 0; i < ROUNDS; i++) {
		rename_once("nothing");
		attach_and_detach(skel->progs.fentry);
		attach_and_detach(skel->progs.kprobe);
		attach_and_detach(skel->progs.tp_btf);
		attach_and_detach(skel->progs.raw_tp);
		run(skel->progs.empty, "empty", 0);
		run(skel->progs.timer, "timer", 0);
		run(skel->progs.timer, "timer", TIMES);
		run_tail_call();
		ask_for_info();
	}
}

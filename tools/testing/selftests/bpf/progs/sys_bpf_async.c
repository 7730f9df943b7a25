// SPDX-License-Identifier: GPL-2.0
/* bpf_sys_bpf() of a syscall program, and of what the program leaves behind to run later. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "bpf_experimental.h"

char _license[] SEC("license") = "GPL";

struct elem {
	struct bpf_wq work;
	struct bpf_task_work task_work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct elem);
} elems SEC(".maps");

__u32 map_id;
int fd = -1, close_err = -1, runs;

/* Opens a map by its id, which takes CAP_SYS_ADMIN, and closes it again. */
static __always_inline void open_and_close(void)
{
	union bpf_attr attr = {};

	attr.map_id = map_id;
	fd = bpf_sys_bpf(BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr));
	/* the answer of bpf_sys_close() to a bad file descriptor is another one */
	close_err = bpf_sys_close(fd);
	runs++;
}

static int wq_callback(void *map, int *key, void *value)
{
	open_and_close();
	return 0;
}

static int task_work_callback(struct bpf_map *map, void *key, void *value)
{
	open_and_close();
	return 0;
}

SEC("syscall")
int direct(void *ctx)
{
	open_and_close();
	return 0;
}

SEC("syscall")
int from_wq(void *ctx)
{
	struct elem *elem;
	int key = 0;

	elem = bpf_map_lookup_elem(&elems, &key);
	if (!elem || bpf_wq_init(&elem->work, &elems, 0) ||
	    bpf_wq_set_callback(&elem->work, wq_callback, 0))
		return 1;
	return bpf_wq_start(&elem->work, 0);
}

SEC("syscall")
int from_task_work(void *ctx)
{
	struct elem *elem;
	int key = 0;

	elem = bpf_map_lookup_elem(&elems, &key);
	return elem ? bpf_task_work_schedule_resume(bpf_get_current_task_btf(), &elem->task_work,
						    &elems, task_work_callback) : 1;
}

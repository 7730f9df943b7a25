// SPDX-License-Identifier: GPL-2.0
/* What is there once, before the first round. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include "fuzz.h"

static const struct {
	const char *name;
	uint32_t kind;
} target_names[] = {
	[TARGET_FUNC] = { "bpf_fentry_test1", BTF_KIND_FUNC },
	[TARGET_FMOD] = { "bpf_modify_return_test", BTF_KIND_FUNC },
	[TARGET_TP] = { "btf_trace_task_newtask", BTF_KIND_TYPEDEF },
	[TARGET_ITER] = { "bpf_iter_task", BTF_KIND_FUNC },
	[TARGET_LSM] = { "bpf_lsm_file_open", BTF_KIND_FUNC },
};

uint32_t kfunc_ids[KFUNC_COUNT], target_ids[TARGET_COUNT], wrong_ids[5];
int32_t kfunc_imms[KFUNC_COUNT];
int kfunc_count;
struct prog_btf prog_btf;
int text_map;
int target_progs[2], owned_arrays[2];
struct async_map async_maps[9];
int async_count, outer_map;
int exts[2];
int tail_array;
struct stats *stats;

static char text_value[16] = "fuzz";

static uint64_t symbol(const char *name)
{
	static FILE *kallsyms;
	char line[512], found[256];
	unsigned long long address;

	if (!kallsyms)
		kallsyms = fopen("/proc/kallsyms", "r");
	if (!kallsyms)
		die("/proc/kallsyms");
	rewind(kallsyms);
	while (fgets(line, sizeof(line), kallsyms))
		if (sscanf(line, "%llx %*c %255s", &address, found) == 2 && !strcmp(found, name))
			return address;
	errno = ENOENT;
	die("symbol %s", name);
	return 0;
}

static void find_ids(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	uint64_t base = symbol("__bpf_call_base");

	if (!btf)
		die("no BTF of the kernel");
	for (int i = 0; i < KFUNC_COUNT; i++) {
		int id = btf__find_by_name_kind(btf, kfunc_names[i], BTF_KIND_FUNC);

		/* a kernel with the gate alone has the last one only */
		if (id <= 0 && i != KFUNC_2022)
			continue;
		kfunc_ids[i] = find_type(btf, kfunc_names[i], BTF_KIND_FUNC);
		kfunc_imms[i] = symbol(kfunc_names[i]) - base;
		kfunc_count++;
	}
	for (size_t i = 1; i < ARRAY_SIZE(target_names); i++)
		target_ids[i] = find_type(btf, target_names[i].name, target_names[i].kind);
	/* functions that are no kfuncs, what is no function, and what is nothing */
	wrong_ids[0] = find_type(btf, "panic", BTF_KIND_FUNC);
	wrong_ids[1] = find_type(btf, "emergency_restart", BTF_KIND_FUNC);
	wrong_ids[2] = find_type(btf, "task_struct", BTF_KIND_STRUCT);
	wrong_ids[3] = btf__type_cnt(btf) + 5;
	wrong_ids[4] = -1;
	btf__free(btf);
}

static void make_text(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_RDONLY_PROG);
	uint32_t zero = 0;

	text_map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "text", 4, sizeof(text_value), 1, &opts);
	if (text_map < 0 || bpf_map_update_elem(text_map, &zero, text_value, 0) || bpf_map_freeze(text_map))
		die("cannot make the map of the message");
}

int load_plain(const struct kind *kind, bool flag, enum shape shape, int which)
{
	static struct round r;
	char log[4096] = "";
	int fd;

	r = (struct round){
		.kind = kind, .shape = shape, .attach_type = kind->attach_type, .target = kind->target,
		.prog = which, .array = which, .async = which, .flags = flag ? BPF_F_DESTRUCTIVE : 0,
		.caps = all_caps, .gpl = true,
	};
	build(&r);
	fd = load(&r, log, sizeof(log));
	if (fd < 0)
		die("cannot load a program of type %d: %s", kind->type, log);
	return fd;
}

static int make_array(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "owned", 4, 4, 4, NULL);

	if (fd < 0)
		die("cannot create a program array");
	return fd;
}

static int make_async(const char *name, int value, bool flag)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .btf_fd = prog_btf.fd, .btf_key_type_id = prog_btf.num,
		    .btf_value_type_id = prog_btf.async_values[value]);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, ASYNC_VALUE_SIZE, 1, &opts);

	if (fd < 0)
		die("cannot create map %s", name);
	snprintf(async_maps[async_count].name, BPF_OBJ_NAME_LEN, "%s", name);
	async_maps[async_count].flag = flag;
	async_maps[async_count].fd = fd;
	return async_count++;
}

/* Each belongs to the first program that is loaded with it, or to the map that it is in. */
static void make_async_maps(void)
{
	static const char *const names[][2] = {
		{ "plain_timer", "flag_timer" }, { "plain_wq", "flag_wq" }, { "plain_work", "flag_work" },
	};
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	uint32_t zero = 0;
	int inner;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (int flag = 0; flag < 2; flag++)
			close(load_plain(find_kind(BPF_PROG_TYPE_KPROBE), flag, OWNED_ASYNC,
					 make_async(names[i][flag], i, flag)));
	inner = async_maps[make_async("inner_timer", 0, false)].fd;
	opts.inner_map_fd = inner;
	outer_map = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer", 4, 4, 1, &opts);
	/* it takes a map that belongs to nobody, but not one of programs with the flag */
	if (outer_map < 0 || bpf_map_update_elem(outer_map, &zero, &inner, BPF_ANY))
		die("cannot make a map of maps");
	if (!bpf_map_update_elem(outer_map, &zero, &async_maps[1].fd, BPF_ANY)) {
		errno = EEXIST;
		die("an inner map is one of programs with the flag");
	}
}

void set_up(void)
{
	struct target target = { .type = BPF_PROG_TYPE_KPROBE };

	read_caps();
	if ((permitted & all_caps) != all_caps) {
		errno = EPERM;
		die("not all capabilities are there");
	}
	set_caps(permitted);
	find_ids();
	make_prog_btf(&prog_btf);
	target_ids[TARGET_PROG] = prog_btf.global;
	make_text();
	for (int i = 0; i < 2; i++) {
		target.flags = i ? BPF_F_DESTRUCTIVE : 0;
		target_progs[i] = load_target(&target, &prog_btf);
		if (target_progs[i] < 0)
			die("cannot load a program to extend");
		exts[i] = load_plain(find_kind(BPF_PROG_TYPE_EXT), i, NOWHERE, i);
		owned_arrays[i] = make_array();
		/* it owns the array from now on */
		load_plain(find_kind(BPF_PROG_TYPE_KPROBE), i, OWNED_ARRAY, i);
	}
	tail_array = make_array();
	make_async_maps();
	make_doors();
	stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stats == MAP_FAILED)
		die("mmap");
}

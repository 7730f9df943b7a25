/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of destructive programs share. */
#ifndef __DESTRUCTIVE_HELPERS_H
#define __DESTRUCTIVE_HELPERS_H

#include <bpf/btf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include "test_progs.h"
#include "cap_helpers.h"
#include "destructive.skel.h"

/* What the kernel, but not libc, calls ENOTSUPP. */
#define KERNEL_ENOTSUPP 524

static char log_buf[64 * 1024];

/* The types that can have the flag; all others are refused it. */
static inline bool is_tracing_type(enum bpf_prog_type type)
{
	switch (type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_TRACING:
		return true;
	default:
		return false;
	}
}

static inline bool drop_sys_boot(__u64 *old_caps)
{
	return ASSERT_OK(cap_disable_effective(1ULL << CAP_SYS_BOOT, old_caps), "drop_sys_boot");
}

static inline void restore_caps(__u64 old_caps)
{
	ASSERT_OK(cap_enable_effective(old_caps, NULL), "restore_caps");
}

static inline bool skip_unsupported(int err, const char *name)
{
	if (err != -EOPNOTSUPP && err != -KERNEL_ENOTSUPP)
		return false;
	printf("%s:SKIP: %s is not supported here\n", __func__, name);
	test__skip();
	return true;
}

/* To be loaded with the rest of @obj, and its log to be read. */
static inline struct bpf_program *select_prog(struct bpf_object *obj, const char *name, bool flag)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, name);

	if (!ASSERT_OK_PTR(prog, name))
		return NULL;
	log_buf[0] = '\0';
	bpf_program__set_autoload(prog, true);
	bpf_program__set_log_buf(prog, log_buf, sizeof(log_buf));
	bpf_program__set_log_level(prog, 1);
	if (flag)
		bpf_program__set_flags(prog, bpf_program__flags(prog) | BPF_F_DESTRUCTIVE);
	return prog;
}

/* Program @name of progs/destructive.c, loaded alone. NULL: it failed or is skipped. */
static inline struct destructive *load_prog(const char *name, bool flag, struct bpf_program **prog)
{
	struct destructive *skel = destructive__open();
	int err;

	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	*prog = select_prog(skel->obj, name, flag);
	err = destructive__load(skel);
	if (!skip_unsupported(err, name) && ASSERT_OK(err, name))
		return skel;
	destructive__destroy(skel);
	return NULL;
}

/* A software clock that does not tick yet. */
static inline int open_clock(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000000,
		.disabled = 1,
	};

	return syscall(__NR_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* How many values an enum of the running kernel has, or how many bytes another type. */
static inline int kernel_size(const char *name, int kind)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *type;
	int size = 0;

	if (!ASSERT_OK_PTR(btf, "load_vmlinux_btf"))
		return 0;
	type = btf__type_by_id(btf, btf__find_by_name_kind(btf, name, kind));
	if (ASSERT_OK_PTR(type, name))
		size = kind == BTF_KIND_ENUM ? btf_vlen(type) : type->size;
	btf__free(btf);
	return size;
}

#endif

// SPDX-License-Identifier: GPL-2.0
/* Iterators that a link may be updated to, or may not. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

#define ITER(iter, name, type, what)	\
SEC("?" iter "/" #type)			\
int name(struct bpf_iter__##type *ctx)	\
{					\
	what;				\
	return 0;			\
}

__u64 seen;

static __always_inline void read_key(__u64 *key)
{
	if (key)
		seen = *key;
}

static __always_inline void write_value(__u64 *value)
{
	if (value)
		*value = 0;
}

ITER("iter", iter_plain, bpf_map_elem, (void)0)
ITER("iter", iter_read_key, bpf_map_elem, read_key(ctx->key))
ITER("iter", iter_write_value, bpf_map_elem, write_value(ctx->value))

ITER("iter.s", iter_sleepable, bpf_map_elem, (void)0)

/* The iterator over tasks can reschedule. */
ITER("iter", task_plain, task, (void)0)
ITER("iter.s", task_sleepable, task, (void)0)

/* A function that has the name of an iterator, and as many arguments. */
__noinline int bpf_iter_bpf_map_elem(struct bpf_iter__bpf_map_elem *ctx __arg_ctx,
				     int map, int key, int value)
{
	/* keep the call, and what it passes */
	asm volatile ("" :: "r"(ctx), "r"(map), "r"(key), "r"(value));
	return 0;
}

ITER("iter", iter_named, bpf_map_elem, return bpf_iter_bpf_map_elem(ctx, 1, 2, 3))

SEC("?freplace")
int ext_iter(struct bpf_iter__bpf_map_elem *ctx __arg_ctx, int map, int key, int value)
{
	return 0;
}

SEC("?fentry")
int fentry_iter(void *ctx)
{
	return 0;
}

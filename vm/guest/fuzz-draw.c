// SPDX-License-Identifier: GPL-2.0
/* Random numbers, and what they make of a round. */
#include <linux/bpf.h>
#include <string.h>
#include "fuzz.h"

static uint64_t rng_state;

void rng_seed(uint64_t seed)
{
	rng_state = seed;
	rng();
}

uint64_t rng(void)
{
	uint64_t z = (rng_state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint32_t below(uint32_t n)
{
	return rng() % n;
}

bool percent(uint32_t n)
{
	return below(100) < n;
}

static const uint64_t some_caps[] = {
	BIT(CAP_SYS_BOOT), BIT(CAP_BPF), PERFMON, NET_ADMIN, BIT(CAP_SYS_ADMIN),
};

void choose(struct round *r)
{
	memset(r, 0, sizeof(*r));
	/* as many tracing programs as of all other types */
	do
		r->kind = &kinds[below(kind_count)];
	while (!gate_type(r->kind->type).flag && percent(55));
	r->shape = below(SHAPE_COUNT);
	/* the arrays belong to programs of the first kind */
	if (r->shape == OWNED_ARRAY && percent(70))
		r->kind = kinds;
	do
		r->kfunc = below(KFUNC_COUNT);
	while (!kfunc_ids[r->kfunc] || (r->kfunc == KFUNC_2022 && kfunc_count > 1 && percent(60)));
	r->attach_type = r->kind->attach_type;
	r->target = r->kind->target;
	r->prog = below(2);
	r->array = below(2);
	r->async = below(async_count);
	r->gpl = percent(93);
	r->flags = percent(55) ? BPF_F_DESTRUCTIVE : 0;
	if (percent(30))
		r->flags |= rng() & HARMLESS_FLAGS;
	if (percent(8)) {
		r->flags |= 1U << below(32);
		r->strange = true;
	}
	if (percent(8)) {
		/* past the end, too */
		r->attach_type = below(__MAX_BPF_ATTACH_TYPE + 3);
		r->strange = true;
	}
	if (percent(5)) {
		r->target = below(TARGET_COUNT);
		r->strange = true;
	}
	r->caps = all_caps;
	if (percent(50)) {
		/* SYS_ADMIN stands in for most others, so it is rarely there */
		r->caps = 0;
		for (size_t i = 0; i < ARRAY_SIZE(some_caps); i++)
			if (percent(some_caps[i] == BIT(CAP_SYS_ADMIN) ? 20 : 75))
				r->caps |= some_caps[i];
	}
	if (in_userns)
		r->caps = 0;
	r->mutated = percent(6);
}

// SPDX-License-Identifier: GPL-2.0
/* Many programs on what the kfuncs call, which want to print. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "crasher-tool.h"

#define CROWD 38

/* What the kfuncs call, on which other programs can be, and what the program itself does not call. */
static const char *const crowded[] = {
	"__printk_deferred_enter", "__printk_deferred_exit", "__wake_up_klogd", "_printk", "bpf_bprintf_cleanup",
	"bpf_bprintf_prepare", "bpf_put_buffers", "bpf_try_get_buffers", "console_verbose",
	"defer_console_output", "from_kuid", "irq_work_queue", "kexec_crash_loaded",
	"map_id_up", "nbcon_get_default_prio", "nbcon_kthreads_wake", "panic_in_progress", "panic_on_other_cpu",
	"panic_on_this_cpu", "panic_reset", "panic_try_start", "prb_commit", "prb_final_commit", "prb_reserve",
	"printk_parse_prefix", "printk_sprint",
	"vprintk", "vprintk_default", "vprintk_emit", "vprintk_store",
};

static struct crasher *crowd[CROWD];

/* The same program on function after function, and on all of them once more. */
int load_crowd(const struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; n < CROWD && i < 2 * ARRAY_SIZE(crowded); i++) {
		const char *name = crowded[i % ARRAY_SIZE(crowded)];
		struct crasher *one = open_skeleton();
		bool good;

		if (!one)
			return -errno;
		/* a compiler may have inlined it */
		good = !bpf_program__set_attach_target(one->progs.crowd, 0, name);
		one->rodata->tgid = getpid();
		make_destructive(one->progs.crowd);
		good = good && !crasher__load(one) && bpf_program__attach(one->progs.crowd);
		if (good)
			crowd[n++] = one;
		else
			crasher__destroy(one);
	}
	printf("crasher: a crowd of %zu for %s\n", n, plan->target->name);
	return n == CROWD ? 0 : -ENOENT;
}

void arm_crowd(bool armed)
{
	for (size_t i = 0; i < CROWD && crowd[i]; i++)
		crowd[i]->bss->armed = armed;
}

void report_crowd(void)
{
	unsigned long long calls = 0, refused = 0;

	for (size_t i = 0; i < CROWD && crowd[i]; i++) {
		calls += crowd[i]->bss->nested_calls;
		refused += crowd[i]->bss->nested_refused;
	}
	if (crowd[0])
		printf("crasher: the crowd has called %llu times, and was refused %llu times\n", calls, refused);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The same without BPF, as short as it can be by hand: a module that panics when a task
 * gets a name. how=kprobe or how=ftrace says what watches; it waits until it is armed.
 */
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/panic.h>

#define EVENT "__set_task_comm"

static bool armed;
module_param(armed, bool, 0600);
static char *how = "kprobe";
module_param(how, charp, 0400);

static int hit_kprobe(struct kprobe *kprobe, struct pt_regs *regs)
{
	if (armed)
		panic("bench: renamed");
	return 0;
}

static struct kprobe probe = { .symbol_name = EVENT, .pre_handler = hit_kprobe };

static void hit_ftrace(unsigned long ip, unsigned long parent, struct ftrace_ops *ops, struct ftrace_regs *regs)
{
	if (armed)
		panic("bench: renamed");
}

static struct ftrace_ops ops = { .func = hit_ftrace };

static int __init probe_init(void)
{
	int err;

	if (!strcmp(how, "kprobe"))
		return register_kprobe(&probe);
	if (strcmp(how, "ftrace"))
		return -EINVAL;
	err = ftrace_set_filter(&ops, EVENT, strlen(EVENT), true);
	return err ?: register_ftrace_function(&ops);
}
module_init(probe_init);

MODULE_DESCRIPTION("panics when a task gets a name");
MODULE_LICENSE("GPL");

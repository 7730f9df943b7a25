// SPDX-License-Identifier: GPL-2.0
/*
 * A TCG plugin of QEMU that counts what the guest executes between places of its kernel.
 *
 * -plugin counter.so,out=FILE[,count=on][,profile=on],KIND=NAME@ADDRESS,...
 *
 * The kinds of places, each by the address of an instruction:
 *   mark     a line with the count, and the host's time, each time
 *   arm      from now on the event counts
 *   trigger  the event; its first time, on whatever CPU, is the one that is measured
 *   past     here an event has gone past whoever watches it
 *   stop     an end: a line of what was counted since the trigger, for each of these places once
 *
 * With count=on each guest instruction is counted as it begins. All CPUs add to one number,
 * without a lock: it is right for a machine of one CPU, and not asked for where there are
 * more. Events are counted for each CPU by itself. With profile=on there is a line for each
 * block of instructions that was entered between trigger and the first stop, on a machine of one CPU.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "qemu-plugin.h"

#define MAX_PLACES 32
#define MAX_CPUS 8

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

struct place {
	uint64_t address;
	char *name;
	qemu_plugin_vcpu_udata_cb_t reached;
};

static struct place places[MAX_PLACES];
static int nr_places;
static FILE *out;
static bool counting, profiling;
static uint64_t count;
static bool armed, profiled;
/* One more than the CPU of the trigger, or 0. */
static int triggered;
static uint64_t count_at_trigger;
/* Since the trigger, without itself. A CPU writes only its own. */
static uint64_t again[MAX_CPUS], past[MAX_CPUS];
static bool stopped[MAX_PLACES];

static void mark(unsigned int vcpu, void *data)
{
	const struct place *place = data;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(out, "mark %s cpu %u count %" PRIu64 " at %ld.%09ld\n", place->name, vcpu, count, now.tv_sec, now.tv_nsec);
	fflush(out);
}

static void arm(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	__atomic_store_n(&armed, true, __ATOMIC_SEQ_CST);
}

static void trigger(unsigned int vcpu, void *data)
{
	int nobody = 0;

	(void)data;
	if (!__atomic_load_n(&armed, __ATOMIC_SEQ_CST))
		return;
	if (__atomic_compare_exchange_n(&triggered, &nobody, (int)vcpu + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		count_at_trigger = count;
	else
		again[vcpu % MAX_CPUS]++;
}

static void go_past(unsigned int vcpu, void *data)
{
	(void)data;
	if (__atomic_load_n(&triggered, __ATOMIC_SEQ_CST))
		past[vcpu % MAX_CPUS]++;
}

static void stop(unsigned int vcpu, void *data)
{
	const struct place *place = data;
	uint64_t all_again = 0, all_past = 0;
	int by = __atomic_load_n(&triggered, __ATOMIC_SEQ_CST);

	if (!by || __atomic_exchange_n(&stopped[place - places], true, __ATOMIC_SEQ_CST))
		return;
	profiled = true;
	for (int i = 0; i < MAX_CPUS; i++) {
		all_again += again[i];
		all_past += past[i];
	}
	fprintf(out, "stop %s trigger-cpu %d stop-cpu %u count %" PRIu64 " again %" PRIu64 " past %" PRIu64 "\n",
		place->name, by - 1, vcpu, counting ? count - count_at_trigger : 0, all_again, all_past);
	fflush(out);
}

static void enter_block(unsigned int vcpu, void *data)
{
	(void)vcpu;
	if (triggered && !profiled)
		fprintf(out, "block %" PRIx64 " %" PRIu64 "\n", (uint64_t)(uintptr_t)data, count - count_at_trigger);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	if (profiling)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, enter_block, QEMU_PLUGIN_CB_NO_REGS,
						     (void *)(uintptr_t)qemu_plugin_tb_vaddr(tb));
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);

		for (int p = 0; p < nr_places; p++)
			if (places[p].address == address)
				qemu_plugin_register_vcpu_insn_exec_cb(insn, places[p].reached, QEMU_PLUGIN_CB_NO_REGS,
								       &places[p]);
		if (counting)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &count, 1);
	}
}

static const struct {
	const char *kind;
	qemu_plugin_vcpu_udata_cb_t reached;
} kinds[] = {
	{ "mark", mark }, { "arm", arm }, { "trigger", trigger }, { "past", go_past }, { "stop", stop },
};

/* NAME@ADDRESS */
static bool add_place(qemu_plugin_vcpu_udata_cb_t reached, const char *text)
{
	const char *at = strrchr(text, '@');

	if (!at || nr_places == MAX_PLACES)
		return false;
	places[nr_places++] = (struct place){
		.address = strtoull(at + 1, NULL, 16), .name = strndup(text, at - text), .reached = reached,
	};
	return true;
}

/* Of KEY=VALUE. */
static const char *value_of(const char *argument, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(argument, key, len) && argument[len] == '=' ? argument + len + 1 : NULL;
}

static bool take_argument(const char *argument)
{
	const char *value;

	if ((value = value_of(argument, "out")))
		return (out = fopen(value, "w"));
	if ((value = value_of(argument, "count")))
		return (counting = !strcmp(value, "on"));
	if ((value = value_of(argument, "profile")))
		return (profiling = !strcmp(value, "on"));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((value = value_of(argument, kinds[i].kind)))
			return add_place(kinds[i].reached, value);
	return false;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (take_argument(argv[i]))
			continue;
		fprintf(stderr, "counter: %s: not understood\n", argv[i]);
		return -1;
	}
	if (!out) {
		fprintf(stderr, "counter: out= is missing\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CRASH_H
#define CRASH_H

#define TOKEN_LEN 64
/* How many CPUs can be told what to do, a power of two. */
#define MIX_CPUS 8

enum crash_action {
	ACTION_PANIC,
	ACTION_CRASH_KEXEC,
	ACTION_EMERG,
	ACTION_FLOOD,
	ACTION_HALT,
	ACTION_RESTART,
	ACTION_POWER_OFF,
	ACTION_NONE,
};

/* Read by the runner when the machine is at its end: keep the order. */
struct crash_counters {
	unsigned long long called;
	unsigned long long returned;
};

enum crash_message {
	MESSAGE_TOKEN,
	MESSAGE_HOSTILE,
	MESSAGE_LONG,
	MESSAGE_EMPTY,
	MESSAGE_NEWLINE,
	MESSAGE_TWO_LINES,
	MESSAGE_BAD_POINTER,
	MESSAGE_ONE_BYTE,
	MESSAGE_PERCENT,
	MESSAGE_LONG_FORMAT,
	MESSAGE_LONG_VALUES,
	MESSAGE_FULL_VALUES,
	MESSAGE_NULL_POINTER,
	MESSAGE_BAD_SYMBOL,
};

#endif

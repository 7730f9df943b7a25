/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COST_H
#define COST_H

#include <stdbool.h>

/* What is between the two is counted, by counter.c, under this name. */
void begin(void);
void end(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether each BPF_PROG_LOAD of libbpf is counted by itself, and the object that it belongs to. */
extern bool count_loads;
extern const char *object_name;

void die(const char *what);
void run_operations(void);

#endif

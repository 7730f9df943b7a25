// SPDX-License-Identifier: GPL-2.0
/*
 * A library for LD_PRELOAD: sets BPF_F_DESTRUCTIVE on what a program loads by libbpf, which cannot set it
 * itself. Not on other than fentry and its like: a front end that tries out what the kernel has would find less.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "guard.h"

#define NR_ARGS 6

long syscall(long number, ...)
{
	long (*libc)(long, ...) = dlsym(RTLD_NEXT, "syscall");
	long a[NR_ARGS];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < NR_ARGS; i++)
		a[i] = va_arg(args, long);
	va_end(args);

	if (number == __NR_bpf && a[0] == BPF_PROG_LOAD && in_our_vm()) {
		union bpf_attr *attr = (void *)a[1];

		if (attr->prog_type == BPF_PROG_TYPE_TRACING)
			attr->prog_flags |= BPF_F_DESTRUCTIVE;
	}
	return libc(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

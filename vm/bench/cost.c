// SPDX-License-Identifier: GPL-2.0
/*
 * cost operations | cost objects FILE...
 *
 * Has the kernel do what it does for any BPF program, between two calls of personality(2)
 * that the runner counts by. A line for each pair, "cost: NAME", is printed at the end.
 * "operations" attaches, runs and detaches the programs of cost.bpf.c; "objects" loads
 * whole BPF objects, each program of which is counted, and says what the verifier counts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "cost.h"

bool count_loads;
const char *object_name;

static FILE *names;

void die(const char *what)
{
	fprintf(stderr, "cost: %s: %s\n", what, strerror(errno));
	exit(3);
}

void begin(void)
{
	personality(0xffffffff);
}

void end(const char *format, ...)
{
	va_list args;

	personality(0xffffffff);
	va_start(args, format);
	fprintf(names, "cost: ");
	vfprintf(names, format, args);
	fprintf(names, "\n");
	va_end(args);
}

/* What the verifier had to look at, of a program that was loaded. */
static __u32 verified_insns(int fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_prog_get_info_by_fd(fd, &info, &len) ? 0 : info.verified_insns;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* All of libbpf's system calls come by here (-Wl,--wrap=syscall). */
long __wrap_syscall(long number, ...)
{
	static int programs;
	static const char *object;
	long arg[6], ret;
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (!count_loads || number != SYS_bpf || arg[0] != BPF_PROG_LOAD)
		return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	if (object != object_name)
		programs = 0;
	object = object_name;
	begin();
	ret = __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	end("%s/%d %ld %u", object, programs++, ret < 0 ? -errno : 0L, ret < 0 ? 0 : verified_insns(ret));
	return ret;
}

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static void load_object(const char *path)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);

	if (!obj)
		return;
	object_name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	count_loads = true;
	bpf_object__load(obj);
	count_loads = false;
	bpf_object__close(obj);
}

int main(int argc, char **argv)
{
	char *text;
	size_t size;

	if (argc < 2) {
		fprintf(stderr, "usage: cost operations | cost objects FILE...\n");
		return 64;
	}
	names = open_memstream(&text, &size);
	if (!names)
		die("no memory");
	libbpf_set_print(say_nothing);
	for (int i = 0; i < 5; i++) {
		begin();
		end("nothing");
	}
	if (!strcmp(argv[1], "operations"))
		run_operations();
	for (int i = 2; i < argc; i++)
		load_object(argv[i]);
	fclose(names);
	fputs(text, stdout);
	return 0;
}

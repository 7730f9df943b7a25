// SPDX-License-Identifier: GPL-2.0
/*
 * Loads and attaches saturated.bpf.c, and runs a command. Only the program
 * that may end the machine is given the flag. With --without-flag the
 * flag is left out, to see what the verifier says to that.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "saturated.skel.h"
#include "identify.h"

static char log_buf[64 * 1024];

static int print_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

int main(int argc, char **argv)
{
	bool without_flag = argc > 1 && !strcmp(argv[1], "--without-flag");
	const char *command = argc > 1 && !without_flag ? argv[1] : NULL;
	struct saturated *skel;
	struct bpf_program *prog;
	int err;

	libbpf_set_print(print_nothing);
	skel = saturated__open();
	if (!skel) {
		fprintf(stderr, "demo: cannot open the skeleton: %s\n", strerror(errno));
		return 1;
	}

	prog = skel->progs.saturated;
	if (!without_flag)
		bpf_program__set_flags(prog, bpf_program__flags(prog) | BPF_F_DESTRUCTIVE);
	bpf_program__set_log_buf(prog, log_buf, sizeof(log_buf));
	bpf_program__set_log_level(prog, 1);

	err = saturated__load(skel) ?: saturated__attach(skel);
	if (err) {
		fprintf(stderr, "demo: not loaded: %s\n%s", strerror(-err), log_buf);
		return without_flag && err == -EACCES ? 0 : 1;
	}

	err = identify("demo", prog);
	if (err)
		return 1;
	fflush(stdout);

	return command ? system(command) : 0;
}

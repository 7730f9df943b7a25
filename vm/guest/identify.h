/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IDENTIFY_H
#define IDENTIFY_H

#include <linux/bpf.h>
#include <stdio.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Print what the kernel has to say of the program on its console. */
static inline int identify(const char *who, const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int err;

	err = bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len);
	if (err)
		return err;

	printf("%s: program %s, id %u, tag ", who, info.name, info.id);
	for (size_t i = 0; i < sizeof(info.tag); i++)
		printf("%02x", info.tag[i]);
	printf(", loaded by uid %u\n", info.created_by_uid);
	return 0;
}

#endif

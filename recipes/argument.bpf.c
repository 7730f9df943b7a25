// SPDX-License-Identifier: GPL-2.0
/*
 * A function of a module is called with a bad argument. The module has to be there, and
 * stays as long as the program does.
 *
 *	./set argument.bpf.o most=$MOST
 *	bpftool prog loadall argument.bpf.o /sys/fs/bpf/argument autoattach destructive
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

const volatile size_t most = 4096;

SEC("fentry/bpf_testmod:bpf_testmod_test_read")
int BPF_PROG(argument, struct file *file, struct kobject *kobj, const struct bin_attribute *attr,
	     char *buf, loff_t off, size_t len)
{
	if (len <= most)
		return 0;

	if (bpf_crash_kexec("length %lu is more than %lu", len, most))
		bpf_panic("length %lu is more than %lu", len, most);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * One particular warning, and no other. The kernel log has its file and line, as in
 * "WARNING: mm/slub.c:1234 at ...".
 *
 *	./set warned.bpf.o file=$FILE line=$LINE
 *	bpftool prog loadall warned.bpf.o /sys/fs/bpf/warned autoattach destructive
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

const volatile char file[64];
const volatile int line;

SEC("fentry/__warn")
int BPF_PROG(warned, const char *in, int at, void *caller)
{
	if (at != line || bpf_strcmp(in, (const char *)file))
		return 0;

	if (bpf_crash_kexec("warning at %s:%d, %pB", in, at, caller))
		bpf_panic("warning at %s:%d, %pB", in, at, caller);
	return 0;
}

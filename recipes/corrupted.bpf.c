// SPDX-License-Identifier: GPL-2.0
/*
 * A list is corrupted, or an object is freed twice: what the checks in these files find.
 * CONFIG_LIST_HARDENED has the first, slab_debug=F on the command line the second.
 *
 *	./set corrupted.bpf.o files=lib/list_debug.c,mm/slub.c
 *	bpftool prog loadall corrupted.bpf.o /sys/fs/bpf/corrupted autoattach destructive
 *
 * With CONFIG_BUG_ON_DATA_CORRUPTION a list is a BUG, which panic_on_oops is for.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

const volatile char files[4][32] = { "lib/list_debug.c", "mm/slub.c" };

SEC("fentry/__warn")
int BPF_PROG(corrupted, const char *file, int line)
{
	int i;

	for (i = 0; i < 4; i++) {
		if (!files[i][0] || bpf_strstr(file, (const char *)files[i]) < 0)
			continue;
		if (bpf_crash_kexec("memory is corrupted, says %s:%d", file, line))
			bpf_panic("memory is corrupted, says %s:%d", file, line);
	}
	return 0;
}

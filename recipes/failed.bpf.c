// SPDX-License-Identifier: GPL-2.0
/*
 * A function returns an error, for one process or one device.
 *
 *	./set failed.bpf.o error=5 pid=$PID dev=$DEV
 *	bpftool prog loadall failed.bpf.o /sys/fs/bpf/failed autoattach destructive
 *
 * The device is that of a device node, or of the file system that the file is on.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

const volatile int error = 5;	/* EIO */
const volatile int pid;		/* 0: any */
const volatile dev_t dev;	/* major << 20 | minor; 0: any */

SEC("fexit/vfs_read")
int BPF_PROG(read_failed, struct file *file, char *buf, size_t count, loff_t *pos, ssize_t ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	dev_t from = file->f_inode->i_rdev ?: file->f_inode->i_sb->s_dev;

	if (ret != -error || (pid && pid != task->tgid) || (dev && dev != from))
		return 0;

	if (bpf_crash_kexec("read of device %u:%u failed: %ld", from >> 20, from & 0xfffff, ret))
		bpf_panic("read of device %u:%u failed: %ld", from >> 20, from & 0xfffff, ret);
	return 0;
}

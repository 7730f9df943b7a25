// SPDX-License-Identifier: GPL-2.0
/* The loads in a user namespace of their own, with and without a token. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "matrix.h"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || close(fd))
		die("%s", path);
}

/* Become root, with all capabilities, of new user and mount namespaces. */
static void enter_userns(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		die("no user namespace");
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 0 1");
	write_file("/proc/self/gid_map", "0 0 1");
}

static int pass_int(int sock, int val)
{
	return write(sock, &val, sizeof(val)) == sizeof(val) ? 0 : -EPIPE;
}

static int get_int(int sock)
{
	int val;

	return read(sock, &val, sizeof(val)) == sizeof(val) ? val : -EPIPE;
}

/*
 * A token for a bpffs of this user namespace. The delegation has to be configured
 * by the parent: it is not for who has it to say how much it is.
 */
static int create_token(int sock)
{
	int fs_fd = syscall(SYS_fsopen, "bpf", 0), mnt_fd, bpffs_fd, token_fd;

	if (fs_fd < 0 || pass_int(sock, fs_fd) || get_int(sock))
		die("no bpffs");
	mnt_fd = syscall(SYS_fsmount, fs_fd, 0, 0);
	bpffs_fd = openat(mnt_fd, ".", O_RDONLY | O_DIRECTORY);
	token_fd = bpf_token_create(bpffs_fd, NULL);
	if (token_fd < 0)
		die("no token");
	return token_fd;
}

static void delegate_everything(int pid, int sock)
{
	static const char *const keys[] = { "delegate_cmds", "delegate_maps", "delegate_progs", "delegate_attachs" };
	int fs_fd = syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), get_int(sock), 0);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_STRING, keys[i], "any", 0))
			die("%s", keys[i]);
	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) || pass_int(sock, 0))
		die("cannot delegate");
}

void judge_in_child(int ns)
{
	int socks[2], status, pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, socks))
		die("socketpair");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(socks[0]);
		enter_userns();
		judge_all(ns, ns == CHILD_USERNS_TOKEN ? create_token(socks[1]) : -1);
		_exit(0);
	}
	close(socks[1]);
	if (ns == CHILD_USERNS_TOKEN)
		delegate_everything(pid, socks[0]);
	if (waitpid(pid, &status, 0) < 0 || status) {
		errno = ECHILD;
		die("%s", ns_names[ns]);
	}
	close(socks[0]);
}

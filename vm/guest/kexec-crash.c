// SPDX-License-Identifier: GPL-2.0
/*
 * Loads a crash kernel with kexec_file_load(2), which is all that the guest
 * needs of kexec-tools: kexec-crash KERNEL INITRD COMMAND-LINE
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_or_say(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		fprintf(stderr, "kexec-crash: %s: %s\n", path, strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	int kernel, initrd;

	if (argc != 4) {
		fprintf(stderr, "usage: kexec-crash KERNEL INITRD COMMAND-LINE\n");
		return 2;
	}

	kernel = open_or_say(argv[1]);
	initrd = open_or_say(argv[2]);
	if (kernel < 0 || initrd < 0)
		return 1;

	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[3]) + 1, argv[3],
		    KEXEC_FILE_ON_CRASH)) {
		fprintf(stderr, "kexec-crash: kexec_file_load: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}

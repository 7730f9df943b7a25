// SPDX-License-Identifier: GPL-2.0
/* What the kernel log and audit say when a destructive program is loaded. */
#include <endian.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/prctl.h>
#include <test_progs.h>
#include "destructive_tools.skel.h"
#include "destructive_helpers.h"

#define NOTICE "BPF: destructive program %s, id %u, tag %016llx, loaded by uid 0, pid %d: "

/* Load one of the two programs, with the flag or not. */
static struct bpf_prog_info load_and_close(bool destructive)
{
	struct destructive_tools *skel = destructive_tools__open();
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	struct bpf_program *prog;

	if (!ASSERT_OK_PTR(skel, "open"))
		return info;
	prog = destructive ? skel->progs.tracing : skel->progs.filter;
	bpf_program__set_autoload(destructive ? skel->progs.filter : skel->progs.tracing, false);
	if (destructive)
		bpf_program__set_flags(prog, BPF_F_DESTRUCTIVE);
	if (ASSERT_OK(destructive_tools__load(skel), "load"))
		ASSERT_OK(bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len), "info");
	destructive_tools__destroy(skel);
	return info;
}

/* Read the kernel log up to a line that has @what in it. None up to it may have @never. */
static bool find_line(int kmsg, const char *what, const char *never)
{
	ssize_t len;

	while ((len = read(kmsg, log_buf, sizeof(log_buf) - 1)) > 0 ||
	       (len < 0 && errno == EPIPE)) {
		if (len < 0)
			continue;
		log_buf[len] = '\0';
		if (never)
			ASSERT_NULL(strstr(log_buf, never), log_buf);
		if (strstr(log_buf, what))
			return true;
	}
	return false;
}

static void format_line(char *line, size_t size, struct bpf_prog_info info)
{
	__be64 tag;

	memcpy(&tag, info.tag, sizeof(tag));
	snprintf(line, size, NOTICE, info.name, info.id, (unsigned long long)be64toh(tag),
		 getpid());
}

/*
 * Each round loads both. Earlier tests may have used up what the rate limit lets through,
 * which then is silent about either of them, for five seconds.
 */
static bool load_and_find_notice(int kmsg)
{
	char line[256], never[256];
	int i;

	for (i = 0; i < 10; i++) {
		format_line(never, sizeof(never), load_and_close(false));
		format_line(line, sizeof(line), load_and_close(true));
		if (find_line(kmsg, line, never))
			return true;
		sleep(1);
	}
	return false;
}

static void notice(void)
{
	int kmsg;

	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (!ASSERT_OK_FD(kmsg, "open /dev/kmsg"))
		return;
	lseek(kmsg, 0, SEEK_END);
	/* The name of the task must not begin a line of its own. */
	ASSERT_OK(prctl(PR_SET_NAME, "a\n<0>\240b"), "set_name");
	if (ASSERT_TRUE(load_and_find_notice(kmsg), "notice"))
		ASSERT_HAS_SUBSTR(log_buf, ": a?<0>?b\n", "task");
	ASSERT_OK(prctl(PR_SET_NAME, "test_progs"), "set_name");
	close(kmsg);
}

/* Ten in five seconds. There may be one more interval at the beginning and at the end. */
static void notice_is_limited(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_DESTRUCTIVE);
	const struct bpf_insn insns[] = { BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN() };
	int kmsg, fd, i, notices = 0;
	__u64 start = get_time_ns();

	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (!ASSERT_OK_FD(kmsg, "open /dev/kmsg"))
		return;
	lseek(kmsg, 0, SEEK_END);
	for (i = 0; i < 200; i++) {
		fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "limited", "GPL", insns,
				   ARRAY_SIZE(insns), &opts);
		if (!ASSERT_OK_FD(fd, "load"))
			break;
		close(fd);
	}
	while (find_line(kmsg, "BPF: destructive program limited, ", NULL))
		notices++;
	ASSERT_LE(notices, 10 * (2 + (get_time_ns() - start) / 5000000000ULL), "notices");
	close(kmsg);
}

/* Send a request, and wait for its answer: 0 or an error. The status is for AUDIT_GET. */
static int audit_request(int sock, int type, struct audit_status *status)
{
	struct {
		struct nlmsghdr header;
		union {
			struct audit_status status;
			struct nlmsgerr error;
		};
	} message = {
		.header = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(*status)),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.status = *status,
	};

	if (send(sock, &message, message.header.nlmsg_len, 0) < 0)
		return -errno;
	while (recv(sock, &message, sizeof(message), 0) > 0) {
		if (message.header.nlmsg_type == NLMSG_ERROR)
			return message.error.error;
		if (message.header.nlmsg_type == AUDIT_GET)
			*status = message.status;
	}
	return -errno;
}

/* The record of program @id with @op, in @log_buf. */
static bool find_record(int sock, __u32 id, const char *op)
{
	struct nlmsghdr *header = (void *)log_buf;
	char what[64];
	ssize_t len;

	snprintf(what, sizeof(what), "prog-id=%u op=%s ", id, op);
	while ((len = recv(sock, log_buf, sizeof(log_buf) - 1, 0)) > 0) {
		log_buf[len] = '\0';
		if (header->nlmsg_type == AUDIT_BPF && strstr(NLMSG_DATA(header), what))
			return true;
	}
	return false;
}

static void check_records(int sock, bool destructive)
{
	const char *field = destructive ? " destructive=1" : " destructive=0";
	__u32 id = load_and_close(destructive).id;

	if (ASSERT_TRUE(find_record(sock, id, "LOAD"), "load record"))
		ASSERT_HAS_SUBSTR((char *)NLMSG_DATA(log_buf), field, "load");
	if (ASSERT_TRUE(find_record(sock, id, "UNLOAD"), "unload record"))
		ASSERT_HAS_SUBSTR((char *)NLMSG_DATA(log_buf), field, "unload");
}

static int audit_socket(unsigned int groups)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	struct timeval timeout = { .tv_sec = 10 };
	int sock;

	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	if (sock < 0)
		return -errno;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	ASSERT_OK(bind(sock, (void *)&address, sizeof(address)), "bind");
	return sock;
}

static void audit_records(void)
{
	struct audit_status old = {}, new = { .mask = AUDIT_STATUS_ENABLED, .enabled = 1 };
	int records = -1, sock;

	sock = audit_socket(0);
	if (sock == -EPROTONOSUPPORT) {
		printf("%s:SKIP: the kernel has no audit support\n", __func__);
		test__skip();
		return;
	}
	if (!ASSERT_OK_FD(sock, "socket"))
		return;
	records = audit_socket(1 << (AUDIT_NLGRP_READLOG - 1));
	if (ASSERT_OK_FD(records, "socket for records") &&
	    ASSERT_OK(audit_request(sock, AUDIT_GET, &old), "get") &&
	    (old.enabled || ASSERT_OK(audit_request(sock, AUDIT_SET, &new), "enable"))) {
		check_records(records, true);
		check_records(records, false);
		new.enabled = 0;
		if (!old.enabled)
			ASSERT_OK(audit_request(sock, AUDIT_SET, &new), "disable");
	}
	close(records);
	close(sock);
}

/* Audit and the limit of the notice are for all processes. */
void serial_test_destructive_log(void)
{
	if (test__start_subtest("notice"))
		notice();
	if (test__start_subtest("notice_is_limited"))
		notice_is_limited();
	if (test__start_subtest("audit_records"))
		audit_records();
}

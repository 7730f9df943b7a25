// SPDX-License-Identifier: GPL-2.0
/* A BPF LSM policy: destructive programs are signed, or come from a signed loader. */
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <test_progs.h>
#include "bpftool_helpers.h"
#include "destructive_policy.skel.h"
#include "destructive_tools.skel.h"
#include "destructive_helpers.h"

#define OBJECT "destructive_tools.bpf.o"

static struct destructive_policy *policy;
static char *key_dir;

/* By a loader program, as in a light skeleton. */
static int load_by_loader(bool sign)
{
	char command[MAX_BPFTOOL_CMD_LEN];

	if (!sign)
		return run_bpftool_command("-L prog load " OBJECT " destructive");
	snprintf(command, sizeof(command),
		 "-S -k %s/signing_key.pem -i %s/signing_key.der prog load " OBJECT " destructive",
		 key_dir, key_dir);
	return run_bpftool_command(command);
}

static int load_directly(bool flag)
{
	struct destructive_tools *skel = destructive_tools__open();
	struct bpf_program *prog;
	int err;

	if (!ASSERT_OK_PTR(skel, "open"))
		return -EINVAL;
	prog = flag ? skel->progs.tracing : skel->progs.filter;
	bpf_program__set_autoload(flag ? skel->progs.filter : skel->progs.tracing, false);
	if (flag)
		bpf_program__set_flags(prog, BPF_F_DESTRUCTIVE);
	err = destructive_tools__load(skel);
	destructive_tools__destroy(skel);
	return err;
}

static int load_extension(const struct destructive *target)
{
	struct destructive *skel = destructive__open();
	struct bpf_program *prog;
	int err;

	if (!ASSERT_OK_PTR(skel, "open"))
		return -EINVAL;
	prog = select_prog(skel->obj, "ext", false);
	bpf_program__set_attach_target(prog, bpf_program__fd(target->progs.target), "replaced");
	err = destructive__load(skel);
	destructive__destroy(skel);
	return err;
}

/* A rejection of bpftool may have other reasons. */
static void enforce(void)
{
	policy->bss->rejected = 0;
	policy->bss->enforce = true;
}

static void direct_load_rejected(void)
{
	ASSERT_OK(load_directly(true), "without policy");
	enforce();
	ASSERT_EQ(load_directly(true), -EPERM, "with flag");
	ASSERT_OK(load_directly(false), "without flag");
}

static void unsigned_loader_rejected(void)
{
	ASSERT_OK(load_by_loader(false), "without policy");
	enforce();
	ASSERT_NEQ(load_by_loader(false), 0, "unsigned loader");
	ASSERT_EQ(policy->bss->rejected, 1, "rejected");
}

/* What a loader loads has no signature of its own, and comes with kernel = true. */
static void loaders_are_the_gate(void)
{
	policy->bss->allow_loaders = true;
	enforce();
	ASSERT_OK(load_by_loader(false), "unsigned loader, loaders not restricted");
	ASSERT_EQ(policy->bss->rejected, 0, "rejected");
}

static void extension_rejected(void)
{
	struct bpf_program *prog;
	struct destructive *target;

	target = load_prog("target", false, &prog);
	if (!target)
		return;
	ASSERT_OK(load_extension(target), "without policy");
	enforce();
	ASSERT_EQ(load_extension(target), -EPERM, "unsigned extension");
	destructive__destroy(target);
}

static void signed_loader_allowed(void)
{
	policy->bss->trust_user_keyring = true;
	enforce();
	ASSERT_OK(load_by_loader(true), "signed loader");
	ASSERT_EQ(policy->bss->rejected, 0, "rejected");
}

/* Anybody can add a key to a session keyring. */
static void other_keyring_rejected(void)
{
	ASSERT_OK(load_by_loader(true), "without policy");
	enforce();
	ASSERT_NEQ(load_by_loader(true), 0, "signed with a key of the session keyring");
	ASSERT_EQ(policy->bss->rejected, 1, "rejected");
}

static bool setup_key(const char *command)
{
	char line[PATH_MAX];

	snprintf(line, sizeof(line), "./verify_sig_setup.sh %s %s", command, key_dir);
	return ASSERT_OK(system(line), line);
}

static void run_subtest(const char *name, void (*test)(void))
{
	if (!test__start_subtest(name))
		return;
	policy->bss->allow_loaders = false;
	policy->bss->trust_user_keyring = false;
	test();
	policy->bss->enforce = false;
}

/* The policy is for all processes, so no other test runs beside this one. */
void serial_test_destructive_policy(void)
{
	char dir[] = "/tmp/destructive_policyXXXXXX";

	policy = destructive_policy__open_and_load();
	if (!ASSERT_OK_PTR(policy, "open_and_load"))
		return;
	/* of its own: bpftool leaves keys there */
	if (!ASSERT_GT(syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), 0, "keyring"))
		goto destroy;
	key_dir = mkdtemp(dir);
	if (!ASSERT_OK_PTR(key_dir, "mkdtemp"))
		goto destroy;
	if (!setup_key("setup") ||
	    !ASSERT_OK(destructive_policy__attach(policy), "attach"))
		goto cleanup;

	run_subtest("direct_load_rejected", direct_load_rejected);
	run_subtest("unsigned_loader_rejected", unsigned_loader_rejected);
	run_subtest("loaders_are_the_gate", loaders_are_the_gate);
	run_subtest("extension_rejected", extension_rejected);
	run_subtest("signed_loader_allowed", signed_loader_allowed);
	run_subtest("other_keyring_rejected", other_keyring_rejected);
cleanup:
	setup_key("cleanup");
destroy:
	destructive_policy__destroy(policy);
}

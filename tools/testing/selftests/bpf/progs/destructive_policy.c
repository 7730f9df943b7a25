// SPDX-License-Identifier: GPL-2.0
/*
 * A policy: a destructive program is signed, or is loaded by a loader program that is
 * signed, with a key of a keyring that the administrator trusts. It reads only the
 * attributes of the load and the verdict on the signature.
 */
#include <vmlinux.h>
#include <errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

/* vmlinux.h has no macros. */
#define BPF_F_DESTRUCTIVE 0x100

bool enforce;
/* The tests have no key of the builtin keyring. */
bool trust_user_keyring;
/* For the test that shows why loaders are restricted. */
bool allow_loaders;
int rejected;

static bool is_trusted(const struct bpf_prog *prog)
{
	enum bpf_sig_keyring trusted = trust_user_keyring ? BPF_SIG_KEYRING_USER :
							    BPF_SIG_KEYRING_BUILTIN;

	return prog->aux->sig.verdict == BPF_SIG_VERIFIED &&
	       prog->aux->sig.keyring_type == trusted;
}

/* These have bpf_sys_bpf(): SYSCALL, and EXT, which has the helpers of its target. */
static bool may_be_loader(__u32 prog_type)
{
	return prog_type == BPF_PROG_TYPE_SYSCALL || prog_type == BPF_PROG_TYPE_EXT;
}

SEC("lsm/bpf_prog_load")
int BPF_PROG(policy, struct bpf_prog *prog, union bpf_attr *attr, struct bpf_token *token,
	     bool kernel)
{
	/* A loader, which was looked at when it was loaded, or a kernel module. */
	if (!enforce || kernel || is_trusted(prog))
		return 0;
	if (!(attr->prog_flags & BPF_F_DESTRUCTIVE) &&
	    (allow_loaders || !may_be_loader(attr->prog_type)))
		return 0;
	rejected++;
	return -EPERM;
}

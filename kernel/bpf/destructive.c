// SPDX-License-Identifier: GPL-2.0
/*
 * Destructive BPF programs: who may load one, and what it may call.
 *
 * A program that was granted BPF_F_DESTRUCTIVE has prog->aux->destructive set.
 * That bit is given here and nowhere else; whoever wants to know whether a
 * program may be destructive asks for the bit, not for a capability.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/init.h>
#include <linux/panic.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/uidgid.h>

#define verbose(env, fmt, args...) bpf_verifier_log_write(env, fmt, ##args)

/*
 * Not is_tracing_prog_type() of the verifier: that one names the types which
 * must not use certain map features and leaves BPF_PROG_TYPE_TRACING out. LSM
 * programs are no tracing programs: they decide, they do not watch.
 */
static bool prog_type_may_be_destructive(enum bpf_prog_type type)
{
	switch (type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
	case BPF_PROG_TYPE_TRACING:
		return true;
	default:
		return false;
	}
}

/**
 * bpf_check_destructive() - Decide whether a program may be destructive.
 * @env: The verifier environment of the program that is being loaded.
 * @prog_flags: The flags that BPF_PROG_LOAD was called with.
 *
 * The type is judged before the capability, so that the answer to a wrong type
 * does not depend on who asks. A BPF_PROG_TYPE_EXT program counts as the type
 * of the program that it replaces a function of.
 *
 * Return:
 * * 0		- BPF_F_DESTRUCTIVE was not asked for, or it is granted.
 * * -EINVAL	- The program is not a tracing program.
 * * -EPERM	- The loader lacks CAP_SYS_BOOT in the initial user namespace.
 */
int bpf_check_destructive(struct bpf_verifier_env *env, u32 prog_flags)
{
	enum bpf_prog_type type = resolve_prog_type(env->prog);

	if (!(prog_flags & BPF_F_DESTRUCTIVE))
		return 0;

	if (!prog_type_may_be_destructive(type)) {
		verbose(env,
			"BPF_F_DESTRUCTIVE is refused: program type %d is not a tracing type, load without the flag or use a tracing program\n",
			type);
		return -EINVAL;
	}

	/*
	 * Plain capable(), not bpf_token_capable(): the machine belongs to the
	 * initial user namespace, and nobody below it can delegate its end.
	 */
	if (!capable(CAP_SYS_BOOT)) {
		verbose(env,
			"BPF_F_DESTRUCTIVE is refused: it requires CAP_SYS_BOOT in the initial user namespace, load with that capability or without the flag\n");
		return -EPERM;
	}

	env->prog->aux->destructive = true;
	return 0;
}

/* A destructive kfunc is at work on this CPU. */
static DEFINE_PER_CPU(bool, bpf_destructive_active);

/*
 * Enter a destructive kfunc, with preemption disabled for good.
 *
 * Both printk() and panic() run code that programs can be attached to. Let the
 * outermost call on a CPU finish and turn away whatever it sets off: nesting
 * would only be bounded by the number of programs, and the stack is not.
 */
static bool bpf_destructive_enter(void)
{
	if (panic_on_this_cpu())
		return false;

	preempt_disable_notrace();
	if (!this_cpu_xchg(bpf_destructive_active, true))
		return true;
	preempt_enable_notrace();
	return false;
}

/*
 * Name the program that ends the machine. The caller may hold the console or a
 * runqueue lock, so leave the printing to panic(), which flushes the log from
 * any context; all that happens here is that the record goes into the log.
 */
static void bpf_destructive_announce(const struct bpf_prog_aux *aux, const char *action)
{
	const struct bpf_prog *prog = aux->main_prog_aux->prog;

	printk_deferred(KERN_EMERG "BPF: %s on CPU %d by program %s, id %u, tag %*phN, loaded by uid %u\n",
			action, raw_smp_processor_id(),
			prog->aux->name[0] ? prog->aux->name : "(unnamed)",
			prog->aux->id, (int)sizeof(prog->tag), prog->tag,
			from_kuid(&init_user_ns, prog->aux->user->uid));
}

__bpf_kfunc_start_defs();

/**
 * bpf_vpanic() - Panic the kernel with a message of the program.
 * @fmt__str: Format of the message, a constant string. The conversions are
 *	those of bpf_trace_vprintk().
 * @args: Array of the values for the conversions, an u64 each.
 * @len__sz: Size of @args in bytes, a multiple of 8 and at most 96.
 * @aux: The calling program, passed by the verifier.
 *
 * Programs call this through the bpf_panic() macro of bpf_helpers.h.
 *
 * Prints one line that names the calling program (name, id, tag, the uid of
 * its loader) and then panics with "BPF: " and the message. What follows is up
 * to the machine's configuration, as with any other panic(): a crash kernel
 * takes over when one is loaded, kmsg_dump and the panic notifiers run, and the
 * machine stops or restarts. Nothing is synced and user space is not asked.
 *
 * The message never acts as a format for panic(), and all but printable
 * characters in it are escaped, so that it cannot forge lines of the console.
 * One newline at its end is dropped. What does not fit panic()'s buffer is cut
 * off. If the message cannot be formatted, because the format does not match
 * @args or the per-CPU format buffers are in use, the machine panics all the
 * same, with @fmt__str as it is and the error.
 *
 * Context: Any, including NMI and hard interrupts, and with the console or
 * scheduler locks held. Where panic() itself relies on the platform, for
 * instance for stopping the other CPUs, so does this.
 *
 * Return: Normally not at all. It returns, having done nothing, on a CPU that
 * is in panic() or in a destructive kfunc already: the program runs on a
 * function or tracepoint of that very path. On a CPU other than the panicking
 * one the call does not return and the CPU waits to be stopped, as in panic().
 */
__bpf_kfunc void bpf_vpanic(const char *fmt__str, const void *args, u32 len__sz,
			    struct bpf_prog_aux *aux)
{
	struct bpf_bprintf_data data = {
		.get_bin_args	= true,
		.get_buf	= true,
	};
	const char *msg = fmt__str;
	int err = -EINVAL, len;

	if (!bpf_destructive_enter())
		return;

	if (!(len__sz & 7) && len__sz <= MAX_BPRINTF_VARARGS * 8)
		err = bpf_bprintf_prepare(fmt__str, strlen(fmt__str) + 1, args,
					  len__sz / 8, &data);
	if (!err) {
		bstr_printf(data.buf, MAX_BPRINTF_BUF, fmt__str, data.bin_args);
		msg = data.buf;
	}

	len = strnlen(msg, MAX_BPRINTF_BUF);
	if (len && msg[len - 1] == '\n')
		len--;

	bpf_destructive_announce(aux, "panic");
	if (err)
		panic("BPF: %*pE (not formatted, error %d)", len, msg, err);
	panic("BPF: %*pE", len, msg);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(destructive_kfunc_ids)
BTF_ID_FLAGS(func, bpf_vpanic, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS)
BTF_KFUNCS_END(destructive_kfunc_ids)

static const struct btf_kfunc_id_set destructive_kfunc_set = {
	.owner = THIS_MODULE,
	.set   = &destructive_kfunc_ids,
};

static int __init destructive_kfunc_init(void)
{
	int ret;

	/*
	 * The two hooks of the types in prog_type_may_be_destructive(). LSM
	 * programs share the tracing hook, but cannot get the flag.
	 */
	ret = register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &destructive_kfunc_set);
	return ret ?: register_btf_kfunc_id_set(BPF_PROG_TYPE_KPROBE, &destructive_kfunc_set);
}
late_initcall(destructive_kfunc_init);

// SPDX-License-Identifier: GPL-2.0
/*
 * Destructive BPF programs: those that were loaded with BPF_F_DESTRUCTIVE, and
 * may call kfuncs that end the machine, and these kfuncs.
 *
 * prog->aux->destructive is set here, at load, and never changes.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/capability.h>
#include <linux/console.h>
#include <linux/cred.h>
#include <linux/debug_locks.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/kexec.h>
#include <linux/panic.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#define verbose(env, fmt, args...) bpf_verifier_log_write(env, fmt, ##args)

/* The types of debugging programs. */
static bool prog_type_may_be_destructive(enum bpf_prog_type type)
{
	switch (type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_TRACING:
		return true;
	default:
		return false;
	}
}

/*
 * Grant or refuse BPF_F_DESTRUCTIVE at load. The type comes first, so that the
 * answer to a wrong type does not depend on the loader. An extension counts as
 * the type of its target.
 */
int bpf_destructive_check_load(struct bpf_verifier_env *env, u32 prog_flags)
{
	enum bpf_prog_type type = resolve_prog_type(env->prog);

	if (!(prog_flags & BPF_F_DESTRUCTIVE))
		return 0;

	if (!prog_type_may_be_destructive(type)) {
		verbose(env, "BPF_F_DESTRUCTIVE is for tracing programs, not for program type %d\n",
			type);
		return -EINVAL;
	}

	/* No bpf_token_capable(): a user namespace does not own the machine. */
	if (!capable(CAP_SYS_BOOT)) {
		verbose(env,
			"BPF_F_DESTRUCTIVE requires CAP_SYS_BOOT in the initial user namespace\n");
		return -EPERM;
	}

	env->prog->aux->destructive = true;
	return 0;
}

/*
 * May @prog watch, or replace a function of, the BPF program @tgt_prog? Others
 * attach and run a program without the flag where they like, and what is attached
 * to it runs there, too. A program with the flag may be watched by any other, but
 * its functions are not for others to replace.
 */
int bpf_destructive_check_target(struct bpf_verifier_log *log, const struct bpf_prog *prog,
				 const struct bpf_prog *tgt_prog)
{
	if (prog->aux->destructive && !tgt_prog->aux->destructive) {
		bpf_log(log,
			"Program with BPF_F_DESTRUCTIVE cannot attach to a program without it\n");
		return -EINVAL;
	}

	if (prog->type == BPF_PROG_TYPE_EXT &&
	    !prog->aux->destructive && tgt_prog->aux->destructive) {
		bpf_log(log,
			"Extension without BPF_F_DESTRUCTIVE cannot replace a function of a program with it\n");
		return -EINVAL;
	}

	return 0;
}

/*
 * The callback of a timer or bpf_wq is code of the program that has set it, and
 * any program with the map may start it. The first program that uses such a map
 * decides whether it is for destructive programs, as with program arrays.
 */
static bool claim_async(struct bpf_map *map, bool destructive)
{
	int old, owner = destructive ? 1 : -1;

	if (!bpf_map_has_internal_structs(map))
		return true;
	old = cmpxchg(&map->async_owner, 0, owner);
	return !old || old == owner;
}

int bpf_destructive_claim_maps(struct bpf_verifier_env *env)
{
	bool destructive = env->prog->aux->destructive;
	u32 i;

	for (i = 0; i < env->used_map_cnt; i++) {
		struct bpf_map *map = env->used_maps[i], *inner = map->inner_map_meta;

		/* Inner maps come and go after load. */
		if (destructive && inner && bpf_map_has_internal_structs(inner)) {
			verbose(env,
				"Program with BPF_F_DESTRUCTIVE cannot use timers and work of inner maps\n");
			return -EINVAL;
		}
		if (!claim_async(map, destructive)) {
			verbose(env,
				"Programs with and without BPF_F_DESTRUCTIVE cannot share timers and work of map %s\n",
				map->name);
			return -EINVAL;
		}
	}
	return 0;
}

/* Only programs without the flag can get at the timers and work of an inner map. */
bool bpf_destructive_claim_inner_map(struct bpf_map *map)
{
	return claim_async(map, false);
}

/*
 * Require CAP_SYS_BOOT of whoever gets a destructive program to attach or run it:
 * it may have come from a pin, over a socket, or by its id. This is part of getting
 * a program by file descriptor, id or path, so an attach point that does so has the
 * check. Those that cannot make the program run use bpf_prog_peek(). What takes a
 * program from another object, as an iterator does from its link, has to ask itself.
 *
 * Takes over the reference to @prog, which may be an error.
 */
struct bpf_prog *bpf_destructive_check_use(struct bpf_prog *prog)
{
	if (IS_ERR(prog) || !prog->aux->destructive || capable(CAP_SYS_BOOT))
		return prog;

	bpf_prog_put(prog);
	return ERR_PTR(-EPERM);
}

/* What destructive kfuncs are at work on this CPU. */
enum {
	AT_WORK_PRINTING = 1 << 0,	/* comes back soon */
	AT_WORK_POWERING_OFF = 1 << 1,	/* puts it into motion, and comes back */
	AT_WORK_ENDING = 1 << 2,	/* ends the machine, or finds that it cannot */
};

static DEFINE_PER_CPU(unsigned int, bpf_destructive_at_work);

/* Is this CPU ending the machine already, or passing that on to another one? */
static bool ending_on_this_cpu(void)
{
	return panic_on_this_cpu() ||
	       atomic_read(&panic_redirect_cpu) == raw_smp_processor_id();
}

/* Is a panic() on its way to another CPU? It came first, but panic_cpu is still free. */
static bool panic_is_redirected(void)
{
	return atomic_read(&panic_redirect_cpu) != PANIC_CPU_INVALID;
}

/*
 * Enter a destructive kfunc, with preemption disabled until it leaves.
 *
 * Formatting, printk() and panic() run code that programs can be attached to.
 * Let the outermost call on a CPU finish and turn away whatever it sets off:
 * nesting would only be bounded by the number of programs, and the stack is
 * not. For the same reason stay out of a panic() that somebody else began.
 *
 * But a CPU that only prints can be told to end the machine, by an interrupt
 * for instance, and that must not be lost.
 */
static bool bpf_destructive_enter(unsigned int what)
{
	unsigned int at_work;

	if (ending_on_this_cpu())
		return false;

	preempt_disable_notrace();
	at_work = this_cpu_read(bpf_destructive_at_work);
	if (at_work < what) {
		this_cpu_write(bpf_destructive_at_work, at_work | what);
		return true;
	}
	preempt_enable_notrace();
	return false;
}

/* For a kfunc that has printed, or that found that there is nothing it can do. */
static void bpf_destructive_leave(unsigned int what)
{
	this_cpu_and(bpf_destructive_at_work, ~what);
	preempt_enable_notrace();
}

static const char *prog_name(const struct bpf_prog_aux *aux)
{
	aux = aux->main_prog_aux;
	return aux->name[0] ? aux->name : "(unnamed)";
}

/*
 * Name the program that ends the machine. The caller may hold the console or a
 * runqueue lock, so only put the record into the log: what ends the machine
 * prints it, or takes it into the dump.
 */
static void bpf_destructive_announce(const struct bpf_prog_aux *aux, const char *action)
{
	const struct bpf_prog *prog = aux->main_prog_aux->prog;

	printk_deferred(KERN_EMERG "BPF: %s on CPU %d by program %s, id %u, tag %*phN, loaded by uid %u\n",
			action, raw_smp_processor_id(), prog_name(aux),
			prog->aux->id, (int)sizeof(prog->tag), prog->tag,
			from_kuid(&init_user_ns, prog->aux->user->uid));
}

/*
 * End the machine by @action, on this CPU or on the one that came first. The
 * same claim as in panic() and crash_kexec() sees to it that these, and other
 * destructive kfuncs, do not interfere: they wait to be stopped, too.
 */
static void __noreturn end_machine(void (*action)(void))
{
	local_irq_disable();
	if (!panic_try_start())
		panic_smp_self_stop();

	console_verbose();
	bust_spinlocks(1);
	smp_send_stop();
	debug_locks_off();
	printk_legacy_allow_panic_sync();
	console_flush_on_panic(CONSOLE_FLUSH_PENDING);

	action();
	/* The platform cannot do it. */
	machine_halt();
	panic_smp_self_stop();
}

static void halt_irq_work(struct irq_work *work)
{
	/* A panic() that came in between goes on as it is configured. */
	if (!ending_on_this_cpu() && !panic_is_redirected())
		end_machine(machine_halt);
}

/* One for each CPU: another one may be stuck and never get to it. */
static DEFINE_PER_CPU(struct irq_work, halt_work) = IRQ_WORK_INIT_HARD(halt_irq_work);

static void power_off_worker(struct work_struct *work)
{
	if (!kernel_can_power_off())
		kernel_halt();
	kernel_power_off();
	/* It did not work, and there is no way back. */
	machine_halt();
}

static DECLARE_WORK(power_off_work, power_off_worker);

static void power_off_irq_worker(struct irq_work *work)
{
	schedule_work(&power_off_work);
}

static DEFINE_PER_CPU(struct irq_work, power_off_irq_work) = IRQ_WORK_INIT(power_off_irq_worker);

/* A record of the kernel log has 1024 bytes, for the name of the program, too. */
#define EMERG_LINE_SIZE 960

/* Belongs to who has AT_WORK_PRINTING. */
static DEFINE_PER_CPU(char [EMERG_LINE_SIZE], bpf_emerg_line);

/* Format a message into a per-CPU buffer, for bpf_bprintf_cleanup() to give back. */
static int format_message(const char *fmt, const void *args, u32 size,
			  struct bpf_bprintf_data *data)
{
	int err;

	if (size & 7 || size > MAX_BPRINTF_VARARGS * 8)
		return -EINVAL;

	err = bpf_bprintf_prepare(fmt, strlen(fmt) + 1, args, size / 8, data);
	if (err)
		return err;

	bstr_printf(data->buf, MAX_BPRINTF_BUF, fmt, data->bin_args);
	return 0;
}

/* Without the newline that many write out of habit. */
static int message_len(const char *msg)
{
	int len = strnlen(msg, MAX_BPRINTF_BUF);

	return len && msg[len - 1] == '\n' ? len - 1 : len;
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
 * The message never acts as a format for panic(), and what is not printable in
 * it is escaped as %pE does, so that it cannot forge lines of the console. One
 * newline at its end is dropped. What does not fit panic()'s buffer is cut off.
 * If the message cannot be formatted, because the format does not match @args
 * or the per-CPU format buffers are in use, the machine panics all the same,
 * with the unformatted @fmt__str and the error.
 *
 * Where several CPUs call this at once, more than one may name its program and
 * the CPU, and one of them panics: the one with the message of the panic line,
 * and, where panic() prints one, the stack trace below it.
 *
 * Context: Any, including NMI and hard interrupts. With a lock of the scheduler
 * or of a console held it is as good as panic() is there: the machine ends, a
 * crash kernel is started, and the message is in the log, but not all consoles
 * may show it. A CPU that loses against another one in NMI context waits
 * without having saved its registers for the dump.
 *
 * Return: Normally not at all. It returns, having done nothing, on a CPU that
 * is in panic(), crash_kexec() or a kfunc that ends the machine already: the
 * program runs on a function or tracepoint of that very path, or in an interrupt
 * of it. On a CPU other than the panicking one the call does not return and the
 * CPU waits to be stopped, as in panic().
 */
__bpf_kfunc void bpf_vpanic(const char *fmt__str, const void *args, u32 len__sz,
			    struct bpf_prog_aux *aux)
{
	struct bpf_bprintf_data data = {
		.get_bin_args	= true,
		.get_buf	= true,
	};
	int err;

	if (!bpf_destructive_enter(AT_WORK_ENDING))
		return;

	err = format_message(fmt__str, args, len__sz, &data);
	bpf_destructive_announce(aux, "panic");
	if (err)
		panic("BPF: %*pE (not formatted, error %d)",
		      message_len(fmt__str), fmt__str, err);
	panic("BPF: %*pE", message_len(data.buf), data.buf);
}

/**
 * bpf_vpr_emerg() - Print a message of the program on the console.
 * @fmt__str: Format of the message, a constant string. The conversions are
 *	those of bpf_trace_vprintk().
 * @args: Array of the values for the conversions, an u64 each.
 * @len__sz: Size of @args in bytes, a multiple of 8 and at most 96.
 * @aux: The calling program, passed by the verifier.
 *
 * Programs call this through the bpf_pr_emerg() macro of bpf_helpers.h.
 *
 * Adds one line to the kernel log, at the level KERN_EMERG: "BPF: ", name and id
 * of the calling program and the message, which is escaped as by bpf_vpanic()
 * and cut off where it does not fit a record of the log. The consoles print it
 * as soon as that is safe, which may be after the program has returned. The
 * serial line of a busy machine is slow and the log of fixed size, so all
 * programs together get ten messages in five seconds; the first one after that
 * is preceded by a line that tells how many were too many.
 *
 * Context: Any, including NMI and hard interrupts, and with any lock held.
 *
 * Return: The number of characters that went into the log, which is 0 while
 * another CPU panics, or an error. -EBUSY also tells of a destructive kfunc or a
 * panic() that the program runs inside of.
 *
 * * -EAGAIN	- There were too many messages lately.
 * * -EINVAL	- The format does not match @args.
 * * -ENOSPC	- The values do not fit the format buffers.
 * * -EBUSY	- The per-CPU format buffers are in use.
 */
__bpf_kfunc int bpf_vpr_emerg(const char *fmt__str, const void *args, u32 len__sz,
			      struct bpf_prog_aux *aux)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);
	struct bpf_bprintf_data data = {
		.get_bin_args	= true,
		.get_buf	= true,
	};
	char *line;
	int ret;

	if (!bpf_destructive_enter(AT_WORK_PRINTING))
		return -EBUSY;

	ret = format_message(fmt__str, args, len__sz, &data);
	if (ret)
		goto leave;

	ret = -EAGAIN;
	if (!__ratelimit(&limit))
		goto cleanup;

	/* Escaping makes it longer. A record that is too long loses its newline. */
	line = this_cpu_ptr(bpf_emerg_line);
	scnprintf(line, EMERG_LINE_SIZE, "%*pE", message_len(data.buf), data.buf);
	ret = printk_deferred(KERN_EMERG "BPF: %s[%u]: %s\n", prog_name(aux),
			      aux->main_prog_aux->id, line);
cleanup:
	bpf_bprintf_cleanup(&data);
leave:
	bpf_destructive_leave(AT_WORK_PRINTING);
	return ret;
}

/**
 * bpf_halt() - Halt the machine.
 * @aux: The calling program, passed by the verifier.
 *
 * Prints one line that names the calling program, stops the other CPUs and halts
 * this one with machine_halt(). On x86 and most others it then stands still, with
 * its memory as it is, until somebody resets it or switches it off; some platforms
 * (hypervisors' guests, riscv) switch it off themselves. Nothing is synced, no
 * driver and no user space is asked.
 *
 * Context: Any. In NMI context, which on x86 includes kprobes that are neither
 * on a function's entry nor optimized, it is deferred to a hard interrupt on the
 * same CPU, through irq_work; the program and what it interrupted go on until
 * then, and if interrupts stay off on this CPU it does not happen. Elsewhere
 * the same holds for locks as with bpf_vpanic(); on x86 the lock of the IO-APICs
 * must not be held on this CPU, either.
 *
 * Return: Normally not at all, except in NMI context. It returns, having done
 * nothing, on a CPU that is in panic(), crash_kexec() or another kfunc that ends
 * the machine, and on all CPUs while panic_force_cpu= sends a panic() to another
 * one. On a CPU that loses against another one it does not return.
 */
__bpf_kfunc void bpf_halt(struct bpf_prog_aux *aux)
{
	if (panic_is_redirected() || !bpf_destructive_enter(AT_WORK_ENDING))
		return;

	if (!in_nmi()) {
		bpf_destructive_announce(aux, "halt");
		end_machine(machine_halt);
	}

	if (irq_work_queue(this_cpu_ptr(&halt_work)))
		bpf_destructive_announce(aux, "halt");
	bpf_destructive_leave(AT_WORK_ENDING);
}

/**
 * bpf_restart() - Restart the machine.
 * @aux: The calling program, passed by the verifier.
 *
 * Prints one line that names the calling program and restarts the machine the
 * way that sysrq-b does, with emergency_restart(). Nothing is synced, no driver
 * and no user space is asked. If the platform cannot restart, the machine halts.
 *
 * Context: Any, including NMI and hard interrupts. With a lock of the scheduler
 * or of a console held the same holds as with bpf_vpanic(). As in panic(), x86
 * may register an NMI handler, under a lock, to stop the other CPUs: an NMI that
 * hits this CPU while it holds that lock must not call this.
 *
 * Return: Normally not at all. It returns, having done nothing, on a CPU that is
 * in panic(), crash_kexec() or another kfunc that ends the machine, and on all CPUs
 * while panic_force_cpu= sends a panic() to another one. On a CPU that loses against
 * another one it does not return.
 */
__bpf_kfunc void bpf_restart(struct bpf_prog_aux *aux)
{
	if (panic_is_redirected() || !bpf_destructive_enter(AT_WORK_ENDING))
		return;

	bpf_destructive_announce(aux, "restart");
	end_machine(emergency_restart);
}

/**
 * bpf_power_off() - Switch the machine off.
 * @aux: The calling program, passed by the verifier.
 *
 * Adds one line to the log that names the calling program, and has the kernel
 * power the machine off the way that sysrq-o does: drivers are shut down, but
 * nothing is synced and user space is not asked. Firmware and drivers have to
 * sleep for that, so it is always deferred, through irq_work and a workqueue,
 * and does not happen on a machine that schedules no more. If the platform
 * cannot power off, the machine halts.
 *
 * Context: Any, including NMI and hard interrupts, and with any lock held.
 *
 * Return:
 * * 0		- It is on its way; the program goes on.
 * * -EBUSY	- It was on its way already, or this CPU is ending the machine.
 */
__bpf_kfunc int bpf_power_off(struct bpf_prog_aux *aux)
{
	static atomic_t under_way;
	int ret = -EBUSY;

	if (!bpf_destructive_enter(AT_WORK_POWERING_OFF))
		return ret;

	if (!atomic_xchg(&under_way, 1)) {
		bpf_destructive_announce(aux, "power off");
		ret = 0;
	}
	/* On this CPU in any case: the one that came first may be stuck. */
	irq_work_queue(this_cpu_ptr(&power_off_irq_work));
	bpf_destructive_leave(AT_WORK_POWERING_OFF);
	return ret;
}

#ifdef CONFIG_CRASH_DUMP
/**
 * bpf_crash_kexec() - Start the crash kernel, without a panic.
 * @aux: The calling program, passed by the verifier.
 *
 * Adds one line to the log that names the calling program, saves the registers
 * of this place, stops the other CPUs and starts the crash kernel, which finds
 * memory as it was. The panic notifiers and kmsg_dump do not run, and the line
 * is not printed first: it is in the log of the dump. The settings panic=,
 * panic_force_cpu= and crash_kexec_post_notifiers have no effect.
 *
 * Context: Any, including NMI and hard interrupts, and with locks held, as far
 * as the platform's crash shutdown goes.
 *
 * Return: Not at all if the crash kernel was started. Otherwise there is none,
 * or it cannot be used now, and the program goes on. -EBUSY also tells that
 * kexec is at work, loading a kernel for instance; the line is in the log all
 * the same, and a CPU that panics in the moment before the return has stopped.
 *
 * * -ENOENT	- No crash kernel is loaded.
 * * -EBUSY	- This or another CPU is ending the machine already.
 */
__bpf_kfunc int bpf_crash_kexec(struct bpf_prog_aux *aux)
{
	unsigned long flags;

	if (!kexec_crash_loaded())
		return -ENOENT;
	/* No interrupt, but for an NMI, shall find this CPU busy with what then fails. */
	local_irq_save(flags);
	if (panic_in_progress() || panic_is_redirected() ||
	    !bpf_destructive_enter(AT_WORK_ENDING))
		goto out;

	bpf_destructive_announce(aux, "crash dump");
	crash_kexec(NULL);
	bpf_destructive_leave(AT_WORK_ENDING);
out:
	local_irq_restore(flags);
	return -EBUSY;
}
#endif

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(destructive_kfunc_ids)
BTF_ID_FLAGS(func, bpf_vpanic, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS)
BTF_ID_FLAGS(func, bpf_vpr_emerg, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS)
BTF_ID_FLAGS(func, bpf_halt, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS)
BTF_ID_FLAGS(func, bpf_restart, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS)
BTF_ID_FLAGS(func, bpf_power_off, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS)
#ifdef CONFIG_CRASH_DUMP
BTF_ID_FLAGS(func, crash_kexec, KF_DESTRUCTIVE)
BTF_ID_FLAGS(func, bpf_crash_kexec, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS)
#endif
BTF_KFUNCS_END(destructive_kfunc_ids)

static const struct btf_kfunc_id_set destructive_kfunc_set = {
	.owner = THIS_MODULE,
	.set   = &destructive_kfunc_ids,
};

/* The two kfunc hooks of the types in prog_type_may_be_destructive(). */
static int __init destructive_kfunc_init(void)
{
	int ret;

	ret = register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &destructive_kfunc_set);
	return ret ?: register_btf_kfunc_id_set(BPF_PROG_TYPE_KPROBE, &destructive_kfunc_set);
}
late_initcall(destructive_kfunc_init);

// SPDX-License-Identifier: GPL-2.0
/*
 * Destructive BPF programs are loaded with BPF_F_DESTRUCTIVE, and may call kfuncs
 * that end the machine. These kfuncs, and the checks.
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
#include <linux/ctype.h>
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
	ratelimit_state_init(&env->prog->aux->emerg_limit, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	ratelimit_set_flags(&env->prog->aux->emerg_limit, RATELIMIT_MSG_ON_RELEASE);
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
 * any program with the map may start it. The first program that gets here with such
 * a map decides whether it is for destructive programs, even if its load fails then.
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
 * program from another object, as an iterator does from its link, has to call this.
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

/* What a destructive kfunc does on this CPU; a higher one may come in between. */
enum {
	BPF_DESTRUCTIVE_PRINTING = 1,	/* comes back soon */
	BPF_DESTRUCTIVE_POWERING_OFF,	/* puts it into motion, and comes back */
	BPF_DESTRUCTIVE_ENDING,		/* ends the machine, or finds that it cannot */
};

static DEFINE_PER_CPU(unsigned int, bpf_destructive_active);

struct bpf_destructive_call {
	unsigned long irqflags;
	unsigned int outer;
};

/*
 * Begin a destructive kfunc, with interrupts off until it is over.
 *
 * Formatting, printk() and panic() run code that programs can be attached to.
 * Reject nested calls: each attached program could add a level, and the stack is
 * finite. So nothing that can be traced runs before the mark is set: this and the kfuncs
 * are notrace. Stay out of a panic() here, or on its way to another CPU, too.
 */
static notrace bool bpf_destructive_begin(struct bpf_destructive_call *call,
					  unsigned int what)
{
	raw_local_irq_save(call->irqflags);
	call->outer = this_cpu_read(bpf_destructive_active);
	if (call->outer < what &&
	    atomic_read(&panic_cpu) != raw_smp_processor_id() &&
	    atomic_read(&panic_redirect_cpu) == PANIC_CPU_INVALID) {
		this_cpu_write(bpf_destructive_active, what);
		if (!raw_irqs_disabled_flags(call->irqflags))
			trace_hardirqs_off();
		/* The interrupted code may hold the console lock, or one of the scheduler. */
		printk_deferred_enter();
		return true;
	}
	raw_local_irq_restore(call->irqflags);
	return false;
}

static inline notrace void bpf_destructive_finish(const struct bpf_destructive_call *call)
{
	printk_deferred_exit();
	if (!raw_irqs_disabled_flags(call->irqflags))
		trace_hardirqs_on();
	this_cpu_write(bpf_destructive_active, call->outer);
	raw_local_irq_restore(call->irqflags);
}

/* A record of the kernel log has 1024 bytes. The rest of them is for who says it. */
#define MESSAGE_MAX 800

struct bpf_destructive_message {
	struct bpf_bprintf_data data;
	const char *text;
	int len;
	char note[32];
	char who[128];
};

static const char *prog_name(const struct bpf_prog_aux *aux)
{
	return aux->name[0] ? aux->name : "(unnamed)";
}

static bool is_printable(char c)
{
	return isascii(c) && isprint(c);
}

/* What is not printable must not forge lines of the log. One newline at the end is dropped. */
static int make_printable(char *text)
{
	char *p;

	for (p = text; *p; p++) {
		if (*p == '\n' && !p[1])
			break;
		if (!is_printable(*p))
			*p = '?';
	}
	return p - text;
}

/* For an administrator who has no audit, and for whoever reads the log in a dump. */
void bpf_destructive_note_load(const struct bpf_prog *prog)
{
	const struct bpf_prog_aux *aux = prog->aux;
	char comm[TASK_COMM_LEN];
	int len;

	if (!aux->destructive)
		return;
	get_task_comm(comm, current);
	len = make_printable(comm);
	pr_notice_ratelimited("BPF: destructive program %s, id %u, tag %*phN, loaded by uid %u, pid %d: %.*s\n",
			      prog_name(aux), aux->id, (int)sizeof(prog->tag), prog->tag,
			      from_kuid(&init_user_ns, aux->user->uid), task_pid_nr(current),
			      len, comm);
}

/*
 * Format a message into a per-CPU buffer, for bpf_bprintf_cleanup() to give back. If the
 * buffers are in use, or too small for the values, take @fmt as far as it is printable.
 */
static int format_message(struct bpf_destructive_message *msg, const char *action,
			  const struct bpf_prog_aux *aux, const char *fmt, const void *args,
			  u32 size)
{
	const struct bpf_prog *prog = aux->main_prog_aux->prog;
	int err;

	*msg = (struct bpf_destructive_message) {
		.data = { .get_bin_args	= true, .get_buf = true },
	};
	/* The same for all kfuncs that end the machine, for whoever searches a log. */
	scnprintf(msg->who, sizeof(msg->who),
		  "BPF: %s by program %s, id %u, tag %*phN, loaded by uid %u: ", action,
		  prog_name(prog->aux), prog->aux->id, (int)sizeof(prog->tag), prog->tag,
		  from_kuid(&init_user_ns, prog->aux->user->uid));

	err = bpf_bprintf_prepare(fmt, strlen(fmt) + 1, args, size / 8, &msg->data);
	if (err) {
		msg->data = (struct bpf_bprintf_data) {};
		msg->text = fmt;
		while (is_printable(fmt[msg->len]))
			msg->len++;
		scnprintf(msg->note, sizeof(msg->note), " (not formatted, error %d)", err);
	} else {
		bstr_printf(msg->data.buf, MAX_BPRINTF_BUF, fmt, msg->data.bin_args);
		msg->text = msg->data.buf;
		msg->len = make_printable(msg->data.buf);
	}
	msg->len = min(msg->len, MESSAGE_MAX);
	return err;
}

static notrace void end_machine(bool restart, const char *action,
				const struct bpf_prog_aux *aux, const char *fmt,
				const void *args, u32 size)
{
	struct bpf_destructive_message msg;
	struct bpf_destructive_call call;

	if (!bpf_destructive_begin(&call, BPF_DESTRUCTIVE_ENDING))
		return;

	format_message(&msg, action, aux, fmt, args, size);
	emergency_end(restart, "%s%.*s%s", msg.who, msg.len, msg.text, msg.note);
}

static void power_off_worker(struct work_struct *work)
{
	if (!kernel_can_power_off())
		kernel_halt();
	kernel_power_off();
	/* It did not work, and there is no way back. */
	machine_halt();
}

static DECLARE_WORK(power_off_work, power_off_worker);

/* Any CPU: a task that never schedules may have this one. */
static void power_off_irq_worker(struct irq_work *work)
{
	queue_work(system_dfl_wq, &power_off_work);
}

static DEFINE_PER_CPU(struct irq_work, power_off_irq_work) =
	IRQ_WORK_INIT_HARD(power_off_irq_worker);

/* Programs call these through the macros of bpf_helpers.h, which have no "v". */
__bpf_kfunc_start_defs();

/**
 * bpf_vpanic() - Panic the kernel.
 * @fmt__fmt: Format of the message that says why, a constant string with the
 *	conversions of bpf_trace_vprintk().
 * @args: Array of the values for the conversions, a u64 each, at most 12.
 * @len__szk: Size of @args in bytes, a constant.
 * @aux: The calling program, passed by the verifier.
 *
 * Panics with "BPF: panic by program NAME, id ID, tag TAG, loaded by uid UID: " and
 * the message. What follows is up to the machine's configuration, as with any panic().
 *
 * Bytes of the message that are not printable ASCII are replaced by "?", one newline at
 * its end is dropped, and what is longer than 800 bytes is cut off. If it cannot be
 * formatted, because the values do not fit the per-CPU buffers or these are in use, the
 * machine panics all the same, with @fmt__fmt as far as that is printable, and the error.
 *
 * The interrupted code may hold a lock of a legacy console. So these consoles print
 * nothing if a crash kernel starts, and otherwise after the other CPUs have stopped. They
 * print at once on s390 without a crash kernel, and where panic_force_cpu= sends the
 * panic() to another CPU.
 *
 * Context: Any, including NMI, with the limits of panic(): x86 takes the lock of its NMI
 * handlers to stop CPUs that take no interrupts. A legacy console may wait for a lock that
 * the interrupted code holds. Without a crash kernel the machine then stands still, after
 * kmsg_dump(), and does not restart.
 *
 * Return: Normally not at all. It returns without effect if this CPU is already in panic(),
 * crash_kexec() or a kfunc that ends the machine, for instance because the program runs in
 * that path. It also returns once panic_force_cpu= has sent a panic() to another CPU. A CPU
 * that comes second, behind one that ends the machine, stops as in panic().
 */
__bpf_kfunc notrace void bpf_vpanic(const char *fmt__fmt, const void *args, u32 len__szk,
				    struct bpf_prog_aux *aux)
{
	struct bpf_destructive_message msg;
	struct bpf_destructive_call call;

	if (!bpf_destructive_begin(&call, BPF_DESTRUCTIVE_ENDING))
		return;

	format_message(&msg, "panic", aux, fmt__fmt, args, len__szk);
	/* Its consoles are emptied by a panic notifier, and have to print before. */
	if (IS_ENABLED(CONFIG_S390) && !kexec_crash_loaded())
		printk_deferred_exit();
	panic("%s%.*s%s", msg.who, msg.len, msg.text, msg.note);
}

#ifdef CONFIG_CRASH_DUMP
/**
 * bpf_vcrash_kexec() - Start the crash kernel, without a panic.
 * @fmt__fmt: Format of the message that says why, as for bpf_vpanic().
 * @args: Array of the values for the conversions, a u64 each.
 * @len__szk: Size of @args in bytes, a constant.
 * @aux: The calling program, passed by the verifier.
 *
 * Adds a line to the log like the panic line of bpf_vpanic(), with "crash_kexec" in
 * place of "panic". Saves the registers of this place, stops the other CPUs and starts
 * the crash kernel, as crash_kexec() does, without panic notifiers and kmsg_dump(). The
 * line is in the dump, and perhaps those of other CPUs that call at once. This CPU does not
 * print on legacy consoles, and on nbcon consoles only if no other CPU prints there in an
 * emergency. panic=, panic_force_cpu= and crash_kexec_post_notifiers have no effect. Where
 * the platform sets the latter (SNP hosts, Hyper-V), use bpf_vpanic().
 *
 * Context: Any, including NMI, as far as the platform's crash shutdown goes.
 *
 * Return: Not at all if the crash kernel was started. Otherwise the program goes on.
 *
 * * %-ENOENT - No crash kernel is loaded. Nothing is printed.
 * * %-EBUSY - This or another CPU is already ending the machine, or the lock of kexec
 *   is held: an image is being loaded, its size is read, or a CPU or memory comes or
 *   goes. On s390 also: the crash kernel is not intact.
 */
__bpf_kfunc notrace int bpf_vcrash_kexec(const char *fmt__fmt, const void *args, u32 len__szk,
					 struct bpf_prog_aux *aux)
{
	struct bpf_destructive_message msg;
	struct bpf_destructive_call call;
	int ret = -EBUSY;

	if (!bpf_destructive_begin(&call, BPF_DESTRUCTIVE_ENDING))
		return ret;

	if (!kexec_crash_loaded()) {
		ret = -ENOENT;
		goto finish;
	}
	if (panic_in_progress())
		goto finish;

	/* nbcon consoles print right away: nobody knows whether the crash kernel comes up. */
	format_message(&msg, "crash_kexec", aux, fmt__fmt, args, len__szk);
	nbcon_cpu_emergency_enter();
	pr_emerg("%s%.*s%s\n", msg.who, msg.len, msg.text, msg.note);
	nbcon_cpu_emergency_exit();
	bpf_bprintf_cleanup(&msg.data);

	/* As in panic(): s390 asks the other CPUs to stop then, before it makes them. */
	if (panic_try_start()) {
		oops_in_progress++;
		__crash_kexec(NULL);
		oops_in_progress--;
		panic_reset();
	}
finish:
	bpf_destructive_finish(&call);
	return ret;
}
#endif

/**
 * bpf_vpr_emerg() - Print a message of the program on the console.
 * @fmt__fmt: Format of the message, as for bpf_vpanic().
 * @args: Array of the values for the conversions, a u64 each.
 * @len__szk: Size of @args in bytes, a constant.
 * @aux: The calling program, passed by the verifier.
 *
 * Adds a line to the kernel log, at KERN_EMERG: "BPF: ", name and id of the program and
 * the message. Consoles print it as soon as that is safe, which may be after the program
 * has returned. Each program gets ten messages in five seconds.
 *
 * Context: Any, including NMI, and with any lock held.
 *
 * Return: 0 if the line was added, or an error.
 *
 * * %-EAGAIN - The program has printed too many messages recently.
 * * %-ENOSPC - The values do not fit the format buffers.
 * * %-EBUSY - The format buffers of this CPU are in use, or it is already in a destructive
 *   kfunc or a panic(), or a CPU is ending the machine, or the log cannot take the line.
 */
__bpf_kfunc notrace int bpf_vpr_emerg(const char *fmt__fmt, const void *args, u32 len__szk,
				      struct bpf_prog_aux *aux)
{
	struct bpf_prog_aux *main = aux->main_prog_aux;
	struct bpf_destructive_message msg;
	struct bpf_destructive_call call;
	int ret = -EBUSY;

	if (!bpf_destructive_begin(&call, BPF_DESTRUCTIVE_PRINTING))
		return ret;

	/* printk() drops what other CPUs say then. */
	if (panic_in_progress())
		goto finish;

	ret = -EAGAIN;
	if (!__ratelimit(&main->emerg_limit))
		goto finish;

	ret = format_message(&msg, "message", aux, fmt__fmt, args, len__szk);
	if (ret)
		goto finish;

	if (!pr_emerg("BPF: %s[%u]: %.*s\n", prog_name(main), main->id, msg.len, msg.text))
		ret = -EBUSY;
	bpf_bprintf_cleanup(&msg.data);
finish:
	bpf_destructive_finish(&call);
	return ret;
}

/**
 * bpf_vhalt() - Halt the machine.
 * @fmt__fmt: Format of the message that says why, as for bpf_vpanic().
 * @args: Array of the values for the conversions, a u64 each.
 * @len__szk: Size of @args in bytes, a constant.
 * @aux: The calling program, passed by the verifier.
 *
 * Prints a line like the panic line of bpf_vpanic(), with "halt" in place of
 * "panic", stops the other CPUs as panic() does, calls kmsg_dump(), and then loops with
 * interrupts off, or, on s390, loads a disabled wait, which tells a hypervisor. Consoles
 * and what kmsg_dump() writes to are used, and no other device. The machine stands still
 * until somebody resets it or switches it off, or a hardware watchdog does. Legacy
 * consoles are last, where one that waits for a lock does no harm. On s390 the line is
 * only in the log.
 *
 * Context: Any, including NMI, with the lock of x86's NMI handlers as for bpf_vpanic().
 *
 * Return: As bpf_vpanic().
 */
__bpf_kfunc notrace void bpf_vhalt(const char *fmt__fmt, const void *args, u32 len__szk,
				   struct bpf_prog_aux *aux)
{
	end_machine(false, "halt", aux, fmt__fmt, args, len__szk);
}

/**
 * bpf_vrestart() - Restart the machine.
 * @fmt__fmt: Format of the message that says why, as for bpf_vpanic().
 * @args: Array of the values for the conversions, a u64 each.
 * @len__szk: Size of @args in bytes, a constant.
 * @aux: The calling program, passed by the verifier.
 *
 * Prints a line like the panic line of bpf_vpanic(), with "restart" in place of
 * "panic", stops the other CPUs as panic() does, calls kmsg_dump(), and restarts the
 * machine the way that sysrq-b does, with emergency_restart(). Nothing is synced. Legacy
 * consoles do not print the line, because the interrupted code may hold a lock of
 * theirs: without nbcon consoles it is only in what kmsg_dump() keeps, if anything.
 *
 * Context: As bpf_vhalt(), as far as the platform's emergency_restart() goes.
 *
 * Return: As bpf_vpanic().
 */
__bpf_kfunc notrace void bpf_vrestart(const char *fmt__fmt, const void *args, u32 len__szk,
				      struct bpf_prog_aux *aux)
{
	end_machine(true, "restart", aux, fmt__fmt, args, len__szk);
}

/**
 * bpf_vpower_off() - Switch the machine off.
 * @fmt__fmt: Format of the message that says why, as for bpf_vpanic().
 * @args: Array of the values for the conversions, a u64 each.
 * @len__szk: Size of @args in bytes, a constant.
 * @aux: The calling program, passed by the verifier.
 *
 * Adds a line to the log like the panic line of bpf_vpanic(), with "power_off" in
 * place of "panic", and has the kernel power the machine off as sysrq-o does: drivers
 * are shut down, nothing is synced. As that sleeps, it is deferred, by an interrupt of
 * this CPU to a worker on any CPU, which continues on the boot CPU. The machine stays up
 * if this CPU takes no interrupts, or the boot CPU does not schedule. If the platform
 * cannot power off, the machine halts.
 *
 * Context: Any, including NMI, and with any lock held.
 *
 * Return:
 *
 * * 0 - It is on its way, unless another CPU ends the machine first.
 * * %-EBUSY - It was on its way already, this CPU already ends the machine, or a panic()
 *   is on its way to another CPU.
 */
__bpf_kfunc notrace int bpf_vpower_off(const char *fmt__fmt, const void *args, u32 len__szk,
				       struct bpf_prog_aux *aux)
{
	static atomic_t under_way;
	struct bpf_destructive_message msg;
	struct bpf_destructive_call call;
	int ret = -EBUSY;

	if (!bpf_destructive_begin(&call, BPF_DESTRUCTIVE_POWERING_OFF))
		return ret;

	if (!atomic_xchg(&under_way, 1)) {
		format_message(&msg, "power_off", aux, fmt__fmt, args, len__szk);
		pr_emerg("%s%.*s%s\n", msg.who, msg.len, msg.text, msg.note);
		bpf_bprintf_cleanup(&msg.data);
		ret = 0;
	}
	/* On this CPU in any case: the one that came first may take no interrupts. */
	irq_work_queue(this_cpu_ptr(&power_off_irq_work));
	bpf_destructive_finish(&call);
	return ret;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(destructive_kfunc_ids)
#ifdef CONFIG_CRASH_DUMP
BTF_ID_FLAGS(func, crash_kexec, KF_DESTRUCTIVE)
BTF_ID_FLAGS(func, bpf_vcrash_kexec, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS | KF_SPINLOCK_SAFE)
#endif
BTF_ID_FLAGS(func, bpf_vpanic, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS | KF_SPINLOCK_SAFE)
BTF_ID_FLAGS(func, bpf_vpr_emerg, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS | KF_SPINLOCK_SAFE)
BTF_ID_FLAGS(func, bpf_vhalt, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS | KF_SPINLOCK_SAFE)
BTF_ID_FLAGS(func, bpf_vrestart, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS | KF_SPINLOCK_SAFE)
BTF_ID_FLAGS(func, bpf_vpower_off, KF_DESTRUCTIVE | KF_IMPLICIT_ARGS | KF_SPINLOCK_SAFE)
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

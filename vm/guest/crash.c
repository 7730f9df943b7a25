// SPDX-License-Identifier: GPL-2.0
/*
 * Ends the machine it runs on, from a BPF program of choice.
 *
 * The program is loaded with BPF_F_DESTRUCTIVE, attached and made to run once
 * without being armed: it has to run, and the machine has to live. With
 * --control that is all. Otherwise the program is armed and made to run again,
 * and whoever reads the exit status of this tool knows that it failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "crash.h"
#include "crash.skel.h"
#include "guard.h"
#include "identify.h"

enum {
	EXIT_SURVIVED = 42, /* armed and triggered, and still there */
	EXIT_SETUP = 43,    /* not loaded, not attached, or it did not run */
	EXIT_USAGE = 64,
	EXIT_NO_VM = 65,
};

static const char *const messages[] = {
	[MESSAGE_TOKEN] = "token",
	[MESSAGE_HOSTILE] = "hostile",
	[MESSAGE_LONG] = "long",
	[MESSAGE_EMPTY] = "empty",
	[MESSAGE_NEWLINE] = "newline",
	[MESSAGE_TWO_LINES] = "two-lines",
	[MESSAGE_BAD_POINTER] = "bad-pointer",
	[MESSAGE_ONE_BYTE] = "one-byte",
	[MESSAGE_PERCENT] = "percent",
	[MESSAGE_LONG_FORMAT] = "long-format",
	[MESSAGE_LONG_VALUES] = "long-values",
	[MESSAGE_FULL_VALUES] = "full-values",
	[MESSAGE_NULL_POINTER] = "null-pointer",
	[MESSAGE_BAD_SYMBOL] = "bad-symbol",
};

static const char *const actions[] = {
	[ACTION_PANIC] = "panic",
	[ACTION_CRASH_KEXEC] = "crash-kexec",
	[ACTION_EMERG] = "emerg",
	[ACTION_FLOOD] = "flood",
	[ACTION_HALT] = "halt",
	[ACTION_RESTART] = "restart",
	[ACTION_POWER_OFF] = "power-off",
	[ACTION_NONE] = "none",
};

/* What the kfuncs call, on which other programs can be, and what the program itself does not call. */
static const char *const crowded[] = {
	"__printk_deferred_enter", "__printk_deferred_exit", "__wake_up_klogd", "_printk", "bpf_bprintf_cleanup",
	"bpf_bprintf_prepare", "bpf_put_buffers", "bpf_try_get_buffers", "console_verbose",
	"defer_console_output", "from_kuid", "irq_work_queue", "kexec_crash_loaded",
	"map_id_up", "nbcon_get_default_prio", "nbcon_kthreads_wake", "panic_in_progress", "panic_on_other_cpu",
	"panic_on_this_cpu", "panic_reset", "panic_try_start", "prb_commit", "prb_final_commit", "prb_reserve",
	"printk_parse_prefix", "printk_sprint",
	"vprintk", "vprintk_default", "vprintk_emit", "vprintk_store",
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* The skeleton has no volatile. */
#define LOOK_AT(flag) (*(volatile bool *)&(flag))
#define CROWD 38
#define MAX_WITH 4

static struct crash *skel, *crowd[CROWD];
static int iter_fd = -1;

__attribute__((noinline)) int uprobe_target(int n)
{
	/* keep the call, and the function as one to put a probe on */
	asm volatile("" : "+r"(n));
	return n;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "crash: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void pause_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static void call_statfs(void)
{
	struct statfs st;

	statfs("/", &st);
	pause_ms(50); /* timers and work items come a little later */
}

/* The answer comes, except when the program is armed, and has to stop the timer. */
static void ask_and_answer(void)
{
	struct statfs st;

	statfs("/", &st);
	if (!skel->bss->armed)
		statfs("/", &st);
	pause_ms(500);
	if (!skel->bss->armed && skel->bss->expired) {
		fprintf(stderr, "crash: the answer has not stopped the timer\n");
		exit(EXIT_SETUP);
	}
}

static void call_uprobe_target(void)
{
	uprobe_target(1);
}

static void read_iter(void)
{
	char buf[64];
	int fd;

	fd = bpf_iter_create(iter_fd);
	if (fd < 0)
		return;
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void burn_cpu(void)
{
	time_t end = time(NULL) + 2;

	while (time(NULL) < end)
		;
}

static void wait_for_nmi(void)
{
	/*
	 * The runner reads this and injects one. Not sysrq-l: it keeps the
	 * console driver busy, and an NMI that comes then panics in silence.
	 */
	write_file("/dev/kmsg", "crash: waiting for an NMI\n");
	pause_ms(2000);
}

static void print_something(void)
{
	write_file("/dev/kmsg", "crash: something for the console\n");
	pause_ms(500);
}

static void write_to_port(void)
{
	write_file("/dev/hvc0", "crash: something for the port\n");
	pause_ms(500);
}

static void panic_otherwise(void)
{
	/* lkdtm's way to call panic("dumptest") */
	if (skel->bss->armed)
		write_file("/sys/kernel/debug/provoke-crash/DIRECT", "PANIC");
}

/* The ways to end a machine without BPF, for programs in their paths. */
static void lkdtm_panic(void)
{
	write_file("/sys/kernel/debug/provoke-crash/DIRECT", "PANIC");
}

static void lkdtm_oops(void)
{
	write_file("/sys/kernel/debug/provoke-crash/DIRECT", "EXCEPTION");
}

static void sysrq_crash(void)
{
	write_file("/proc/sysrq-trigger", "c");
}

static void sysrq_restart(void)
{
	write_file("/proc/sysrq-trigger", "b");
}

static void call_restart(void)
{
	reboot(RB_AUTOBOOT);
}

static void call_power_off(void)
{
	reboot(RB_POWER_OFF);
}

static void call_halt(void)
{
	reboot(RB_HALT_SYSTEM);
}

static void read_from_module(void)
{
	char text[16];
	int fd = open("/sys/kernel/bpf_testmod", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text)) < 0)
		fprintf(stderr, "crash: bpf_testmod: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
}

struct via {
	const char *name;
	void (*end)(void);
};

static const struct via vias[] = {
	{ "panic", lkdtm_panic },
	{ "oops", lkdtm_oops },
	{ "sysrq-crash", sysrq_crash },
	{ "sysrq-restart", sysrq_restart },
	{ "restart", call_restart },
	{ "power-off", call_power_off },
	{ "halt", call_halt },
	{ "print", print_something },
	{ "module", read_from_module },
};

static const struct via *find_via(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(vias); i++)
		if (!strcmp(vias[i].name, name))
			return &vias[i];
	return NULL;
}

struct target {
	const char *name;
	void (*trigger)(void);
	bool may_not_run; /* only runs where there is no way back */
};

static const struct target targets[] = {
	{ "kprobe", call_statfs, false },
	{ "kretprobe", call_statfs, false },
	{ "kprobe_multi", call_statfs, false },
	{ "kprobe_session", call_statfs, false },
	{ "uprobe_multi", call_uprobe_target, false },
	{ "uprobe", call_uprobe_target, false },
	{ "uretprobe", call_uprobe_target, false },
	{ "tracepoint", call_statfs, false },
	{ "raw_tp", call_statfs, false },
	{ "tp_btf", call_statfs, false },
	{ "crash_kexec_2022", call_statfs, false },
	{ "fentry", call_statfs, false },
	{ "fexit", call_statfs, false },
	{ "fsession", call_statfs, false },
	{ "fentry_sleepable", call_statfs, false },
	{ "iter", read_iter, false },
	{ "perf_event", burn_cpu, false },
	{ "nmi", wait_for_nmi, false },
	{ "sched_switch", call_statfs, false },
	{ "console", print_something, false },
	{ "console_write", print_something, false },
	{ "port_lock", write_to_port, false },
	{ "port_lock_printk", print_something, false },
	{ "vt_print", print_something, false },
	{ "no_buffer", call_statfs, true },
	{ "timer", call_statfs, false },
	{ "watchdog", ask_and_answer, false },
	{ "workqueue", call_statfs, false },
	{ "panic_path", panic_otherwise, true },
	{ "redirect_path", panic_otherwise, true },
	/* with --on and --via only, and ended by the latter */
	{ "on_function", NULL, true },
	{ "on_tracepoint", NULL, true },
};

static const struct target *find_target(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		if (!strcmp(targets[i].name, name))
			return &targets[i];
	return NULL;
}

static int find_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

static void print_names(FILE *to, const char *what, const char *const *names, size_t count)
{
	fprintf(to, "  %s:", what);
	for (size_t i = 0; i < count; i++)
		fprintf(to, " %s", names[i]);
	fprintf(to, "\n");
}

/* Of this process, or of a CPU if that is not negative. */
static int attach_perf_event(struct bpf_program *prog, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = 100,
		.freq = 1,
	};
	int fd;

	fd = syscall(SYS_perf_event_open, &attr, cpu < 0 ? 0 : -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return bpf_program__attach_perf_event(prog, fd) ? 0 : -errno;
}

static int attach(struct bpf_program *prog, int cpu)
{
	struct bpf_link *link;

	if (bpf_program__type(prog) == BPF_PROG_TYPE_PERF_EVENT)
		return attach_perf_event(prog, cpu);

	link = bpf_program__attach(prog);
	if (!link)
		return -errno;
	if (bpf_program__expected_attach_type(prog) == BPF_TRACE_ITER)
		iter_fd = bpf_link__fd(link);
	return 0;
}

static void make_destructive(struct bpf_program *prog)
{
	bpf_program__set_autoload(prog, true);
	bpf_program__set_flags(prog, bpf_program__flags(prog) | BPF_F_DESTRUCTIVE);
}

/* Everything that the command line says. */
struct plan {
	const struct target *target;
	const struct via *via;
	const char *on;
	const char *token;
	const char *with[MAX_WITH]; /* programs beside it */
	int withs;
	int action;
	int message;
	int mix[MIX_CPUS];
	int mixed;
	int first;
	int stuck; /* a CPU that goes round in a loop of the kernel, or -1 */
	bool behind_claim;
	bool busy;
	bool crowd;
	bool control;
	bool race;
};

/* The same program on function after function, and on all of them once more. */
static int load_crowd(const struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; n < CROWD && i < 2 * ARRAY_SIZE(crowded); i++) {
		const char *name = crowded[i % ARRAY_SIZE(crowded)];
		struct crash *one = crash__open();
		bool good;

		if (!one)
			return -errno;
		/* a compiler may have inlined it */
		good = !bpf_program__set_attach_target(one->progs.crowd, 0, name);
		one->rodata->tgid = getpid();
		make_destructive(one->progs.crowd);
		good = good && !crash__load(one) && bpf_program__attach(one->progs.crowd);
		if (good)
			crowd[n++] = one;
		else
			crash__destroy(one);
	}
	printf("crash: a crowd of %zu for %s\n", n, plan->target->name);
	return n == CROWD ? 0 : -ENOENT;
}

static void arm_crowd(bool armed)
{
	for (size_t i = 0; i < CROWD && crowd[i]; i++)
		crowd[i]->bss->armed = armed;
}

static void report_crowd(void)
{
	unsigned long long calls = 0, refused = 0;

	for (size_t i = 0; i < CROWD && crowd[i]; i++) {
		calls += crowd[i]->bss->nested_calls;
		refused += crowd[i]->bss->nested_refused;
	}
	if (crowd[0])
		printf("crash: the crowd has called %llu times, and was refused %llu times\n", calls, refused);
}

static int load_and_attach(const struct plan *plan)
{
	struct bpf_program *prog, *with[MAX_WITH];
	int err;

	skel = crash__open();
	if (!skel)
		return -errno;

	prog = bpf_object__find_program_by_name(skel->obj, plan->target->name);
	if (!prog)
		return -ENOENT;

	skel->rodata->action = plan->action;
	skel->rodata->message = plan->message;
	skel->rodata->tgid = getpid();
	snprintf((char *)skel->rodata->token, TOKEN_LEN, "%s", plan->token);
	skel->rodata->mixed = plan->mixed;
	for (int i = 0; i < MIX_CPUS; i++)
		skel->rodata->mix[i] = i < plan->mixed ? plan->mix[i] : ACTION_NONE;
	skel->rodata->first = plan->first;
	skel->rodata->behind_claim = plan->behind_claim;
	memset(skel->bss->x450, 'x', sizeof(skel->bss->x450) - 1);

	if (plan->on) {
		err = bpf_program__set_attach_target(prog, 0, plan->on);
		if (err)
			return err;
	}
	make_destructive(prog);
	for (int i = 0; i < plan->withs; i++) {
		with[i] = bpf_object__find_program_by_name(skel->obj, plan->with[i]);
		if (!with[i])
			return -ENOENT;
		make_destructive(with[i]);
	}
	err = crash__load(skel);
	if (err)
		return err;
	err = identify("crash", prog) ?: attach(prog, plan->stuck);
	for (int i = 0; !err && i < plan->withs; i++)
		err = attach(with[i], -1);
	return err ?: plan->crowd ? load_crowd(plan) : 0;
}

/*
 * Tell the runner where in the machine's memory the counters are. It reads them
 * there when nothing runs any more that could print them.
 */
static void locate_counters(void)
{
	unsigned long at = (unsigned long)&skel->bss->counters;
	long page = sysconf(_SC_PAGESIZE);
	uint64_t entry = 0;
	int fd;

	/* the page has to be there */
	*(volatile unsigned long long *)&skel->bss->counters.called = 0;
	fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0 || pread(fd, &entry, sizeof(entry), at / page * sizeof(entry)) != sizeof(entry))
		fprintf(stderr, "crash: pagemap: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	/* the upper bits are flags */
	entry &= (1ULL << 55) - 1;
	printf("crash: counters at physical address %#llx\n",
	       (unsigned long long)(entry * page + at % page));
}

static int run_on_cpu(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (!sched_setaffinity(0, sizeof(set), &set))
		return 0;
	fprintf(stderr, "crash: CPU %ld: %s\n", cpu, strerror(errno));
	return -errno;
}

/* Another user, but with all of root's capabilities. */
static int become(uid_t uid)
{
	if (!prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) && !setresuid(uid, uid, uid))
		return 0;
	fprintf(stderr, "crash: uid %u: %s\n", uid, strerror(errno));
	return -errno;
}

static void *trigger_on_cpu(void *arg)
{
	run_on_cpu((long)arg);
	for (;;) {
		struct statfs st;

		statfs("/", &st);
	}
	return NULL;
}

static void start_thread(void *(*function)(void *), long cpu)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, function, (void *)cpu))
		fprintf(stderr, "crash: no thread for CPU %ld\n", cpu);
}

static void start_on_all_cpus(void *(*function)(void *))
{
	for (long i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
		start_thread(function, i);
	pause_ms(500);
}

/* A thread for each CPU, named for it, that is there and makes system calls. */
static void *be_busy(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "busy-%ld", (long)arg);
	pthread_setname_np(pthread_self(), name);
	run_on_cpu((long)arg);
	for (;;)
		getppid();
	return NULL;
}

static void *get_stuck(void *arg)
{
	run_on_cpu((long)arg);
	write_file("/sys/kernel/debug/provoke-crash/DIRECT", "SOFTLOCKUP");
	return NULL;
}

static void *hold_port_lock(void *arg)
{
	run_on_cpu((long)arg);
	while (!LOOK_AT(skel->bss->holding))
		;
	write_file("/dev/hvc0", "crash: something for the port\n");
	return NULL;
}

/*
 * The other CPU hangs as well, as soon as somebody wants that lock there, so lose no
 * time. Whoever prints may do it on either CPU, and then only the other one goes on.
 */
static void (*end_beside_holder)(void) = call_statfs;

static void *trigger_beside_holder(void *arg)
{
	run_on_cpu((long)arg);
	while (!LOOK_AT(skel->bss->held))
		;
	if (skel->bss->held_cpu == (long)arg)
		return NULL;
	skel->bss->armed = true;
	end_beside_holder();
	return NULL;
}

/* Have another CPU in the state that the plan says. */
static int prepare_other_cpu(const struct plan *plan)
{
	bool port = plan->withs && !strcmp(plan->with[0], "hold_port_lock");
	bool serial = plan->withs && !strcmp(plan->with[0], "hold_serial_lock");

	fflush(stdout);
	if (plan->busy)
		start_on_all_cpus(be_busy);
	if (plan->stuck >= 0) {
		start_thread(get_stuck, plan->stuck);
		pause_ms(1000);
	}
	if (!port && !serial)
		return 0;
	if (plan->via)
		end_beside_holder = plan->via->end;
	if (port) {
		const struct sched_param fifo = { .sched_priority = 1 };

		start_thread(hold_port_lock, 1);
		pause_ms(200);
		/* before all else that this CPU has to do */
		sched_setscheduler(0, SCHED_FIFO, &fifo);
		skel->bss->holding = true;
		trigger_beside_holder(NULL);
	} else {
		skel->bss->holding = true;
		start_thread(trigger_beside_holder, 0);
		start_thread(trigger_beside_holder, 1);
		write_file("/dev/kmsg", "crash: something for the console\n");
	}
	for (int i = 0; i < 200 && !skel->bss->held; i++)
		pause_ms(5);
	if (skel->bss->held)
		return 0;
	fprintf(stderr, "crash: no CPU holds the lock\n");
	return -EAGAIN;
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: crash [--control] [--race] [--mix ACTION,... [--first CPU]] [--with PROGRAM]...\n"
		"             [--cpu N] [--uid N] [--busy] [--crowd] [--stuck CPU] [--behind-claim]\n"
		"             [--action ACTION] [--message KIND] [--token TOKEN] [--on NAME --via WAY]\n"
		"             [--force] PROGRAM\n"
		"  Ends this machine from a BPF program. Refuses to run outside the test VM.\n"
		"  --control  attach and run the program, but do not arm it\n"
		"  --race     all CPUs run the program at the moment that it is armed\n"
		"  --mix      what each CPU does; they wait for each other, and do it at once\n"
		"  --first    of a mix, the CPU that comes before the others\n"
		"  --with     attach this program, too, of those in crash.bpf.c that are not below\n"
		"  --busy     threads on all CPUs that make system calls\n"
		"  --crowd    many programs on what the kfuncs call, which want to print\n"
		"  --stuck    this CPU goes round in a loop; perf_event is an event of it\n"
		"  --behind-claim   wait until crash_kexec() has claimed the panic on CPU 0\n"
		"  --cpu      run on this CPU\n"
		"  --uid      load as this user, with all capabilities kept\n"
		"  --on       the function or tracepoint for program on_function or on_tracepoint\n"
		"  --via      end the machine in this way, without BPF, as soon as that is armed\n"
		"  --force    run outside the test VM, too: this machine WILL go down\n");
	fprintf(to, "  PROGRAM:");
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		fprintf(to, " %s", targets[i].name);
	fprintf(to, "\n");
	print_names(to, "ACTION", actions, ARRAY_SIZE(actions));
	print_names(to, "KIND", messages, ARRAY_SIZE(messages));
	fprintf(to, "  WAY:");
	for (size_t i = 0; i < ARRAY_SIZE(vias); i++)
		fprintf(to, " %s", vias[i].name);
	fprintf(to, "\n");
}

/* "ACTION,ACTION,...", one for each CPU */
static bool parse_mix(struct plan *plan, char *names)
{
	for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
		int action = find_name(actions, ARRAY_SIZE(actions), name);

		if (action < 0 || plan->mixed == MIX_CPUS)
			return false;
		plan->mix[plan->mixed++] = action;
	}
	return plan->mixed;
}

static void report(const struct plan *plan)
{
	fprintf(stderr, "crash: %s is armed and was triggered, but the machine lives\n",
		plan->target->name);
	printf("crash: result %d, printed %llu, limited %llu, failed %llu\n", skel->bss->result,
	       (unsigned long long)skel->bss->printed, (unsigned long long)skel->bss->limited,
	       (unsigned long long)skel->bss->failed);
	report_crowd();
}

/* The machine is ended by other means, with the program in the path of that. */
static int end_by_other_means(const struct plan *plan)
{
	printf("crash: %s %s\n", plan->control ? "not arming" : "arming", plan->target->name);
	fflush(stdout);
	skel->bss->armed = !plan->control;
	plan->via->end();
	pause_ms(1000);
	/* what is deferred may take a while, and what only prints is over */
	if (plan->action == ACTION_POWER_OFF && !plan->control)
		pause_ms(10000);
	skel->bss->armed = false;
	if (!skel->bss->hits) {
		fprintf(stderr, "crash: %s did not run\n", plan->target->name);
		return EXIT_SETUP;
	}
	if (plan->control)
		return 0;
	report(plan);
	return EXIT_SURVIVED;
}

static int end_by_program(const struct plan *plan)
{
	const struct target *target = plan->target;

	target->trigger();
	if (!skel->bss->hits && !target->may_not_run) {
		fprintf(stderr, "crash: %s did not run\n", target->name);
		return EXIT_SETUP;
	}
	printf("crash: %s for %s ran %llu times, not armed, and the machine lives\n",
	       target->name, actions[plan->action], (unsigned long long)skel->bss->hits);
	if (plan->control)
		return 0;

	printf("crash: arming %s\n", target->name);
	fflush(stdout);
	if (plan->race)
		start_on_all_cpus(trigger_on_cpu);
	skel->bss->armed = true;
	arm_crowd(true);
	if (plan->busy)
		pause_ms(500);
	target->trigger();
	arm_crowd(false);
	if (plan->action == ACTION_FLOOD)
		for (int i = 1; i < 100; i++)
			target->trigger();
	pause_ms(plan->mixed || plan->action == ACTION_PANIC || plan->action == ACTION_POWER_OFF ? 10000 : 1000);
	report(plan);
	return EXIT_SURVIVED;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "control", no_argument, NULL, 'c' },
		{ "race", no_argument, NULL, 'r' },
		{ "mix", required_argument, NULL, 'x' },
		{ "first", required_argument, NULL, '1' },
		{ "with", required_argument, NULL, 'w' },
		{ "busy", no_argument, NULL, 'b' },
		{ "crowd", no_argument, NULL, 'C' },
		{ "stuck", required_argument, NULL, 's' },
		{ "behind-claim", no_argument, NULL, 'B' },
		{ "cpu", required_argument, NULL, 'p' },
		{ "uid", required_argument, NULL, 'u' },
		{ "action", required_argument, NULL, 'a' },
		{ "message", required_argument, NULL, 'm' },
		{ "token", required_argument, NULL, 't' },
		{ "on", required_argument, NULL, 'o' },
		{ "via", required_argument, NULL, 'v' },
		{ "force", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	struct plan plan = {
		.token = "no-token", .message = MESSAGE_TOKEN, .action = ACTION_PANIC, .first = -1, .stuck = -1,
	};
	bool force = false, good = true;
	int opt, err;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			plan.control = true;
			break;
		case 'r':
			plan.race = true;
			break;
		case 'x':
			good = parse_mix(&plan, optarg) && good;
			break;
		case '1':
			plan.first = atoi(optarg);
			break;
		case 'w':
			good = good && plan.withs < MAX_WITH;
			if (good)
				plan.with[plan.withs++] = optarg;
			break;
		case 'b':
			plan.busy = true;
			break;
		case 'C':
			plan.crowd = true;
			break;
		case 's':
			plan.stuck = atoi(optarg);
			break;
		case 'B':
			plan.behind_claim = true;
			break;
		case 'p':
			if (run_on_cpu(atoi(optarg)))
				return EXIT_SETUP;
			break;
		case 'u':
			if (become(atoi(optarg)))
				return EXIT_SETUP;
			break;
		case 'm':
			plan.message = find_name(messages, ARRAY_SIZE(messages), optarg);
			break;
		case 'a':
			plan.action = find_name(actions, ARRAY_SIZE(actions), optarg);
			break;
		case 't':
			plan.token = optarg;
			break;
		case 'o':
			plan.on = optarg;
			break;
		case 'v':
			plan.via = find_via(optarg);
			good = plan.via && good;
			break;
		case 'f':
			force = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	plan.target = optind == argc - 1 ? find_target(argv[optind]) : NULL;
	/* a program without a trigger of its own is what --on and --via are for */
	good = good && plan.target && plan.message >= 0 && plan.action >= 0 &&
	       !plan.target->trigger == !!plan.on && !plan.on == !plan.via;
	if (!good) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!in_our_vm() && !force) {
		fprintf(stderr, "crash: this is not the test VM (no %s): it would take this machine down; --force if that is meant\n",
			GUEST_PORT);
		return EXIT_NO_VM;
	}

	err = load_and_attach(&plan);
	if (err) {
		fprintf(stderr, "crash: cannot load and attach %s: %s\n", plan.target->name,
			strerror(-err));
		return EXIT_SETUP;
	}
	locate_counters();
	if (prepare_other_cpu(&plan))
		return EXIT_SETUP;
	return plan.via ? end_by_other_means(&plan) : end_by_program(&plan);
}

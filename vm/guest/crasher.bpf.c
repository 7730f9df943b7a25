// SPDX-License-Identifier: GPL-2.0
/*
 * One program for each place that a destructive program can run in. Each
 * counts its runs; only when user space has armed it does it end the machine.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "crasher.h"
#include "record.h"

/*
 * From the record of the architecture, by the build: CONSOLE_WRITE, the function
 * of the console's driver that prints, STATFS, the system call that statfs(2) makes,
 * and SYS_STATFS, the function of it, which is where sleepable programs can be.
 */

char _license[] SEC("license") = "GPL";

const volatile enum crash_action action;
const volatile enum crash_message message;
/* Programs that may fire for anybody look at the thread group that arms. */
const volatile __u32 tgid;
const volatile char token[TOKEN_LEN];
/* What each CPU does, when "mixed", the number of these, is not 0. */
const volatile __u32 mix[MIX_CPUS];
const volatile __u32 mixed;
const volatile char hostile[] = "\n\033[2J<0>[    0.000000] Kernel panic - not syncing: forged\r\n%s%n\001";

/* A string that nearly fills the 512 bytes for values; set by user space. */
char x450[450 + 1];

/* The one whose action comes first, the others a little later; -1 for no order. */
const volatile int first = -1;
/* Wait until crash_kexec() has claimed the panic on another CPU. */
const volatile bool behind_claim;

bool armed;
__u64 hits;
struct crash_counters counters;
/* A bit for each CPU that is ready to do what the mix says. */
volatile __u32 arrived;
/* Of the last action that came back. */
int result;
/* Of bpf_pr_emerg() inside another program's call. */
int nested_result;
/* The port's lock is held by another CPU, or crash_kexec() has claimed the panic there. */
volatile bool holding, held, claimed, behind;
__u64 behind_at;
__u32 held_cpu;
/* Of a program beside many others: how often it has called, and was told -EBUSY. */
__u64 nested_calls, nested_refused;
/* How often the timer has fired. */
__u64 expired;
/* Of the flood: how many messages went out, how many were too many. */
__u64 printed, limited, failed;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECORDS);
	__type(key, __u32);
	__type(value, struct record);
} recorder SEC(".maps");

static __always_inline void record(void)
{
	__u32 slot = hits % RECORDS;
	struct record *record;

	record = bpf_map_lookup_elem(&recorder, &slot);
	if (!record)
		return;
	record->seq = hits;
	record->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	bpf_probe_read_kernel_str(record->text, sizeof(record->text), (void *)token);
}

static int flood(__u32 i, void *ctx)
{
	int ret = bpf_pr_emerg("%s flood %u", (char *)token, i);

	if (!ret)
		printed++;
	else if (ret == -11 /* EAGAIN */)
		limited++;
	else
		failed++;
	return 0;
}

/* The same message by each kfunc; what comes back from one that does not return says nothing. */
#define SAY(fmt, args...)						\
	({								\
		switch (what) {						\
		case ACTION_PANIC:					\
			bpf_panic(fmt, ##args);				\
			break;						\
		case ACTION_CRASH_KEXEC:				\
			result = bpf_crash_kexec(fmt, ##args);		\
			break;						\
		case ACTION_HALT:					\
			bpf_halt(fmt, ##args);				\
			break;						\
		case ACTION_RESTART:					\
			bpf_restart(fmt, ##args);			\
			break;						\
		case ACTION_POWER_OFF:					\
			result = bpf_power_off(fmt, ##args);		\
			break;						\
		default:						\
			result = bpf_pr_emerg(fmt, ##args);		\
			break;						\
		}							\
	})

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X512 X64 X64 X64 X64 X64 X64 X64 X64

static __always_inline void say(enum crash_action what)
{
	switch (message) {
	case MESSAGE_HOSTILE:
		SAY("%s%s", (char *)token, (char *)hostile);
		break;
	case MESSAGE_LONG:
		/* the values can fill 512 bytes, a width takes as many as it wants */
		SAY("%s %02000d %s", (char *)token, 7, (char *)hostile);
		break;
	case MESSAGE_EMPTY:
		SAY("%s", "");
		break;
	case MESSAGE_NEWLINE:
		SAY("%s\n", (char *)token);
		break;
	case MESSAGE_TWO_LINES:
		SAY("%s\n%s\n\n", (char *)token, (char *)token);
		break;
	case MESSAGE_BAD_POINTER:
		SAY("%s %s %pks", (char *)token, (char *)1, (void *)-4096);
		break;
	case MESSAGE_ONE_BYTE:
		SAY("!");
		break;
	case MESSAGE_PERCENT:
		SAY("100%% of %s%%", (char *)token);
		break;
	case MESSAGE_LONG_FORMAT:
		SAY(X512 X512 X512);
		break;
	case MESSAGE_LONG_VALUES:
		/* four strings of 450 bytes do not fit the buffer for values */
		SAY("%s %s\n%s %s", x450, x450, x450, x450);
		break;
	case MESSAGE_FULL_VALUES:
		/* the second string is cut where they end, and nothing is left for what follows */
		SAY("%s %s %pB %d", x450, x450, (void *)1, 7);
		break;
	case MESSAGE_NULL_POINTER:
		SAY("%s <%s> %px", (char *)token, (char *)0, (void *)0);
		break;
	case MESSAGE_BAD_SYMBOL:
		/* pointers that are printed in other ways: a symbol, an address, user memory, a hash */
		SAY("%s %pB <%pI4> <%pus> %p", (char *)token, (void *)1, (void *)1, (void *)-4096,
		    (void *)-22);
		break;
	default:
		SAY("%s", (char *)token);
		break;
	}
}

struct wait {
	__u64 until;
};

#define BPF_MAX_LOOPS (8 * 1024 * 1024)

static int all_arrived(__u32 i, void *ctx)
{
	struct wait *wait = ctx;

	return arrived == (1U << mixed) - 1 || bpf_ktime_get_ns() > wait->until;
}

static int is_over(__u32 i, void *ctx)
{
	struct wait *wait = ctx;

	return bpf_ktime_get_ns() > wait->until;
}

static __always_inline void spin_ns(__u64 ns)
{
	struct wait wait = { .until = bpf_ktime_get_ns() + ns };

	bpf_loop(BPF_MAX_LOOPS, is_over, &wait, 0);
}

static int is_claimed(__u32 i, void *ctx)
{
	struct wait *wait = ctx;

	return claimed || bpf_ktime_get_ns() > wait->until;
}

/* With a mix, wait for the other CPUs, but not for ever, and go by the CPU that this is. */
static __always_inline enum crash_action choose(void)
{
	struct wait wait = { .until = bpf_ktime_get_ns() + 3000000000 };
	__u32 cpu = bpf_get_smp_processor_id() % MIX_CPUS;

	if (behind_claim)
		bpf_loop(BPF_MAX_LOOPS, is_claimed, &wait, 0);
	if (!mixed)
		return action;
	if (mix[cpu] == ACTION_NONE)
		return ACTION_NONE;
	__sync_fetch_and_or(&arrived, 1U << cpu);
	bpf_loop(BPF_MAX_LOOPS, all_arrived, &wait, 0);
	/* longer than a busy host keeps a CPU from running, and shorter than a panic waits for one that is in an NMI */
	if (first >= 0 && cpu != first)
		spin_ns(200000000);
	return mix[cpu];
}

static __always_inline void crash_now(void)
{
	enum crash_action what = choose();

	if (what == ACTION_FLOOD)
		bpf_loop(10000, flood, NULL, 0);
	else if (what != ACTION_NONE)
		say(what);
}

static __always_inline int crash(void)
{
	__sync_fetch_and_add(&hits, 1);
	record();
	if (!armed)
		return 0;
	__sync_fetch_and_add(&counters.called, 1);
	crash_now();
	__sync_fetch_and_add(&counters.returned, 1);
	return 0;
}

static __always_inline int crash_if_ours(void)
{
	if (bpf_get_current_pid_tgid() >> 32 == tgid)
		crash();
	return 0;
}

/*
 * statfs(2) is called by nobody else here, and passes security_sb_statfs(), which
 * no compiler inlines: its caller is in another file.
 */
SEC("?kprobe/security_sb_statfs")
int kprobe(struct pt_regs *ctx)
{
	return crash_if_ours();
}

SEC("?kretprobe/security_sb_statfs")
int kretprobe(struct pt_regs *ctx)
{
	return crash_if_ours();
}

SEC("?kprobe.multi/security_sb_statfs")
int kprobe_multi(struct pt_regs *ctx)
{
	return crash_if_ours();
}

SEC("?kprobe.session/security_sb_statfs")
int kprobe_session(struct pt_regs *ctx)
{
	return crash_if_ours();
}

SEC("?uprobe.multi//proc/self/exe:uprobe_target")
int uprobe_multi(struct pt_regs *ctx)
{
	return crash_if_ours();
}

SEC("?uprobe//proc/self/exe:uprobe_target")
int uprobe(struct pt_regs *ctx)
{
	return crash_if_ours();
}

SEC("?uretprobe//proc/self/exe:uprobe_target")
int uretprobe(struct pt_regs *ctx)
{
	return crash_if_ours();
}

SEC("?tp/syscalls/sys_enter_" STATFS)
int tracepoint(void *ctx)
{
	return crash_if_ours();
}

SEC("?raw_tp/sys_enter")
int raw_tp(void *ctx)
{
	return crash_if_ours();
}

SEC("?tp_btf/sys_enter")
int tp_btf(void *ctx)
{
	return crash_if_ours();
}

/* The kfunc of 2022, in one of the few places that have registers for it. */
SEC("?tp_btf/sys_enter")
int BPF_PROG(crash_kexec_2022, struct pt_regs *regs, long id)
{
	if (bpf_get_current_pid_tgid() >> 32 != tgid)
		return 0;
	__sync_fetch_and_add(&hits, 1);
	record();
	if (armed)
		crash_kexec(regs);
	return 0;
}

SEC("?fentry/security_sb_statfs")
int fentry(void *ctx)
{
	return crash_if_ours();
}

SEC("?fexit/security_sb_statfs")
int fexit(void *ctx)
{
	return crash_if_ours();
}

SEC("?fsession/security_sb_statfs")
int fsession(void *ctx)
{
	return crash_if_ours();
}

SEC("?fentry.s/" SYS_STATFS)
int fentry_sleepable(void *ctx)
{
	return crash_if_ours();
}

SEC("?iter/task")
int iter(struct bpf_iter__task *ctx)
{
	return crash();
}

/* A software clock: the program runs in the hard interrupt of an hrtimer. */
SEC("?perf_event")
int perf_event(void *ctx)
{
	return crash();
}

/* The runner injects an NMI; this tracepoint is in its handler. */
SEC("?tp_btf/nmi_handler")
int nmi(void *ctx)
{
	return crash();
}

/* The runqueue lock is held. */
SEC("?tp_btf/sched_switch")
int sched_switch(void *ctx)
{
	return crash();
}

/* printk() is at work and has reserved a record. */
SEC("?tp_btf/console")
int console(void *ctx)
{
	return crash();
}

/* The lock of the serial console's port is held. */
SEC("?fentry/" CONSOLE_WRITE)
int console_write(void *ctx)
{
	return crash();
}

/* The lock of a virtio console's port is held, and interrupts are off. */
SEC("?fentry/virtqueue_add_outbuf")
int port_lock(void *ctx)
{
	return crash_if_ours();
}

/* The same, when it is taken to print. */
SEC("?fentry/virtqueue_add_outbuf")
int port_lock_printk(void *ctx)
{
	return crash_if_ours();
}

static int spin_more(__u32 i, void *ctx)
{
	struct wait *wait = ctx;

	bpf_loop(BPF_MAX_LOOPS, is_over, wait, 0);
	return bpf_ktime_get_ns() > wait->until;
}

/* Once, keep what is held here for longer than anybody would wait. */
static __always_inline void hold(void)
{
	struct wait wait = { .until = bpf_ktime_get_ns() + 60000000000 };

	if (!holding || held)
		return;
	held_cpu = bpf_get_smp_processor_id();
	held = true;
	bpf_loop(1000, spin_more, &wait, 0);
}

SEC("?fentry/virtqueue_add_outbuf")
int hold_port_lock(void *ctx)
{
	if (bpf_get_current_pid_tgid() >> 32 == tgid)
		hold();
	return 0;
}

/* The same for the serial console, by whatever thread prints there. */
SEC("?fentry/" CONSOLE_WRITE)
int hold_serial_lock(void *ctx)
{
	hold();
	return 0;
}

/* The lock of the console is held, and its driver is about to print. */
SEC("?fentry/vt_console_print")
int vt_print(void *ctx)
{
	return crash_if_ours();
}

static int somebody_is_behind(__u32 i, void *ctx)
{
	struct wait *wait = ctx;

	return behind || bpf_ktime_get_ns() > wait->until;
}

/* crash_kexec() without a crash kernel, which gives up when somebody has come second. */
SEC("?tp_btf/sys_enter")
int BPF_PROG(give_up, struct pt_regs *regs, long id)
{
	if (!armed || bpf_get_current_pid_tgid() >> 32 != tgid || bpf_get_smp_processor_id() || claimed)
		return 0;
	crash_kexec(regs);
	/*
	 * The kernel waits for a tenth of a second: did an emulated CPU not run for so long? The
	 * other CPU has stopped then, and what prints may have been there.
	 */
	if (behind && bpf_ktime_get_ns() - behind_at > 90000000)
		bpf_panic("gave up too late");
	return 0;
}

/* The other CPU is about to find panic_cpu taken. */
SEC("?fentry/panic_start")
int come_second(void *ctx)
{
	if (!armed || !claimed || behind || !bpf_get_smp_processor_id())
		return 0;
	behind_at = bpf_ktime_get_ns();
	behind = true;
	return 0;
}

SEC("?fentry/__crash_kexec")
int slow_kexec(void *ctx)
{
	struct wait wait = { .until = bpf_ktime_get_ns() + 3000000000 };

	if (!armed || bpf_get_smp_processor_id())
		return 0;
	claimed = true;
	bpf_loop(BPF_MAX_LOOPS, somebody_is_behind, &wait, 0);
	spin_ns(20000000);
	return 0;
}

/* Others say so much that nothing is left of a limit that all share. */
SEC("?tp_btf/sys_enter")
int chatty(void *ctx)
{
	if (armed)
		bpf_pr_emerg("chatty");
	return 0;
}

/* On any of the functions that the kfuncs call. */
SEC("?fentry")
int crowd(void *ctx)
{
	if (!armed || bpf_get_current_pid_tgid() >> 32 != tgid)
		return 0;
	__sync_fetch_and_add(&nested_calls, 1);
	if (bpf_pr_emerg("one of a crowd") == -16 /* EBUSY */)
		__sync_fetch_and_add(&nested_refused, 1);
	return 0;
}

/*
 * The buffers for formats are three deep. The first one is taken where statfs(2) is
 * called, and each of the others inside of it, on a function that is called then.
 */
static char scratch[16];
static const char from[] = "something";

static __always_inline int format_something(void)
{
	if (armed && bpf_get_current_pid_tgid() >> 32 == tgid)
		BPF_SNPRINTF(scratch, sizeof(scratch), "%s", from);
	return 0;
}

SEC("?fentry/security_sb_statfs")
int take_buffer(void *ctx)
{
	return format_something();
}

SEC("?fentry/strncpy_from_kernel_nofault")
int take_buffer_2(void *ctx)
{
	return format_something();
}

SEC("?fentry/strncpy_from_kernel_nofault")
int take_buffer_3(void *ctx)
{
	return format_something();
}

SEC("?fentry/strncpy_from_kernel_nofault")
int no_buffer(void *ctx)
{
	/* not where it is called for nobody else's buffer */
	if (!armed || bpf_get_current_pid_tgid() >> 32 != tgid)
		return 0;
	__sync_fetch_and_add(&counters.called, 1);
	crash_now();
	__sync_fetch_and_add(&counters.returned, 1);
	return 0;
}

struct timer_elem {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct timer_elem);
} timers SEC(".maps");

static int timer_callback(void *map, int *key, struct timer_elem *elem)
{
	__sync_fetch_and_add(&expired, 1);
	return crash();
}

/* The timer, if it is ours to start. */
static __always_inline struct timer_elem *our_timer(void)
{
	int key = 0;

	if (bpf_get_current_pid_tgid() >> 32 != tgid)
		return NULL;
	return bpf_map_lookup_elem(&timers, &key);
}

static __always_inline void start_timer(struct timer_elem *elem, __u64 ns)
{
	bpf_timer_init(&elem->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	bpf_timer_set_callback(&elem->timer, timer_callback);
	bpf_timer_start(&elem->timer, ns, 0);
}

/* The callback runs in a soft interrupt. */
SEC("?fentry/security_sb_statfs")
int timer(void *ctx)
{
	struct timer_elem *elem = our_timer();

	if (elem)
		start_timer(elem, 1000);
	return 0;
}

#define ANSWER_WITHIN_NS 50000000

/* The first call asks, and has the machine end if no second one answers in time. */
SEC("?fentry/security_sb_statfs")
int watchdog(void *ctx)
{
	static bool asked;
	struct timer_elem *elem = our_timer();

	if (!elem)
		return 0;
	__sync_fetch_and_add(&hits, 1);
	asked = !asked;
	if (asked)
		start_timer(elem, ANSWER_WITHIN_NS);
	else
		bpf_timer_cancel(&elem->timer);
	return 0;
}

struct wq_elem {
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct wq_elem);
} works SEC(".maps");

static int wq_callback(void *map, int *key, void *value)
{
	return crash();
}

SEC("?fentry/security_sb_statfs")
int workqueue(void *ctx)
{
	struct wq_elem *elem;
	int key = 0;

	if (bpf_get_current_pid_tgid() >> 32 != tgid)
		return 0;
	elem = bpf_map_lookup_elem(&works, &key);
	if (!elem)
		return 0;
	bpf_wq_init(&elem->work, &works, 0);
	bpf_wq_set_callback(&elem->work, wq_callback, 0);
	bpf_wq_start(&elem->work, 0);
	return 0;
}

/* In panic() itself: the call has to return. */
SEC("?fentry/emergency_restart")
int panic_path(void *ctx)
{
	return crash();
}

/* In panic() that is on its way to another CPU: the call has to return. */
SEC("?fentry/panic_smp_redirect_cpu")
int redirect_path(void *ctx)
{
	return crash();
}

/* Wherever user space says. */
SEC("?fentry")
int on_function(void *ctx)
{
	return crash();
}

SEC("?tp_btf")
int on_tracepoint(void *ctx)
{
	return crash();
}

/* In bpf_panic() of another program, which has to win: the call has to return. */
SEC("?fentry/bpf_bprintf_prepare")
int nested(void *ctx)
{
	if (!armed)
		return 0;
	nested_result = bpf_pr_emerg("nested message");
	bpf_panic("nested");
	return 0;
}

/* In bpf_pr_emerg() of another program. */
SEC("?fentry/bpf_bprintf_prepare")
int nested_power_off(void *ctx)
{
	if (armed)
		nested_result = bpf_power_off("nested");
	return 0;
}

# SPDX-License-Identifier: GPL-2.0
"""Tests that end a machine in several ways at once: one of them has to win, in order.

"Mixes": every CPU runs a destructive program at the same moment, each with an
action of its own, from process context or from an NMI that hits all of them.

"Paths": somebody ends the machine without BPF, and in the midst of that, on a
function or tracepoint on the way, a program wants to end it in its own way. It
may come too early or too late for that; which, is left to the kernel. But
there is one end, one panic at most, and the program has run.
"""

import collections
import random
import re
import secrets
import threading

from vmtest.checks import check, explain, reasons, spoken, word
from vmtest.suite import Test
from vmtest.suites.programs import needs

CPUS = 4
# How often a machine is started that does not boot: emulated ones with more CPUs than the host has are slow.
ATTEMPTS = 3

ACTIONS = ["panic", "crash-kexec", "halt", "restart", "power-off"]
# As judge() calls it.
VERDICTS = {"panic": "panicked", "halt": "halted", "restart": "restarted", "power-off": "powered-off"}

# CPUs that do not answer are stopped by an NMI on x86. Its handler is registered under a lock: in an NMI lockdep says
# that this is wrong, of panic() as well, but there it comes after the panic line. It says so once and then no more.
STOPPED_BY_NMI = re.compile(r"WARNING: inconsistent lock state(?:(?!WARNING).)*?nmi_desc\[NMI_LOCAL\]\.lock"
                            r"(?:(?!WARNING).)*?<NMI>(?:(?!WARNING|</NMI>).)*?__register_nmi_handler"
                            r"(?:(?!WARNING|</NMI>).)*?native_stop_other_cpus", re.S)

# The ways to end a machine without BPF: how the guest's tool calls it, the verdict, what is said of it.
VIAS = {
    "panic": ("panic", "panicked", "dumptest"),
    "dump": ("panic", "crash-kernel", None),
    "oops": ("oops", "panicked", "Fatal exception"),
    "sysrq-crash": ("sysrq-crash", "panicked", "sysrq triggered crash"),
    "restart": ("restart", "restarted", ""),
    "sysrq-restart": ("sysrq-restart", "restarted", ""),
    "power-off": ("power-off", "powered-off", ""),
    "halt": ("halt", "halted", ""),
    "print": ("print", "finished", "42"),
}

# Functions on the way of each, in the order in which they are called, and tracepoints ("tp:").
PATHS = {
    "panic": """
        vpanic panic_start? panic_try_start? panic_smp_self_stop? console_verbose print_tainted show_stack __crash_kexec
        native_stop_other_cpus stop_this_cpu printk_legacy_allow_panic_sync atomic_notifier_call_chain
        notifier_call_chain pvpanic_panic_notify kmsg_dump_desc console_unblank console_flush_on_panic
        nbcon_atomic_flush_pending nbcon_context_try_acquire nbcon_emit_next_record record_print_text
        emergency_restart machine_emergency_restart native_machine_emergency_restart
        vprintk_emit vprintk_store printk_sprint prb_reserve console_flush_all serial8250_console_write tp:console
        """,
    "dump": """
        vpanic panic_start? panic_try_start? console_verbose kexec_crash_loaded? __crash_kexec crash_save_vmcoreinfo
        machine_crash_shutdown native_machine_crash_shutdown kdump_nmi_shootdown_cpus nmi_shootdown_cpus nmi_handle
        crash_save_cpu clear_IO_APIC lapic_shutdown disable_local_APIC machine_kexec tp:nmi_handler
        """,
    "oops": """
        oops_begin __die __die_body oops_end oops_exit crash_kexec? show_regs? vpanic console_verbose
        native_stop_other_cpus kmsg_dump_desc
        """,
    "sysrq-crash": "sysrq_handle_crash vpanic panic_start? panic_try_start? kmsg_dump_desc emergency_restart",
    "restart": """
        kernel_restart kernel_restart_prepare blocking_notifier_call_chain device_shutdown migrate_to_reboot_cpu
        syscore_shutdown kmsg_dump_desc machine_restart native_machine_restart machine_shutdown
        native_machine_shutdown clear_IO_APIC native_stop_other_cpus stop_this_cpu disable_local_APIC lapic_shutdown
        native_machine_emergency_restart
        """,
    "sysrq-restart": """
        sysrq_handle_reboot emergency_restart kmsg_dump_desc machine_emergency_restart native_machine_emergency_restart
        """,
    "power-off": """
        kernel_can_power_off kernel_power_off blocking_notifier_call_chain device_shutdown migrate_to_reboot_cpu
        syscore_shutdown kmsg_dump_desc machine_power_off native_machine_power_off machine_shutdown
        native_stop_other_cpus stop_this_cpu do_kernel_power_off acpi_power_off acpi_enter_sleep_state
        """,
    "halt": """
        kernel_halt blocking_notifier_call_chain device_shutdown migrate_to_reboot_cpu syscore_shutdown kmsg_dump_desc
        machine_halt native_machine_halt machine_shutdown native_stop_other_cpus stop_this_cpu
        """,
    "print": """
        devkmsg_write vprintk_emit vprintk_store printk_sprint prb_reserve prb_final_commit nbcon_get_default_prio
        nbcon_kthreads_wake __wake_up_klogd nbcon_context_try_acquire nbcon_emit_next_record printk_get_next_message
        record_print_text nbcon_enter_unsafe nbcon_exit_unsafe serial8250_console_write nbcon_context_release
        tp:console
        """,
}

# What every architecture comes by; the other functions are those of x86-64.
COMMON = {"kmsg_dump_desc", "emergency_restart", "machine_kexec", "device_shutdown", "vprintk_store", "tp:console"}

# What comes after the notifiers of a panic.
AFTER_NOTIFIERS = {"kmsg_dump_desc", "emergency_restart"}

# What has a va_list among its arguments.
VA_LIST = {"vpanic", "vprintk_emit", "vprintk_store", "printk_sprint"}

# A few of each kind, for every run of the tests.
FEW = [
    ("panic", "kmsg_dump_desc", "panic"),
    ("panic", "stop_this_cpu", "panic"),
    ("panic", "emergency_restart", "halt"),
    ("dump", "machine_kexec", "panic"),
    ("restart", "device_shutdown", "panic"),
    ("power-off", "acpi_power_off", "restart"),
    ("halt", "native_machine_halt", "panic"),
    ("print", "vprintk_store", "panic"),
    ("print", "tp:console", "restart"),
]


def tests(suite):
    abuse = Abuse(suite)
    for number in range(1, suite.rounds + 1):
        yield abuse.mix_test(number)
    if not suite.everything:
        for via, where, action in FEW:
            yield abuse.path_test(via, where, action)
        return
    for via, places in PATHS.items():
        for where in places.split():
            for action in ["none", "panic", "halt", "restart", "power-off", "crash-kexec", "emerg"]:
                yield abuse.path_test(via, where, action)


class Abuse:
    """The tests, on top of a Suite, which boots the machines."""

    def __init__(self, suite):
        self.suite = suite
        self.tally, self.lock = collections.Counter(), threading.Lock()

    def count(self, what, number=1):
        with self.lock:
            self.tally[what] += number
            self.suite.remarks["abuse"] = [f"abuse: {key}: {times}" for key, times in sorted(self.tally.items())]

    def mix_test(self, number):
        draw = random.Random(f"{self.suite.seed}/{number}")
        dump, program = number % 2 == 0, draw.choice(["fentry", "fentry", "nmi"])
        if self.suite.session.lacks(*needs(program)):
            program = "fentry"
        mix = [draw.choice(ACTIONS) for _ in range(CPUS)]
        name = f"abuse: all CPUs at once, round {number}{', with a crash kernel' if dump else ''}"
        return Test(name, lambda: self.mix(number, program, mix, dump), ("ftrace",))

    def path_test(self, via, where, action):
        where, optional, _ = where.partition("?")
        features = ("ftrace",) if where in COMMON else ("ftrace", "paths")
        if where in VA_LIST:
            features += ("va-list",)
        if where in AFTER_NOTIFIERS and VIAS[via][1] == "panicked":
            features += ("after-notifiers",)
        what = "control" if action == "none" else action
        return Test(f"abuse: {what} on {where} in the way of {via}",
                    lambda: self.path(via, where, action, not optional), features)

    def boot(self, name, command, dump, append="", **options):
        if dump:
            options.update(self.suite.crash_kernel_options(command, "vm.no-dump"))
            command = options.pop("command")
            append = " ".join(filter(None, [options.pop("append"), append]))
        for _ in range(ATTEMPTS):
            outcome = self.suite.boot(name, command, append=append, counters=True, **options)
            if outcome.boot_seconds or outcome.accel != "tcg":
                break
            self.count("machines that did not boot, and were started again")
        return outcome

    def mix(self, number, program, mix, dump):
        token = secrets.token_hex(8)
        race = "--race " if program == "fentry" else ""
        outcome = self.boot(f"abuse-mix-{number}", f"crasher {race}--mix {','.join(mix)} --token {token} {program}", dump,
                            # else an NMI is for the first CPU only
                            append=self.suite.session.arch.append_nmi_all, smp=CPUS, keep_log=dump)

        def failed(reason):
            return explain(outcome, f"{reason} ({program}; the CPUs were told: {' '.join(mix)})")

        ends = {VERDICTS[action]: action for action in mix if action != "crash-kexec"}
        if dump and ("panic" in mix or "crash-kexec" in mix):
            ends.pop("panicked", None)
            ends["crash-kernel"] = None
        # nobody has anything to end it with
        ends = ends or {"finished": None}
        check(outcome.verdict in ends, failed(f"expected one of: {', '.join(ends)}"))
        check(outcome.verdict != "finished" or outcome.detail == "42", failed("the guest's tool failed"))
        self.check_words(outcome, token, mix, dump, failed)
        winner = ends[outcome.verdict]
        check(not winner or reasons(outcome.console, word(winner)), failed("the winner did not say so"))
        splats = outcome.splats()
        if STOPPED_BY_NMI.search(outcome.console):
            splats = [splat for splat in splats if "inconsistent lock state" not in splat]
            self.count("lockdep: CPUs in an NMI were stopped from one")
        check(not splats, failed(f"splats: {splats}"))
        self.count(f"{outcome.verdict}{', with a crash kernel' if dump else ''}")
        counters = self.counters(outcome)
        check(counters is None or counters and counters[0] >= 2, failed(f"no two CPUs were there: {counters}"))
        self.count("all CPUs were there", bool(counters) and counters[0] >= CPUS)

    def counters(self, outcome):
        """Those of the guest's tool; None where the crash kernel has overwritten them, or the memory is gone."""
        lost = {"crash-kernel": ("memory-in-place", "memory-at-off"), "powered-off": ("memory-at-off",)}
        return None if self.suite.session.lacks(*lost.get(outcome.verdict, ())) else outcome.counters

    def check_words(self, outcome, token, mix, dump, failed):
        """Who said that it ends the machine. A crash_kexec() says so before it is known who comes first, if there is
        a crash kernel, and a power-off is deferred. Of all others only the one that comes first says anything, and
        nobody comes after it. A console has what two of them say at once only in part, if a crash kernel starts then:
        the log has it.
        """
        log_is_there = outcome.verdict == "crash-kernel" and \
            not self.suite.session.lacks("memory-in-place", "memory-at-off")
        check(outcome.kernel_log or not log_is_there, failed("its log was not found in memory"))
        text = outcome.kernel_log if log_is_there else outcome.console
        said = [action for action, message in spoken(text) if message == token]
        check(len(said) == len(spoken(text)), failed("another message"))
        check(set(said) <= set(map(word, mix)), failed(f"somebody who was not told to: {said}"))
        check(len(outcome.panics()) == said.count("panic"), failed(f"panic lines: {outcome.panics()}"))
        check(said.count("crash_kexec") <= (mix.count("crash-kexec") if dump else 0) and said.count("power_off") <= 1,
              failed(f"too many say so: {said}"))
        firm = [action for action in said if action not in ("crash_kexec", "power_off")]
        check(len(firm) <= 1, failed(f"more than one says so: {said}"))
        check(not firm or said[-1] in (firm[0], "power_off"), failed(f"somebody spoke after the end: {said}"))
        check(outcome.verdict != "crash-kernel" or {"panic", "crash_kexec"} & set(said),
              failed(f"nobody wanted a dump: {said}"))

    def path(self, via, where, action, must_run=True):
        token = secrets.token_hex(8)
        how, end, detail = VIAS[via]
        control = action == "none"
        program = "on_tracepoint" if where.startswith("tp:") else "on_function"
        what = "--control" if control else f"--action {action}"
        slug = f"abuse-{via}-{where}-{action}".replace(":", "-")
        # A console in the midst of a line is only taken away from its owner, if that is on the same CPU, when panic()
        # has nothing else left to do; a machine that restarts at once does not come to that.
        append = "panic=0" if via == "print" and action == "panic" else ""
        outcome = self.boot(
            slug, f"crasher {what} --token {token} --on {where.removeprefix('tp:')} --via {how} {program}", via == "dump",
            append)
        counted = self.counters(outcome)
        called, returned = counted or (0, 0)
        ends = {end}
        if action in VERDICTS:
            ends.add("crash-kernel" if via == "dump" and action == "panic" else VERDICTS[action])
        check(outcome.verdict in ends, explain(outcome, f"expected: {' or '.join(sorted(ends))}"))
        if control:
            check(outcome.verdict != "finished" or outcome.detail == "0", explain(outcome, "the guest's tool failed"))
            check(not called, explain(outcome, "it is not armed, and was called"))
        else:
            check(outcome.verdict != "finished" or outcome.detail == detail, explain(outcome, "the guest's tool failed"))
            check(called or counted is None or not must_run, explain(outcome, "the program did not run"))
        panics, ours = outcome.panics(), reasons(outcome.console, "panic")
        theirs = {"dumptest" if via == "dump" else detail} if end in ("panicked", "crash-kernel") else set()
        check(len(panics) <= 1 and all(message == token for _, message in ours) and (ours or set(panics) <= theirs),
              explain(outcome, f"panic lines: {panics}, expected ours or one of {theirs}"))
        # a call that ends the machine does not come back, and one that comes back does not end it
        ended = outcome.verdict != end or bool(ours)
        check(not ended or action == "power-off" or counted is None or called > returned,
              explain(outcome, f"it ended the machine, but {returned} of {called} calls came back"))
        check(via == "oops" or not outcome.splats(), explain(outcome, f"splats: {outcome.splats()}"))
        self.count(f"{action}: {'the program' if ended else 'the other'} ended the machine", not control)

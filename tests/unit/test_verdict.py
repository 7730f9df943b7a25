# SPDX-License-Identifier: GPL-2.0
"""The verdict on made-up machines."""

import unittest

from tests.unit.made_up import line, make_session
from vmtest import machine, verdict
from vmtest.verdict import Outcome

BANNER = "[    0.000000] Linux version 7 (somebody) (a compiler)\n"
PANIC = BANNER + line("Kernel panic - not syncing: x")
HALT = BANNER + line("reboot: System halted")
SHUTDOWN = [{"event": "SHUTDOWN", "data": {"reason": "guest-shutdown"}}]
RESET = [{"event": "SHUTDOWN", "data": {"reason": "guest-reset"}}]
TOLD = [{"event": "GUEST_PANICKED", "data": {}}]
KILLED = "QEMU was killed: x"
# of an architecture whose CPUs QEMU itself sees stop
STOPS = ["GUEST_PANICKED", "guest-shutdown"]
BPF_HALT = BANNER + line("BPF: halt by program p")
STOPPED = ("", False, False, "", *STOPS)

# (name, witnesses as judge() takes them, verdict)
CONTRADICTIONS = [
    ("programs go on", ("", HALT, [], "", True, True), "lost"),
    ("a CPU goes on", ("", HALT, [], "", False, False), "lost"),
    ("silent console", ("0", "", SHUTDOWN), "lost"),
    ("status and panic", ("0", PANIC, TOLD + RESET), "lost"),
    ("panic that QEMU was not told of", ("", PANIC, RESET), "lost"),
    ("panic that the console does not show", ("", BANNER, TOLD + RESET), "lost"),
    ("status and a reset", ("0", BANNER, RESET), "lost"),
    ("status that is no number", ("0x", BANNER, SHUTDOWN), "lost"),
    ("power off without the kernel's word", ("", BANNER, SHUTDOWN), "lost"),
    ("nothing at all", ("", BANNER, []), "lost"),
    ("QEMU crashes in a panic", ("", PANIC, TOLD, "", False, False, KILLED), "lost"),
    ("QEMU crashes in the crash kernel",
     ("crash-kernel 0", PANIC + BANNER, TOLD + SHUTDOWN, "", False, False, KILLED), "lost"),
    ("second kernel without a status", ("", BANNER + BANNER, RESET), "lost"),
    ("second kernel that restarts", ("crash-kernel 0", BANNER + BANNER, RESET), "lost"),
    ("second boot that restarts", ("again", BANNER + BANNER, RESET), "lost"),
    ("second boot without a first one", ("again", BANNER, SHUTDOWN), "lost"),
    ("CPUs that stop without the kernel's word", ("", BANNER, TOLD, *STOPPED), "lost"),
    ("CPUs that stop, and programs go on", ("", HALT, TOLD, "", True, False, "", *STOPS), "lost"),
    ("CPUs that stop without a panic of theirs", ("", PANIC, [], *STOPPED), "lost"),
    ("halt by a power-off", ("", HALT, SHUTDOWN), "lost"),
    ("a program's halt by a power-off", ("", BPF_HALT, SHUTDOWN, *STOPPED), "lost"),
]
# and beside them the machines that are not lost
ENDS = [
    ("panic", ("", PANIC, TOLD + RESET), "panicked"),
    ("halt", ("", HALT, [], "", False, True), "halted"),
    ("end", ("0", BANNER, SHUTDOWN), "finished"),
    ("restart", ("", BANNER, RESET), "restarted"),
    ("power off", ("", BANNER + line("reboot: Power down"), SHUTDOWN), "powered-off"),
    ("second boot", ("again", BANNER + BANNER, SHUTDOWN), "restarted"),
    ("crash kernel", ("crash-kernel 0", PANIC + BANNER, TOLD + SHUTDOWN), "crash-kernel"),
    ("crash kernel, in the middle of a line",
     ("crash-kernel 0", BANNER + "[    1.000000] BPF: cra" + BANNER, SHUTDOWN), "crash-kernel"),
    ("panic, where QEMU sees CPUs stop", ("", PANIC, TOLD, *STOPPED), "panicked"),
    ("halt, where QEMU sees CPUs stop", ("", HALT, TOLD, *STOPPED), "halted"),
    ("a program's halt, where QEMU sees CPUs stop", ("", BPF_HALT, TOLD, *STOPPED), "halted"),
    ("the kernel's own halt by a power-off", ("", HALT, SHUTDOWN, *STOPPED), "halted"),
    ("power off, where QEMU sees CPUs stop", ("", BANNER + line("reboot: Power down"), SHUTDOWN, *STOPPED), "powered-off"),
    ("a limit comes before all", ("0", BANNER, SHUTDOWN, "silent"), "hung"),
]

# What the console shows of a kernel that found a mistake in itself, and what only looks like that.
SPLATS = [
    "BUG: KASAN: slab-use-after-free in lkdtm_READ_AFTER_FREE+0x84/0xf0",
    "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:591",
    "BUG: scheduling while atomic: swapper/0/0/0x00000002",
    "BUG: using smp_processor_id() in preemptible [00000000] code: crasher/70",
    "BUG: kernel NULL pointer dereference, address: 0000000000000000",
    "BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[9]",
    "[ BUG: Invalid wait context ]",
    "BUG kmalloc-64 (Not tainted): Redzone overwritten",
    "WARNING: possible recursive locking detected",
    "WARNING: possible circular locking dependency detected",
    "WARNING: inconsistent lock state",
    "WARNING: bad unlock balance detected!",
    "WARNING: suspicious RCU usage",
    "WARNING: kernel/panic.c:100 at vpanic+0x10/0x20, CPU#1: crasher/70",
    "INFO: trying to register non-static key.",
    "DEBUG_LOCKS_WARN_ON(lock->magic != lock)",
    "turning off the locking correctness validator.",
    "INFO: task crasher:70 blocked for more than 122 seconds.",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [crasher:70]",
    "UBSAN: array-index-out-of-bounds in drivers/misc/lkdtm/bugs.c:437:16",
    "ODEBUG: free active (active state 0) object type: timer_list hint: f+0x0/0x10",
    "Oops: general protection fault, probably for non-canonical address: 0000 [#1]",
    "kernel BUG at kernel/bpf/destructive.c:100!",
    "------------[ cut here ]------------",
]
NO_SPLATS = [
    "Kernel panic - not syncing: BUG: forged",
    "BPF: fentry[7]: BUG: forged",
    "INFO: NMI handler (nmi_cpu_backtrace_handler) took too long to run: 1.681 msecs",
    "lkdtm: Performing direct entry WARNING",
]


class Judge(unittest.TestCase):
    def test_contradictions_are_lost(self):
        for name, witnesses, expected in CONTRADICTIONS:
            with self.subTest(name):
                self.assertEqual(verdict.judge(*witnesses)[0], expected)

    def test_ends(self):
        for name, witnesses, expected in ENDS:
            with self.subTest(name):
                self.assertEqual(verdict.judge(*witnesses)[0], expected)

    def test_how_qemu_went(self):
        for code, events, wrong in [(0, ["SHUTDOWN"], False), (0, ["RESUME"], True), (1, ["SHUTDOWN"], True),
                                    (-9, ["SHUTDOWN"], True)]:
            with self.subTest(f"status {code}, {events}"):
                found = verdict.unexpected_end(code, [{"event": name, "data": {}} for name in events])
                self.assertEqual(bool(found), wrong)

    def test_halt_within_a_panic(self):
        self.assertTrue(verdict.seems_halted(HALT))
        self.assertFalse(verdict.seems_halted(PANIC + HALT))
        self.assertTrue(verdict.seems_halted(PANIC + line("---[ end Kernel panic - not syncing: x ]---")))


class Splats(unittest.TestCase):
    def test_seen(self):
        for text in SPLATS:
            with self.subTest(text):
                self.assertTrue(Outcome("finished", console=f"[    1.000000] fine\n[    2.000000] {text}\r\n").splats())

    def test_not_taken_for_one(self):
        for text in NO_SPLATS:
            with self.subTest(text):
                self.assertFalse(Outcome("finished", console=f"[    2.000000] {text}\r\n").splats())


def died(oops, code, accel="tcg"):
    console = f"[    1.000000] Oops: {oops}: 0000 [#1] SMP\n[    1.000000] Code: 0f 1f {code} 31 c0\n"
    return Outcome("panicked", console=console, accel=accel)


def stuck(*lines, what="hung", accel="tcg"):
    return Outcome(what, console="".join(line(text, "0.800000") for text in lines), accel=accel)


class RunAgain(unittest.TestCase):
    """Which machines run once more, and how often: those in which QEMU's emulation went wrong."""

    def check(self, ends, runs, what):
        session = make_session()
        made, todo = machine.Machine(session, "", [], name="made-up"), list(ends)
        made.run_once = lambda: todo.pop(0)
        got = made.run().verdict
        self.assertEqual((len(ends) - len(todo), got), (runs, what))
        self.assertEqual(len(session.run_again), runs - (what == "finished" or runs == 1))

    def test_only_where_the_record_says_so(self):
        made = machine.Machine(make_session("arm64"), "", [], name="made-up")
        made.run_once = lambda: stuck("smp: Bringing up secondary CPUs ...")
        self.assertEqual((made.run().verdict, made.session.run_again), ("hung", []))

    def test_boot(self):
        bringup, up = "smp: Bringing up secondary CPUs ...", "smp: Brought up 1 node, 2 CPUs"
        init = "Run /init as init process"
        good = Outcome("finished", "0")
        for name, ends, runs, what in [
                ("CPUs that do not start", [stuck(bringup), good], 2, "finished"),
                ("a boot that does not come to its end", [stuck(bringup, up), good], 2, "finished"),
                ("the crash kernel's", [stuck(bringup, up, init, bringup), good], 2, "finished"),
                ("never", [stuck(bringup)] * 9, machine.ATTEMPTS, "hung"),
                ("not on a real CPU", [stuck(bringup, accel="kvm")] * 9, 1, "hung"),
                ("hung later", [stuck(bringup, up, init)] * 9, 1, "hung"),
                ("hung before", [stuck()] * 9, 1, "hung"),
                ("at its end", [stuck(bringup, what="restarted")] * 9, 1, "restarted")]:
            with self.subTest(name):
                self.check(ends, runs, what)

    def test_old_code(self):
        for name, ends, runs, what in [
                ("an int3 that is gone", [died("int3", "66 <90>"), Outcome("finished", "0")], 2, "finished"),
                ("the same each time", [died("int3", "66 <90>")] * 9, machine.ATTEMPTS, "panicked"),
                ("an int3 that is there", [died("int3", "cc <90>")] * 9, 1, "panicked"),
                ("another oops", [died("0002", "66 <90>")] * 9, 1, "panicked"),
                ("a real CPU", [died("int3", "66 <90>", "kvm")] * 9, 1, "panicked"),
                ("nothing wrong", [Outcome("finished", "0", accel="tcg")], 1, "finished")]:
            with self.subTest(name):
                self.check(ends, runs, what)

# SPDX-License-Identifier: GPL-2.0
"""The verdict on all CPUs at once, of machines that are made up."""

import re
import unittest
from types import SimpleNamespace

from tests.unit.made_up import line, make_session
from vmtest.checks import Failed
from vmtest.suites import abuse
from vmtest.verdict import Outcome

MIX = ["panic", "halt", "restart", "crash-kexec", "crash-kexec"]


def said(action, start="", message="TOKEN", time="9.000000"):
    return line(f"{start}BPF: {action} by program fentry, id 7, tag 0123456789abcdef, loaded by uid 0: {message}", time)


def again(action):
    return said(action, time="9.100000")


PANIC = said("panic", "Kernel panic - not syncing: ")
STOPPED = "".join(map(line, [
    "WARNING: inconsistent lock state", "ffff (&nmi_desc[NMI_LOCAL].lock){....}, at: f+0x1/0x2", " <NMI>",
    " __register_nmi_handler+0xa7/0x2f3", " native_stop_other_cpus+0x2a4/0x44e", " </NMI>"]))

# (verdict, console, whether a dump is wanted)
GOOD = [
    ("panicked", PANIC, False),
    ("halted", said("halt"), False),
    ("crash-kernel", PANIC, True),
    ("crash-kernel", said("crash_kexec"), True),
    # each that wants a dump may say so before somebody wins
    ("crash-kernel", said("crash_kexec") + again("crash_kexec"), True),
    # printed once more by a CPU that has taken the console away
    ("restarted", said("restart") + said("restart"), False),
    ("crash-kernel", said("crash_kexec") + PANIC, True),
    ("restarted", said("crash_kexec") + said("restart"), True),
    ("halted", said("halt") + STOPPED, False),
]
BAD = [
    ("panicked", PANIC + PANIC.replace("9.0", "9.1"), False),
    ("panicked", said("halt") + PANIC, False),
    ("panicked", line("Kernel panic - not syncing: Fatal exception"), False),
    ("panicked", said("panic", "Kernel panic - not syncing: ", "other"), False),
    ("panicked", said("halt"), False),
    ("halted", said("restart"), False),
    ("halted", "", False),
    ("halted", said("halt") + line("BUG: something"), False),
    ("halted", said("halt") + STOPPED + line("BUG: something"), False),
    ("halted", said("halt") + STOPPED.replace("native_stop_other_cpus", "f"), False),
    ("halted", said("halt") + STOPPED.replace("nmi_desc", "lock"), False),
    ("halted", said("halt") + said("crash_kexec"), False),
    ("restarted", said("restart") + again("restart"), False),
    ("restarted", said("crash_kexec") + said("restart"), False),
    ("restarted", said("crash_kexec") + again("crash_kexec") + said("crash_kexec", time="9.2") + said("restart"), True),
    ("restarted", said("power_off") + said("restart"), False),
    ("crash-kernel", "", False),
    ("crash-kernel", "", True),
    ("crash-kernel", said("restart"), True),
    ("panicked", PANIC, True),
    ("powered-off", "", False),
    ("finished", "", False),
    ("hung", "", False),
    ("lost", "", False),
]


class Made:
    """A suite whose machines are made up."""

    def __init__(self, outcome):
        self.outcome, self.session, self.remarks, self.seed = outcome, make_session(), {}, 0

    def boot(self, _name, command, keep_log=False, **_options):
        token = re.search(r"--token (\w+)", command)[1]
        self.outcome.console = self.outcome.console.replace("TOKEN", token)
        if keep_log:
            self.outcome.kernel_log = (self.outcome.kernel_log or self.outcome.console).replace("TOKEN", token)
        return self.outcome

    @staticmethod
    def crash_kernel_options(command, more=""):
        return {"command": command, "append": more}


class Mix(unittest.TestCase):
    def judge(self, verdict, console, dump, log=""):
        outcome = Outcome(verdict, "42", console=console, accel="tcg", output="crasher: arming fentry\n",
                          boot_seconds=1.0, counters=[4, 0], kernel_log=log)
        try:
            abuse.Abuse(Made(outcome)).mix(0, "fentry", MIX, dump)
        except Failed as error:
            return str(error)
        return ""

    def test_order(self):
        for verdict, console, dump in GOOD:
            with self.subTest(f"{verdict}: {console}"):
                self.assertEqual(self.judge(verdict, console, dump), "")

    def test_a_line_that_the_crash_kernel_cuts_off(self):
        half = said("crash_kexec")[:-30]
        self.assertEqual(self.judge("crash-kernel", half, True, log=said("crash_kexec") + again("crash_kexec")), "")
        self.assertIn("nobody wanted a dump", self.judge("crash-kernel", half, True, log=line("another line")))

    def test_disorder(self):
        for verdict, console, dump in BAD:
            with self.subTest(f"{verdict}: {console}"):
                self.assertTrue(self.judge(verdict, console, dump))


class Counters(unittest.TestCase):
    def test_only_memory_that_is_gone_is_no_witness(self):
        gone = {"memory-at-off": "QEMU is gone"}
        for lacks, verdict, counted in [
                (gone, "powered-off", None), (gone, "crash-kernel", None), (gone, "halted", []),
                ({"memory-in-place": "overwritten"}, "crash-kernel", None),
                ({"memory-in-place": "overwritten"}, "powered-off", []),
                ({}, "powered-off", []), ({}, "crash-kernel", [])]:
            with self.subTest(f"{verdict}, {lacks}"):
                made = abuse.Abuse(SimpleNamespace(session=make_session(lacks=lacks)))
                self.assertEqual(made.counters(Outcome(verdict)), counted)


class Lists(unittest.TestCase):
    def test_rounds_are_what_the_seed_says(self):
        def names(seed):
            suite = SimpleNamespace(session=make_session(), remarks={}, seed=seed, rounds=3, everything=False)
            return [test.name for test in abuse.tests(suite)]

        self.assertEqual(names(1), names(1))
        self.assertEqual(names(1)[1], "abuse: all CPUs at once, round 2, with a crash kernel")

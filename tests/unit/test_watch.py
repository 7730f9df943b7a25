# SPDX-License-Identifier: GPL-2.0
"""Whether the CPUs of a made-up machine stand still, by the registers of each architecture."""

import unittest
from unittest import mock

from tests.unit.made_up import TOP, make_session
from vmtest import arch, machine, watch


def x86_64(place, takes, waits):
    return f"RIP={place:016x} RFL={0x202 if takes else 2:08x} [-------] CPL=0 II=0 A20=1 SMM=0 HLT={int(waits)}"


def arm64(place, takes, _waits):
    return f" PC={place:016x} X00=0000000000000000 X01=1\nX30=0 SP=0 \nPSTATE={0x60000005 + 0x80 * (not takes):08x} EL1h"


def riscv64(place, takes, _waits):
    return f"CPU\r\n pc       {place:016x}\r\n mhartid  0\r\n mstatus  {0xa0 + 2 * takes:016x}\r\n"


def s390x(place, takes, _waits):
    return f"PSW=mask {0x0001000180000000 + takes * (1 << 56):016x} addr {place:016x} cc 00\n"


# (name, the CPUs by number of the sample: place, takes interrupts, waits for one; whether they stand still)
CASES = [
    ("both wait", lambda n: [(100, False, True), (200, False, True)], True),
    ("one waits, and takes interrupts", lambda n: [(100, True, True), (200, False, True)], False),
    ("one goes round", lambda n: [(100, False, True), (200 + n % 8, False, False)], True),
    ("one goes round, and on", lambda n: [(100, False, True), (200 + 64 * (n > 15), False, False)], False),
    ("one is somewhere else each time", lambda n: [(100, False, True), (200 + 64 * n, False, False)], False),
    ("one is not there", lambda n: [(100, False, True)], False),
]


class StandsStill(unittest.TestCase):
    def check(self, name, register):
        made = arch.load(TOP, name)
        for case, cpus, still in CASES:
            asked = []

            def answer(_line, cpus=cpus, asked=asked):
                asked.append(1)
                return "\n".join(register(*cpu) for cpu in cpus(len(asked)))

            # what its registers do not show
            if case == "one waits, and takes interrupts" and not made.interrupts_on:
                continue
            with self.subTest(f"{name}: {case}"), mock.patch("time.sleep"):
                self.assertEqual(watch.stands_still(answer, made, 2), still)

    def test_x86_64(self):
        self.check("x86_64", x86_64)

    def test_arm64(self):
        self.check("arm64", arm64)

    def test_riscv64(self):
        self.check("riscv64", riscv64)

    def test_s390x(self):
        self.check("s390x", s390x)


class Stopped(unittest.TestCase):
    """Where QEMU itself says that all CPUs have stopped, its word ends the machine, and output that grows is noticed."""

    def watch(self, events, sizes):
        made = mock.Mock(arch=arch.load(TOP, "s390x"), stays=True, limits={"boot": 99, "silence": 99, "total": 99},
                         silent_boot=99)
        made.size = lambda name: sizes.pop(0) if sizes else 0
        monitor = mock.Mock(events=[{"event": event, "data": {"reason": reason}} for event, reason in events])
        monitor.saw = lambda name: any(event == name for event, _ in events)
        return watch.Watch(made, monitor)

    def test_not_at_once(self):
        made = self.watch([("GUEST_PANICKED", "")], [7, 7])
        self.assertFalse(made.is_over(made.start))
        self.assertTrue(made.is_over(made.start + watch.HALT_SETTLE + 1))
        self.assertFalse(made.is_ticking())

    def test_programs_go_on(self):
        made = self.watch([("GUEST_PANICKED", "")], [7, 8])
        self.assertFalse(made.is_over(made.start))
        self.assertTrue(made.is_ticking())

    def test_the_last_cpu(self):
        made = self.watch([("SHUTDOWN", "guest-shutdown")], [])
        self.assertTrue(made.is_over(made.start))

    def test_nothing_said(self):
        made = self.watch([("RESUME", "")], [])
        self.assertFalse(made.is_over(made.start))


class Boot(unittest.TestCase):
    """A boot has its time, and may not be silent for all of it."""

    def limit(self, booted, seconds, silent):
        made = mock.Mock(limits={"boot": 240, "silence": 240, "total": 999}, silent_boot=60)
        made.size = lambda name: 0
        watched = watch.Watch(made, mock.Mock())
        watched.booted = booted
        watched.last_sign = watched.start + seconds - silent
        watched.reached_limit(watched.start + seconds)
        return watched.limit

    def test_it_prints(self):
        self.assertEqual(self.limit(0, 230, 59), "")

    def test_it_is_silent(self):
        self.assertEqual(self.limit(0, 100, 61), "did not boot, silent for 60 s")

    def test_it_takes_too_long(self):
        self.assertEqual(self.limit(0, 241, 1), "did not boot within 240 s")

    def test_what_a_command_is_allowed(self):
        made = machine.Machine(make_session(), "bzImage", [], limits={"silence": 5})
        self.assertEqual(made.silent_boot, 60)

    def test_it_has_booted(self):
        self.assertEqual(self.limit(9, 300, 239), "")

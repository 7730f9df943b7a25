# SPDX-License-Identifier: GPL-2.0
"""Watching a machine that runs, up to its end or to a limit."""

import re
import time

from vmtest import verdict
from vmtest.verdict import PRINTK

# How long a machine that says it has halted must stay as it is.
HALT_GRACE = 3
# How long the others may take to stop.
HALT_SETTLE = 1.5
# Bytes of the loop in which a CPU waits for its end.
LOOP_SIZE = 32
# How often it is looked where the CPUs are, when all wait for an interrupt and when one is in a loop.
SAMPLES, SAMPLES_OF_LOOP, SAMPLE_DELAY = 6, 30, 0.15
# The guest asks for an NMI by this line.
RE_WANT_NMI = re.compile(PRINTK + r"crasher: waiting for an NMI\r?$", re.M)
# Long enough for the console to be through with that line.
NMI_DELAY = 0.5
# Where the guest's tool counts: two numbers, which can be read when the machine is at its end.
RE_COUNTERS = re.compile(r"^crasher: counters at physical address (0x[0-9a-f]+)$", re.M)


def stands_still(ask, arch, smp):
    """Has every CPU stopped for good? "ask" has the monitor's answer to a line.

    It takes no interrupts, and waits for one, or goes round in a loop of a few instructions: a CPU that was
    told to stop in an NMI can do no better. One that has not stopped yet is seen somewhere else soon.
    """
    first = None
    for sample in range(1, SAMPLES_OF_LOOP + 1):
        cpus = arch.cpus(ask("info registers -a"))
        first = first or cpus
        if len(cpus) != smp:
            return False
        for cpu, before in zip(cpus, first):
            if cpu.takes_interrupts or not cpu.waits and abs(cpu.place - before.place) >= LOOP_SIZE:
                return False
        # The one that starts the crash kernel copies and clears memory in loops as small, one after the other.
        if sample >= SAMPLES and all(cpu.waits for cpu in cpus):
            return True
        time.sleep(SAMPLE_DELAY)
    return True


class Watch:
    """What is known of a machine while it runs. Its console and output grow, and its monitor speaks."""

    def __init__(self, machine, monitor):
        self.machine, self.monitor = machine, monitor
        self.start = self.last_change = self.last_sign = time.monotonic()
        self.console_size = self.output_size = 0
        self.booted = 0.0
        self.halted_at = self.stopped_at = None
        self.settled = None  # size of the output when the other CPUs had their time to stop
        self.still = False
        self.was_reset = False
        self.nmis_due, self.nmis_asked = [], 0
        self.limit = ""

    def run(self):
        """Until QEMU is gone (then True) or there is a reason to stop (then False)."""
        # The machine is created stopped, so that no event can be missed.
        self.monitor.send("qmp_capabilities")
        self.monitor.send("cont")
        while True:
            _, gone = self.monitor.receive(0.1)
            self.machine.session.check_stop()
            now = time.monotonic()
            self.look_at_output(now)
            self.inject_nmi(now)
            if self.machine.on_tick:
                self.machine.on_tick(self.machine, now - self.start)
            if gone:
                return True
            if not self.machine.shell and self.is_over(now):
                return False

    def is_over(self, now):
        """A machine whose memory is looked at stays there, at its end."""
        if self.machine.stays and self.monitor.saw("SHUTDOWN"):
            return True
        return self.has_stopped(now) or self.has_halted(now) or self.reached_limit(now)

    def look_at_output(self, now):
        size = self.machine.size("output")
        if size != self.output_size:
            self.output_size, self.last_sign = size, now
        size = self.machine.size("console")
        if size != self.console_size:
            self.console_size, self.last_change, self.last_sign = size, now, now
            self.look_at_console(now, self.machine.read("console"))

    def look_at_console(self, now, console):
        if not self.booted and "vm: ready" in console:
            self.booted = now - self.start
        asked = len(RE_WANT_NMI.findall(console))
        self.nmis_due += [now + NMI_DELAY] * (asked - self.nmis_asked)
        self.nmis_asked = asked
        self.halted_at = (self.halted_at or now) if verdict.seems_halted(console) else None

    def inject_nmi(self, now):
        if self.nmis_due and now >= self.nmis_due[0]:
            self.nmis_due.pop(0)
            self.monitor.send("inject-nmi")

    def has_stopped(self, now):
        """QEMU says that every CPU has stopped for good; for a while it is looked whether its programs go on."""
        if not self.machine.arch.stops or not self.monitor.saw(self.machine.arch.stops):
            return False
        if self.stopped_at is None:
            self.stopped_at, self.settled = now, self.machine.size("output")
        return now - self.stopped_at > HALT_SETTLE

    def has_halted(self, now):
        """A machine that says that it halts is looked at when it was silent for a while, or is reset then."""
        if not self.halted_at:
            return False
        if self.settled is None and now - self.halted_at > HALT_SETTLE:
            self.settled = self.machine.size("output")
        if self.machine.comes_back:
            if now - self.halted_at > HALT_GRACE and not self.was_reset:
                self.was_reset = True
                self.monitor.send("system_reset")
            return False
        if now - max(self.halted_at, self.last_change) <= HALT_GRACE:
            return False
        # One CPU says that it halts, and another may be restarting the machine at that moment or
        # starting the crash kernel. A machine whose programs go on has not halted.
        self.still = self.stands_still()
        if self.still or self.is_ticking() or verdict.RE_PANIC_END.search(self.machine.read("console")):
            return True
        self.halted_at = now
        return False

    def reached_limit(self, now):
        limits = self.machine.limits
        if not self.booted and now - self.start > limits["boot"]:
            self.limit = f"did not boot within {limits['boot']} s"
        elif not self.booted and now - self.last_sign > self.machine.silent_boot:
            self.limit = f"did not boot, silent for {self.machine.silent_boot} s"
        elif self.booted and now - self.last_sign > limits["silence"]:
            self.limit = f"silent for {limits['silence']} s"
        elif now - self.start > limits["total"]:
            self.limit = f"not at its end after {limits['total']} s"
        return bool(self.limit)

    def stands_still(self):
        return stands_still(self.monitor.ask, self.machine.arch, self.machine.smp)

    def is_ticking(self):
        """Did the output grow after the machine said that it halts?"""
        return self.settled is not None and self.machine.size("output") != self.settled

    def read_counters(self):
        where = RE_COUNTERS.search(self.machine.read("output"))
        if not where:
            return []
        answer = self.monitor.ask(f"xp /2gx {where.group(1)}")
        return [int(number, 16) for number in re.findall(r" (0x[0-9a-f]{16})", answer)]

# SPDX-License-Identifier: GPL-2.0
"""The machines of make bench: one CPU that counts its instructions, or two that storm an event."""

import concurrent.futures
import functools
import os
from dataclasses import dataclass

from vmtest.bench import counts
from vmtest.machine import Machine
from vmtest.session import HarnessError, Session

# Time is counted instructions, and nothing is drawn by lot: the same run gives the same counts.
COUNTED = ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2026-01-01,clock=vm"]
# Nobody calls this one but whoever says that what is counted begins.
MARK = "__x64_sys_personality"
EVENT = "__set_task_comm"
# The next function that the event calls, behind all that can watch it.
BEHIND_EVENT = "perf_event_comm"
# A machine that counts is several times as slow as one that does not, and says nothing meanwhile.
LIMITS = {"boot": 1800, "silence": 7200, "total": 7200}


@dataclass(frozen=True)
class Kernel:
    """A kernel to be measured."""

    name: str  # patched, or base: without the series
    image: str
    vmlinux: str

    @functools.cached_property
    def symbols(self):
        return counts.Symbols.of(self.vmlinux)

    def place(self, kind, name, symbol):
        """An argument of the plugin."""
        address = self.symbols.address.get(symbol)
        if address is None:
            raise HarnessError(f"{self.vmlinux} has no {symbol}")
        return f"{kind}={name}@{address:x}"


@dataclass
class Lab:
    """What is built, by scripts/bench."""

    session: Session
    directory: str

    @functools.cached_property
    def patched(self):
        built = self.session.built("")
        return Kernel("patched", built.kernel, built.vmlinux)

    @functools.cached_property
    def base(self):
        obj = self.path("obj")
        return Kernel("base", os.path.join(obj, self.session.arch.image), os.path.join(obj, "vmlinux"))

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def initrd(self, *more):
        return [self.session.built("").base, self.path("bench.gz"), *more]

    def boot(self, name, command, places, kernel=None, counting=True, profile=False, **options):
        """A machine whose instructions are counted, or several CPUs whose events are: (Outcome, Counts)."""
        kernel = kernel or self.patched
        name = f"bench-{name}"
        log = os.path.join(self.session.build, "logs", f"vm{self.session.suffix}", name + ".counts")
        os.makedirs(os.path.dirname(log), exist_ok=True)
        if os.path.exists(log):
            os.remove(log)
        words = [self.path("counter.so"), f"out={log}", *places]
        words += ["count=on"] if counting else []
        words += ["profile=on"] if profile else []
        options["append"] = f"nokaslr {options.get('append', '')}"
        options.setdefault("initrd", self.initrd())
        options.setdefault("smp", 1 if counting else 2)
        device = ["-plugin", ",".join(words), *(COUNTED if counting else [])]
        machine = Machine(self.session, kernel.image, options.pop("initrd"), name=name, command=command,
                          accel="tcg", device=device, limits=LIMITS if counting else None, **options)
        outcome = machine.run()
        # Of a busy host, say; that is no result of whatever was to be measured.
        if outcome.verdict == "hung":
            raise HarnessError(f"{name}: the machine {outcome}; {outcome.log}")
        return outcome, counts.read_file(log)

    def each(self, function, arguments):
        """The results of a function, in order, of as many machines at a time as there are CPUs."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            try:
                yield from pool.map(function, arguments)
            except (Exception, KeyboardInterrupt):
                self.session.stop.set()
                raise

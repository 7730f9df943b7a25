# SPDX-License-Identifier: GPL-2.0
"""What the suites of tests are made with: tests, and the machines that they boot."""

import re
from dataclasses import dataclass, field
from typing import Callable

from vmtest.checks import check, explain
from vmtest.machine import Machine, find_accel
from vmtest.session import Session
from vmtest.snapshot import Snapshots


# MiB of a machine with the ordinary guest: memory has to be saved, and makedumpfile looks at each page.
MEMORY = 512


@dataclass
class Test:
    """A test by its name. It returns nothing, or its results, [(name, None or what went wrong or Skip)]."""

    name: str
    function: Callable
    needs: tuple = ()  # features that the architecture or base may lack


@dataclass
class Skip:
    """The result of what was not tested, and why."""

    reason: str


@dataclass
class Suite:
    """A session's machines, as the tests boot them."""

    session: Session
    kernel: str
    accel: str  # "auto" until a machine is needed
    seed: int
    loads: int
    rounds: int
    everything: bool
    remarks: dict = field(default_factory=dict)  # by their subject, printed at the end

    def __post_init__(self):
        self.built = self.session.built()
        self.snapshots = Snapshots(self.session)

    def boot(self, name, command, **options):
        options.setdefault("initrd", [self.built.base])
        options.setdefault("accel", self.accel)
        options.setdefault("snapshots", self.snapshots)
        # what is added to the guest may need more
        if options["initrd"] == [self.built.base] and not self.session.flavour:
            options.setdefault("memory", MEMORY)
        return Machine(self.session, self.kernel, options.pop("initrd"), name=name, command=command, **options).run()

    def expect(self, name, command, verdict, detail=None, **options):
        outcome = self.boot(name, command, **options)
        check(outcome.verdict == verdict and detail in (None, outcome.detail),
              explain(outcome, f"expected: {verdict} {detail or ''}"))
        if verdict == "hung":
            with open(f"{outcome.log}/registers") as f:
                check(re.search(self.session.arch.registers, f.read(), re.S),
                      explain(outcome, "nothing is kept of where its CPUs are"))
        return outcome

    def with_crash_kernel(self, name, command, append="", no_dump=False, **more):
        options = self.crash_kernel_options(command, "vm.no-dump" if no_dump else "")
        append = f"{options.pop('append')} {append}"
        return self.expect(name, options.pop("command"), "crash-kernel", append=append, **options, **more)

    def crash_kernel_options(self, command, more=""):
        options = self.session.with_crash_kernel(command, more, self.kernel)
        if self.session.flavour:
            return options
        # There is room for so much, wherever the kernel has put itself.
        return {**options, "memory": MEMORY, "append": "crashkernel=160M"}

    def find_accel(self):
        self.accel = find_accel(self.session, self.accel, self.kernel, self.built.base)

# SPDX-License-Identifier: GPL-2.0
"""Machines that have booted and wait for their command: for those that begin alike, this is done once."""

import os
import shlex
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field

# What the kernel has printed so far.
CONSOLES = ["console", "hvc"]
# Long enough for the guest to sleep, when it has opened the port that its command comes from.
SETTLE = 0.3


class NotMade(Exception):
    """Why there is no snapshot."""


def copy_consoles(source, target):
    """Each of them is a function that makes a path of a name."""
    for name in CONSOLES:
        if os.path.exists(source(name)):
            shutil.copy(source(name), target(name))


@dataclass
class Snapshot:
    """The state of a machine, its initrd, and what its kernel had printed, in a directory."""

    path: str

    def file(self, name):
        return os.path.join(self.path, name)

    def start(self, machine):
        """Start a machine of that kind from there."""
        copy_consoles(self.file, machine.path)
        machine.start(self.file("initrd"), "-incoming", f"exec:cat {shlex.quote(self.file('state'))}")

    def take(self, machine):
        """Of a machine that was started with this initrd, and goes on then."""
        boot(machine)
        save(machine, self.file("state"))
        copy_consoles(machine.path, self.file)


@dataclass
class Kind:
    """Machines that are alike until they get their command."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    asked: int = 0
    tried: bool = False
    snapshot: Snapshot = None


class Snapshots:
    """Those of one run of the tests: of each kind the second machine leaves one, as there is more than one then."""

    def __init__(self, session):
        self.session = session
        self.lock = threading.Lock()
        self.kinds = {}
        self.failed = []  # for the remarks at the end
        self.directory = None

    def kind_of(self, machine):
        """Nothing if the machine is the first one of its kind."""
        with self.lock:
            kind = self.kinds.setdefault(machine.kind(), Kind())
            kind.asked += 1
            if kind.asked > 1 and not self.directory:
                # gone when this program ends
                self.directory = tempfile.TemporaryDirectory(prefix="snapshots-", dir=self.session.work)
        return kind if kind.asked > 1 else None

    def start(self, machine, tmp):
        """Start a machine, which boots if there is no snapshot of its kind."""
        kind = self.kind_of(machine) if machine.accel == "tcg" and not machine.shell else None
        if kind:
            with kind.lock:
                if not kind.tried:
                    kind.tried = True
                    kind.snapshot = self.leave(machine)
                    return
        if kind and kind.snapshot:
            kind.snapshot.start(machine)
        else:
            machine.start(machine.make_initrd(tmp))

    def leave(self, machine):
        """Start a machine that leaves a snapshot. What becomes of one that cannot is for who watches it to say."""
        made = Snapshot(tempfile.mkdtemp(dir=self.directory.name))
        machine.start(machine.make_initrd(made.path))
        try:
            made.take(machine)
        except NotMade as error:
            self.failed.append((machine.name, str(error)))
            return None
        return made


def wait(machine, what, condition):
    """What is silent for longer than a boot may be is stuck."""
    start = sign = time.monotonic()
    size = 0
    while not condition():
        _, gone = machine.monitor.receive(0.1)
        machine.session.check_stop()
        if gone:
            raise NotMade(f"QEMU is gone during {what}")
        now = time.monotonic()
        if machine.size("console") != size:
            size, sign = machine.size("console"), now
        if now - sign > machine.silent_boot or now - start > machine.limits["boot"]:
            raise NotMade(f"{what} is not at its end after {now - start:.0f} s")


def boot(machine):
    """Up to where the guest waits for its command."""
    machine.monitor.send("qmp_capabilities")
    machine.monitor.send("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
    machine.monitor.send("cont")
    wait(machine, "the boot", lambda: machine.monitor.saw("VSERPORT_CHANGE", id="command", open=True))
    end = time.monotonic() + SETTLE
    while time.monotonic() < end:
        machine.monitor.receive(0.1)


def save(machine, path):
    """A migration: the machine has stopped at its end, and can go on."""
    saw = machine.monitor.saw
    machine.monitor.send("migrate", uri=f"exec:cat > {shlex.quote(path)}")
    wait(machine, "the saving", lambda: saw("MIGRATION", status="completed") or saw("MIGRATION", status="failed"))
    if saw("MIGRATION", status="failed"):
        raise NotMade("QEMU cannot save its state")
    # "cont" is refused up to then
    wait(machine, "the saving", lambda: "postmigrate" in machine.monitor.ask("info status"))

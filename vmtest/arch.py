# SPDX-License-Identifier: GPL-2.0
"""What differs between the architectures of guests: one record each, vm/arch/NAME."""

import os
import re
from dataclasses import dataclass

from vmtest.record import Record


@dataclass(frozen=True)
class Cpu:
    """Where a CPU is, and whether it takes interrupts and waits for one, as far as QEMU shows that."""

    place: int
    takes_interrupts: bool
    waits: bool


@dataclass(frozen=True)
class Arch:
    """An architecture, by its record; the keys are explained in vm/arch/x86_64."""

    name: str
    image: str
    qemu: str
    qemu_machine: str
    cpu: dict
    console: str
    early: str
    append: str
    append_debug: str
    append_nmi_all: str
    append_delays: str
    devices: list
    status_bus: str
    console_device: str
    packages: str
    cross: str
    registers: str
    interrupts_on: int
    run_again: bool
    halt: str
    stops: str
    own_halt: str
    silent_off: bool
    late_console: bool
    memory_at: int
    byte_order: str
    console_write: str
    lacks: dict

    @property
    def shows_waiting(self):
        """Can a CPU that stands still be told from an idle one?"""
        return "(?P<waits>" in self.registers

    def cpus(self, text):
        """The CPUs in the text of "info registers -a"."""
        found = []
        for match in re.finditer(self.registers, text, re.S):
            groups = match.groupdict()
            flags = int(groups.get("flags") or "0", 16)
            found.append(Cpu(int(groups["place"], 16), bool(flags & self.interrupts_on), groups.get("waits") == "1"))
        return found


def path_of(top, name):
    return os.path.join(top, "vm", "arch", name)


def names(top):
    return sorted(os.listdir(os.path.join(top, "vm", "arch")))


def host(top):
    """The record of this machine, or nothing."""
    machine = os.uname().machine
    return next((name for name in names(top) if Record(path_of(top, name)).get("machine") == machine), "")


def load(top, name):
    record = Record(path_of(top, name))
    return Arch(
        name=name, image=record.need("image"), qemu=record.need("qemu"),
        qemu_machine=record.need("qemu-machine"),
        cpu={"tcg": record.need("cpu-tcg"), "kvm": record.get("cpu-kvm", "host")},
        console=record.need("console"), early=record.get("early"), append=record.get("append"),
        append_debug=record.get("append-debug"), append_nmi_all=record.get("append-nmi-all"),
        append_delays=record.get("append-delays"),
        devices=record.get("devices").split(), status_bus=record.get("virtio-serial", "virtio-serial"),
        console_device=record.get("console-device"),
        packages=record.get("packages"), cross=record.get("cross"), registers=record.need("registers"),
        interrupts_on=int(record.get("interrupts-on", "0"), 16), run_again=record.get("run-again") == "yes",
        halt=record.get("halt", "halted"), stops=record.get("stops"), own_halt=record.get("own-halt"),
        silent_off=record.get("silent-off") == "yes",
        late_console=record.get("late-console") == "yes", memory_at=int(record.get("memory-at", "0"), 16),
        byte_order=">" if record.need("bpf-target").endswith("eb") else "<",
        console_write=record.get("console-write"), lacks=record.lacks())

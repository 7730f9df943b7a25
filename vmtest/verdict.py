# SPDX-License-Identifier: GPL-2.0
"""How a machine ended: the verdict is drawn from all witnesses of a run together.

  status   a virtio-serial port; only the guest's init writes to it, at its end
  console  the serial console, as a file; only the kernel writes to it
  events   what QEMU reports over QMP (SHUTDOWN, GUEST_PANICKED, ...)

A machine whose witnesses contradict each other is "lost", and so is one whose
QEMU crashed; that its exit code is good proves nothing. What the guest's command
prints goes to a port of its own ("output") and is no witness.
"""

import re
import signal
from dataclasses import dataclass, field

PRINTK = r"^(?:<\d>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? "
# Not at the beginning of a line: a crash kernel comes up while the one before is in the middle of its last one. Its
# time need not be 0.
RE_BANNER = re.compile(r"\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? (Linux version \S+ \(.*?)\r?$", re.M)
RE_PANIC = re.compile(PRINTK + r"Kernel panic - not syncing: (.*?)\r?$", re.M)
RE_PANIC_END = re.compile(PRINTK + r"---\[ end Kernel panic - not syncing", re.M)
RE_HALTED = re.compile(PRINTK + r"(?:reboot: System halted|BPF: halt by program )", re.M)
RE_OWN_HALT = re.compile(PRINTK + r"reboot: System halted", re.M)
RE_POWER_DOWN = re.compile(PRINTK + r"reboot: Power down", re.M)
# Lockdep, RCU, KASAN and the checks of contexts say "WARNING: " or "BUG: ", too.
RE_SPLAT = re.compile(
    PRINTK + r"(?:WARNING: |BUG: |\[ BUG: |BUG \S+ \(|Oops: |kernel BUG at |watchdog: |INFO: task .* blocked|"
    r"INFO: trying to register non-static key|INFO: lockdep is turned off|rcu: INFO: |UBSAN: |ODEBUG: |"
    r"DEBUG_LOCKS_WARN_ON|turning off the locking correctness validator|------------\[ cut here)",
    re.M,
)

# The bytes around the next instruction of an oops: what stands before it, and its first byte.
RE_INT3_CODE = re.compile(r"Oops: int3: .*?Code: [0-9a-f ]*?([0-9a-f]{2}) <[0-9a-f]{2}>", re.S)
# Between these several CPUs are at work, but nothing of ours yet.
RE_BOOT = re.compile(PRINTK + r"(smp: Bringing up secondary CPUs|Run /init as init process)", re.M)


@dataclass
class Outcome:
    """How a machine ended, and what the witnesses said."""

    verdict: str  # finished, panicked, halted, powered-off, restarted, crash-kernel, hung, lost
    detail: str = ""  # status, panic message, which limit, what contradicts
    status: str = ""
    console: str = ""
    output: str = ""
    events: list = field(default_factory=list)
    seconds: float = 0.0
    boot_seconds: float = 0.0
    accel: str = ""
    log: str = ""
    counters: list = field(default_factory=list)  # of the guest's tool, when asked for
    kernel_log: str = ""  # out of memory, when asked for

    def __str__(self):
        words = {
            "finished": f"finished with status {self.detail}",
            "panicked": f"panicked with message: {self.detail}",
            "halted": "halted",
            "powered-off": "powered off",
            "restarted": "restarted",
            "crash-kernel": f"crash kernel took over: {self.detail}",
            "hung": f"hung: {self.detail}",
            "lost": f"lost: {self.detail}",
        }
        return words[self.verdict]

    def panics(self):
        """The messages; a line that a CPU prints once more, as it has taken the console from another one, is one."""
        return list({found[0].rstrip(): found[1] for found in RE_PANIC.finditer(self.console)}.values())

    def splats(self):
        """Warnings and oopses, up to the panic when there was one."""
        text = RE_PANIC.split(self.console, maxsplit=1)[0]
        return [text[m.start():].splitlines()[0] for m in RE_SPLAT.finditer(text)]

    def ended_from_outside(self):
        """Did somebody on this side end QEMU by a signal, with Ctrl-C for instance?"""
        return any(e["event"] == "SHUTDOWN" and e["data"].get("reason") == "host-signal" for e in self.events)

    def executed_old_code(self):
        """Did the CPU trap on an int3 that was not there any more?

        The kernel patches itself with int3 and waits until every CPU has seen the new code. QEMU's emulation of
        several CPUs may go on executing the old one: a race that was found in 2023 with QEMU 8.0, and is in the
        7.2 of Debian 12. An int3 that is in memory proves nothing of that kind.
        """
        found = RE_INT3_CODE.search(self.console)
        return bool(found) and found.group(1) != "cc"

    def stuck_in_boot(self):
        """Did it hang between the start of the other CPUs and that of the first program?

        Seen in two of thousands of boots. The registers of one showed a CPU at the entry of an int3 or NMI, with
        interrupts off, and another that waits for it: what the kernel takes for an int3 that was just removed, and
        tries again, is one without end if the emulation goes on seeing it.
        """
        return self.verdict == "hung" and RE_BOOT.findall(self.console)[-1:] == ["smp: Bringing up secondary CPUs"]

    def emulation_failed(self):
        """Why the machine does not count, as it is QEMU's emulation that went wrong."""
        if self.accel != "tcg":
            return ""
        if self.executed_old_code():
            return "executed code that was not there any more"
        return "did not get to the first program" if self.stuck_in_boot() else ""

    def tail(self, lines=20):
        """The last lines of console and output, for people."""
        console = self.console.replace("\r", "").splitlines()[-lines:]
        return [*console, *(f"output: {line}" for line in self.output.splitlines()[-lines // 2:])]


def unexpected_end(code, events):
    """What is wrong with the way in which QEMU went by itself, with this exit code; nothing if it is in order."""
    if code < 0:
        return f"QEMU was killed: {signal.strsignal(-code)}"
    if code:
        return f"QEMU exited with status {code}"
    return "" if any(e["event"] == "SHUTDOWN" for e in events) else "QEMU exited without a SHUTDOWN event"


def judge(status, console, events, limit="", ticking=False, still=True, died="", stops="", own_halt=""):
    """Draw the verdict from the witnesses: (verdict, detail).

    ticking: the command's output went on growing after the machine said it halts.
    still: QEMU found every CPU stopped for good.
    died: how QEMU ended when that was not the guest's doing.
    stops: the event by which QEMU says that every CPU has stopped for good, if it has one.
    own_halt: how a machine ends that the kernel itself halts, if it does not stand still then.
    """
    status = status.strip()
    names = [e["event"] for e in events]
    shutdown = next((e["data"].get("reason") for e in events if e["event"] == "SHUTDOWN"), None)
    panic = RE_PANIC.search(console)
    said_panic = "GUEST_PANICKED" in names or "GUEST_CRASHLOADED" in names
    banners = len(RE_BANNER.findall(console))

    if limit:
        return "hung", limit
    # An emulator that crashes may do so while the guest panics: that panic had no end.
    if died:
        return "lost", died
    if banners == 0:
        return "lost", "no kernel ever spoke on the console"
    if banners > 1:
        if status != "again" and not status.startswith("crash-kernel "):
            return "lost", f"{banners} kernels booted, but the last one wrote no status"
        if shutdown != "guest-shutdown":
            return "lost", f"the last kernel wrote its status, but ended by {shutdown or 'nothing'}"
        return ("restarted", "and came back") if status == "again" else ("crash-kernel", status.split(" ", 1)[1])
    if status and not re.fullmatch(r"\d+", status):
        return "lost", f"invalid status {status!r}"
    if panic and status:
        return "lost", f"panic on the console, but status {status} on the port"
    if panic and not said_panic:
        return "lost", "panic on the console, but QEMU was not told"
    if said_panic and not panic and stops != "GUEST_PANICKED":
        return "lost", "QEMU was told of a panic, but the console shows none"
    if panic:
        return "panicked", panic.group(1)
    if status and shutdown == "guest-shutdown":
        return "finished", status
    if status:
        return "lost", f"status {status}, but the machine ended by {shutdown or 'nothing'}"
    if shutdown == "guest-shutdown" and RE_POWER_DOWN.search(console):
        return "powered-off", ""
    if shutdown == "guest-reset":
        return "restarted", ""
    if own_halt and shutdown == own_halt and RE_OWN_HALT.search(console):
        return "halted", ""
    if shutdown is None and RE_HALTED.search(console):
        if ticking:
            return "lost", "it said that it halts, but goes on"
        return ("halted", "") if still or stops in names else ("lost", "it said that it halts, but not every CPU stands still")
    return "lost", f"no status, end by {shutdown or 'nothing'}"


def seems_halted(console):
    """Is what the console says a reason to look whether every CPU stands still?

    A panic that has begun is not at its end before it says so, even if another CPU wanted to halt: it may be about
    to start the crash kernel.
    """
    said = RE_PANIC_END if RE_PANIC.search(console) else RE_HALTED
    return bool(said.search(console))


def draw(status, console, output, events, watch, died=""):
    """The Outcome of a machine that was watched."""
    what, detail = judge(status, console, events, watch.limit, watch.is_ticking(), watch.still, died,
                         watch.machine.arch.stops, watch.machine.arch.own_halt)
    return Outcome(what, detail, status.strip(), console, output, events, boot_seconds=watch.booted)

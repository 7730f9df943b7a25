# SPDX-License-Identifier: GPL-2.0
"""Boot one kernel in QEMU and say how the machine ended.

Three witnesses are kept of every run, and the verdict is drawn from all of
them together:

  status   a virtio-serial port; only the guest's init writes to it, at its end
  console  the serial console, as a file; only the kernel writes to it
  events   what QEMU reports over QMP (SHUTDOWN, GUEST_PANICKED, ...)

A machine whose witnesses contradict each other is "lost", and so is one whose
QEMU crashed; that its exit code is good proves nothing. What the guest's command
prints goes to a port of its own ("output") and is no witness.
"""

import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD") or os.path.join(TOP, "build")
# Which kernel: nothing is the ordinary one, "debug" the one with vm/config/debug.config.
KERNEL = os.environ.get("KERNEL", "")

# What differs between architectures, and nothing else. "panic" are devices
# by which a guest tells QEMU that it panics.
ARCHES = {
    "x86_64": {
        "qemu": "qemu-system-x86_64",
        "machine": "q35",
        "cpu": {"tcg": "max", "kvm": "host"},
        "console": "ttyS0",
        # Prints on the same line from the beginning, until the first console does.
        "early": "earlycon=uart8250,io,0x3f8",
        "image": "arch/x86/boot/bzImage",
        # On a busy host the timer may be so late that the kernel takes it for broken, and panics at boot.
        "append": "no_timer_check",
        # An interrupt while identify_cpu() has no word of LA57 makes KASAN take good addresses for wild ones.
        "debug": "no5lvl",
        "panic": ["-device", "pvpanic-pci"],
        "package": "qemu-system-x86",
        # Where it is, flags (where 0x200 is "takes interrupts") and "waits for an interrupt", of each CPU.
        "registers": r"[RE]IP=([0-9a-f]+) [RE]FL=([0-9a-f]+) .*\bHLT=([01])",
        "interrupts": 0x200,
    },
}

# Seconds; under TCG everything takes several times as long.
LIMITS = {"boot": 60, "silence": 60, "total": 300}
TCG_FACTOR = 4
DEBUG_FACTOR = 3
# How long a machine that says it has halted must stay as it is.
HALT_GRACE = 3
# How long the others may take to stop.
HALT_SETTLE = 1.5
# Bytes of the loop in which a CPU waits for its end.
LOOP_SIZE = 32
# How often it is looked where the CPUs are, when all wait for an interrupt and when one is in a loop.
SAMPLES, SAMPLES_OF_LOOP, SAMPLE_DELAY = 6, 30, 0.15
# How long QEMU may take to answer.
QMP_TIMEOUT = 20

PRINTK = r"^(?:<\d>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? "
# Not at the beginning of a line: a crash kernel comes up while the one before is in the middle of its last one.
RE_BANNER = re.compile(r"\[ *0\.000000\](?:\[ *[TC]\d+\])? Linux version ")
RE_PANIC = re.compile(PRINTK + r"Kernel panic - not syncing: (.*?)\r?$", re.M)
RE_PANIC_END = re.compile(PRINTK + r"---\[ end Kernel panic - not syncing", re.M)
RE_HALTED = re.compile(PRINTK + r"(?:reboot: System halted|BPF: halt by program )", re.M)
RE_POWER_DOWN = re.compile(PRINTK + r"reboot: Power down", re.M)
# The guest asks for an NMI by this line.
RE_WANT_NMI = re.compile(PRINTK + r"crash: waiting for an NMI\r?$", re.M)
# Long enough for the console to be through with that line.
NMI_DELAY = 0.5
# Where the crash tool counts: two numbers, which can be read when the machine is at its end.
RE_COUNTERS = re.compile(r"^crash: counters at physical address (0x[0-9a-f]+)$", re.M)
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
ATTEMPTS = 3
# The machines that did not count, (name, reason), for who reports.
RUN_AGAIN = []


def positive(text):
    """A type of arguments."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def add_accel(parser):
    """argparse does not look at a default's value."""
    choices, default = ["auto", "kvm", "tcg"], os.environ.get("ACCEL") or "auto"
    if default not in choices:
        parser.error(f"ACCEL={default}: choose from {', '.join(choices)}")
    parser.add_argument("--accel", choices=choices, default=default)


# Set by who is told to stop, while threads of it are watching machines.
STOP = threading.Event()


class HarnessError(Exception):
    """The harness could not do its work; says nothing about the kernel."""


@dataclass
class Built:
    """What scripts/kernel and scripts/guest have built."""

    kernel: str
    vmlinux: str
    base: str
    selftests: str
    crash: str


HELD = {}


def hold_work(work):
    """As in scripts/lib.sh, until this program ends."""
    if work in HELD or not os.path.isdir(work):
        return
    HELD[work] = open(os.path.join(work, ".in-use"), "w")
    try:
        fcntl.flock(HELD[work], fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise HarnessError(f"{work} is being removed") from error


def built(base, kernel=None):
    work = os.path.join(BUILD, base)
    hold_work(work)
    kernel = KERNEL if kernel is None else kernel
    suffix = f"-{kernel}" if kernel else ""
    image = ARCHES.get(os.uname().machine, {"image": "?"})["image"]
    return Built(kernel=os.path.join(work, f"obj{suffix}", image),
                 vmlinux=os.path.join(work, f"obj{suffix}", "vmlinux"),
                 base=os.path.join(work, f"initramfs{suffix}.gz"),
                 selftests=os.path.join(work, f"selftests{suffix}.gz"),
                 crash=os.path.join(work, f"guest{suffix}", "crash"))


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
    counters: list = field(default_factory=list)  # of the crash tool, when asked for

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
        return RE_PANIC.findall(self.console)

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


def judge(status, console, events, limit="", ticking=False, still=True, died=""):
    """Draw the verdict from the witnesses: (verdict, detail).

    ticking: the command's output went on growing after the machine said it halts.
    still: QEMU found every CPU stopped for good.
    died: how QEMU ended when that was not the guest's doing.
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
    if said_panic and not panic:
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
    if shutdown is None and RE_HALTED.search(console):
        if ticking:
            return "lost", "it said that it halts, but goes on"
        return ("halted", "") if still else ("lost", "it said that it halts, but not every CPU stands still")
    return "lost", f"no status, end by {shutdown or 'nothing'}"


def with_crash_kernel(kernel, initrd, command, more=""):
    """Options of a Machine that runs the command with this kernel and guest loaded as crash kernel."""
    arch = ARCHES[os.uname().machine]
    # One CPU: several in a crash kernel make TCG fail now and then.
    load = f"kexec-crash /run/{os.path.basename(kernel)} /run/{os.path.basename(initrd)} " \
        f"'console={arch['console']} {arch['append']} nokaslr nosmp irqpoll reset_devices{more and ' ' + more}'"
    return {"command": f"{load} || exit\n{command}", "append": "crashkernel=256M", "files": [kernel, initrd]}


def die_with_parent():
    """Have QEMU killed when the runner goes, however it goes."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


def seems_halted(console):
    """Is what the console says a reason to look whether every CPU stands still?

    A panic that has begun is not at its end before it says so, even if another CPU wanted to halt: it may be about
    to start the crash kernel.
    """
    said = RE_PANIC_END if RE_PANIC.search(console) else RE_HALTED
    return bool(said.search(console))


class Machine:
    """One QEMU run. All paths and numbers come in through the constructor."""

    def __init__(self, kernel, initrd, name="vm", command="true", arch=None, accel="tcg",
                 memory=None, smp=2, append="", logs=None, limits=None, files=(), shell=False,
                 device=(), on_tick=None, counters=False, consoles=(), comes_back=False):
        self.arch_name = arch or os.uname().machine
        if self.arch_name not in ARCHES:
            raise HarnessError(f"no QEMU machine is described for {self.arch_name}; "
                               f"vm/machine.py knows {', '.join(ARCHES)}")
        self.arch = ARCHES[self.arch_name]
        self.kernel, self.initrd, self.name = kernel, list(initrd), name
        self.command, self.accel, self.smp = command, accel, smp
        # KASAN takes an eighth, and keeps what was freed
        self.memory = memory or (2048 if KERNEL else 1024)
        self.append, self.shell, self.device = append, shell, list(device)
        self.files, self.on_tick = list(files), on_tick
        self.counters = counters
        self.consoles = list(consoles) or [self.arch["console"]]
        self.comes_back = comes_back  # a machine that is reset boots again, and has to end itself then
        self.log = os.path.join(logs or os.path.join(BUILD, "logs"), f"vm-{KERNEL}" if KERNEL else "vm", name)
        factor = (TCG_FACTOR if accel == "tcg" else 1) * (DEBUG_FACTOR if KERNEL else 1)
        self.limits = {k: v * factor for k, v in LIMITS.items()}
        self.limits.update(limits or {})
        self.qemu, self.qmp, self.buffer, self.events = None, None, b"", []  # of one run

    def path(self, name):
        return os.path.join(self.log, name)

    def cmdline(self):
        return " ".join(filter(None, [
            *(f"console={name}" for name in self.consoles),
            "" if self.arch["console"] in self.consoles else self.arch["early"],
            "panic=-1", "oops=panic", self.arch["append"],
            self.arch["debug"] if KERNEL else "",
            # A busy host keeps a CPU of an emulated machine waiting for longer than the usual 21 s.
            "rcupdate.rcu_cpu_stall_timeout=100" if self.accel == "tcg" else "",
            "vm.shell" if self.shell else "", self.append]))

    def qemu_argv(self, initrd, qmp_fd="QMP"):
        arch = self.arch
        console = f"stdio,id=console,signal=off,logfile={self.path('console')}" \
            if self.shell else f"file,id=console,path={self.path('console')},mux=on"
        # The runner reads the first one. Beside another one, a virtio console has a file of its own.
        hvc = []
        if self.consoles == ["hvc0"]:
            hvc = ["-device", "virtconsole,chardev=console"]
        elif "hvc0" in self.consoles:
            hvc = ["-chardev", f"file,id=hvc,path={self.path('hvc')}", "-device", "virtconsole,chardev=hvc"]
        return [
            arch["qemu"], "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", f"{arch['machine']},accel={self.accel}",
            "-cpu", arch["cpu"][self.accel], "-smp", str(self.smp), "-m", f"{self.memory}M",
            "-kernel", self.kernel, "-initrd", initrd, "-append", self.cmdline(),
            "-chardev", console, "-serial", "chardev:console",
            "-device", "virtio-serial", *hvc,
            "-chardev", f"file,id=status,path={self.path('status')}",
            "-device", "virtserialport,chardev=status,name=status",
            "-chardev", f"file,id=output,path={self.path('output')}",
            "-device", "virtserialport,chardev=output,name=output",
            "-chardev", f"file,id=dump,path={self.path('dump')}",
            "-device", "virtserialport,chardev=dump,name=dump",
            "-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control",
            # A machine whose memory is looked at stays there, at its end.
            "-action", f"reboot={'reset' if self.comes_back else 'shutdown'},"
            f"shutdown={'pause' if self.counters else 'poweroff'},panic=none",
            "-S", *arch["panic"], *self.device,
        ]

    def make_initrd(self, tmp):
        """The images one after the other, and an archive with this run's command."""
        run = os.path.join(tmp, "run")
        os.makedirs(os.path.join(run, "run"))
        with open(os.path.join(run, "run", "command"), "w") as f:
            f.write(f"#!/bin/sh\n{self.command}\n")
        os.chmod(f.name, 0o755)
        names = ["run", "run/command"]
        for path in self.files:
            shutil.copy(path, os.path.join(run, "run"))
            names.append(f"run/{os.path.basename(path)}")
        archive = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=run,
                                 input="\n".join(names).encode(), capture_output=True, check=True)
        initrd = os.path.join(tmp, "initrd")
        with open(initrd, "wb") as out:
            for path in self.initrd:
                with open(path, "rb") as part:
                    shutil.copyfileobj(part, out, 1 << 20)
                out.write(b"\0" * (-out.tell() % 512))
            out.write(archive.stdout)
        return initrd

    def rotate_logs(self):
        shutil.rmtree(self.log + ".old", ignore_errors=True)
        if os.path.isdir(self.log):
            os.rename(self.log, self.log + ".old")
        os.makedirs(self.log)

    def read(self, name):
        try:
            with open(self.path(name), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def size(self, name):
        try:
            return os.path.getsize(self.path(name))
        except FileNotFoundError:
            return 0

    def send_qmp(self, command, ident=None, **arguments):
        message = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        if ident:
            message["id"] = ident
        try:
            self.qmp.sendall(json.dumps(message).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # it is gone already; the loop will see that

    def receive_qmp(self, timeout):
        """What QEMU has to say: (messages, whether it is gone). Events are kept."""
        ready, _, _ = select.select([self.qmp], [], [], timeout)
        if not ready:
            return [], False
        try:
            data = self.qmp.recv(65536)
        except ConnectionResetError:  # QEMU went without a word
            data = b""
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        messages = [json.loads(line) for line in lines]
        for message in messages:
            if "event" in message:
                message.setdefault("data", {})
                self.events.append(message)
        return messages, not data

    def ask_monitor(self, line):
        """The answer of QEMU's monitor for people; nothing if there is none."""
        self.send_qmp("human-monitor-command", ident=line, **{"command-line": line})
        end, gone = time.monotonic() + QMP_TIMEOUT, False
        while not gone and time.monotonic() < end:
            messages, gone = self.receive_qmp(0.1)
            for message in messages:
                if message.get("id") == line:
                    return message.get("return", "")
        return ""

    def stands_still(self):
        """Has every CPU stopped for good?

        It takes no interrupts, and waits for one, or goes round in a loop of a few instructions: a CPU that was
        told to stop in an NMI can do no better. One that has not stopped yet is seen somewhere else soon.
        """
        first = None
        for sample in range(1, SAMPLES_OF_LOOP + 1):
            cpus = re.findall(self.arch["registers"], self.ask_monitor("info registers -a"))
            first = first or cpus
            if len(cpus) != self.smp:
                return False
            for (place, flags, halted), (before, _, _) in zip(cpus, first):
                if int(flags, 16) & self.arch["interrupts"] or (
                        halted == "0" and abs(int(place, 16) - int(before, 16)) >= LOOP_SIZE):
                    return False
            # The one that starts the crash kernel copies and clears memory in loops as small, one after the other.
            if sample >= SAMPLES and all(halted == "1" for _, _, halted in cpus):
                return True
            time.sleep(SAMPLE_DELAY)
        return True

    def read_counters(self):
        where = RE_COUNTERS.search(self.read("output"))
        if not where:
            return []
        answer = self.ask_monitor(f"xp /2gx {where.group(1)}")
        return [int(number, 16) for number in re.findall(r" (0x[0-9a-f]{16})", answer)]

    def run(self):
        """Run it, and once more when QEMU's emulation has failed; the first one's logs are beside, as .old."""
        for _ in range(ATTEMPTS):
            self.events, self.buffer = [], b""
            outcome = self.run_once()
            reason = outcome.emulation_failed()
            if not reason:
                break
            RUN_AGAIN.append((self.name, reason))
        return outcome

    def run_once(self):
        for path in [self.kernel, *self.initrd]:
            if not os.path.exists(path):
                target = "selftests" if "selftests" in os.path.basename(path) else "guest"
                raise HarnessError(f"{path} is not there; 'make {target}' builds it")
        if not shutil.which(self.arch["qemu"]):
            raise HarnessError(f"{self.arch['qemu']} is not there: "
                               f"apt-get install {self.arch['package']}")
        self.rotate_logs()
        with tempfile.TemporaryDirectory(prefix="vm-") as tmp:
            initrd = self.make_initrd(tmp)
            ours, theirs = socket.socketpair()
            with open(self.path("qemu"), "w") as stderr:
                argv = self.qemu_argv(initrd, theirs.fileno())
                stderr.write(" ".join(argv) + "\n")
                stderr.flush()
                self.qemu = qemu = subprocess.Popen(
                    argv, stdin=None if self.shell else subprocess.DEVNULL, stdout=None if self.shell else stderr,
                    stderr=stderr, pass_fds=[theirs.fileno()], preexec_fn=die_with_parent)
            theirs.close()
            self.qmp = ours
            try:
                return self.watch(qemu)
            finally:
                if qemu.poll() is None:
                    qemu.kill()
                qemu.wait()
                ours.close()

    def watch(self, qemu):
        start = last_change = last_sign = time.monotonic()
        size, spoken, booted, halted_at, limit = 0, 0, 0.0, None, ""
        nmis_due, nmis_asked = [], 0
        settled, still, counters, reset = None, False, [], False
        eof = False

        # The machine is created stopped, so that no event can be missed.
        self.send_qmp("qmp_capabilities")
        self.send_qmp("cont")
        while not eof:
            _, eof = self.receive_qmp(0.1)
            if STOP.is_set():
                raise HarnessError("stopped")
            now = time.monotonic()
            if self.size("output") != spoken:
                spoken, last_sign = self.size("output"), now
            new_size = self.size("console")
            if new_size != size:
                size, last_change, last_sign = new_size, now, now
                console = self.read("console")
                if not booted and "vm: ready" in console:
                    booted = now - start
                asked = len(RE_WANT_NMI.findall(console))
                nmis_due += [now + NMI_DELAY] * (asked - nmis_asked)
                nmis_asked = asked
                halted_at = (halted_at or now) if seems_halted(console) else None
            if nmis_due and now >= nmis_due[0]:
                nmis_due.pop(0)
                self.send_qmp("inject-nmi")
            if self.on_tick:
                self.on_tick(self, now - start)
            if self.shell:
                continue
            if self.counters and any(e["event"] == "SHUTDOWN" for e in self.events):
                break
            if halted_at and settled is None and now - halted_at > HALT_SETTLE:
                settled = self.size("output")
            if self.comes_back and halted_at and now - halted_at > HALT_GRACE and not reset:
                reset = True
                self.send_qmp("system_reset")
            elif not self.comes_back and halted_at and now - max(halted_at, last_change) > HALT_GRACE:
                # One CPU says that it halts, and another may be restarting the machine at that moment or
                # starting the crash kernel. A machine whose programs go on has not halted.
                still = self.stands_still()
                if still or self.size("output") != settled or RE_PANIC_END.search(self.read("console")):
                    break
                halted_at = now
            if not booted and now - start > self.limits["boot"]:
                limit = f"did not boot within {self.limits['boot']} s"
            elif booted and now - last_sign > self.limits["silence"]:
                limit = f"silent for {self.limits['silence']} s"
            elif now - start > self.limits["total"]:
                limit = f"not at its end after {self.limits['total']} s"
            if limit:
                break

        seconds = time.monotonic() - start
        if limit:
            with open(self.path("registers"), "w") as f:
                f.write(self.ask_monitor("info registers -a"))
            if self.stands_still():
                limit += ", every CPU stands still"
        if self.counters and not eof:
            counters = self.read_counters()
        events = self.events
        if not eof:
            self.send_qmp("quit")
            try:
                qemu.wait(5)
            except subprocess.TimeoutExpired:
                qemu.kill()
        qemu.wait()
        with open(self.path("events"), "w") as f:
            for event in events:
                f.write(json.dumps(event) + "\n")

        status, console = self.read("status"), self.read("console")
        ticking = settled is not None and self.size("output") != settled
        died = unexpected_end(qemu.returncode, events) if eof else ""
        verdict, detail = judge(status, console, events, limit, ticking, still, died)
        if verdict == "lost":
            qemu_says = self.read("qemu").splitlines()[1:]
            if qemu_says:
                detail += f"; QEMU: {qemu_says[-1]}"
        outcome = Outcome(verdict, detail, status.strip(), console, self.read("output"), events, seconds,
                          booted, self.accel, self.log, counters)
        with open(self.path("verdict"), "w") as f:
            f.write(f"{outcome}\n")
        return outcome


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as f:
        return f.read().strip()


def find_accel(choice, kernel, initrd):
    """kvm or tcg; "auto" is found out by running a guest: a /dev/kvm that opens proves nothing."""
    if choice != "auto":
        return choice
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    cache, key = os.path.join(BUILD, "accel.json"), boot_id()
    try:
        with open(cache) as f:
            known = json.load(f)
        if known["key"] == key:
            return known["accel"]
    except (FileNotFoundError, ValueError, KeyError):
        pass
    probe = Machine(kernel, [initrd], name="probe-kvm", command="true", accel="kvm",
                    limits={"boot": 15, "silence": 15, "total": 15})
    outcome = probe.run()
    accel = "kvm" if outcome.verdict == "finished" else "tcg"
    os.makedirs(os.path.dirname(cache), exist_ok=True)
    with open(cache + ".new", "w") as f:
        json.dump({"key": key, "accel": accel, "probe": str(outcome)}, f)
    os.rename(cache + ".new", cache)
    return accel

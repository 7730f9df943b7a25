# SPDX-License-Identifier: GPL-2.0
"""Boot one kernel in QEMU and say how the machine ended."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from vmtest import memory_log, verdict
from vmtest.qmp import Monitor
from vmtest.session import HarnessError
from vmtest.watch import Watch

# Seconds; under TCG everything takes several times as long.
LIMITS = {"boot": 60, "silence": 60, "total": 300}
# A boot prints a lot. One that is silent for so long is stuck, whatever a test allows its command.
SILENT_BOOT = 15
TCG_FACTOR = 4
DEBUG_FACTOR = 3
# How often a machine is started when it is QEMU's emulation that fails.
ATTEMPTS = 3


def die_with_parent():
    """Have QEMU killed when the runner goes, however it goes."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Machine:
    """One QEMU run, of a session. All other paths and numbers come in through the constructor."""

    def __init__(self, session, kernel, initrd, name="vm", command="true", accel="tcg",
                 memory=None, smp=2, append="", limits=None, files=(), shell=False,
                 device=(), on_tick=None, counters=False, consoles=(), comes_back=False, keep_log=False,
                 snapshots=None):
        self.session, self.arch = session, session.arch
        self.kernel, self.initrd, self.name = kernel, list(initrd), name
        self.command, self.accel, self.smp = command, accel, smp
        # KASAN takes an eighth, and keeps what was freed
        self.memory = memory or (2048 if session.flavour else 1024)
        self.append, self.shell, self.device = append, shell, list(device)
        self.files, self.on_tick = list(files), on_tick
        self.counters, self.keep_log = counters, keep_log
        self.consoles = list(consoles) or [self.arch.console]
        self.comes_back = comes_back  # a machine that is reset boots again, and has to end itself then
        # One whose memory is looked at stays there, at its end.
        self.stays = not shell and bool(counters or keep_log or self.arch.late_console)
        self.log = session.log_of(name)
        factor = (TCG_FACTOR if accel == "tcg" else 1) * (DEBUG_FACTOR if session.flavour else 1)
        self.limits = {k: v * factor for k, v in LIMITS.items()}
        self.limits.update(limits or {})
        self.silent_boot = SILENT_BOOT * factor
        self.snapshots = snapshots  # to begin with one of them, if there is one
        self.qemu = self.monitor = self.port = None  # of one run

    def path(self, name):
        return os.path.join(self.log, name)

    def cmdline(self):
        arch = self.arch
        return " ".join(filter(None, [
            *(f"console={name}" for name in self.consoles),
            "" if arch.console in self.consoles else arch.early,
            "panic=-1", "oops=panic", arch.append,
            arch.append_debug if self.session.flavour else "",
            # A busy host keeps a CPU of an emulated machine waiting for longer than the usual 21 s.
            "rcupdate.rcu_cpu_stall_timeout=100" if self.accel == "tcg" else "",
            "vm.shell" if self.shell else "", self.append]))

    def console_argv(self):
        console = f"stdio,id=console,signal=off,logfile={self.path('console')}" \
            if self.shell else f"file,id=console,path={self.path('console')},append=on,mux=on"
        # The runner reads the first one. Beside another one, a virtio console has a file of its own.
        hvc = []
        if self.consoles == ["hvc0"]:
            hvc = ["-device", "virtconsole,chardev=console"]
        elif "hvc0" in self.consoles:
            hvc = ["-chardev", f"file,id=hvc,path={self.path('hvc')},append=on", "-device", "virtconsole,chardev=hvc"]
        device = self.arch.console_device
        serial = ["-device", f"{device},chardev=console"] if device else ["-serial", "chardev:console"]
        return ["-chardev", console, *serial, "-device", self.arch.status_bus, *hvc]

    def qemu_argv(self, initrd, qmp_fd="QMP", command_fd="COMMAND"):
        arch = self.arch
        ports = [word for name in ("status", "output", "dump") for word in
                 ("-chardev", f"file,id={name},path={self.path(name)}",
                  "-device", f"virtserialport,chardev={name},name={name}")]
        ports += ["-chardev", f"socket,id=command,fd={command_fd}",
                  "-device", "virtserialport,chardev=command,name=command,id=command"]
        return [
            arch.qemu, "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", f"{arch.qemu_machine},accel={self.accel}",
            "-cpu", arch.cpu[self.accel], "-smp", str(self.smp), "-m", f"{self.memory}M",
            "-kernel", self.kernel, "-initrd", initrd, "-append", self.cmdline(),
            *self.console_argv(), *ports,
            "-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control",
            "-action", f"reboot={'reset' if self.comes_back else 'shutdown'},"
            f"shutdown={'pause' if self.stays else 'poweroff'},panic=none",
            "-S", *(word for device in arch.devices for word in ("-device", device)), *self.device,
        ]

    def make_initrd(self, tmp):
        """The images one after the other, and an archive with the files of this run."""
        run = os.path.join(tmp, "run")
        os.makedirs(os.path.join(run, "run"))
        names = ["run"]
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

    def kind(self):
        """What its state depends on, up to where it waits for its command."""
        return (self.kernel, *self.initrd, *self.files, self.cmdline(), self.smp, self.memory, *self.consoles,
                *self.device)

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

    def run(self):
        """Run it, and once more when QEMU's emulation has failed; the first one's logs are beside, as .old."""
        for _ in range(ATTEMPTS):
            outcome = self.run_once()
            reason = self.arch.run_again and outcome.emulation_failed()
            if not reason:
                break
            self.session.run_again.append((self.name, reason))
        return outcome

    def need_all(self):
        for path in [self.kernel, *self.initrd]:
            if not os.path.exists(path):
                target = "selftests" if "selftests" in os.path.basename(path) else "guest"
                raise HarnessError(f"{path} is not there; 'make {target}' builds it")
        for path in self.files:
            if not os.path.isfile(path):
                raise HarnessError(f"{path} is no file; what is put into /run of the guest has to be one")
        if not shutil.which(self.arch.qemu):
            raise HarnessError(f"{self.arch.qemu} is not there: apt-get install {self.arch.packages}")

    def run_once(self):
        self.need_all()
        self.rotate_logs()
        with tempfile.TemporaryDirectory(prefix="vm-") as tmp:
            try:
                if self.snapshots:
                    self.snapshots.start(self, tmp)
                else:
                    self.start(self.make_initrd(tmp))
                self.tell()
                return self.watch()
            finally:
                self.stop()

    def start(self, initrd, *more):
        """QEMU, which waits to be told to go on; more of its command line."""
        ours, theirs = socket.socketpair()
        self.port, guests = socket.socketpair()
        with open(self.path("qemu"), "w") as stderr:
            argv = [*self.qemu_argv(initrd, theirs.fileno(), guests.fileno()), *more]
            stderr.write(" ".join(argv) + "\n")
            stderr.flush()
            self.qemu = subprocess.Popen(
                argv, stdin=None if self.shell else subprocess.DEVNULL, stdout=None if self.shell else stderr,
                stderr=stderr, pass_fds=[theirs.fileno(), guests.fileno()], preexec_fn=die_with_parent)
        theirs.close()
        guests.close()
        self.monitor = Monitor(ours)

    def tell(self):
        """The command, which the guest reads when it has booted: how long it is, and what it is."""
        script = f"#!/bin/sh\n{self.command}\n".encode()
        try:
            self.port.sendall(b"%d\n%s" % (len(script), script))
        except (BrokenPipeError, ConnectionResetError):
            pass  # QEMU is gone, and the witnesses say so

    def stop(self):
        if not self.monitor:
            return
        if self.qemu.poll() is None:
            self.qemu.kill()
        self.qemu.wait()
        self.monitor.sock.close()
        self.port.close()

    def watch(self):
        """Up to the machine's end; QEMU is gone then."""
        watch = Watch(self, self.monitor)
        gone = watch.run()
        seconds = time.monotonic() - watch.start
        if watch.limit:
            with open(self.path("registers"), "w") as f:
                f.write(self.monitor.ask("info registers -a"))
            if self.arch.shows_waiting and watch.stands_still():
                watch.limit += ", every CPU stands still"
        counters = watch.read_counters() if self.counters and not gone else []
        console, logs = self.read("console"), []
        if not gone and (self.keep_log or self.arch.late_console):
            memory = self.arch.memory_at, self.memory << 20
            logs = memory_log.read(console, self.monitor, self.path("memory"), memory, self.session.built().vmlinux,
                                   self.arch.byte_order, everywhere=self.keep_log)
        for lines in logs if self.arch.late_console else []:
            console = memory_log.completed(console, lines)
        events = list(self.monitor.events)
        if not gone:
            self.monitor.send("quit")
            try:
                self.qemu.wait(5)
            except subprocess.TimeoutExpired:
                self.qemu.kill()
        self.qemu.wait()
        self.monitor.write_events(self.path("events"))
        if gone and self.arch.silent_off and not self.qemu.returncode and not self.monitor.saw("SHUTDOWN"):
            events.append({"event": "SHUTDOWN", "data": {"reason": "guest-shutdown"}})
        died = verdict.unexpected_end(self.qemu.returncode, events) if gone else ""
        outcome = verdict.draw(self.read("status"), console, self.read("output"), events, watch, died)
        outcome.seconds, outcome.accel, outcome.log, outcome.counters = seconds, self.accel, self.log, counters
        outcome.kernel_log = "".join(f"{text}\n" for lines in logs for text in lines)
        if outcome.verdict == "lost":
            qemu_says = self.read("qemu").splitlines()[1:]
            if qemu_says:
                outcome.detail += f"; QEMU: {qemu_says[-1]}"
        with open(self.path("verdict"), "w") as f:
            f.write(f"{outcome}\n")
        return outcome


def find_accel(session, choice, kernel, initrd):
    """kvm or tcg; "auto" is found out by running a guest: a /dev/kvm that opens proves nothing."""
    if choice != "auto":
        return choice
    if session.is_foreign or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    with open("/proc/sys/kernel/random/boot_id") as f:
        key = f.read().strip()
    cache = os.path.join(session.build, "accel.json")
    try:
        with open(cache) as f:
            known = json.load(f)
        if known["key"] == key:
            return known["accel"]
    except (FileNotFoundError, ValueError, KeyError):
        pass
    outcome = Machine(session, kernel, [initrd], name="probe-kvm", accel="kvm",
                      limits={"boot": 15, "silence": 15, "total": 15}).run()
    accel = "kvm" if outcome.verdict == "finished" else "tcg"
    os.makedirs(os.path.dirname(cache), exist_ok=True)
    with open(cache + ".new", "w") as f:
        json.dump({"key": key, "accel": accel, "probe": str(outcome)}, f)
    os.rename(cache + ".new", cache)
    return accel

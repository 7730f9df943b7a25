# SPDX-License-Identifier: GPL-2.0
"""What a run is about: base, architecture, flavour of the kernel, where things are built. Made once, and passed on."""

import argparse
import fcntl
import os
import signal
import sys
import threading
from dataclasses import dataclass, field

from vmtest import arch as arches
from vmtest import base as bases


class HarnessError(Exception):
    """The harness could not do its work; says nothing about the kernel."""


@dataclass
class Built:
    """What scripts/build-kernel and scripts/build-guest have built."""

    kernel: str
    vmlinux: str
    base: str
    selftests: str
    crasher: str
    frontends: str


def find_top():
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass
class Session:
    """One run of one of the programs."""

    top: str
    build: str
    base: bases.Base
    arch: arches.Arch
    is_foreign: bool  # the host is of another architecture
    flavour: str = ""  # nothing is the ordinary kernel, "debug" the one with vm/config/debug.config
    stop: threading.Event = field(default_factory=threading.Event)  # set while threads watch machines
    run_again: list = field(default_factory=list)  # machines that did not count, (name, reason)
    held: list = field(default_factory=list)

    @property
    def suffix(self):
        return self.suffix_of(self.flavour)

    def suffix_of(self, flavour):
        """As SUFFIX of scripts/lib.sh."""
        return (f"-{self.arch.name}" if self.is_foreign else "") + (f"-{flavour}" if flavour else "")

    @property
    def work(self):
        return os.path.join(self.build, self.base.name)

    def log_of(self, name):
        return os.path.join(self.build, "logs", f"vm{self.suffix}", name)

    def lacks(self, *features):
        """Why a test that needs these features cannot be; nothing if it can."""
        for feature in features:
            if feature == "native" and self.is_foreign:
                return f"programs of {self.arch.name} do not run on this machine"
            for record, name in ((self.arch.lacks, self.arch.name), (self.base.lacks, self.base.name)):
                if feature in record:
                    return f"{name}: {record[feature]}"
        return ""

    def check_stop(self):
        if self.stop.is_set():
            raise HarnessError("stopped")

    def hold_work(self):
        """As in scripts/lib.sh, until this program ends."""
        if self.held or not os.path.isdir(self.work):
            return
        lock = open(os.path.join(self.work, ".in-use"), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HarnessError(f"{self.work} is being removed") from error
        self.held.append(lock)

    def built(self, flavour=None):
        self.hold_work()
        suffix = self.suffix_of(self.flavour if flavour is None else flavour)

        def path(*names):
            return os.path.join(self.work, *names)

        return Built(kernel=path(f"obj{suffix}", self.arch.image), vmlinux=path(f"obj{suffix}", "vmlinux"),
                     base=path(f"initramfs{suffix}.gz"), selftests=path(f"selftests{suffix}.gz"),
                     crasher=path(f"guest{suffix}", "crasher"), frontends=path(f"frontends{self.suffix_of('')}.gz"))

    def with_crash_kernel(self, command, more="", kernel=None, initrd=None):
        """Options of a Machine that runs the command with this kernel loaded as crash kernel, and the ordinary guest.

        Without a kernel, or where the session's has a flavour, it is the ordinary one, which needs less memory.
        initrd: another guest for it.
        """
        built, arch = self.built(""), self.arch
        capture = kernel if kernel and not self.flavour else built.kernel
        initrd = initrd or built.base
        # One CPU: several in a crash kernel make TCG fail now and then.
        line = " ".join(filter(None, [f"console={arch.console}", arch.append, "nokaslr nosmp irqpoll reset_devices",
                                      f"vm.dump-level={self.base.dump_level}", more]))
        load = f"kexec-crash /run/{os.path.basename(capture)} /run/{os.path.basename(initrd)} '{line}'"
        return {"command": f"{load} || exit\n{command}", "append": "crashkernel=256M",
                "files": [capture, initrd]}


# ---- command lines -------------------------------------------------------------------------


def positive(text):
    """A type of arguments."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def parser(doc, **more):
    """A parser of arguments, with those that all programs have."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, **more)
    made.add_argument("--base", default=os.environ.get("BASE") or "7.3")
    made.add_argument("--arch", default=os.environ.get("ARCH") or "", help="of the guest; default: the host's")
    made.add_argument("--accel", default=os.environ.get("ACCEL") or "auto", help="auto, kvm or tcg")
    return made


def make(made, args):
    """The session of a program, from its arguments and the environment."""
    top = find_top()
    host = arches.host(top)
    name = args.arch or host
    if name not in arches.names(top):
        made.error(f"ARCH={name or os.uname().machine}: choose from {', '.join(arches.names(top))}")
    # argparse does not look at a default's value
    if args.accel not in ("auto", "kvm", "tcg"):
        made.error(f"ACCEL={args.accel}: choose from auto, kvm, tcg")
    if args.accel == "kvm" and name != host:
        made.error(f"ACCEL=kvm: this machine is {os.uname().machine}, and cannot run {name} but by emulation")
    try:
        base = bases.load(top, args.base)
    except FileNotFoundError:
        known = sorted(os.listdir(os.path.join(top, "patches")))
        made.error(f"BASE={args.base}: choose from {', '.join(known)}")
    build = os.path.abspath(os.environ.get("BUILD") or os.path.join(top, "build"))
    flavour = os.environ.get("FLAVOUR") or ""
    if flavour and not os.path.exists(os.path.join(top, "vm", "config", f"{flavour}.config")):
        made.error(f"FLAVOUR={flavour}: there is no vm/config/{flavour}.config")
    return Session(top, build, base, arches.load(top, name), name != host, flavour)


def of_environment():
    """The session of a program that has no such arguments."""
    made = parser("")
    return make(made, made.parse_args([]))


def run_main(main, prefix):
    """Run a program: its exit status, with a message instead of a traceback for what can go wrong."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        status = main()
        sys.stdout.flush()
    except HarnessError as error:
        print(f"{prefix}{error}", file=sys.stdout if prefix.startswith("Bail") else sys.stderr)
        status = 3
    except BrokenPipeError:  # who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)

# SPDX-License-Identifier: GPL-2.0
"""Consoles of several kinds, with their lock held or not: the machine ends whoever holds it."""

import re
import secrets
from dataclasses import dataclass

from vmtest.checks import check, check_no_splats, check_reason, explain
from vmtest.suite import Test

# Who holds the lock, and the program that runs then: of a port (hvc0), a screen (tty0), a serial line.
PORT = [("this CPU", "port_lock"), ("this CPU, inside printk()", "port_lock_printk"),
        ("another CPU", "--cpu 0 --with hold_port_lock fentry"), ("nobody", "fentry")]
SCREEN = [("this CPU, inside printk()", "vt_print"), ("nobody", "fentry")]
SERIAL = [("this CPU", "console_write"), ("another CPU", "--with hold_serial_lock fentry")]
# Each kfunc, without and with a crash kernel.
ACTIONS = [("panic", False), ("panic", True), ("crash-kexec", True), ("halt", False), ("restart", False),
           ("power-off", False)]
ENDS = {"panic": "panicked", "none": "panicked", "restart": "restarted", "power-off": "powered-off"}
NEEDS = ("ftrace", "consoles")


@dataclass
class Case:
    """One machine: which consoles, who holds the lock, what the program does."""

    consoles: list
    holder: str
    program: str
    action: str
    dump: bool

    def name(self):
        with_crash_kernel = ", with a crash kernel" if self.dump else ""
        return f"console: {' and '.join(self.consoles)}, lock held by {self.holder}: {self.action}{with_crash_kernel}"

    def slug(self):
        return re.sub(r"[^a-z0-9]+", "-", f"console {self.consoles} {self.holder} {self.action} {self.dump}".lower())


def tests(suite):
    line = suite.session.arch.console
    for consoles, holders in [(["hvc0"], PORT), (["hvc0", line], PORT), (["tty0", line], SCREEN), ([line], SERIAL)]:
        for holder, program in holders:
            for action, dump in ACTIONS:
                # the kernel's own way to power off prints there and waits for that CPU, as with sysrq-o
                if (holder, action) == ("another CPU", "power-off"):
                    continue
                case = Case(consoles, holder, program, action, dump)
                serial = ("console-write",) if consoles == [line] else ()
                # a crash kernel switches the machine off, too
                off = ("memory-at-off",) if dump or action == "power-off" else ()
                # who holds the lock of a serial line takes no interrupts
                deaf = ("stop-deaf",) if serial and (holder, action) == ("another CPU", "halt") else ()
                yield Test(case.name(), lambda c=case: test_console(suite, c), NEEDS + serial + off + deaf)
    for dump in [False, True]:
        case = Case(["hvc0"], "another CPU", "--via panic --on vpanic --cpu 0 --with hold_port_lock on_function",
                    "none", dump)
        yield Test(case.name().replace(": none", ": panic()"), lambda c=case: test_console(suite, c), (*NEEDS, "va-list"))


def boot(suite, case, token):
    # What the kernel says before it panics would wait for that lock, too.
    quiet = "dmesg -n 1; " if case.action == "none" else ""
    command = f"{quiet}crasher --action {case.action} --token {token} {case.program}"
    # A CPU that does not answer makes the kernel print, which ends in that lock before the program can run.
    options, append = {"consoles": case.consoles, "counters": True}, "tsc=nowatchdog"
    if case.dump:
        options.update(suite.crash_kernel_options(command, "vm.no-dump"))
        command, append = options.pop("command"), f"{append} {options.pop('append')}"
    else:
        # one that stands still without a word
        options["limits"] = {"silence": 15}
    return suite.boot(case.slug(), command, append=append, **options)


def check_end(outcome, case, end, silent, sure):
    """A console of the older kind, alone, says nothing in some cases; then the end is seen by other means."""
    if silent and end == "panicked":
        check((outcome.verdict, outcome.detail) == ("lost", "QEMU was told of a panic, but the console shows none"),
              explain(outcome, "expected a panic without a word"))
    elif silent and end == "halted":
        check(outcome.verdict == "hung" and (outcome.detail.endswith("every CPU stands still") or not sure),
              explain(outcome, "expected a machine that stands still without a word"))
    elif case.consoles == ["hvc0"] and end == "powered-off":
        # its device is shut down before the kernel says so
        check((outcome.verdict, outcome.detail) == ("lost", "no status, end by guest-shutdown"),
              explain(outcome, "expected a machine that is powered off without a word"))
    else:
        check(outcome.verdict == end, explain(outcome, f"expected: {end}"))


def test_console(suite, case):
    token = secrets.token_hex(8)
    outcome = boot(suite, case, token)
    end = "crash-kernel" if case.dump else ENDS.get(case.action, suite.session.arch.halt)
    # If its driver cannot have the lock; nor before a crash kernel or restart.
    silent = case.consoles == ["hvc0"] and (case.holder != "nobody" or end in ("crash-kernel", "restarted"))
    check_end(outcome, case, end, silent, suite.session.arch.shows_waiting)
    called, returned = outcome.counters or (0, 0)
    check(called and (returned == 0 or case.action == "power-off") or case.action == "none", explain(outcome, f"the program was called and came back {outcome.counters} times"))
    if not silent and case.action != "none":
        check_reason(outcome, case.action, token)
    check_no_splats(outcome)

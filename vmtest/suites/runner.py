# SPDX-License-Identifier: GPL-2.0
"""The runner itself, in machines whose end is known; what needs no machine is in tests/unit."""

import os
import re
import subprocess
import sys
import time

from vmtest import machine, watch
from vmtest.checks import check, explain
from vmtest.suite import Skip, Test
from vmtest.suites.programs import TICKER
from vmtest.verdict import RE_PANIC

ALIKE = "runner: of machines that are alike, the third one does not boot"
TRIGGER = "/sys/kernel/debug/provoke-crash/DIRECT"
PANIC = f"echo PANIC > {TRIGGER}"

# (name, command, verdict, detail, options)
ENDS = [
    ("finished, status 0", "true", "finished", "0", {}),
    ("finished, status 7", "exit 7", "finished", "7", {}),
    ("killed by a signal is no success", "kill -9 $$", "finished", "137", {}),
    ("panicked", PANIC, "panicked", "dumptest", {}),
    ("panicked, and stays there", PANIC, "panicked", "dumptest", {"append": "panic=0"}),
    ("a panic that is only printed is none", "echo 'Kernel panic - not syncing: forged' > /dev/kmsg", "lost",
     "panic on the console, but status 0 on the port", {}),
    ("halted", f"{TICKER} halt -f", "halted", None, {}),
    ("a machine that only says that it halts", f"{TICKER} echo 'reboot: System halted' > /dev/kmsg; sleep 9",
     "lost", "it said that it halts, but goes on", {}),
    ("powered off", "poweroff -f", "powered-off", None, {}),
    ("restarted", "reboot -f", "restarted", None, {}),
    ("hung, silence", "sleep 1000", "hung", "silent for 5 s", {"limits": {"silence": 5}}),
    ("a command that speaks is alive", "for i in 1 2 3 4 5 6 7 8 9; do echo tick; sleep 1; done", "finished",
     "0", {"limits": {"silence": 5}}),
    ("hung, no end", "while sleep 1; do echo tick; done", "hung", "not at its end after 10 s",
     {"limits": {"total": 10}}),
    ("hung, does not boot", "true", "hung", "did not boot within 0.2 s", {"limits": {"boot": 0.2}, "snapshots": None}),
    ("lost, QEMU does not start", "true", "lost", None, {"device": ["-device", "no-such-device"]}),
]


def tests(suite):
    for name, command, verdict, detail, options in ENDS:
        slug = "runner-" + re.sub(r"[^a-z0-9]+", "-", name.lower())
        yield Test(f"runner: {name}", lambda s=slug, c=command, v=verdict, d=detail, o=options:
                   suite.expect(s, c, v, d, **dict(o)))
    yield Test("runner: crash kernel took over", lambda: test_crash_kernel(suite))
    yield Test(ALIKE, lambda: test_snapshot(suite))
    yield Test("runner: a QEMU that crashes is no panic's end", lambda: test_qemu_crash(suite))
    yield Test("runner: a panic that takes its time is no halt", lambda: test_slow_panic(suite))
    if suite.session.flavour:
        yield Test("runner: the debug kernel finds what is wrong", lambda: test_real_splats(suite))
    yield Test("runner: QEMU dies with the runner", lambda: test_orphan(suite))
    yield Test("runner: the guest's tool refuses to run outside the VM", lambda: test_refusal(suite), ("native",))


def test_crash_kernel(suite):
    """The crash kernel has the ordinary guest, which sends the dump."""
    no_dump = bool(suite.session.lacks("dump-reader"))
    outcome = suite.with_crash_kernel("runner-crash-kernel", PANIC, no_dump=no_dump)
    check(re.fullmatch(f"{'no dump wanted' if no_dump else 'makedumpfile 0'}, vmcore of [1-9]\\d+ bytes", outcome.detail)
          and outcome.panics() == ["dumptest"], explain(outcome, "no dump of that panic"))


def test_snapshot(suite):
    """The third one continues from where the second one has waited for its command, with its own command."""
    if suite.accel != "tcg":
        return [(ALIKE, Skip("only emulated ones begin with a snapshot"))]
    for number in range(3):
        # of a kind of their own, as no other test has that much memory
        outcome = suite.expect(f"runner-alike-{number}", f"echo machine {number}", "finished", "0", memory=400)
        with open(f"{outcome.log}/qemu") as f:
            continued = " -incoming " in f.readline()
        check(outcome.output == f"machine {number}\n" and continued == (number == 2),
              explain(outcome, f"continued: {continued}, and said {outcome.output!r}"))
    return None


def test_qemu_crash(suite):
    """As if the emulator had made a mistake, after the panic has begun."""
    def kill(vm, _seconds):
        if RE_PANIC.search(vm.read("console")):
            vm.qemu.kill()

    suite.expect("runner-qemu-crash", PANIC, "lost", "QEMU was killed: Killed", append="panic=0", on_tick=kill)


def test_slow_panic(suite):
    """One CPU says that it halts, and another one panics: on the way to the crash kernel it makes a long pause."""
    times = []  # of what has been done

    def pause(vm, seconds):
        if not times and RE_PANIC.search(vm.read("console")):
            vm.monitor.send("stop")
            times.append(seconds)
        elif len(times) == 1 and seconds - times[0] > 2 * (
                watch.HALT_GRACE + watch.SAMPLES_OF_LOOP * watch.SAMPLE_DELAY):
            vm.monitor.send("cont")
            times.append(seconds)

    options = suite.crash_kernel_options(f"echo 'reboot: System halted' > /dev/kmsg; sleep 1\n{PANIC}")
    suite.expect("runner-slow-panic", options.pop("command"), "crash-kernel", smp=1, on_tick=pause, **options)


def test_real_splats(suite):
    """Mistakes made on purpose: a debug kernel that does not see them has nothing to say elsewhere."""
    # The first one leaves a spinlock locked behind; lockdep is off after any of them. Back in user space it
    # sleeps when it exits, but no page fault is served meanwhile: where it needs one, it ends before.
    for _ in range(machine.ATTEMPTS):
        outcome = suite.boot("runner-real-splats", "\n".join(
            f"(echo {what} > {TRIGGER})" for what in ["SPINLOCKUP", "READ_AFTER_FREE", "ARRAY_BOUNDS"]))
        if "Segmentation fault" not in outcome.output:
            break
    # Whether it sleeps first or is preempted is up to the timer.
    for what in ["lock held when returning to user space",
                 "sleeping function called from invalid context|BUG: scheduling while atomic",
                 "BUG: KASAN: ", "UBSAN: array-index-out-of-bounds"]:
        check(any(re.search(what, line) for line in outcome.splats()),
              explain(outcome, f"no {what!r}: {outcome.splats()}"))


def test_orphan(suite):
    name = "runner-orphan"
    env = dict(os.environ, PYTHONPATH=suite.session.top)
    runner = subprocess.Popen(
        [sys.executable, "-m", "vmtest.boot", "--arch", suite.session.arch.name, "--kernel", suite.kernel,
         "--initrd", suite.built.base, "--accel", suite.accel, "--name", name, "--", "sleep 100"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    needle = f"{suite.session.log_of(name)}/console".encode()
    found = wait_for(lambda: find_process(needle), 30)
    runner.kill()
    runner.wait()
    check(found, "QEMU did not start")
    check(wait_for(lambda: not find_process(needle), 10), "QEMU is still there after its runner was killed")


def test_refusal(suite):
    done = subprocess.run([suite.built.crasher, "--control", "fentry"], capture_output=True, text=True, check=False)
    check(done.returncode == 65 and "this is not the test VM" in done.stderr,
          f"exit status {done.returncode}: {done.stderr}")


def find_process(needle):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if words[0].startswith(b"qemu-system") and any(needle in word for word in words):
            return True
    return False


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False

# SPDX-License-Identifier: GPL-2.0
"""Every program that is attached and run without being armed, and every real panic."""

import re
import secrets

from vmtest import machine
from vmtest.checks import Failed, check, check_no_splats, check_reason, explain, reasons, wrong_with
from vmtest.suite import Skip, Test
from vmtest.suites.programs import BEHIND, MESSAGES, NO_BUFFER, PANICS, PATHS, needs


def tests(suite):
    yield Test("control", lambda: test_controls(suite))
    for program, (context, features) in PANICS.items():
        yield Test(f"panic: {program}, {context}", lambda p=program: panic(suite, f"panic-{p}", p), features)
    for name, slug, program, options in [
            ("all CPUs at once", "race", "fentry", "--race"),
            ("a nested call returns", "nested", "fentry", "--with nested"),
            ("a nested call returns, inside printk()", "nested-console", "console", "--with nested"),
            ("a crowd on all that it calls", "crowd", "fentry", "--crowd"),
            ("loaded by uid 1234", "uid", "fentry", "--uid 1234"),
            ("on CPU 0", "cpu0", "fentry", "--cpu 0"),
            ("on CPU 1", "cpu1", "fentry", "--cpu 1")]:
        features = ("ftrace", "crowd") if "--crowd" in options else ("ftrace",)
        yield Test(f"panic: {name}", lambda s=slug, p=program, o=options: panic(suite, f"panic-{s}", p, o), features)
    yield Test("panic: inside panic() the call returns",
               lambda: foreign_panic(suite, "panic-path", "panic_path"), ("ftrace",))
    yield Test("panic: no buffer is left for the message", lambda: panic(
        suite, "panic-no-buffer", "no_buffer", NO_BUFFER, lambda _: r"%s \(not formatted, error -16\)"), ("ftrace",))
    yield Test("panic: behind a crash_kexec() that gives up", lambda: unless_too_late(
        lambda: panic(suite, "panic-behind", *BEHIND, **in_time(suite))), ("ftrace",))
    yield Test("panic: panic_force_cpu= is obeyed", lambda: test_force_cpu(suite), ("ftrace", "panic-force-cpu"))
    yield Test("panic: inside a redirected panic() the call returns",
               lambda: test_redirect_path(suite), ("ftrace", "panic-force-cpu"))
    for kind in MESSAGES:
        yield Test(f"message: {kind.replace('-', ' ')}", lambda k=kind: panic(
            suite, f"message-{k}", "fentry", f"--message {k}", lambda t: message(k, t)), ("ftrace",))


def test_controls(suite):
    """Every program attached and run, none armed: the machine has to live."""
    runs = [(program, "panic") for program in [*PANICS, *PATHS]]
    runs += [(program, action) for action in ["halt", "restart", "power-off", "crash-kexec", "emerg"]
             for program in ["fentry", "perf_event", "nmi"]]
    runs += [("crash_kexec_2022", "crash-kexec")]
    lacking = {program: suite.session.lacks(*needs(program)) for program, _ in runs}
    lines = [(f"control: {program} for {action}, not armed", Skip(lacking[program]))
             for program, action in runs if lacking[program]]
    runs = [(program, action) for program, action in runs if not lacking[program]]
    command = " && ".join(f"crasher --control --action {action} {program}" for program, action in runs)
    # So many probes come and go here that with more CPUs QEMU's emulation now and then runs into the int3 of code
    # that is being patched (seen once: "Oops: int3").
    outcome = suite.boot("control", command, smp=1)
    for program, action in runs:
        ran = re.search(rf"^crasher: {program} for {action} ran (\d+) times, not armed, and the machine lives",
                        outcome.output, re.M)
        good = ran and (int(ran.group(1)) > 0 or program in PATHS)
        lines.append((f"control: {program} for {action}, not armed",
                      None if good else "did not run, or the machine died"))
    lines.append(("control: the machine lives", wrong_with(outcome)))
    return lines


def panic(suite, name, program, options="", what=None, **more):
    """Arm a program, and compare what the panic line says of it."""
    token = secrets.token_hex(8)
    outcome = suite.expect(name, f"crasher {options} --token {token} {program}", "panicked", **more)
    check(len(outcome.panics()) == 1, explain(outcome, f"panic lines: {outcome.panics()}"))
    check_reason(outcome, "panic", what(token) if what else token)
    check_no_splats(outcome)
    return outcome


def message(kind, token):
    """What a panic says, as a regular expression."""
    text, error = MESSAGES[kind]
    return text.replace("TOKEN", token) + (rf" \(not formatted, error {error}\)" if error else "")


def check_redirected(outcome):
    check(len(outcome.panics()) == 1, explain(outcome, f"panic lines: {outcome.panics()}"))
    check("panic: Redirecting from CPU 1 to CPU 0" in outcome.console
          and "panic: Redirected from CPU 1" in outcome.console, explain(outcome, "not redirected"))


def test_force_cpu(suite):
    """The program runs on CPU 1, and CPU 0 has to be the one that panics."""
    check_redirected(panic(suite, "panic-force-cpu", "fentry", "--cpu 1", append="panic_force_cpu=0"))


def test_redirect_path(suite):
    check_redirected(foreign_panic(suite, "redirect-path", "--cpu 1 redirect_path", append="panic_force_cpu=0"))


def foreign_panic(suite, name, program, **options):
    """Somebody else panics, and the program runs in the midst of it."""
    outcome = suite.expect(name, f"crasher {program}", "panicked", "dumptest", **options)
    check(len(outcome.panics()) == 1 and not reasons(outcome.console),
          explain(outcome, "the program started a panic of its own"))
    return outcome


def in_time(suite):
    """Options of a machine in which a CPU gives up before the other one is tired of waiting for that."""
    return {"limits": {"silence": 30}, "append": suite.session.arch.append_delays}


def unless_too_late(test):
    """Once more, if a busy host kept the CPU that gives up from running for as long as the other one waits."""
    for attempt in range(1, machine.ATTEMPTS + 1):
        try:
            return test()
        except Failed as error:
            if attempt == machine.ATTEMPTS or ": gave up too late" not in str(error):
                raise
    return None

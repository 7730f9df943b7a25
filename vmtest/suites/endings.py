# SPDX-License-Identifier: GPL-2.0
"""Halt, restart and power off, and what is there after a restart."""

import secrets

from vmtest.checks import check, check_no_splats, check_notice, check_reason, explain, reasons
from vmtest.suite import Test
from vmtest.suites.panics import check_redirected, in_time, unless_too_late
from vmtest.suites.programs import BEHIND, PANICS, TICKER, needs


def ends_of(suite):
    """[(action, the verdict on it)]"""
    return [("halt", suite.session.arch.halt), ("restart", "restarted"), ("power-off", "powered-off")]


def tests(suite):
    for action, verdict in ends_of(suite):
        def run(slug, *how, a=action, v=verdict, **more):
            return lambda: ending(suite, f"{a}-{slug}", a, v, *how, **more)

        for program in ["fentry", "kprobe", "perf_event", "nmi"]:
            yield Test(f"{action}: {program}, {PANICS[program][0]}", run(program, program), needs(program))
        yield Test(f"{action}: all CPUs at once", run("race", "fentry", "--race"), ("ftrace",))
        yield Test(f"{action}: loaded by uid 1234", run("uid", "fentry", "--uid 1234"), ("ftrace",))
        if action == "power-off":
            yield Test("power-off: a CPU that goes round in a loop",
                       run("stuck", "perf_event", "--cpu 0 --stuck 1"))
            continue
        yield Test(f"{action}: inside printk()", run("console", "console"))
        yield Test(f"{action}: console driver at work", run("console_write", "console_write"), needs("console_write"))
        yield Test(f"{action}: a crowd on all that it calls", run("crowd", "fentry", "--crowd"), ("ftrace", "crowd"))
        behind = run("behind", *BEHIND, **in_time(suite))
        yield Test(f"{action}: behind a crash_kexec() that gives up",
                   lambda test=behind: unless_too_late(test), ("ftrace",))
        yield Test(f"{action}: a panic() that is on its way to another CPU comes first",
                   lambda a=action: test_redirected_first(suite, a), ("ftrace", "panic-force-cpu"))
    for action in ["panic", "halt", "restart"]:
        yield Test(f"pstore: {action}", lambda a=action: test_pstore(suite, a), ("ftrace", "pstore"))


def ending(suite, name, action, verdict, program, options="", **more):
    token = secrets.token_hex(8)
    ticker = "" if more else TICKER
    outcome = suite.expect(name, f"{ticker}crasher {options} --action {action} --token {token} {program}", verdict,
                           **more)
    check_reason(outcome, action, token)
    if "--uid" in options:
        check_notice(outcome, reasons(outcome.console)[0][0], outcome.console)
    check(not outcome.panics() and not outcome.splats(), explain(outcome, f"{outcome.splats()}"))


def test_redirected_first(suite, action):
    """CPU 1 panics, CPU 0 is told to do it, and the program runs there before it does."""
    outcome = suite.expect(f"redirect-{action}", f"crasher --cpu 1 --action {action} --on do_panic_on_target_cpu "
                           "--via panic on_function", "panicked", "dumptest", append="panic_force_cpu=0",
                           counters=True)
    check_redirected(outcome)
    check(outcome.counters == [1, 1] and not reasons(outcome.console),
          explain(outcome, f"the program was called and came back {outcome.counters} times"))


def test_pstore(suite, action):
    """RAM keeps what pstore writes: the next boot reads it, with the default settings of all that is involved.

    With nokaslr, as the reserved memory is elsewhere in each boot of a large kernel without it.
    """
    token = secrets.token_hex(8)
    outcome = suite.expect(f"pstore-{action}", f"crasher --uid 1234 --action {action} --token {token} fentry",
                           "restarted", "and came back", comes_back=True,
                           append="nokaslr vm.pstore reserve_mem=1M:4096:oops ramoops.mem_name=oops "
                                  "ramoops.record_size=65536")
    # the guest of the second boot shows what there is, after what the first one has said
    check_reason(outcome, action, token, outcome.output)
    check_no_splats(outcome)

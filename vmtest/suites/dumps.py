# SPDX-License-Identifier: GPL-2.0
"""Crash dumps: taken, opened and read."""

import os
import secrets

from vmtest import vmcore
from vmtest.checks import Failed, check, check_reason, explain
from vmtest.suite import Test
from vmtest.suites.programs import needs


def tests(suite):
    yield Test("dump: bpf_crash_kexec(), process context",
               lambda: dump(suite, "dump-fentry", "crash-kexec", "fentry"), ("ftrace",))
    yield Test("dump: bpf_crash_kexec(), kprobe", lambda: dump(suite, "dump-kprobe", "crash-kexec", "kprobe"))
    yield Test("dump: bpf_crash_kexec(), hard interrupt",
               lambda: dump(suite, "dump-perf_event", "crash-kexec", "perf_event"))
    yield Test("dump: bpf_crash_kexec(), NMI", lambda: dump(suite, "dump-nmi", "crash-kexec", "nmi"), needs("nmi"))
    # each of the two may add its line before one of them wins
    yield Test("dump: bpf_crash_kexec(), all CPUs at once",
               lambda: dump(suite, "dump-race", "crash-kexec", "fentry", "--race", most=2), ("ftrace",))
    yield Test("dump: bpf_panic()", lambda: dump(suite, "dump-panic", "panic", "fentry"), ("ftrace",))
    for name, action in [("bpf_crash_kexec()", "crash-kexec"), ("bpf_panic()", "panic")]:
        yield Test(f"dump: {name}, loaded by uid 1234",
                   lambda a=action: dump(suite, f"dump-uid-{a}", a, "fentry", "--uid 1234"), ("ftrace",))
    yield Test("dump: bpf_panic(), kprobe", lambda: dump(suite, "dump-panic-kprobe", "panic", "kprobe"))
    for action in ["panic", "crash-kexec"]:
        for cpus in [2, 3]:
            yield Test(f"dump: {action}, two of {cpus} CPUs in NMI, CPU 1 comes first",
                       lambda a=action, n=cpus: test_nmi_dump(suite, a, n), needs("nmi"))
    yield Test("dump: in a function of a module", lambda: test_module_dump(suite), ("ftrace", "selftests", "drgn"))
    yield Test("dump: without a crash kernel the program goes on", lambda: test_no_crash_kernel(suite))
    yield Test("dump: crash_kexec() of 2022", lambda: test_2022(suite), ("drgn",))
    yield Test("dump: crash_kexec() of 2022, without a crash kernel", lambda: suite.expect(
        "dump-2022-none", "crasher crash_kexec_2022", "finished", "42"))


def test_module_dump(suite):
    report = dump(suite, "dump-module", "crash-kexec", "on_function", "--on bpf_testmod_test_read --via module",
                  before="insmod /bin/bpf_testmod.ko", initrd=[suite.built.base, suite.built.selftests])
    check("bpf_testmod_test_read [bpf_testmod]" in report["frames"], f"no such function: {report['frames']}")


def test_nmi_dump(suite, action, cpus):
    """The one that loses is in an NMI as well, and its registers have to be there all the same."""
    report = dump(suite, f"dump-nmi-{action}-{cpus}", action, "nmi", f"--busy --mix {action},{action} --first 1",
                  smp=cpus, append=suite.session.arch.append_nmi_all)
    check((report["comm"], report["cpu"]) == ("busy-1", 1),
          f"the culprit is {report['comm']} on CPU {report['cpu']}")


def dump(suite, name, action, program, options="", append="", before="true", most=1, **more):
    """A dump, judged by what is in it."""
    token = secrets.token_hex(8)
    command = f"{before}; crasher {options} --action {action} --token {token} {program}"
    outcome = suite.with_crash_kernel(name, command, append, **more)
    report = read(suite, outcome)
    check_reason(outcome, action, token, "\n".join(report["dmesg"]), most)
    records = report["maps"].get("recorder", [])
    last = max(records, key=lambda r: r["seq"], default=None)
    check(last and last["text"] == token and (program not in ("fentry", "kprobe") or last["comm"] == "crasher"),
          f"the map in the dump has {records}\n{outcome.log}")
    if not suite.session.lacks("drgn"):
        check_frames(report, action, program, outcome.log)
    return report


def read(suite, outcome):
    """A dump that cannot be read is a finding, as one that is not there."""
    check(outcome.detail.startswith("makedumpfile 0,"), explain(outcome, "makedumpfile failed"))
    try:
        return vmcore.read(os.path.join(outcome.log, "dump"), suite.built.vmlinux)
    except vmcore.Unreadable as error:
        raise Failed(f"{error}\n{outcome.log}") from error


def check_frames(report, action, program, log):
    frames, kfunc = report["frames"], {"panic": "bpf_vpanic", "crash-kexec": "bpf_vcrash_kexec"}[action]
    check(kfunc in frames, f"no {kfunc}() in the backtrace: {frames}\n{log}")
    if program == "fentry":
        check(report["comm"] == "crasher" and "security_sb_statfs" in frames[frames.index(kfunc):],
              f"task {report['comm']}, backtrace {frames}\n{log}")


def test_2022(suite):
    outcome = suite.with_crash_kernel("dump-2022", "crasher crash_kexec_2022")
    report = read(suite, outcome)
    check(report["comm"] == "crasher" and not any(" by program " in line for line in report["dmesg"]),
          f"task {report['comm']}, or a line that it has never had\n{outcome.log}")


def test_no_crash_kernel(suite):
    outcome = suite.expect("dump-none", "crasher --action crash-kexec kprobe", "finished", "42")
    check("crasher: result -2," in outcome.output, explain(outcome, "bpf_crash_kexec() did not return -ENOENT"))
    check(not outcome.panics() and " by program " not in outcome.console, explain(outcome, "something was printed"))

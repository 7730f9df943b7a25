# SPDX-License-Identifier: GPL-2.0
"""Crash dumps: taken, opened and read."""

import os
import secrets

from vmtest import vmcore
from vmtest.checks import Failed, check, check_reason, explain
from vmtest.suite import Skip, Test
from vmtest.suites.programs import needs


# What is dumped, name of the directory, action, program, options; each of several CPUs may add its line before one wins.
DUMPS = [
    ("bpf_crash_kexec(), process context", "fentry", "crash-kexec", "fentry", {}),
    ("bpf_crash_kexec(), kprobe", "kprobe", "crash-kexec", "kprobe", {}),
    ("bpf_crash_kexec(), hard interrupt", "perf_event", "crash-kexec", "perf_event", {}),
    ("bpf_crash_kexec(), NMI", "nmi", "crash-kexec", "nmi", {}),
    ("bpf_crash_kexec(), all CPUs at once", "race", "crash-kexec", "fentry", {"options": "--race", "most": 2}),
    ("bpf_panic()", "panic", "panic", "fentry", {}),
    ("bpf_crash_kexec(), loaded by uid 1234", "uid-crash-kexec", "crash-kexec", "fentry", {"options": "--uid 1234"}),
    ("bpf_panic(), loaded by uid 1234", "uid-panic", "panic", "fentry", {"options": "--uid 1234"}),
    ("bpf_panic(), kprobe", "panic-kprobe", "panic", "kprobe", {}),
]


def tests(suite):
    for what, slug, action, program, options in DUMPS:
        name = f"dump: {what}"
        yield Test(name, lambda n=name, s=slug, a=action, p=program, o=options:
                   taken(suite, n, dump(suite, f"dump-{s}", a, p, **o)), needs(program))
    for action in ["panic", "crash-kexec"]:
        for cpus in [2, 3]:
            yield Test(f"dump: {action}, two of {cpus} CPUs in NMI, CPU 1 comes first",
                       lambda a=action, n=cpus: test_nmi_dump(suite, a, n), (*needs("nmi"), "dump-reader"))
    yield Test("dump: in a function of a module", lambda: test_module_dump(suite), ("ftrace", "selftests", "dump-reader", "drgn"))
    yield Test("dump: without a crash kernel the program goes on", lambda: test_no_crash_kernel(suite))
    yield Test("dump: crash_kexec() of 2022", lambda: test_2022(suite), ("dump-reader", "drgn"))
    yield Test("dump: crash_kexec() of 2022, without a crash kernel", lambda: suite.expect(
        "dump-2022-none", "crasher crash_kexec_2022", "finished", "42"))


def test_module_dump(suite):
    report = dump(suite, "dump-module", "crash-kexec", "on_function", "--on bpf_testmod_test_read --via module",
                  before="insmod /bin/bpf_testmod.ko", initrd=[suite.built.base, suite.built.selftests])
    check("bpf_testmod_test_read [bpf_testmod]" in report["frames"], f"no such function: {report['frames']}")


def test_nmi_dump(suite, action, cpus):
    """The one that loses is in an NMI as well, and its registers have to be there all the same."""
    # bpf_crash_kexec() has its line before it knows whether it is the first.
    report = dump(suite, f"dump-nmi-{action}-{cpus}", action, "nmi", f"--busy --mix {action},{action} --first 1",
                  smp=cpus, append=suite.session.arch.append_nmi_all, most=2 if action == "crash-kexec" else 1)
    check((report["comm"], report["cpu"]) == ("busy-1", 1),
          f"the culprit is {report['comm']} on CPU {report['cpu']}")


def taken(suite, name, report):
    """The results of a test of a dump that nobody may be able to read."""
    lacking = suite.session.lacks("dump-reader")
    return [(name, None)] + ([] if report else [(f"{name}: what is in it", Skip(lacking))])


def dump(suite, name, action, program, options="", append="", before="true", most=1, **more):
    """A dump, judged by what is in it; where nothing can read that, by the log."""
    token = secrets.token_hex(8)
    command = f"{before}; crasher {options} --action {action} --token {token} {program}"
    if suite.session.lacks("dump-reader"):
        outcome = suite.with_crash_kernel(name, command, append, no_dump=True, **more)
        check_reason(outcome, action, token, most=most)
        return None
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

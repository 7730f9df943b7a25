# SPDX-License-Identifier: GPL-2.0
"""A front end that nobody here wrote: bpftrace of Debian sid, which does not know the flag.

Its scripts can import C, which can call any kfunc; nothing in bpftrace asks whether that is destructive, not without
--unsafe either. So it is the kernel that stops them, for want of the flag: with a harmless kfunc the same script
runs, and with the flag, which a library sets behind bpftrace's back, it panics.
"""

import os
import re
import secrets

from vmtest.checks import check, check_lives, check_no_splats, explain, reasons
from vmtest.suite import Skip, Test

SCRIPTS = os.path.join("vm", "frontends")
WITH_FLAG = "LD_PRELOAD=/lib/set-flag.so "
REFUSED = "destructive kfunc bpf_vpanic requires the BPF_F_DESTRUCTIVE load flag"


def tests(suite):
    for name, function in [
            ("a destructive kfunc is refused, for want of the flag", test_refused),
            ("another kfunc runs", test_harmless),
            ("with the flag, and nothing else, the destructive one panics", test_flag)]:
        yield Test(f"frontend: bpftrace: {name}", lambda n=name, f=function: unless_missing(suite, n, f), ("ftrace",))


def unless_missing(suite, name, function):
    if not os.path.exists(suite.built.frontends):
        return [(f"frontend: bpftrace: {name}", Skip("scripts/build-frontends has not got bpftrace from Debian sid"))]
    function(suite)
    return None


def bpftrace(script, command="stat -f /", options="", env=""):
    """In the guest's shell: attach the script, run a command, and say how bpftrace ended."""
    return f"{env}bpftrace {options} -c '{command}' /run/{script}.bt; echo \"{script}: status $?\""


def statuses(outcome, script):
    """How bpftrace ended each time. What it and its command say can be in one line, or one in the midst of the other's."""
    return re.findall(rf"{script}: status (\d+)", outcome.output)


def options_of(suite):
    """What bpftrace and its libraries, LLVM's among them, need."""
    top = os.path.join(suite.session.top, SCRIPTS)
    return {"initrd": [suite.built.base, suite.built.frontends], "memory": 3072 if suite.session.flavour else 2048,
            "files": [os.path.join(top, name) for name in sorted(os.listdir(top))]}


def test_refused(suite):
    """bpftrace's own opt-in, --unsafe, changes nothing."""
    commands = [bpftrace("stop", options=f"-v {unsafe}") for unsafe in ("", "--unsafe")]
    outcome = suite.boot("frontend-refused", "\n".join([*commands, "bpftrace --version; stat -f /"]), **options_of(suite))
    check_lives(outcome)
    said = outcome.output
    check(said.count(REFUSED) == said.count("Error code: -13 (Permission denied)") == len(commands)
          and len(statuses(outcome, "stop")) == len(commands) and "0" not in statuses(outcome, "stop"),
          explain(outcome, "not refused, or not so"))
    # as far as the verifier has come
    check(re.findall(r"^\d+: \(85\) call (\w+)", said, re.M) == ["bpf_vpanic"] * len(commands),
          explain(outcome, "not refused at the call"))
    suite.remarks["frontends"] = [f"frontend: {line}" for line in re.findall(r"bpftrace v\S+", said)]


def test_harmless(suite):
    outcome = suite.boot("frontend-harmless", bpftrace("measure"), **options_of(suite))
    check_lives(outcome)
    check("measure: 5" in outcome.output and statuses(outcome, "measure") == ["0"], explain(outcome, "it did not run"))


def test_flag(suite):
    """The control is the same program, attached, while nobody calls the function that it is attached to."""
    token = secrets.token_hex(8)
    control, real = [bpftrace("stop", command, env=WITH_FLAG) for command in ("true", "stat -f /")]
    outcome = suite.expect("frontend-flag", f"sed -i s/TOKEN/{token}/ /run/stop.bpf.c\n{control}\n{real}", "panicked",
                           **options_of(suite))
    check(statuses(outcome, "stop") == ["0"], explain(outcome, "the control failed"))
    who = reasons(outcome.console)
    check(who == reasons(outcome.console, "panic") and [message for _, message in who] == [f"{token}, 42"]
          and who[0][0][0].startswith("fentry_vmlinux") and who[0][0][3] == "0", explain(outcome, f"the kernel says {who}"))
    check_no_splats(outcome)

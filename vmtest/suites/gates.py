# SPDX-License-Identifier: GPL-2.0
"""The gates: the subtests of test_progs, every load that there is, signatures, and random loads."""

import filecmp
import os
import re

from vmtest import progs
from vmtest.checks import check, check_lives, explain, wrong_with
from vmtest.suite import Skip, Test

# Of test_progs, beside the files that the series add: subtests in files that are there without them.
SUBTESTS = ["kfunc_call/destructive", "token/prog_token_destructive"]


def tests(suite):
    """All subtests of test_progs run in one VM, one line of TAP for each."""
    yield Test("gates", lambda: test_gates(suite), ("selftests",))
    yield Test("gates: the whole matrix", lambda: test_matrix(suite), ("matrix",))
    yield Test("gates: a signature stands in for nothing", lambda: test_signed(suite), ("selftests",))
    yield Test("fuzz: random loads and attachments", lambda: test_fuzz(suite), ("matrix",))


def selftests(session):
    """The names for test_progs of all tests of the series."""
    with open(os.path.join(session.base.patches, "exported-files")) as f:
        paths = [line.rstrip() for line in f if "/prog_tests/" in line]
    names = []
    for path in paths:
        with open(os.path.join(session.top, path)) as f:
            names += re.findall(r"^void (?:serial_)?test_(\w+)\(", f.read(), re.M)
    return names + SUBTESTS


def test_gates(suite):
    names = selftests(suite.session)
    chosen = " ".join(f"-t {name}" for name in names)
    # -v: without it they are silent up to a test's end, which looks like a hung machine.
    outcome = suite.boot("gates", progs.command(f"-v {chosen}"),
                         initrd=[suite.built.base, suite.built.selftests], limits={"total": 3600})
    output, results, wrong = progs.read_progs(outcome.output)
    lines = []
    for result in results:
        if result.is_subtest:
            reason = {"OK": None, "SKIP": Skip(result.more.strip(" ()") or "by the test itself")}.get(
                result.result, "\n".join(result.failed or ["FAIL"]))
            lines.append((f"gates: {result.name}", reason))
    for name in names:
        if not any(result.is_subtest and result.name.startswith(name) for result in results):
            lines.append((f"gates: {name}", "did not run"))
    if not progs.RE_SUMMARY.search(output):
        wrong = "it does not say how many there were"
    lines.append(("gates: as many passed and failed as test_progs counts", wrong or None))
    lines.append(("gates: the machine is as it was", wrong_with(outcome)))
    return lines


def test_matrix(suite):
    """Every load that there is: the answers are those of the gate table, and of the table that is kept."""
    outcome = suite.boot("matrix", "matrix", limits={"silence": 3600, "total": 3600})
    said = re.findall(r"^matrix: .*", outcome.output, re.M)
    check("matrix: passed" in said, explain(outcome, "\n".join(said[:40])))
    check_lives(outcome)
    matrix = os.path.join(os.path.dirname(suite.built.base), f"matrix{suite.session.suffix}.txt")
    with open(matrix, "w") as f:
        f.writelines(f"{line}\n" for line in outcome.output.splitlines() if not line.startswith("matrix: "))
    kept = os.path.join(suite.session.base.patches, "matrix.txt")
    check(os.path.exists(kept) and filecmp.cmp(matrix, kept, shallow=False),
          f"{matrix} is not the same as {kept}")
    suite.remarks["matrix"] = [line for line in said if " loads, " in line]


def test_signed(suite):
    outcome = suite.boot("signed", "cd /bin && signed", initrd=[suite.built.base, suite.built.selftests])
    check("signed: passed" in outcome.output.splitlines(), explain(outcome, f"{outcome.output[-2000:]}"))
    check_lives(outcome)


def test_fuzz(suite):
    outcome = suite.boot("fuzz", f"fuzz --seed {suite.seed} --count {suite.loads}",
                         limits={"silence": 3600, "total": 3600})
    check(re.search(r"^fuzz: passed$", outcome.output, re.M),
          explain(outcome, "\n".join(re.findall(r"^fuzz: .*", outcome.output, re.M)[:40])))
    check_lives(outcome)
    suite.remarks["fuzz"] = re.findall(r"^(fuzz: (?:seed \d+: |extensions|doors).*)$", outcome.output, re.M)

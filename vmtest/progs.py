# SPDX-License-Identifier: GPL-2.0
"""What the kernel's test_progs prints."""

import re
from dataclasses import dataclass

# What it says of a test or subtest, and at its end; the other programs say it without subtests.
RE_RESULT = re.compile(r"^#(\d+(?:/\d+)?) +(.+?):(OK|FAIL|SKIP)( \(.*\))?\r?$", re.M)
RE_SUMMARY = re.compile(r"^Summary: (\d+)(?:/(\d+))? PASSED, (\d+) SKIPPED(?: \(\d+ not built\))?, "
                        r"(\d+)(?:/(\d+))? FAILED\r?$", re.M)
# It may say this in the middle of a line.
RE_WATCHDOG = re.compile(r"WATCHDOG: .*? seconds\.\.\.\r?\n")


def command(arguments):
    """Run it in the guest, with what it says on stderr behind all else, not in the middle of a line.

    If the machine dies, that is lost. -w: the machine may be slow, and one that hangs is found by its silence.
    """
    return (f"cd /bin; export BPFTOOL=/bin/bpftool; test_progs -w 3600 {arguments} 2> /tmp/stderr; status=$?; "
            "cat /tmp/stderr; exit $status")


@dataclass
class Result:
    """One line of test_progs: of a test, or of a subtest, which is named TEST/SUBTEST."""

    name: str
    result: str  # OK, FAIL, SKIP
    more: str  # what stands behind it
    failed: list  # assertions
    is_subtest: bool


def read_progs(output):
    """What test_progs printed: (text with its lines whole, results, what contradicts its own summary)."""
    output = RE_WATCHDOG.sub("", output)
    results, end, seen = [], 0, set()
    for found in RE_RESULT.finditer(output):
        number, name, result, more = found.groups()
        failed = [line.strip() for line in output[end:found.start()].splitlines() if ":FAIL:" in line]
        end = found.end()
        # A child that a test forks may print again what was not written yet.
        if (number, name, result) not in seen:
            results.append(Result(name, result, more or "", failed, "/" in number))
        seen.add((number, name, result))

    words = [result.result for result in results if result.is_subtest]
    counted = [words.count("OK"), words.count("FAIL")]
    summaries = RE_SUMMARY.findall(output)
    said = [sum(int(summary[n] or 0) for summary in summaries) for n in (1, 4)]
    wrong = f"its summary has {said} subtests passed and failed, its lines {counted}" \
        if summaries and said != counted else ""
    return output, results, wrong


def results_of(test, results):
    """(name, reason or None, remark of a test that was skipped or None) of the subtests, or of a test without any."""
    found = [r for r in results if r.name.startswith(test + "/")] or [r for r in results if r.name == test]
    for r in found:
        # The framework says so of a test that does not compile.
        if r.result == "SKIP" and "not built" not in r.more:
            yield r.name, None, r.more.strip(" ()") or "by the test itself"
        else:
            yield r.name, None if r.result == "OK" else "\n".join(r.failed) or r.result + r.more, None
    if not found:
        yield test, "did not run", None
    # One that fails outside of its subtests, or after them.
    elif any(r.name == test and r.result == "FAIL" for r in results) and not any(r.result == "FAIL" for r in found):
        yield test, "FAIL", None

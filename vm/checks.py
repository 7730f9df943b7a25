# SPDX-License-Identifier: GPL-2.0
"""What the tests in VMs have in common."""

import re
from dataclasses import dataclass

import machine as vm

# What the kernel says of a program that ends the machine: the end, the program's name, id, tag and uid, the message.
RE_REASON = re.compile(
    vm.PRINTK + r"(?:Kernel panic - not syncing: )?BPF: (panic|crash_kexec|halt|restart|power_off) by program (\S+), "
    r"id (\d+), tag ([0-9a-f]{16}), loaded by uid (\d+): (.*?)\r?$", re.M)
# What the crash tool knows of its program.
RE_IDENTITY = re.compile(r"^crash: program (\S+), id (\d+), tag ([0-9a-f]{16}), loaded by uid (\d+)$", re.M)
# What test_progs says of a test or subtest, and at its end; the other programs say it without subtests.
RE_RESULT = re.compile(r"^#(\d+(?:/\d+)?) +(.+?):(OK|FAIL|SKIP)( \(.*\))?\r?$", re.M)
RE_SUMMARY = re.compile(r"^Summary: (\d+)(?:/(\d+))? PASSED, (\d+) SKIPPED(?: \(\d+ not built\))?, "
                        r"(\d+)(?:/(\d+))? FAILED\r?$", re.M)
# It may say this in the middle of a line.
RE_WATCHDOG = re.compile(r"WATCHDOG: .*? seconds\.\.\.\r?\n")


class Failed(Exception):
    """A test failed, for the reason given."""


def word(action):
    """The kernel's name of an action of the crash tool."""
    return action.replace("-", "_")


def reasons(text, action=None):
    """[(name, id, tag, uid), message] of each line that says how, by whom and why the machine ends."""
    return [(found[1:5], found[5]) for found in RE_REASON.findall(text) if action in (None, found[0])]


def check(condition, reason):
    if not condition:
        raise Failed(reason)


def explain(outcome, reason):
    return "\n".join([f"{reason}", f"{outcome}", *("  " + line for line in outcome.tail()), f"logs: {outcome.log}"])


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

# SPDX-License-Identifier: GPL-2.0
"""What the tests in VMs have in common."""

import re

import machine as vm

# What the kernel says of a program that ends the machine.
RE_ANNOUNCE = re.compile(
    vm.PRINTK + r"BPF: (panic|crash dump|halt|restart|power off) on CPU (\d+) by program (\S+), id (\d+), "
    r"tag ([0-9a-f]{16}), loaded by uid (\d+)\r?$", re.M)
# What the crash tool knows of its program.
RE_IDENTITY = re.compile(r"^crash: program (\S+), id (\d+), tag ([0-9a-f]{16}), loaded by uid (\d+)$", re.M)
# What test_progs says of a subtest, and of all that it has run. It may say WATCHDOG in the middle of a line.
RE_SUBTEST = re.compile(r"^#\d+/\d+ +(.+):(OK|FAIL|SKIP)\r?$", re.M)
RE_SUMMARY = re.compile(r"^Summary: \d+/(\d+) PASSED", re.M)
RE_WATCHDOG = re.compile(r"WATCHDOG: .*? seconds\.\.\.\r?\n")


class Failed(Exception):
    """A test failed, for the reason given."""


def check(condition, reason):
    if not condition:
        raise Failed(reason)


def explain(outcome, reason):
    return "\n".join([f"{reason}", f"{outcome}", *("  " + line for line in outcome.tail()), f"logs: {outcome.log}"])


def subtests(output):
    """What "test_progs -v" printed, its lines whole, and of each subtest None, "SKIP", or why it failed."""
    output = RE_WATCHDOG.sub("", output)
    results, end = {}, 0
    for found in RE_SUBTEST.finditer(output):
        name, result = found.groups()
        reasons = [line.strip() for line in output[end:found.start()].splitlines() if ":FAIL:" in line]
        results[name] = {"OK": None, "FAIL": "\n".join(reasons or ["FAIL"])}.get(result, result)
        end = found.end()
    return output, results

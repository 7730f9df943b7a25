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


class Failed(Exception):
    """A test failed, for the reason given."""


def check(condition, reason):
    if not condition:
        raise Failed(reason)


def explain(outcome, reason):
    return "\n".join([f"{reason}", f"{outcome}", *("  " + line for line in outcome.tail()), f"logs: {outcome.log}"])

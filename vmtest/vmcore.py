# SPDX-License-Identifier: GPL-2.0
"""Read what matters out of a crash dump, with makedumpfile and drgn."""

import json
import os
import subprocess

# drgn is a package of the distribution's own Python, which need not be the one of PATH.
PYTHON = "/usr/bin/python3"
READER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dump_report.py")


class Unreadable(Exception):
    """The tools cannot read the dump."""


def rearrange(stream):
    """The dump as the guest sent it, in a stream, to a file that tools can open."""
    vmcore = os.path.join(os.path.dirname(stream), "vmcore")
    with open(stream, "rb") as f:
        done = subprocess.run(["makedumpfile", "-R", vmcore], stdin=f, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unreadable(f"makedumpfile -R {stream}: {done.stderr}{done.stdout}")
    os.remove(stream)
    return vmcore


def read(stream, vmlinux):
    """A report on the dump that the guest sent."""
    return report(rearrange(stream), vmlinux)


def report(vmcore, vmlinux):
    """Of a dump: dmesg, comm, pid, frames, trace, maps, and vmcore, its path."""
    done = subprocess.run([PYTHON, READER, vmcore, vmlinux], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unreadable(f"{READER} {vmcore}: {done.stderr}")
    return {**json.loads(done.stdout), "vmcore": vmcore}

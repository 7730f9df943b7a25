# SPDX-License-Identifier: GPL-2.0
"""What counter.so has counted: lines of a file, and the functions of the kernel that their addresses are in."""

import bisect
import collections
import re
import subprocess
from dataclasses import dataclass, field

RE_STOP = re.compile(r"^stop (\S+) trigger-cpu (\d+) stop-cpu (\d+) count (\d+) again (\d+) past (\d+)$")
RE_MARK = re.compile(r"^mark (\S+) cpu (\d+) count (\d+) at (\d+\.\d+)$")
RE_BLOCK = re.compile(r"^block ([0-9a-f]+) (\d+)$")


class Unreadable(Exception):
    """No file of the plugin, or not one that is whole."""


@dataclass
class Stop:
    """What was counted when an end was reached."""

    trigger_cpu: int
    stop_cpu: int
    count: int  # instructions since the trigger
    again: int  # how often the event has begun again
    past: int  # and how often it has gone past whoever watches it


@dataclass
class Counts:
    """A file of the plugin."""

    stops: dict = field(default_factory=dict)  # {name: Stop}
    marks: list = field(default_factory=list)  # counts, in order
    times: list = field(default_factory=list)  # (name, seconds on the host) of the same
    blocks: list = field(default_factory=list)  # (address, count since the trigger) of blocks that were entered


def read(lines):
    counts = Counts()
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\n")
        if found := RE_BLOCK.match(line):
            counts.blocks.append((int(found[1], 16), int(found[2])))
        elif found := RE_MARK.match(line):
            counts.marks.append(int(found[3]))
            counts.times.append((found[1], float(found[4])))
        elif found := RE_STOP.match(line):
            if found[1] in counts.stops:
                raise Unreadable(f"line {number}: a second end at {found[1]}")
            counts.stops[found[1]] = Stop(*(int(found[n]) for n in range(2, 7)))
        else:
            raise Unreadable(f"line {number} is not understood: {line!r}")
    if any(later < earlier for earlier, later in zip(counts.marks, counts.marks[1:])):
        raise Unreadable("the count goes backwards")
    return counts


def read_file(path):
    try:
        with open(path) as f:
            return read(f)
    except FileNotFoundError as error:
        raise Unreadable(f"{path} is not there") from error


def intervals(marks, names):
    """{name: [instructions, of each time]} of pairs of marks, without what a pair costs that has nothing in it.

    names: those of the pairs, in their order; "nothing" is such a one, and is among them.
    """
    pairs = [after - before for before, after in zip(marks[::2], marks[1::2])]
    if len(marks) % 2 or len(pairs) != len(names):
        raise Unreadable(f"{len(marks)} marks for {len(names)} names")
    found = collections.defaultdict(list)
    for name, count in zip(names, pairs):
        found[name].append(count)
    if "nothing" not in found:
        raise Unreadable("no pair of marks has nothing in it")
    empty = spread(found["nothing"])[1]
    return {name: [count - empty for count in all_of_it] for name, all_of_it in found.items()}


class Symbols:
    """The functions of a kernel, as nm lists them."""

    def __init__(self, lines):
        self.address = {}
        self.functions = []
        for line in lines:
            words = line.split()
            if len(words) != 3:
                continue
            self.address.setdefault(words[2], int(words[0], 16))
            if words[1] in "tTwW":
                self.functions.append((int(words[0], 16), words[2]))
        self.functions.sort()
        self.starts = [start for start, _ in self.functions]

    @classmethod
    def of(cls, vmlinux):
        done = subprocess.run(["nm", vmlinux], capture_output=True, text=True, check=True)
        return cls(done.stdout.splitlines())

    def name_of(self, address):
        """The function that an address is in. What is above the kernel's text, JITed code, is "a BPF program"."""
        index = bisect.bisect_right(self.starts, address) - 1
        if index < 0:
            return "user space"
        return "JITed code or a module" if index == len(self.starts) - 1 else self.functions[index][1]


def profile(blocks, end, symbols):
    """[(function, instructions)] between trigger and stop, those with most first. end: the count at the stop."""
    found = collections.Counter()
    for (address, count), (_, after) in zip(blocks, [*blocks[1:], (0, end)]):
        found[symbols.name_of(address)] += after - count
    return found.most_common()


def spread(values):
    """(least, median, most)"""
    values = sorted(values)
    return values[0], values[len(values) // 2], values[-1]

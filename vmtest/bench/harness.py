# SPDX-License-Identifier: GPL-2.0
"""Where the time of the harness goes, by what its steps, checks and tests have written in build/logs/times.tsv."""

import collections
import os

SLOWEST = 10


def read(lines, base):
    """{name: [seconds, in order]} of a base's own kernel on its own machine."""
    found = collections.defaultdict(list)
    for line in lines:
        words = line.rstrip("\n").split("\t")
        if len(words) == 4 and words[1] == base:
            found[words[2]].append(float(words[3]))
    return found


def longest(found, prefix, most):
    """Of names that begin so: (name, the longest run, the last one), those that take longest first."""
    rows = [{"name": name, "longest": max(seconds), "last": seconds[-1], "runs": len(seconds)}
            for name, seconds in found.items() if name.startswith(prefix)]
    return sorted(rows, key=lambda row: -row["longest"])[:most]


def steps(found):
    """The first run of a step is the cold one where the cache of the compiler was empty, and the last one warm."""
    rows = [{"name": name, "first": seconds[0], "last": seconds[-1], "runs": len(seconds)}
            for name, seconds in found.items() if not name.startswith(("test: ", "check: ", "bench "))]
    checks = [seconds for name, seconds in found.items() if name.startswith("check: ")]
    if checks:
        rows.append({"name": "all checks", "first": sum(c[0] for c in checks), "last": sum(c[-1] for c in checks),
                     "runs": max(map(len, checks))})
    return sorted(rows, key=lambda row: -row["first"])


def measure(lab):
    session = lab.session
    path = os.path.join(session.build, "logs", "times.tsv")
    if not os.path.exists(path):
        return {"steps": [], "tests": [], "checks": []}
    with open(path) as f:
        found = read(f, session.base.name + session.suffix)
    tests = longest(found, "test: ", SLOWEST)
    total = sum(seconds[-1] for name, seconds in found.items() if name.startswith("test: "))
    return {"steps": steps(found), "tests": tests, "seconds_of_all_tests": round(total, 1),
            "checks": longest(found, "check: ", SLOWEST)}

# SPDX-License-Identifier: GPL-2.0
"""Measure the parts of make bench that are named, or all, and write what all of them say.

usage: python3 -m vmtest.bench.run [PART...]
"""

import hashlib
import json
import os
import time

from vmtest import results, session
from vmtest.bench import cost, drift, dumps, harness, page, routes, static, targets
from vmtest.bench.lab import Lab

PARTS = {
    "static": static.measure,
    "routes": lambda lab: routes.measure(lab, list(routes.routes())),
    "profiles": routes.profiles,
    "drift": drift.measure,
    "cost": cost.measure,
    "dumps": dumps.measure,
    "harness": harness.measure,
}
TOOLS = {"bpftrace": ["bpftrace", "--version"], "systemtap": ["stap", "--version"]}


def describe(lab):
    """What the figures are about."""
    made = results.describe(lab.session)
    with open(os.path.join(os.path.dirname(lab.patched.vmlinux), ".config"), "rb") as f:
        made["config"] = hashlib.sha256(f.read()).hexdigest()[:12]
    made["tools"].update({name: results.first_line(argv) for name, argv in TOOLS.items()})
    return made


def measure(lab, names):
    """Each part in a file of its own, so that it can be measured again by itself."""
    about = results.patches_of(lab.session)
    for name in names:
        start = time.monotonic()
        print(f"==> bench {name}", flush=True)
        made = {"patches": about, "data": PARTS[name](lab)}
        with open(lab.path(f"{name}.json"), "w") as f:
            json.dump(made, f)
        print(f"    bench {name}: {time.monotonic() - start:.0f} s", flush=True)


def collect(lab):
    """The parts that are there, of these patches."""
    found = {}
    for name in PARTS:
        try:
            with open(lab.path(f"{name}.json")) as f:
                made = json.load(f)
        except FileNotFoundError:
            continue
        if made["patches"] == results.patches_of(lab.session):
            found[name] = made["data"]
    return found


def main():
    parser = session.parser(__doc__)
    parser.add_argument("part", nargs="*", help=" ".join(PARTS))
    args = parser.parse_args()
    made = session.make(parser, args)
    unknown = [name for name in args.part if name not in PARTS]
    if unknown:
        parser.error(f"no part is named {' '.join(unknown)}; there are {', '.join(PARTS)}")
    lab = Lab(made, os.path.join(made.work, "bench"))
    measure(lab, args.part or list(PARTS))
    data = {**describe(lab), **collect(lab)}
    data["targets"] = targets.judge(data)
    path = results.write_file(made, "bench", data)
    page.write(made.top, path)
    for found in data["targets"]:
        print(f"{'holds ' if found['holds'] else 'MISSED'}  {found['target']}: {found['figure']}")
    missing = [name for name in PARTS if name not in data]
    if missing:
        print(f"not measured with these patches: {', '.join(missing)}")
    print(f"bench: {os.path.relpath(path)}, docs/bench.md")
    return 0


if __name__ == "__main__":
    session.run_main(main, "bench: ")

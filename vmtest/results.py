# SPDX-License-Identifier: GPL-2.0
"""Results of runs: each is written by the run itself to results/NAME.json, and docs/results.md is made of all.

usage: python3 -m vmtest.results [--check]
"""

import datetime
import json
import os
import subprocess
import sys

from vmtest.record import Record
from vmtest.session import HarnessError, find_top, run_main

TOOLS = {"qemu": ["{qemu}", "--version"], "gcc": ["{gcc}", "--version"], "clang": ["{clang}", "--version"],
         "pahole": ["pahole", "--version"], "makedumpfile": ["makedumpfile", "-v"]}


def first_line(argv):
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError:
        return "not there"
    return (done.stdout.splitlines() or ["?"])[0].strip()


def patches_of(session):
    """The id that git gives the patches of the base as they are here; with a remark if that is nowhere committed."""
    def git(*words):
        return subprocess.run(["git", "-C", session.top, *words], capture_output=True, text=True, check=False).stdout

    path = f"patches/{session.base.name}"
    tree = git("rev-parse", f"HEAD:{path}").strip()[:12]
    return tree + (" (changed)" if git("status", "--porcelain", path) else "")


def describe(session):
    """What a result is about."""
    names = {"qemu": session.arch.qemu, "clang": os.environ.get("CLANG") or "clang-22",
             "gcc": f"{session.arch.cross if session.is_foreign else ''}gcc"}
    record = os.path.join(session.work, "source", "record")
    return {
        "base": session.base.name, "date": datetime.date.today().isoformat(),
        "kernel": Record(record).get("version") if os.path.exists(record) else "?",
        "patches": patches_of(session), "arch": session.arch.name, "flavour": session.flavour or "ordinary",
        "host": f"{os.uname().machine}, {os.cpu_count()} CPUs",
        "tools": {name: first_line([word.format(**names) for word in argv]) for name, argv in TOOLS.items()},
    }


def write_file(session, name, data):
    """results/NAME-BASE-ARCH.json; its path."""
    name = "-".join(filter(None, [name, session.base.name, session.arch.name, session.flavour]))
    path = os.path.join(session.top, "results", f"{name}.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w") as f:
        json.dump(data, f, indent=1)
        f.write("\n")
    os.rename(path + ".new", path)
    return path


def write(session, name, data):
    write_file(session, name, {**describe(session), **data})
    page = os.path.join(session.top, "docs", "results.md")
    with open(page, "w") as f:
        f.write(render(session.top))


def cell(value):
    return str(value).replace("|", "\\|")


def section(name, data):
    lines = [f"## {name}", "", "| | |", "| --- | --- |"]
    for key, value in data.items():
        if key == "tools":
            value = "; ".join(value.values())
        elif key == "slowest":
            value = ", ".join(f"{test} ({seconds} s)" for test, seconds in value)
        elif key == "skips":
            value = "; ".join(f"{reason}: {', '.join(names)}" for reason, names in value.items())
        elif key == "remarks":
            value = "; ".join(value)
        if value not in ("", None):
            lines.append(f"| {cell(key.replace('_', ' '))} | {cell(value)} |")
    return "\n".join(lines) + "\n"


def render(top):
    """The page, of all files there are but those of make bench, which have one of their own."""
    directory = os.path.join(top, "results")
    names = sorted(n for n in os.listdir(directory) if n.endswith(".json") and not n.startswith("bench-")) \
        if os.path.isdir(directory) else []
    parts = ["# Results\n\nEach section is what one run wrote of itself (`results/*.json`); `vmtest/results.py` makes "
             "this page of them, and `make check` compares it.\n\"patches\" is git's name of the directory "
             "`patches/BASE` that was tested.\n"]
    for name in names:
        with open(os.path.join(directory, name)) as f:
            parts.append(section(name.removesuffix(".json"), json.load(f)))
    return "\n".join(parts)


def main():
    top = find_top()
    page = os.path.join(top, "docs", "results.md")
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    text = render(top)
    if sys.argv[1:]:
        try:
            with open(page) as f:
                same = f.read() == text
        except FileNotFoundError:
            same = False
        if not same:
            raise HarnessError(f"{page} is not what results/*.json give; run: python3 -m vmtest.results")
        return 0
    with open(page, "w") as f:
        f.write(text)
    return 0


if __name__ == "__main__":
    run_main(main, "results: ")

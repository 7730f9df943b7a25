# SPDX-License-Identifier: GPL-2.0
"""docs/bench.md and docs/bench.svg, of results/bench-BASE-ARCH.json.

usage: python3 -m vmtest.bench.page [--check]
"""

import glob
import json
import os
import sys

from vmtest.bench import plot, text
from vmtest.session import HarnessError, find_top, run_main


def table(head, rows):
    """A table of Markdown; nothing where there is nothing to show."""
    if not rows:
        return "Not measured.\n"
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def number(value):
    """With groups of three digits."""
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def ratio(value, to):
    return f"{value / to:.2f}" if value and to else ""


def routes(rows):
    module = next((row["instructions"] for row in rows if row["kind"] == "module" and "instructions" in row), None)
    for row in rows:
        name = f"{row['route']}: {row['by']}"
        if "error" in row:
            yield [name, row["end"], f"`{row['error']}`", "", "", ""]
            continue
        spread = "the same" if row["least"] == row["most"] else f"{number(row['least'])} to {number(row['most'])}"
        yield [name, row["end"], number(row["instructions"]), spread,
               ratio(row["instructions"], module) if row["end"] == "panic" else "", max(row["again"])]


def jump(rows):
    """bpf_panic() and a module's panic() on their way to the crash kernel."""
    found = {row["kind"]: row["instructions"] for row in reversed(rows)
             if row["by"].endswith("panic(), crash kernel loaded") and "instructions" in row}
    return ratio(found.get("bpf"), found.get("module")) or "?"


def drift(rows):
    for row in rows:
        name = f"{row['route']}: {row['by']}"
        if "error" in row:
            yield [name, f"`{row['error']}`", "", ""]
        else:
            yield [name, ", ".join(map(number, row["past"])), ", ".join(map(number, row["begun"])),
                   f"{row['current']} ({'the culprit' if row['culprit'] else 'not the culprit'})"]


def operations(rows):
    for row in rows:
        spread = max(row["base_spread"], row["patched_spread"])
        yield [row["operation"], number(row["base"]), number(row["patched"]), number(round(row["patched"] - row["base"], 2)),
               number(spread)]


def structures(rows):
    for row in rows:
        slabs = row.get("slabs")
        yield [row["struct"], row["base"] or "not there", row["patched"],
               f"{slabs[0]}, {slabs[1]}" if slabs else "", ", ".join(row["new"]) or "none",
               ", ".join(row["moved"]) or "none"]


def dumps(rows):
    steps = max((list(row["steps"]) for row in rows if "steps" in row), key=len, default=[])
    head = ["memory, MiB", "filter", "seconds", "dump, MiB", *steps]
    made = []
    for row in rows:
        if "error" in row:
            made.append([row["memory"], row["filter"], f"`{row['error']}`", "", *("" for _ in steps)])
            continue
        shares = [f"{100 * row['steps'][step] / row['seconds']:.0f} %" for step in steps if step in row["steps"]]
        if "unreadable" in row:
            shares.append(f"`{row['unreadable']}`")
        made.append([row["memory"], row["filter"], row["seconds"], row["bytes"] >> 20, *shares])
    return table(head, made)


def harness(data):
    yield table(["step", "first run, s", "last run, s", "runs"],
                [[row["name"], row["first"], row["last"], row["runs"]] for row in data["steps"]])
    yield table(["the slowest tests in VMs", "longest run, s", "last run, s"],
                [[row["name"].removeprefix("test: "), row["longest"], row["last"]] for row in data["tests"]])
    yield table(["the slowest checks", "longest run, s", "last run, s"],
                [[row["name"].removeprefix("check: "), row["longest"], row["last"]] for row in data["checks"]])


def about(data):
    rows = [[key, data[key]] for key in ("date", "kernel", "patches", "arch", "config", "host")]
    return table(["", ""], rows + [["tools", "; ".join(data["tools"].values())]])


def size(data):
    yield ["destructive.o, instructions", "", number(data["destructive.o"]["text"]), ""]
    yield from [[what, number(data[what]["base"]), number(data[what]["patched"]),
             number(data[what]["patched"] - data[what]["base"])] for what in ("text", "data")]


def loads(data):
    return [[what, number(data[key]["base"]), number(data[key]["patched"]),
             f"{data[key]['patched'] / data[key]['base']:.6f}"]
            for what, key in (("instructions that the verifier looks at", "verified"),
                              ("guest instructions", "instructions"))]


def render(data):
    """The page; a part that was not measured says so."""
    parts = {"about": about(data)}
    parts["targets"] = table(["target", "figure", ""], [
        [row["target"], row["figure"], "holds" if row["holds"] else "**missed**"] for row in data["targets"]])
    parts["routes"] = table(["route", "end", "instructions (median)", "spread", "to the module's kprobe", "again"],
                            list(routes(data.get("routes", []))))
    parts["profiles"] = "\n".join(
        f"{name}:\n\n" + table(["function", "instructions"], [[f, number(n)] for f, n in rows])
        for name, rows in data.get("profiles", {}).items())
    parts["drift"] = table(["route", "events that got past", "events that began", "current task in the dump"],
                           list(drift(data.get("drift", []))))
    parts["jump"] = jump(data.get("routes", []))
    cost, static = data.get("cost"), data.get("static")
    parts["operations"] = table(["operation", "without the series", "with it", "more", "largest spread"],
                                list(operations(cost["operations"])) if cost else [])
    parts["loads"] = table(["sum", "without the series", "with it", "ratio"], loads(cost["loads"]) if cost else [])
    parts["programs"] = number(cost["loads"]["programs"]) if cost else "no"
    parts["objects"] = number(cost["loads"]["objects"]) if cost else "no"
    parts["size"] = table(["bytes", "without the series", "with it", "more"], list(size(static["size"])) if static else [])
    parts["structures"] = table(["structure", "bytes without the series", "with it", "in memory",
                                 "new members", "moved members"],
                                list(structures(static["structures"])) if static else [])
    crcs = static["crcs"] if static else {"changed": "?", "symbols": "?"}
    parts["crcs"] = f"{crcs['changed']} of {crcs['symbols']}"
    parts["dumps"] = dumps(data.get("dumps", []))
    parts["harness"] = "\n".join(harness(data["harness"])) if "harness" in data else "Not measured.\n"
    return text.PAGE.format(**parts)


def paths(top):
    return [os.path.join(top, "docs", f"bench.{kind}") for kind in ("md", "svg")]


def read(path):
    with open(path) as f:
        return f.read()


def write(top, path):
    data = json.loads(read(path))
    page, drawing = paths(top)
    with open(page, "w") as f:
        f.write(render(data))
    with open(drawing, "w") as f:
        f.write(plot.draw(data))


def check(top, path):
    """What the figures give is what is there; a drawing says itself of which figures it was made."""
    data = json.loads(read(path))
    page, drawing = paths(top)
    for name, good in ((page, lambda: read(page) == render(data)), (drawing, lambda: plot.mark(data) in read(drawing))):
        if not os.path.exists(name) or not good():
            raise HarnessError(f"{name} is not what {os.path.basename(path)} gives; run: python3 -m vmtest.bench.page")


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    top = find_top()
    found = sorted(glob.glob(os.path.join(top, "results", "bench-*.json")))
    if not found:
        return 0
    (check if sys.argv[1:] else write)(top, found[-1])
    return 0


if __name__ == "__main__":
    run_main(main, "bench: ")

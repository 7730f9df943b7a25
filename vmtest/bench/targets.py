# SPDX-License-Identifier: GPL-2.0
"""What the figures have to be, and whether they are."""

# bpf_panic() against a module by hand, user space against bpf_panic(), and so on.
MOST_OF_MODULE = 1.25
LEAST_OF_USER_SPACE = 100
MOST_OF_LOAD = 1.001
MOST_TEXT = 4096
OURS, MODULE = ("BPF fentry", "bpf_panic()"), ("kernel module, kprobe", "panic()")
# Operations that run programs; the others load, attach and ask.
RUNS = ("event", "test run", "start a timer", "tail call")


def find(rows, name, by):
    """The instructions of a route, or None."""
    return next((row.get("instructions") for row in rows if (row["route"], row["by"]) == (name, by)), None)


def verdict(what, figure, holds):
    return {"target": what, "figure": figure, "holds": holds}


def of_routes(rows):
    ours, module = find(rows, *OURS), find(rows, *MODULE)
    if ours and module:
        yield verdict(f"bpf_panic() by fentry takes at most {MOST_OF_MODULE} times the instructions of a module's kprobe",
                      f"{ours} and {module}: {ours / module:.2f} times", ours <= MOST_OF_MODULE * module)
    for row in rows:
        if ours and row["kind"] == "user space" and row.get("instructions"):
            yield verdict(f"at least {LEAST_OF_USER_SPACE} times fewer than by {row['route']}",
                          f"{ours} and {row['instructions']}: {row['instructions'] / ours:.1f} times",
                          row["instructions"] >= LEAST_OF_USER_SPACE * ours)


def of_drift(rows):
    ours = [row for row in rows if row["kind"] == "bpf" and "past" in row]
    if ours:
        most = max(max(row["past"]) for row in ours)
        yield verdict("the event never gets past one of our programs once it has happened",
                      f"{most} times at most, in {sum(len(row['past']) for row in ours)} runs", most == 0)
        wrong = [row["route"] for row in ours if not row["culprit"]]
        yield verdict("the culprit is the current task in the dump",
                      f"not by {', '.join(wrong)}" if wrong else f"in {len(ours)} of {len(ours)} dumps", not wrong)


def of_cost(cost):
    loads = cost["loads"]["instructions"]
    yield verdict(f"programs that are not destructive load with at most {MOST_OF_LOAD} times the instructions",
                  f"{loads['patched']} and {loads['base']}: {loads['patched'] / loads['base']:.6f} times",
                  loads["patched"] <= MOST_OF_LOAD * loads["base"])
    verified = cost["loads"]["verified"]
    yield verdict("the verifier looks at no more instructions", f"{verified['patched']} and {verified['base']}",
                  verified["patched"] <= verified["base"])
    more = [f"{row['operation']}: {row['patched']} and {row['base']}" for row in cost["operations"]
            if row["operation"].startswith(RUNS) and row["patched"] > row["base"]]
    yield verdict("they run with no more instructions", "; ".join(more) or "in none of what was measured", not more)


def of_static(static):
    text = static["size"]["destructive.o"]["text"]
    yield verdict(f"destructive.o has at most {MOST_TEXT} bytes of text", f"{text}", text <= MOST_TEXT)
    grown = [f"{row['struct']} {row['base']} to {row['patched']}" for row in static["structures"]
             if row["base"] and row["patched"] and row["patched"] > row["base"]]
    yield verdict("no structure grows", "; ".join(grown) or f"none of {len(static['structures'])}", not grown)
    moved = [f"{row['struct']}: {', '.join(row['moved'])}" for row in static["structures"] if row["moved"]]
    yield verdict("no member that was there moves", "; ".join(moved) or "none", not moved)


def judge(data):
    """All verdicts on what was measured."""
    parts = [("routes", of_routes), ("drift", of_drift), ("cost", of_cost), ("static", of_static)]
    return [found for name, function in parts if name in data for found in function(data[name])]

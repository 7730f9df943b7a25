# SPDX-License-Identifier: GPL-2.0
"""What everybody else pays: the same work by the kernel with the series and by the one without."""

import re

from vmtest.bench import counts
from vmtest.bench.lab import MARK
from vmtest.session import HarnessError

RUNS = 3
RE_NAME = re.compile(r"^cost: (.*)$", re.M)
# name of a program, what the load returned, what the verifier counts
RE_LOAD = re.compile(r"^(\S+)/(\d+) (-?\d+) (\d+)$")
# (what is shown, the name with it, the name without, how often it is in it)
REPEATED = [("start a timer", "run timer 100", "run timer 0", 100),
            ("tail call", "run tail_call 33", "run tail_call 0", 33)]
SINGLE = [("attach {}", "attach {}", ("fentry", "kprobe", "tp_btf", "raw_tp")),
          ("detach {}", "detach {}", ("fentry", "kprobe", "tp_btf", "raw_tp")),
          ("event, nothing attached", "event nothing", ("",)),
          ("event with {}", "event {}", ("fentry", "kprobe", "tp_btf", "raw_tp")),
          ("test run of an empty program", "run empty 0", ("",)),
          ("update of a program array", "update prog_array", ("",)),
          ("bpf_prog_info of a program", "info of a program", ("",))]


def boot(lab, kernel, name, command, **options):
    """{name: [instructions]}"""
    places = [kernel.place("mark", "mark", MARK)]
    outcome, found = lab.boot(f"cost-{name}-{kernel.name}", command, places, kernel, **options)
    if outcome.verdict != "finished" or outcome.detail != "0":
        raise HarnessError(f"{command}: the machine {outcome}; {outcome.log}")
    return counts.intervals(found.marks, RE_NAME.findall(outcome.output))


def operations_once(lab, kernel, run):
    """{operation: instructions} of one machine: the median of what it does several times."""
    found = {name: counts.spread(values)[1] for name, values in
             boot(lab, kernel, f"operations-{run}", "cost operations").items()}
    made = {text.format(each): found[name.format(each)] for text, name, several in SINGLE for each in several}
    for text, with_it, without, times in REPEATED:
        made[text] = round((found[with_it] - found[without]) / times, 2)
    return made


def operations(lab):
    jobs = [(kernel, run) for kernel in (lab.base, lab.patched) for run in range(1, RUNS + 1)]
    done = list(lab.each(lambda job: operations_once(lab, *job), jobs))
    rows = []
    for name in done[0]:
        row = {"operation": name}
        for kernel, part in (("base", done[:RUNS]), ("patched", done[RUNS:])):
            least, median, most = counts.spread([run[name] for run in part])
            row[kernel] = median
            row[f"{kernel}_spread"] = round(most - least, 2)
        rows.append(row)
    return rows


def loads(found):
    """{program: (what the load returned, what the verifier counts, instructions)} of intervals."""
    made = {}
    for name, values in found.items():
        match = RE_LOAD.match(name)
        if match:
            made[f"{match[1]}/{match[2]}"] = (int(match[3]), int(match[4]), values[0])
    return made


def compare_loads(base, patched):
    """Sums over the programs that both kernels load, and those that differ."""
    both = [name for name, (error, _, _) in base.items() if name in patched and not error and not patched[name][0]]
    only = sorted({name for name, load in base.items() if not load[0]} ^
                  {name for name, load in patched.items() if not load[0]})
    other = [name for name in both if base[name][1] != patched[name][1]]
    ratios = sorted(patched[name][2] / base[name][2] for name in both)
    return {"programs": len(both), "objects": len({name.split("/")[0] for name in both}),
            "loaded_by_one_only": only, "verified_otherwise": other,
            "verified": {"base": sum(base[n][1] for n in both), "patched": sum(patched[n][1] for n in both)},
            "instructions": {"base": sum(base[n][2] for n in both), "patched": sum(patched[n][2] for n in both)},
            "median_ratio": round(ratios[len(ratios) // 2], 6)}


def objects(lab):
    """Whole objects, by both kernels. The tool goes on after one that cannot be loaded."""
    command = "cost objects /objects/*.bpf.o"
    kernels = [lab.base, lab.patched]
    found = lab.each(lambda kernel: loads(boot(lab, kernel, "objects", command, memory=3072,
                                               initrd=lab.initrd(lab.path("objects.gz")))), kernels)
    return compare_loads(*found)


def measure(lab):
    made = {"operations": operations(lab)}
    print(f"    {len(made['operations'])} operations", flush=True)
    made["loads"] = objects(lab)
    print("    instructions of loads: {base} and {patched}".format(**made["loads"]["instructions"]), flush=True)
    return made

# SPDX-License-Identifier: GPL-2.0
"""From the trigger to the end of the machine, by each route: how many instructions, and how often it happens again."""

from dataclasses import dataclass

from vmtest import checks
from vmtest.bench import counts, peers
from vmtest.bench.lab import BEHIND_EVENT, EVENT, MARK

RUNS = 3
SYSTEM_CALL = "trace_syscall_enter"
# Names of the ends that the plugin looks for, by the functions that they begin with.
ENDS = {"panic": "panic", "kexec": "machine_kexec"}


@dataclass(frozen=True)
class Route:
    """A row. command: of the guest; end: which of ENDS it is about; by: what ends the machine there."""

    name: str
    by: str
    command: str
    end: str = "panic"
    event: str = EVENT
    kind: str = "bpf"  # of ours; kfunc of 2022, module, or user space
    peer: str = ""  # a program of Debian's, see peers.py

    @property
    def key(self):
        return f"{self.name}, {self.by}"

    @property
    def log(self):
        return "".join(c if c.isalnum() else "-" for c in self.key)


def bpf(program, name, event=EVENT):
    yield Route(name, "bpf_panic()", f"stop {program}", event=event)
    yield Route(name, "bpf_crash_kexec()", f"stop --dump {program}", "kexec", event)


def module(how, name):
    command = f"insmod /bin/probe.ko how={how} && stop other"
    yield Route(name, "panic()", command, kind="module")
    yield Route(name, "panic(), crash kernel loaded", command, "kexec", kind="module")


def routes():
    for program, name in [("fentry", "BPF fentry"), ("kprobe", "BPF kprobe"), ("tp_btf", "BPF tp_btf"),
                          ("raw_tp", "BPF raw_tp"), ("breakpoint", "BPF perf breakpoint")]:
        yield from bpf(program, name)
    yield Route("BPF fentry", "bpf_panic(), crash kernel loaded", "stop fentry", "kexec")
    yield from bpf("sys_enter", "BPF tp_btf/sys_enter", SYSTEM_CALL)
    yield Route("BPF tp_btf/sys_enter", "crash_kexec() of 2022", "stop crash_kexec_2022", "kexec", SYSTEM_CALL, "kfunc of 2022")
    yield from module("kprobe", "kernel module, kprobe")
    yield from module("ftrace", "kernel module, ftrace_ops")
    yield Route("BPF ring buffer, waiting loader", "sysrq-trigger", "stop ringbuf", kind="user space")
    yield Route("BPF ring buffer, waiting loader with SCHED_FIFO", "sysrq-trigger", "stop --fifo ringbuf",
                kind="user space")
    yield Route("bpftrace --unsafe, system()", "sysrq-trigger", peers.BPFTRACE, kind="user space", peer="bpftrace")
    yield Route("SystemTap, guru mode", "panic()", peers.SYSTEMTAP, kind="module", peer="systemtap")


def places(lab, route):
    made = [lab.patched.place("arm", "mark", MARK), lab.patched.place("trigger", "event", route.event),
            lab.patched.place("past", "event", BEHIND_EVENT)]
    return made + [lab.patched.place("stop", name, symbol) for name, symbol in ENDS.items()]


def options(lab, route, more="vm.no-dump"):
    """Of the machine: with a crash kernel where that is the end."""
    made = {"initrd": lab.initrd(*peers.initrd(lab, route.peer)), **peers.options(route.peer)}
    if route.end == "kexec":
        crash = lab.session.with_crash_kernel(route.command, more)
        return {**made, **crash}
    return {**made, "command": route.command}


def wrong_with(route, outcome, found):
    """Why a run says nothing; nothing if it does."""
    if route.end not in found.stops:
        return f"{route.end} was not reached; the machine {outcome}"
    expected = "crash-kernel" if route.end == "kexec" else "panicked"
    if outcome.verdict != expected:
        return f"the machine {outcome}"
    messages = [reason[1] for reason in checks.reasons(outcome.console)]
    if route.kind == "bpf" and route.end == "panic" and messages != ["bench: renamed"]:
        return f"the console has the messages {messages}"
    return ""


def boot(lab, route, name, **more):
    chosen = options(lab, route)
    command = chosen.pop("command")
    return lab.boot(name, command, places(lab, route), **chosen, **more)


def count_once(lab, route, run):
    reason = peers.missing(lab, route.peer)
    if reason:
        return {"error": reason}
    try:
        outcome, found = boot(lab, route, f"{route.log}-{run}")
    except counts.Unreadable as error:
        return {"error": str(error)}
    wrong = wrong_with(route, outcome, found)
    if wrong:
        return {"error": peers.own_words(route.peer, outcome) or wrong, "log": outcome.log}
    stop = found.stops[route.end]
    return {"instructions": stop.count, "again": stop.again}


def row(route, runs):
    made = {"route": route.name, "by": route.by, "end": ENDS[route.end], "event": route.event, "kind": route.kind}
    errors = [run["error"] for run in runs if "error" in run]
    if errors:
        return {**made, "error": errors[0]}
    least, median, most = counts.spread([run["instructions"] for run in runs])
    return {**made, "instructions": median, "least": least, "most": most, "runs": len(runs),
            "again": [run["again"] for run in runs]}


def measure(lab, chosen):
    """Rows of the table."""
    jobs = [(route, run) for route in chosen for run in range(1, RUNS + 1)]
    made, runs = [], []
    for (route, _), result in zip(jobs, lab.each(lambda job: count_once(lab, *job), jobs)):
        runs.append(result)
        if len(runs) == RUNS:
            made.append(row(route, runs))
            runs = []
            print(f"    {route.key}: {made[-1].get('instructions', made[-1].get('error'))}", flush=True)
    return made


def profiles(lab):
    """Of the two kfuncs, and of the shortest way to panic() by hand."""
    wanted = ["BPF fentry, bpf_panic()", "BPF fentry, bpf_crash_kexec()", "kernel module, kprobe, panic()"]
    return {route.key: find_profile(lab, route) for route in routes() if route.key in wanted}


def find_profile(lab, route, most=12):
    """Where the instructions of a route are, up to its first end: [(function, instructions)]."""
    outcome, found = boot(lab, route, f"profile-{route.log}", profile=True)
    wrong = wrong_with(route, outcome, found)
    if wrong:
        return [(wrong, 0)]
    first = min(stop.count for stop in found.stops.values())
    all_of_them = counts.profile(found.blocks, first, lab.patched.symbols)
    rest = sum(count for _, count in all_of_them[most:])
    return all_of_them[:most] + ([("all others", rest)] if rest else [])

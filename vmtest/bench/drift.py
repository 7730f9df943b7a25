# SPDX-License-Identifier: GPL-2.0
"""While another CPU storms the event: how often it happens again before the end, and who is the current task there."""

import os

from vmtest import vmcore
from vmtest.bench import counts, peers, routes

# Of threads that get a name, before and after that.
CULPRITS = ("stop", "culprit")
# A race is another one each time.
RUNS = 5


def chosen():
    """Routes by what watches and what ends; a breakpoint is on the name of one task, which no other one storms."""
    for route in routes.routes():
        if route.end == "panic" and route.event == routes.EVENT and "breakpoint" not in route.name:
            yield route
        elif route.key == "BPF fentry, bpf_crash_kexec()":
            yield route


def storm(command):
    return command.replace("stop ", "stop --storm ")


def count_once(lab, route, run):
    """No instructions are counted: CPUs that run at the same time have no common order of these."""
    options = routes.options(lab, route)
    command = storm(options.pop("command"))
    try:
        outcome, found = lab.boot(f"drift-{route.log}-{run}", command, routes.places(lab, route), counting=False,
                                  **options)
    except counts.Unreadable as error:
        return {"error": str(error)}
    wrong = routes.wrong_with(route, outcome, found)
    if wrong:
        return {"error": peers.own_words(route.peer, outcome) or wrong}
    stop = found.stops[route.end]
    # of those that have begun after it; the first event itself may have gone past, too
    return {"begun": stop.again, "past": min(stop.again, stop.past)}


def find_current(lab, route):
    """The current task of the CPU that ended the machine, in the dump."""
    options = routes.options(lab, route)
    options.pop("command")
    crash = lab.session.with_crash_kernel(storm(route.command))
    command = crash.pop("command")
    outcome, _ = lab.boot(f"current-{route.log}", command, [], counting=False, **{**options, **crash})
    if outcome.verdict != "crash-kernel":
        return f"no dump: the machine {outcome}"
    try:
        return vmcore.read(os.path.join(outcome.log, "dump"), lab.patched.vmlinux)["comm"]
    except vmcore.Unreadable as error:
        return f"no dump: {error}".splitlines()[0]


def measure_route(lab, route):
    made = {"route": route.name, "by": route.by, "kind": route.kind}
    reason = peers.missing(lab, route.peer)
    if reason:
        return {**made, "error": reason}
    runs = [count_once(lab, route, run) for run in range(1, RUNS + 1)]
    errors = [run["error"] for run in runs if "error" in run]
    if errors:
        return {**made, "error": errors[0]}
    current = find_current(lab, route)
    print(f"    {route.key}: past {[run['past'] for run in runs]}, current task {current}", flush=True)
    return {**made, "begun": [run["begun"] for run in runs], "past": [run["past"] for run in runs],
            "current": current, "culprit": current in CULPRITS}


def measure(lab):
    # One machine at a time: each has a thread for each of its CPUs.
    return [measure_route(lab, route) for route in chosen()]

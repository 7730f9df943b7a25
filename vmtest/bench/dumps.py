# SPDX-License-Identifier: GPL-2.0
"""From a program that takes a crash dump to a dump that is read: how long, by the memory of the guest and by step."""

import os
import time

from vmtest import vmcore

MEMORY = [256, 512, 1024, 2048, 4096]
# So much that it is left of the smallest machine, too, whose files take more than half of what it has then.
APPEND = "crashkernel=112M initramfs_options=size=90%"
# Both kernels are the same file, and without KASLR at the same addresses.
PLACES = [("kfunc", "bpf_vcrash_kexec"), ("jump", "machine_kexec"), ("start", "start_kernel"),
          ("init", "run_init_process"), ("end", "kernel_power_off")]
# (step, the mark that it begins with, the mark that it ends with)
STEPS = [("kfunc, up to the jump", "kfunc", "jump"), ("jump, unpacking the kernel", "jump", "start"),
         ("crash kernel boots", "start", "init"), ("makedumpfile in the guest", "init", "end")]
READ = "drgn opens it"
# (name, level, whether it is the newer makedumpfile)
FILTERS = [("makedumpfile of Debian 12, -d 1", 1, False), ("makedumpfile of Debian sid, -d 23", 23, True),
           ("makedumpfile of Debian sid, -d 31", 31, True)]


def split(times):
    """{step: seconds} of marks: those of the crash kernel are behind the jump."""
    at = {}
    for name, when in times:
        if name in ("kfunc", "jump") or "jump" in at:
            at.setdefault(name, when)
    missing = [name for name, _ in PLACES if name not in at]
    if missing:
        return None
    return {step: round(at[last] - at[first], 3) for step, first, last in STEPS}


def timed(function, *arguments):
    start = time.monotonic()
    result = function(*arguments)
    return result, round(time.monotonic() - start, 3)


def last_line(error):
    return (str(error).strip().splitlines() or ["?"])[-1]


def measure_one(lab, memory, name, level, newer):
    made = {"memory": memory, "filter": name}
    crash = lab.session.with_crash_kernel("stop --dump fentry", f"vm.dump-level={level}",
                                          initrd=lab.path("capture-new.gz") if newer else None)
    crash["append"] = APPEND
    places = [lab.patched.place("mark", mark, symbol) for mark, symbol in PLACES]
    outcome, found = lab.boot(f"dump-{memory}-{level}", crash.pop("command"), places, counting=False, memory=memory,
                              **crash)
    steps = split(found.times)
    if outcome.verdict != "crash-kernel" or not outcome.detail.startswith("makedumpfile 0,") or not steps:
        return {**made, "error": f"the machine {outcome}"}
    try:
        path, steps["makedumpfile -R on the host"] = timed(vmcore.rearrange, os.path.join(outcome.log, "dump"))
    except vmcore.Unreadable as error:
        return {**made, "error": last_line(error)}
    made["bytes"] = os.path.getsize(path)
    try:
        _, steps[READ] = timed(vmcore.report, path, lab.patched.vmlinux)
        os.remove(path)
    except vmcore.Unreadable as error:
        # its times are right, the dump is not
        made["unreadable"] = last_line(error)
    return {**made, "steps": steps, "seconds": round(sum(steps.values()), 3)}


def measure(lab):
    rows = []
    for memory in MEMORY:
        for chosen in FILTERS:
            rows.append(measure_one(lab, memory, *chosen))
            print(f"    {memory} MiB, {chosen[0]}: {rows[-1].get('seconds', rows[-1].get('error'))}", flush=True)
    return rows

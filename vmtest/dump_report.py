#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Print a report on a crash dump as JSON: dump_report.py VMCORE VMLINUX

Run by the distribution's own Python, which has drgn; nothing of the package is imported.
"""

import bisect
import functools
import json
import struct
import subprocess
import sys

import drgn
from drgn.helpers.linux.bpf import bpf_map_for_each, bpf_prog_for_each
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.percpu import per_cpu
from drgn.helpers.linux.printk import get_dmesg

# struct record of record.h, without the order of bytes
RECORD = "QI16s64s4x"


def text(raw):
    return raw.split(b"\0")[0].decode(errors="replace")


def read_array(prog, map_):
    """The elements of an array map as lists of the fields of RECORD."""
    array = drgn.container_of(map_, "struct bpf_array", "map")
    step = array.elem_size.value_()
    start = array.value.address_of_().value_()
    is_little = prog.platform.flags & drgn.PlatformFlags.IS_LITTLE_ENDIAN
    layout = ("<" if is_little else ">") + RECORD
    records = []
    for i in range(map_.max_entries.value_()):
        seq, pid, comm, what = struct.unpack(layout, prog.read(start + i * step, struct.calcsize(layout)))
        if seq:
            records.append({"seq": seq, "pid": pid, "comm": text(comm), "text": text(what)})
    return sorted(records, key=lambda r: r["seq"])


def unwind(prog, start):
    """All frames, across exceptions and interrupts.

    A kernel with frame pointers leaves pt_regs + 1 in the frame pointer where an
    exception came in. drgn does not know that, and goes astray in the next frame.
    """
    frames, trace = [], start
    while trace:
        inner = list(trace)
        entry = next((i for i, f in enumerate(inner) if odd_frame_pointer(f)), None)
        frames += inner if entry is None else inner[:entry + 1]
        trace = None
        if entry is not None and len(frames) < 200:
            regs = drgn.Object(prog, "struct pt_regs", address=inner[entry].register("rbp") - 1)
            # user space has no frames here
            trace = None if regs.cs & 3 else prog.stack_trace(regs)
    return frames


def odd_frame_pointer(frame):
    try:
        return frame.register("rbp") & 1
    except (LookupError, ValueError):
        return False


def module_symbol(prog, pc):
    """The function of a module, by the symbols that the kernel has of it; nobody has to have its file."""
    for module in list_for_each_entry("struct module", prog["modules"].address_of_(), "list"):
        if not any(mem.base.value_() <= pc < mem.base.value_() + mem.size.value_() for mem in module.mem):
            continue
        known = module.kallsyms
        below = [(sym.st_value.value_(), sym.st_name.value_())
                 for sym in (known.symtab[i] for i in range(known.num_symtab.value_())) if sym.st_value.value_() <= pc]
        if below:
            return f"{(known.strtab + max(below)[1]).string_().decode()} [{module.name.string_().decode()}]"
    return None


@functools.lru_cache(None)
def kernel_symbols(vmlinux):
    """{name: address} of all symbols, and (addresses, names) of the functions, in order."""
    done = subprocess.run(["nm", "-n", vmlinux], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    lines = [(int(line[0], 16), *line[1:]) for line in lines if len(line) == 3]
    functions = [(address, name) for address, kind, name in lines if kind in "tTwW" and not name.startswith("$")]
    return {name: address for address, _, name in lines}, *zip(*functions)


def kernel_symbol(prog, vmlinux, pc):
    """The function of the kernel, where drgn finds none: in arm64's, which is linked to be relocatable."""
    known, addresses, names = kernel_symbols(vmlinux)
    pc -= prog["init_task"].address_of_().value_() - known["init_task"]
    return names[bisect.bisect(addresses, pc) - 1] if addresses[0] <= pc < known["_etext"] else None


def name_of(prog, vmlinux, frame):
    """The function of a frame: of C, of assembler, of a module, or a BPF program."""
    if frame.name:
        return frame.name
    try:
        return prog.symbol(frame.pc).name
    except LookupError:
        pass
    symbol = kernel_symbol(prog, vmlinux, frame.pc)
    if symbol:
        return symbol
    symbol = module_symbol(prog, frame.pc)
    if symbol:
        return symbol
    for bpf in bpf_prog_for_each(prog):
        ksym = bpf.aux.ksym
        if ksym.start <= frame.pc < ksym.end:
            return ksym.name.string_().decode()
    return hex(frame.pc)


def describe(number, name, frame):
    try:
        path, line, _ = frame.source()
    except LookupError:
        return f"#{number:<2} {name}"
    # the tree is called linux
    return f"#{number:<2} {name} ({path.split('/linux/', 1)[-1]}:{line})"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    vmcore, vmlinux = sys.argv[1:]
    prog = drgn.Program()
    prog.set_core_dump(vmcore)
    prog.load_debug_info([vmlinux])

    # drgn 0.0.22 takes CPU 0 for the one that crashed, where the architecture has no variable that says which it was.
    cpu = prog["panic_cpu"].counter.value_()
    task = prog.crashed_thread().object if "crashing_cpu" in prog else per_cpu(prog["runqueues"], cpu).curr
    try:
        frames = unwind(prog, prog.stack_trace(task))
    except (ValueError, NotImplementedError):
        frames = []  # of an architecture whose stacks drgn cannot read; who needs them misses them
    names = [name_of(prog, vmlinux, frame) for frame in frames]
    print(json.dumps({
        "release": prog["UTS_RELEASE"].string_().decode(),
        "comm": task.comm.string_().decode(errors="replace"),
        "pid": task.pid.value_(),
        "cpu": cpu,
        "frames": names,
        "trace": [describe(i, name, frame) for i, (name, frame) in enumerate(zip(names, frames))],
        "dmesg": get_dmesg(prog).decode(errors="replace").splitlines(),
        "maps": {
            map_.name.string_().decode(): read_array(prog, map_)
            for map_ in bpf_map_for_each(prog)
            if map_.name.string_() == b"recorder"
        },
    }))


if __name__ == "__main__":
    main()

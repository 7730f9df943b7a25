# SPDX-License-Identifier: GPL-2.0
"""The kernel's log, out of the memory of a machine that is at its end.

Some consoles print later than the kernel logs, and no more when the machine ends. The log has what they owe.
"""

import mmap
import os
import struct
import subprocess

from vmtest.verdict import RE_BANNER

# struct prb_desc and the beginning of struct printk_info, as they are since 5.10; their order of bytes comes before
DESC, INFO = "QQQ", "QQHBBI"
# A kernel is at the beginning of memory, unless KASLR moves it, or another one was started there in its place.
BEGINNING = 128 << 20
# How long it may take to save all of it.
SAVING = 300
# Of the states of a descriptor, in its two highest bits: a writer is done with it.
DONE = (1, 2)
SYMBOLS = {"linux_banner", "__log_buf", "_printk_rb_static_descs", "_printk_rb_static_infos"}


def symbols(vmlinux):
    """{name: (address, size)} of what is needed to find the log."""
    done = subprocess.run(["nm", "-S", vmlinux], capture_output=True, text=True, check=False)
    lines = [line.split() for line in done.stdout.splitlines()]
    return {line[3]: (int(line[0], 16), int(line[1], 16)) for line in lines if len(line) == 4 and line[3] in SYMBOLS}


def records(read, known, order):
    """[(number, nanoseconds, text)] of the log; read(symbol, offset, size) has the memory."""
    data_size, found = known["__log_buf"][1], []
    count = known["_printk_rb_static_descs"][1] // struct.calcsize(order + DESC)
    step = known["_printk_rb_static_infos"][1] // count
    for i in range(count):
        state, begin, after = struct.unpack(order + DESC, read("_printk_rb_static_descs", i * 24, 24))
        number, when, length, *_ = struct.unpack(order + INFO, read("_printk_rb_static_infos", i * step, 24))
        # an odd position is no text; the text is behind the number of its descriptor, in one piece
        if state >> 62 not in DONE or begin & 1:
            continue
        wraps = begin // data_size != (after - 1) // data_size
        start = 0 if wraps else begin % data_size
        found.append((number, when, read("__log_buf", start + 8, length).decode(errors="replace")))
    return sorted(found)


def places_of(memory, banner):
    """Where in memory a kernel has its banner as a string: twice, if it was started as its own crash kernel."""
    at, text = -1, f"{banner}\n\0".encode()
    while (at := memory.find(text, at + 1)) >= 0:
        yield at


def lines_of(memory, at, known, order):
    """The lines of the log, as the console prints them, of the kernel whose banner is there."""

    def read(symbol, offset, size):
        place = at + known[symbol][0] - known["linux_banner"][0] + offset
        return memory[place:place + size]

    return [f"[{when // 10**9:5d}.{when // 1000 % 10**6:06d}] {line}"
            for _, when, text in records(read, known, order) for line in text.split("\n")]


def completed(console, lines):
    """The console, and behind it what it has not printed."""
    shown = set(console.replace("\r", "").split("\n"))
    return console + "".join(f"\n{line}" for line in lines if line not in shown)


def read(console, monitor, path, memory, vmlinux, order, everywhere=False):
    """The log of each kernel in memory, (address, bytes), of a machine that still is there. It stops."""
    banners, known = RE_BANNER.findall(console), symbols(vmlinux)
    monitor.send("stop")
    if not banners or set(known) != SYMBOLS:
        return []
    at, size = memory
    everywhere |= len(banners) > 1
    monitor.ask(f'pmemsave {at} {size if everywhere else min(size, BEGINNING)} "{path}"', SAVING)
    if not os.path.exists(path):
        return []
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as saved:
        logs = [lines_of(saved, place, known, order) for place in places_of(saved, banners[0])]
    os.remove(path)
    return logs

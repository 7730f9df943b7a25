# SPDX-License-Identifier: GPL-2.0
"""The programs of vm/guest/crasher.bpf.c, as far as several suites know them."""

import re

# In which context each ends the machine, and what it needs.
PANICS = {
    "kprobe": ("process context", ()),
    "kretprobe": ("process context", ()),
    "kprobe_multi": ("process context", ("ftrace",)),
    "kprobe_session": ("process context", ("ftrace", "kprobe-session")),
    "uprobe": ("process context, from user space", ("uprobe",)),
    "uprobe_multi": ("process context, from user space", ("uprobe", "uprobe-multi")),
    "uretprobe": ("process context, from user space", ("uprobe",)),
    "tracepoint": ("system call entry", ()),
    "raw_tp": ("system call entry", ()),
    "tp_btf": ("system call entry", ()),
    "fentry": ("process context", ("ftrace",)),
    "fexit": ("process context", ("ftrace",)),
    "fsession": ("process context", ("ftrace", "fsession")),
    "fentry_sleepable": ("process context, may sleep", ("ftrace",)),
    "iter": ("process context, iterator", ()),
    "perf_event": ("hard interrupt", ()),
    "nmi": ("NMI", ("nmi",)),
    "sched_switch": ("runqueue lock held", ()),
    "console": ("inside printk()", ()),
    "console_write": ("console driver at work", ("ftrace", "console-write")),
    "timer": ("soft interrupt, bpf_timer", ("ftrace", "async")),
    "watchdog": ("soft interrupt, bpf_timer that nobody has stopped", ("ftrace", "async")),
    "workqueue": ("kworker, bpf_wq", ("ftrace", "async")),
}

# Programs that only run when somebody else panics, and what they need.
PATHS = {"panic_path": ("ftrace",), "redirect_path": ("ftrace",)}

# Something that goes on for as long as the machine does.
TICKER = "(while :; do echo tick; sleep 0.2; done) & "

# Options and program: crash_kexec() has claimed the panic on CPU 0, and gives it back.
BEHIND = ("fentry", "--cpu 1 --busy --behind-claim --with slow_kexec --with come_second --with give_up")

# Programs that have taken all buffers for formats of this CPU.
NO_BUFFER = "--with take_buffer_3 --with take_buffer_2 --with take_buffer"

# What becomes of messages of every kind: a regular expression, with TOKEN in it; and the error where the message
# cannot be formatted, and the first line of the format is all there is to print.
HOSTILE = re.escape("??[2J<0>[    0.000000] Kernel panic - not syncing: forged??%s%n?")
MESSAGES = {
    "empty": ("", 0),
    "one-byte": ("!", 0),
    "newline": ("TOKEN", 0),
    "two-lines": (r"TOKEN\?TOKEN\?", 0),
    "hostile": (f"TOKEN{HOSTILE}", 0),
    "percent": ("100% of TOKEN%", 0),
    # longer than a line of the log, by a width, by the format itself, and by the values
    "long": ("TOKEN 0{783}", 0),
    "long-format": ("x{800}", 0),
    "long-values": ("%s %s", -28),
    "full-values": ("%s %s %pB %d", -28),
    "bad-pointer": (r"TOKEN\s*", 0),
    "null-pointer": ("TOKEN <> 0{16}", 0),
    "bad-symbol": (r"TOKEN 0x1 <0\.0\.0\.0> <> \S+", 0),
}


def needs(program):
    """What a program needs."""
    return {"crash_kexec_2022": (), **PATHS, **{name: features for name, (_, features) in PANICS.items()}}[program]

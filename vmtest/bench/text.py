# SPDX-License-Identifier: GPL-2.0
"""The words of docs/bench.md; the figures are filled in."""

PAGE = """# What it costs, and how fast it stops

`make bench` measures this and writes this page: each figure is one that it has counted, and is in
`results/bench-BASE-ARCH.json` too. Guest instructions are counted, as times of a machine that is emulated or busy say
little. A small plugin of QEMU's emulator ([vm/bench/counter.c](../vm/bench/counter.c)) counts them.

{about}
## Targets

{targets}
A missed target is explained below, with its route.

## From the event to the end

The event is that a task gets a name: `__set_task_comm()`, which has a tracepoint at its beginning and writes to memory,
so that each kind of program can watch it. Counted are all instructions from the first one of this function to the first
one of `panic()`, or of `machine_kexec()`, the jump into the crash kernel. The machine has one CPU, under `icount`: an
instruction takes a nanosecond there, and nothing is drawn by lot. A row with `sys_enter` is about a system call instead,
from `trace_syscall_enter()`, as the kfunc of 2022 can be called there only. "again" is how often the event has happened
again, at most, before the end.

![The routes, the fastest first](bench.svg)

{routes}
The peers are a kernel module of a few lines ([vm/bench/module/probe.c](../vm/bench/module/probe.c)), a BPF program that
tells a waiting loader by a ring buffer, and what Debian 12 has. The loader has its memory locked, and has nothing to do
but to wait. With `SCHED_FIFO` it runs as soon as it is woken up. Without, that is up to the scheduler, which may leave
the CPU to the culprit until a tick. A peer that does not work has its own error in its row. Neither the kernel that such
a peer was made for nor the kfuncs on it are measured.

**What bpf_panic() does before panic()** is to say who ends the machine. A module that calls `panic("...")` leaves that
to nobody. These are the functions that the instructions are in:

{profiles}
Most of bpf_panic() is the formatting of the line, with the name, id and tag of the program and the user who has loaded
it. bpf_crash_kexec() prints this line as well before it jumps, on each console that takes one in any context (nbcon), as
nobody knows whether the crash kernel comes up. A module that wanted to say as much would have to format as much. What
stands in the way of the target is this line, not the way to it. The machine does not end at the first instruction of
panic() either. Up to the jump into the crash kernel, bpf_panic() takes {jump} times the instructions of the module's
kprobe. It leaves legacy consoles for later.

**The loader with SCHED_FIFO** is fast on a machine whose only CPU has nothing else to do: the interrupt of the ring
buffer, a switch to the loader, and a write. It is the best case of that route, on a machine that is well. The
comparison with other CPUs at work is the next section.

## While another CPU storms the event

Two CPUs give a task a name, again and again. QEMU runs them at the same time (multi-threaded TCG); its `icount` cannot,
so that instructions are not counted here, but how often the event begins and how often it gets past the program that
watches it, on any CPU, after it has happened for the first time. Each number is of one run. Where the program ends the
machine, the CPU that comes second begins the event and gets no further. The last column is of another run, in which a
crash kernel takes a dump: the task that was current on the CPU that ended the machine.

{drift}
A breakpoint is left out: it is on the name of one task.

In a run of bpf_crash_kexec(), events can get past it on the other CPU. bpf_panic() stops a CPU that comes second.
bpf_crash_kexec() returns -EBUSY to it, as it does for any end that it cannot bring about, and the CPU goes on until the
interrupt that stops it arrives, as a CPU does that has met no event. On this emulated machine that can be a while: a CPU
stands still when the host has other work. A program that must not let the second CPU go on calls bpf_panic().

## What everybody else pays

The same work, done by the kernel with the series and by the one without, of the same configuration and compiler. Each
operation is the median of several in one machine, and that of three machines; the largest difference between these is
"largest spread".

{operations}
A program that an event runs, a tail call and the start of a timer take the same instructions. A test run and an update
of a program array get a program by its file descriptor, in a system call, and that is where the kernel asks whether the
program is destructive. To attach and detach a probe patches the kernel's text, and differs in both directions.

Then {programs} programs in {objects} objects of the kernel's own BPF selftests that both kernels load, one after the
other; none calls a destructive kfunc.

{loads}
Text and data of the kernel (bloat-o-meter):

{size}
Structures that the series changes, or that hold one (pahole). "Moved" are members that were there before. "In memory"
is what the allocator gives for one, without the series and with it, where each has its own allocation.

{structures}
What grows: bpf_prog_aux has the limit of bpf_pr_emerg() at its end. bpf_map_owner has what the series fixes-tail-calls and
fixes-gate compare, and bpf_func_info_aux what fixes-extensions keeps of a global function. The flag itself is in gaps.

With `CONFIG_MODVERSIONS`, {crcs} exported symbols have another CRC, in the parts of the kernel that were built for that
(kernel/bpf, kernel/events, kernel/trace, kernel/cgroup, net/core, security). A distribution that checks the ABI of
modules has to hide the new members from genksyms.

## From a program to a dump that can be read

A program calls bpf_crash_kexec(). The time is that of the host until drgn has read the dump, and the shares of its steps.
Times of an emulated machine say little, their shares more. `-d 31` leaves out what belongs to user space, and sometimes
takes a page of the kernel's for that: so says drgn where it cannot open the dump. `-d 23` is the same without this step.
A row that has only words gave no dump.

{dumps}
## The harness

Where the time of `make test` goes, by what its steps, checks and tests have written down (`build/logs/times.tsv`). The
first run of a step is one with nothing built; whether the cache of the compiler was filled then is not known.

{harness}"""

# SPDX-License-Identifier: GPL-2.0
"""Boot one kernel with one command and say how the machine ended.

Exit status: 0 as expected, 1 ended otherwise than expected, 3 the harness could
not do its work. Without --expect, "finished with status 0" is expected.
"""

import argparse
import os
import shlex
import sys

from vmtest import session, vmcore
from vmtest.machine import LIMITS, Machine, find_accel

VERDICTS = ["finished", "panicked", "halted", "powered-off", "restarted", "crash-kernel", "hung", "lost"]


def show_progress(stream):
    """Rewrite one line with the time, on a terminal only."""
    if not stream.isatty():
        return None
    last = [0.0]

    def tick(machine, seconds):
        if seconds - last[0] < 1:
            return
        last[0] = seconds
        stream.write(f"\rvm: {machine.name}: {seconds:.0f} s ")
        stream.flush()

    return tick


def parse():
    parser = session.parser(__doc__)
    parser.add_argument("--kernel", help="default: the kernel that 'make kernel' built")
    parser.add_argument("--initrd", action="append", help="archives, one after the other")
    parser.add_argument("--append", default="", help="more for the kernel's command line")
    parser.add_argument("--name", default="run", help="name of the log directory")
    parser.add_argument("--memory", type=session.positive, metavar="MIB")
    parser.add_argument("--smp", type=session.positive, default=2)
    parser.add_argument("--file", action="append", default=[], help="put into /run of the guest")
    for name in LIMITS:
        parser.add_argument(f"--{name}-limit", type=float, metavar="S")
    parser.add_argument("--expect", default="finished", choices=[*VERDICTS, "any"], help="any: an end of its own")
    parser.add_argument("--match", default="", help="text that the status or panic message must hold")
    parser.add_argument("--crash-kernel", action="store_true", help="load a crash kernel before the command runs")
    parser.add_argument("--shell", action="store_true", help="an interactive shell in the guest")
    parser.add_argument("--show", action="store_true", help="print what the command printed, and panic lines")
    parser.add_argument("--dry-run", action="store_true", help="print the QEMU command only")
    parser.add_argument("--keep", action="store_true", help="print where the logs are in any case")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what the guest runs (default: true)")
    args = parser.parse_args()
    return args, session.make(parser, args)


def make_machine(args, made):
    built = made.built()
    kernel, initrd = args.kernel or built.kernel, args.initrd or [built.base]
    words = args.command[1:] if args.command[:1] == ["--"] else args.command
    command = words[0] if len(words) == 1 else shlex.join(words or ["true"])
    options = {"command": command, "files": []}
    if args.crash_kernel:
        options = made.with_crash_kernel(command, kernel=kernel)
    accel = "tcg" if args.dry_run and args.accel == "auto" else find_accel(made, args.accel, kernel, initrd[0])
    return Machine(made, kernel, initrd, name=args.name, accel=accel, memory=args.memory, smp=args.smp,
                   command=options["command"], files=options["files"] + args.file,
                   append=" ".join(filter(None, [options.get("append", ""), args.append])),
                   limits={n: getattr(args, f"{n}_limit") for n in LIMITS if getattr(args, f"{n}_limit")},
                   shell=args.shell, on_tick=None if args.shell else show_progress(sys.stderr))


def show_dump(outcome, vmlinux):
    """How to open the dump, if there is one."""
    stream = os.path.join(outcome.log, "dump")
    if outcome.verdict != "crash-kernel" or not os.path.exists(stream):
        return
    try:
        dump, kernel = os.path.relpath(vmcore.rearrange(stream)), os.path.relpath(vmlinux)
    except (vmcore.Unreadable, FileNotFoundError) as error:
        print(f"vm: dump: {error}")
        return
    print(f"vm: dump: drgn -c {dump} -s {kernel}")
    print(f"vm: dump: {vmcore.PYTHON} {os.path.relpath(vmcore.READER)} {dump} {kernel} | python3 -m json.tool")


def main():
    args, made = parse()
    machine = make_machine(args, made)
    if args.dry_run:
        print(shlex.join(machine.qemu_argv("INITRD")))
        return 0
    forced = " (forced)" if args.accel != "auto" else ""
    print(f"vm: {args.name}: accelerator {machine.accel}{forced}", flush=True)
    outcome = machine.run()
    if args.show:
        print(outcome.output, end="")
        for line in outcome.console.replace("\r", "").splitlines():
            if "] BPF: " in line or "] Kernel panic" in line:
                print(line)
    print(f"vm: {args.name}: {outcome} ({outcome.seconds:.1f} s, booted in {outcome.boot_seconds:.1f} s)")
    wanted = [v for v in VERDICTS if v not in ("hung", "lost")] if args.expect == "any" else [args.expect]
    good = outcome.verdict in wanted and args.match in outcome.detail
    if args.expect == "finished" and not args.match:
        good = good and outcome.detail == "0"
    if not good:
        print(f"vm: {args.name}: expected: {args.expect} {args.match}; the last lines of the console:")
        for line in outcome.tail():
            print(f"    {line}")
    show_dump(outcome, made.built("").vmlinux)
    if not good or args.keep:
        print(f"vm: logs: {os.path.relpath(outcome.log)}")
    return 0 if good else 1


if __name__ == "__main__":
    session.run_main(main, "vm: ")

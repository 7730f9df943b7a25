# SPDX-License-Identifier: GPL-2.0
"""Show it: a kernel bug check fires, and a BPF program takes a crash dump there."""

import os
import re
import time

from vmtest import session, vmcore
from vmtest.machine import Machine, find_accel
from vmtest.verdict import PRINTK

BUG = "REFCOUNT_INC_ZERO"
MESSAGE = r"refcount_t: addition on 0; use-after-free\. In task sh \(pid (\d+)\)"
GUEST = f"""
echo 'demo: 1. without the flag'
saturated --without-flag
echo 'demo: 2. with the flag'
saturated "echo 'demo: attached; nothing has happened'"
echo 'demo: 3. with the flag, and a bug'
saturated '/bin/uname > /dev/null; /bin/date > /dev/null; echo {BUG} > /sys/kernel/debug/provoke-crash/DIRECT'
echo 'demo: the machine lives'
"""


def section(output, start, end):
    """The lines between two marks, without the first mark's own."""
    text = output.partition(start)[2].partition(end)[0]
    return [line for line in text.splitlines()[1:] if line]


def show(title, lines):
    print(f"\n{title}")
    for line in lines:
        print(f"    {line}")


def short(path):
    return os.path.relpath(path)


def show_panic(outcome):
    """What the console has of a panic."""
    shown = re.compile(PRINTK + r"(lkdtm: (Perf|att)|BPF: |Kernel panic|CPU: | "
                       r"(bpf_vpanic|bpf_prog|refcount_warn|lkdtm_REF))")
    show(f"Then a refcount goes wrong (lkdtm's {BUG}), and the kernel says:",
         [line for line in outcome.console.replace("\r", "").splitlines() if shown.match(line)])
    return outcome.verdict == "panicked" and re.fullmatch("BPF: panic by program .*: " + MESSAGE, outcome.detail)


def show_dump(outcome, vmlinux):
    """What the dump has of the culprit."""
    if outcome.verdict != "crash-kernel":
        return False
    start = time.monotonic()
    try:
        report = vmcore.read(os.path.join(outcome.log, "dump"), vmlinux)
    except vmcore.Unreadable as error:
        print(f"    {error}")
        return False
    print(f"    dump read in {time.monotonic() - start:.1f} s")
    said = [line for line in report["dmesg"] if re.search(r"\] BPF: \w+ by program ", line)]
    show(f"Then a refcount goes wrong (lkdtm's {BUG}). From the crash dump:", [
        f"culprit     {report['comm']} (pid {report['pid']}), Linux {report['release']}",
        *(f"message     {line}" for line in said),
        "backtrace",
        *(f"  {line}" for line in report["trace"]),
        "what was executed before, as the BPF program recorded it",
        *(f"  {r['seq']:3}  pid {r['pid']:<5} {r['text']}" for r in report["maps"].get("recorder", [])),
    ])
    show("The whole dump, to look around in:", [
        short(report["vmcore"]),
        f"drgn -c {short(report['vmcore'])} -s {short(vmlinux)}",
    ])
    message = next((m for m in map(re.compile(MESSAGE).search, said) if m), None)
    return (message and report["comm"] == "sh" and report["pid"] == int(message.group(1))
            and "bpf_vcrash_kexec" in report["frames"] and "lkdtm_REFCOUNT_INC_ZERO" in report["frames"]
            and any(r["text"].endswith("date") for r in report["maps"].get("recorder", [])))


def main():
    parser = session.parser(__doc__)
    parser.add_argument("--panic", action="store_true", help="without a crash kernel: the program panics")
    args = parser.parse_args()
    made = session.make(parser, args)
    built = made.built("")

    accel = find_accel(made, args.accel, built.kernel, built.base)
    name = "demo-panic" if args.panic else "demo"
    print(f"==> {name} (accelerator {accel})", flush=True)
    start = time.monotonic()
    options = {"command": GUEST} if args.panic else made.with_crash_kernel(GUEST)
    outcome = Machine(made, built.kernel, [built.base], name=name, accel=accel, **options).run()
    print(f"    booted in {outcome.boot_seconds:.1f} s, ended after {outcome.seconds:.1f} s")

    refusal = section(outcome.output, "demo: 1. ", "demo: 2. ")
    words = next((i for i, line in enumerate(refusal) if line.startswith("destructive kfunc")), 0)
    show("The program without BPF_F_DESTRUCTIVE, in the verifier's words:", refusal[words:-1])
    show("With the flag, attached to the console tracepoint, while nothing goes wrong:",
         section(outcome.output, "demo: 2. ", "demo: 3. "))
    good = show_panic(outcome) if args.panic else show_dump(outcome, built.vmlinux)
    good = (good and any("requires the BPF_F_DESTRUCTIVE load flag" in line for line in refusal)
            and "demo: attached; nothing has happened" in outcome.output)

    print(f"\nThe machine {outcome}")
    print(f"demo: {'passed' if good else 'FAILED'} in {time.monotonic() - start:.1f} s")
    if not good:
        show("The last lines of the console:", outcome.tail())
    print(f"    whole console:  {short(outcome.log)}/console")
    print("    the program:    demo/saturated.bpf.c")
    print("    how to use it:  Documentation/bpf/destructive.rst")
    print("    all the tests:  make test")
    return 0 if good else 1


if __name__ == "__main__":
    session.run_main(main, "demo: ")

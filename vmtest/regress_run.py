# SPDX-License-Identifier: GPL-2.0
"""Run the BPF selftests of one kernel in VMs, and write a list of results.

usage: python3 -m vmtest.regress_run [options] DIRECTORY OUT

DIRECTORY holds bzImage, initramfs.gz, tests.img and units, as scripts/regress makes them. A unit
is one test of test_progs, or another program as a whole. A test that ends the machine does not
take the others with it: its result is DIED and the rest goes on in a new machine. What is known
so far is kept in OUT.journal, and an interrupted run goes on from there.

A line of OUT is "RESULT NAME". The results: OK, FAIL and SKIP are the programs' own words, and
  NOT-BUILT  does not compile here
  CRASH      the program ended by a signal or otherwise than it should
  TIMEOUT    it was killed after its time
  DIED       the machine did not survive it
OUT.warnings is what the kernel complained about meanwhile.

Exit status: 0 all was run, whatever came out; 3 the harness could not do its work.
"""

import collections
import json
import os
import queue
import re
import tempfile
import threading
import time
import zlib

from vmtest import progs, session
from vmtest.machine import ATTEMPTS, Machine, find_accel
from vmtest.session import HarnessError
from vmtest.verdict import PRINTK, RE_SPLAT

# Seconds that a unit may take under TCG.
LIMITS = {"test_progs": 900, "test_verifier": 1800, "test_maps": 7200}
# How many machines test_progs is spread over. Under TCG one takes a few minutes.
CHUNKS = 12
# TCG is slow enough to look like a lockup.
APPEND = "watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=300 net.ifnames=0"
MEMORY = 4096

RE_MARK = re.compile(r"^@@ (begin|end (\d+) (\d+)) (.+)$", re.M)
RE_VERIFIER = re.compile(r"^#\d+/([up]) (.*?)(?: (OK|FAIL|SKIP)\b(?: \(.*\))*)?\r?$", re.M)
RE_MAPS = re.compile(r"^(\w+): ?(PASS|SKIP)\b ?(.*?)\r?$", re.M)
RE_UNIT = re.compile(PRINTK + r"regress: (.*?)\r?$")


class Unreadable(HarnessError):
    """A program's output is not what is known of it."""


def numbered(pairs):
    """Some subtests share a name: the second one is NAME (2)."""
    seen = collections.Counter()
    for name, result in pairs:
        seen[name] += 1
        yield (f"{name} ({seen[name]})" if seen[name] > 1 else name), result


def parse_progs(unit, text):
    test = unit.split(" ", 1)[1]
    text, results, wrong = progs.read_progs(text)
    found = []
    for line in results:
        if line.name == test or line.name.startswith(test + "/"):
            not_built = line.name == test and "not built" in line.more
            found.append((f"test_progs {line.name}", "NOT-BUILT" if not_built else line.result))
    if not wrong and progs.RE_SUMMARY.search(text) and [name for name, _ in found].count(unit) != 1:
        wrong = "its summary stands there, but not its result"
    # The framework's test of itself fails some subtests on purpose, and takes them back.
    if wrong and test != "prog_tests_framework":
        raise Unreadable(f"{unit}: {wrong}")
    return found


def parse_verifier(unit, text):
    found = [(f"{unit} {name}/{kind}", result or "FAIL") for kind, name, result in RE_VERIFIER.findall(text)]
    summary = progs.RE_SUMMARY.search(text)
    if summary:
        results = [result for _, result in found]
        said, counted = [int(summary[1]), int(summary[4])], [results.count("OK"), results.count("FAIL")]
        if said != counted:
            raise Unreadable(f"{unit}: its summary has {said} tests passed and failed, its lines {counted}")
    return found


def parse_maps(unit, text):
    return [(f"{unit} {name}{' ' + more if more else ''}", "OK" if result == "PASS" else result)
            for name, result, more in RE_MAPS.findall(text) if name != unit]


PARSERS = {"test_progs": parse_progs, "test_verifier": parse_verifier, "test_maps": parse_maps}


def results_of(unit, text, status):
    """The results of one unit; status is None when the machine died in it."""
    found = dict(numbered(PARSERS[unit.split()[0]](unit, text)))
    if status is None:
        found[unit] = "DIED"
    elif status == 137:
        found[unit] = "TIMEOUT"
    elif status == 2 and found.get(unit) == "NOT-BUILT":
        pass
    elif status not in (0, 1):
        found[unit] = "CRASH"
    elif unit.split()[0] != "test_progs":
        found[unit] = "FAIL" if status else "OK"
    elif unit not in found:
        found[unit] = "CRASH"
    return found


def read_output(output):
    """(unit, text, exit status, seconds) of each unit; the status of the last one may be None."""
    marks = list(RE_MARK.finditer(output))
    for number, mark in enumerate(marks):
        if mark[1] != "begin":
            continue
        end = marks[number + 1] if number + 1 < len(marks) else None
        if end and end[4] == mark[4] and end[1] != "begin":
            yield mark[4], output[mark.end():end.start()], int(end[2]), int(end[3])
        else:
            yield mark[4], output[mark.end():end.start() if end else None], None, 0


def warnings_of(console):
    """What the kernel complained about, without what differs from run to run, and in which unit."""
    unit = "before the tests"
    for line in console.splitlines():
        mark = RE_UNIT.match(line)
        if mark:
            unit = mark[1]
        elif RE_SPLAT.match(line) and "cut here" not in line:
            text = re.sub(r",? CPU(#|: )\d+.*", "", re.sub(PRINTK, "", line.rstrip()))
            text = re.sub(r"\S*/linux/", "", text)  # where it was built
            text = re.sub(r"\b(?:0x)?[0-9a-f]{8,}\b|\d+", "N", text)
            yield unit, text


class Run:
    def __init__(self, made, args):
        self.session, self.directory, self.out, self.args = made, args.directory, args.out, args
        self.side = os.path.basename(os.path.normpath(args.directory))
        self.lock = threading.Lock()
        self.todo = queue.Queue()
        self.results, self.warnings, self.times = {}, set(), {}
        self.machines, self.again = 0, collections.Counter()
        self.start = time.monotonic()
        self.failure = None

        skip = set()
        if args.not_run:
            with open(args.not_run) as f:
                skip = {line.split("\t")[0].strip() for line in f if line.strip() and not line.startswith("#")}
        with open(args.units or os.path.join(self.directory, "units")) as f:
            self.units = [line.strip() for line in f if line.strip() and line.strip() not in skip]
        if not self.units:
            raise HarnessError("there is no test to run")
        self.read_journal()
        self.accel = find_accel(made, args.accel, self.path("bzImage"), self.path("initramfs.gz"))

    def path(self, name):
        return os.path.join(self.directory, name)

    def read_journal(self):
        try:
            with open(self.out + ".journal") as f:
                for line in f:
                    # the last line may be half written
                    if line.endswith("\n"):
                        self.take(json.loads(line))
        except FileNotFoundError:
            pass

    def take(self, entry):
        self.results[entry["unit"]] = entry["results"]
        self.times[entry["unit"]] = entry["seconds"]
        self.warnings.update(tuple(pair) for pair in entry["warnings"])

    def keep(self, entries):
        with self.lock:
            with open(self.out + ".journal", "a") as f:
                for entry in entries:
                    f.write(json.dumps(entry) + "\n")
                    self.take(entry)

    def chunks(self):
        """The same tests share a machine on both kernels, whatever tests one of them has in addition."""
        chunks = collections.defaultdict(list)
        for unit in self.units:
            if unit not in self.results:
                whole = not unit.startswith("test_progs ")
                chunks[unit if whole else zlib.crc32(unit.encode()) % CHUNKS].append(unit)
        # What takes longest comes first.
        return sorted(chunks.values(), key=lambda units: -sum(self.limit(unit) for unit in units) / len(units))

    @staticmethod
    def limit(unit):
        return LIMITS[unit.split()[0]]

    def boot(self, units):
        with self.lock:
            self.machines += 1
            name = f"regress-{self.side}-{self.args.run}-{self.machines}"
        with tempfile.TemporaryDirectory(prefix="regress-") as tmp:
            with open(os.path.join(tmp, "units"), "w") as f:
                f.writelines(f"{self.limit(unit)} {unit}\n" for unit in units)
            disk = f"file={self.path('tests.img')},format=raw,if=virtio,snapshot=on"
            longest = max(self.limit(unit) for unit in units)
            return Machine(
                self.session, self.path("bzImage"), [self.path("initramfs.gz")], name=name, command="exec sh /run/regress-guest",
                files=[os.path.join(self.session.top, "scripts", "regress-guest"), f.name], accel=self.accel,
                memory=MEMORY, smp=2, append=APPEND, device=["-drive", disk],
                limits={"boot": 300, "silence": longest + 120, "total": sum(map(self.limit, units)) + 600}).run_once()

    def emulation_failed(self, outcome, unit):
        """Did the machine end in this unit for QEMU's sake? If that happens again and again, it is the unit's doing."""
        reason = outcome.emulation_failed()
        if not reason:
            return False
        self.again[unit] += 1
        if self.again[unit] == ATTEMPTS:
            return False
        print(f"regress: {self.side}: {unit}: run again, as QEMU {reason}; logs: {outcome.log}", flush=True)
        return True

    def run_chunk(self, units):
        """Run units in one machine; what is left to do afterwards."""
        outcome = self.boot(units)
        if outcome.ended_from_outside():
            raise HarnessError(f"somebody ended QEMU; logs: {outcome.log}")
        warnings = collections.defaultdict(list)
        for unit, text in warnings_of(outcome.console):
            warnings[unit].append((unit, text))
        read = list(read_output(outcome.output))
        finished = [each for each in read if each[2] is not None]
        if len(finished) < len(units) and self.emulation_failed(outcome, units[len(finished)]):
            read = finished
            warnings.pop(units[len(finished)], None)
            if not read:
                return units
        entries = []
        for unit, text, status, seconds in read:
            if status is None and outcome.verdict == "finished":
                raise HarnessError(f"the machine finished in the middle of {unit}; logs: {outcome.log}")
            entries.append({"unit": unit, "results": results_of(unit, text, status), "seconds": seconds,
                            "warnings": warnings.pop(unit, [])})
        if not entries:
            raise HarnessError(f"no test was begun: {outcome}; logs: {outcome.log}")
        entries[-1]["warnings"] += [pair for rest in warnings.values() for pair in rest]
        self.keep(entries)
        last = entries[-1]
        if last["results"][last["unit"]] in ("DIED", "TIMEOUT", "CRASH"):
            print(f"regress: {self.side}: {last['unit']}: {last['results'][last['unit']]} ({outcome}); "
                  f"logs: {outcome.log}", flush=True)
        with self.lock:
            print(f"regress: {self.side}: {len(self.results)} of {len(self.units)} "
                  f"after {(time.monotonic() - self.start) / 60:.1f} min", flush=True)
        return units[len(entries):]

    def work(self):
        while not self.failure:
            try:
                units = self.todo.get_nowait()
            except queue.Empty:
                return
            try:
                while units and not self.failure:
                    units = self.run_chunk(units)
            except BaseException as error:  # pylint: disable=broad-except
                self.failure = error

    def run(self):
        for chunk in self.chunks():
            self.todo.put(chunk)
        threads = [threading.Thread(target=self.work, daemon=True) for _ in range(self.args.jobs)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)
        except BaseException:
            self.session.stop.set()
            for thread in threads:
                thread.join()
            raise
        if self.failure:
            raise self.failure

    def write(self):
        lines = {name: result for unit in self.units for name, result in self.results[unit].items()}
        with open(self.out + ".warnings", "w") as f:
            f.writelines(f"{text}\t{unit}\n" for unit, text in sorted(self.warnings, key=lambda w: (w[1], w[0])))
        with open(self.out + ".times", "w") as f:
            for unit in sorted(self.units, key=lambda unit: -self.times[unit]):
                f.write(f"{self.times[unit]} {unit}\n")
        with open(self.out + ".new", "w") as f:
            f.writelines(f"{lines[name]} {name}\n" for name in sorted(lines))
        os.rename(self.out + ".new", self.out)
        count = collections.Counter(lines.values())
        print(f"regress: {self.side}: {len(self.units)} programs and tests, {len(lines)} results with subtests, "
              f"{(time.monotonic() - self.start) / 60:.1f} min: "
              + ", ".join(f"{number} {result}" for result, number in count.most_common()), flush=True)


def main():
    parser = session.parser(__doc__)
    parser.add_argument("--units", help="run these (default: all of DIRECTORY/units)")
    parser.add_argument("--not-run", help="file of units to leave out, and why")
    parser.add_argument("--run", default="0", help="number of this run, for the names of logs")
    parser.add_argument("--jobs", type=session.positive, default=2, help="VMs at a time")
    parser.add_argument("directory")
    parser.add_argument("out")
    args = parser.parse_args()
    made = session.make(parser, args)
    try:
        run = Run(made, args)
    except FileNotFoundError as error:
        raise HarnessError(error) from error
    run.run()
    run.write()
    return 0


if __name__ == "__main__":
    session.run_main(main, "regress: ")

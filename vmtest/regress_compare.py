# SPDX-License-Identifier: GPL-2.0
"""Compare the results of two kernels, test by test.

usage: python3 -m vmtest.regress_compare again|unsettled|judge --base LIST [RERUN...] --patched LIST [RERUN...]

A list has lines "RESULT NAME". The first list of each kernel has all tests, the others have those
that were run again.

again      prints the programs and tests whose first results differ
unsettled  prints those of which it cannot be said yet whether they are flaky: worse with the
           series more than once, and never as bad without it
judge      prints the summary; exit status 1 when a test is worse with the series

Exit status 3: a list is missing, empty or unreadable, or the lists have no test in common.
"""

import argparse
import collections

from vmtest import results
from vmtest.session import HarnessError, of_environment, run_main

# How bad a result is. A test that is not there was not run, as one that was skipped.
RANKS = {"OK": 0, "SKIP": 1, "NOT-BUILT": 1, "ABSENT": 1, "FAIL": 2, "CRASH": 3, "TIMEOUT": 3, "DIED": 4}


class Unusable(HarnessError):
    """The lists say nothing about the kernels."""


def read_list(path):
    results = {}
    try:
        with open(path) as f:
            for number, line in enumerate(f, 1):
                result, _, name = line.rstrip("\n").partition(" ")
                if result not in RANKS or result == "ABSENT" or not name:
                    raise Unusable(f"{path}:{number}: this is no result: {line.rstrip()}")
                if name in results:
                    raise Unusable(f"{path}:{number}: a second result of {name}")
                results[name] = result
    except FileNotFoundError:
        raise Unusable(f"{path} is missing") from None
    if not results:
        raise Unusable(f"{path} is empty")
    return results


def unit_of(name):
    """What has to be run to run this test."""
    program, _, test = name.partition(" ")
    return f"{program} {test.split('/', 1)[0]}" if program == "test_progs" else program


class Side:
    """The results of one kernel."""

    def __init__(self, paths):
        self.first, *self.reruns = [read_list(path) for path in paths]
        self.run_units = [set(map(unit_of, rerun)) for rerun in self.reruns]

    def ranks(self, name):
        return [RANKS[result] for result in self.runs(name)]

    def runs(self, name):
        """All results of a test, of the runs in which it should have had one."""
        return [self.first.get(name, "ABSENT"),
                *(rerun.get(name, "ABSENT") for rerun, units in zip(self.reruns, self.run_units)
                  if unit_of(name) in units)]

    def counts(self, name):
        runs = collections.Counter(self.runs(name))
        return ", ".join(f"{runs[result]} {result}" for result in sorted(runs, key=RANKS.get))


class Comparison:
    def __init__(self, base, patched):
        self.base, self.patched = base, patched
        self.common = sorted(base.first.keys() & patched.first.keys())
        if not self.common:
            raise Unusable("the two lists have no test in common")
        self.all = sorted(base.first.keys() | patched.first.keys())

    def differing(self):
        """The tests that are not alike. A new one is compared with nothing, as long as it does not fail."""
        for name in self.all:
            base, patched = self.base.ranks(name), self.patched.ranks(name)
            if name not in self.base.first and max(patched) <= RANKS["ABSENT"]:
                continue
            if base[0] != patched[0] or max(base) != max(patched):
                yield name

    def verdict(self, name):
        """What is to be said of a test that is not alike."""
        base, patched = self.base.ranks(name), self.patched.ranks(name)
        worse = [rank for rank in patched if rank > max(base)]
        if worse:
            return "regression" if len(worse) > 1 or len(patched) == 1 else "once"
        return "better" if max(base) > max(patched) else "flaky"


def print_section(title, lines):
    lines = list(lines)
    print(f"\n{title}: {len(lines) or 'none'}")
    for line in lines:
        print(f"    {line}")


def read_not_run(path):
    with open(path) as f:
        return [line.rstrip("\n").replace("\t", ": ", 1) for line in f if line.strip() and not line.startswith("#")]


def read_warnings(path):
    found = collections.defaultdict(set)
    with open(path) as f:
        for line in f:
            text, _, unit = line.rstrip("\n").partition("\t")
            found[text].add(unit)
    return found


def judge(comparison, args):
    base, patched = comparison.base, comparison.patched
    verdicts = collections.defaultdict(list)
    for name in comparison.differing():
        verdicts[comparison.verdict(name)].append(name)

    def both(name):
        return f"{name}: without the series {base.counts(name)}; with it {patched.counts(name)}"

    print("The kernel's BPF selftests without and with the series, on kernels of one configuration.")
    whole = [name for name in comparison.common if name == unit_of(name)]
    passed = [name for name in comparison.common if base.first[name] == patched.first[name] == "OK"]
    print(f"\ncompared: {len(comparison.common)} results, of {len(whole)} programs and tests and their subtests; "
          f"{len(passed)} are OK on both kernels")
    for title, side in ("without the series", base), ("with the series", patched):
        count = collections.Counter(side.first.values())
        print(f"    {title}: " + ", ".join(f"{count[result]} {result}" for result in RANKS if count[result]))

    print_section("Worse with the series", map(both, verdicts["regression"]))
    print_section("Flaky: as bad in a run without the series as with it", map(both, verdicts["flaky"]))
    print_section("Worse with the series once, and never again", map(both, verdicts["once"]))
    print_section("Better with the series", map(both, verdicts["better"]))
    print_section("Only in the tree with the series",
                  (f"{patched.counts(name)}: {name}" for name in comparison.all if name not in base.first))
    print_section("Only in the tree without the series",
                  (f"{base.counts(name)}: {name}" for name in comparison.all if name not in patched.first))
    print_section("Failing on both kernels",
                  (f"{base.first[name]}: {name}" if base.first[name] == patched.first[name] else both(name)
                   for name in comparison.common if min(RANKS[base.first[name]], RANKS[patched.first[name]]) > 1))
    print_section("Not built on either kernel, with this compiler and configuration",
                  (name for name in comparison.common if base.first[name] == patched.first[name] == "NOT-BUILT"))
    print_section("Left out on both kernels", read_not_run(args.not_run) if args.not_run else [])
    if args.warnings:
        before, after = map(read_warnings, args.warnings)
        print_section("Kernel warnings only without the series",
                      (f"{text} ({', '.join(sorted(before[text]))})" for text in sorted(before.keys() - after.keys())))
        print_section("Kernel warnings only with the series",
                      (f"{text} ({', '.join(sorted(after[text]))})" for text in sorted(after.keys() - before.keys())))
        print_section("Kernel warnings on both kernels", sorted(before.keys() & after.keys()))
    worse = len(verdicts["regression"])
    print(f"\n{len(comparison.common)} compared, {worse} worse with the series")
    if args.results:
        results.write(of_environment(), args.results, {
            "compared": len(comparison.common), "OK_on_both": len(passed), "worse": worse,
            **{name: len(verdicts[name]) for name in ("flaky", "once", "better")}})
    return 1 if worse else 0


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["again", "unsettled", "judge"])
    parser.add_argument("--base", nargs="+", required=True)
    parser.add_argument("--patched", nargs="+", required=True)
    parser.add_argument("--not-run")
    parser.add_argument("--results", metavar="NAME", help="keep the counts, as results/NAME-BASE-ARCH.json")
    parser.add_argument("--warnings", nargs=2, metavar=("BASE", "PATCHED"))
    args = parser.parse_args(argv)
    comparison = Comparison(Side(args.base), Side(args.patched))
    if args.mode == "judge":
        return judge(comparison, args)
    names = comparison.differing()
    if args.mode == "unsettled":
        names = (name for name in names if comparison.verdict(name) == "regression"
                 and min(comparison.patched.ranks(name)) <= max(comparison.base.ranks(name)))
    for unit in sorted(set(map(unit_of, names))):
        print(unit)
    return 0


if __name__ == "__main__":
    run_main(main, "regress-compare: ")

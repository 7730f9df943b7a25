# SPDX-License-Identifier: GPL-2.0
"""Run the series' tests in VMs: the runner itself, every gate, every real panic.

Output is TAP. Exit status: 0 all passed, 1 tests failed, 3 the harness could not
do its work.
"""

import concurrent.futures
import fnmatch
import os
import secrets
import time
import traceback

from vmtest import results, session, suites
from vmtest.checks import Failed
from vmtest.session import HarnessError
from vmtest.suite import Skip, Suite
from vmtest.tap import Tap


def parse():
    parser = session.parser(__doc__)
    parser.add_argument("--kernel", help="default: the kernel that 'make kernel' built")
    parser.add_argument("--jobs", type=session.positive, default=2 * (os.cpu_count() or 1),
                        help="VMs at a time; each waits a good part of its time")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32),
                        help="of what is drawn by lot, printed at the beginning; default: another one each time")
    parser.add_argument("--loads", type=session.positive, default=10000, help="loads of the fuzzer")
    parser.add_argument("--rounds", type=session.positive, default=6,
                        help="rounds of all CPUs ending the machine at once")
    parser.add_argument("--everything", action="store_true", help="abuse: every function on every path, not a few")
    parser.add_argument("--cycles", type=session.positive, default=1,
                        help="run each test so many times, one after the other")
    parser.add_argument("--results", metavar="NAME", help="keep the results of the tests, as results/NAME-BASE-ARCH.json")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("pattern", nargs="*", help="names of tests, with wildcards")
    args = parser.parse_args()
    made = session.make(parser, args)
    suite = Suite(made, args.kernel or made.built().kernel, args.accel, args.seed, args.loads, args.rounds,
                  args.everything)
    tests = [t for t in suites.all_tests(suite)
             if not args.pattern or any(fnmatch.fnmatch(t.name, p) for p in args.pattern)]
    if not tests:
        parser.error(f"no test is named {' '.join(args.pattern)}; --list lists them")
    return args, suite, tests


def run_test(suite, test):
    """All results of one test: [(name, None or reason or Skip)], and the seconds that it took."""
    lacking = suite.session.lacks(*test.needs)
    if lacking:
        return [(test.name, Skip(lacking))], 0.0
    start = time.monotonic()
    try:
        lines = test.function()
        lines = lines if isinstance(lines, list) else [(test.name, None)]
    except Failed as error:
        lines = [(test.name, str(error))]
    except HarnessError:
        raise
    except Exception:  # pylint: disable=broad-except
        # a mistake of the test's own, which must not take the results of the others along
        lines = [(test.name, traceback.format_exc())]
    return lines, time.monotonic() - start


def run_all(suite, tests, jobs, tap):
    """The seconds of each test, while its results are printed in the order of the tests."""
    times = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run_test, suite, test) for test in tests]
        try:
            for test, future in zip(tests, futures):
                lines, seconds = future.result()
                for name, reason in lines:
                    if isinstance(reason, Skip):
                        tap.result(name, skipped=reason.reason)
                    else:
                        tap.result(name, reason)
                if seconds:
                    tap.remark(f"{seconds:.1f} s")
                times[test.name] = seconds
        except BaseException:
            suite.session.stop.set()
            for future in futures:
                future.cancel()
            raise
    return times


def keep_times(session_, times):
    """As record_time of scripts/lib.sh: {name: seconds}."""
    os.makedirs(os.path.join(session_.build, "logs"), exist_ok=True)
    with open(os.path.join(session_.build, "logs", "times.tsv"), "a") as f:
        for name, value in times.items():
            f.write(f"{time.time():.0f}\t{session_.base.name}{session_.suffix}\t{name}\t{value:.1f}\n")


def main():
    args, suite, tests = parse()
    if args.list:
        print(*(test.name for test in tests), sep="\n", flush=True)
        return 0
    suite.find_accel()
    tap = Tap(f"kernel {suite.kernel}",
              f"{suite.session.arch.name}, accelerator {suite.accel}, {args.jobs} VMs at a time, seed {args.seed}")
    start = time.monotonic()
    times = {}
    # one after the other, as a test has one directory of logs
    for _ in range(args.cycles):
        times.update(run_all(suite, tests, args.jobs, tap))
    whole = {} if args.pattern else {"tests in VMs": time.monotonic() - start}
    keep_times(suite.session, {**whole, **{f"test: {name}": seconds for name, seconds in times.items()}})
    remarks = [line for lines in suite.remarks.values() for line in lines]
    tap.remark(*remarks, *(f"{name}: run again, as QEMU {reason}" for name, reason in suite.session.run_again))
    tap.remark(*(f"{name} and those like it booted, as there is no snapshot: {reason}"
                 for name, reason in suite.snapshots.failed))
    status = tap.end()
    if args.results:
        results.write(suite.session, args.results, {
            "accelerator": suite.accel, "jobs": args.jobs, "seed": args.seed, **tap.count,
            "skips": tap.skips,
            "seconds": round(time.monotonic() - start),
            "slowest": sorted(([name, round(s, 1)] for name, s in times.items()), key=lambda t: -t[1])[:10],
            "run_again": len(suite.session.run_again), "remarks": remarks})
    return status


if __name__ == "__main__":
    session.run_main(main, "Bail out! ")

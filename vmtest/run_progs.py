# SPDX-License-Identifier: GPL-2.0
"""Run tests of the kernel's test_progs in one VM: a line of TAP for each subtest.

A test that did not run has failed. Exit status: 0 all passed, 1 tests failed,
3 the harness could not do its work.
"""

import os
import shlex

from vmtest import checks, progs, session
from vmtest.machine import Machine, find_accel
from vmtest.tap import Tap


def main():
    parser = session.parser(__doc__)
    parser.add_argument("--kernel", required=True, help="directory in which it was built")
    parser.add_argument("--initrd", required=True, action="append")
    parser.add_argument("--name", default="progs", help="name of the log directory")
    parser.add_argument("test", nargs="+")
    args = parser.parse_args()
    made = session.make(parser, args)
    kernel = os.path.join(args.kernel, made.arch.image)

    def boot(command, **options):
        return Machine(made, kernel, args.initrd, command=command, **options).run()

    accel = find_accel(made, args.accel, kernel, args.initrd[0])
    tap = Tap(f"kernel {kernel}, accelerator {accel}")
    # -v: a test that says nothing up to its end looks like a hung machine
    command = progs.command(shlex.join(["-v", *(word for test in args.test for word in ("-a", test))]))
    outcome = boot(command, name=args.name, accel=accel, limits={"total": 3600})
    output, results, wrong = progs.read_progs(outcome.output)
    if not progs.RE_SUMMARY.search(output):
        wrong = "it does not say how many there were"
    for test in args.test:
        for name, reason, skipped in progs.results_of(test, results):
            tap.result(f"{args.name}: {name}", reason, skipped)
    tap.result(f"{args.name}: as many passed and failed as test_progs counts", wrong or None)
    # test_progs exits with 1 when a test has failed, which is shown above
    tap.result(f"{args.name}: the machine is as it was", checks.wrong_with(outcome, ("0", "1")))
    tap.remark(f"{outcome.seconds:.1f} s, logs: {outcome.log}")
    return tap.end()


if __name__ == "__main__":
    session.run_main(main, "Bail out! ")

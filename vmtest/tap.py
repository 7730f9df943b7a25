# SPDX-License-Identifier: GPL-2.0
"""Results as TAP."""

import collections


class Tap:
    """Prints one line for each result, and counts them."""

    def __init__(self, *remarks):
        self.count = collections.Counter(passed=0, failed=0, skipped=0)
        # the names of the tests, by the reason
        self.skips = collections.defaultdict(list)
        print("TAP version 13")
        self.remark(*remarks)

    @staticmethod
    def remark(*lines):
        for line in lines:
            print(f"# {line}", flush=True)

    def result(self, name, failure=None, skipped=None):
        self.count["skipped" if skipped else "failed" if failure else "passed"] += 1
        if skipped:
            self.skips[skipped].append(name)
        number = sum(self.count.values())
        print(f"{'not ok' if failure else 'ok'} {number} - {name}" + (f" # SKIP {skipped}" if skipped else ""))
        self.remark(*(failure or "").splitlines())

    def end(self):
        """The exit status: a run without any test that passed is no success."""
        print(f"1..{sum(self.count.values())}")
        print("{passed} passed, {failed} failed, {skipped} skipped".format(**self.count))
        return 1 if self.count["failed"] or not self.count["passed"] else 0

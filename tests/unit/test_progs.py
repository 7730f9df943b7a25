# SPDX-License-Identifier: GPL-2.0
"""What test_progs prints, as it is read."""

import re
import unittest
from dataclasses import astuple

from vmtest import progs

OUTPUT = """\
f:PASS:load 0 nsec
#1/1     a/good: with a colon:OK
f:FAIL:load unexpected error: -22\r
more of it
#1/2     a/bWATCHDOG: test case a/bad executes for 10 seconds...
ad:FAIL
#1/3     a/not here:SKIP (for a reason)
#1/3     a/not here:SKIP (for a reason)
#1/4     a/silent:FAIL
#1       a:FAIL
Summary: 0/1 PASSED, 1 SKIPPED, 1/2 FAILED
"""

OF_TESTS = """\
#1/1     a/good:OK
x:FAIL:load unexpected error: -22
#1/2     a/bad:FAIL
#1/3     a/not here:SKIP (no hardware)
#1       a:FAIL
#2       b:SKIP (not built)
#3       c:OK
#4/1     d/good:OK
#4       d:FAIL
#5       e:SKIP
"""


class Read(unittest.TestCase):
    def test_lines(self):
        text, results, wrong = progs.read_progs(OUTPUT)
        self.assertEqual([*map(astuple, results)], [
            ("a/good: with a colon", "OK", "", [], True),
            ("a/bad", "FAIL", "", ["f:FAIL:load unexpected error: -22"], True),
            ("a/not here", "SKIP", " (for a reason)", [], True), ("a/silent", "FAIL", "", [], True),
            ("a", "FAIL", "", [], False)])
        self.assertFalse(wrong)
        self.assertNotIn("WATCHDOG", text)

    def test_summary_that_says_something_else(self):
        for miscounted in ("0/2 PASSED, 1 SKIPPED, 1/2 FAILED", "0/1 PASSED, 1 SKIPPED, 1/1 FAILED"):
            with self.subTest(miscounted):
                self.assertTrue(progs.read_progs(re.sub("Summary: .*", f"Summary: {miscounted}", OUTPUT))[2])

    def test_of_each_test(self):
        results = progs.read_progs(OF_TESTS)[1]
        found = [line for test in "abcdef" for line in progs.results_of(test, results)]
        self.assertEqual(found, [
            ("a/good", None, None), ("a/bad", "x:FAIL:load unexpected error: -22", None),
            ("a/not here", None, "no hardware"), ("b", "SKIP (not built)", None), ("c", None, None),
            ("d/good", None, None), ("d", "FAIL", None), ("e", None, "by the test itself"),
            ("f", "did not run", None)])

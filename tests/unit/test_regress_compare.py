# SPDX-License-Identifier: GPL-2.0
"""Comparing the results of two kernels."""

import contextlib
import io
import os
import tempfile
import unittest

from vmtest import regress_compare

BASE = ["OK test_maps", "OK test_progs a", "OK test_progs a/one", "FAIL test_progs b", "SKIP test_progs c",
        "OK test_progs d", "OK test_progs d/x y: z", "OK test_verifier jump/p"]
WORSE = ["FAIL test_progs d/x y: z" if line.endswith("d/x y: z") else line for line in BASE]
GOOD = ["OK test_progs d", "OK test_progs d/x y: z"]
BAD = ["FAIL test_progs d", "FAIL test_progs d/x y: z"]
FEWER = [line for line in BASE if "test_progs d" not in line]


def instead(name, result):
    return [f"{result} {name}" if line.split(" ", 1)[1] == name else line for line in BASE]


class Compare(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.addCleanup(self.tmp.cleanup)

    def write(self, side, lists):
        paths = []
        for number, lines in enumerate(lists):
            paths.append(os.path.join(self.tmp.name, f"{side}-{number}"))
            with open(paths[-1], "w") as f:
                f.writelines(f"{line}\n" for line in lines)
        return paths

    def run_mode(self, mode, base, patched):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = regress_compare.main([mode, "--base", *self.write("base", base),
                                           "--patched", *self.write("patched", patched)])
        return status, out.getvalue()

    def judged(self, base, patched, status, *texts):
        got, said = self.run_mode("judge", base, patched)
        for text in texts:
            self.assertIn(text, said)
        self.assertEqual(got, status, said)

    def unusable(self, mode, base, patched, text):
        with self.assertRaisesRegex(regress_compare.Unusable, text):
            self.run_mode(mode, base, patched)

    def test_equal(self):
        self.judged([BASE], [BASE], 0, "8 compared, 0 worse", "compared: 8 results, of 5 programs",
                    "Failing on both kernels: 1\n", "    FAIL: test_progs b\n")
        self.assertEqual(self.run_mode("again", [BASE], [BASE])[1], "")

    def test_worse(self):
        self.judged([BASE], [WORSE], 1, "Worse with the series: 1\n", "8 compared, 1 worse",
                    "    test_progs d/x y: z: without the series 1 OK; with it 1 FAIL")
        self.assertEqual(self.run_mode("again", [BASE], [WORSE])[1], "test_progs d\n")
        self.judged([WORSE], [BASE], 0, "Better with the series: 1\n", "0 worse")

    def test_flaky(self):
        self.judged([BASE, GOOD, BAD], [WORSE, BAD, BAD], 0,
                    "d/x y: z: without the series 2 OK, 1 FAIL; with it 3 FAIL", "0 worse")
        self.assertEqual(self.run_mode("unsettled", [BASE, GOOD, BAD], [WORSE, BAD, BAD])[1], "")

    def test_reruns(self):
        self.judged([BASE, GOOD, GOOD], [WORSE, BAD, BAD], 1, "Worse with the series: 2\n", "with it 3 FAIL")
        self.judged([BASE, GOOD, GOOD], [WORSE, GOOD, GOOD], 0,
                    "Worse with the series once, and never again: 1\n", "0 worse")
        self.judged([BASE, GOOD, GOOD], [WORSE, GOOD, BAD], 1, "Worse with the series: 1\n")
        for last in (BAD, GOOD):
            self.assertEqual(self.run_mode("unsettled", [BASE, GOOD, GOOD], [WORSE, last, BAD])[1], "test_progs d\n")

    def test_every_result_that_is_worse_than_ok(self):
        for result in ("SKIP", "CRASH", "TIMEOUT", "DIED", "NOT-BUILT"):
            with self.subTest(result):
                self.judged([BASE], [instead("test_maps", result)], 1, f"with it 1 {result}\n")
        self.judged([BASE], [instead("test_progs b", "DIED")], 1, "with it 1 DIED")

    def test_what_only_one_side_has(self):
        self.judged([BASE], [FEWER], 1, "with it 1 ABSENT", "Only in the tree without the series: 2\n")
        self.judged([FEWER], [BASE], 0, "Only in the tree with the series: 2\n", "6 compared, 0 worse",
                    "Better with the series: none\n")
        self.judged([FEWER], [WORSE], 1, "    1 FAIL: test_progs d/x y: z\n", "1 worse")

    def test_unusable(self):
        self.unusable("judge", [BASE], [[]], "is empty")
        self.unusable("again", [[]], [BASE], "is empty")
        self.unusable("judge", [BASE], [["OK test_progs e"]], "no test in common")
        self.unusable("judge", [BASE], [["OK test_progs a", "PASSED test_progs b"]], ":2: this is no result")
        self.unusable("judge", [BASE], [["OK test_progs a", "FAIL test_progs a"]], ":2: a second result")
        with self.assertRaisesRegex(regress_compare.Unusable, "is missing"):
            regress_compare.main(["judge", "--base", *self.write("base", [BASE]), "--patched", "/nowhere/list"])

# SPDX-License-Identifier: GPL-2.0
"""The kernel's own selftests: what is read of their output, and machines that do not survive them."""

import contextlib
import io
import os
import tempfile
import unittest
from types import SimpleNamespace
from unittest import mock

from tests.unit.made_up import make_session
from vmtest import regress_run
from vmtest.session import HarnessError
from vmtest.verdict import Outcome

OUTPUT = """
@@ begin test_progs one
#7/1     one/first:OK
#7/2     one/twice: with a colon:OK
#7/3     one/twice: with a colon:SKIP
#7/4     one/bad:FAIL
#7       one:FAIL
Summary: 0/2 PASSED, 1 SKIPPED, 1/1 FAILED

@@ end 1 3 test_progs one

@@ begin test_progs two
#8       two:SKIP (not built)
Summary: 0/0 PASSED, 1 SKIPPED (1 not built), 0/0 FAILED

@@ end 0 1 test_progs two

@@ begin test_progs three
#9/1     three/good:OK
#9       three:OK (SKIP: 1/2)
Summary: 1/1 PASSED, 1 SKIPPED, 0/0 FAILED

@@ end 139 1 test_progs three

@@ begin test_progs four

@@ end 137 900 test_progs four

@@ begin test_verifier
#0/u some jump OK
#0/p some jump OK (NOTE: not executed)
#1/p bad access FAIL
Unexpected success to load!
#2/p no type SKIP (unsupported program type 99)
Summary: 2 PASSED, 1 SKIPPED, 1 FAILED

@@ end 1 9 test_verifier

@@ begin test_maps
Fork 100 tasks to 'test_update_delete'
test_array_map_batch_ops:PASS
test_lpm: PASS
test_sk_storage:SKIP no such map

@@ end 134 9 test_maps

@@ begin test_progs five
#5/1     five/good:OK
"""


def results(output):
    return [f"{result} {name}" for unit, text, status, _ in regress_run.read_output(output)
            for name, result in regress_run.results_of(unit, text, status).items()]


class Output(unittest.TestCase):
    def test_results(self):
        found = results(OUTPUT)
        for line in ["OK test_progs one/first", "OK test_progs one/twice: with a colon",
                     "SKIP test_progs one/twice: with a colon (2)", "FAIL test_progs one/bad", "FAIL test_progs one",
                     "NOT-BUILT test_progs two", "OK test_verifier some jump/u", "OK test_verifier some jump/p",
                     "FAIL test_verifier bad access/p", "SKIP test_verifier no type/p", "FAIL test_verifier",
                     "OK test_maps test_lpm", "CRASH test_progs three", "CRASH test_maps", "TIMEOUT test_progs four",
                     "DIED test_progs five", "OK test_progs five/good"]:
            self.assertIn(line, found)

    def test_contradiction(self):
        output = "@@ begin test_progs one\n#7/1     one/first:OK\n#7       one:OK\n" \
            "Summary: 1/2 PASSED, 0 SKIPPED, 0/0 FAILED\n@@ end 0 3 test_progs one\n"
        with self.assertRaisesRegex(regress_run.Unreadable, r"summary has .2, 0. .* its lines .1, 0."):
            results(output)

    def test_the_framework_tests_itself(self):
        name = "prog_tests_framework"
        self.assertIn(f"OK test_progs {name}", results(
            f"@@ begin test_progs {name}\n#7/1     {name}/test_fail_subtest:FAIL\n#7       {name}:OK\n"
            f"Summary: 1/0 PASSED, 0 SKIPPED, 0/0 FAILED\n@@ end 0 3 test_progs {name}\n"))


def ran(units):
    return "".join(f"@@ begin {unit}\n#1 {unit.split()[1]}:OK\nSummary: 1/0 PASSED, 0 SKIPPED, 0/0 FAILED\n"
                   f"@@ end 0 1 {unit}\n" for unit in units)


def ended(verdict, output, **more):
    return Outcome(verdict, output=output, log="the-log", accel="tcg", **more)


def trapped(output, unit):
    return ended("panicked", output + f"@@ begin {unit}\n" * bool(unit),
                 console=f"[    1.0] regress: {unit}\n[    1.1] Oops: int3: 0000 [#1] SMP\n"
                         "[    1.2] Code: 90 e9 <00> 00\n")


def shut_down(reason):
    return ended("lost", "@@ begin test_maps\n", events=[{"event": "SHUTDOWN", "data": {"reason": reason}}])


# These three share a machine.
UNITS = ["test_progs a", "test_progs c", "test_progs j"]


class Machines(unittest.TestCase):
    """Machines that are made up: how(number, units) says how each ends."""

    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.addCleanup(self.tmp.cleanup)
        self.boots = []

    def path(self, name):
        return os.path.join(self.tmp.name, name)

    def run_made_up(self, how, *units):
        with open(self.path("units"), "w") as f:
            f.writelines(f"{unit}\n" for unit in units)

        def boot(_run, units):
            self.boots.append(units)
            return how(len(self.boots), units)

        args = SimpleNamespace(directory=self.tmp.name, out=self.path("out"), units=None, not_run=None, run="0",
                               jobs=1, accel="tcg")
        out = io.StringIO()
        with mock.patch.object(regress_run.Run, "boot", boot), contextlib.redirect_stdout(out):
            run = regress_run.Run(make_session(), args)
            run.run()
            run.write()
        return out.getvalue()

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def test_a_machine_that_ended_by_itself(self):
        self.assertIn("test_maps: DIED", self.run_made_up(lambda n, u: shut_down("guest-reset"), "test_maps"))
        self.assertIn('"DIED"', self.read("out.journal"))

    def test_one_that_somebody_ended(self):
        with self.assertRaisesRegex(HarnessError, "somebody ended QEMU; logs: the-log"):
            self.run_made_up(lambda n, u: shut_down("host-signal"), "test_maps")
        self.assertFalse(os.path.exists(self.path("out.journal")))

    def test_emulation_is_tried_again(self):
        said = self.run_made_up(lambda n, units: trapped(ran(units[:1]), units[1]) if n == 1
                                else ended("finished", ran(units)), *UNITS)
        self.assertIn("test_progs c: run again, as QEMU executed code that was not there any more; logs: the-log", said)
        self.assertIn("3 OK", said)
        self.assertEqual(self.boots, [UNITS, UNITS[1:]])
        self.assertEqual(self.read("out.warnings"), "")

    def test_but_not_for_ever(self):
        def how(_number, units):
            if "test_progs a" in units:
                return trapped(ran(units[:1]), units[1])
            if "test_progs c" in units:
                return trapped("", "test_progs c")
            return ended("finished", ran(units))

        said = self.run_made_up(how, *UNITS)
        self.assertIn("test_progs c: DIED", said)
        self.assertIn("2 OK, 1 DIED", said)
        self.assertRegex(self.read("out.warnings"), r"^Oops: intN.*test_progs c\n")

    def test_a_machine_that_never_began(self):
        said = self.run_made_up(lambda n, units: trapped("", "") if n < 3 else ended("finished", ran(units)), *UNITS)
        self.assertIn("test_progs a: run again", said)
        self.assertIn("3 OK", said)

    def test_one_that_never_begins(self):
        with self.assertRaisesRegex(HarnessError, "no test was begun"):
            self.run_made_up(lambda n, units: trapped("", ""), *UNITS)

# SPDX-License-Identifier: GPL-2.0
"""Records, sessions and what follows from them."""

import os
import subprocess
import sys
import tempfile
import unittest
from types import SimpleNamespace

from tests.unit.made_up import TOP, make_session
from vmtest import arch, record, results, run_tests, suite
from vmtest.machine import Machine


class Records(unittest.TestCase):
    def test_every_architecture(self):
        for name in arch.names(TOP):
            with self.subTest(name):
                made = arch.load(TOP, name)
                self.assertTrue(made.image.startswith("arch/"))
                self.assertTrue(made.interrupts_on or not made.shows_waiting)
                self.assertTrue(made.console_write or "console-write" in made.lacks)
                self.assertTrue(os.path.exists(os.path.join(TOP, "vm", "config", f"{name}.config")))
                for feature, why in made.lacks.items():
                    self.assertGreater(len(why.split()), 3, feature)

    def test_values(self):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("# a: comment\nkey: one two \nempty:\nlacks: nmi there is none\nlacks: drgn too old\n")
            f.flush()
            made = record.Record(f.name)
        self.assertEqual((made.get("key"), made.get("empty", "x"), made.get("a", "none")), ("one two", "", "none"))
        self.assertEqual(made.lacks(), {"nmi": "there is none", "drgn": "too old"})
        with self.assertRaisesRegex(KeyError, "has no"):
            made.need("other")


class Features(unittest.TestCase):
    def run_test(self, session, needs):
        ran = []
        made = suite.Test("a test", lambda: ran.append(1), needs)
        lines, _ = run_tests.run_test(SimpleNamespace(session=session), made)
        return lines, ran

    def test_skipped_with_the_reason(self):
        for name, lacks, needs, reason in [
                ("arm64", {}, ("ftrace", "nmi"), "arm64: QEMU's virt machine"),
                ("x86_64", {"fsession": "new in 7.2"}, ("fsession",), "0.0: new in 7.2")]:
            with self.subTest(name):
                lines, ran = self.run_test(make_session(name, lacks), needs)
                self.assertIsInstance(lines[0][1], suite.Skip)
                self.assertTrue(lines[0][1].reason.startswith(reason))
                self.assertFalse(ran)

    def test_run(self):
        lines, ran = self.run_test(make_session(), ("nmi", "ftrace"))
        self.assertEqual((lines, ran), ([("a test", None)], [1]))


class CommandLine(unittest.TestCase):
    def test_qemu(self):
        for name, words in [("x86_64", ["q35,accel=tcg", "console=ttyS0", "pvpanic-pci"]),
                            ("arm64", ["virt,gic-version=3,accel=tcg", "console=ttyAMA0"]),
                            ("s390x", ["sclpconsole,chardev=console", "virtio-serial-ccw"])]:
            with self.subTest(name):
                argv = " ".join(Machine(make_session(name), "kernel", []).qemu_argv("initrd"))
                for word in words:
                    self.assertIn(word, argv)

    def run_it(self, *args, module="run_tests", **env):
        return subprocess.run([sys.executable, "-B", "-m", f"vmtest.{module}", *args], cwd="/", text=True,
                              env={**os.environ, "PYTHONPATH": TOP, "ARCH": "", **env}, capture_output=True,
                              check=False)

    def test_mistakes_have_a_message(self):
        for args, env, text in [
                (["--list"], {"ARCH": "vax"}, "ARCH=vax: choose from arm64, "),
                (["--list"], {"BASE": "1.0"}, "BASE=1.0: choose from 7.3"),
                (["--list"], {"FLAVOUR": "odd"}, "there is no vm/config/odd.config"),
                (["--list"], {"ACCEL": "hvf"}, "ACCEL=hvf: choose from auto, kvm, tcg"),
                (["--jobs", "0"], {}, "invalid positive value: '0'"),
                (["no such test"], {}, "no test is named no such test")]:
            with self.subTest(text):
                done = self.run_it(*args, **env)
                self.assertEqual(done.returncode, 2)
                self.assertIn(text, done.stderr)
                self.assertNotIn("Traceback", done.stderr)

    def test_a_missing_kernel(self):
        with tempfile.TemporaryDirectory() as build:
            for module, args, start in [("run_tests", ["runner: finished, status 0"], "Bail out! "), ("boot", [], "vm: "),
                                        ("demo", [], "demo: ")]:
                with self.subTest(module):
                    done = self.run_it(*args, module=module, BUILD=build, ACCEL="tcg")
                    self.assertEqual(done.returncode, 3, done.stderr)
                    self.assertIn("is not there; 'make guest' builds it", done.stdout + done.stderr)
                    self.assertIn(start, done.stdout + done.stderr)
                    self.assertNotIn("Traceback", done.stderr)

    def test_a_closed_pipe(self):
        done = subprocess.run(f"'{sys.executable}' -B -m vmtest.run_tests --list | head -n 1", shell=True, cwd="/",
                              env={**os.environ, "PYTHONPATH": TOP, "ARCH": ""}, capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.stderr, done.stdout), ("", "runner: finished, status 0\n"))


class Results(unittest.TestCase):
    def test_page(self):
        with tempfile.TemporaryDirectory() as top:
            os.makedirs(os.path.join(top, "results"))
            with open(os.path.join(top, "results", "test.json"), "w") as f:
                f.write('{"kernel": "7.3.4", "passed": 3, "slowest": [["a: b", 1.5]], "tools": {"gcc": "gcc 12"},'
                        ' "skips": {"no NMI": ["a", "b"], "no screen": ["c"]}}')
            page = results.render(top)
        for line in ["## test", "| kernel | 7.3.4 |", "| passed | 3 |", "| slowest | a: b (1.5 s) |", "| tools | gcc 12 |",
                     "| skips | no NMI: a, b; no screen: c |"]:
            self.assertIn(line, page)

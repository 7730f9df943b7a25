# SPDX-License-Identifier: GPL-2.0
"""Which machines begin with a snapshot, and with which."""

import concurrent.futures
import os
import tempfile
import threading
import time
import unittest
from unittest import mock

from tests.unit.made_up import make_session
from vmtest import machine, qmp, snapshot


class MadeUp(machine.Machine):
    """One that is not started, and tells how it would have been."""

    def make_initrd(self, tmp):
        return f"{tmp}/initrd"

    def start(self, initrd, *more):
        self.started = [initrd, *more]


class Snapshots(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.session = make_session()
        self.session.build = directory.name
        os.mkdir(self.session.work)
        self.snapshots = snapshot.Snapshots(self.session)
        self.taken, self.why_not, self.lock = [], "", threading.Lock()
        taking = mock.patch.object(snapshot.Snapshot, "take", lambda _, of: self.take(of))
        taking.start()
        self.addCleanup(taking.stop)

    def take(self, of):
        with self.lock:
            self.taken.append(of.name)
        time.sleep(0.1)
        if self.why_not:
            raise snapshot.NotMade(self.why_not)

    def start(self, name="a", **options):
        """How it begins: it boots, with the initrd in /tmp or in the directory of a snapshot, or continues."""
        made = MadeUp(self.session, "bzImage", ["base"], name=name, **options)
        self.snapshots.start(made, "/tmp")
        if made.started[1:2] == ["-incoming"]:
            return "continues"
        return "boots" if made.started == ["/tmp/initrd"] else "is saved"

    def test_the_first_two_boot(self):
        self.assertEqual([self.start(name) for name in "abcd"], ["boots", "is saved", "continues", "continues"])
        self.assertEqual(self.taken, ["b"])

    def test_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = list(pool.map(self.start, "abcd"))
        self.assertEqual(sorted(found), ["boots", "continues", "continues", "is saved"])

    def test_what_makes_no_difference(self):
        self.start("a")
        self.start("b")
        for options in [{"command": "reboot -f"}, {"limits": {"silence": 5}}, {"counters": True}, {"comes_back": True}]:
            self.assertEqual(self.start("c", **options), "continues", options)

    def test_what_makes_one(self):
        self.start("a")
        self.start("b")
        for options in [{"append": "nokaslr"}, {"smp": 3}, {"memory": 256}, {"consoles": ["hvc0"]}, {"files": ["f"]},
                        {"device": ["-device", "x"]}]:
            self.assertEqual([self.start(name, **options) for name in "abc"], ["boots", "is saved", "continues"], options)

    def test_none_with_another_accelerator(self):
        self.assertEqual([self.start(name, accel="kvm") for name in "abc"], ["boots"] * 3)

    def test_one_that_cannot_be_saved(self):
        self.why_not = "it has no state"
        self.assertEqual([self.start(name) for name in "abcd"], ["boots", "is saved", "boots", "boots"])
        self.assertEqual((self.taken, self.snapshots.failed), (["b"], [("b", "it has no state")]))

    def test_nothing_is_left(self):
        self.start("a")
        self.start("b")
        self.assertEqual(len(os.listdir(self.session.work)), 1)
        self.snapshots.directory.cleanup()
        self.assertEqual(os.listdir(self.session.work), [])


class Wait(unittest.TestCase):
    """Up to where the guest waits for its command, or until it is stuck."""

    def wait(self, sizes, gone=False):
        made = mock.Mock(limits={"boot": 240}, silent_boot=60)
        made.size = lambda _name: sizes[min(len(times), len(sizes)) - 1]
        made.monitor.receive.return_value = ([], gone)
        times = []  # one look every 50 s

        def clock():
            times.append(1)
            return 50 * len(times)

        with mock.patch("time.monotonic", clock):
            snapshot.wait(made, "the boot", lambda: len(times) > 4)

    def test_it_prints(self):
        self.wait([1, 2, 3, 4, 5])

    def test_it_is_silent(self):
        with self.assertRaisesRegex(snapshot.NotMade, "the boot is not at its end after 150 s"):
            self.wait([1])

    def test_qemu_is_gone(self):
        with self.assertRaisesRegex(snapshot.NotMade, "QEMU is gone during the boot"):
            self.wait([1, 2, 3], gone=True)


class Events(unittest.TestCase):
    def test_by_what_they_say(self):
        monitor = qmp.Monitor(None)
        monitor.events = [{"event": "VSERPORT_CHANGE", "data": {"id": "output", "open": True}}]
        self.assertTrue(monitor.saw("VSERPORT_CHANGE"))
        self.assertFalse(monitor.saw("VSERPORT_CHANGE", id="command", open=True))
        self.assertTrue(monitor.saw("VSERPORT_CHANGE", id="output", open=True))

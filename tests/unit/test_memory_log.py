# SPDX-License-Identifier: GPL-2.0
"""The kernel's log in the memory of a made-up machine."""

import struct
import unittest

from vmtest import memory_log

BANNER = "Linux version 7 (somebody) (a compiler)"
SIZE, COUNT, STEP = 256, 4, 88
# each at its address, as the linker would have it; the kernel is loaded somewhere else
KNOWN = {"linux_banner": (0x1000, 42), "__log_buf": (0x3000, SIZE),
         "_printk_rb_static_descs": (0x1100, COUNT * 24), "_printk_rb_static_infos": (0x2000, COUNT * STEP)}
PLACE = 0x500
FINISHED, COMMITTED, RESERVED = 2, 1, 0


def make_memory(order, records):
    """records: (number, microseconds, text, state, position)"""
    memory = bytearray(0x4000)

    def put(symbol, offset, data):
        at = KNOWN[symbol][0] - 0x1000 + PLACE + offset
        memory[at:at + len(data)] = data

    put("linux_banner", 0, f"{BANNER}\n\0".encode())
    for i, (number, when, text, state, begin) in enumerate(records):
        end = begin + 8 + len(text)
        put("_printk_rb_static_descs", i * 24, struct.pack(f"{order}QQQ", state << 62 | i, begin, end))
        put("_printk_rb_static_infos", i * STEP, struct.pack(f"{order}QQH", number, when * 1000, len(text)))
        # what does not fit is at the beginning
        put("__log_buf", 0 if end > SIZE else begin, bytes(8) + text.encode())
    return bytes(memory)


class Lines(unittest.TestCase):
    def check(self, records, expected):
        for order in "<>":
            with self.subTest(order):
                self.assertEqual(memory_log.lines_of(make_memory(order, records), PLACE, KNOWN, order), expected)

    def test_in_their_order(self):
        self.check([(8, 12345678, "second", COMMITTED, 32), (7, 999, "first", FINISHED, 0)],
                   ["[    0.000999] first", "[   12.345678] second"])

    def test_two_lines(self):
        self.check([(1, 0, "one\ntwo", FINISHED, 0)], ["[    0.000000] one", "[    0.000000] two"])

    def test_around_the_end(self):
        self.check([(1, 0, "a long one", FINISHED, 248)], ["[    0.000000] a long one"])

    def test_what_is_no_text(self):
        self.check([(1, 0, "not done", RESERVED, 0), (2, 0, "", FINISHED, 1), (3, 0, "is", FINISHED, 64)],
                   ["[    0.000000] is"])

    def test_places(self):
        memory = make_memory("<", [(1, 0, f"{BANNER}", FINISHED, 0)])
        self.assertEqual(list(memory_log.places_of(memory, BANNER)), [PLACE])
        self.assertEqual(list(memory_log.places_of(memory * 2, BANNER)), [PLACE, PLACE + len(memory)])
        self.assertEqual(list(memory_log.places_of(memory, "Linux version 6 (somebody) (a compiler)")), [])


class Completed(unittest.TestCase):
    def test_what_is_owed(self):
        self.assertEqual(memory_log.completed("[ 1] a\r\n[ 2] b\r\n[ 3", ["[ 1] a", "[ 2] b", "[ 3] c", "[ 4] d"]),
                         "[ 1] a\r\n[ 2] b\r\n[ 3\n[ 3] c\n[ 4] d")

    def test_nothing(self):
        self.assertEqual(memory_log.completed("[ 1] a\r\n", ["[ 1] a"]), "[ 1] a\r\n")
        self.assertEqual(memory_log.completed("[ 1] a\r\n", []), "[ 1] a\r\n")

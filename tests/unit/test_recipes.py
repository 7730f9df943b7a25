# SPDX-License-Identifier: GPL-2.0
"""Tests of what is said of the recipes: their comments, their page, their tests."""

import os
import re
import unittest

from vmtest.session import find_top
from vmtest.suites.recipes import RECIPES, commands

TOP = find_top()
NAMES = sorted(name.removesuffix(".bpf.c") for name in os.listdir(os.path.join(TOP, "recipes"))
               if name.endswith(".bpf.c"))


def read(*path):
    with open(os.path.join(TOP, *path)) as f:
        return f.read()


def settable(name):
    """The globals of a program that ./set can set."""
    lines = re.findall(r"^const volatile \w+ ([^;=]+?)(?: =[^;]*)?;", read("recipes", f"{name}.bpf.c"), re.M)
    return [line.split("[")[0] for line in lines]


class Recipes(unittest.TestCase):
    """All of them, as there may be another one any day."""

    def test_there_are_some(self):
        self.assertGreaterEqual(len(NAMES), 10)

    def test_each_has_a_test(self):
        self.assertEqual(NAMES, sorted({recipe.name for recipe in RECIPES}))

    def test_names_of_logs_differ(self):
        self.assertEqual(len(RECIPES), len({recipe.slug for recipe in RECIPES}))

    def test_bpftool_loads_each(self):
        for name in NAMES:
            loads = [line for line in commands(TOP, name) if line.startswith("bpftool prog loadall ")]
            self.assertEqual(len(loads), 1, name)
            self.assertTrue(loads[0].startswith(f"bpftool prog loadall {name}.bpf.o /sys/fs/bpf/{name} "), loads)
            self.assertTrue(loads[0].endswith(" destructive"), loads)

    def test_page_has_each_with_its_globals(self):
        rows = dict(re.findall(r"^\| \[(\w+)\]\(\.\./recipes/\1\.bpf\.c\) \| [^|]+ \| ([^|]*)\|$",
                               read("docs", "recipes.md"), re.M))
        self.assertEqual(NAMES, sorted(rows))
        for name in NAMES:
            self.assertEqual(settable(name), re.findall(r"`(\w+)`", rows[name]), name)

    def test_comment_sets_each_global(self):
        for name in NAMES:
            sets = [line for line in commands(TOP, name) if line.startswith("./set ")]
            values = re.findall(r" (\w+)=", sets[0]) if sets else []
            self.assertEqual(settable(name), values, name)

# SPDX-License-Identifier: GPL-2.0
"""The suites: each module has tests(suite), a list of Test."""

from vmtest.suites import abuse, consoles, dumps, emerg, endings, frontends, gates, panics, recipes, runner


def all_tests(suite):
    modules = [runner, gates, panics, endings, consoles, emerg, dumps, recipes, frontends, abuse]
    return [test for module in modules for test in module.tests(suite)]

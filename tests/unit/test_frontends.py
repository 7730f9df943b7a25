# SPDX-License-Identifier: GPL-2.0
"""The tests of front ends, where there is none."""

import unittest
from types import SimpleNamespace

from tests.unit.made_up import make_session
from vmtest.suite import Skip
from vmtest.suites import frontends


class Missing(unittest.TestCase):
    def test_is_skipped_with_a_reason(self):
        suite = SimpleNamespace(session=make_session(), built=make_session().built())
        tests = list(frontends.tests(suite))
        self.assertEqual(len(tests), 3)
        for test in tests:
            (name, result), = test.function()
            self.assertEqual(name, test.name)
            self.assertIsInstance(result, Skip)
            self.assertIn("build-frontends", result.reason)


if __name__ == "__main__":
    unittest.main()

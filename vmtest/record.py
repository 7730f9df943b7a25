# SPDX-License-Identifier: GPL-2.0
"""Records: files of "key: value" lines, which the shell scripts read, too (field of scripts/lib.sh)."""

import re

RE_LINE = re.compile(r"^([a-z][a-z0-9-]*):[ \t]*(.*)$", re.M)


class Record:
    """A record; a key may be there more than once."""

    def __init__(self, path):
        self.path = path
        with open(path) as f:
            self.lines = RE_LINE.findall(f.read())

    def all(self, key):
        return [value.rstrip() for name, value in self.lines if name == key]

    def get(self, key, default=""):
        values = self.all(key)
        return values[0] if values else default

    def need(self, key):
        """A value that the record must have."""
        values = self.all(key)
        if not values:
            raise KeyError(f"{self.path} has no \"{key}:\"")
        return values[0]

    def lacks(self):
        """{feature: why it is not there}"""
        return dict((value.split(None, 1) + ["no reason is given"])[:2] for value in self.all("lacks"))

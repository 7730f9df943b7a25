# SPDX-License-Identifier: GPL-2.0
"""What several unit tests make up."""

import threading

from vmtest import arch, session

TOP = session.find_top()


def make_session(name="x86_64", lacks=None):
    """A session without a kernel."""
    base = session.bases.Base(name="0.0", patches="/nowhere", dump_level=1, lacks=lacks or {})
    return session.Session(TOP, "/nowhere", base, arch.load(TOP, name), False, stop=threading.Event())


def line(text, time="9.000000"):
    return f"[    {time}] {text}\n"

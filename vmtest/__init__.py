# SPDX-License-Identifier: GPL-2.0
"""Boots kernels in QEMU, says how they end, and tests the series with that.

Nothing is done at import. What a run is about - base, architecture, where things
are built - is a Session, which the command lines make (session.py) and pass on.
"""

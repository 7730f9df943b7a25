# SPDX-License-Identifier: GPL-2.0
"""What differs between the kernels that the series are for: one record each, patches/BASE/manifest."""

import os
from dataclasses import dataclass

from vmtest.record import Record


@dataclass(frozen=True)
class Base:
    """A base. lacks: {feature: why}; dump_level: what makedumpfile of the guest may leave out."""

    name: str
    patches: str
    dump_level: int
    lacks: dict


def load(top, name):
    patches = os.path.join(top, "patches", name)
    record = Record(os.path.join(patches, "manifest"))
    return Base(name=name, patches=patches, dump_level=int(record.get("dump-level", "1")), lacks=record.lacks())

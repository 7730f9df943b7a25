# SPDX-License-Identifier: GPL-2.0
"""What can be seen without running it: text and data, the structures that change, the CRCs of exported symbols."""

import os
import re
import subprocess
import sys

STRUCTS = ["bpf_prog_aux", "bpf_map", "bpf_map_owner", "bpf_async_cb", "bpf_hrtimer", "bpf_work", "bpf_func_info_aux",
           "bpf_prog_info"]
RE_TOTAL = re.compile(r"^Total: Before=(\d+), After=(\d+), chg", re.M)
# a member, or the end of a structure inside: what it is, and its offset, bit and size, which pahole writes behind it
RE_MEMBER = re.compile(r"^\t([^\t].*);\s*/\* *(\d+)(?:: *(\d+))? +\d+ \*/$", re.M)
RE_ATTRIBUTE = re.compile(r"\s*__attribute__\(\(.*\)\)$")
RE_NAME = re.compile(r"\(\*(\w+)\)|(\w+)(?:\[[^]]*\])*(?::\d+)?$")
RE_SIZE = re.compile(r"/\* size: (\d+),")
# Those that are allocated by kmalloc() and its like, one at a time, and the sizes of what that gives.
ALLOCATED = ["bpf_prog_aux", "bpf_map_owner"]
SLABS = sorted([2 ** n for n in range(3, 14)] + [96, 192])


def output_of(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def layout(text):
    """(size, {member: (offset, bit)}) of what pahole prints of a structure; nothing inside of inner ones."""
    size = RE_SIZE.search(text)
    if not size:
        return None
    members = {}
    for words, offset, bit in RE_MEMBER.findall(text):
        name = RE_NAME.search(RE_ATTRIBUTE.sub("", words))
        name = (name[1] or name[2]) if name else f"(anonymous at {offset})"
        members[name] = (int(offset), int(bit or 0))
    return int(size[1]), members


def slab(size):
    """How much memory an object of a size takes."""
    return next(each for each in SLABS if each >= size)


def compare(name, before, after):
    """A row: sizes, members that are new, and those that have moved."""
    if not before or not after:
        return {"struct": name, "base": before and before[0], "patched": after and after[0], "new": [], "moved": []}
    slabs = [slab(before[0]), slab(after[0])] if name in ALLOCATED else None
    return {"struct": name, "base": before[0], "patched": after[0], "slabs": slabs,
            "new": sorted(set(after[1]) - set(before[1])), "gone": sorted(set(before[1]) - set(after[1])),
            "moved": [member for member, place in before[1].items() if after[1].get(member, place) != place]}


def structures(lab):
    def of(vmlinux, name):
        return layout(output_of("pahole", "--fixup_silly_bitfields", "-C", name, vmlinux))

    return [compare(name, of(lab.base.vmlinux, name), of(lab.patched.vmlinux, name)) for name in STRUCTS]


def code(sections):
    """Bytes of instructions, of what size -A prints."""
    sizes = dict(line.split()[:2] for line in sections.splitlines() if len(line.split()) == 3)
    return {"text": sum(int(sizes.get(name, 0)) for name in (".text", ".init.text"))}


def text_and_data(lab):
    tool = os.path.join(lab.session.work, "linux", "scripts", "bloat-o-meter")
    made = {}
    for option, what in (("-t", "text"), ("-d", "data")):
        said = output_of(sys.executable, tool, option, lab.base.vmlinux, lab.patched.vmlinux)
        before, after = RE_TOTAL.search(said).groups()
        made[what] = {"base": int(before), "patched": int(after)}
    obj = os.path.join(os.path.dirname(lab.patched.vmlinux), "kernel", "bpf", "destructive.o")
    made["destructive.o"] = code(output_of("size", "-A", obj))
    return made


def compare_crcs(before, after):
    """Of "symbol CRC" lines: how many symbols there are in both, and whose CRC is another one."""
    def of(text):
        return dict(line.split()[:2] for line in text.splitlines())

    before, after = of(before), of(after)
    both = set(before) & set(after)
    return {"symbols": len(both), "changed": len([name for name in both if before[name] != after[name]]),
            "gone": sorted(set(before) - set(after)), "new": sorted(set(after) - set(before))}


def crcs(lab):
    texts = []
    for side in ("base", "patched"):
        with open(lab.path(f"crc-{side}.symvers")) as f:
            texts.append(f.read())
    return compare_crcs(*texts)


def measure(lab):
    return {"size": text_and_data(lab), "structures": structures(lab), "crcs": crcs(lab)}

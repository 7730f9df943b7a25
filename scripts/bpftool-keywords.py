#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bpftool-keywords.py DIR

Compares the places in which bpftool, whose source is in DIR, has the keywords of a command: what its code takes, its
errors and help, its manual (synopsis and section), and the completion. A keyword that one of them lacks is one that
people do not find, or find and cannot use.
"""

import os
import re
import sys

SHOWN = {  # where "destructive" is printed, and where the manual says so
    "prog.c": ['jsonw_bool_field(json_wtr, "destructive", info->destructive);',
               'printf("%s", info->destructive ? "  destructive" : "");'],
    "Documentation/bpftool-prog.rst": ['"destructive": false,', "**destructive** stands for", "If **destructive** is"],
    "Documentation/bpftool-gen.rst": ["With **-L**, **destructive** sets it"],
}


def between(text, start, end):
    """What is behind the first START, up to END."""
    begin = text.index(start) + len(start)
    return text[begin:text.index(end, begin)]


def body(text, function):
    return between(text, f"static int {function}(", "\n}\n")


def taken(text):
    """The words that a function compares its arguments with."""
    return words(text, r'(?:is_prefix|!strcmp)\(\*argv, "(\w+)"\)')


def words(text, pattern=r"\b[a-z][a-z_]+\b"):
    return set(re.findall(pattern, text))


def proposed(text):
    """The words that a part of the completion proposes."""
    found = re.findall(r"""(?:once_attr|one_of_list) '([^']*)'|compgen -W "([a-z ]+)\"""", text)
    return set(" ".join(map(" ".join, found)).split())


def places(read):
    """{command: {place: keywords}}"""
    prog, gen, completion = read("prog.c"), read("gen.c"), read("bash-completion/bpftool")
    load = body(prog, "load_with_options")
    completed = between(completion, "                load|loadall)", "                tracelog)")
    manual, gen_manual = read("Documentation/bpftool-prog.rst"), read("Documentation/bpftool-gen.rst")
    return {
        "prog load": {
            # an old name of offload_dev
            "code": taken(load) - {"dev"},
            "errors": words("".join(re.findall(r'p_err\("expected .*?\*argv\);', load, re.S)), r"'(\w+)'"),
            "help": words(between(prog, "{ load | loadall } OBJ  PATH", "attach PROG")),
            "manual": words(between(manual, "{ **load** | **loadall** }", "\n"), r"\*\*(\w+)\*\*"),
            "section": words(between(manual, "\nbpftool prog { load | loadall }", "\n")),
            "completion": proposed(completed) - {"load", "loadall"},
        },
        "gen skeleton": {
            "code": taken(body(gen, "do_skeleton")),
            "help": words(between(gen, "skeleton FILE", "\\n")),
            "manual": words(between(gen_manual, "**gen skeleton**", "\n"), r"\*\*(\w+)\*\*"),
            "completion": proposed(between(completion, "                skeleton)", "                subskeleton)")),
        },
    }


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2

    def read(name):
        with open(os.path.join(sys.argv[1], name)) as f:
            return f.read()

    wrong = [f"{name} has no {text!r}" for name, texts in SHOWN.items() for text in texts if text not in read(name)]
    for command, found in places(read).items():
        print(f"{command}: {' '.join(sorted(found['code']))}")
        wrong += [f"{command}: {place} has {sorted(keywords)}"
                  for place, keywords in found.items() if keywords != found["code"]]
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

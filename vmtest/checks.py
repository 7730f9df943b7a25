# SPDX-License-Identifier: GPL-2.0
"""What the tests in VMs have in common: how they fail, and what the kernel says of a program that ends the machine."""

import re

from vmtest.verdict import PRINTK

# The end, the program's name, id, tag and uid, the message.
RE_REASON = re.compile(
    PRINTK + r"(?:Kernel panic - not syncing: )?BPF: (panic|crash_kexec|halt|restart|power_off) by program (\S+), "
    r"id (\d+), tag ([0-9a-f]{16}), loaded by uid (\d+): (.*?)\r?$", re.M)
# What the guest's tool knows of its program.
RE_IDENTITY = re.compile(r"^crasher: program (\S+), id (\d+), tag ([0-9a-f]{16}), loaded by uid (\d+)$", re.M)


class Failed(Exception):
    """A test failed, for the reason given."""


def word(action):
    """The kernel's name of an action of the guest's tool."""
    return action.replace("-", "_")


def lines_of(text):
    """What RE_REASON finds, in order. A CPU that takes the console away from another one, in a panic, prints a line
    once more that the other one had begun or just ended: it has the same time, and is one line.
    """
    return list({found[0].rstrip(): found.groups() for found in RE_REASON.finditer(text)}.values())


def reasons(text, action=None):
    """[(name, id, tag, uid), message] of each line that says how, by whom and why the machine ends."""
    return [(found[1:5], found[5]) for found in lines_of(text) if action in (None, found[0])]


def spoken(text):
    """[(what ends the machine, message)] of the same lines, in their order."""
    return [(found[0], found[5]) for found in lines_of(text)]


def check(condition, reason):
    if not condition:
        raise Failed(reason)


def explain(outcome, reason):
    return "\n".join([f"{reason}", f"{outcome}", *("  " + line for line in outcome.tail()), f"logs: {outcome.log}"])


def check_reason(outcome, action, message, text=None, most=1):
    """One line says how the machine ended, names the program that the guest's tool has loaded, and says why."""
    said, who = RE_IDENTITY.search(outcome.output), reasons(outcome.console if text is None else text)
    check(said and who == reasons(outcome.console if text is None else text, word(action))
          and 1 <= len(who) <= most and len(set(who)) == 1 and who[0][0] == said.groups()
          and re.fullmatch(message, who[0][1]),
          explain(outcome, f"the kernel says {who}, expected one {word(action)} with {message!r}"))


def check_notice(outcome, who, text):
    """The kernel has said when it was loaded."""
    notice = "BPF: destructive program {}, id {}, tag {}, loaded by uid {}, pid ".format(*who)
    check(notice in text, explain(outcome, f"no notice of the load: {notice}"))


def check_no_splats(outcome):
    check(not outcome.splats(), explain(outcome, f"splats: {outcome.splats()}"))


def wrong_with(outcome, statuses=("0",)):
    """What is wrong with a machine that should have lived, and its command have ended so; nothing if all is well."""
    good = outcome.verdict == "finished" and outcome.detail in statuses and not outcome.splats() \
        and not outcome.panics()
    return None if good else explain(outcome, f"splats: {outcome.splats()}")


def check_lives(outcome):
    wrong = wrong_with(outcome)
    check(not wrong, wrong)

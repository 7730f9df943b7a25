# SPDX-License-Identifier: GPL-2.0
"""Programs of Debian's that can end the machine, too, and what they say where they cannot."""

import os
import re

# It is ready when it has attached; a moment later it waits.
BPFTRACE = """
bpftrace --unsafe -e 'kprobe:__set_task_comm /comm == "stop" || comm == "culprit"/ {
    system("echo c > /proc/sysrq-trigger");
}' > /tmp/bpftrace 2>&1 &
tries=0
while [ $tries -lt 60 ] && ! grep -q Attaching /tmp/bpftrace; do
    sleep 1
    tries=$((tries + 1))
done
sleep 3
echo "peer: $(head -n 1 /tmp/bpftrace)"
stop other
"""
# scripts/bench builds its module.
SYSTEMTAP = "insmod /bin/probe_stap.ko && stop other"

RE_PEER = re.compile(r"^peer: (.*)$", re.M)


def first_error(text):
    """The first line of a log that says what is wrong."""
    for line in text.splitlines():
        found = re.search(r"(?:fatal )?error: .*", line)
        if found:
            return found[0]
    return (text.strip().splitlines() or ["it says nothing"])[-1]


def missing(lab, peer):
    """Why there is nothing to be measured, in the words of the peer; nothing if there is."""
    if peer != "systemtap" or os.path.exists(lab.path("probe_stap.ko")):
        return ""
    with open(lab.path("systemtap.log"), errors="replace") as f:
        return first_error(f.read())


def initrd(lab, peer):
    """What it needs in the guest, beside the rest."""
    return [lab.path(f"{peer}.gz")] if peer else []


def options(peer):
    """Of its machine."""
    return {"memory": 2048} if peer else {}


def own_words(peer, outcome):
    """What a peer that has not ended the machine says of it."""
    said = RE_PEER.search(outcome.output) if peer else None
    return said[1] if said and not said[1].startswith("Attaching") else ""

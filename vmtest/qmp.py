# SPDX-License-Identifier: GPL-2.0
"""QEMU's monitor: commands, answers and events."""

import json
import select
import time

# How long QEMU may take to answer, in general.
TIMEOUT = 20


class Monitor:
    """One QEMU's monitor on a socket. The events are kept."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""
        self.events = []

    def send(self, command, ident=None, **arguments):
        message = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        if ident:
            message["id"] = ident
        try:
            self.sock.sendall(json.dumps(message).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # it is gone already; whoever receives will see that

    def receive(self, timeout):
        """What QEMU has to say: (messages, whether it is gone)."""
        ready, _, _ = select.select([self.sock], [], [], timeout)
        if not ready:
            return [], False
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:  # QEMU went without a word
            data = b""
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        messages = [json.loads(line) for line in lines]
        for message in messages:
            if "event" in message:
                message.setdefault("data", {})
                self.events.append(message)
        return messages, not data

    def ask(self, line, timeout=TIMEOUT):
        """The answer of the monitor for people; nothing if there is none."""
        self.send("human-monitor-command", ident=line, **{"command-line": line})
        end, gone = time.monotonic() + timeout, False
        while not gone and time.monotonic() < end:
            messages, gone = self.receive(0.1)
            for message in messages:
                if message.get("id") == line:
                    return message.get("return", "")
        return ""

    def saw(self, event, **data):
        return any(each["event"] == event and data.items() <= each["data"].items() for each in self.events)

    def write_events(self, path):
        with open(path, "w") as f:
            for event in self.events:
                f.write(json.dumps(event) + "\n")

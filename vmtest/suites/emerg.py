# SPDX-License-Identifier: GPL-2.0
"""Messages on the console: of every kind, many of them, and with another call inside."""

import re
import secrets

from vmtest.checks import RE_IDENTITY, check, check_no_splats, explain, reasons
from vmtest.suite import Test
from vmtest.suites.programs import HOSTILE, MESSAGES, needs
from vmtest.verdict import PRINTK


def tests(suite):
    yield Test("emerg: a message, and the program goes on", lambda: test_emerg(suite), ("ftrace",))
    yield Test("emerg: kprobe", lambda: test_emerg(suite, "emerg-kprobe", "kprobe"))
    yield Test("emerg: inside NMI", lambda: test_emerg(suite, "emerg-nmi", "nmi"), needs("nmi"))
    yield Test("emerg: inside printk()", lambda: test_emerg(suite, "emerg-console", "console"))
    yield Test("emerg: messages of every kind", lambda: test_every_kind(suite), ("ftrace",))
    yield Test("emerg: a panic inside is not lost, a message is", lambda: test_panic_inside(suite), ("ftrace",))
    yield Test("emerg: a power-off inside is not lost", lambda: suite.expect(
        "emerg-power-off-inside", "crasher --with nested_power_off --action emerg fentry", "powered-off"), ("ftrace",))
    yield Test("emerg: another program floods",
               lambda: test_emerg(suite, "emerg-chatty", "fentry", "--busy --with chatty"), ("ftrace",))
    yield Test("emerg: a crowd on all that it calls", lambda: test_crowd(suite), ("ftrace", "crowd", "nbcon"))
    yield Test("emerg: a million messages", lambda: test_flood(suite), ("ftrace",))


def test_emerg(suite, name="emerg", program="fentry", options=""):
    token = secrets.token_hex(8)
    outcome = suite.expect(name, f"crasher {options} --action emerg --message hostile --token {token} {program}",
                           "finished", "42")
    said = RE_IDENTITY.search(outcome.output)
    check(said, explain(outcome, "the program was not loaded"))
    line = re.search(PRINTK + rf"(BPF: {program}\[{said.group(2)}\]: {token}{HOSTILE})\r?$", outcome.console, re.M)
    check(line, explain(outcome, "no such message"))
    result = re.search(r"^crasher: result (-?\d+)", outcome.output, re.M)
    check(result and (program not in ("fentry", "kprobe") or result.group(1) == "0"),
          explain(outcome, f"the kfunc returned {result and result.group(1)}"))
    check_no_splats(outcome)


def test_crowd(suite):
    """38 programs, on all functions that are called: each call of one is refused, and that is all it costs."""
    outcome = suite.expect("emerg-crowd", "crasher --crowd --action emerg fentry", "finished", "42")
    size = re.search(r"^crasher: a crowd of (\d+) for fentry$", outcome.output, re.M)
    counts = re.search(r"^crasher: the crowd has called (\d+) times, and was refused (\d+) times$", outcome.output,
                       re.M)
    calls, refused = map(int, counts.groups()) if counts else (0, -1)
    # a function may be called more than once
    check(size and calls >= int(size[1]) // 2 and calls <= 8 * int(size[1]) and refused == calls,
          explain(outcome, f"calls and refusals: {calls}, {refused}"))
    check("crasher: result 0," in outcome.output and "one of a crowd" not in outcome.console,
          explain(outcome, "printed, or not printed"))
    suite.remarks["crowd"] = [f"emerg: a crowd of {size[1]} has called {calls} times inside of one call, all refused"]


def test_every_kind(suite):
    """In one machine, which lives on: what can be formatted is printed, and for the rest there is an error."""
    token = secrets.token_hex(8)
    kinds = list(MESSAGES)
    outcome = suite.expect("emerg-kinds", "\n".join(
        [f"crasher --action emerg --message {k} --token {token} fentry; [ $? = 42 ] || exit 1" for k in kinds]),
        "finished", "0")
    results = [int(result) for result in re.findall(r"^crasher: result (-?\d+),", outcome.output, re.M)]
    check(len(results) == len(kinds), explain(outcome, f"{len(results)} results"))
    printed = re.findall(PRINTK + r"BPF: fentry\[\d+\]: (.*?)\r?$", outcome.console, re.M)
    for kind, result in zip(kinds, results):
        text, error = MESSAGES[kind]
        if error:
            check(result == error, explain(outcome, f"{kind}: the kfunc returned {result}"))
        else:
            check(result == 0 and printed and re.fullmatch(text.replace("TOKEN", token), printed.pop(0)),
                  explain(outcome, f"{kind}: the kfunc returned {result}, printed: {printed}"))
    check(not printed, explain(outcome, f"printed, too: {printed}"))
    check_no_splats(outcome)


def test_panic_inside(suite):
    """A second program, which runs inside the first one's bpf_pr_emerg(), wants to print and to panic."""
    outcome = suite.expect("emerg-panic-inside", "crasher --with nested --action emerg fentry", "panicked")
    check(reasons(outcome.console, "panic")[-1:] and reasons(outcome.console, "panic")[-1][1] == "nested",
          explain(outcome, "not the panic of the inner program"))
    check("nested message" not in outcome.console, explain(outcome, "the inner message was printed"))


def test_flood(suite):
    token = secrets.token_hex(8)
    outcome = suite.expect("emerg-flood", f"crasher --action flood --token {token} fentry", "finished", "42",
                           limits={"silence": 300, "total": 900})
    result = re.search(r"printed (\d+), limited (\d+), failed (\d+)", outcome.output)
    printed, limited, failed = map(int, result.groups()) if result else (0, 0, 0)
    lines = len(re.findall(PRINTK + rf"BPF: fentry\[\d+\]: {token} flood \d+\r?$", outcome.console, re.M))
    most = 10 * (outcome.seconds / 5 + 2)
    check(printed + limited == 1000000 and not failed, explain(outcome, f"counts: {printed} {limited} {failed}"))
    check(0 < printed <= most and lines == printed, explain(outcome, f"{printed} printed, {lines} seen"))

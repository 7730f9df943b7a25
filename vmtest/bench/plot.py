# SPDX-License-Identifier: GPL-2.0
"""The routes as a drawing, by gnuplot."""

import hashlib
import subprocess

from vmtest.session import HarnessError

COLOURS = {"bpf": "#1f6feb", "kfunc of 2022": "#8250df", "module": "#57606a", "user space": "#cf222e"}
PLOT = """
set terminal svg size 900,{height} dynamic background "white" font "sans,13"
set logscale x
set format x "10^{{%L}}"
set xrange [10:*]
set yrange [{rows}:-1]
set grid x
set xlabel "guest instructions from the event to the end, logarithmic"
set style fill solid 0.9
unset key
set ytics nomirror
set tics out
{labels}
$rows << END
{data}
END
plot $rows using (10):1:(10):2:($1-0.35):($1+0.35):3:ytic(4) with boxxyerror linecolor rgb variable
"""


def rows(data):
    """(what, instructions, colour), the fastest first."""
    found = [(f"{row['route']}: {row['by']}", row["instructions"], COLOURS[row["kind"]])
             for row in data.get("routes", []) if "instructions" in row]
    return sorted(found, key=lambda row: row[1])


def mark(data):
    """A comment in the drawing that says of which figures it was made."""
    return f"<!-- of figures {hashlib.sha256(repr(rows(data)).encode()).hexdigest()[:16]} -->"


def draw(data):
    found = rows(data)
    if not found:
        return f'<svg xmlns="http://www.w3.org/2000/svg"/>\n{mark(data)}\n'
    lines = [f'{n} {value} {int(colour[1:], 16)} "{name}"' for n, (name, value, colour) in enumerate(found)]
    labels = "\n".join(f'set label "{value:,}" at {value}*1.15,{n} font "sans,11"'
                       for n, (_, value, _) in enumerate(found))
    script = PLOT.format(height=120 + 26 * len(found), rows=len(found), labels=labels, data="\n".join(lines))
    done = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HarnessError(f"gnuplot: {done.stderr}")
    return done.stdout.rstrip("\n") + f"\n{mark(data)}\n"

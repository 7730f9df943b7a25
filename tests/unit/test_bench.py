# SPDX-License-Identifier: GPL-2.0
"""What make bench reads: counts of the plugin, layouts of pahole, CRCs, times; and its verdicts."""

import unittest

from vmtest.bench import cost, counts, dumps, harness, page, plot, static, targets

STOP = "stop panic trigger-cpu 0 stop-cpu 1 count 3380 again 4 past 3\n"
PAHOLE = """struct thing {
	struct bpf_map *           map;                  /*     0     8 */
	struct callback_head       rcu __attribute__((__aligned__(8))); /*     8    16 */
	int                        (*call)(struct thing *, int); /*    24     8 */
	u32                        one:1;                /*    32: 0  4 */
	u32                        two:1;                /*    32: 1  4 */
	union {
		int                inner;                /*    36     4 */
	};                                               /*    36     4 */
	char                       name[16];             /*    40    16 */

	/* size: 56, cachelines: 1, members: 7 */
};
"""


def mark(count, name="mark"):
    return f"mark {name} cpu 0 count {count} at {count}.5\n"


class Counts(unittest.TestCase):
    def test_stop(self):
        stop = counts.read([STOP]).stops["panic"]
        self.assertEqual((stop.trigger_cpu, stop.stop_cpu, stop.count, stop.again, stop.past), (0, 1, 3380, 4, 3))

    def test_second_stop(self):
        with self.assertRaises(counts.Unreadable):
            counts.read([STOP, STOP])

    def test_line_cut_off(self):
        with self.assertRaises(counts.Unreadable):
            counts.read([STOP[:-5]])

    def test_backwards(self):
        with self.assertRaises(counts.Unreadable):
            counts.read([mark(2), mark(1)])

    def test_no_file(self):
        with self.assertRaises(counts.Unreadable):
            counts.read_file("/nowhere")

    def test_intervals(self):
        marks = counts.read([mark(n) for n in (0, 10, 100, 112, 200, 300, 400, 450)]).marks
        self.assertEqual(counts.intervals(marks, ["nothing", "a", "b", "b"]), {"nothing": [0], "a": [2], "b": [90, 40]})

    def test_intervals_of_other_names(self):
        for marks, names in (([0, 10], ["a"]), ([0, 10, 20], ["nothing"]), ([0, 10], ["nothing", "a"])):
            with self.assertRaises(counts.Unreadable):
                counts.intervals(marks, names)

    def test_profile(self):
        symbols = counts.Symbols(["1000 T one", "2000 t two", "2500 d data", "3000 T last"])
        blocks = [(0x1000, 0), (0x2008, 7), (0x1004, 9), (0x9000, 12), (0x10, 20)]
        self.assertEqual(counts.profile(blocks, 21, symbols), [
            ("one", 10), ("JITed code or a module", 8), ("two", 2), ("user space", 1)])

    def test_spread(self):
        self.assertEqual(counts.spread([3, 1, 2]), (1, 2, 3))


class Static(unittest.TestCase):
    def test_layout(self):
        size, members = static.layout(PAHOLE)
        self.assertEqual(size, 56)
        self.assertEqual(members, {"map": (0, 0), "rcu": (8, 0), "call": (24, 0), "one": (32, 0), "two": (32, 1),
                                   "(anonymous at 36)": (36, 0), "name": (40, 0)})

    def test_no_such_structure(self):
        self.assertIsNone(static.layout("pahole: type 'thing' not found\n"))

    def test_compare(self):
        row = static.compare("thing", (8, {"a": (0, 0), "b": (4, 0)}), (12, {"a": (0, 0), "c": (4, 0), "b": (8, 0)}))
        self.assertEqual((row["base"], row["patched"], row["new"], row["moved"]), (8, 12, ["c"], ["b"]))

    def test_in_memory(self):
        self.assertEqual([static.slab(size) for size in (40, 64, 65, 1320)], [64, 64, 96, 2048])

    def test_code(self):
        sections = "x.o  :\nsection  size  addr\n.text  100  0\n.init.text  7  0\n.rodata  9  0\nTotal  116\n"
        self.assertEqual(static.code(sections), {"text": 107})

    def test_crcs(self):
        found = static.compare_crcs("a 0x1\nb 0x2\nc 0x3\n", "a 0x1\nb 0x9\nd 0x4\n")
        self.assertEqual(found, {"symbols": 2, "changed": 1, "gone": ["c"], "new": ["d"]})


class Loads(unittest.TestCase):
    def test_compare(self):
        base = cost.loads({"x.bpf.o/0 0 5": [100], "x.bpf.o/1 -22 0": [7], "y.bpf.o/0 0 6": [50], "nothing": [0]})
        patched = cost.loads({"x.bpf.o/0 0 5": [101], "x.bpf.o/1 0 3": [9], "y.bpf.o/0 0 7": [50]})
        found = cost.compare_loads(base, patched)
        self.assertEqual((found["programs"], found["objects"]), (2, 2))
        self.assertEqual(found["instructions"], {"base": 150, "patched": 151})
        self.assertEqual((found["loaded_by_one_only"], found["verified_otherwise"]), (["x.bpf.o/1"], ["y.bpf.o/0"]))


class Dumps(unittest.TestCase):
    def test_split(self):
        times = [("start", 0), ("init", 1), ("kfunc", 2), ("jump", 3), ("start", 5), ("init", 8), ("end", 12)]
        self.assertEqual(list(dumps.split(times).values()), [1, 2, 3, 4])

    def test_no_crash_kernel(self):
        self.assertIsNone(dumps.split([("start", 0), ("init", 1), ("kfunc", 2), ("jump", 3)]))


class Harness(unittest.TestCase):
    def test_read(self):
        lines = ["1\t7.3\ttest: a\t1.5\n", "2\t7.3-arm64\ttest: a\t9\n", "3\t7.3\ttest: a\t2.5\n", "4\t7.3\tstep\t60\n",
                 "5\t7.3\tcheck: x\t4\n", "cut of"]
        found = harness.read(lines, "7.3")
        self.assertEqual(harness.longest(found, "test: ", 5), [{"name": "test: a", "longest": 2.5, "last": 2.5, "runs": 2}])
        self.assertEqual([row["name"] for row in harness.steps(found)], ["step", "all checks"])


def route(name, by, instructions, kind):
    return {"route": name, "by": by, "kind": kind, "instructions": instructions, "end": "panic", "least": instructions,
            "most": instructions, "again": [0]}


class Targets(unittest.TestCase):
    def judge(self, ours, user):
        rows = [route(*targets.OURS, ours, "bpf"), route(*targets.MODULE, 100, "module"),
                route("loader", "sysrq", user, "user space")]
        return [found["holds"] for found in targets.judge({"routes": rows})]

    def test_routes(self):
        self.assertEqual(self.judge(125, 12500), [True, True])
        self.assertEqual(self.judge(126, 12500), [False, False])

    def test_drift(self):
        row = {"route": "r", "by": "b", "kind": "bpf", "past": [0, 0], "begun": [1, 0], "current": "stop", "culprit": True}
        self.assertEqual([found["holds"] for found in targets.judge({"drift": [row]})], [True, True])
        row.update(past=[0, 1], culprit=False)
        self.assertEqual([found["holds"] for found in targets.judge({"drift": [row]})], [False, False])


class Page(unittest.TestCase):
    def test_row_with_an_error(self):
        rows = [{"route": "peer", "by": "panic()", "end": "panic", "kind": "module", "error": "error: no | header"}]
        self.assertIn("error: no \\| header", page.table(["a"] * 6, list(page.routes(rows))))

    def test_jump(self):
        rows = [{"by": "bpf_panic(), crash kernel loaded", "kind": "bpf", "instructions": 50},
                {"by": "panic(), crash kernel loaded", "kind": "module", "instructions": 100},
                {"by": "panic(), crash kernel loaded", "kind": "module", "instructions": 200}]
        self.assertEqual((page.jump(rows), page.jump(rows[:1])), ("0.50", "?"))

    def test_dump_that_cannot_be_read(self):
        rows = [{"memory": 256, "filter": "a", "steps": {"x": 1, "y": 3}, "seconds": 4, "bytes": 5 << 20},
                {"memory": 256, "filter": "b", "steps": {"x": 2}, "seconds": 2, "bytes": 1 << 20, "unreadable": "no"},
                {"memory": 512, "filter": "c", "error": "hung"}]
        lines = page.dumps(rows).splitlines()[2:]
        self.assertEqual(lines, ["| 256 | a | 4 | 5 | 25 % | 75 % |", "| 256 | b | 2 | 1 | 100 % | `no` |",
                                 "| 512 | c | `hung` |  |  |  |"])

    def test_drawing_of_nothing(self):
        self.assertTrue(plot.draw({}).startswith("<svg"))

    def test_nothing_measured(self):
        about = {"date": "", "kernel": "", "patches": "", "arch": "", "config": "", "host": "", "tools": {}}
        self.assertIn("Not measured.", page.render({**about, "targets": []}))


if __name__ == "__main__":
    unittest.main()

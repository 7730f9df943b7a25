# SPDX-License-Identifier: GPL-2.0
"""The recipes: each is loaded as its own comment says, and ends the machine when that happens which it waits for,
and at nothing that only looks like it.
"""

import os
import re
from dataclasses import dataclass, field

from vmtest.checks import check, check_notice, explain, reasons
from vmtest.suite import Skip, Test
from vmtest.suites.dumps import read, taken

TRIGGER = "/sys/kernel/debug/provoke-crash/DIRECT"
# what bpftool says of a program; how often it ran comes when it has
RE_SHOWN = re.compile(r"^(\d+): \w+  name (\S+)  tag ([0-9a-f]{16})  gpl  destructive(?: .* run_cnt (\d+))?$", re.M)


def provoke(crash):
    return f"echo {crash} > {TRIGGER}"


def as_task(comm, command):
    """A command of the shell, in a task of that name."""
    return f"(printf {comm} > /proc/self/comm; {command})"


@dataclass(frozen=True)
class Recipe:
    """A recipe, and how its condition comes true."""

    what: str
    name: str  # of recipes/NAME.bpf.c
    right: str  # what ends the machine
    wrong: str  # what looks like it
    says: str  # the program's message, a regular expression
    culprit: str = "command"  # the task that runs then
    frame: str = ""  # a function in its backtrace
    trap: bool = False  # which is behind an exception there
    before: str = "true"  # loading, which can set variables of the shell that the comment has
    program: str = ""  # that decides; default: of the same name
    runs: bool = True  # in the control, too, and sees that this is something else
    restarts: bool = False  # where there is no crash kernel
    needs: tuple = ()
    not_debug: str = ""  # why it is for the ordinary kernel only
    options: dict = field(default_factory=dict)  # of the machine

    @property
    def slug(self):
        return "recipe-" + re.sub(r"[^a-z0-9]+", "-", self.what.lower())


WARNING = f"""{provoke("WARNING")}
FILE=$(dmesg | sed -n 's/.*WARNING: \\([^:]*\\):.*/\\1/p')
LINE=$(dmesg | sed -n 's/.*WARNING: [^:]*:\\([0-9]*\\) .*/\\1/p')"""

CGROUPS = """cd /sys/fs/cgroup
echo +memory > cgroup.subtree_control
mkdir one other
echo 8M | tee one/memory.max other/memory.max
cd /recipes
CGROUP=/sys/fs/cgroup/one"""

RECIPES = [
    Recipe("a function returns an error, for one process", "failed", program="read_failed",
           before="PID=$$ DEV=0",
           right="read line < /proc/self/mem",
           wrong="cat /proc/self/mem; read line < /",
           says=r"read of device 0:\d+ failed: -5", frame="ksys_read", needs=("ftrace",)),
    Recipe("a function returns an error, for one device", "failed", program="read_failed",
           before="PID=0 DEV=$(stat -c %d /proc)",
           right="cat /proc/self/mem", culprit="cat",
           wrong="unshare -f -p sh -c 'mount -t proc proc /mnt; cat /mnt/self/mem'",
           says=r"read of device 0:\d+ failed: -5", frame="ksys_read", needs=("ftrace",)),
    Recipe("one warning and no other", "warned",
           before=WARNING,
           right=provoke("WARNING"), wrong=provoke("WARNING_MESSAGE"),
           says=r"warning at \S+/bugs\.c:\d+, lkdtm_WARNING\+\S+", frame="lkdtm_WARNING", trap=True,
           needs=("ftrace",)),
    Recipe("the OOM killer, in one cgroup", "oom",
           before=CGROUPS,
           right="sh -c 'echo $$ > /sys/fs/cgroup/one/cgroup.procs; exec tail /dev/zero'", culprit="tail",
           wrong="sh -c 'echo $$ > /sys/fs/cgroup/other/cgroup.procs; exec tail /dev/zero'",
           says=r"out of memory: tail \(pid \d+\)", frame="out_of_memory"),
    Recipe("a task hangs, and is not on the list", "hung",
           before="echo 3 > /proc/sys/kernel/hung_task_timeout_secs",
           right=f"{as_task('nfsd', provoke('HUNG_TASK'))} & sleep 60", culprit="khungtaskd",
           wrong=f"{as_task('rsync', provoke('HUNG_TASK'))} & sleep 10",
           says=r"nfsd \(pid \d+\) hangs", frame="watchdog"),
    Recipe("somebody writes to a variable", "written",
           before="VARIABLE=panic_on_oops",
           right="echo 1 > /proc/sys/kernel/panic_on_oops",
           wrong="cat /proc/sys/kernel/panic_on_oops; echo 0 > /proc/sys/kernel/panic_on_warn", runs=False,
           says=r"written at \S+ by command \(pid \d+\)", frame="proc_sys_call_handler", trap=True,
           needs=("watchpoint",)),
    Recipe("a refcount saturates", "saturated",
           right=provoke("REFCOUNT_INC_ZERO"), wrong=provoke("WARNING_MESSAGE"),
           says=r"refcount_t: addition on 0; use-after-free\.", frame="lkdtm_REFCOUNT_INC_ZERO"),
    Recipe("an answer does not come", "unanswered", program="asked",
           before="COMM=dd; mkfifo /tmp/fifo; exec 3<>/tmp/fifo",
           right="dd bs=1 count=1 <&3", culprit="",
           wrong="(sleep 0.5; printf a >&3) & dd bs=1 count=1 <&3; (sleep 8; printf b >&3) & head -c 1 <&3",
           says=r"pid \d+ has had no answer for 5 s", frame="bpf_timer_cb", needs=("ftrace",)),
    Recipe("a list is corrupted", "corrupted",
           right=provoke("CORRUPT_LIST_ADD"), wrong=provoke("WARNING_MESSAGE"),
           says=r"memory is corrupted, says \S*lib/list_debug\.c:\d+", frame="lkdtm_CORRUPT_LIST_ADD", trap=True,
           needs=("ftrace",)),
    Recipe("an object is freed twice", "corrupted",
           right=provoke("SLAB_FREE_DOUBLE"), wrong=provoke("WARNING_MESSAGE"),
           says=r"memory is corrupted, says \S*mm/slub\.c:\d+", frame="lkdtm_SLAB_FREE_DOUBLE", trap=True,
           needs=("ftrace",), not_debug="KASAN finds it first, and keeps the object",
           options={"append": "slab_debug=F"}),
    Recipe("a function of a module gets a bad argument", "argument",
           before="MOST=100; insmod /bin/bpf_testmod.ko",
           right="dd if=/sys/kernel/bpf_testmod of=/dev/null bs=200 count=1", culprit="dd",
           wrong="dd if=/sys/kernel/bpf_testmod of=/dev/null bs=50 count=1",
           says="length 200 is more than 100", frame="bpf_testmod_test_read [bpf_testmod]",
           needs=("ftrace", "selftests")),
    Recipe("a process dies, and a machine without a crash kernel restarts", "died", restarts=True,
           before="COMM=vital",
           right=as_task("vital", "exit 3"), culprit="vital",
           wrong=f"{as_task('vital', 'exit 0')}; {as_task('other', 'exit 3')}",
           says="vital died, wait status 0x300", frame="do_exit"),
]

# ./set refuses the first ones, which leave the object as it is, and takes the last ones.
SET = """cd /recipes; cp failed.bpf.o /tmp/failed; cp hung.bpf.o /tmp/hung
for bad in pid= pid=x pid=09 pid=0x pid pid=4294967296 pid=-2147483649 none=1 _license=1; do
	./set failed.bpf.o $bad && exit 1
	cmp failed.bpf.o /tmp/failed || exit 2
done
for bad in except=sixteen-letters- except=1,2,3,4,5,6,7,8,9; do
	./set hung.bpf.o $bad && exit 3
	cmp hung.bpf.o /tmp/hung || exit 4
done
set -e
./set failed.bpf.o pid=0x7fffffff error=-28
./set failed.bpf.o dev=8388624
./set hung.bpf.o except=more,than,these
./set hung.bpf.o except=fifteen-letters,-n
for name in failed hung; do
	bpftool prog loadall $name.bpf.o /sys/fs/bpf/$name destructive
	bpftool -j map dump name $name.rodata | sed 's/.*formatted/values/'
done
"""
VALUES = ['{"error":-28},{"pid":2147483647},{"dev":8388624}', '{"except":["fifteen-letters","-n","","","","","",""]}']


def tests(suite):
    yield Test("recipe: globals are set, or refused", lambda: test_set(suite), ("ftrace",))
    for recipe in RECIPES:
        for kind, run in [("", test_end), (": dump", test_dump), (": control", test_control)]:
            yield Test(f"recipe: {recipe.what}{kind}", lambda r=recipe, k=kind, f=run: one(suite, r, k, f),
                       recipe.needs)


def one(suite, recipe, kind, run):
    if suite.session.flavour and recipe.not_debug:
        return [(f"recipe: {recipe.what}{kind}", Skip(recipe.not_debug))]
    return run(suite, recipe)


def commands(top, name):
    """The commands in a recipe's comment: its lines that begin with a tab."""
    with open(os.path.join(top, "recipes", f"{name}.bpf.c")) as f:
        comment = f.read().split("*/")[0]
    return re.findall(r"^ \*\t(.*)$", comment.replace("\\\n *\t", ""), re.M)


def armed(suite, recipe, deed):
    """Commands for the guest that do as the comment says, and then that."""
    load = " && ".join(commands(suite.session.top, recipe.name))
    show = f"echo; bpftool prog show name {recipe.program or recipe.name}"
    return (f"set -e; cd /recipes; echo 1 > /proc/sys/kernel/bpf_stats_enabled\n{recipe.before}\n{load}\n"
            f"set +e; {show}\n{deed}\n{show}\n")


def options_of(suite, recipe):
    more = {"initrd": [suite.built.base, suite.built.selftests]} if "selftests" in recipe.needs else {}
    return {**recipe.options, **more}


def check_said(recipe, outcome, text, action):
    """The kernel says who ended it, and why: the program that was loaded, for what has happened."""
    shown, said = RE_SHOWN.search(outcome.output), reasons(text, action)
    check(shown and len(said) == 1 and said == reasons(text), explain(outcome, f"the kernel says {reasons(text)}"))
    (name, number, tag, uid), message = said[0]
    check((number, name, tag, uid) == (*shown.groups()[:3], "0") and re.fullmatch(recipe.says, message),
          explain(outcome, f"the kernel says {said}, expected {recipe.says!r}"))
    check_notice(outcome, (name, number, tag, uid), text)


def test_end(suite, recipe):
    """Where there is no crash kernel."""
    action, verdict = ("restart", "restarted") if recipe.restarts else ("panic", "panicked")
    outcome = suite.expect(recipe.slug, armed(suite, recipe, recipe.right), verdict, **options_of(suite, recipe))
    check_said(recipe, outcome, outcome.console, action)


def test_dump(suite, recipe):
    unread = bool(suite.session.lacks("dump-reader"))
    outcome = suite.with_crash_kernel(f"{recipe.slug}-dump", armed(suite, recipe, recipe.right), no_dump=unread,
                                      **options_of(suite, recipe))
    if unread:
        check_said(recipe, outcome, outcome.console, "crash_kexec")
        return taken(suite, f"recipe: {recipe.what}: dump", None)
    report = read(suite, outcome)
    check_said(recipe, outcome, "\n".join(report["dmesg"]), "crash_kexec")
    check(recipe.culprit in ("", report["comm"]), explain(outcome, f"the culprit is {report['comm']}"))
    if suite.session.lacks("drgn"):
        return None
    frames = report["frames"]
    ends_at_trap = recipe.trap and suite.session.lacks("trap-frames")
    check("bpf_vcrash_kexec" in frames and
          (ends_at_trap or recipe.frame in frames[frames.index("bpf_vcrash_kexec"):]),
          explain(outcome, f"backtrace {frames}"))
    return None


def test_control(suite, recipe):
    """It sees something else, and the machine lives."""
    outcome = suite.expect(f"{recipe.slug}-control", armed(suite, recipe, recipe.wrong), "finished", "0",
                           **options_of(suite, recipe))
    ran = [int(shown[3] or 0) for shown in RE_SHOWN.findall(outcome.output)]
    check(len(ran) == 2 and ran[0] + recipe.runs <= ran[1] and not reasons(outcome.console),
          explain(outcome, f"the program ran so often before and after that: {ran}"))


def test_set(suite):
    outcome = suite.expect("recipe-set", SET, "finished", "0")
    check(all(values in outcome.output for values in VALUES), explain(outcome, f"expected: {VALUES}"))

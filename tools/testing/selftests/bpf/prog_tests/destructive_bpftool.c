// SPDX-License-Identifier: GPL-2.0
/* What bpftool says of destructive programs, and how it loads them. */
#include <test_progs.h>
#include "bpftool_helpers.h"

#define OBJECT	"destructive_tools.bpf.o"
#define PIN	"/sys/fs/bpf/destructive_bpftool"

static char output[256 * 1024];

/* What a command and its errors print, in @output. */
static int bpftool(const char *args)
{
	char command[MAX_BPFTOOL_CMD_LEN];

	memset(output, 0, sizeof(output));
	snprintf(command, sizeof(command), "%s 2>&1", args);
	return get_bpftool_command_output(command, output, sizeof(output) - 1);
}

static bool run_ok(const char *args)
{
	int err = bpftool(args);

	if (err)
		printf("%s\n", output);
	return ASSERT_OK(err, args);
}

/* A directory, or a single program. */
static void unpin(void)
{
	unlink(PIN "/tracing");
	unlink(PIN "/filter");
	rmdir(PIN);
	unlink(PIN);
}

static void check_show(const char *pin, bool destructive)
{
	char command[MAX_BPFTOOL_CMD_LEN];

	snprintf(command, sizeof(command), "prog show pinned %s", pin);
	if (run_ok(command))
		ASSERT_EQ(!!strstr(output, "  gpl  destructive"), destructive, output);

	snprintf(command, sizeof(command), "-j prog show pinned %s", pin);
	if (run_ok(command))
		ASSERT_HAS_SUBSTR(output, destructive ? "\"destructive\":true" :
							"\"destructive\":false", "json");
}

static void loadall_without_keyword(void)
{
	ASSERT_NEQ(bpftool("prog loadall " OBJECT " " PIN), 0, "loadall");
	ASSERT_HAS_SUBSTR(output, "requires the BPF_F_DESTRUCTIVE load flag", "verifier");
	ASSERT_HAS_SUBSTR(output, "may do this with 'destructive'", "cure");
}

static void loadall_with_keyword(void)
{
	if (!run_ok("prog loadall " OBJECT " " PIN " destructive"))
		return;
	check_show(PIN "/tracing", true);
	check_show(PIN "/filter", false);
}

static void load_with_keyword(void)
{
	if (run_ok("prog load " OBJECT " " PIN " destructive"))
		check_show(PIN, true);
}

static void no_abbreviation(void)
{
	ASSERT_NEQ(bpftool("prog load " OBJECT " " PIN " destruct"), 0, "load");
	ASSERT_HAS_SUBSTR(output, "got: 'destruct'", "error");
	ASSERT_NEQ(bpftool("-L prog load " OBJECT " ''"), 0, "load by a loader");
}

static void autoattach(void)
{
	if (!run_ok("prog loadall " OBJECT " " PIN " destructive autoattach"))
		return;
	/* the exit status of 'link show' says nothing about a single link */
	bpftool("link show pinned " PIN "/tracing");
	ASSERT_HAS_SUBSTR(output, "attach_type trace_fentry", "link");
}

static void no_tracing_program(void)
{
	ASSERT_NEQ(bpftool("prog load " OBJECT " " PIN " type socket destructive"), 0, "load");
	ASSERT_HAS_SUBSTR(output, "'destructive' is for tracing programs", "error");
}

static void use_loader(void)
{
	ASSERT_NEQ(bpftool("-L prog load " OBJECT), 0, "load without keyword");
	ASSERT_NEQ(bpftool("-L prog load " OBJECT " pinmaps destructive"), 0, "another place");
	run_ok("-L prog load " OBJECT " destructive");
}

/* As from a kernel that does not know the flag: a kprobe program cannot be offloaded. */
static void einval_without_log(void)
{
	ASSERT_NEQ(bpftool("prog load test_signed_loader.bpf.o " PIN
			   " type kprobe offload_dev lo destructive"), 0, "load");
	ASSERT_HAS_SUBSTR(output, "tells whether the kernel knows 'destructive'", "cure");
}

static void einval_with_log(void)
{
	ASSERT_NEQ(bpftool("prog load " OBJECT " " PIN " type fexit destructive"), 0, "load");
	ASSERT_HAS_SUBSTR(output, "BPF program load failed: -EINVAL", "libbpf");
	ASSERT_HAS_SUBSTR(output, "BEGIN PROG LOAD LOG", "verifier");
	ASSERT_NULL(strstr(output, "tells whether"), "cure");
}

static void gen_skeleton(void)
{
	char *without;

	run_ok("-L gen skeleton " OBJECT);
	without = strdup(output);
	run_ok("-L gen skeleton " OBJECT " destructive");
	ASSERT_FALSE(!without || !strcmp(without, output), "the flag makes a difference");
	free(without);

	ASSERT_NEQ(bpftool("gen skeleton " OBJECT " destructive"), 0, "skeleton");
	ASSERT_HAS_SUBSTR(output, "bpf_program__set_flags()", "cure");
}

/* All that it prints would not fit a buffer. */
static void feature_probe(void)
{
	/* bpf_vcrash_kexec() is not there without CONFIG_CRASH_DUMP */
	static const char * const kfuncs[] = {
		"bpf_vpanic", "bpf_vpr_emerg", "bpf_vhalt", "bpf_vrestart", "bpf_vpower_off",
	};
	char line[64];
	int i;

	if (run_ok("feature probe kernel | grep -i destructive")) {
		ASSERT_HAS_SUBSTR(output, "Load flag for destructive programs is available",
				  "flag");
		for (i = 0; i < ARRAY_SIZE(kfuncs); i++) {
			snprintf(line, sizeof(line), "Destructive kfunc %s is available",
				 kfuncs[i]);
			ASSERT_HAS_SUBSTR(output, line, "kfunc");
		}
	}
	if (run_ok("-p feature probe kernel | grep 'destructive\\|_kfunc'")) {
		ASSERT_HAS_SUBSTR(output, "\"have_destructive_progs\": true", "flag");
		ASSERT_HAS_SUBSTR(output, "\"have_bpf_vpanic_kfunc\": true", "kfunc");
	}
	if (run_ok("feature probe kernel macros | grep 'DESTRUCTIVE\\|_KFUNC'")) {
		ASSERT_HAS_SUBSTR(output, "#define HAVE_DESTRUCTIVE_PROGS\n", "flag");
		ASSERT_HAS_SUBSTR(output, "#define HAVE_BPF_VPANIC_KFUNC\n", "kfunc");
	}
}

static void help_texts(void)
{
	run_ok("prog help");
	ASSERT_HAS_SUBSTR(output, "[destructive]", "prog");
	run_ok("gen help");
	ASSERT_HAS_SUBSTR(output, "[destructive]", "gen");
}

static void run_subtest(const char *name, void (*test)(void))
{
	if (!test__start_subtest(name))
		return;
	unpin();
	test();
	unpin();
}

void test_destructive_bpftool(void)
{
	run_subtest("loadall_without_keyword", loadall_without_keyword);
	run_subtest("loadall_with_keyword", loadall_with_keyword);
	run_subtest("load_with_keyword", load_with_keyword);
	run_subtest("no_abbreviation", no_abbreviation);
	run_subtest("autoattach", autoattach);
	run_subtest("no_tracing_program", no_tracing_program);
	run_subtest("use_loader", use_loader);
	run_subtest("einval_without_log", einval_without_log);
	run_subtest("einval_with_log", einval_with_log);
	run_subtest("gen_skeleton", gen_skeleton);
	run_subtest("feature_probe", feature_probe);
	run_subtest("help_texts", help_texts);
}

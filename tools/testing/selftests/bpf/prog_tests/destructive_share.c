// SPDX-License-Identifier: GPL-2.0
/* What programs with BPF_F_DESTRUCTIVE and programs without it may share. */
#include "destructive_helpers.h"
#include "destructive_share.skel.h"

#define MSG_MAP "Programs with and without BPF_F_DESTRUCTIVE cannot share timers and work of map "
#define MSG_INNER "Program with BPF_F_DESTRUCTIVE cannot use timers and work of inner maps"
#define MSG_ATTACH "Program with BPF_F_DESTRUCTIVE cannot attach to a program without it"
#define MSG_REPLACE "Extension without BPF_F_DESTRUCTIVE cannot replace a function of a program with it"
#define MSG_FMOD_RET "can't modify return codes of BPF programs"

/* Maps that nobody has used. */
static struct destructive_share *load_maps(void)
{
	struct destructive_share *skel = destructive_share__open_and_load();

	ASSERT_OK_PTR(skel, "load_maps");
	return skel;
}

/* Load program @name with @maps. */
static int load_with(struct destructive_share *maps, const char *name, bool flag)
{
	struct destructive_share *skel = destructive_share__open();
	struct bpf_map *map;
	int fd, err = 0;

	if (!ASSERT_OK_PTR(skel, "open"))
		return -EINVAL;
	select_prog(skel->obj, name, flag);
	bpf_object__for_each_map(map, skel->obj) {
		fd = bpf_object__find_map_fd_by_name(maps->obj, bpf_map__name(map));
		err = err ?: bpf_map__reuse_fd(map, fd);
	}
	if (ASSERT_OK(err, "reuse_fd"))
		err = destructive_share__load(skel);
	destructive_share__destroy(skel);
	return err;
}

static int insert(struct bpf_map *map, int fd)
{
	int key = 0;

	return bpf_map_update_elem(bpf_map__fd(map), &key, &fd, BPF_ANY);
}

/* Who comes first decides, whether as caller or as callee. */
static void test_prog_array(bool caller_flag, bool callee_flag, bool caller_first)
{
	int want = caller_flag == callee_flag ? 0 : -EINVAL;
	struct destructive_share *maps;
	struct bpf_program *callee;
	struct destructive *skel;
	char what[64];

	snprintf(what, sizeof(what), "caller flag %d, callee flag %d, caller %s", caller_flag,
		 callee_flag, caller_first ? "first" : "last");
	maps = load_maps();
	skel = load_prog("raw_tp", callee_flag, &callee);
	if (!maps || !skel)
		goto out;

	if (caller_first)
		ASSERT_OK(load_with(maps, "caller", caller_flag), what);
	ASSERT_EQ(insert(maps->maps.progs, bpf_program__fd(callee)), caller_first ? want : 0,
		  what);
	if (!caller_first)
		ASSERT_EQ(load_with(maps, "caller", caller_flag), want, what);
out:
	destructive__destroy(skel);
	destructive_share__destroy(maps);
}

/* The program that uses a map first decides for whom it is. */
static void test_map(const char *map, bool first_flag, bool flag)
{
	bool good = first_flag == flag || !strcmp(map, "plain");
	struct destructive_share *maps = load_maps();
	char use[32], msg[128];

	if (!maps)
		return;
	snprintf(msg, sizeof(msg), MSG_MAP "%s", map);
	snprintf(use, sizeof(use), "use_%s", map);

	ASSERT_OK(load_with(maps, use, first_flag), "first");
	ASSERT_EQ(load_with(maps, use, flag), good ? 0 : -EINVAL, "second");
	if (!good)
		ASSERT_HAS_SUBSTR(log_buf, msg, "second");
	destructive_share__destroy(maps);
}

/* A try that fails decides nothing. */
static void test_failed_load(void)
{
	struct destructive_share *maps = load_maps();

	if (!maps)
		return;
	ASSERT_EQ(load_with(maps, "use_timers_and_call", false), -EACCES, "no flag");
	ASSERT_OK(load_with(maps, "use_timers_and_call", true), "flag");
	destructive_share__destroy(maps);
}

/* Timers of inner maps are for programs without the flag. */
static void test_inner_map(bool flag)
{
	struct destructive_share *maps, *maps2;
	int want = flag ? -EINVAL : 0;

	maps = load_maps();
	maps2 = load_maps();
	if (!maps || !maps2)
		goto out;

	ASSERT_OK(load_with(maps, "use_timers", flag), "use");
	ASSERT_EQ(insert(maps->maps.outer, bpf_map__fd(maps->maps.timers)), want, "then insert");

	ASSERT_OK(insert(maps2->maps.outer, bpf_map__fd(maps2->maps.timers)), "insert");
	ASSERT_EQ(load_with(maps2, "use_timers", flag), want, "then use");
	ASSERT_EQ(load_with(maps2, "use_outer", flag), want, "use_outer");
	if (flag)
		ASSERT_HAS_SUBSTR(log_buf, MSG_INNER, "use_outer");
out:
	destructive_share__destroy(maps2);
	destructive_share__destroy(maps);
}

/* Programs for function replaced() of others: of one without the flag, and of one with it. */
static int targets[2];

/* Load @name for target @from, and attach it there or, if that is another one, to @to. */
static int load_onto(struct bpf_object *obj, const char *name, bool flag, bool from, bool to)
{
	struct bpf_program *prog = select_prog(obj, name, flag);
	struct bpf_link *link;
	int err;

	err = bpf_program__set_attach_target(prog, targets[from], "replaced");
	if (!ASSERT_OK(err, "set_attach_target"))
		return err;
	err = bpf_object__load(obj);
	if (err)
		return err;
	link = from == to ? bpf_program__attach(prog) :
			    bpf_program__attach_freplace(prog, targets[to], "replaced");
	err = link ? 0 : -errno;
	bpf_link__destroy(link);
	return err;
}

/* Everybody may watch a program with the flag. A program with the flag watches no other. */
static void test_watch(const char *name, bool flag, bool target_flag)
{
	struct destructive_share *skel = destructive_share__open();
	bool good = target_flag || !flag;
	char what[64];
	int err;

	if (!ASSERT_OK_PTR(skel, "open"))
		return;
	snprintf(what, sizeof(what), "%s, flag %d, target flag %d", name, flag, target_flag);
	err = load_onto(skel->obj, name, flag, target_flag, target_flag);
	if (!skip_unsupported(err, name))
		ASSERT_EQ(err, good && strcmp(name, "watch_fmod_ret") ? 0 : -EINVAL, what);
	if (err == -EINVAL)
		ASSERT_HAS_SUBSTR(log_buf, good ? MSG_FMOD_RET : MSG_ATTACH, what);
	destructive_share__destroy(skel);
}

static void test_extend(bool flag, bool target_flag)
{
	struct destructive *skel = destructive__open(), *skel2 = destructive__open();
	int want = flag == target_flag ? 0 : -EINVAL;
	char what[64];

	if (!ASSERT_OK_PTR(skel, "open") || !ASSERT_OK_PTR(skel2, "open"))
		goto out;
	snprintf(what, sizeof(what), "flag %d, target flag %d", flag, target_flag);
	ASSERT_EQ(load_onto(skel->obj, "ext", flag, target_flag, target_flag), want, what);
	if (want)
		ASSERT_HAS_SUBSTR(log_buf, flag ? MSG_ATTACH : MSG_REPLACE, what);
	/* loaded for a target that is like it, attached to another one */
	ASSERT_EQ(load_onto(skel2->obj, "ext", flag, flag, target_flag), want, "retarget");
out:
	destructive__destroy(skel2);
	destructive__destroy(skel);
}

void test_destructive_share(void)
{
	static const char * const maps[] = { "timers", "wqs", "task_works", "plain" };
	static const char * const watchers[] = {
		"watch_fentry", "watch_fexit", "watch_fsession", "watch_fmod_ret",
	};
	struct destructive *skels[2];
	struct bpf_program *prog;
	int i, j;

	for (i = 0; i < 2; i++) {
		skels[i] = load_prog("target", i, &prog);
		targets[i] = skels[i] ? bpf_program__fd(prog) : -1;
	}

	if (test__start_subtest("prog_array")) {
		for (i = 0; i < 8; i++)
			test_prog_array(i & 1, i & 2, i & 4);
	}
	for (j = 0; j < ARRAY_SIZE(maps); j++) {
		if (!test__start_subtest(maps[j]))
			continue;
		for (i = 0; i < 4; i++)
			test_map(maps[j], i & 1, i & 2);
	}
	if (test__start_subtest("failed_load"))
		test_failed_load();
	if (test__start_subtest("inner_map")) {
		test_inner_map(false);
		test_inner_map(true);
	}
	for (j = 0; j < ARRAY_SIZE(watchers); j++) {
		if (!test__start_subtest(watchers[j]))
			continue;
		for (i = 0; i < 4; i++)
			test_watch(watchers[j], i & 1, i & 2);
	}
	if (test__start_subtest("extend")) {
		for (i = 0; i < 4; i++)
			test_extend(i & 1, i & 2);
	}

	destructive__destroy(skels[0]);
	destructive__destroy(skels[1]);
}

// SPDX-License-Identifier: GPL-2.0
/* The command line, and the plan that it makes. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "crasher-tool.h"

static const char *const messages[] = {
	[MESSAGE_TOKEN] = "token",
	[MESSAGE_HOSTILE] = "hostile",
	[MESSAGE_LONG] = "long",
	[MESSAGE_EMPTY] = "empty",
	[MESSAGE_NEWLINE] = "newline",
	[MESSAGE_TWO_LINES] = "two-lines",
	[MESSAGE_BAD_POINTER] = "bad-pointer",
	[MESSAGE_ONE_BYTE] = "one-byte",
	[MESSAGE_PERCENT] = "percent",
	[MESSAGE_LONG_FORMAT] = "long-format",
	[MESSAGE_LONG_VALUES] = "long-values",
	[MESSAGE_FULL_VALUES] = "full-values",
	[MESSAGE_NULL_POINTER] = "null-pointer",
	[MESSAGE_BAD_SYMBOL] = "bad-symbol",
};

static const char *const actions[] = {
	[ACTION_PANIC] = "panic",
	[ACTION_CRASH_KEXEC] = "crash-kexec",
	[ACTION_EMERG] = "emerg",
	[ACTION_FLOOD] = "flood",
	[ACTION_HALT] = "halt",
	[ACTION_RESTART] = "restart",
	[ACTION_POWER_OFF] = "power-off",
	[ACTION_NONE] = "none",
};

static const struct option options[] = {
	{ "control", no_argument, NULL, 'c' },
	{ "race", no_argument, NULL, 'r' },
	{ "mix", required_argument, NULL, 'x' },
	{ "first", required_argument, NULL, '1' },
	{ "with", required_argument, NULL, 'w' },
	{ "busy", no_argument, NULL, 'b' },
	{ "crowd", no_argument, NULL, 'C' },
	{ "stuck", required_argument, NULL, 's' },
	{ "behind-claim", no_argument, NULL, 'B' },
	{ "cpu", required_argument, NULL, 'p' },
	{ "uid", required_argument, NULL, 'u' },
	{ "action", required_argument, NULL, 'a' },
	{ "message", required_argument, NULL, 'm' },
	{ "token", required_argument, NULL, 't' },
	{ "on", required_argument, NULL, 'o' },
	{ "via", required_argument, NULL, 'v' },
	{ "force", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{},
};

static int find_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

static void print_names(FILE *to, const char *what, const char *const *names, size_t count)
{
	fprintf(to, "  %s:", what);
	for (size_t i = 0; i < count; i++)
		fprintf(to, " %s", names[i]);
	fprintf(to, "\n");
}

const char *action_name(int action)
{
	return actions[action];
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: crasher [--control] [--race] [--mix ACTION,... [--first CPU]] [--with PROGRAM]...\n"
		"             [--cpu N] [--uid N] [--busy] [--crowd] [--stuck CPU] [--behind-claim]\n"
		"             [--action ACTION] [--message KIND] [--token TOKEN] [--on NAME --via WAY]\n"
		"             [--force] PROGRAM\n"
		"  Ends this machine from a BPF program. Refuses to run outside the test VM.\n"
		"  --control  attach and run the program, but do not arm it\n"
		"  --race     all CPUs run the program at the moment that it is armed\n"
		"  --mix      what each CPU does; they wait for each other, and do it at once\n"
		"  --first    of a mix, the CPU that comes before the others\n"
		"  --with     attach this program, too, of those in crasher.bpf.c that are not below\n"
		"  --busy     threads on all CPUs that make system calls\n"
		"  --crowd    many programs on what the kfuncs call, which want to print\n"
		"  --stuck    this CPU goes round in a loop; perf_event is an event of it\n"
		"  --behind-claim   wait until crash_kexec() has claimed the panic on CPU 0\n"
		"  --cpu      run on this CPU\n"
		"  --uid      load as this user, with all capabilities kept\n"
		"  --on       the function or tracepoint for program on_function or on_tracepoint\n"
		"  --via      end the machine in this way, without BPF, as soon as that is armed\n"
		"  --force    run outside the test VM, too: this machine WILL go down\n");
	print_targets(to);
	print_names(to, "ACTION", actions, ARRAY_SIZE(actions));
	print_names(to, "KIND", messages, ARRAY_SIZE(messages));
	print_vias(to);
}

/* Another user, but with all of root's capabilities. */
static int become(uid_t uid)
{
	if (!prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) && !setresuid(uid, uid, uid))
		return 0;
	fprintf(stderr, "crasher: uid %u: %s\n", uid, strerror(errno));
	return -errno;
}

/* "ACTION,ACTION,...", one for each CPU */
static bool parse_mix(struct plan *plan, char *names)
{
	for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
		int action = find_name(actions, ARRAY_SIZE(actions), name);

		if (action < 0 || plan->mixed == MIX_CPUS)
			return false;
		plan->mix[plan->mixed++] = action;
	}
	return plan->mixed;
}

/* Takes an option, optarg is its argument; false if that is no good. */
static bool take_option(struct plan *plan, int opt)
{
	switch (opt) {
	case 'c':
		plan->control = true;
		break;
	case 'r':
		plan->race = true;
		break;
	case 'x':
		return parse_mix(plan, optarg);
	case '1':
		plan->first = atoi(optarg);
		break;
	case 'w':
		if (plan->withs == MAX_WITH)
			return false;
		plan->with[plan->withs++] = optarg;
		break;
	case 'b':
		plan->busy = true;
		break;
	case 'C':
		plan->crowd = true;
		break;
	case 's':
		plan->stuck = atoi(optarg);
		break;
	case 'B':
		plan->behind_claim = true;
		break;
	case 'p':
		if (run_on_cpu(atoi(optarg)))
			exit(EXIT_SETUP);
		break;
	case 'u':
		if (become(atoi(optarg)))
			exit(EXIT_SETUP);
		break;
	case 'm':
		plan->message = find_name(messages, ARRAY_SIZE(messages), optarg);
		break;
	case 'a':
		plan->action = find_name(actions, ARRAY_SIZE(actions), optarg);
		break;
	case 't':
		plan->token = optarg;
		break;
	case 'o':
		plan->on = optarg;
		break;
	case 'v':
		plan->via = find_via(optarg);
		return plan->via;
	case 'f':
		plan->force = true;
		break;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		usage(stderr);
		exit(EXIT_USAGE);
	}
	return true;
}

/* Does not return if there is nothing more to do. */
void parse_arguments(struct plan *plan, int argc, char **argv)
{
	bool good = true;
	int opt;

	*plan = (struct plan){
		.token = "no-token", .message = MESSAGE_TOKEN, .action = ACTION_PANIC, .first = -1, .stuck = -1,
	};
	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1)
		good = take_option(plan, opt) && good;
	plan->target = optind == argc - 1 ? find_target(argv[optind]) : NULL;
	/* a program without a trigger of its own is what --on and --via are for */
	good = good && plan->target && plan->message >= 0 && plan->action >= 0 &&
	       !plan->target->trigger == !!plan->on && !plan->on == !plan->via;
	if (!good) {
		usage(stderr);
		exit(EXIT_USAGE);
	}
}

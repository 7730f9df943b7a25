// SPDX-License-Identifier: GPL-2.0
/* The loads, and what the gate has to say to each. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "matrix.h"

const char *const ns_names[NR_USERNS] = { "init userns", "child userns", "child userns, token" };

static const char *err_name(int err)
{
	return err ? strerrorname_np(-err) ?: "?" : "ok";
}

static char err_letter(int err)
{
	return !err ? '.' : err == -EACCES ? 'A' : err == -EINVAL ? 'I' : err == -EPERM ? 'P' : '?';
}

static void complain(int ns, const struct subject *s, int attach_type, int how, struct answer said,
		     struct answer want)
{
	/* if the table is wrong, thousands of loads are */
	if (result->wrong++ >= 40)
		return;
	printf("matrix: %s, %s, attach type %s, %s flag, %s call, %s CAP_SYS_BOOT:\n"
	       "matrix:   said %s (%s), expected %s (%s)\n", ns_names[ns], s->name, attach_types.name[attach_type],
	       how & WITH_FLAG ? "with" : "no", how & WITH_CALL ? "with" : "no", how & WITHOUT_BOOT ? "no" : "with",
	       err_name(said.err), gate_msg_text(said.msg), err_name(want.err), gate_msg_text(want.msg));
}

static struct answer ask(const struct subject *s, int attach_type, int how, int token_fd)
{
	const struct gate_names names = { s->counts_as, kfunc, NULL };
	struct answer said = {};
	int fd;

	set_caps(how & WITHOUT_BOOT ? permitted & ~BIT(CAP_SYS_BOOT) : permitted);
	fd = load(s, attach_type, &s->setup[attach_type], how, token_fd, true);
	set_caps(permitted);
	result->loads++;
	if (fd < 0) {
		said.err = fd;
		said.msg = gate_msg(log_buf, &names);
	} else {
		close(fd);
	}
	return said;
}

static struct answer want(int ns, const struct subject *s, int how)
{
	const struct gate_type type = gate_type(s->counts_as);
	const struct facts is = {
		.flag = how & WITH_FLAG ? YES : NO,
		.call = how & WITH_CALL ? YES : NO,
		.type = type.flag ? YES : NO,
		.kfunc = type.kfunc ? YES : NO,
		.arg = kfunc_arg,
		.boot = ns == INIT_USERNS && !(how & WITHOUT_BOOT) ? YES : NO,
		.bpf = ns == CHILD_USERNS ? NO : YES,
		.ext = s->type == BPF_PROG_TYPE_EXT ? YES : NO,
		.target = s->target,
	};

	return gate_answer(&is);
}

static bool same(struct answer a, struct answer b)
{
	return a.err == b.err && a.msg == b.msg;
}

/*
 * A load without flag and call knows nothing of the gate: it does not depend on
 * CAP_SYS_BOOT, a token is as good as the capabilities, and without both only two
 * types load.
 */
static struct answer want_control(int ns, const struct subject *s, int attach_type)
{
	bool may = ns != CHILD_USERNS || (s->target_fd < 0 && gate_type(s->type).unpriv);

	return (struct answer){ may ? s->setup[attach_type].err : -EPERM, MSG_NONE };
}

/* The loads that differ only in what the gate looks at. */
static void judge(int ns, struct subject *s, int attach_type, int token_fd)
{
	struct row *row = &result->rows[ns][s - subjects];
	struct answer control = {};
	bool verified = false;

	for (int how = 0; how < NR_LOADS; how++) {
		struct answer said, should = want(ns, s, how);

		if (!(how & ~WITHOUT_BOOT)) {
			control = ask(s->control, attach_type, how, token_fd);
			/* the verifier got past the check of the flag */
			verified = strstr(log_buf, "processed ");
			if (!same(control, want_control(ns, s->control, attach_type)))
				complain(ns, s, attach_type, how, control, want_control(ns, s->control, attach_type));
		}
		said = s->control == s && !(how & ~WITHOUT_BOOT) ? control : ask(s, attach_type, how, token_fd);
		if (control.err) {
			/*
			 * It has another fault. If that was found outside the verifier it
			 * is found first, if inside then after the check of the flag. Where
			 * the verifier found it is not known, so the call may come before.
			 */
			if (!verified || !should.err || (should.msg > MSG_CAP && same(said, control)))
				should = control;
		} else {
			row->judged |= BIT(attach_type);
			/* the gate lets it pass */
			row->answers[how] = said.msg == MSG_ARG ? '.' : err_letter(said.err);
			result->judged++;
		}
		if (!same(said, should))
			complain(ns, s, attach_type, how, said, should);
	}
}

void judge_all(int ns, int token_fd)
{
	read_caps();
	for (int i = 0; i < nr_subjects; i++)
		for (int a = 0; a < attach_types.cnt; a++)
			judge(ns, &subjects[i], a, token_fd);
	fflush(stdout);
}

// SPDX-License-Identifier: GPL-2.0
/* The programs are loaded only. Tests that end a machine do not belong into test_progs. */
#include <test_progs.h>
#include "destructive_kfuncs.skel.h"

void test_destructive_kfuncs(void)
{
	RUN_TESTS(destructive_kfuncs);
}

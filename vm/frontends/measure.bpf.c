// SPDX-License-Identifier: GPL-2.0
/* As stop.bpf.c, with a kfunc that does no harm. */

extern int bpf_strlen(const char *s) __attribute__((weak, section(".ksyms")));

int measure(void)
{
	static const char text[] = "TOKEN";

	return bpf_strlen(text);
}

// SPDX-License-Identifier: GPL-2.0
/* For a bpftrace script, which can call this function, but no kfunc. */

extern void bpf_vpanic(const char *fmt, const void *args, unsigned int len)
	__attribute__((weak, section(".ksyms")));

int stop(void)
{
	/* a string literal would not do: bpftrace writes over those of imported C */
	static const char fmt[] = "TOKEN, %d";
	unsigned long long args[] = { 42 };

	bpf_vpanic(fmt, args, sizeof(args));
	return 0;
}

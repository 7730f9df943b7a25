/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RECORD_H
#define RECORD_H

/* A flight recorder: an array map "recorder" of these, read back by vmtest/dump_report.py. */
#define RECORDS 8

struct record {
	unsigned long long seq; /* from 1 */
	unsigned int pid;
	char comm[16];
	char text[64];
};

#endif

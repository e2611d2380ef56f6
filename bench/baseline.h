/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of the sniffer that tlslens is compared with. */
#ifndef TLSLENS_BENCH_BASELINE_H
#define TLSLENS_BENCH_BASELINE_H

#define SNIFF_MAX_BYTES 16384

struct sniffed {
	unsigned long long id, ts_ns;
	unsigned int n, got;
	char comm[16];
	char buf[SNIFF_MAX_BYTES];
};

#endif

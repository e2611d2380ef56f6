/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts of values over the whole range of 63 bits in the manner of HDR histograms: 32 steps for each power of
 * two, so that a quantile is at most 1/32 too high, and exact below 64.
 */
#ifndef TLSLENS_SELECT_HISTOGRAM_H
#define TLSLENS_SELECT_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 32
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 60)

/* Zeroed, it is empty. */
struct histogram {
	uint64_t count, max;
	uint32_t buckets[HISTOGRAM_BUCKETS]; /* saturate */
};

void histogram_add(struct histogram *h, uint64_t v);
/* The smallest value that `permille` of 1000 values do not exceed, as the end of its step; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, unsigned int permille);

#endif

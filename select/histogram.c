/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "select/histogram.h"

/* Values below 2 * HISTOGRAM_STEPS have a bucket each. */
static unsigned int shift_of(uint64_t v)
{
	return v < 2 * HISTOGRAM_STEPS ? 0 : 58 - (unsigned int)__builtin_clzll(v);
}

static unsigned int bucket_of(uint64_t v)
{
	unsigned int shift = shift_of(v);

	return shift * HISTOGRAM_STEPS + (unsigned int)(v >> shift);
}

/* The largest value of a bucket. */
static uint64_t end_of(unsigned int bucket)
{
	unsigned int shift = bucket < 2 * HISTOGRAM_STEPS ? 0 : bucket / HISTOGRAM_STEPS - 1;
	uint64_t step = bucket - shift * HISTOGRAM_STEPS;

	return ((step + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t v)
{
	unsigned int bucket;

	if (v > INT64_MAX)
		v = INT64_MAX;
	bucket = bucket_of(v);
	if (h->buckets[bucket] < UINT32_MAX) {
		h->buckets[bucket]++;
		h->count++;
	}
	if (v > h->max)
		h->max = v;
}

uint64_t histogram_quantile(const struct histogram *h, unsigned int permille)
{
	/* Rounded up without overflow: the rank of the value asked for, counted from 1. */
	uint64_t rank = h->count / 1000 * permille + (h->count % 1000 * permille + 999) / 1000;
	uint64_t seen = 0, end;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS && h->count; i++) {
		seen += h->buckets[i];
		if (seen < rank || !seen)
			continue;
		end = end_of(i);
		return end < h->max ? end : h->max;
	}
	return 0;
}

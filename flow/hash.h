/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uthash as flow/ uses it. */
#ifndef TLSLENS_FLOW_HASH_H
#define TLSLENS_FLOW_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Keys are a few words long and looked up for every record; uthash's own function takes five times as long for
 * those.
 */
static inline unsigned int flow_hash(const void *key, size_t n)
{
	const char *p = key;
	uint64_t h = n, v;

	for (; n; p += sizeof(v), n -= n < sizeof(v) ? n : sizeof(v)) {
		v = 0;
		memcpy(&v, p, n < sizeof(v) ? n : sizeof(v));
		h = (h ^ v) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	return (unsigned int)h;
}

#define HASH_FUNCTION(key, n, hash) ((hash) = flow_hash((key), (n)))
/* Out of memory comes back from HASH_ADD as a NULL hh.tbl instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words everything else is said in: directions, byte ranges, borrowed strings.
 */
#ifndef TLSLENS_CORE_SLICE_H
#define TLSLENS_CORE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Seen from the traced process. The numbers are those of ev_data.dir in bpf/event.h. */
enum dir {
	DIR_WRITE = 0, /* the process sent these bytes */
	DIR_READ = 1,  /* the process received them */
	DIR_COUNT = 2,
};

static inline enum dir dir_other(enum dir d)
{
	return d == DIR_WRITE ? DIR_READ : DIR_WRITE;
}

/* A borrowed string, not NUL-terminated, any bytes. NULL with n == 0 means "absent". */
struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})

static inline struct str str_from(const char *z)
{
	return z ? (struct str){z, strlen(z)} : STR_NONE;
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII case-insensitive, as field names of HTTP compare (RFC 9110 section 5.1). */
bool str_ieq_bytes(const char *a, const char *b, size_t n);

static inline bool str_ieq(struct str a, struct str b)
{
	/* Most names differ in their lengths, most others in their first letters. */
	return a.n == b.n &&
	       (a.n == 0 || (((a.p[0] ^ b.p[0]) & ~0x20) == 0 && str_ieq_bytes(a.p, b.p, a.n)));
}

/* A run of captured bytes at its place in one direction of one connection. Borrowed. */
struct slice {
	const uint8_t *p;
	size_t n;
	uint64_t off; /* position of p[0] in its direction, counted from the first byte seen */
	uint64_t
		ts_ns; /* record time: when the call that moved the bytes began (write), ended (read) */
	uint32_t tid;
	bool call_start; /* p[0] is the first byte of an application's call: messages tend to start here */
};

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who talks to whom: transactions counted by application, container, peer, port, protocol, method and route,
 * with errors, bytes and a histogram of durations.
 */
#ifndef TLSLENS_SELECT_SUMS_H
#define TLSLENS_SELECT_SUMS_H

#include <uthash.h>

#include "core/txn.h"
#include "select/fields.h"
#include "select/histogram.h"

#define SUMS_ROWS_MAX 1000	/* what comes beyond is in one last row, SUMS_REST */
#define SUMS_VALUE_MAX_BYTES 80 /* longer names are cut */
#define SUMS_ROUTE_PARTS 4	/* of a path; deeper ones are one */
#define SUMS_REST "(rest)"

enum sums_key {
	SUMS_APP,
	SUMS_CONTAINER,
	SUMS_ROLE,
	SUMS_PEER, /* of a client the name it asked for, of a server the client's address */
	SUMS_ADDRESS,
	SUMS_PORT, /* the server's, in both roles */
	SUMS_PROTOCOL,
	SUMS_METHOD,
	SUMS_ROUTE, /* the path with its changing parts as `*` */
	SUMS_KEYS,
};

struct sums_row {
	char *key;				     /* owned: the values, each ended by NUL */
	struct str v[SUMS_KEYS];		     /* into it; n is 0 where there is nothing */
	uint64_t count, errors, bytes_in, bytes_out; /* bytes of bodies, seen from the process */
	struct histogram durations;
	UT_hash_handle hh;
};

/* Zeroed, it is empty. */
struct sums {
	struct sums_row *rows;
	struct field field; /* room for the value that is looked at */
};

/* The key's output name in JSON. Static. */
const char *sums_key_name(enum sums_key k);
/* 0 or -ENOMEM. What is not over yet is not counted, nor what happened to a process. */
int sums_add(struct sums *s, const struct txn *t);
/* Rows in order, the most frequent first. */
void sums_sort(struct sums *s);
void sums_clear(struct sums *s);

#endif

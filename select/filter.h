/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --filter: a condition on transactions in the names of the output, compiled once.
 *
 *     expr  = and *( "or" and )          and = not *( "and" not )
 *     not   = "not" not | "(" expr ")" | test
 *     test  = name [ op value | "in" "(" value *( "," value ) ")" ]
 *     op    = "==" "!=" "<" "<=" ">" ">=" "~"
 *     value = string in " or ', number with an optional unit, true, false
 *
 * A name alone asks whether the field is there (and true). What a transaction does not have compares
 * with nothing: every test of it is false, != too. Of several values (a header that came twice) one must
 * fit, for != all.
 */
#ifndef TLSLENS_SELECT_FILTER_H
#define TLSLENS_SELECT_FILTER_H

#include "core/txn.h"

#define FILTER_NODES_MAX 1024
#define FILTER_VALUES_MAX 4096
#define FILTER_DEPTH_MAX 64

struct filter;

/* Where and why an expression was refused. */
struct filter_error {
	size_t column; /* counted from 1 */
	char text[160];
};

/* 0; -EINVAL with the reason in `why`; -ENOMEM. */
int filter_compile(struct filter **out, const char *expr, struct filter_error *why);
bool filter_match(struct filter *f, const struct txn *t);
/* May one fit whose network.protocol.name is this, whatever else it has? */
bool filter_may_match_protocol(struct filter *f, const char *name);
/* Does it ask for that name at all? */
bool filter_asks_protocol(const struct filter *f);
void filter_free(struct filter *f); /* NULL is fine */

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which parts of a message are secrets: one table for everybody. Parsers use it to tell flow/ which bytes
 * of the stream to mask, select/ to clean transactions.
 */
#ifndef TLSLENS_CORE_SECRETS_H
#define TLSLENS_CORE_SECRETS_H

#include "core/slice.h"

enum secret_kind {
	SECRET_NONE,
	SECRET_WHOLE,	     /* X-Api-Key: everything */
	SECRET_AFTER_SCHEME, /* Authorization: the scheme stays (RFC 9110 section 11.4) */
	SECRET_COOKIE,	     /* Cookie: names stay, values go (RFC 6265 section 4.2) */
	SECRET_SET_COOKIE,   /* Set-Cookie: name and attributes stay */
	SECRET_URL,	     /* userinfo and the values of secret-named query parameters */
};

#define SECRET_RULES_MAX 64
#define SECRET_RULE_MAX_BYTES 64 /* of a name, in a rule and where it is looked for */

/* Names that are secret besides those of the table. NULL: none. */
struct secret_rules;

/*
 * Adds one to *rules, which is NULL before the first: `header:NAME`, `param:NAME` or, for both, NAME, where `*`
 * stands for any characters and case does not matter. -EINVAL, -ENOSPC, -ENOMEM.
 */
int secret_rules_add(struct secret_rules **rules, const char *rule);
void secret_rules_free(struct secret_rules *rules); /* NULL is fine */

/* What a header field of that name may hold, case-insensitive. Referer and Location are SECRET_URL. */
enum secret_kind secret_header(const struct secret_rules *rules, struct str name);

/* Called for each secret range of a value, ascending and not overlapping; n > 0. */
typedef void secret_range_fn(void *arg, size_t at, size_t n);
void secret_ranges(const struct secret_rules *rules, enum secret_kind kind, struct str value,
		   secret_range_fn *fn, void *arg);

#endif

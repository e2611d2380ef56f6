/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one place where transactions lose their secrets, before any writer sees them: header values, the
 * user and the secret parameters of URLs, arguments of commands, labels of containers. What is secret says core/secrets.h. The
 * replacement is `***`. Bodies are kept only on request and are not looked into.
 */
#ifndef TLSLENS_SELECT_REDACT_H
#define TLSLENS_SELECT_REDACT_H

#include "core/txn.h"

#define REDACT_TEXT "***"
#define REDACT_IDENTITIES \
	256 /* cleaned ones that are kept; a newer one takes the place of an older */

struct redactor;
struct secret_rules; /* core/secrets.h */

/* `rules` is borrowed; NULL: the table alone. */
struct redactor *redact_new(const struct secret_rules *rules);
/*
 * Cleans the attributes, headers and target of t in place. Where the identity has a secret, `conn` becomes
 * a copy of the connection with a clean one, valid until the next call, and t points to it.
 */
void redact_txn(struct redactor *r, struct txn *t, struct conn *conn);
void redact_free(struct redactor *r);

#endif

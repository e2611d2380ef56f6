/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A transaction for the tests of what stands to the right of the parsers, and what a writer makes of it. */
#ifndef TLSLENS_TESTS_SAMPLE_H
#define TLSLENS_TESTS_SAMPLE_H

#include "core/txn.h"
#include "identity/identity.h"
#include "writer/writer.h"

/* The exchange of tests/fixtures/json/exchange.jsonl, with its secret still in it. */
struct sample {
	struct conn conn;
	struct identity *proc;
	struct txn *t;
};

void sample_init(struct sample *s);
/* The same connection, a transaction without attributes. */
void sample_bare(struct sample *s);
void sample_free(struct sample *s);

void sample_identity(struct sample *s, enum identity_field f, const char *value);
/* Headers from pairs of strings, name and value, until NULL. */
void sample_headers(struct sample *s, const char *attr, ...) __attribute__((sentinel));

/* What the writer wrote for it, NUL-terminated, to be freed. The configuration may be NULL. */
char *sample_written(const struct writer_ops *ops, const struct writer_cfg *cfg, struct txn *t);
/* The same with redaction in front. */
char *sample_redacted(const struct writer_ops *ops, const struct writer_cfg *cfg, struct txn *t);

#endif

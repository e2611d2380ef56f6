/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON lines: an object a transaction, flat dotted keys, in this order: who, when and how long; the
 * attributes of the parser; allowed headers by name; the rest of the envelope; every header in order.
 *
 * A line is built in a buffer of its own and handed over whole, because its length is not known before
 * and `out` keeps together what it gets at once.
 */
#include "writer/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "core/attr_names.h"
#include "select/fields.h"
#include "select/json_emit.h"
#include "writer/json_fields.h"
#include "writer/json_value.h"

#define LINE_KEEP_BYTES (1u << 20)	 /* room that is kept for the next line */
#define LINE_MAX_BYTES ((size_t)1 << 30) /* more than an arena of escaped bytes can fill */
#define ALLOW_MAX 64
#define ALLOW_NAME_MAX 64 /* with room for the longest prefix in struct json_name */

static const char *const default_allow[] = {
	"host",
	"user-agent",
	"accept",
	"content-type",
	"content-length",
	"content-encoding",
	"transfer-encoding",
	"location",
	"referer",
	"server",
	"x-request-id",
	"traceparent",
	"x-forwarded-for",
	NULL,
};

struct allowed {
	struct str name; /* as the caller gave it; borrowed from the configuration */
	struct json_name request, response;
	size_t next; /* index + 1 of the next one with a name as long, or 0 */
};

/* Of a header in a section: its allowed row + 1 when it is the first of that name, and the next of it. */
struct chain {
	uint32_t row, next;
};

struct json {
	struct out *out;
	bool unbuffered;
	struct json_fields *fields; /* of the envelope */
	struct allowed allow[ALLOW_MAX];
	size_t allow_count;
	size_t allow_first[ALLOW_NAME_MAX]; /* by length of the name: index + 1, or 0 */
	struct buf line, label;
	struct buf chain;     /* an array of struct chain */
	struct buf resources; /* as they stand at the end of every line */
	uint64_t told;	      /* of the lines that the output lost, by those it has */
};

static int allow_header(struct json *j, const char *name)
{
	struct allowed *a = &j->allow[j->allow_count];
	int err;

	if (j->allow_count == ALLOW_MAX)
		return -E2BIG;
	a->name = str_from(name);
	if (!a->name.n || a->name.n >= ALLOW_NAME_MAX)
		return -EINVAL;
	err = json_name_make(&a->request, A_HTTP_REQUEST_HEADER_PREFIX, a->name);
	if (!err)
		err = json_name_make(&a->response, A_HTTP_RESPONSE_HEADER_PREFIX, a->name);
	if (err)
		return err;
	a->next = j->allow_first[a->name.n];
	j->allow_first[a->name.n] = ++j->allow_count;
	return 0;
}

static void put_attrs(struct json *j, const struct txn *t, bool headers)
{
	for (uint32_t i = 0; i < t->attr_count; i++) {
		const struct attr *a = &t->attrs[i];

		if ((a->type == ATTR_HEADERS) != headers || attr_absent(a))
			continue;
		json_key(&j->line, str_from(a->name));
		json_value(&j->line, a);
	}
}

/*
 * The index + 1 of its row, or 0. Trailers stay in the full list alone: they must not pass for headers
 * (RFC 9110 section 6.5.1).
 */
static size_t allowed_row(const struct json *j, const struct header *h)
{
	if (h->name.n >= ALLOW_NAME_MAX || !h->value.p || h->trailer)
		return 0;
	for (size_t i = j->allow_first[h->name.n]; i; i = j->allow[i - 1].next)
		if (str_ieq(h->name, j->allow[i - 1].name))
			return i;
	return 0;
}

/* For each header its row; headers that share one follow each other by `next`, index + 1, from `first` on. */
static bool allowed_find(struct json *j, const struct attr *a)
{
	struct chain *c = (struct chain *)j->chain.p;
	uint32_t *last[ALLOW_MAX];

	buf_clear(&j->chain);
	if (a->count > j->chain.cap / sizeof(*c)) {
		if (buf_reserve(&j->chain, a->count * sizeof(*c)))
			return false;
		c = (struct chain *)j->chain.p;
	}
	memset(last, 0, j->allow_count * sizeof(last[0]));
	for (uint32_t i = 0; i < a->count; i++) {
		size_t row = allowed_row(j, &a->headers[i]);

		c[i] = (struct chain){.row = 0, .next = 0};
		if (!row)
			continue;
		if (last[row - 1])
			*last[row - 1] = i + 1;
		else
			c[i].row = (uint32_t)row;
		last[row - 1] = &c[i].next;
	}
	return true;
}

/* Every allowed header once, with all of its values, where its first value stands. */
static void put_allowed(struct json *j, const struct attr *a, bool response)
{
	const struct chain *c;
	struct buf *b = &j->line;

	if (!allowed_find(j, a)) {
		b->err = j->chain.err;
		return;
	}
	c = (const struct chain *)j->chain.p;
	for (uint32_t i = 0; i < a->count; i++) {
		const struct allowed *row;

		if (!c[i].row)
			continue;
		row = &j->allow[c[i].row - 1];
		json_name_put(b, response ? &row->response : &row->request);
		buf_putc(b, '[');
		json_quoted(b, a->headers[i].value);
		for (uint32_t more = c[i].next; more; more = c[more - 1].next) {
			buf_putc(b, ',');
			json_quoted(b, a->headers[more - 1].value);
		}
		buf_putc(b, ']');
	}
}

static void put_allowed_headers(struct json *j, const struct txn *t)
{
	for (uint32_t i = 0; i < t->attr_count; i++) {
		const struct attr *a = &t->attrs[i];

		if (a->type != ATTR_HEADERS)
			continue;
		if (strcmp(a->name, A_REQUEST_HEADERS) == 0)
			put_allowed(j, a, false);
		else if (strcmp(a->name, A_RESPONSE_HEADERS) == 0)
			put_allowed(j, a, true);
	}
}

static void put_label(void *arg, struct str name, struct str value)
{
	struct json *j = arg;

	buf_putc(&j->line, ',');
	json_quoted(&j->line, name);
	buf_putc(&j->line, ':');
	json_quoted(&j->line, value);
}

/* What a reader of the lines cannot see: that there were more, before this one. */
static void put_dropped(struct json *j, uint64_t lost)
{
	if (lost == j->told)
		return;
	json_key(&j->line, STR(JSON_DROPPED));
	json_int(&j->line, (int64_t)(lost - j->told));
}

static int json_txn(void *self, const struct txn *t)
{
	struct json *j = self;
	struct buf *b = &j->line;
	uint64_t lost = out_lost(j->out);
	int err;

	buf_clear(b);
	json_fields_lead(j->fields, b, t);
	put_attrs(j, t, false);
	put_allowed_headers(j, t);
	json_fields_rest(j->fields, b, t);
	field_each_label(t, &j->label, put_label, j);
	put_attrs(j, t, true);
	buf_put(b, j->resources.p, j->resources.n);
	put_dropped(j, lost);
	buf_put(b, "}\n", 2);
	err = b->err;
	if (!err) {
		b->p[0] = '{'; /* every key brings a comma */
		err = out_put(j->out, b->p, b->n);
	}
	if (out_lost(j->out) == lost)
		j->told = lost;
	if (b->cap > LINE_KEEP_BYTES)
		buf_free(b);
	return !err && j->unbuffered ? out_flush(j->out) : err;
}

static int json_flush(void *self)
{
	struct json *j = self;

	return out_flush(j->out);
}

static void json_free(struct json *j)
{
	json_fields_free(j->fields);
	buf_free(&j->line);
	buf_free(&j->label);
	buf_free(&j->chain);
	buf_free(&j->resources);
	free(j);
}

static int json_close(void *self)
{
	struct json *j = self;
	int err = out_close(j->out);

	json_free(j);
	return err;
}

static int json_open(void **self, struct out *out, const struct writer_cfg *cfg)
{
	const char *const *allow = cfg->header_allow ? cfg->header_allow : default_allow;
	struct json *j = calloc(1, sizeof(*j));
	int err = 0;

	if (!j)
		return -ENOMEM;
	j->out = out;
	j->unbuffered = cfg->unbuffered;
	j->line.limit = LINE_MAX_BYTES;
	j->fields = json_fields_new();
	for (size_t i = 0; i < cfg->resource_count; i++) {
		json_key(&j->resources, cfg->resources[i].name);
		json_quoted(&j->resources, cfg->resources[i].value);
	}
	err = j->fields ? j->resources.err : -ENOMEM;
	for (; !err && *allow; allow++)
		err = allow_header(j, *allow);
	if (err) {
		json_free(j);
		return err;
	}
	*self = j;
	return 0;
}

const struct writer_ops writer_json = {
	.name = "json",
	.wants_txns = true,
	.open = json_open,
	.txn = json_txn,
	.flush = json_flush,
	.close = json_close,
};

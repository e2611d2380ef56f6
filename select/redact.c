/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fails towards hiding: what cannot be cleaned for want of memory is replaced as a whole. */
#include "select/redact.h"

#include <stdlib.h>

#include "core/attr_names.h"
#include "core/secrets.h"
#include "identity/identity.h"
#include "select/cmdline.h"

/* An identity is immutable and shared, so a cleaned copy stands beside it. */
struct clean {
	struct identity *original; /* a reference, so that its address stays its own */
	struct identity *copy;	   /* NULL: the original holds no secret */
};

struct redactor {
	struct clean clean[REDACT_IDENTITIES]; /* by address */
};

static const struct str hidden = {REDACT_TEXT, sizeof(REDACT_TEXT) - 1};

static void count_range(void *arg, size_t at, size_t n)
{
	(void)at;
	(void)n;
	++*(size_t *)arg;
}

struct copy {
	struct str from;
	char *to;
	size_t read, written;
};

static void copy_plain(struct copy *c, size_t until)
{
	memcpy(c->to + c->written, c->from.p + c->read, until - c->read);
	c->written += until - c->read;
	c->read = until;
}

static void copy_range(void *arg, size_t at, size_t n)
{
	struct copy *c = arg;

	copy_plain(c, at);
	memcpy(c->to + c->written, hidden.p, hidden.n);
	c->written += hidden.n;
	c->read = at + n;
}

/* The value without its secrets: itself when there are none. */
static struct str redact(struct arena *a, enum secret_kind kind, struct str value)
{
	struct copy c = {.from = value};
	size_t ranges = 0;

	if (kind == SECRET_NONE || !value.n)
		return value;
	secret_ranges(kind, value, count_range, &ranges);
	if (!ranges)
		return value;
	c.to = arena_alloc(a, value.n + ranges * hidden.n);
	if (!c.to)
		return hidden;
	secret_ranges(kind, value, copy_range, &c);
	copy_plain(&c, value.n);
	return (struct str){c.to, c.written};
}

/* url.query has no question mark, by which a URL's parameters are found. */
static struct str redact_query(struct arena *a, struct str query)
{
	char *url;
	struct str v;

	if (!query.n || !memchr(query.p, '=', query.n))
		return query;
	url = arena_alloc(a, query.n + 1);
	if (!url)
		return hidden;
	url[0] = '?';
	memcpy(url + 1, query.p, query.n);
	v = redact(a, SECRET_URL, (struct str){url, query.n + 1});
	return v.p == hidden.p ? v : (struct str){v.p + 1, v.n - 1};
}

/* Space before the colon is refused by RFC 9112 section 5.1, yet some peers take it. */
static struct str trimmed(struct str name)
{
	while (name.n && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
		name.n--;
	return name;
}

static void redact_header(struct arena *a, struct header *h)
{
	enum secret_kind kind;

	if (!h->value.n)
		return;
	/* A name older than the join may be any name, also that of a credential. */
	kind = h->name.p ? secret_header(trimmed(h->name)) : SECRET_WHOLE;
	/* Its sender called it sensitive (RFC 7541 section 7.1.3). */
	if (kind == SECRET_NONE && h->never_indexed)
		kind = SECRET_WHOLE;
	h->value = redact(a, kind, h->value);
}

static void redact_attr(struct arena *a, struct attr *attr)
{
	if (attr->type == ATTR_HEADERS) {
		for (uint32_t i = 0; i < attr->count; i++)
			redact_header(a, &attr->headers[i]);
	} else if (attr->type == ATTR_STR && strncmp(attr->name, "url.", 4) == 0) {
		attr->str = strcmp(attr->name, A_URL_QUERY) == 0 ? redact_query(a, attr->str)
								 : redact(a, SECRET_URL, attr->str);
	}
}

/* A copy of which only the command line differs; NULL without memory. */
static struct identity *copy_identity(const struct identity *id, const struct buf *cmdline)
{
	struct identity *copy = identity_new(id->key);
	int err = copy ? 0 : -1;

	for (size_t i = 0; !err && i < ID_FIELDS; i++) {
		if (i == ID_CMDLINE)
			err = identity_set(copy, ID_CMDLINE, (const char *)cmdline->p, cmdline->n);
		else if (id->v[i].p)
			err = identity_set(copy, (enum identity_field)i, id->v[i].p, id->v[i].n);
	}
	if (!err)
		return copy;
	identity_unref(copy);
	return NULL;
}

static struct clean *clean_slot(struct redactor *r, const struct identity *id)
{
	return &r->clean[((uintptr_t)id >> 6) % REDACT_IDENTITIES];
}

static void clean_drop(struct clean *c)
{
	identity_unref(c->original);
	identity_unref(c->copy);
	*c = (struct clean){0};
}

/* NULL when there is no memory to tell. */
static const struct clean *clean_identity(struct redactor *r, struct identity *id)
{
	struct clean *c = clean_slot(r, id);
	struct buf cmdline = {0};
	bool secret;

	if (c->original == id)
		return c;
	clean_drop(c);
	secret = cmdline_redact(&cmdline, id->v[ID_CMDLINE]);
	if (secret && buf_ok(&cmdline))
		c->copy = copy_identity(id, &cmdline);
	if (buf_ok(&cmdline) && (c->copy || !secret))
		c->original = identity_ref(id);
	buf_free(&cmdline);
	return c->original ? c : NULL;
}

static void redact_identity(struct redactor *r, struct txn *t, struct conn *conn)
{
	const struct clean *c;

	if (!t->conn->proc || !t->conn->proc->v[ID_CMDLINE].n)
		return;
	/* Only its reference count is changed. */
	c = clean_identity(r, (struct identity *)t->conn->proc);
	if (c && !c->copy)
		return;
	*conn = *t->conn;
	conn->proc = c ? c->copy : NULL;
	t->conn = conn;
}

struct redactor *redact_new(void)
{
	return calloc(1, sizeof(struct redactor));
}

void redact_txn(struct redactor *r, struct txn *t, struct conn *conn)
{
	t->target = redact(&t->arena, SECRET_URL, t->target);
	for (uint32_t i = 0; i < t->attr_count; i++)
		redact_attr(&t->arena, &t->attrs[i]);
	redact_identity(r, t, conn);
}

void redact_free(struct redactor *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < REDACT_IDENTITIES; i++)
		clean_drop(&r->clean[i]);
	free(r);
}

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
	const struct secret_rules *rules;
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
static struct str redact(const struct redactor *r, struct arena *a, enum secret_kind kind,
			 struct str value)
{
	struct copy c = {.from = value};
	size_t ranges = 0;

	if (kind == SECRET_NONE || !value.n)
		return value;
	secret_ranges(r->rules, kind, value, count_range, &ranges);
	if (!ranges)
		return value;
	c.to = arena_alloc(a, value.n + ranges * hidden.n);
	if (!c.to)
		return hidden;
	secret_ranges(r->rules, kind, value, copy_range, &c);
	copy_plain(&c, value.n);
	return (struct str){c.to, c.written};
}

/* url.query has no question mark, by which a URL's parameters are found. */
static struct str redact_query(const struct redactor *r, struct arena *a, struct str query)
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
	v = redact(r, a, SECRET_URL, (struct str){url, query.n + 1});
	return v.p == hidden.p ? v : (struct str){v.p + 1, v.n - 1};
}

/* Space before the colon is refused by RFC 9112 section 5.1, yet some peers take it. */
static struct str trimmed(struct str name)
{
	while (name.n && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
		name.n--;
	return name;
}

static void redact_header(const struct redactor *r, struct arena *a, struct header *h)
{
	enum secret_kind kind;

	if (!h->value.n)
		return;
	/* A name older than the join may be any name, also that of a credential. */
	kind = h->name.p ? secret_header(r->rules, trimmed(h->name)) : SECRET_WHOLE;
	/* Its sender called it sensitive (RFC 7541 section 7.1.3). */
	if (kind == SECRET_NONE && h->never_indexed)
		kind = SECRET_WHOLE;
	h->value = redact(r, a, kind, h->value);
}

static void redact_attr(const struct redactor *r, struct arena *a, struct attr *attr)
{
	if (attr->type == ATTR_HEADERS) {
		for (uint32_t i = 0; i < attr->count; i++)
			redact_header(r, a, &attr->headers[i]);
	} else if (attr->type == ATTR_STR && strncmp(attr->name, "url.", 4) == 0) {
		attr->str = strcmp(attr->name, A_URL_QUERY) == 0
				    ? redact_query(r, a, attr->str)
				    : redact(r, a, SECRET_URL, attr->str);
	}
}

/* KEY=VALUE each; a key that names a credential is one by whatever way it comes. True: there was one. */
static bool clean_labels(const struct redactor *r, struct buf *out, struct str list)
{
	struct str label;
	bool found = false;

	while (identity_next(&list, &label)) {
		const char *eq = memchr(label.p, '=', label.n);
		size_t name = eq ? (size_t)(eq - label.p) : label.n;

		if (out->n)
			buf_putc(out, '\0');
		if (eq && secret_header(r->rules, (struct str){label.p, name}) != SECRET_NONE) {
			buf_put(out, label.p, name + 1);
			buf_put(out, hidden.p, hidden.n);
			found = true;
		} else {
			buf_put(out, label.p, label.n);
		}
	}
	return found;
}

static bool clean_list(const struct redactor *r, enum identity_field f, struct buf *out,
		       struct str list)
{
	return f == ID_CMDLINE ? cmdline_redact(r->rules, out, list) : clean_labels(r, out, list);
}

static const enum identity_field dirty_fields[] = {ID_CMDLINE, ID_CONTAINER_LABELS, ID_POD_LABELS};

#define DIRTY_FIELDS (sizeof(dirty_fields) / sizeof(dirty_fields[0]))

/* A copy without secrets, or none when there are none. False without memory. */
static bool make_clean(const struct redactor *r, const struct identity *id, struct identity **copy)
{
	bool ok = true;

	*copy = NULL;
	for (size_t i = 0; i < DIRTY_FIELDS && ok; i++) {
		enum identity_field f = dirty_fields[i];
		struct buf text = {0};

		if (clean_list(r, f, &text, id->v[f])) {
			if (!*copy)
				*copy = identity_new(id->key);
			ok = *copy && buf_ok(&text) &&
			     identity_set(*copy, f, (const char *)text.p, text.n) == 0;
		}
		ok = ok && buf_ok(&text);
		buf_free(&text);
	}
	if (ok && *copy)
		ok = identity_fill_up(*copy, id) == 0;
	if (!ok)
		identity_unref(*copy);
	return ok;
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
	struct identity *copy;

	if (c->original == id)
		return c;
	clean_drop(c);
	if (!make_clean(r, id, &copy))
		return NULL;
	c->copy = copy;
	c->original = identity_ref(id);
	return c;
}

static bool may_hold_secrets(const struct identity *id)
{
	for (size_t i = 0; i < DIRTY_FIELDS; i++)
		if (id->v[dirty_fields[i]].n)
			return true;
	return false;
}

static void redact_identity(struct redactor *r, struct txn *t, struct conn *conn)
{
	const struct clean *c;

	if (!t->conn->proc || !may_hold_secrets(t->conn->proc))
		return;
	/* Only its reference count is changed. */
	c = clean_identity(r, (struct identity *)t->conn->proc);
	if (c && !c->copy)
		return;
	*conn = *t->conn;
	conn->proc = c ? c->copy : NULL;
	t->conn = conn;
}

struct redactor *redact_new(const struct secret_rules *rules)
{
	struct redactor *r = calloc(1, sizeof(*r));

	if (r)
		r->rules = rules;
	return r;
}

void redact_txn(struct redactor *r, struct txn *t, struct conn *conn)
{
	t->target = redact(r, &t->arena, SECRET_URL, t->target);
	for (uint32_t i = 0; i < t->attr_count; i++)
		redact_attr(r, &t->arena, &t->attrs[i]);
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

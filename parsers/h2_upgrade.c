/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h2c (RFC 7540 section 3.2): the HTTP/1 request that asked for the upgrade is stream 1, half-closed by the
 * client. Its transaction belongs to somebody else, so what describes it is copied.
 */
#include <errno.h>

#include "core/attr_names.h"
#include "parsers/h2.h"

static struct str copy(struct arena *a, struct str s)
{
	return s.p ? arena_str(a, s.p, s.n) : STR_NONE;
}

static struct str attr_str(const struct txn *t, const char *name)
{
	const struct attr *a = txn_attr(t, name);

	return a && a->type == ATTR_STR ? a->str : STR_NONE;
}

/* The path with its query, as :path has it. */
static struct str join_target(struct arena *a, struct str path, struct str query)
{
	char *p;

	if (!query.p)
		return copy(a, path);
	p = arena_alloc(a, path.n + 1 + query.n);
	if (!p)
		return STR_NONE;
	if (path.n)
		memcpy(p, path.p, path.n);
	p[path.n] = '?';
	memcpy(p + path.n + 1, query.p, query.n);
	return (struct str){p, path.n + 1 + query.n};
}

static void copy_fields(struct arena *a, struct h2_msg *m, const struct attr *fields)
{
	if (!fields || fields->type != ATTR_HEADERS)
		return;
	m->headers = arena_zalloc(a, fields->count * sizeof(*m->headers));
	for (uint32_t i = 0; m->headers && i < fields->count; i++)
		m->headers[m->count++] = (struct header){
			.name = copy(a, fields->headers[i].name),
			.value = copy(a, fields->headers[i].value),
		};
	m->cap = m->count;
}

static void copy_line(struct arena *a, struct h2_request *line, const struct txn *from,
		      const struct h2_msg *m)
{
	line->method = copy(a, attr_str(from, A_HTTP_METHOD));
	line->scheme = copy(a, attr_str(from, A_URL_SCHEME));
	line->path = join_target(a, attr_str(from, A_URL_PATH), attr_str(from, A_URL_QUERY));
	for (uint32_t i = 0; i < m->count; i++)
		if (str_ieq(m->headers[i].name, STR("host")))
			line->authority = m->headers[i].value;
}

int h2_upgraded(struct h2 *h, const struct txn *from)
{
	enum dir d = from->role == ROLE_CLIENT ? DIR_WRITE : DIR_READ;
	struct h2_request *line;
	struct h2_stream *st;
	struct h2_msg *m;

	if (from->role == ROLE_UNKNOWN)
		return 0;
	st = h2_stream_new(h, 1, from->start_ns, from->tid);
	line = st ? arena_zalloc(&st->txn->arena, sizeof(*line)) : NULL;
	if (!line) {
		if (st)
			h2_stream_discard(h, st);
		return -ENOMEM;
	}
	m = &st->msg[d];
	copy_fields(&st->txn->arena, m, txn_attr(from, A_REQUEST_HEADERS));
	copy_line(&st->txn->arena, line, from, m);
	st->upgraded = line;
	m->seen = !(from->flags & TXN_NO_REQUEST);
	m->lost = from->flags & TXN_LOST_REQUEST;
	m->ended = true;
	m->body_bytes = from->request_body_bytes;
	m->start_ns = from->start_ns;
	m->end_ns = from->request_end_ns;
	h->requests = (int)d;
	h->opened = 1;
	return h2_stream_add(h, st) ? 0 : -ENOMEM;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/http_common.h"

#include "core/attr_names.h"

static struct str from(struct str s, size_t at)
{
	return (struct str){s.p + at, s.n - at};
}

const char *const http_txn_names[] = {"http", "websocket", NULL};

/* The first of any of the octets in `set`, else the length. */
static size_t find(struct str s, const char *set)
{
	for (; *set && s.n; set++) {
		const char *q = memchr(s.p, *set, s.n);

		if (q)
			s.n = (size_t)(q - s.p);
	}
	return s.n;
}

/* Length of the "scheme" of "scheme://", else 0. */
static size_t scheme_length(struct str s)
{
	size_t n = find(s, ":/?#");

	return n && s.n - n >= 3 && memcmp(s.p + n, "://", 3) == 0 ? n : 0;
}

/* s starts where the path does. */
static void split(struct http_url *u, struct str s)
{
	size_t path = find(s, "?#");
	struct str rest = from(s, path);

	if (path)
		u->path = (struct str){s.p, path};
	if (rest.n > 1 && rest.p[0] == '?') {
		rest = from(rest, 1);
		u->query = (struct str){rest.p, find(rest, "#")};
	}
}

static struct str join(struct arena *a, struct str scheme, struct str authority, struct str rest)
{
	size_t n = scheme.n + 3 + authority.n + rest.n;
	char *q = arena_alloc(a, n + 1), *at = q;

	if (!q)
		return STR_NONE;
	memcpy(at, scheme.p, scheme.n);
	at += scheme.n;
	memcpy(at, "://", 3);
	at += 3;
	memcpy(at, authority.p, authority.n);
	at += authority.n;
	if (rest.n)
		memcpy(at, rest.p, rest.n);
	q[n] = '\0';
	return (struct str){q, n};
}

struct http_url http_url(struct arena *a, struct str scheme, struct str authority,
			 struct str target)
{
	struct http_url u = {.scheme = scheme};
	size_t n;

	if (!target.n)
		return u;
	n = target.p[0] == '/' ? 0 : scheme_length(target);
	if (n) {
		struct str rest = from(target, n + 3);

		u.full = target;
		u.scheme = (struct str){target.p, n};
		split(&u, from(rest, find(rest, "/?#")));
		return u;
	}
	if (target.n == 1 && target.p[0] == '*')
		target = STR_NONE; /* asterisk-form: no path, no query */
	/* A target in none of the forms of RFC 9112 section 3.2 makes no URI with the authority. */
	if (authority.n && (!target.n || target.p[0] == '/'))
		u.full = join(a, scheme, authority, target);
	if (target.n)
		split(&u, u.full.n ? from(u.full, u.full.n - target.n) : target);
	return u;
}

void http_url_attrs(struct txn *t, const struct http_url *u)
{
	const struct {
		const char *name;
		struct str v;
	} rows[] = {
		{A_URL_FULL, u->full},
		{A_URL_SCHEME, u->scheme},
		{A_URL_PATH, u->path},
		{A_URL_QUERY, u->query},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].v.n)
			txn_str(t, rows[i].name, rows[i].v);
}

enum outcome http_outcome(unsigned int status)
{
	switch (status / 100) {
	case 1:
	case 2:
		return OUTCOME_OK;
	case 3:
		return OUTCOME_REDIRECT;
	case 4:
		return OUTCOME_CLIENT_ERROR;
	case 5:
		return OUTCOME_SERVER_ERROR;
	default:
		return OUTCOME_UNKNOWN;
	}
}

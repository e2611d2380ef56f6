/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass from left to right: a name (of an option, a variable, a header, a parameter) decides what
 * happens to the value behind it. Everything else is copied.
 */
#include "select/cmdline.h"

#include "core/secrets.h"

#define NAME_MAX_BYTES 64 /* longer ones name no option we know */

struct scan {
	const char *p;
	size_t n, at;
	size_t copied; /* up to here the line stands in out */
	const struct secret_rules *rules;
	struct buf *out;
	bool found;
	bool exact; /* arguments are told apart by NULs */
	bool whole; /* the value at hand is the rest of its argument, spaces and quotes included */
};

static bool is_separator(char c)
{
	return c == ' ' || c == '\0' || c == '\t' || c == '\n';
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

static bool ends_at(const struct scan *s, size_t i)
{
	return i >= s->n || is_separator(s->p[i]);
}

static void mask(struct scan *s, size_t from, size_t to)
{
	if (to <= from)
		return;
	buf_put(s->out, s->p + s->copied, from - s->copied);
	buf_puts(s->out, "***");
	s->copied = to;
	s->at = to;
	s->found = true;
}

static size_t skip_separators(const struct scan *s, size_t i)
{
	while (i < s->n && is_separator(s->p[i]))
		i++;
	return i;
}

static size_t word_end(const struct scan *s, size_t i)
{
	while (!ends_at(s, i))
		i++;
	return i;
}

/* `name=` follows: the `&` before it is one of a query or a form, not of a password. */
static bool parameter_at(const struct scan *s, size_t i)
{
	size_t from = i;

	while (i < s->n && is_name(s->p[i]))
		i++;
	return i > from && i < s->n && s->p[i] == '=';
}

/* The end of a value that goes on with other values in the same argument (forms, JSON, quotes). */
static size_t value_end(const struct scan *s, size_t i)
{
	for (; s->whole ? i < s->n && s->p[i] : !ends_at(s, i); i++) {
		if (s->p[i] == '&' && parameter_at(s, i + 1))
			break;
		if (s->whole)
			continue;
		if (is_quote(s->p[i]) && (ends_at(s, i + 1) || memchr(",}]&;\"'", s->p[i + 1], 7)))
			break;
	}
	return i;
}

/* A field value may hold spaces: it goes on to a closing quote, the next option or URL, or the end. */
static size_t header_end(const struct scan *s, size_t from)
{
	size_t end = from, stop;

	for (size_t i = from; i < s->n; i = skip_separators(s, stop)) {
		stop = word_end(s, i);
		if (i > from && (s->p[i] == '-' || memmem(s->p + i, stop - i, "://", 3)))
			break;
		end = stop;
		if (stop == s->n || s->p[stop] == '\0' || (stop > i && is_quote(s->p[stop - 1])))
			break;
	}
	return end > from && is_quote(s->p[end - 1]) ? end - 1 : end;
}

struct ranges {
	struct scan *scan;
	size_t base;
};

static void mask_range(void *arg, size_t at, size_t n)
{
	struct ranges *r = arg;

	mask(r->scan, r->base + at, r->base + at + n);
}

static void mask_ranges(struct scan *s, enum secret_kind kind, size_t from, size_t to)
{
	struct ranges r = {s, from};

	secret_ranges(s->rules, kind, (struct str){s->p + from, to - from}, mask_range, &r);
	if (s->at < to)
		s->at = to;
}

static void note_range(void *arg, size_t at, size_t n)
{
	(void)at;
	(void)n;
	*(bool *)arg = true;
}

/* The name of an option or variable, asked as a parameter and as a header: --api-key, AWS_SECRET_ACCESS_KEY. */
static bool secret_name(const struct secret_rules *rules, struct str name)
{
	char query[NAME_MAX_BYTES + 4] = "?";
	const char *dot = memrchr(name.p, '.', name.n);
	bool found = false;

	if (dot) { /* -Dspring.datasource.password= */
		name.n -= (size_t)(dot + 1 - name.p);
		name.p = dot + 1;
	}
	if (name.n == 0 || name.n > NAME_MAX_BYTES)
		return false;
	memcpy(query + 1, name.p, name.n);
	memcpy(query + 1 + name.n, "=x", 2);
	secret_ranges(rules, SECRET_URL, (struct str){query, name.n + 3}, note_range, &found);
	return found || secret_header(rules, name) == SECRET_WHOLE;
}

/* What the value of a name is. */
enum value {
	VALUE_PLAIN,
	VALUE_SECRET,
	VALUE_USER, /* user:password */
	VALUE_COOKIE,
};

static enum value classify(const struct secret_rules *rules, struct str name)
{
	/* Options of curl, wget and their like whose names do not tell. */
	static const struct {
		struct str option;
		enum value value;
	} rows[] = {
		{{"-u", 2}, VALUE_USER},
		{{"-U", 2}, VALUE_USER},
		{{"--user", 6}, VALUE_USER},
		{{"--proxy-user", 12}, VALUE_USER},
		{{"-b", 2}, VALUE_COOKIE},
		{{"--cookie", 8}, VALUE_COOKIE},
		{{"--oauth2-bearer", 15}, VALUE_SECRET},
		{{"--bearer", 8}, VALUE_SECRET},
		{{"--proxy-pass", 12}, VALUE_SECRET},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_eq(name, rows[i].option))
			return rows[i].value;
	while (name.n && name.p[0] == '-') {
		name.p++;
		name.n--;
	}
	return secret_name(rules, name) ? VALUE_SECRET : VALUE_PLAIN;
}

static void mask_secret(struct scan *s, size_t from)
{
	const char *close = NULL;

	if (from < s->n && is_quote(s->p[from]) && !s->whole) {
		close = memchr(s->p + from + 1, s->p[from], s->n - from - 1);
		from++;
	}
	mask(s, from, close ? (size_t)(close - s->p) : value_end(s, from));
}

static void mask_password(struct scan *s, size_t from)
{
	size_t end = value_end(s, from);
	const char *colon = memchr(s->p + from, ':', end - from);

	if (colon)
		mask(s, (size_t)(colon - s->p) + 1, end);
}

static void mask_cookies(struct scan *s, size_t from)
{
	/* Without one it is the name of a cookie jar. */
	if (memchr(s->p + from, '=', word_end(s, from) - from))
		mask_ranges(s, SECRET_COOKIE, from, header_end(s, from));
}

static void mask_value(struct scan *s, enum value value, size_t from)
{
	if (from >= s->n)
		return;
	switch (value) {
	case VALUE_PLAIN:
		break;
	case VALUE_SECRET:
		mask_secret(s, from);
		break;
	case VALUE_USER:
		mask_password(s, from);
		break;
	case VALUE_COOKIE:
		mask_cookies(s, from);
		break;
	}
}

/* `Name: value`, where -H may stand in front of the name. URLs are found by themselves. */
static bool mask_header(struct scan *s, struct str name, size_t colon)
{
	enum secret_kind kind = secret_header(s->rules, name);
	size_t from = colon + 1;

	if (name.n > 2 && memcmp(name.p, "-H", 2) == 0)
		kind = secret_header(s->rules, (struct str){name.p + 2, name.n - 2});
	if (kind == SECRET_NONE || kind == SECRET_URL)
		return false;
	while (from < s->n && s->p[from] == ' ')
		from++;
	if (from < s->n && is_quote(s->p[from])) /* not a header but JSON */
		mask_secret(s, from);
	else
		mask_ranges(s, kind, from, header_end(s, from));
	return true;
}

/* scheme://user:password@host (RFC 3986 section 3.2.1); at stands on the colon. */
static void userinfo(struct scan *s)
{
	size_t from = s->at + 3, i = from, end = 0;

	for (; !ends_at(s, i) && !memchr("/?#\"'", s->p[i], 5); i++)
		if (s->p[i] == '@')
			end = i;
	s->at = from;
	mask(s, from, end);
}

static void colon_at(struct scan *s, struct str name, size_t colon)
{
	if (s->n - colon > 2 && memcmp(s->p + colon, "://", 3) == 0)
		return;
	if (mask_header(s, name, colon))
		return;
	if (name.n > 2 && (memcmp(name.p, "-u", 2) == 0 || memcmp(name.p, "-U", 2) == 0))
		mask_secret(s, colon + 1); /* -uname:password */
	else
		mask_value(s, classify(s->rules, name), skip_separators(s, colon + 1));
}

static void name_at(struct scan *s)
{
	size_t from = s->at, end = from, colon;
	struct str name;

	while (end < s->n && is_name(s->p[end]))
		end++;
	name = (struct str){s->p + from, end - from};
	s->at = end;
	s->whole = s->exact && (end == s->n || !s->p[end] || from == 0 || !s->p[from - 1]);
	colon = end < s->n && is_quote(s->p[end]) ? end + 1 : end; /* "password": */
	if (ends_at(s, end)) {
		if (name.p[0] == '-')
			mask_value(s, classify(s->rules, name), skip_separators(s, end));
	} else if (s->p[end] == '=') {
		mask_value(s, classify(s->rules, name), end + 1);
	} else if (colon < s->n && s->p[colon] == ':') {
		colon_at(s, name, colon);
	}
}

bool cmdline_redact(const struct secret_rules *rules, struct buf *out, struct str line)
{
	struct scan s = {.p = line.p,
			 .n = line.n,
			 .rules = rules,
			 .out = out,
			 .exact = line.n && memchr(line.p, '\0', line.n)};

	while (s.at < s.n) {
		if (is_name(s.p[s.at]))
			name_at(&s);
		else if (s.n - s.at > 3 && memcmp(s.p + s.at, "://", 3) == 0)
			userinfo(&s);
		else
			s.at++;
	}
	buf_put(out, line.p + s.copied, s.n - s.copied);
	return s.found;
}

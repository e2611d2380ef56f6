/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one table of what is secret. It errs towards hiding: a name that ends like a credential is one.
 */
#include "core/secrets.h"

#include <errno.h>
#include <stdlib.h>

#define PARAM_NAME_MAX \
	SECRET_RULE_MAX_BYTES /* longer names of query parameters are not looked up */

/* clang-format off */
#define S(literal) {(literal), sizeof(literal) - 1}

#define HEADER_ROWS(ROW) \
	ROW("cookie", SECRET_COOKIE) \
	ROW("cookie2", SECRET_COOKIE) \
	ROW("set-cookie", SECRET_SET_COOKIE) \
	ROW("set-cookie2", SECRET_SET_COOKIE) \
	ROW("authorization", SECRET_AFTER_SCHEME) \
	ROW("proxy-authorization", SECRET_AFTER_SCHEME) \
	ROW("x-authorization", SECRET_AFTER_SCHEME) \
	ROW("x-forwarded-authorization", SECRET_AFTER_SCHEME) \
	ROW("referer", SECRET_URL) \
	ROW("location", SECRET_URL) \
	ROW("content-location", SECRET_URL) \
	ROW("x-original-url", SECRET_URL) \
	ROW("x-original-uri", SECRET_URL) \
	ROW("x-rewrite-url", SECRET_URL) \
	ROW("x-forwarded-uri", SECRET_URL) \
	ROW(":path", SECRET_URL) \
	ROW("x-auth-key", SECRET_WHOLE) \
	ROW("x-functions-key", SECRET_WHOLE) \
	ROW("ocp-apim-subscription-key", SECRET_WHOLE) \
	ROW("x-session-id", SECRET_WHOLE)

/* First and last letter and the length turn nearly all other names away; lower case by one bit will do. */
#define NAME_BIT(p, n) (1ull << ((((p)[0] | 0x20) + 3 * (n) + 27 * ((p)[(n) - 1] | 0x20)) & 63))
#define AS_BIT(literal, kind) | NAME_BIT("" literal, sizeof(literal) - 1)
#define AS_ROW(literal, kind) {S(literal), kind},

static const uint64_t header_bits = 0 HEADER_ROWS(AS_BIT);

static const struct {
	struct str name;
	enum secret_kind kind;
} header_rows[] = {HEADER_ROWS(AS_ROW)};

/* Ends of header and parameter names that tell a credential: X-Vault-Token, client_secret, X-Api-Key. */
static const struct str credential_ends[] = {
	S("token"), S("secret"), S("password"), S("passwd"), S("api-key"), S("api_key"), S("apikey"),
	S("access-key"), S("access_key"), S("accesskey"),
};

/* Parameters that are secret; among them those that OpenTelemetry names for url.query. */
#define PARAM_ROWS(ROW) \
	ROW("sig") ROW("signature") ROW("awsaccesskeyid") ROW("x-goog-signature") \
	ROW("x-amz-signature") ROW("x-amz-credential") ROW("key") ROW("code") ROW("code_verifier") \
	ROW("pwd") ROW("pass") ROW("auth") ROW("authorization") ROW("jwt") ROW("sid") ROW("session") \
	ROW("sessionid") ROW("session_id") ROW("assertion") ROW("client_assertion") \
	ROW("samlresponse") ROW("credential")

#define PARAM_BIT(literal) | NAME_BIT("" literal, sizeof(literal) - 1)
#define PARAM_ROW(literal) S(literal),

static const uint64_t param_bits = 0 PARAM_ROWS(PARAM_BIT);
static const struct str param_rows[] = {PARAM_ROWS(PARAM_ROW)};
#undef S
/* clang-format on */

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static inline char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool ends_like_credential(struct str name)
{
	char before = name.n > 1 ? lower(name.p[name.n - 2]) : '\0';

	/* The ends end in these letters: most names are turned away by the first look. */
	switch (lower(name.p[name.n - 1])) {
	case 'n':
	case 't':
	case 'y':
		if (before != 'e')
			return false;
		break;
	case 'd':
		if (before != 'r' && before != 'w')
			return false;
		break;
	default:
		return false;
	}
	for (size_t i = 0; i < COUNT(credential_ends); i++) {
		size_t n = credential_ends[i].n;

		if (name.n >= n &&
		    str_ieq((struct str){name.p + name.n - n, n}, credential_ends[i]))
			return true;
	}
	return false;
}

enum rule_scope {
	RULE_HEADER = 1 << 0,
	RULE_PARAM = 1 << 1,
};

struct secret_rules {
	size_t count;
	struct {
		unsigned int scopes; /* enum rule_scope */
		char pattern[SECRET_RULE_MAX_BYTES + 1];
	} v[SECRET_RULES_MAX];
};

static bool rule_name_ok(const char *s)
{
	size_t n = strlen(s);

	return n && n <= SECRET_RULE_MAX_BYTES &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			 "!#$%&'*+-.^_`|~[]") == n;
}

int secret_rules_add(struct secret_rules **rules, const char *rule)
{
	unsigned int scopes = RULE_HEADER | RULE_PARAM;
	struct secret_rules *r = *rules;

	if (strncmp(rule, "header:", 7) == 0) {
		scopes = RULE_HEADER;
		rule += 7;
	} else if (strncmp(rule, "param:", 6) == 0) {
		scopes = RULE_PARAM;
		rule += 6;
	}
	if (!rule_name_ok(rule))
		return -EINVAL;
	if (!r)
		*rules = r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	if (r->count == SECRET_RULES_MAX)
		return -ENOSPC;
	memcpy(r->v[r->count].pattern, rule, strlen(rule) + 1);
	r->v[r->count++].scopes = scopes;
	return 0;
}

void secret_rules_free(struct secret_rules *rules)
{
	free(rules);
}

/* `*` in the pattern takes as little as will do; on a mismatch the last one takes one more. */
static bool pattern_fits(const char *p, struct str name)
{
	const char *star = NULL;
	size_t at = 0, star_at = 0;

	while (at < name.n) {
		if (*p == '*') {
			star = ++p;
			star_at = at;
		} else if (*p && lower(*p) == lower(name.p[at])) {
			p++;
			at++;
		} else if (star) {
			p = star;
			at = ++star_at;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return !*p;
}

static bool rules_name(const struct secret_rules *r, unsigned int scope, struct str name)
{
	if (!r || name.n > SECRET_RULE_MAX_BYTES)
		return false;
	for (size_t i = 0; i < r->count; i++)
		if (r->v[i].scopes & scope && pattern_fits(r->v[i].pattern, name))
			return true;
	return false;
}

/* gRPC's metadata with octets for a value has names that end so; what it is called stands before. */
static struct str without_bin(struct str name)
{
	static const struct str bin = {"-bin", 4};

	if (name.n > bin.n && str_ieq((struct str){name.p + name.n - bin.n, bin.n}, bin))
		name.n -= bin.n;
	return name;
}

/* A rule hides all of a value; what the table says of a header stays when no rule names it. */
enum secret_kind secret_header(const struct secret_rules *rules, struct str name)
{
	if (!name.n)
		return SECRET_NONE;
	if (rules_name(rules, RULE_HEADER, name))
		return SECRET_WHOLE;
	if (header_bits & NAME_BIT((const unsigned char *)name.p, name.n))
		for (size_t i = 0; i < COUNT(header_rows); i++)
			if (str_ieq(name, header_rows[i].name))
				return header_rows[i].kind;
	return ends_like_credential(without_bin(name)) ? SECRET_WHOLE : SECRET_NONE;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A server decodes percent-encoding before it compares names (RFC 3986 section 2.1); so does this. */
static bool secret_param(const struct secret_rules *rules, struct str raw)
{
	char decoded[PARAM_NAME_MAX];
	struct str name = {decoded, 0};

	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if (name.n == sizeof(decoded))
			return false;
		if (c == '%' && i + 2 < raw.n && hex_digit(raw.p[i + 1]) >= 0 &&
		    hex_digit(raw.p[i + 2]) >= 0) {
			c = (char)(hex_digit(raw.p[i + 1]) << 4 | hex_digit(raw.p[i + 2]));
			i += 2;
		}
		decoded[name.n++] = c;
	}
	if (!name.n)
		return false;
	if (param_bits & NAME_BIT((const unsigned char *)name.p, name.n))
		for (size_t i = 0; i < COUNT(param_rows); i++)
			if (str_ieq(name, param_rows[i]))
				return true;
	return ends_like_credential(name) || rules_name(rules, RULE_PARAM, name);
}

/* Where a value is cut into ranges, and whom to tell. */
struct ranges {
	const struct secret_rules *rules;
	struct str v;
	secret_range_fn *fn;
	void *arg;
};

static void tell(const struct ranges *r, size_t from, size_t to)
{
	while (from < to && (r->v.p[from] == ' ' || r->v.p[from] == '\t'))
		from++;
	while (to > from && (r->v.p[to - 1] == ' ' || r->v.p[to - 1] == '\t'))
		to--;
	if (to > from)
		r->fn(r->arg, from, to - from);
}

/* The first of any of the octets in `set` in [from, to), else to. */
static size_t find(struct str v, size_t from, size_t to, const char *set)
{
	for (; *set && from < to; set++) {
		const char *q = memchr(v.p + from, *set, to - from);

		if (q)
			to = (size_t)(q - v.p);
	}
	return to;
}

/* Octets that end a part of a query. */
enum {
	END_NAME = 1 << 0,   /* of a parameter's name */
	END_VALUE = 1 << 1,  /* of its value */
	END_SECRET = 1 << 2, /* of a value that is hidden: one with a ';' inside is hidden whole */
};

static const uint8_t query_ends[256] = {
	['='] = END_NAME,
	['?'] = END_NAME,
	[';'] = END_NAME | END_VALUE,
	['&'] = END_NAME | END_VALUE | END_SECRET,
	['#'] = END_NAME | END_VALUE | END_SECRET,
};

/* The first octet of `ends` in [from, v.n), else v.n: repeated from each result on it stays linear. */
static size_t walk(struct str v, size_t from, unsigned int ends)
{
	while (from < v.n && !(query_ends[(uint8_t)v.p[from]] & ends))
		from++;
	return from;
}

/* [from, to) is name=value; without a name all of it is the value (as browsers read it). */
static void tell_pair(const struct ranges *r, size_t from, size_t to)
{
	size_t eq = find(r->v, from, to, "=");

	tell(r, eq < to ? eq + 1 : from, to);
}

static void cookies(const struct ranges *r)
{
	for (size_t at = 0; at < r->v.n;) {
		size_t end = find(r->v, at, r->v.n, ";");

		tell_pair(r, at, end);
		at = end + 1;
	}
}

static void after_scheme(const struct ranges *r)
{
	size_t at = 0, end;

	while (at < r->v.n && r->v.p[at] == ' ')
		at++;
	end = find(r->v, at, r->v.n, " ");
	/* One word alone is a bare token more often than a scheme without credentials. */
	tell(r, end < r->v.n ? end : at, r->v.n);
}

/* The end of "scheme://", or of "//" (RFC 3986 sections 3.1, 4.2), else 0. */
static size_t authority_start(struct str v)
{
	size_t i = 0;

	if (v.n >= 2 && memcmp(v.p, "//", 2) == 0)
		return 2;
	while (i < v.n &&
	       (hex_digit(v.p[i]) >= 0 || (lower(v.p[i]) >= 'a' && lower(v.p[i]) <= 'z') ||
		strchr("+-.", v.p[i] ? v.p[i] : ' ')))
		i++;
	return i && v.n - i >= 3 && memcmp(v.p + i, "://", 3) == 0 ? i + 3 : 0;
}

/*
 * Parameters start after '?', '#' (OAuth answers in fragments), '&' and, for old forms, ';'. A secret value
 * goes on to '&' or '#', so that one with a ';' inside is hidden whole.
 */
static void url(const struct ranges *r)
{
	size_t auth, at;

	/* Nearly all have neither parameters nor userinfo. */
	if (!memchr(r->v.p, '=', r->v.n) && !memchr(r->v.p, '@', r->v.n))
		return;
	auth = authority_start(r->v);
	if (auth) {
		size_t end = find(r->v, auth, r->v.n, "/?#"), userinfo = end;

		while (userinfo > auth && r->v.p[userinfo - 1] != '@')
			userinfo--;
		if (userinfo > auth)
			tell(r, auth, userinfo - 1);
		auth = end;
	}
	at = find(r->v, auth, r->v.n, "?#");
	while (at < r->v.n) {
		size_t name = at + 1, eq = walk(r->v, name, END_NAME);

		at = eq;
		if (eq < r->v.n && r->v.p[eq] == '=') {
			struct str n = {r->v.p + name, eq - name};
			bool secret = secret_param(r->rules, n);

			at = walk(r->v, eq + 1, secret ? END_SECRET : END_VALUE);
			if (secret)
				tell(r, eq + 1, at);
		}
	}
}

void secret_ranges(const struct secret_rules *rules, enum secret_kind kind, struct str value,
		   secret_range_fn *fn, void *arg)
{
	const struct ranges r = {rules, value, fn, arg};

	switch (kind) {
	case SECRET_NONE:
		break;
	case SECRET_WHOLE:
		tell(&r, 0, value.n);
		break;
	case SECRET_AFTER_SCHEME:
		after_scheme(&r);
		break;
	case SECRET_COOKIE:
		cookies(&r);
		break;
	case SECRET_SET_COOKIE:
		tell_pair(&r, 0, find(value, 0, value.n, ";"));
		break;
	case SECRET_URL:
		url(&r);
		break;
	}
}

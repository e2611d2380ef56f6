/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "select/bodies.h"

#include <errno.h>
#include <fnmatch.h>
#include <iconv.h>
#include <stdlib.h>

#include "core/attr_names.h"
#include "select/rpc_body.h"
#include "select/utf8.h"

#define MEDIA_TYPE_MAX 127 /* RFC 6838 section 4.2: type and subtype of 127 characters each */
#define CHARSET_MAX 40
#define LIST_MAX 256  /* a Content-Encoding longer than this is none that is known */
#define UTF8_GROWTH 3 /* octets of UTF-8 for one of any single-octet character set, at most */

/* One direction of an exchange: where its body and what describes it stand. */
struct side {
	const char *headers, *raw, *content, *coding;
	const char *rpc_encoding, *rpc_content; /* of gRPC */
};

static const struct side sides[] = {
	{A_REQUEST_HEADERS, A_REQUEST_BODY_BASE64, A_HTTP_REQUEST_BODY_CONTENT,
	 A_REQUEST_BODY_CODING, A_GRPC_REQUEST_ENCODING, A_GRPC_REQUEST_CONTENT},
	{A_RESPONSE_HEADERS, A_RESPONSE_BODY_BASE64, A_HTTP_RESPONSE_BODY_CONTENT,
	 A_RESPONSE_BODY_CODING, A_GRPC_RESPONSE_ENCODING, A_GRPC_RESPONSE_CONTENT},
};

struct media {
	char type[MEDIA_TYPE_MAX + 1]; /* lower case, "" when not declared */
	char charset[CHARSET_MAX + 1]; /* "" when not declared */
};

static struct str trim(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.n--;
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Lower-cases into a fixed field; what does not fit or is no token of this kind is not declared. */
static void put_token(char *to, size_t cap, struct str s)
{
	size_t i;

	for (i = 0; i < s.n && i < cap; i++) {
		char c = s.p[i];

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      (c && strchr("/+-._:", c))))
			break;
		to[i] = c;
	}
	to[i == s.n ? i : 0] = '\0';
}

/* RFC 9110 section 8.3.1: type "/" subtype *( ";" name "=" value ). */
static void media_parse(struct str v, struct media *m)
{
	for (size_t at = 0, end, part = 0; at <= v.n; at = end + 1, part++) {
		struct str s;

		for (end = at; end < v.n && v.p[end] != ';';)
			end++;
		s = trim((struct str){v.p + at, end - at});
		if (part == 0) {
			put_token(m->type, MEDIA_TYPE_MAX, s);
		} else if (s.n > 8 && str_ieq((struct str){s.p, 8}, STR("charset="))) {
			s = (struct str){s.p + 8, s.n - 8};
			if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
				s = (struct str){s.p + 1, s.n - 2};
			put_token(m->charset, CHARSET_MAX, s);
		}
	}
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n >= k && strcmp(s + n - k, tail) == 0;
}

/*
 * The character set of a media type whose definition names one: JSON (RFC 8259 section 8.1), XML without
 * declaration (RFC 7303 section 3), event streams (WHATWG HTML section 9.2.5). NULL: ASCII at most.
 */
static const char *charset_by_definition(const char *type)
{
	if (strcmp(type, "application/json") == 0 || ends_with(type, "+json") ||
	    strcmp(type, "application/x-ndjson") == 0 || strcmp(type, "application/xml") == 0 ||
	    ends_with(type, "+xml") || strcmp(type, "text/event-stream") == 0)
		return "utf-8";
	return NULL;
}

static bool is_textual(const char *type)
{
	static const char *const types[] = {
		"application/x-www-form-urlencoded",
		"application/javascript",
		"application/ecmascript",
		"application/graphql",
		"application/yaml",
		"application/sql",
	};

	if (charset_by_definition(type) || strncmp(type, "text/", 5) == 0 ||
	    strncmp(type, "multipart/", 10) == 0)
		return true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

/* How much of s is whole characters, when only its end may be cut; 0 when something else is wrong. */
static size_t utf8_prefix(struct str s, bool cut)
{
	const uint8_t *p = (const uint8_t *)s.p;
	struct utf8_char c;

	for (size_t at = 0; at < s.n; at += c.n) {
		c = utf8_next(p + at, s.n - at);
		if (!c.valid)
			return cut && s.n - at < 4 && at + c.n == s.n ? at : 0;
	}
	return s.n;
}

/* Through iconv(3); STR_NONE when the set is unknown or the octets are none of it. */
static struct str from_charset(struct arena *a, const char *charset, struct str s, bool cut)
{
	iconv_t cd = iconv_open("UTF-8", charset);
	size_t room = s.n * UTF8_GROWTH, left = s.n, cap = room;
	char *from = (char *)(uintptr_t)s.p, *to, *start;
	bool ok;

	if (cd == (iconv_t)-1)
		return STR_NONE;
	start = to = arena_alloc(a, room);
	ok = start &&
	     (iconv(cd, &from, &left, &to, &room) != (size_t)-1 || (cut && errno == EINVAL));
	iconv_close(cd);
	return ok ? (struct str){start, cap - room} : STR_NONE;
}

static struct str as_text(struct arena *a, const struct media *m, struct str s, bool cut)
{
	const char *charset = m->charset[0] ? m->charset : charset_by_definition(m->type);
	size_t n;

	if (!is_textual(m->type) && !m->charset[0])
		return STR_NONE;
	if (!charset)
		return is_ascii(s) ? s : STR_NONE;
	if (strcmp(charset, "utf-8") != 0 && strcmp(charset, "utf8") != 0)
		return from_charset(a, charset, s, cut);
	n = utf8_prefix(s, cut);
	return n ? (struct str){s.p, n} : STR_NONE;
}

/* The value of a field, several lines of it joined as RFC 9110 section 5.3 says. */
static struct str header_value(const struct txn *t, const char *attr, struct str name, char *list)
{
	const struct attr *a = txn_attr(t, attr);
	struct str v = STR_NONE;

	for (uint32_t i = 0; a && i < a->count; i++) {
		const struct header *h = &a->headers[i];

		if (h->trailer || !h->value.p || !str_ieq(h->name, name))
			continue;
		if (!v.p) {
			v = h->value;
			continue;
		}
		if (v.n + h->value.n + 1 > LIST_MAX)
			return (struct str){"?", 1};
		memmove(list, v.p, v.n);
		list[v.n] = ',';
		memcpy(list + v.n + 1, h->value.p, h->value.n);
		v = (struct str){list, v.n + 1 + h->value.n};
	}
	return v;
}

static bool wanted(const struct bodies_cfg *cfg, const struct media *m)
{
	char pattern[MEDIA_TYPE_MAX + 1];
	size_t n;

	for (const char *p = cfg->types; p; p = p[n] ? p + n + 1 : NULL) {
		n = strcspn(p, ",");
		if (n > MEDIA_TYPE_MAX)
			continue;
		memcpy(pattern, p, n);
		pattern[n] = '\0';
		if (fnmatch(pattern, m->type, FNM_CASEFOLD) == 0)
			return true;
	}
	return !cfg->types;
}

/* Takes an attribute out, keeping the order of the others. */
static void drop(struct txn *t, struct attr *a)
{
	size_t after = (size_t)(t->attrs + t->attr_count - (a + 1));

	memmove(a, a + 1, after * sizeof(*a));
	t->attr_count--;
}

static bool is_rpc(const struct txn *t)
{
	return strncmp(t->event_name, "rpc.", 4) == 0;
}

static bool is_protobuf(const struct media *m)
{
	return strcmp(m->type, "application/grpc") == 0 ||
	       strcmp(m->type, "application/grpc+proto") == 0;
}

static const struct pb_type *type_of_messages(const struct bodies_cfg *cfg, const struct txn *t,
					      const struct side *side)
{
	const struct attr *method = txn_attr(t, A_RPC_METHOD);
	struct pb_method m = {0};

	if (cfg->protos && method)
		m = pb_method_find(cfg->protos, method->str);
	return side == &sides[0] ? m.input : m.output;
}

/* The messages of a gRPC body; what stays compressed stays octets. */
static void shape_rpc(const struct bodies_cfg *cfg, struct txn *t, const struct side *side,
		      struct attr *a, bool cut)
{
	const struct attr *encoding = txn_attr(t, side->rpc_encoding);
	struct rpc_body body = {.framed = a->str,
				.encoding = encoding ? encoding->str : STR_NONE,
				.type = type_of_messages(cfg, t, side),
				.limit = cfg->body_bytes};
	struct buf json = {0};
	enum coding_result res = rpc_body_json(&json, &body);
	struct str v = STR_NONE;

	if (res == CODING_WHOLE || res == CODING_CUT)
		v = arena_str(&t->arena, json.p, json.n);
	if (v.p)
		*a = (struct attr){.name = side->rpc_content, .type = ATTR_JSON, .str = v};
	else if (body.encoding.n)
		txn_str(t, side->coding, body.encoding);
	if (cut || res != CODING_WHOLE)
		t->flags |= TXN_LIMIT;
	buf_free(&json);
}

static void shape(const struct bodies_cfg *cfg, struct txn *t, const struct side *side,
		  uint64_t on_wire)
{
	struct attr *a = txn_attr(t, side->raw);
	struct media m = {0};
	char list[LIST_MAX];
	struct buf out = {0};
	enum coding_result res;
	struct str codings, body, text;
	bool cut;

	if (!a)
		return;
	media_parse(header_value(t, side->headers, STR("content-type"), list), &m);
	if (is_rpc(t) && !m.type[0]) /* nobody saw it, but it must have been */
		put_token(m.type, MEDIA_TYPE_MAX, STR("application/grpc"));
	if (!wanted(cfg, &m)) {
		drop(t, a);
		return;
	}
	cut = a->str.n < on_wire;
	if (txn_attr(t, side->coding))
		return; /* the parser knows that it cannot be undone */
	if (is_rpc(t)) {
		if (is_protobuf(&m))
			shape_rpc(cfg, t, side, a, cut);
		return;
	}
	codings = header_value(t, side->headers, STR("content-encoding"), list);
	res = coding_undo(codings, a->str, cfg->body_bytes, &out);
	if (res != CODING_WHOLE && res != CODING_CUT) {
		codings = arena_str(&t->arena, codings.p, codings.n);
		txn_str(t, side->coding, codings);
		goto out;
	}
	cut |= res == CODING_CUT;
	body = codings.n ? arena_str(&t->arena, out.p, out.n) : a->str;
	if (!body.p)
		goto out;
	text = as_text(&t->arena, &m, body, cut);
	*a = (struct attr){.name = text.p ? side->content : side->raw,
			   .type = text.p ? ATTR_STR : ATTR_BYTES,
			   .str = text.p ? text : body};
	if (cut)
		t->flags |= TXN_LIMIT;
out:
	buf_free(&out);
}

void bodies_shape(const struct bodies_cfg *cfg, struct txn *t)
{
	if (!cfg->body_bytes)
		return;
	shape(cfg, t, &sides[0], t->request_body_bytes);
	shape(cfg, t, &sides[1], t->response_body_bytes);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header sections: the scan for their end, the reading by llhttp, and the length of the content. What
 * llhttp refuses is in http1_lenient.c.
 */
#include "parsers/http1_head.h"

#include <errno.h>
#include <llhttp.h>

static const char *const ambiguity_names[AMBIGUOUS_COUNT] = {
	[AMBIGUOUS_CL_TE] = "content-length+transfer-encoding",
	[AMBIGUOUS_CL_REPEATED] = "repeated-content-length",
	[AMBIGUOUS_CL_CONFLICT] = "conflicting-content-length",
	[AMBIGUOUS_CL_INVALID] = "invalid-content-length",
	[AMBIGUOUS_TE] = "transfer-encoding",
	[AMBIGUOUS_TE_HTTP10] = "transfer-encoding-in-http/1.0",
	[AMBIGUOUS_HOST] = "conflicting-host",
	[AMBIGUOUS_BARE_LF] = "bare-lf",
	[AMBIGUOUS_BARE_CR] = "bare-cr",
	[AMBIGUOUS_OBS_FOLD] = "obs-fold",
	[AMBIGUOUS_SPACE_COLON] = "space-before-colon",
	[AMBIGUOUS_LEADING_SPACE] = "space-before-first-field",
	[AMBIGUOUS_FIELD_LINE] = "field-line",
	[AMBIGUOUS_FIELD_CHARS] = "field-characters",
	[AMBIGUOUS_START_LINE_SPACE] = "start-line-space",
	[AMBIGUOUS_METHOD] = "unknown-method",
	[AMBIGUOUS_TARGET] = "request-target",
	[AMBIGUOUS_VERSION] = "unknown-version",
	[AMBIGUOUS_CHUNK_LINE] = "chunk-line",
	[AMBIGUOUS_CHUNK_INVALID] = "invalid-chunk",
	[AMBIGUOUS_REFUSED] = "refused-by-strict-parser",
};

const char *http1_ambiguity_name(enum http1_ambiguity a)
{
	return ambiguity_names[a];
}

size_t http1_scan(struct http1_scan *sc, const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		const uint8_t *lf;

		if (sc->state != SCAN_LINE && p[i] == '\n') {
			if (sc->state == SCAN_LINE_START)
				sc->ambiguity |= 1u << AMBIGUOUS_BARE_LF;
			sc->lines++;
			return i + 1;
		}
		if (sc->state == SCAN_LINE_START && p[i] == '\r') {
			sc->state = SCAN_LINE_CR;
			sc->last = p[i++];
			continue;
		}
		if (sc->state == SCAN_LINE_START && sc->lines && (p[i] == ' ' || p[i] == '\t'))
			sc->ambiguity |= 1u << AMBIGUOUS_OBS_FOLD;
		sc->state = SCAN_LINE;
		lf = memchr(p + i, '\n', n - i);
		if (!lf) {
			sc->last = p[n - 1];
			return 0;
		}
		if ((lf > p + i ? lf[-1] : sc->last) != '\r')
			sc->ambiguity |= 1u << AMBIGUOUS_BARE_LF;
		sc->lines++;
		sc->state = SCAN_LINE_START;
		i = (size_t)(lf - p) + 1;
	}
	return 0;
}

static struct str trim(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* The next element of a comma-separated list, trimmed; false at its end. */
static bool next_element(struct str *list, struct str *element)
{
	const char *comma;
	size_t n;

	if (!list->p)
		return false;
	comma = list->n ? memchr(list->p, ',', list->n) : NULL;
	n = comma ? (size_t)(comma - list->p) : list->n;
	*element = trim((struct str){list->p, n});
	*list = comma ? (struct str){comma + 1, list->n - n - 1} : STR_NONE;
	return true;
}

bool http1_list_has(struct str list, struct str token)
{
	struct str e;

	while (next_element(&list, &e))
		if (str_ieq(e, token))
			return true;
	return false;
}

/* 1*DIGIT (RFC 9110 section 8.6) that fits in 63 bits. */
static bool parse_length(struct str s, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned int digit = (unsigned char)s.p[i] - '0';

		if (digit > 9 || *v > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		*v = *v * 10 + digit;
	}
	return s.n > 0;
}

/* A list of equal numbers counts as one of them, the first of different ones wins (RFC 9110 section 8.6). */
static void note_length(struct http1_head *h, struct str value)
{
	struct str e;
	uint64_t v;

	while (next_element(&value, &e)) {
		if (!parse_length(e, &v)) {
			h->length = LENGTH_INVALID;
			h->ambiguity |= 1u << AMBIGUOUS_CL_INVALID;
		} else if (h->length == LENGTH_NONE) {
			h->length = LENGTH_VALID;
			h->content_length = v;
		} else {
			h->ambiguity |= v == h->content_length ? 1u << AMBIGUOUS_CL_REPEATED
							       : 1u << AMBIGUOUS_CL_CONFLICT;
		}
	}
}

static void note_coding(struct http1_head *h, struct str value)
{
	struct str e;

	h->coded = true;
	while (next_element(&value, &e)) {
		/* Anything after chunked, chunked again included (RFC 9112 section 6.1). */
		if (h->chunked)
			h->ambiguity |= 1u << AMBIGUOUS_TE;
		h->chunked = str_ieq(e, STR("chunked"));
	}
}

/* One only (RFC 9112 section 3.2); of several, which one routes the request depends on who reads it. */
static void note_host(struct http1_head *h, struct str value)
{
	if (!h->host.p)
		h->host = value;
	else if (!str_ieq(h->host, value))
		h->ambiguity |= 1u << AMBIGUOUS_HOST;
}

void http1_head_trailer(struct http1_head *h, struct str name, struct str value)
{
	if (h->count < h->cap)
		h->headers[h->count++] =
			(struct header){.name = name, .value = trim(value), .trailer = true};
}

void http1_head_field(struct http1_head *h, struct str name, struct str value)
{
	value = trim(value);
	if (h->count < h->cap)
		h->headers[h->count++] = (struct header){.name = name, .value = value};
	switch (name.n) {
	case 4:
		if (str_ieq(name, STR("Host")))
			note_host(h, value);
		break;
	case 7:
		if (str_ieq(name, STR("Upgrade")))
			h->upgrade = value;
		break;
	case 10:
		if (str_ieq(name, STR("Connection")) && http1_list_has(value, STR("upgrade")))
			h->connection_upgrade = true;
		break;
	case 14:
		if (str_ieq(name, STR("Content-Length")))
			note_length(h, value);
		break;
	case 17:
		if (str_ieq(name, STR("Transfer-Encoding")))
			note_coding(h, value);
		break;
	}
	if (h->coded && h->length != LENGTH_NONE)
		h->ambiguity |= 1u << AMBIGUOUS_CL_TE;
}

/* llhttp's callbacks. The section is one piece, so every span comes whole, and at most once. */

static int on_method(llhttp_t *p, const char *at, size_t n)
{
	struct http1_head *h = p->data;

	h->method = (struct str){at, n};
	return 0;
}

static int on_target(llhttp_t *p, const char *at, size_t n)
{
	struct http1_head *h = p->data;

	h->target = (struct str){at, n};
	return 0;
}

/* llhttp takes RTSP/1.0 and ICE/1.0 too. */
static int on_version(llhttp_t *p, const char *at, size_t n)
{
	return n == 3 && p->http_major == 1 && memcmp(at - 5, "HTTP/", 5) == 0 ? 0 : -1;
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
	struct http1_head *h = p->data;

	if (h->count == h->cap)
		return -1;
	h->headers[h->count] = (struct header){.name = {at, n}, .value = {at + n, 0}};
	return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct http1_head *h = p->data;

	http1_head_field(h, h->headers[h->count].name, (struct str){at, n});
	return 0;
}

static int on_complete(llhttp_t *p)
{
	struct http1_head *h = p->data;

	h->minor = p->http_minor;
	h->status = p->status_code;
	/* The rest of the stream is not llhttp's: it can neither step over a gap nor go on after a refusal. */
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_method = on_method,
	.on_url = on_target,
	.on_version = on_version,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_complete,
};

/* Single spaces stand between the parts; llhttp lets more of them pass (RFC 9112 sections 3 and 4). */
static bool start_line_is_plain(struct http1_head *h, struct str section)
{
	if (!h->request) {
		const char *code = section.p + 9;

		if (section.n < 14 || h->status < 100 || h->status > 999)
			return false;
		h->status_text = (struct str){code, 3};
		return (unsigned int)(code[0] * 100 + code[1] * 10 + code[2] - '0' * 111) ==
		       h->status;
	}
	return h->target.p == h->method.p + h->method.n + 1 &&
	       memcmp(h->target.p + h->target.n, " HTTP/", 6) == 0;
}

int http1_head_read(struct http1_head *h, struct arena *a, struct str section,
		    const struct http1_scan *sc)
{
	bool request = section.n < 5 || memcmp(section.p, "HTTP/", 5) != 0;
	llhttp_t p;
	int err;

	if (sc->ambiguity)
		return http1_head_read_lenient(h, a, section, sc->lines);
	*h = (struct http1_head){.request = request, .cap = sc->lines};
	h->headers = arena_alloc(a, h->cap * sizeof(*h->headers));
	if (!h->headers)
		return -ENOMEM;
	llhttp_init(&p, request ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
	p.data = h;
	if (llhttp_execute(&p, section.p, section.n) == HPE_PAUSED &&
	    start_line_is_plain(h, section) && !h->ambiguity)
		return 0;
	err = http1_head_read_lenient(h, a, section, sc->lines);
	if (!err && !h->ambiguity)
		h->ambiguity = 1u << AMBIGUOUS_REFUSED;
	return err;
}

/* Points 5 to 7. An invalid length is an unrecoverable error there; so it is here. */
static enum http1_body by_length(const struct http1_head *h)
{
	if (h->length == LENGTH_INVALID)
		return BODY_UNKNOWN;
	return h->content_length ? BODY_LENGTH : BODY_NONE;
}

enum http1_body http1_framing(struct http1_head *h, struct str method)
{
	if (!h->request) {
		/* 1 and 2 */
		if (h->status == 101)
			return BODY_TUNNEL;
		if (h->status / 100 == 1 || h->status == 204 || h->status == 304 ||
		    str_eq(method, STR("HEAD")))
			return BODY_NONE;
		if (h->status / 100 == 2 && str_eq(method, STR("CONNECT")))
			return BODY_TUNNEL;
	}
	if (h->coded && h->minor == 0)
		h->ambiguity |= 1u << AMBIGUOUS_TE_HTTP10;
	/* 3 and 4: Transfer-Encoding overrides Content-Length */
	if (h->chunked)
		return BODY_CHUNKED;
	if (h->coded) {
		/*
		 * "identity" and misspelt codings. A server refuses them or reads the message as if the
		 * field were not there, by Content-Length; so do clients with a response that has one.
		 */
		if (h->request)
			h->ambiguity |= 1u << AMBIGUOUS_TE;
		if (h->length != LENGTH_NONE)
			return by_length(h);
		return h->request ? BODY_UNKNOWN : BODY_UNTIL_CLOSE;
	}
	if (h->request || h->length != LENGTH_NONE)
		return by_length(h);
	/* 8 */
	return BODY_UNTIL_CLOSE;
}

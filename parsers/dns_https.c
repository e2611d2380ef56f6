/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS over HTTPS (RFC 8484): the query is the content of a POST or, in base64url, a parameter of a GET; the
 * answer is the content of the response.
 */
#include "core/attr_names.h"
#include "parsers/content.h"
#include "parsers/dns_txn.h"

#define MEDIA_TYPE "application/dns-message"
#define MESSAGE_BYTES_MAX 65535 /* RFC 8484 section 6 */

/* The value of the variable `dns` (RFC 8484 section 4.1). */
static struct str parameter(struct str query)
{
	while (query.n) {
		const char *amp = memchr(query.p, '&', query.n);
		size_t n = amp ? (size_t)(amp - query.p) : query.n;

		if (n > 4 && memcmp(query.p, "dns=", 4) == 0)
			return (struct str){query.p + 4, n - 4};
		n += amp != NULL;
		query = (struct str){query.p + n, query.n - n};
	}
	return STR_NONE;
}

static int digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* RFC 4648 section 5, without padding. STR_NONE when it is something else. */
static struct str from_base64url(struct arena *a, struct str s)
{
	unsigned int held = 0, bits = 0;
	uint8_t *to;
	size_t n = 0;

	while (s.n && s.p[s.n - 1] == '=')
		s.n--;
	to = s.n <= MESSAGE_BYTES_MAX / 3 * 4 ? arena_alloc(a, s.n) : NULL;
	for (size_t i = 0; to && i < s.n; i++) {
		int v = digit(s.p[i]);

		if (v < 0)
			return STR_NONE;
		held = (held << 6 | (unsigned int)v) & 0xffff;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		to[n++] = (uint8_t)(held >> bits);
	}
	return (struct str){(const char *)to, n};
}

static bool read_message(struct dns_message *m, struct str s, bool response)
{
	return s.n && !dns_message_read(m, (const uint8_t *)s.p, s.n) && m->response == response;
}

static bool read_query(struct dns_message *m, const struct txn *http,
		       const struct content_message *req, struct arena *a)
{
	const struct attr *query;

	if (content_is(req, STR(MEDIA_TYPE)))
		return req->whole && read_message(m, req->body, false);
	query = txn_attr(http, A_URL_QUERY);
	return query && read_message(m, from_base64url(a, parameter(query->str)), false);
}

static bool read_answer(struct dns_message *m, const struct content_message *resp)
{
	return resp->whole && content_is(resp, STR(MEDIA_TYPE)) &&
	       read_message(m, resp->body, true);
}

/* The exchange of HTTP is the envelope; sizes are those of the messages in it. */
static void take_envelope(struct txn *t, const struct txn *http)
{
	t->start_ns = http->start_ns;
	t->end_ns = http->end_ns;
	t->request_end_ns = http->request_end_ns;
	t->response_start_ns = http->response_start_ns;
	t->tid = http->tid;
	t->role = http->role;
	t->stream_id = http->stream_id;
	t->has_stream = http->has_stream;
	t->lost_bytes = http->lost_bytes;
	t->flags = http->flags & (TXN_LOST_REQUEST | TXN_LOST_RESPONSE | TXN_LATE);
}

static void no_answer(struct txn *t, const struct txn *http)
{
	t->flags |= TXN_NO_RESPONSE;
	t->outcome = http->outcome == OUTCOME_OK ? OUTCOME_UNKNOWN : http->outcome;
	if (http->outcome != OUTCOME_OK && http->status.n)
		txn_str(t, A_ERROR_TYPE, arena_str(&t->arena, http->status.p, http->status.n));
}

static struct txn *describe(struct proto_sink *sink, const struct txn *http,
			    const struct content_message *req, const struct content_message *resp)
{
	struct dns_message q, r;
	struct arena scratch = {0};
	bool asked = read_query(&q, http, req, &scratch), answered = read_answer(&r, resp);
	struct txn *t = NULL;

	if (asked || answered)
		t = dns_txn_new(http->conn, asked ? &q : &r, "doh");
	if (!t)
		goto out;
	take_envelope(t, http);
	if (asked)
		dns_txn_query(t, &q);
	else
		t->flags |= TXN_NO_REQUEST;
	if (answered)
		dns_txn_answer(t, &r);
	else
		no_answer(t, http);
	if (asked && answered && !dns_message_same_question(&q, &r))
		dns_ambiguous(t, "answer-to-another-question");
	if (answered)
		dns_txn_resolved(t, sink, &r);
out:
	arena_free(&scratch);
	return t;
}

const struct content_ops content_dns = {
	.media_type = MEDIA_TYPE,
	.bytes_max = MESSAGE_BYTES_MAX,
	.describe = describe,
};

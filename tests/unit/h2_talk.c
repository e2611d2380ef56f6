/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "tests/unit/h2_talk.h"

#define CALL_BYTES 16000

struct maker {
	struct talk *t;
	const struct talk_cfg *cfg;
	nghttp2_session *client, *server;
	uint32_t seed, submitted, open;
};

static uint32_t rnd(struct maker *m, uint32_t below)
{
	m->seed = m->seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)(m->seed ^ m->seed >> 15) * below) >> 32);
}

static struct talk_stream *stream_of(struct maker *m, int32_t id)
{
	return &m->t->streams[(uint32_t)id / 2];
}

static struct str literal(const char *z)
{
	return str_from(z);
}

static void field(struct talk_side *s, struct str name, struct str value)
{
	assert_true(s->count < TALK_FIELDS_MAX);
	s->fields[s->count++] = (struct header){.name = name, .value = value};
}

static struct str random_text(struct maker *m, size_t max)
{
	size_t n = rnd(m, (uint32_t)max);
	char *p = arena_alloc(&m->t->arena, n + 1);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + rnd(m, 26));
	return (struct str){p, n};
}

static void random_fields(struct maker *m, struct talk_side *s)
{
	static const char *const names[] = {"user-agent", "accept", "cookie",	     "x-a",
					    "x-b",	  "date",   "authorization", "x-trace"};

	for (uint32_t n = rnd(m, 6); n; n--) {
		struct str name = literal(names[rnd(m, 8)]);

		if (rnd(m, 2))
			field(s, name, literal("the same as ever"));
		else
			field(s, name, random_text(m, m->cfg->header_max));
	}
}

static void trailer(struct talk_side *s, struct str name, struct str value)
{
	field(s, name, value);
	s->fields[s->count - 1].trailer = true;
	s->trailers++;
}

static void plan_grpc(struct maker *m, struct talk_stream *st)
{
	struct talk_side *q = &st->request, *p = &st->response;

	field(q, literal(":method"), literal("POST"));
	field(q, literal(":scheme"), literal("https"));
	field(q, literal(":path"),
	      literal(rnd(m, 2) ? "/pkg.Greeter/SayHello" : "/pkg.Greeter/Stream"));
	field(q, literal(":authority"), literal("grpc.example"));
	field(q, literal("content-type"), literal("application/grpc"));
	field(q, literal("te"), literal("trailers"));
	field(p, literal(":status"), literal("200"));
	field(p, literal("content-type"), literal("application/grpc"));
	trailer(p, literal("grpc-status"), literal(rnd(m, 4) ? "0" : "5"));
	st->messages[0] = 1 + rnd(m, 3);
	st->messages[1] = rnd(m, 4);
	q->body_bytes = st->messages[0] * (5 + 7);
	p->body_bytes = st->messages[1] * (5 + 7);
}

static void plan_http(struct maker *m, struct talk_stream *st)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
	static const char *const codes[] = {"200", "206", "302", "404", "500", "418"};
	struct talk_side *q = &st->request, *p = &st->response;
	struct str path = random_text(m, 30);

	field(q, literal(":method"), literal(methods[rnd(m, 5)]));
	field(q, literal(":scheme"), literal("https"));
	field(q, literal(":authority"), literal("www.example"));
	field(q, literal(":path"), arena_printf(&m->t->arena, "/%.*s", (int)path.n, path.p));
	random_fields(m, q);
	q->body_bytes = rnd(m, 2) ? rnd(m, (uint32_t)m->cfg->body_max) : 0;
	st->interim = rnd(m, 8) ? 0 : 103;
	field(p, literal(":status"), literal(codes[rnd(m, 6)]));
	random_fields(m, p);
	p->body_bytes = rnd(m, 4) ? rnd(m, (uint32_t)m->cfg->body_max) : 0;
	if (rnd(m, 6) == 0)
		trailer(p, literal("x-checksum"), random_text(m, 20));
	if (m->cfg->resets && rnd(m, 10) == 0)
		st->end = rnd(m, 2) ? TALK_CLIENT_RESET : TALK_SERVER_RESET;
}

static size_t to_nv(const struct talk_side *s, bool trailers, nghttp2_nv *nv)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->count; i++)
		if (s->fields[i].trailer == trailers)
			nv[n++] = (nghttp2_nv){(uint8_t *)s->fields[i].name.p,
					       (uint8_t *)s->fields[i].value.p, s->fields[i].name.n,
					       s->fields[i].value.n, 0};
	return n;
}

/* Octet `at` of a body: gRPC messages of seven octets, or anything. */
static uint8_t body_octet(const struct talk_stream *st, size_t at)
{
	if (!st->messages[0])
		return (uint8_t)(at * 31 >> 3);
	return at % 12 == 4 ? 7 : at % 12 < 5 ? 0 : (uint8_t)at;
}

static ssize_t read_body(struct maker *m, nghttp2_session *session, int32_t id, struct talk_side *s,
			 uint8_t *buf, size_t cap, uint32_t *flags)
{
	size_t left = s->body_bytes - s->sent_bytes;
	size_t n = 1 + rnd(m, 9000);
	nghttp2_nv nv[TALK_FIELDS_MAX];

	n = n < left ? n : left;
	n = n < cap ? n : cap;
	for (size_t i = 0; i < n; i++)
		buf[i] = body_octet(stream_of(m, id), s->sent_bytes + i);
	s->sent_bytes += n;
	if (s->sent_bytes < s->body_bytes)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (s->trailers) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		assert_int_equal(nghttp2_submit_trailer(session, id, nv, to_nv(s, true, nv)), 0);
	}
	return (ssize_t)n;
}

static ssize_t read_request(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct maker *m = arg;

	(void)source;
	return read_body(m, session, id, &stream_of(m, id)->request, buf, cap, flags);
}

static ssize_t read_response(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap,
			     uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct maker *m = arg;

	(void)source;
	return read_body(m, session, id, &stream_of(m, id)->response, buf, cap, flags);
}

static void answer(struct maker *m, int32_t id)
{
	struct talk_stream *st = stream_of(m, id);
	nghttp2_data_provider body = {.read_callback = read_response};
	nghttp2_nv nv[TALK_FIELDS_MAX];
	nghttp2_nv early = {(uint8_t *)":status", (uint8_t *)"103", 7, 3, 0};

	if (st->answered)
		return;
	st->answered = true;
	if (st->end == TALK_SERVER_RESET) {
		nghttp2_submit_rst_stream(m->server, 0, id, NGHTTP2_INTERNAL_ERROR);
		return;
	}
	if (st->interim)
		assert_int_equal(nghttp2_submit_headers(m->server, 0, id, NULL, &early, 1, NULL),
				 0);
	assert_int_equal(nghttp2_submit_response(
				 m->server, id, nv, to_nv(&st->response, false, nv),
				 st->response.body_bytes || st->response.trailers ? &body : NULL),
			 0);
}

static int server_got(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct maker *m = arg;

	(void)session;
	if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA)
		return 0;
	/* some answer before the request is whole */
	if (f->hd.flags & NGHTTP2_FLAG_END_STREAM || rnd(m, 8) == 0)
		answer(m, f->hd.stream_id);
	return 0;
}

static int client_got(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct maker *m = arg;

	if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_RESPONSE &&
	    stream_of(m, f->hd.stream_id)->end == TALK_CLIENT_RESET)
		nghttp2_submit_rst_stream(session, 0, f->hd.stream_id, NGHTTP2_CANCEL);
	return 0;
}

static int closed(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct maker *m = arg;

	(void)id;
	(void)code;
	if (session == m->client)
		m->open--;
	return 0;
}

static ssize_t select_padding(nghttp2_session *session, const nghttp2_frame *f, size_t max,
			      void *arg)
{
	struct maker *m = arg;
	size_t n = f->hd.length + (m->cfg->padding ? rnd(m, 200) : 0);

	(void)session;
	return (ssize_t)(n < max ? n : max);
}

static void submit(struct maker *m)
{
	while (m->submitted < m->cfg->streams && m->open < m->cfg->concurrent) {
		struct talk_stream *st = &m->t->streams[m->submitted];
		nghttp2_data_provider body = {.read_callback = read_request};
		nghttp2_nv nv[TALK_FIELDS_MAX];
		int32_t id;

		if (m->cfg->grpc)
			plan_grpc(m, st);
		else
			plan_http(m, st);
		id = nghttp2_submit_request(m->client, NULL, nv, to_nv(&st->request, false, nv),
					    st->request.body_bytes ? &body : NULL, NULL);
		assert_int_equal(id, 2 * m->submitted + 1);
		m->submitted++;
		m->open++;
	}
}

static void note_call(struct talk *t, enum dir d, size_t at, size_t n)
{
	if (t->calls_n == t->calls_cap) {
		t->calls_cap = t->calls_cap ? t->calls_cap * 2 : 256;
		t->calls = realloc(t->calls, t->calls_cap * sizeof(*t->calls));
		assert_non_null(t->calls);
	}
	t->calls[t->calls_n++] = (struct talk_call){d, at, n};
}

static void note_calls(struct maker *m, enum dir d, size_t at)
{
	size_t n;

	for (; at < m->t->bytes.n; at += n) {
		n = m->t->bytes.n - at;
		if (m->cfg->chopped && n > 1)
			n = 1 + rnd(m, (uint32_t)n);
		note_call(m->t, d, at, n);
	}
}

/* One call's worth of frames from one session to the other; false when there is nothing to say. */
static bool speak(struct maker *m, nghttp2_session *from, nghttp2_session *to, enum dir d)
{
	size_t begin = m->t->bytes.n, n;
	const uint8_t *p;
	ssize_t got;

	do {
		got = nghttp2_session_mem_send(from, &p);
		assert_true(got >= 0);
		assert_int_equal(buf_put(&m->t->bytes, p, (size_t)got), 0);
		n = m->t->bytes.n - begin;
	} while (got && n < CALL_BYTES && rnd(m, 4));
	if (!n)
		return false;
	note_calls(m, d, begin);
	assert_int_equal(nghttp2_session_mem_recv(to, m->t->bytes.p + begin, n), n);
	return true;
}

static void open_sessions(struct maker *m)
{
	nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20};
	nghttp2_session_callbacks *cb;

	assert_int_equal(nghttp2_session_callbacks_new(&cb), 0);
	nghttp2_session_callbacks_set_select_padding_callback(cb, select_padding);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, closed);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, client_got);
	assert_int_equal(nghttp2_session_client_new(&m->client, cb, m), 0);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, server_got);
	assert_int_equal(nghttp2_session_server_new(&m->server, cb, m), 0);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(m->client, 0, &window, 1);
	nghttp2_submit_settings(m->server, 0, &window, 1);
	nghttp2_session_set_local_window_size(m->client, 0, 0, 1 << 24);
	nghttp2_session_set_local_window_size(m->server, 0, 0, 1 << 24);
}

void talk_make(struct talk *t, const struct talk_cfg *cfg)
{
	struct maker m = {.t = t, .cfg = cfg, .seed = cfg->seed};
	bool more;

	*t = (struct talk){.count = cfg->streams};
	t->streams = calloc(cfg->streams, sizeof(*t->streams));
	assert_non_null(t->streams);
	open_sessions(&m);
	do {
		submit(&m);
		more = speak(&m, m.client, m.server, DIR_WRITE);
		more |= speak(&m, m.server, m.client, DIR_READ);
	} while (more || m.submitted < cfg->streams);
	assert_int_equal(m.open, 0);
	nghttp2_session_del(m.client);
	nghttp2_session_del(m.server);
}

void talk_free(struct talk *t)
{
	free(t->streams);
	free(t->calls);
	buf_free(&t->bytes);
	arena_free(&t->arena);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A finished stream as a transaction: an HTTP exchange, or an RPC when it is gRPC. What is stated was
 * read; a name missing from a section with unknown fields is left out, never made up.
 */
#include "core/attr_names.h"
#include "parsers/content.h"
#include "parsers/h2.h"
#include "parsers/http_common.h"

/* The fields that mean something here. */
struct fields {
	struct h2_request line;
	struct str host, content_type, status;
	struct str grpc_timeout, grpc_encoding, grpc_status, grpc_message;
};

/* Both sides of an exchange and what they say. */
struct exchange {
	const struct h2 *h;
	struct h2_stream *st;
	struct txn *t;
	struct h2_msg *req, *resp;
	struct fields q, p;
	bool late;
	bool end_missed; /* of the response: it may have ended unseen */
};

static void find_fields(struct fields *f, const struct h2_msg *m)
{
	const struct {
		struct str name;
		struct str *value;
	} rows[] = {
		{STR(":method"), &f->line.method},
		{STR(":path"), &f->line.path},
		{STR(":scheme"), &f->line.scheme},
		{STR(":authority"), &f->line.authority},
		{STR(":status"), &f->status},
		{STR("host"), &f->host},
		{STR("content-type"), &f->content_type},
		{STR("grpc-timeout"), &f->grpc_timeout},
		{STR("grpc-encoding"), &f->grpc_encoding},
		{STR("grpc-status"), &f->grpc_status},
		{STR("grpc-message"), &f->grpc_message},
	};

	for (uint32_t i = 0; i < m->count; i++) {
		const struct header *k = &m->headers[i];

		if (!k->name.n || !k->value.p || (k->trailer && k->name.p[0] == ':'))
			continue;
		for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
			if (k->name.n == rows[r].name.n && !rows[r].value->p &&
			    memcmp(k->name.p, rows[r].name.p, k->name.n) == 0)
				*rows[r].value = k->value;
	}
}

/* All of it was seen, from its beginning. */
static bool exact(const struct h2_msg *m)
{
	return m->seen && !m->inexact;
}

/*
 * Whole messages only, and trailers where a response has a body: the shape of a call. One that asks
 * without a message must have trailers in any case.
 */
static bool shaped_like_grpc(const struct exchange *x)
{
	const struct h2_msg *req = x->req, *resp = x->resp;
	bool trailers = resp->count && resp->headers[resp->count - 1].trailer;

	if (x->late || req->inexact || resp->inexact || (x->st->status && x->st->status != 200))
		return false;
	if (x->q.line.method.p && !str_eq(x->q.line.method, STR("POST")))
		return false;
	if (!grpc_between_messages(&req->framing) || !grpc_between_messages(&resp->framing))
		return false;
	if (!req->framing.messages)
		return trailers && x->q.line.method.p;
	return trailers || !resp->ended || !resp->body_bytes;
}

/*
 * By its content type; or, when that is older than the join, by what nobody else sends: the grpc- fields,
 * or bodies that are nothing but length-prefixed messages to the last octet.
 */
static bool is_grpc(const struct exchange *x)
{
	if (x->q.content_type.p || x->p.content_type.p)
		return grpc_content_type(x->q.content_type.p ? x->q.content_type
							     : x->p.content_type);
	if (x->p.grpc_status.p || x->q.grpc_timeout.p)
		return true;
	return x->req->unknown && (x->resp->unknown || !x->resp->seen) && shaped_like_grpc(x);
}

static void add_request(struct exchange *x)
{
	const struct h2_request *line = &x->q.line;
	struct str authority = line->authority.p ? line->authority : x->q.host;
	struct http_url u;

	x->t->verb = line->method;
	x->t->target = line->path;
	if (line->method.p)
		txn_str(x->t, A_HTTP_METHOD, line->method);
	if (str_eq(line->method, STR("CONNECT")) && !line->path.p) {
		x->t->target = authority; /* RFC 9113 section 8.5 */
		return;
	}
	u = http_url(&x->t->arena, line->scheme, line->scheme.p ? authority : STR_NONE, line->path);
	if (u.full.n)
		x->t->target = u.full;
	http_url_attrs(x->t, &u);
}

static void add_content(struct exchange *x, const char *name, const struct h2_msg *m)
{
	size_t shown = x->h->limits->body_bytes;
	struct str v = STR_NONE;

	shown = m->body.n < shown ? m->body.n : shown;
	if (!shown)
		return;
	v = arena_str(&x->t->arena, m->body.p, shown);
	if (v.p)
		txn_bytes(x->t, name, v);
	else
		x->t->flags |= TXN_LIMIT;
}

static void add_http(struct exchange *x)
{
	struct txn *t = x->t;

	t->status = x->p.status;
	if (x->st->status)
		txn_int(t, A_HTTP_STATUS, x->st->status);
	if (exact(x->req))
		txn_int(t, A_HTTP_REQUEST_BODY_SIZE, (int64_t)x->req->body_bytes);
	if (exact(x->resp))
		txn_int(t, A_HTTP_RESPONSE_BODY_SIZE, (int64_t)x->resp->body_bytes);
	add_content(x, A_REQUEST_BODY_BASE64, x->req);
	add_content(x, A_RESPONSE_BODY_BASE64, x->resp);
	if (x->req->count)
		txn_headers(t, A_REQUEST_HEADERS, x->req->headers, x->req->count);
	if (x->resp->count)
		txn_headers(t, A_RESPONSE_HEADERS, x->resp->headers, x->resp->count);
	if (x->st->interim_count)
		txn_strs(t, A_INTERIM, x->st->interim, x->st->interim_count);
}

static void add_rpc(struct exchange *x)
{
	struct grpc_call c = {
		.path = x->q.line.path,
		.timeout = x->q.grpc_timeout,
		.request_encoding = x->q.grpc_encoding,
		.response_encoding = x->p.grpc_encoding,
		.status = x->p.grpc_status,
		.message = x->p.grpc_message,
		.request = exact(x->req) ? &x->req->framing : NULL,
		.response = exact(x->resp) ? &x->resp->framing : NULL,
	};

	grpc_describe(x->t, &c);
}

/* By the status, unless the exchange ended before the response did. */
static enum outcome outcome(const struct exchange *x)
{
	const struct h2_stream *st = x->st;

	if (x->resp->ended || (x->resp->lost && st->status && !st->reset))
		return http_outcome(st->status);
	if (x->end_missed || (!st->reset && (x->resp->lost || st->evicted)))
		return OUTCOME_UNKNOWN;
	return OUTCOME_ABORTED;
}

static void fill_envelope(struct exchange *x)
{
	const struct h2_msg *req = x->req, *resp = x->resp;
	struct txn *t = x->t;
	bool lost = resp->lost && x->st->status;

	t->event_name = "http.exchange";
	t->proto_name = "http";
	t->proto_version = "2";
	t->role = x->h->requests == DIR_READ ? ROLE_SERVER : ROLE_CLIENT;
	t->has_stream = true;
	t->stream_id = x->st->id;
	t->end_ns = x->st->active_ns;
	t->request_end_ns = req->ended ? req->end_ns : 0;
	t->response_start_ns = resp->start_ns;
	t->request_body_bytes = req->body_bytes;
	t->response_body_bytes = resp->body_bytes;
	t->flags |= req->lost ? TXN_LOST_REQUEST : 0;
	t->flags |= resp->lost ? TXN_LOST_RESPONSE : 0;
	t->flags |= x->late ? TXN_LATE : 0;
	t->flags |= req->seen ? 0 : TXN_NO_REQUEST;
	t->flags |= exact(req) && !req->ended && !req->lost && !x->late ? TXN_CUT_REQUEST : 0;
	t->flags |= x->st->hole == H2_HOLE_GAP ? TXN_LOST_REQUEST : 0;
	t->flags |= resp->ended || lost ? 0 : TXN_NO_RESPONSE;
	t->flags |= req->unknown || resp->unknown ? TXN_UNKNOWN_HEADERS : 0;
	t->outcome = outcome(x);
}

static void add_attrs(struct exchange *x)
{
	bool rpc = is_grpc(x), cut = x->st->reset && !x->resp->ended && !x->end_missed;
	struct str verb, target, status, code;
	struct txn *t = x->t;

	if (rpc) {
		add_rpc(x);
		verb = t->verb, target = t->target, status = t->status;
	}
	add_request(x);
	add_http(x);
	if (rpc) {
		/* an HTTP status of 200 says nothing of the call */
		t->verb = verb, t->target = target, t->status = status;
		if (!status.p && t->outcome == OUTCOME_OK)
			t->outcome = OUTCOME_UNKNOWN;
	}
	/* at one place, whatever failed: keys have one order */
	if (rpc && x->p.grpc_status.p)
		code = t->outcome != OUTCOME_OK ? t->status : STR_NONE;
	else if (cut)
		code = h2_error_name(&t->arena, x->st->reset_code);
	else
		code = x->st->status >= 400 ? x->p.status : STR_NONE;
	if (code.p)
		txn_str(t, A_ERROR_TYPE, code);
}

static struct content_message content_of(const struct h2_msg *m)
{
	return (struct content_message){
		.headers = m->headers,
		.count = m->count,
		.body = {(const char *)m->body.p, m->body.n},
		.whole = exact(m) && m->ended && !m->lost && m->body.n == m->body_bytes,
	};
}

/* What there is of messages that never became whole. */
static void free_messages(struct h2_stream *st)
{
	for (int d = 0; d < DIR_COUNT; d++)
		buf_free(&st->msg[d].message);
}

static void free_bodies(struct h2_stream *st)
{
	for (int d = 0; d < DIR_COUNT; d++)
		buf_free(&st->msg[d].body);
}

/* The stream goes with its transaction; the bodies are their own. */
static void emit(struct exchange *x)
{
	struct content_message req = content_of(x->req), resp = content_of(x->resp);
	struct buf bodies[DIR_COUNT] = {x->req->body, x->resp->body};

	content_emit(x->h->sink, x->t, &req, &resp);
	for (int d = 0; d < DIR_COUNT; d++)
		buf_free(&bodies[d]);
}

/* Bytes were missed behind the last that was seen of the message, and its end may be among them. */
static bool end_missed(const struct h2 *h, enum dir d, const struct h2_stream *st)
{
	const struct h2_msg *m = &st->msg[d];

	return !m->ended && (st->hole || h2_stream_missed(h, d, st)) &&
	       m->end_ns <= h->dir[d].missed_ns;
}

void h2_txn_emit(struct h2 *h, struct h2_stream *st)
{
	struct exchange x = {.h = h, .st = st, .t = st->txn};
	int requests = h->requests;

	HASH_DEL(h->streams, st);
	h->unpaired -= st->unpaired;
	h->kept_bytes -= st->kept_bytes;
	if (st->hole)
		h->gone[h->gone_n++ % H2_GONE_MAX] = st->id;
	free_messages(st);
	if (requests < 0) { /* which side asked was never seen: nothing can be said */
		free_bodies(st);
		txn_free(st->txn);
		return;
	}
	x.req = &st->msg[requests];
	x.resp = &st->msg[dir_other((enum dir)requests)];
	x.late = st->hole == H2_HOLE_JOIN;
	x.end_missed = end_missed(h, dir_other((enum dir)requests), st);
	if (x.end_missed)
		x.resp->lost = x.resp->inexact = true;
	find_fields(&x.q, x.req);
	find_fields(&x.p, x.resp);
	if (st->upgraded)
		x.q.line = *st->upgraded;
	fill_envelope(&x);
	add_attrs(&x);
	if (st->tunnel)
		h2_tunnel_open(h, st->id, st->txn);
	emit(&x);
}

static struct str copy(struct arena *a, struct str v)
{
	return v.p ? arena_str(a, v.p, v.n) : STR_NONE;
}

/* Of what is shown while the stream goes on; its own transaction comes later. */
static void begin_envelope(struct txn *t, const struct h2 *h, const struct h2_stream *st)
{
	t->event_name = "http.exchange";
	t->proto_name = "http";
	t->proto_version = "2";
	t->role = h->requests == DIR_READ ? ROLE_SERVER : ROLE_CLIENT;
	t->has_stream = true;
	t->stream_id = st->id;
	t->flags = TXN_EARLY;
}

/* ... with the request's part, whose fields are `q`. NULL without memory. */
static struct txn *new_running(const struct h2 *h, const struct h2_stream *st,
			       const struct fields *q)
{
	const struct h2_request *line = st->upgraded ? st->upgraded : &q->line;
	struct txn *t = txn_new(h->conn);
	struct exchange x = {.h = h, .t = t};
	struct str verb, target;

	if (!t)
		return NULL;
	x.q.line.method = copy(&t->arena, line->method);
	x.q.line.scheme = copy(&t->arena, line->scheme);
	x.q.line.authority = copy(&t->arena, line->authority);
	x.q.line.path = copy(&t->arena, line->path);
	x.q.host = copy(&t->arena, q->host);
	begin_envelope(t, h, st);
	t->flags |= st->hole == H2_HOLE_JOIN ? TXN_LATE : 0;
	t->flags |= st->msg[h->requests].unknown ? TXN_UNKNOWN_HEADERS : 0;
	if (!q->content_type.p || !grpc_content_type(q->content_type)) {
		add_request(&x);
		return t;
	}
	/* in the order of the whole call */
	grpc_describe(t, &(struct grpc_call){.path = x.q.line.path});
	verb = t->verb, target = t->target;
	add_request(&x);
	t->verb = verb, t->target = target;
	return t;
}

void h2_txn_begun(struct h2 *h, enum dir d, const struct h2_stream *st)
{
	struct fields q = {0};
	struct txn *t;

	find_fields(&q, &st->msg[d]);
	t = new_running(h, st, &q);
	if (!t)
		return;
	t->start_ns = t->end_ns = st->txn->start_ns;
	t->tid = st->txn->tid;
	h->sink->ops->txn(h->sink, t);
}

void h2_txn_piece(struct h2 *h, enum dir d, const struct h2_stream *st, const struct h2_bytes *b)
{
	const struct h2_msg *m = &st->msg[d];
	struct fields q = {0}, p = {0};
	struct txn *t;

	if (h->requests < 0)
		return;
	find_fields(&q, &st->msg[h->requests]);
	find_fields(&p, &st->msg[dir_other((enum dir)h->requests)]);
	if (grpc_content_type(q.content_type) || grpc_content_type(p.content_type))
		return; /* its messages are told, not their pieces */
	t = new_running(h, st, &q);
	if (!t)
		return;
	t->start_ns = t->end_ns = b->ts_ns;
	t->tid = b->tid;
	if (st->status) {
		t->status = copy(&t->arena, p.status);
		txn_int(t, A_HTTP_STATUS, st->status);
		t->outcome = http_outcome(st->status);
	}
	content_describe_piece(t,
			       &(struct content_piece){
				       .request = h->requests == (int)d,
				       .misplaced = m->inexact,
				       .headers = m->headers,
				       .count = m->count,
				       .offset = m->body_bytes - b->n,
				       .octets = {(const char *)b->p, b->n},
			       },
			       h->limits);
	h->sink->ops->txn(h->sink, t);
}

void h2_txn_message(struct h2 *h, enum dir d, const struct h2_stream *st, const struct h2_bytes *b)
{
	const struct h2_msg *m = &st->msg[d];
	bool request = h->requests == (int)d;
	struct fields q = {0}, own = {0};
	struct str encoding;
	struct txn *t;

	if (h->requests < 0)
		return;
	find_fields(&q, &st->msg[h->requests]);
	t = q.content_type.p && grpc_content_type(q.content_type) ? txn_new(h->conn) : NULL;
	if (!t)
		return;
	find_fields(&own, m);
	begin_envelope(t, h, st);
	t->start_ns = t->end_ns = b->ts_ns;
	t->tid = b->tid;
	encoding = copy(&t->arena, own.grpc_encoding);
	grpc_describe_message(t, &m->framing,
			      &(struct grpc_call){
				      .path = copy(&t->arena, q.line.path),
				      .request_encoding = request ? encoding : STR_NONE,
				      .response_encoding = request ? STR_NONE : encoding,
			      },
			      d == DIR_WRITE);
	*(request ? &t->request_body_bytes : &t->response_body_bytes) =
		grpc_message_bytes(&m->framing);
	if (m->message.n)
		txn_bytes(t, request ? A_REQUEST_BODY_BASE64 : A_RESPONSE_BODY_BASE64,
			  copy(&t->arena, (struct str){(const char *)m->message.p, m->message.n}));
	t->flags |= m->message_lost ? (request ? TXN_LOST_REQUEST : TXN_LOST_RESPONSE) : 0;
	h->sink->ops->txn(h->sink, t);
}

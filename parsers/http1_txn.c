/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/http1_txn.h"

#include <utlist.h>

#include "core/attr_names.h"
#include "parsers/content.h"
#include "parsers/http_common.h"

#define KEEP_FIRST_BYTES 4096

static bool over(const struct http1_message *m)
{
	return m->state >= MESSAGE_WHOLE;
}

static bool waits(const struct http1_exchange *e)
{
	return e->response.state == MESSAGE_NONE;
}

static void evict_oldest(struct http1_queue *q)
{
	struct http1_exchange *e;

	DL_FOREACH (q->list, e) {
		if (waits(e) && over(&e->request)) {
			e->txn->flags |= TXN_LIMIT;
			proto_limit(q->sink, q->count >= q->limits->pipeline ? LIMIT_REQUESTS
									     : LIMIT_KEPT_BYTES);
			q->forsaken++;
			http1_exchange_emit(q, e);
			return;
		}
	}
}

struct http1_exchange *http1_exchange_new(struct http1_queue *q)
{
	struct txn *t = txn_new(q->conn);
	struct http1_exchange *e;

	if (!t)
		return NULL;
	e = arena_zalloc(&t->arena, sizeof(*e));
	if (!e) {
		txn_free(t);
		return NULL;
	}
	e->txn = t;
	return e;
}

void http1_exchange_free(struct http1_exchange *e)
{
	txn_free(e->txn);
}

static bool all_answered(const struct http1_queue *q)
{
	/* More than one request at a time: pipelining, so that those are owed too. */
	uint64_t pipelined = q->unsure.requests > 1 ? q->unsure.requests : 0;

	return q->unsure.responses >= q->unsure.owed + pipelined;
}

/* A request begins: pairing is sure again when everything before it must have been answered. */
static void regain(struct http1_queue *q)
{
	struct http1_exchange *e, *next;

	if (!q->unsure.on || !all_answered(q))
		return;
	q->unsure.on = false;
	for (e = q->list; e; e = next) {
		next = e->next;
		if (e->unsure)
			http1_message_end(q, e, &e->response, false);
	}
}

static void begin_unsure(struct http1_queue *q, uint64_t owed)
{
	q->unsure.on = true;
	q->unsure.owed = owed;
	q->unsure.requests = q->unsure.responses = 0;
}

void http1_queue_lost_request(struct http1_queue *q)
{
	begin_unsure(q, q->unsure.on ? q->unsure.owed + 1 : 1);
}

void http1_exchange_queue(struct http1_queue *q, struct http1_exchange *e)
{
	if (e->request.state == MESSAGE_NONE) {
		DL_PREPEND(q->list, e);
		q->unsure.responses++;
	} else {
		regain(q);
		if (q->count >= q->limits->pipeline || q->pending_bytes > HTTP1_PENDING_BYTES)
			evict_oldest(q);
		e->unsure = q->unsure.on;
		q->unsure.requests++;
		DL_APPEND(q->list, e);
	}
	q->count++;
	e->pending_bytes = e->txn->arena.used_bytes;
	q->pending_bytes += e->pending_bytes;
}

enum http1_answer http1_queue_answer(const struct http1_queue *q, uint64_t first_ns,
				     struct http1_exchange **e)
{
	DL_FOREACH (q->list, *e)
		if (!over(&(*e)->response))
			break;
	if (q->forsaken || (q->unsure.on && (!*e || (*e)->unsure)))
		return ANSWER_ORPHAN;
	if (!*e)
		return ANSWER_WAITS;
	/* What began before this request did answers one that was lost. */
	return (*e)->request.first_ns <= first_ns ? ANSWER_PAIRS : ANSWER_ORPHAN;
}

/* Room for `more` kept octets, doubling; what the arena cannot give is not kept. */
static bool reserve_kept(struct http1_message *m, struct arena *a, size_t more, size_t limit)
{
	size_t cap = m->kept_cap ? m->kept_cap * 2 : KEEP_FIRST_BYTES;
	uint8_t *grown;

	if (m->kept_cap - m->kept_bytes >= more)
		return true;
	if (cap < m->kept_bytes + more)
		cap = m->kept_bytes + more;
	if (cap > limit)
		cap = limit;
	grown = arena_alloc(a, cap);
	if (!grown)
		return false;
	if (m->kept_bytes)
		memcpy(grown, m->kept, m->kept_bytes);
	m->kept = grown;
	m->kept_cap = cap;
	return true;
}

void http1_message_content(struct http1_exchange *e, struct http1_message *m, const uint8_t *p,
			   size_t n)
{
	size_t limit = m->keep_bytes, keep = n;

	m->body_bytes += n;
	if (!limit || m->kept_all)
		return;
	if (keep >= limit - m->kept_bytes) {
		keep = limit - m->kept_bytes;
		m->kept_all = true;
	}
	if (!reserve_kept(m, &e->txn->arena, keep, limit)) {
		m->kept_all = true;
		e->txn->flags |= TXN_LIMIT;
		return;
	}
	memcpy(m->kept + m->kept_bytes, p, keep);
	m->kept_bytes += keep;
}

void http1_message_lost_content(struct http1_message *m, uint64_t n)
{
	m->body_bytes += n;
	m->kept_all = true; /* what follows does not join on to what was kept */
}

void http1_message_end(struct http1_queue *q, struct http1_exchange *e, struct http1_message *m,
		       bool whole)
{
	m->state = whole ? MESSAGE_WHOLE : MESSAGE_CUT;
	if (over(&e->response) && (over(&e->request) || e->request.state == MESSAGE_NONE))
		http1_exchange_emit(q, e);
}

void http1_exchange_interim(struct http1_queue *q, struct http1_exchange *e, struct str status_text)
{
	struct str code = STR_NONE;

	if (e->interim_count < HTTP1_INTERIM_MAX)
		code = arena_str(&e->txn->arena, status_text.p, status_text.n);
	if (code.p) {
		e->interim[e->interim_count++] = code;
		return;
	}
	if (!(e->txn->flags & TXN_LIMIT))
		proto_limit(q->sink, LIMIT_INTERIM);
	e->txn->flags |= TXN_LIMIT;
}

bool http1_queue_give_up(struct http1_queue *q, uint64_t lost)
{
	struct http1_exchange *e, *next;
	uint64_t oldest_lost = lost, waiting = 0;

	q->forsaken = 0;
	for (e = q->list; e; e = next) {
		next = e->next;
		if (!waits(e))
			continue;
		waiting++;
		if (lost)
			e->txn->flags |= TXN_LOST_RESPONSE;
		e->txn->lost_bytes += oldest_lost;
		oldest_lost = 0;
		http1_message_end(q, e, &e->response, false);
	}
	if (waiting > 1)
		begin_unsure(q, waiting - 1);
	else
		q->unsure.responses++;
	return waiting > 0;
}

void http1_queue_skipped(struct http1_queue *q, bool requests)
{
	const struct http1_exchange *e;
	uint64_t waiting = 0;

	DL_FOREACH (q->list, e)
		waiting += waits(e);
	/* A client that waits for each response has sent nothing more while one is due, nor got one more. */
	if (requests && waiting)
		http1_queue_lost_request(q);
	else if (!requests && waiting > 1)
		http1_queue_give_up(q, 0);
}

/* By the status, unless the connection ended before the response did. */
static enum outcome outcome(const struct http1_queue *q, const struct http1_exchange *e)
{
	const struct http1_message *m = &e->response;
	bool cut = q->closed && m->state != MESSAGE_WHOLE && !(e->txn->flags & TXN_LOST_RESPONSE);

	if (cut && !e->unsure)
		return OUTCOME_ABORTED;
	return http_outcome(m->head.status);
}

static void fill_envelope(const struct http1_queue *q, struct http1_exchange *e)
{
	const struct http1_message *req = &e->request, *resp = &e->response;
	struct txn *t = e->txn;
	const struct http1_head *h = req->state ? &req->head : &resp->head;

	t->event_name = "http.exchange";
	t->proto_name = "http";
	t->proto_version = h->minor ? "1.1" : "1.0";
	t->role = q->role;
	t->start_ns = req->state ? req->first_ns : resp->first_ns;
	t->end_ns = req->last_ns > resp->last_ns ? req->last_ns : resp->last_ns;
	t->request_end_ns = req->state == MESSAGE_WHOLE ? req->last_ns : 0;
	t->response_start_ns = resp->head.status ? resp->first_ns : 0;
	t->request_body_bytes = req->body_bytes;
	t->response_body_bytes = resp->body_bytes;
	if (req->state == MESSAGE_NONE)
		t->flags |= TXN_NO_REQUEST;
	else if (req->state != MESSAGE_WHOLE && !(t->flags & TXN_LOST_REQUEST))
		t->flags |= TXN_CUT_REQUEST;
	if (resp->state != MESSAGE_WHOLE && !(resp->head.status && (t->flags & TXN_LOST_RESPONSE)))
		t->flags |= TXN_NO_RESPONSE;
	if (req->head.ambiguity | resp->head.ambiguity)
		t->flags |= TXN_AMBIGUOUS;
	t->outcome = outcome(q, e);
}

static void add_request(const struct http1_queue *q, struct http1_exchange *e)
{
	struct txn *t = e->txn;
	struct http1_head *h = &e->request.head;
	struct str authority = h->host.n ? h->host : q->conn->sni;
	struct http_url u;

	t->verb = h->method;
	t->target = h->target;
	txn_str(t, A_HTTP_METHOD, h->method);
	if (str_eq(h->method, STR("CONNECT")))
		return;
	u = http_url(&t->arena, q->conn->plain ? STR("http") : STR("https"), authority, h->target);
	if (u.full.n)
		t->target = u.full;
	http_url_attrs(t, &u);
}

/* Of a message that was cut off before its content nobody knows the size. */
static void add_size(struct txn *t, const char *name, const struct http1_message *m)
{
	if (m->state == MESSAGE_OPEN || m->state == MESSAGE_WHOLE || m->body_bytes)
		txn_int(t, name, (int64_t)m->body_bytes);
}

static void add_content(const struct http1_queue *q, struct txn *t, const char *name,
			const struct http1_message *m)
{
	size_t shown = q->limits->body_bytes;

	shown = m->kept_bytes < shown ? m->kept_bytes : shown;
	if (shown)
		txn_bytes(t, name, (struct str){(const char *)m->kept, shown});
}

static void add_headers(const struct http1_queue *q, struct txn *t, const char *name,
			const struct http1_head *h)
{
	uint32_t count = h->count;

	if (count > q->limits->headers) {
		count = q->limits->headers;
		proto_limit(q->sink, LIMIT_HEADERS);
		t->flags |= TXN_LIMIT;
	}
	txn_headers(t, name, h->headers, count);
}

static void add_ambiguity(struct http1_exchange *e)
{
	unsigned int bits = e->request.head.ambiguity | e->response.head.ambiguity;
	struct str *names;
	uint32_t count = 0;

	if (!bits)
		return;
	names = arena_alloc(&e->txn->arena, AMBIGUOUS_COUNT * sizeof(*names));
	if (!names)
		return;
	for (int i = 0; i < AMBIGUOUS_COUNT; i++)
		if (bits & 1u << i)
			names[count++] = str_from(http1_ambiguity_name(i));
	txn_strs(e->txn, A_AMBIGUITY, names, count);
}

static void add_attrs(const struct http1_queue *q, struct http1_exchange *e)
{
	const struct http1_message *req = &e->request, *resp = &e->response;
	struct txn *t = e->txn;

	if (req->state)
		add_request(q, e);
	if (resp->head.status) {
		t->status = resp->head.status_text;
		txn_int(t, A_HTTP_STATUS, resp->head.status);
	}
	add_size(t, A_HTTP_REQUEST_BODY_SIZE, req);
	add_size(t, A_HTTP_RESPONSE_BODY_SIZE, resp);
	add_content(q, t, A_REQUEST_BODY_BASE64, req);
	add_content(q, t, A_RESPONSE_BODY_BASE64, resp);
	if (req->state)
		add_headers(q, t, A_REQUEST_HEADERS, &req->head);
	if (resp->head.status)
		add_headers(q, t, A_RESPONSE_HEADERS, &resp->head);
	if (e->interim_count)
		txn_strs(t, A_INTERIM, e->interim, e->interim_count);
	add_ambiguity(e);
	if (resp->head.status >= 400)
		txn_str(t, A_ERROR_TYPE, t->status);
}

static struct content_message content_of(const struct http1_message *m)
{
	return (struct content_message){
		.headers = m->head.headers,
		.count = m->head.count,
		.body = {(const char *)m->kept, m->kept_bytes},
		.whole = m->state == MESSAGE_WHOLE && m->kept_bytes == m->body_bytes,
	};
}

void http1_exchange_emit(struct http1_queue *q, struct http1_exchange *e)
{
	struct content_message req = content_of(&e->request), resp = content_of(&e->response);
	struct txn *t = e->txn;

	DL_DELETE(q->list, e);
	q->count--;
	q->pending_bytes -= e->pending_bytes;
	fill_envelope(q, e);
	add_attrs(q, e);
	content_emit(q->sink, t, &req, &resp);
}

/* What is told of an exchange while it goes on has the request's part. NULL without memory. */
static struct txn *new_running(const struct http1_queue *q, const struct http1_exchange *e,
			       uint64_t ts_ns, uint32_t tid)
{
	const struct http1_head *h = &e->request.head;
	struct http1_exchange copy = {.txn = txn_new(q->conn)};
	struct txn *t = copy.txn;

	if (!t)
		return NULL;
	copy.request.head.method = arena_str(&t->arena, h->method.p, h->method.n);
	copy.request.head.target = arena_str(&t->arena, h->target.p, h->target.n);
	copy.request.head.host = arena_str(&t->arena, h->host.p, h->host.n);
	t->event_name = "http.exchange";
	t->proto_name = "http";
	t->proto_version = h->minor ? "1.1" : "1.0";
	t->role = q->role;
	t->tid = tid;
	t->start_ns = t->end_ns = ts_ns;
	t->flags = TXN_EARLY | (e->txn->flags & TXN_LATE);
	if (e->request.state)
		add_request(q, &copy);
	else
		t->flags |= TXN_NO_REQUEST;
	return t;
}

void http1_exchange_begun(struct http1_queue *q, const struct http1_exchange *e, uint64_t ts_ns)
{
	struct txn *t = new_running(q, e, ts_ns, e->txn->tid);

	if (t)
		q->sink->ops->txn(q->sink, t);
}

void http1_exchange_piece(struct http1_queue *q, const struct http1_exchange *e,
			  const struct http1_message *m, const struct slice *s)
{
	struct txn *t = new_running(q, e, s->ts_ns, s->tid);

	if (!t)
		return;
	if (e->response.head.status) {
		t->status = arena_str(&t->arena, e->response.head.status_text.p,
				      e->response.head.status_text.n);
		txn_int(t, A_HTTP_STATUS, e->response.head.status);
		t->outcome = http_outcome(e->response.head.status);
	}
	content_describe_piece(t,
			       &(struct content_piece){
				       .request = m == &e->request,
				       .headers = m->head.headers,
				       .count = m->head.count,
				       .offset = m->body_bytes - s->n,
				       .octets = {(const char *)s->p, s->n},
			       },
			       q->limits);
	q->sink->ops->txn(q->sink, t);
}

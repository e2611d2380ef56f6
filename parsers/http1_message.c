/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where messages of HTTP/1 begin and end: what a section says, whose response it is, what it hides. */
#include "parsers/http1_conn.h"

#include <errno.h>

#include "core/secrets.h"
#include "parsers/content.h"

#define HELD_KEEP_BYTES (16u << 10) /* a larger buffer goes back after the section */

struct secret_place {
	struct proto_sink *sink;
	enum dir dir;
	uint64_t off; /* of the value */
};

static void tell_secret(void *arg, size_t at, size_t n)
{
	const struct secret_place *w = arg;

	w->sink->ops->secret(w->sink, w->dir, w->off + at, n, HTTP1_SECRET_FILL);
}

/* The value is a part of the section that `side` is at. */
static void find_secrets(struct http1 *p, enum dir d, enum secret_kind kind, struct str value,
			 struct str section)
{
	struct secret_place where = {p->queue.sink, d, p->side[d].section_off};

	if (kind == SECRET_NONE || !value.n)
		return;
	where.off += (size_t)(value.p - section.p);
	secret_ranges(p->queue.limits->secrets, kind, value, tell_secret, &where);
}

static void find_field_secrets(struct http1 *p, enum dir d, const struct http1_head *h,
			       uint32_t first, struct str section)
{
	const struct secret_rules *rules = p->queue.limits->secrets;

	for (uint32_t i = first; i < h->count; i++)
		find_secrets(p, d, secret_header(rules, h->headers[i].name), h->headers[i].value,
			     section);
}

void http1_stray_secrets(struct http1 *p, enum dir d, struct str section)
{
	const char *lf = memchr(section.p, '\n', section.n);
	size_t n = lf ? (size_t)(lf - section.p) : section.n;
	const char *space = memchr(section.p, ' ', n);
	size_t at = space ? (size_t)(space - section.p) + 1 : n;

	find_secrets(p, d, SECRET_URL, (struct str){section.p + at, n - at}, section);
}

void http1_reset_side(struct http1_side *side)
{
	side->phase = PHASE_START;
	side->scan = (struct http1_scan){0};
	side->probed = false;
	side->exchange = NULL;
	if (side->held.cap > HELD_KEEP_BYTES)
		buf_free(&side->held);
	else
		buf_clear(&side->held);
}

void http1_end_message(struct http1 *p, enum dir d, bool whole)
{
	struct http1_message *m = http1_open_message(p, d);
	struct http1_exchange *e = p->side[d].exchange;

	if (whole)
		m->last_ns = p->side[d].last_ns;
	m->head.ambiguity |= p->side[d].content.ambiguity;
	http1_reset_side(&p->side[d]);
	http1_message_end(&p->queue, e, m, whole);
}

/* Ends the open message for the reason in in->cut. */
static enum http1_step cut_message(struct http1 *p, const struct http1_input *in)
{
	struct txn *t = p->side[in->dir].exchange->txn;

	if (in->cut == CUT_LIMIT)
		t->flags |= TXN_LIMIT;
	if (in->cut == CUT_GAP) {
		t->flags |= http1_is_request_dir(p, in->dir) ? TXN_LOST_REQUEST : TXN_LOST_RESPONSE;
		t->lost_bytes += in->lost;
	}
	http1_end_message(p, in->dir, false);
	if (http1_is_response_dir(p, in->dir) && in->cut != CUT_CLOSE)
		http1_queue_give_up(&p->queue, in->lost);
	return STEP_LOST;
}

enum http1_step http1_lose(struct http1 *p, const struct http1_input *in)
{
	if (p->side[in->dir].exchange)
		return cut_message(p, in);
	p->lost_ns[in->dir] = in->ts_ns;
	if (!http1_is_response_dir(p, in->dir) || !http1_queue_give_up(&p->queue, in->lost))
		p->lost[in->dir] += in->lost;
	if (http1_is_request_dir(p, in->dir))
		http1_queue_lost_request(&p->queue);
	http1_reset_side(&p->side[in->dir]);
	return STEP_LOST;
}

static void learn_role(struct http1 *p, enum dir d, bool request)
{
	if (p->queue.role != ROLE_UNKNOWN)
		return;
	p->request_dir = request ? d : dir_other(d);
	p->queue.role = p->request_dir == DIR_READ ? ROLE_SERVER : ROLE_CLIENT;
	p->queue.sink->ops->role(p->queue.sink, p->queue.role);
	if (p->lost[p->request_dir])
		http1_queue_lost_request(&p->queue);
}

/* Copies a section into the arena and reads it there. */
static int read_head(struct http1 *p, const struct http1_input *in, struct http1_head *h,
		     struct arena *a, struct str raw)
{
	const struct http1_scan *scan = &p->side[in->dir].scan;
	struct str section = arena_str(a, raw.p, raw.n);
	int err;

	if (!section.p)
		return -ENOMEM;
	err = in->cut ? http1_head_read_lenient(h, a, section, scan->lines)
		      : http1_head_read(h, a, section, scan);
	if (err) {
		http1_stray_secrets(p, in->dir, section);
		return err;
	}
	find_secrets(p, in->dir, SECRET_URL, h->target, section);
	find_field_secrets(p, in->dir, h, 0, section);
	if (h->cut && h->count)
		h->count--; /* half a field is none */
	return 0;
}

/* The row that speaks on after 101 (RFC 9110 section 7.8). */
static const char *upgrade_row(const struct http1_head *h)
{
	if (h->status == 101 && http1_list_has(h->upgrade, STR("websocket")))
		return "websocket";
	if (h->status == 101 && http1_list_has(h->upgrade, STR("h2c")))
		return "http/2";
	return NULL;
}

static enum http1_step begin_tunnel(struct http1 *p, struct http1_input *in)
{
	struct http1_exchange *e = p->side[in->dir].exchange;
	enum dir requests = p->request_dir;

	in->upgrade = upgrade_row(&e->response.head);
	if (p->side[requests].exchange == e)
		http1_end_message(p, requests, false);
	http1_end_message(p, in->dir, true);
	for (int d = 0; d < DIR_COUNT; d++)
		p->side[d].phase = PHASE_TUNNEL;
	return STEP_UPGRADE;
}

/* The header section of e is read: what follows? */
static enum http1_step begin_content(struct http1 *p, struct http1_input *in,
				     struct http1_exchange *e)
{
	struct http1_side *side = &p->side[in->dir];
	struct http1_message *m;
	enum http1_body body;

	side->exchange = e;
	m = http1_open_message(p, in->dir);
	m->state = MESSAGE_OPEN;
	m->first_ns = side->section_ns;
	m->last_ns = side->last_ns;
	side->content = (struct http1_content){0};
	if (in->cut)
		return cut_message(p, in);
	body = http1_framing(&m->head, e->request.head.method);
	switch (body) {
	case BODY_NONE:
		http1_end_message(p, in->dir, true);
		return STEP_ON;
	case BODY_TUNNEL:
		return begin_tunnel(p, in);
	case BODY_UNKNOWN:
		return cut_message(p, in);
	default:
		m->keep_bytes = content_keep_bytes(m->head.headers, m->head.count, p->queue.limits);
		http1_content_begin(&side->content, body, m->head.content_length);
		side->phase = PHASE_CONTENT;
		return STEP_ON;
	}
}

static enum http1_step begin_request(struct http1 *p, struct http1_input *in, struct str raw)
{
	struct http1_exchange *e = http1_exchange_new(&p->queue);
	enum dir responses = dir_other(in->dir);

	if (!e)
		return http1_lose(p, in);
	if (read_head(p, in, &e->request.head, &e->txn->arena, raw)) {
		http1_exchange_free(e);
		return http1_lose(p, in);
	}
	learn_role(p, in->dir, true);
	p->late = false;
	e->txn->tid = p->side[in->dir].section_tid;
	e->request.state = MESSAGE_OPEN;
	http1_exchange_queue(&p->queue, e);
	if (p->queue.limits->early)
		http1_exchange_begun(&p->queue, e, p->side[in->dir].section_ns);
	if (!e->unsure)
		p->lost[in->dir] = 0;
	/* The response to it was lost, or went out alone, before it was seen. */
	if (p->lost_ns[responses] > p->side[in->dir].section_ns)
		http1_queue_give_up(&p->queue, p->lost[responses]);
	p->lost[responses] = 0;
	return begin_content(p, in, e);
}

/* An exchange of which only the response is to be had, not in the queue yet. NULL without memory. */
static struct http1_exchange *new_orphan(struct http1 *p, const struct http1_side *side)
{
	struct http1_exchange *e = http1_exchange_new(&p->queue);

	if (!e)
		return NULL;
	e->txn->tid = side->section_tid;
	if (p->late)
		e->txn->flags |= TXN_LATE;
	if (p->queue.forsaken) {
		e->txn->flags |= TXN_LIMIT;
		p->queue.forsaken--;
	}
	return e;
}

/* 1xx other than 101, where a status code stands in a plain status line. */
static bool looks_interim(struct str raw)
{
	return raw.n > 12 && raw.p[9] == '1' && memcmp(raw.p + 9, "101", 3) != 0;
}

/* What went before an orphan: its request may have been in the octets lost there. */
static void queue_orphan(struct http1 *p, struct http1_exchange *e)
{
	uint64_t *lost = &p->lost[p->request_dir];

	if (*lost) {
		e->txn->flags |= TXN_LOST_REQUEST;
		e->txn->lost_bytes += *lost;
		*lost = 0;
	}
	http1_exchange_queue(&p->queue, e);
}

static enum http1_step read_response(struct http1 *p, struct http1_input *in, struct str raw,
				     struct http1_exchange *e, bool orphan)
{
	/* Of interim responses there may be any number; they leave nothing in the transaction. */
	struct arena *a = looks_interim(raw) ? &p->scratch : &e->txn->arena;
	struct http1_head h;

	if (read_head(p, in, &h, a, raw)) {
		if (orphan)
			http1_exchange_free(e);
		return http1_lose(p, in);
	}
	learn_role(p, in->dir, false);
	if (orphan)
		queue_orphan(p, e);
	if (h.status / 100 != 1 || h.status == 101) {
		e->response.head = h;
		return begin_content(p, in, e);
	}
	http1_exchange_interim(&p->queue, e, h.status_text);
	arena_reset(&p->scratch);
	if (in->cut)
		return http1_lose(p, in);
	http1_reset_side(&p->side[in->dir]);
	return STEP_ON;
}

static enum http1_step begin_response(struct http1 *p, struct http1_input *in, struct str raw)
{
	struct http1_side *side = &p->side[in->dir];
	struct http1_exchange *e;
	enum http1_answer answer = http1_queue_answer(&p->queue, side->section_ns, &e);

	if (answer == ANSWER_WAITS && !in->expired)
		return STEP_WAIT; /* the request may still come, from another thread */
	if (answer == ANSWER_WAITS)
		p->lost_ns[in->dir] = side->section_ns; /* it comes too late when it does */
	if (answer != ANSWER_PAIRS)
		e = new_orphan(p, side);
	return e ? read_response(p, in, raw, e, answer != ANSWER_PAIRS) : http1_lose(p, in);
}

enum http1_step http1_begin_message(struct http1 *p, struct http1_input *in, struct str raw)
{
	bool response = raw.n >= 5 && memcmp(raw.p, "HTTP/", 5) == 0;

	if (response ? http1_is_request_dir(p, in->dir) : http1_is_response_dir(p, in->dir)) {
		http1_stray_secrets(p, in->dir, raw);
		return http1_lose(p, in);
	}
	return response ? begin_response(p, in, raw) : begin_request(p, in, raw);
}

enum http1_step http1_end_trailers(struct http1 *p, struct http1_input *in, struct str raw)
{
	struct http1_side *side = &p->side[in->dir];
	struct http1_message *m = http1_open_message(p, in->dir);
	struct txn *t = side->exchange->txn;
	uint32_t first = m->head.count;

	if (raw.n > 2) {
		struct str section = arena_str(&t->arena, raw.p, raw.n);

		if (!section.p ||
		    http1_trailers_read(&m->head, &t->arena, section, side->scan.lines))
			t->flags |= TXN_LIMIT;
		find_field_secrets(p, in->dir, &m->head, first, section);
		if (m->head.cut && m->head.count > first)
			m->head.count--;
	}
	if (in->cut)
		return cut_message(p, in);
	http1_end_message(p, in->dir, true);
	return STEP_ON;
}

bool http1_upgrade_pending(const struct http1 *p, enum dir d)
{
	const struct http1_exchange *e = p->queue.list ? p->queue.list->prev : NULL;

	return e && http1_is_request_dir(p, d) && e->response.state == MESSAGE_NONE &&
	       (str_eq(e->request.head.method, STR("CONNECT")) ||
		(e->request.head.connection_upgrade && e->request.head.upgrade.n));
}

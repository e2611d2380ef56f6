/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1.0 and 1.1 (RFC 9110, RFC 9112): the state of both directions of a connection. Each reads header
 * section, content, trailer section in turn; http1_head reads sections, http1_body frames content,
 * http1_txn pairs requests with responses. Which direction carries requests is learnt from the first
 * message.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/buf.h"
#include "core/secrets.h"
#include "parsers/http1_body.h"
#include "parsers/http1_txn.h"
#include "parsers/rows.h"

#define SECRET_FILL '*'
#define HELD_KEEP_BYTES (16u << 10) /* a larger buffer goes back after the section */

/* One direction. */
struct side {
	enum {
		PHASE_START, /* between messages */
		PHASE_HEAD,
		PHASE_CONTENT,
		PHASE_TRAILERS,
		PHASE_SKIP,   /* the rest of a section that is over its limit */
		PHASE_TUNNEL, /* HTTP/1 is over here */
	} phase;
	struct http1_scan scan;
	bool probed;	      /* the start line looks like one */
	struct buf held;      /* what came of the section in earlier slices */
	uint64_t section_off; /* in the direction */
	uint64_t section_ns;
	uint32_t section_tid;
	uint64_t next_off; /* behind the last octet taken */
	uint64_t last_ns;  /* of that octet */

	struct http1_content content;
	struct http1_exchange *exchange; /* whose message is open, else NULL */
};

struct http1 {
	struct http1_queue queue;
	struct side side[DIR_COUNT];
	enum dir request_dir; /* when queue.role is known */
	bool late;
	uint64_t lost[DIR_COUNT];    /* octets between messages, so messages among them */
	uint64_t lost_ns[DIR_COUNT]; /* when the last of them were */
	struct arena scratch;	     /* for sections of interim responses */
};

/* What a step of the state machine came to. */
enum step {
	STEP_ON,
	STEP_WAIT,
	STEP_LOST,
	STEP_UPGRADE,
};

/* Why a section ends before its end. */
enum cut {
	CUT_NONE,
	CUT_GAP,
	CUT_LIMIT,
	CUT_CLOSE,
};

/* What is being fed: a place in a slice, or a gap. */
struct input {
	enum dir dir;
	const struct slice *s;
	size_t pos;
	uint64_t ts_ns;
	bool expired;
	enum cut cut;
	uint64_t lost;	     /* octets, with CUT_GAP */
	const char *upgrade; /* with STEP_UPGRADE: proto_ops.name or NULL */
};

static bool is_request_dir(const struct http1 *p, enum dir d)
{
	return p->queue.role != ROLE_UNKNOWN && d == p->request_dir;
}

static bool is_response_dir(const struct http1 *p, enum dir d)
{
	return p->queue.role != ROLE_UNKNOWN && d != p->request_dir;
}

/* Of a side that has an exchange. */
static struct http1_message *open_message(const struct http1 *p, enum dir d)
{
	struct http1_exchange *e = p->side[d].exchange;

	return is_request_dir(p, d) ? &e->request : &e->response;
}

struct secret_place {
	struct proto_sink *sink;
	enum dir dir;
	uint64_t off; /* of the value */
};

static void tell_secret(void *arg, size_t at, size_t n)
{
	const struct secret_place *w = arg;

	w->sink->ops->secret(w->sink, w->dir, w->off + at, n, SECRET_FILL);
}

/* The value is a part of the section that `side` is at. */
static void find_secrets(struct http1 *p, enum dir d, enum secret_kind kind, struct str value,
			 struct str section)
{
	struct secret_place where = {p->queue.sink, d, p->side[d].section_off};

	if (kind == SECRET_NONE || !value.n)
		return;
	where.off += (size_t)(value.p - section.p);
	secret_ranges(kind, value, tell_secret, &where);
}

static void find_field_secrets(struct http1 *p, enum dir d, const struct http1_head *h,
			       uint32_t first, struct str section)
{
	for (uint32_t i = first; i < h->count; i++)
		find_secrets(p, d, secret_header(h->headers[i].name), h->headers[i].value, section);
}

/* A start line that is cut off, or is none, may hold a target with secrets all the same. */
static void find_stray_secrets(struct http1 *p, enum dir d, struct str section)
{
	const char *lf = memchr(section.p, '\n', section.n);
	size_t n = lf ? (size_t)(lf - section.p) : section.n;
	const char *target = memchr(section.p, ' ', n);

	if (target++)
		find_secrets(p, d, SECRET_URL,
			     (struct str){target, n - (size_t)(target - section.p)}, section);
}

static void reset_side(struct side *side)
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

static void end_message(struct http1 *p, enum dir d, bool whole)
{
	struct http1_message *m = open_message(p, d);
	struct http1_exchange *e = p->side[d].exchange;

	m->last_ns = p->side[d].last_ns;
	m->head.ambiguity |= p->side[d].content.ambiguity;
	reset_side(&p->side[d]);
	http1_message_end(&p->queue, e, m, whole);
}

/* Ends the open message for the reason in in->cut. */
static enum step cut_message(struct http1 *p, const struct input *in)
{
	struct txn *t = p->side[in->dir].exchange->txn;

	if (in->cut == CUT_LIMIT)
		t->flags |= TXN_LIMIT;
	if (in->cut == CUT_GAP) {
		t->flags |= is_request_dir(p, in->dir) ? TXN_LOST_REQUEST : TXN_LOST_RESPONSE;
		t->lost_bytes += in->lost;
	}
	end_message(p, in->dir, false);
	if (is_response_dir(p, in->dir) && in->cut != CUT_CLOSE)
		http1_queue_give_up(&p->queue, in->lost);
	return STEP_LOST;
}

/* This direction is out of step; in->lost octets went with it. */
static enum step lose(struct http1 *p, const struct input *in)
{
	if (p->side[in->dir].exchange)
		return cut_message(p, in);
	p->lost[in->dir] += in->lost;
	p->lost_ns[in->dir] = in->ts_ns;
	if (is_response_dir(p, in->dir))
		http1_queue_give_up(&p->queue, in->lost);
	else if (is_request_dir(p, in->dir))
		http1_queue_lost_request(&p->queue);
	reset_side(&p->side[in->dir]);
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
static int read_head(struct http1 *p, const struct input *in, struct http1_head *h, struct arena *a,
		     struct str raw)
{
	const struct http1_scan *scan = &p->side[in->dir].scan;
	struct str section = arena_str(a, raw.p, raw.n);
	int err;

	if (!section.p)
		return -ENOMEM;
	err = in->cut ? http1_head_read_lenient(h, a, section, scan->lines)
		      : http1_head_read(h, a, section, scan);
	if (err) {
		find_stray_secrets(p, in->dir, section);
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

static enum step begin_tunnel(struct http1 *p, struct input *in)
{
	struct http1_exchange *e = p->side[in->dir].exchange;
	enum dir requests = p->request_dir;

	in->upgrade = upgrade_row(&e->response.head);
	if (p->side[requests].exchange == e)
		end_message(p, requests, false);
	end_message(p, in->dir, true);
	for (int d = 0; d < DIR_COUNT; d++)
		p->side[d].phase = PHASE_TUNNEL;
	return STEP_UPGRADE;
}

/* The header section of e is read: what follows? */
static enum step begin_content(struct http1 *p, struct input *in, struct http1_exchange *e)
{
	struct side *side = &p->side[in->dir];
	struct http1_message *m;
	enum http1_body body;

	side->exchange = e;
	m = open_message(p, in->dir);
	m->state = MESSAGE_OPEN;
	m->first_ns = side->section_ns;
	m->last_ns = side->last_ns;
	side->content = (struct http1_content){0};
	if (in->cut)
		return cut_message(p, in);
	body = http1_framing(&m->head, e->request.head.method);
	switch (body) {
	case BODY_NONE:
		end_message(p, in->dir, true);
		return STEP_ON;
	case BODY_TUNNEL:
		return begin_tunnel(p, in);
	case BODY_UNKNOWN:
		return cut_message(p, in);
	default:
		http1_content_begin(&side->content, body, m->head.content_length);
		side->phase = PHASE_CONTENT;
		return STEP_ON;
	}
}

static enum step begin_request(struct http1 *p, struct input *in, struct str raw)
{
	struct http1_exchange *e = http1_exchange_new(&p->queue, raw.n);
	enum dir responses = dir_other(in->dir);

	if (!e)
		return lose(p, in);
	if (read_head(p, in, &e->request.head, &e->txn->arena, raw)) {
		http1_exchange_free(e);
		return lose(p, in);
	}
	learn_role(p, in->dir, true);
	p->late = false;
	e->txn->tid = p->side[in->dir].section_tid;
	e->request.state = MESSAGE_OPEN;
	http1_exchange_queue(&p->queue, e);
	if (!e->unsure)
		p->lost[in->dir] = 0;
	/* Responses were lost after it began, and known to be before it was seen. */
	if (p->lost_ns[responses] > p->side[in->dir].section_ns)
		http1_queue_give_up(&p->queue, p->lost[responses]);
	p->lost[responses] = 0;
	return begin_content(p, in, e);
}

/* An exchange of which only the response is to be had, not in the queue yet. NULL without memory. */
static struct http1_exchange *new_orphan(struct http1 *p, const struct side *side, size_t n)
{
	struct http1_exchange *e = http1_exchange_new(&p->queue, n);

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

static enum step read_response(struct http1 *p, struct input *in, struct str raw,
			       struct http1_exchange *e, bool orphan)
{
	/* Of interim responses there may be any number; they leave nothing in the transaction. */
	struct arena *a = looks_interim(raw) ? &p->scratch : &e->txn->arena;
	struct http1_head h;

	if (read_head(p, in, &h, a, raw)) {
		if (orphan)
			http1_exchange_free(e);
		return lose(p, in);
	}
	learn_role(p, in->dir, false);
	if (orphan)
		queue_orphan(p, e);
	if (h.status / 100 != 1 || h.status == 101) {
		e->response.head = h;
		return begin_content(p, in, e);
	}
	http1_exchange_interim(e, h.status_text);
	arena_reset(&p->scratch);
	if (in->cut)
		return lose(p, in);
	reset_side(&p->side[in->dir]);
	return STEP_ON;
}

static enum step begin_response(struct http1 *p, struct input *in, struct str raw)
{
	struct side *side = &p->side[in->dir];
	struct http1_exchange *e;
	enum http1_answer answer = http1_queue_answer(&p->queue, side->section_ns, &e);

	if (answer == ANSWER_WAITS && !in->expired)
		return STEP_WAIT; /* the request may still come, from another thread */
	if (answer != ANSWER_PAIRS)
		e = new_orphan(p, side, raw.n);
	return e ? read_response(p, in, raw, e, answer != ANSWER_PAIRS) : lose(p, in);
}

/* A header section is complete, or cut off. */
static enum step begin_message(struct http1 *p, struct input *in, struct str raw)
{
	bool response = raw.n >= 5 && memcmp(raw.p, "HTTP/", 5) == 0;

	if (response ? is_request_dir(p, in->dir) : is_response_dir(p, in->dir)) {
		find_stray_secrets(p, in->dir, raw);
		return lose(p, in);
	}
	return response ? begin_response(p, in, raw) : begin_request(p, in, raw);
}

/* The trailer section is complete, or cut off. */
static enum step end_trailers(struct http1 *p, struct input *in, struct str raw)
{
	struct side *side = &p->side[in->dir];
	struct http1_message *m = open_message(p, in->dir);
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
	end_message(p, in->dir, true);
	return STEP_ON;
}

/* After CONNECT or Upgrade the response decides in which protocol the bytes that follow are. */
static bool upgrade_pending(const struct http1 *p, enum dir d)
{
	const struct http1_exchange *e = p->queue.list ? p->queue.list->prev : NULL;

	return e && is_request_dir(p, d) && e->response.state == MESSAGE_NONE &&
	       (str_eq(e->request.head.method, STR("CONNECT")) ||
		(e->request.head.connection_upgrade && e->request.head.upgrade.n));
}

/* Empty lines before a message are ignored (RFC 9112 section 2.2). */
static enum step step_start(struct http1 *p, struct input *in)
{
	struct side *side = &p->side[in->dir];
	const struct slice *s = in->s;

	while (in->pos < s->n && (s->p[in->pos] == '\r' || s->p[in->pos] == '\n'))
		in->pos++;
	if (in->pos == s->n)
		return STEP_ON;
	if (!in->expired && upgrade_pending(p, in->dir))
		return STEP_WAIT;
	side->phase = PHASE_HEAD;
	side->section_off = s->off + in->pos;
	side->section_ns = s->ts_ns;
	side->section_tid = s->tid;
	return STEP_ON;
}

enum gathered {
	GATHERED_PART,
	GATHERED_ALL,
	GATHERED_LIMIT,
};

/* Takes `taken` octets of a section; *raw is what there is of it, in one piece until the next call. */
static enum gathered gather(struct http1 *p, const struct input *in, struct str *raw, size_t *taken)
{
	struct side *side = &p->side[in->dir];
	const uint8_t *at = in->s->p + in->pos;
	size_t n = in->s->n - in->pos, room = p->queue.limits->header_bytes - side->held.n, end;

	if (n > room)
		n = room;
	end = http1_scan(&side->scan, at, n);
	*taken = end ? end : n;
	*raw = (struct str){(const char *)at, *taken};
	if (end && !side->held.n)
		return GATHERED_ALL;
	if (buf_put(&side->held, at, *taken))
		return GATHERED_LIMIT;
	*raw = (struct str){(const char *)side->held.p, side->held.n};
	if (end)
		return GATHERED_ALL;
	return n == room ? GATHERED_LIMIT : GATHERED_PART;
}

/* What is left of a section over its limit was not looked at: all of it counts as secret. */
static enum step step_skip(struct http1 *p, struct input *in)
{
	struct side *side = &p->side[in->dir];
	size_t n = in->s->n - in->pos;
	size_t end = http1_scan(&side->scan, in->s->p + in->pos, n);

	if (end)
		n = end;
	p->queue.sink->ops->secret(p->queue.sink, in->dir, in->s->off + in->pos, n, SECRET_FILL);
	in->pos += n;
	if (!end)
		return STEP_ON;
	reset_side(side); /* what follows it depends on fields that were not read */
	return STEP_LOST;
}

static enum step step_section(struct http1 *p, struct input *in)
{
	struct side *side = &p->side[in->dir];
	const struct http1_scan before = side->scan;
	const size_t held = side->held.n;
	struct http1_scan after;
	enum gathered g;
	enum step step;
	struct str raw;
	size_t taken;

	g = gather(p, in, &raw, &taken);
	after = side->scan;
	if (side->phase == PHASE_HEAD && !side->probed) {
		enum probe_res r = http1_probe(in->dir, (const uint8_t *)raw.p, raw.n);

		if (r == PROBE_NO) {
			find_stray_secrets(p, in->dir, raw);
			return lose(p, in);
		}
		side->probed = r == PROBE_YES;
	}
	if (g == GATHERED_PART) {
		in->pos += taken;
		return STEP_ON;
	}
	in->cut = g == GATHERED_LIMIT ? CUT_LIMIT : CUT_NONE;
	step = side->phase == PHASE_HEAD ? begin_message(p, in, raw) : end_trailers(p, in, raw);
	if (step == STEP_WAIT) {
		side->scan = before;
		side->held.n = held;
		return step;
	}
	in->pos += taken;
	if (g == GATHERED_LIMIT) {
		side->phase = PHASE_SKIP;
		side->scan = after;
		return STEP_ON;
	}
	return step;
}

static enum step step_content(struct http1 *p, struct input *in)
{
	struct side *side = &p->side[in->dir];
	struct http1_message *m = open_message(p, in->dir);
	const uint8_t *at = in->s->p + in->pos;
	enum http1_piece piece;
	size_t taken;

	piece = http1_content_next(&side->content, at, in->s->n - in->pos, &taken);
	m->last_ns = side->last_ns;
	in->pos += taken;
	switch (piece) {
	case PIECE_DATA:
		http1_message_content(&p->queue, side->exchange, m, at, taken);
		if (http1_content_done(&side->content))
			end_message(p, in->dir, true);
		return STEP_ON;
	case PIECE_FRAMING:
		return STEP_ON;
	case PIECE_TRAILERS:
		side->phase = PHASE_TRAILERS;
		side->scan = (struct http1_scan){0};
		side->section_off = in->s->off + in->pos;
		buf_clear(&side->held);
		return STEP_ON;
	case PIECE_BAD:
		m->head.ambiguity |= 1u << AMBIGUOUS_CHUNK_INVALID;
		in->pos--; /* the octet that is out of place may begin a message */
		break;
	}
	return lose(p, in);
}

static enum step step(struct http1 *p, struct input *in)
{
	switch (p->side[in->dir].phase) {
	case PHASE_START:
		return step_start(p, in);
	case PHASE_HEAD:
	case PHASE_TRAILERS:
		return step_section(p, in);
	case PHASE_CONTENT:
		return step_content(p, in);
	case PHASE_SKIP:
		return step_skip(p, in);
	case PHASE_TUNNEL:
		in->pos = in->s->n;
		break;
	}
	return STEP_ON;
}

/* A section is searched for secrets when it is complete; until then it is not settled. */
static void settle(struct http1 *p, enum dir d)
{
	const struct side *side = &p->side[d];
	bool section = side->phase == PHASE_HEAD || side->phase == PHASE_TRAILERS;

	p->queue.sink->ops->settled(p->queue.sink, d, section ? side->section_off : side->next_off);
}

static struct parse_res result(enum step st, const struct input *in)
{
	static const enum parse_status status[] = {
		[STEP_ON] = PARSE_OK,
		[STEP_WAIT] = PARSE_WAIT,
		[STEP_LOST] = PARSE_LOST,
		[STEP_UPGRADE] = PARSE_UPGRADE,
	};

	return (struct parse_res){status[st], in->pos, in->upgrade};
}

static struct parse_res http1_feed(void *st, enum dir d, const struct slice *s, bool expired)
{
	struct http1 *p = st;
	struct input in = {.dir = d, .s = s, .ts_ns = s->ts_ns, .expired = expired};
	enum step last = STEP_ON;

	if (s->off > p->side[d].next_off && p->queue.role != ROLE_UNKNOWN)
		http1_queue_skipped(&p->queue, is_request_dir(p, d));
	p->side[d].last_ns = s->ts_ns;
	while (last == STEP_ON && in.pos < s->n)
		last = step(p, &in);
	p->side[d].next_off = s->off + in.pos;
	settle(p, d);
	return result(last, &in);
}

/* Lost octets of content of known length: the message stays whole in its framing. */
static enum step gap_in_content(struct http1 *p, struct input *in)
{
	struct side *side = &p->side[in->dir];
	struct http1_message *m = open_message(p, in->dir);
	struct txn *t = side->exchange->txn;
	uint64_t inside;
	bool on = http1_content_gap(&side->content, in->lost, &inside);

	http1_message_lost_content(m, inside);
	if (!on) {
		/* what does not fit into the content is the beginning of another message at least */
		bool more = side->content.state == CONTENT_LENGTH;

		lose(p, in);
		if (more && is_request_dir(p, in->dir))
			http1_queue_lost_request(&p->queue);
		return STEP_LOST;
	}
	t->flags |= is_request_dir(p, in->dir) ? TXN_LOST_REQUEST : TXN_LOST_RESPONSE;
	t->lost_bytes += in->lost;
	if (http1_content_done(&side->content))
		end_message(p, in->dir, true);
	return STEP_ON;
}

/* Ends whatever is under way in a direction, for in->cut. */
static enum step cut_side(struct http1 *p, struct input *in)
{
	struct side *side = &p->side[in->dir];
	struct str held = {(const char *)side->held.p, side->held.n};

	if (side->phase == PHASE_HEAD && held.n)
		return begin_message(p, in, held);
	if (side->phase == PHASE_TRAILERS)
		return end_trailers(p, in, held);
	return lose(p, in);
}

static struct parse_res http1_gap(void *st, enum dir d, uint64_t lost, uint64_t ts_ns)
{
	struct http1 *p = st;
	struct side *side = &p->side[d];
	struct input in = {.dir = d, .ts_ns = ts_ns, .expired = true, .cut = CUT_GAP, .lost = lost};
	enum step last = STEP_ON;

	if (side->phase == PHASE_CONTENT) {
		side->last_ns = ts_ns;
		last = gap_in_content(p, &in);
	} else if (side->phase != PHASE_TUNNEL) {
		last = cut_side(p, &in);
	}
	side->next_off += lost;
	settle(p, d);
	return result(last, &in);
}

static void http1_resync(void *st, enum dir d)
{
	struct http1 *p = st;

	if (p->side[d].exchange)
		end_message(p, d, false);
	reset_side(&p->side[d]);
}

static void *http1_open(const struct proto_open *o)
{
	struct http1 *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->queue.conn = o->conn;
	p->queue.sink = o->sink;
	p->queue.limits = o->limits;
	p->late = o->late;
	return p;
}

/* The end of the connection is the end of content without a length (RFC 9112 section 6.3, point 8). */
static void close_side(struct http1 *p, enum dir d)
{
	struct side *side = &p->side[d];
	struct input in = {.dir = d, .expired = true, .cut = CUT_CLOSE};

	if (side->phase == PHASE_CONTENT && side->content.state == CONTENT_UNTIL_CLOSE)
		end_message(p, d, true);
	else if (side->phase == PHASE_HEAD || side->phase == PHASE_TRAILERS)
		cut_side(p, &in);
}

static void http1_close(void *st, uint64_t now_ns)
{
	struct http1 *p = st;
	enum dir first = p->queue.role == ROLE_UNKNOWN ? DIR_WRITE : p->request_dir;

	(void)now_ns; /* a transaction ends with its last octet */
	p->queue.closed = true;
	close_side(p, first);
	close_side(p, dir_other(first));
	while (p->queue.list)
		http1_exchange_emit(&p->queue, p->queue.list);
	for (int d = 0; d < DIR_COUNT; d++)
		buf_free(&p->side[d].held);
	arena_free(&p->scratch);
	free(p);
}

const struct proto_ops proto_http1 = {
	.name = "http/1",
	.alpn = "http/1.1",
	.settles_itself = true,
	.probe = http1_probe,
	.open = http1_open,
	.feed = http1_feed,
	.gap = http1_gap,
	.resync = http1_resync,
	.close = http1_close,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1.0 and 1.1 (RFC 9110, RFC 9112): the way through the bytes of both directions of a connection,
 * header section, content and trailer section in turn. Which direction carries requests is learnt from the
 * first message.
 */
#include <stdlib.h>

#include "parsers/content.h"
#include "parsers/http1_conn.h"
#include "parsers/rows.h"
#include "parsers/http_common.h"

/* Empty lines before a message are ignored (RFC 9112 section 2.2). */
static enum http1_step step_start(struct http1 *p, struct http1_input *in)
{
	struct http1_side *side = &p->side[in->dir];
	const struct slice *s = in->s;

	while (in->pos < s->n && (s->p[in->pos] == '\r' || s->p[in->pos] == '\n'))
		in->pos++;
	if (in->pos == s->n)
		return STEP_ON;
	if (!in->expired && http1_upgrade_pending(p, in->dir))
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
static enum gathered gather(struct http1 *p, const struct http1_input *in, struct str *raw,
			    size_t *taken)
{
	struct http1_side *side = &p->side[in->dir];
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
static enum http1_step step_skip(struct http1 *p, struct http1_input *in)
{
	struct http1_side *side = &p->side[in->dir];
	size_t n = in->s->n - in->pos;
	size_t end = http1_scan(&side->scan, in->s->p + in->pos, n);

	if (end)
		n = end;
	p->queue.sink->ops->secret(p->queue.sink, in->dir, in->s->off + in->pos, n,
				   HTTP1_SECRET_FILL);
	in->pos += n;
	if (!end)
		return STEP_ON;
	http1_reset_side(side); /* what follows it depends on fields that were not read */
	return STEP_LOST;
}

static enum http1_step step_section(struct http1 *p, struct http1_input *in)
{
	struct http1_side *side = &p->side[in->dir];
	const struct http1_scan before = side->scan;
	const size_t held = side->held.n;
	struct http1_scan after;
	enum gathered g;
	enum http1_step res;
	struct str raw;
	size_t taken;

	g = gather(p, in, &raw, &taken);
	after = side->scan;
	if (side->phase == PHASE_HEAD && !side->probed) {
		enum probe_res probed = http1_probe(in->dir, (const uint8_t *)raw.p, raw.n);

		if (probed == PROBE_NO) {
			http1_stray_secrets(p, in->dir, raw);
			return http1_lose(p, in);
		}
		side->probed = probed == PROBE_YES;
	}
	if (g == GATHERED_PART) {
		in->pos += taken;
		return STEP_ON;
	}
	in->cut = g == GATHERED_LIMIT ? CUT_LIMIT : CUT_NONE;
	if (in->cut)
		proto_limit(p->queue.sink, LIMIT_HEADER_BYTES);
	res = side->phase == PHASE_HEAD ? http1_begin_message(p, in, raw)
					: http1_end_trailers(p, in, raw);
	if (res == STEP_WAIT) {
		side->scan = before;
		side->held.n = held;
		return res;
	}
	in->pos += taken;
	if (g == GATHERED_LIMIT) {
		side->phase = PHASE_SKIP;
		side->scan = after;
		return STEP_ON;
	}
	return res;
}

/* Content is there; what makes a body whole at once is no piece of it. */
static void take_content(struct http1 *p, const struct http1_input *in, struct http1_message *m,
			 const uint8_t *at, size_t n)
{
	struct http1_side *side = &p->side[in->dir];
	bool done = http1_content_done(&side->content);
	struct slice piece = {.p = at, .n = n, .ts_ns = in->s->ts_ns, .tid = in->s->tid};

	http1_message_content(side->exchange, m, at, n);
	if (content_wants_pieces(p->queue.limits) && !(done && m->body_bytes == n))
		http1_exchange_piece(&p->queue, side->exchange, m, &piece);
	if (done)
		http1_end_message(p, in->dir, true);
}

static enum http1_step step_content(struct http1 *p, struct http1_input *in)
{
	struct http1_side *side = &p->side[in->dir];
	struct http1_message *m = http1_open_message(p, in->dir);
	const uint8_t *at = in->s->p + in->pos;
	enum http1_piece piece;
	size_t taken;

	piece = http1_content_next(&side->content, at, in->s->n - in->pos, &taken);
	if (piece != PIECE_BAD)
		m->last_ns = side->last_ns;
	in->pos += taken;
	switch (piece) {
	case PIECE_DATA:
		take_content(p, in, m, at, taken);
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
	return http1_lose(p, in);
}

static enum http1_step step(struct http1 *p, struct http1_input *in)
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
	const struct http1_side *side = &p->side[d];
	bool section = side->phase == PHASE_HEAD || side->phase == PHASE_TRAILERS;

	p->queue.sink->ops->settled(p->queue.sink, d, section ? side->section_off : side->next_off);
}

static struct parse_res result(enum http1_step st, const struct http1_input *in)
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
	struct http1_input in = {.dir = d, .s = s, .ts_ns = s->ts_ns, .expired = expired};
	enum http1_step last = STEP_ON;

	if (s->off > p->side[d].next_off && p->queue.role != ROLE_UNKNOWN)
		http1_queue_skipped(&p->queue, http1_is_request_dir(p, d));
	p->side[d].last_ns = s->ts_ns;
	while (last == STEP_ON && in.pos < s->n)
		last = step(p, &in);
	p->side[d].next_off = s->off + in.pos;
	settle(p, d);
	return result(last, &in);
}

/* Lost octets of content of known length: the message stays whole in its framing. */
static enum http1_step gap_in_content(struct http1 *p, struct http1_input *in)
{
	struct http1_side *side = &p->side[in->dir];
	struct http1_message *m = http1_open_message(p, in->dir);
	struct txn *t = side->exchange->txn;
	uint64_t inside;
	bool on = http1_content_gap(&side->content, in->lost, &inside);

	m->last_ns = in->ts_ns;
	http1_message_lost_content(m, inside);
	if (!on) {
		/* what does not fit into the content is the beginning of another message at least */
		bool more = side->content.state == CONTENT_LENGTH;

		http1_lose(p, in);
		if (more && http1_is_request_dir(p, in->dir))
			http1_queue_lost_request(&p->queue);
		return STEP_LOST;
	}
	t->flags |= http1_is_request_dir(p, in->dir) ? TXN_LOST_REQUEST : TXN_LOST_RESPONSE;
	t->lost_bytes += in->lost;
	if (http1_content_done(&side->content))
		http1_end_message(p, in->dir, true);
	return STEP_ON;
}

/* Ends whatever is under way in a direction, for in->cut. */
static enum http1_step cut_side(struct http1 *p, struct http1_input *in)
{
	struct http1_side *side = &p->side[in->dir];
	struct str held = {(const char *)side->held.p, side->held.n};

	if (side->phase == PHASE_HEAD && held.n)
		return http1_begin_message(p, in, held);
	if (side->phase == PHASE_TRAILERS)
		return http1_end_trailers(p, in, held);
	return http1_lose(p, in);
}

static struct parse_res http1_gap(void *st, enum dir d, uint64_t lost, uint64_t ts_ns)
{
	struct http1 *p = st;
	struct http1_side *side = &p->side[d];
	struct http1_input in = {
		.dir = d, .ts_ns = ts_ns, .expired = true, .cut = CUT_GAP, .lost = lost};
	enum http1_step last = STEP_ON;

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
		http1_end_message(p, d, false);
	http1_reset_side(&p->side[d]);
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
	struct http1_side *side = &p->side[d];
	struct http1_input in = {.dir = d, .expired = true, .cut = CUT_CLOSE};

	if (side->phase == PHASE_CONTENT && side->content.state == CONTENT_UNTIL_CLOSE)
		http1_end_message(p, d, true);
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
	.txn_names = http_txn_names,
	.settles_itself = true,
	.probe = http1_probe,
	.open = http1_open,
	.feed = http1_feed,
	.gap = http1_gap,
	.resync = http1_resync,
	.close = http1_close,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP/2 row: takes the bytes of a direction apart into frames, resumable at every octet. A frame is
 * its head, octets of fixed meaning (pad length, priority, error code), a bulk that is data or a part of a
 * header block, and padding. What a frame means for its stream is said in h2_stream.c.
 *
 * Lenient where the framing holds: only what RFC 9113 calls a connection error of the framing itself is
 * PARSE_LOST, for then the next head cannot be found by counting.
 */
#include "parsers/h2.h"

#include <stdlib.h>

#include "core/cursor.h"
#include "parsers/rows.h"
#include "parsers/http_common.h"

#define SETTINGS_MAX_FRAME_SIZE 5
#define FRAME_BYTES_MAX 0xffffff
#define STREAM_ID 0x7fffffff

enum step {
	STEP_ON,
	STEP_DRAINED,
	STEP_LOST,
};

static bool is_fragment(const struct h2_frame *f)
{
	return f->type == H2_HEADERS || f->type == H2_PUSH_PROMISE || f->type == H2_CONTINUATION;
}

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Out of step in this direction: nothing that depends on what comes before is left. */
static void lose(struct h2 *h, enum dir d)
{
	h2_block_cut(h, d);
	h2_streams_lost(h, d);
	h2_search_begin(h, d);
	h->dir[d].missed_ns = UINT64_MAX;
	h->dir[dir_other(d)].frame_max = FRAME_BYTES_MAX; /* a SETTINGS may be among the lost */
}

/*
 * RFC 9113 section 6.10: between HEADERS and END_HEADERS nothing but CONTINUATION may come. Anything else
 * there, or a CONTINUATION without a beginning, means that a part of a block is missing.
 */
static void check_continuity(struct h2 *h, enum dir d)
{
	struct h2_dir *hd = &h->dir[d];
	bool continues = hd->frame.type == H2_CONTINUATION;

	if (!(continues && hd->block.on == hd->frame.stream))
		h2_block_cut(h, d);
	if (continues && !hd->block.open) {
		h2_block_begin(h, d, hd->frame.stream, false);
		h2_block_spoil(h, d, false);
	}
}

static bool begin_frame(struct h2 *h, enum dir d)
{
	struct h2_dir *hd = &h->dir[d];

	hd->frame = h2_frame_parse(hd->gather);
	if (hd->frame.length > hd->frame_max)
		proto_limit(h->sink, LIMIT_FRAME_BYTES);
	if (!h2_frame_valid(&hd->frame, hd->frame_max))
		return false;
	check_continuity(h, d);
	hd->phase = H2_FIXED;
	hd->have = 0;
	hd->need = (uint8_t)h2_frame_fixed(&hd->frame);
	hd->bulk = hd->frame.length - hd->need;
	hd->pad = 0;
	return true;
}

static void on_setting(struct h2 *h, enum dir d)
{
	struct h2_dir *hd = &h->dir[d], *peer = &h->dir[dir_other(d)];
	uint32_t id = (uint32_t)hd->gather[0] << 8 | hd->gather[1], v = u32(hd->gather + 2);

	/* never lowered: frames sent before the peer saw it are still on their way */
	if (id == SETTINGS_MAX_FRAME_SIZE && v <= FRAME_BYTES_MAX && v > peer->frame_max)
		peer->frame_max = v;
	if (hd->bulk >= H2_SETTINGS_ENTRY) {
		hd->bulk -= H2_SETTINGS_ENTRY;
		hd->have = 0;
		hd->phase = H2_FIXED;
	}
}

static bool on_fixed(struct h2 *h, enum dir d)
{
	struct h2_dir *hd = &h->dir[d];
	const struct h2_frame *f = &hd->frame;
	bool padded = (f->type == H2_DATA || f->type == H2_HEADERS || f->type == H2_PUSH_PROMISE) &&
		      (f->flags & H2_PADDED);

	hd->phase = H2_BULK;
	if (padded) {
		hd->pad = hd->gather[0];
		if (hd->pad > hd->bulk)
			return false; /* RFC 9113 section 6.1: PROTOCOL_ERROR */
		hd->bulk -= hd->pad;
	}
	switch (f->type) {
	case H2_HEADERS:
		h2_block_begin(h, d, f->stream, false);
		break;
	case H2_PUSH_PROMISE:
		h2_learn_requests(h, dir_other(d));
		/* a client cannot push (RFC 9113 section 8.4): walked, but on no stream */
		h2_block_begin(h, d,
			       h->requests == (int)d ? 0 : u32(hd->gather + padded) & STREAM_ID,
			       true);
		break;
	case H2_CONTINUATION:
		if (++hd->block.continuations > h->limits->continuation_frames) {
			if (!hd->block.limit)
				proto_limit(h->sink, LIMIT_CONTINUATIONS);
			h2_block_spoil(h, d, true);
		}
		break;
	case H2_RST_STREAM:
		h2_stream_reset(h, f->stream, u32(hd->gather), hd->frame_ts_ns);
		break;
	case H2_GOAWAY:
		h2_streams_goaway(h, d, u32(hd->gather) & STREAM_ID, u32(hd->gather + 4),
				  hd->frame_ts_ns);
		break;
	case H2_SETTINGS:
		if (f->length)
			on_setting(h, d);
		break;
	default:
		break;
	}
	return true;
}

static void on_bulk(struct h2 *h, enum dir d, const struct h2_bytes *b)
{
	struct h2_dir *hd = &h->dir[d];

	if (hd->frame.type == H2_DATA)
		h2_stream_data(h, d, hd->frame.stream, b);
	else if (is_fragment(&hd->frame))
		h2_block_piece(h, d, b, hd->bulk == 0 && (hd->frame.flags & H2_END_HEADERS));
	if (hd->bulk == 0)
		hd->phase = H2_PAD;
}

static void end_frame(struct h2 *h, enum dir d, uint64_t ts_ns)
{
	struct h2_dir *hd = &h->dir[d];

	hd->phase = H2_HEAD;
	hd->have = 0;
	hd->need = H2_FRAME_HEAD;
	if (hd->frame.type == H2_DATA && (hd->frame.flags & H2_END_STREAM))
		h2_stream_end(h, d, hd->frame.stream, ts_ns);
}

/* Takes what is there towards `need` octets; true when they are whole. */
static bool gather(struct h2_dir *hd, struct cursor *c)
{
	size_t want = (size_t)(hd->need - hd->have);
	size_t take = cursor_left(c) < want ? cursor_left(c) : want;

	if (take) {
		memcpy(hd->gather + hd->have, cursor_bytes(c, take), take);
		hd->have = (uint8_t)(hd->have + take);
	}
	return hd->have == hd->need;
}

/* A connection may begin with the client's preface (RFC 9113 section 3.4), or with a frame. */
static enum step start(struct h2 *h, enum dir d, struct cursor *c)
{
	struct h2_dir *hd = &h->dir[d];

	while (cursor_left(c) && hd->have < H2_PREFACE_BYTES) {
		if (*c->pos != (uint8_t)H2_PREFACE[hd->have]) {
			hd->phase = H2_HEAD;
			hd->need = H2_FRAME_HEAD;
			return hd->have ? STEP_LOST : STEP_ON;
		}
		cursor_skip(c, 1);
		hd->have++;
	}
	if (hd->have < H2_PREFACE_BYTES)
		return STEP_DRAINED;
	h2_learn_requests(h, d);
	hd->phase = H2_HEAD;
	hd->have = 0;
	hd->need = H2_FRAME_HEAD;
	return STEP_ON;
}

static enum step bulk(struct h2 *h, enum dir d, const struct slice *s, struct cursor *c)
{
	struct h2_dir *hd = &h->dir[d];
	size_t take = cursor_left(c) < hd->bulk ? cursor_left(c) : hd->bulk;
	struct h2_bytes b = {.p = c->pos, .n = take, .ts_ns = s->ts_ns, .tid = s->tid};

	if (take == 0 && hd->bulk)
		return STEP_DRAINED;
	b.off = s->off + cursor_offset(c);
	cursor_skip(c, take);
	hd->bulk -= (uint32_t)take;
	b.last = hd->bulk == 0 && (hd->frame.flags & H2_END_STREAM);
	on_bulk(h, d, &b);
	return STEP_ON;
}

static enum step pad(struct h2 *h, enum dir d, const struct slice *s, struct cursor *c)
{
	struct h2_dir *hd = &h->dir[d];
	size_t take = cursor_left(c) < hd->pad ? cursor_left(c) : hd->pad;

	cursor_skip(c, take);
	hd->pad -= (uint32_t)take;
	if (hd->pad)
		return STEP_DRAINED;
	end_frame(h, d, s->ts_ns);
	return STEP_ON;
}

static enum step step(struct h2 *h, enum dir d, const struct slice *s, struct cursor *c)
{
	struct h2_dir *hd = &h->dir[d];

	switch (hd->phase) {
	case H2_START:
		return start(h, d, c);
	case H2_HEAD:
		if (hd->have == 0 && cursor_left(c)) {
			hd->frame_ts_ns = s->ts_ns;
			hd->frame_tid = s->tid;
		}
		if (!gather(hd, c))
			return STEP_DRAINED;
		return begin_frame(h, d) ? STEP_ON : STEP_LOST;
	case H2_FIXED:
		if (!gather(hd, c))
			return STEP_DRAINED;
		return on_fixed(h, d) ? STEP_ON : STEP_LOST;
	case H2_BULK:
		return bulk(h, d, s, c);
	case H2_PAD:
		return pad(h, d, s, c);
	case H2_SEARCH:
		break; /* never in here */
	}
	return STEP_LOST;
}

struct parse_res h2_frames(struct h2 *h, enum dir d, const struct slice *s)
{
	struct parse_res res = {.status = PARSE_OK};
	struct cursor c = cursor_init(s->p, s->n);
	enum step st;

	do
		st = step(h, d, s, &c);
	while (st == STEP_ON);
	res.consumed = cursor_offset(&c);
	if (st == STEP_LOST) {
		lose(h, d);
		res.status = PARSE_LOST;
	}
	return res;
}

/* Nothing below the first octet of an unfinished header block or of an unsettled search is settled. */
static void settle(struct h2 *h, enum dir d, uint64_t end)
{
	const struct h2_dir *hd = &h->dir[d];

	if (hd->phase == H2_SEARCH && hd->search.held.n)
		end = hd->search.off;
	else if (hd->block.pieces.n)
		end = ((const struct h2_piece *)hd->block.pieces.p)->off;
	h->sink->ops->settled(h->sink, d, end);
}

static struct parse_res h2_feed(void *state, enum dir d, const struct slice *s, bool expired)
{
	struct h2 *h = state;
	struct parse_res res;

	(void)expired;
	res = h->dir[d].phase == H2_SEARCH ? h2_search_feed(h, d, s) : h2_frames(h, d, s);
	settle(h, d, s->off + res.consumed);
	if (h->learnt)
		h2_streams_sweep(h);
	return res;
}

/* Missing octets that lie in the payload of a frame cost no more than its content. */
static void skip_in_frame(struct h2 *h, enum dir d, uint32_t lost, uint64_t ts_ns)
{
	struct h2_dir *hd = &h->dir[d];
	uint32_t in_bulk = lost < hd->bulk ? lost : hd->bulk;
	struct h2_bytes none = {.p = (const uint8_t *)"", .ts_ns = ts_ns};

	if (hd->phase == H2_BULK) {
		hd->bulk -= in_bulk;
		if (hd->frame.type == H2_DATA)
			h2_stream_data_lost(h, d, hd->frame.stream, in_bulk, ts_ns);
		else if (is_fragment(&hd->frame))
			h2_block_spoil(h, d, false);
		hd->block.lost += in_bulk;
		if (hd->bulk == 0)
			on_bulk(h, d, &none);
	}
	hd->pad -= lost - in_bulk;
	if (hd->phase == H2_PAD && hd->pad == 0)
		end_frame(h, d, ts_ns);
}

static struct parse_res h2_gap(void *state, enum dir d, uint64_t lost, uint64_t ts_ns)
{
	struct h2 *h = state;
	struct h2_dir *hd = &h->dir[d];

	if ((hd->phase == H2_BULK || hd->phase == H2_PAD) && lost <= hd->bulk + hd->pad) {
		skip_in_frame(h, d, (uint32_t)lost, ts_ns);
		return (struct parse_res){.status = PARSE_OK};
	}
	lose(h, d);
	return (struct parse_res){.status = PARSE_LOST};
}

static void h2_resync(void *state, enum dir d)
{
	h2_search_begin(state, d);
}

static void h2_tick(void *state, uint64_t now_ns)
{
	h2_streams_tick(state, now_ns);
}

static void h2_close(void *state, uint64_t now_ns)
{
	struct h2 *h = state;

	h2_streams_close(h);
	h2_tunnels_close(h, now_ns);
	for (int d = 0; d < DIR_COUNT; d++) {
		hpack_reset(&h->dir[d].hpack);
		h2_block_free(&h->dir[d].block);
		h2_search_free(&h->dir[d].search);
	}
	free(h);
}

static void *h2_open(const struct proto_open *o)
{
	struct h2 *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->conn = o->conn;
	h->sink = o->sink;
	h->limits = o->limits;
	h->requests = -1;
	for (int d = 0; d < DIR_COUNT; d++) {
		h->dir[d].phase = o->late ? H2_SEARCH : H2_START;
		h->dir[d].frame_max = o->late ? FRAME_BYTES_MAX : H2_FRAME_BYTES_DEFAULT;
	}
	if (o->late)
		h2_hole_open(h, 1, H2_HOLE_JOIN);
	if (o->upgraded_from && h2_upgraded(h, o->upgraded_from)) {
		free(h);
		return NULL;
	}
	return h;
}

const struct proto_ops proto_http2 = {
	.name = "http/2",
	.alpn = "h2",
	.txn_names = http_txn_names,
	.settles_itself = true,
	.seeks = true,
	.probe = h2_probe,
	.open = h2_open,
	.feed = h2_feed,
	.gap = h2_gap,
	.resync = h2_resync,
	.tick = h2_tick,
	.close = h2_close,
};

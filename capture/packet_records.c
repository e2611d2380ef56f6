/* SPDX-License-Identifier: GPL-2.0-or-later */
#define HASH_NONFATAL_OOM 1
#include "capture/packet_records.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <uthash.h>

#define WINDOW_MAX_BYTES (1ll << 30)	/* RFC 7323 section 2.3 */
#define LATE_OFF (2 * WINDOW_MAX_BYTES) /* joined late: some bytes may yet come from before */
#define PROCESS_START 1			/* they are all one process, of which nothing is known */

/* The two ends, the lesser first; padding zeroed: it is hashed. */
struct pair {
	struct endpoint end[2];
	uint8_t v6, udp;
};

/* One direction: where the sequence number `seq` stands, which is the highest that is known. */
struct way {
	bool known;
	uint32_t seq;
	int64_t off;
};

struct talk {
	struct pair pair;
	uint64_t number; /* from 1 */
	struct way way[DIR_COUNT];
	uint8_t local; /* pair.end[local] is */
	bool from_start;
	bool fin[DIR_COUNT], over;
	UT_hash_handle hh;
};

struct packet_records {
	struct talk *talks; /* in order of their beginning */
	uint64_t numbers, calls;
	bool clock_told;
	struct packet_counts counts;
};

struct packet_records *packet_records_new(void)
{
	return calloc(1, sizeof(struct packet_records));
}

static void forget(struct packet_records *r, struct talk *t)
{
	HASH_DELETE(hh, r->talks, t);
	free(t);
}

void packet_records_free(struct packet_records *r)
{
	if (!r)
		return;
	while (r->talks)
		forget(r, r->talks);
	free(r);
}

const struct packet_counts *packet_records_counts(const struct packet_records *r)
{
	return &r->counts;
}

static struct ev_hdr head_of(const struct packet *p, enum ev_type type, size_t n)
{
	return (struct ev_hdr){
		.ts_ns = p->ts_ns,
		.start_ns = PROCESS_START,
		.type = (uint16_t)type,
		.len = (uint32_t)n,
	};
}

/* A record of n octets, and what aligns the next one. */
static int put_record(struct buf *out, const void *record, size_t n)
{
	static const uint8_t zeros[8];

	buf_put(out, record, n);
	return buf_put(out, zeros, -n & 7);
}

/* The times of packets are of the day, and so are those of the records: nothing to add. */
static int put_clock(struct packet_records *r, const struct packet *p, struct buf *out)
{
	struct ev_clock c = {.hdr = head_of(p, EV_CLOCK, sizeof(c))};

	c.mono_ns = c.real_ns = p->ts_ns;
	r->clock_told = true;
	return put_record(out, &c, sizeof(c));
}

static int put_sock(const struct packet *p, const struct talk *t, struct buf *out)
{
	const struct endpoint *local = &t->pair.end[t->local], *peer = &t->pair.end[!t->local];
	struct ev_sock s = {.hdr = head_of(p, EV_SOCK, sizeof(s)), .sock = t->number, .fd = -1};

	s.family = t->pair.v6 ? AF_INET6 : AF_INET;
	s.type = t->pair.udp ? SOCK_DGRAM : SOCK_STREAM;
	s.protocol = t->pair.udp ? IPPROTO_UDP : IPPROTO_TCP;
	s.accepted = t->from_start ? 2 : 0;
	s.lport = local->port;
	s.rport = peer->port;
	memcpy(s.laddr, local->addr, sizeof(s.laddr));
	memcpy(s.raddr, peer->addr, sizeof(s.raddr));
	return put_record(out, &s, sizeof(s));
}

static int put_end(const struct packet *p, struct talk *t, struct buf *out)
{
	struct ev_conn_end e = {.hdr = head_of(p, EV_CONN_END, sizeof(e))};
	struct ev_sock_close s = {.hdr = head_of(p, EV_SOCK_CLOSE, sizeof(s)), .sock = t->number};

	if (t->over)
		return 0;
	t->over = true;
	e.conn = e.gen = t->number;
	for (int i = 0; i < DIR_COUNT; i++)
		e.off[i] = (uint64_t)t->way[i].off;
	put_record(out, &e, sizeof(e));
	return put_record(out, &s, sizeof(s));
}

static int compare_ends(const struct endpoint *a, const struct endpoint *b)
{
	int d = memcmp(a->addr, b->addr, sizeof(a->addr));

	return d ? d : (int)a->port - (int)b->port;
}

/* Of the sender the index is handed out. */
static struct pair pair_of(const struct frame *f, uint8_t *sender)
{
	struct pair pair;

	memset(&pair, 0, sizeof(pair));
	*sender = compare_ends(&f->src, &f->dst) > 0;
	memcpy(pair.end[*sender].addr, f->src.addr, sizeof(f->src.addr));
	memcpy(pair.end[!*sender].addr, f->dst.addr, sizeof(f->dst.addr));
	pair.end[*sender].port = f->src.port;
	pair.end[!*sender].port = f->dst.port;
	pair.v6 = f->v6;
	pair.udp = f->udp;
	return pair;
}

/* The first packet of a connection, or the first that is there. */
static int talk_begin(struct packet_records *r, const struct packet *p, const struct frame *f,
		      struct talk **made, struct buf *out)
{
	struct talk *t;
	uint8_t sender;
	int err = 0;

	if (HASH_COUNT(r->talks) >= PACKET_RECORDS_CONNS_MAX) {
		r->counts.evicted += !r->talks->over;
		err = put_end(p, r->talks, out);
		forget(r, r->talks);
	}
	t = err ? NULL : calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->pair = pair_of(f, &sender);
	t->number = ++r->numbers;
	t->local = sender;
	t->from_start = f->flags & FRAME_SYN;
	if (t->from_start && f->flags & FRAME_ACK) { /* the answer to another, which it names */
		t->local = !sender;
		t->way[DIR_WRITE] = (struct way){.known = true, .seq = f->ack};
	}
	HASH_ADD(hh, r->talks, pair, sizeof(t->pair), t);
	if (!t->hh.tbl) {
		free(t);
		return -ENOMEM;
	}
	*made = t;
	return put_sock(p, t, out);
}

/*
 * Where a segment stands in its direction; negative: before all that is known, or nowhere near it. Numbers wrap
 * (RFC 9293 section 3.4).
 */
static int64_t offset_of(struct way *w, const struct frame *f)
{
	uint32_t seq = f->seq + !!(f->flags & FRAME_SYN);
	int64_t ahead;

	if (!w->known) {
		w->known = true;
		w->seq = seq;
		w->off = f->flags & FRAME_SYN ? 0 : LATE_OFF;
	}
	ahead = (int32_t)(seq - w->seq);
	return ahead > WINDOW_MAX_BYTES || ahead < -WINDOW_MAX_BYTES ? -1 : w->off + ahead;
}

static void reach(struct way *w, int64_t end)
{
	if (end <= w->off)
		return;
	w->seq += (uint32_t)(end - w->off);
	w->off = end;
}

static int put_data(struct packet_records *r, const struct packet *p, const struct talk *t,
		    enum dir dir, const struct frame *f, int64_t off, struct buf *out)
{
	struct ev_data d = {.hdr = head_of(p, EV_DATA, sizeof(d)), .dir = (uint8_t)dir};
	bool from_start = t->from_start && off < LATE_OFF;
	size_t at = 0, got;
	int err = 0;

	d.conn = d.sock = t->number;
	d.call = ++r->calls;
	d.hdr.flags =
		(uint16_t)(EV_DATA_PLAIN | (from_start ? EV_DATA_FROM_START : 0) |
			   (t->pair.udp ? EV_DATA_DGRAM : 0) | (f->n < f->want ? EV_DATA_SNAP : 0));
	while (at < f->want && !err) {
		got = f->n > at ? f->n - at : 0;
		d.want = (uint32_t)(f->want - at);
		if (d.want > EV_PART_MAX_BYTES)
			d.want = EV_PART_MAX_BYTES;
		d.got = got < d.want ? (uint32_t)got : d.want;
		d.off = (uint64_t)off + at;
		d.hdr.len = (uint32_t)(offsetof(struct ev_data, buf) + d.got);
		buf_put(out, &d, offsetof(struct ev_data, buf));
		err = put_record(out, f->payload + at, d.got);
		at += d.want;
		d.part++;
	}
	return err;
}

static int on_segment(struct packet_records *r, const struct packet *p, struct talk *t,
		      enum dir dir, const struct frame *f, struct buf *out)
{
	struct way *w = &t->way[dir];
	bool ends = t->fin[DIR_READ] && t->fin[DIR_WRITE];
	int64_t off;
	int err = 0;

	if (f->flags & FRAME_RST)
		return put_end(p, t, out);
	off = offset_of(w, f);
	if (off < 0) {
		r->counts.strays++;
		return 0;
	}
	if (f->want)
		err = put_data(r, p, t, dir, f, off, out);
	if (f->want ||
	    f->flags & FRAME_FIN) /* the last ACK stands behind the FIN, not behind a byte */
		reach(w, off + (int64_t)f->want);
	t->fin[dir] |= !!(f->flags & FRAME_FIN);
	/* not with the second FIN: what stands before it may come after it */
	return !err && ends ? put_end(p, t, out) : err;
}

static int on_datagram(struct packet_records *r, const struct packet *p, struct talk *t,
		       enum dir dir, const struct frame *f, struct buf *out)
{
	int64_t off = t->way[dir].off;

	t->way[dir].off += (int64_t)f->want;
	return put_data(r, p, t, dir, f, off, out);
}

/* A SYN that is not the one of the connection again begins another between the same ends. */
static bool begins_anew(const struct talk *t, enum dir dir, const struct frame *f)
{
	const struct way *w = &t->way[dir];

	if (f->udp || !(f->flags & FRAME_SYN) || f->flags & FRAME_ACK)
		return false;
	return t->over || !w->known || w->off >= LATE_OFF ||
	       f->seq + 1 != w->seq - (uint32_t)w->off;
}

static enum dir dir_of(const struct talk *t, uint8_t sender)
{
	return sender == t->local ? DIR_WRITE : DIR_READ;
}

static int on_frame(struct packet_records *r, const struct packet *p, const struct frame *f,
		    struct buf *out)
{
	uint8_t sender;
	struct pair pair = pair_of(f, &sender);
	struct talk *t;
	int err = 0;

	HASH_FIND(hh, r->talks, &pair, sizeof(pair), t);
	if (t && begins_anew(t, dir_of(t, sender), f)) {
		err = put_end(p, t, out);
		forget(r, t);
		t = NULL;
	}
	if (!t && (f->want || f->flags & FRAME_SYN) && !err)
		err = talk_begin(r, p, f, &t, out);
	if (!t || err)
		return err;
	if (t->over) {
		r->counts.strays += f->want > 0;
		return 0;
	}
	r->counts.cut += f->n < f->want;
	return f->udp ? on_datagram(r, p, t, dir_of(t, sender), f, out)
		      : on_segment(r, p, t, dir_of(t, sender), f, out);
}

int packet_records_put(struct packet_records *r, const struct packet *p, struct buf *out)
{
	struct frame f;
	enum frame_res res = frame_read(&f, p->dlt, p->frame, p->captured);
	int err = r->clock_told ? 0 : put_clock(r, p, out);

	r->counts.packets++;
	if (res != FRAME_OK)
		r->counts.skipped[res]++;
	return err || res != FRAME_OK ? err : on_frame(r, p, &f, out);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DNS rows: datagrams, which are messages, and streams, in which two octets of length stand before
 * each message (RFC 1035 section 4.2.2, RFC 7858 section 3.3).
 */
#include <errno.h>
#include <stdlib.h>

#include "core/buf.h"
#include "parsers/dns_exchange.h"
#include "parsers/rows.h"

#define LENGTH_BYTES 2

struct dns_dir {
	uint8_t have; /* octets of the length */
	uint16_t length;
	uint16_t lost;	     /* octets of this message that are missing */
	struct buf gathered; /* the message so far */
	uint64_t start_ns;
	uint32_t tid;
};

struct dns {
	struct dns_exchanges exchanges;
	struct dns_dir dir[DIR_COUNT]; /* of a stream */
};

static enum probe_res datagram_probe(enum dir d, const uint8_t *p, size_t n)
{
	bool enough;

	(void)d;
	return dns_plausible(p, n, n, &enough) && enough ? PROBE_YES : PROBE_NO;
}

static enum probe_res stream_probe(enum dir d, const uint8_t *p, size_t n)
{
	size_t whole, have;
	bool enough;

	(void)d;
	if (n < LENGTH_BYTES)
		return PROBE_MORE;
	whole = (size_t)p[0] << 8 | p[1];
	have = n - LENGTH_BYTES < whole ? n - LENGTH_BYTES : whole;
	if (!dns_plausible(p + LENGTH_BYTES, have, whole, &enough))
		return PROBE_NO;
	return enough ? PROBE_YES : PROBE_MORE;
}

static void *open_by(const struct proto_open *o, const char *transport)
{
	struct dns *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->exchanges = (struct dns_exchanges){
		.conn = o->conn, .sink = o->sink, .limits = o->limits, .transport = transport};
	return s;
}

static void *datagram_open(const struct proto_open *o)
{
	return open_by(o, "udp");
}

static void *stream_open(const struct proto_open *o)
{
	return open_by(o, o->conn->plain ? "tcp" : "dot");
}

static struct parse_res datagram_feed(void *state, enum dir d, const struct slice *s, bool expired)
{
	struct dns *dns = state;
	struct dns_moved moved = {d, s->ts_ns, s->ts_ns, s->tid};

	(void)expired;
	if (dns_exchanges_message(&dns->exchanges, s->p, s->n, &moved))
		return (struct parse_res){.status = PARSE_LOST, .consumed = s->n};
	return (struct parse_res){.status = PARSE_OK, .consumed = s->n};
}

static void begin(struct dns_dir *sd)
{
	sd->have = 0;
	sd->length = 0;
	sd->lost = 0;
	buf_clear(&sd->gathered);
}

/* The octets of the length; true when both are there. */
static bool take_length(struct dns_dir *sd, struct cursor *c, const struct slice *s)
{
	while (sd->have < LENGTH_BYTES && cursor_left(c)) {
		if (sd->have == 0) {
			sd->start_ns = s->ts_ns;
			sd->tid = s->tid;
		}
		sd->length = (uint16_t)(sd->length << 8 | cursor_u8(c));
		sd->have++;
	}
	return sd->have == LENGTH_BYTES;
}

/* The message is over. 0, or a negative errno when it was none. */
static int end(struct dns *dns, enum dir d, uint64_t ts_ns)
{
	struct dns_dir *sd = &dns->dir[d];
	struct dns_moved moved = {d, sd->start_ns, ts_ns, sd->tid};
	int err = 0;

	if (!sd->length)
		err = -EBADMSG;
	else if (!sd->lost)
		err = dns_exchanges_message(&dns->exchanges, sd->gathered.p, sd->gathered.n,
					    &moved);
	begin(sd);
	return err;
}

static struct parse_res stream_feed(void *state, enum dir d, const struct slice *s, bool expired)
{
	struct dns *dns = state;
	struct dns_dir *sd = &dns->dir[d];
	struct cursor c = cursor_init(s->p, s->n);
	struct parse_res res = {.status = PARSE_OK};

	(void)expired;
	while (res.status == PARSE_OK && take_length(sd, &c, s)) {
		size_t want = sd->length - sd->lost - sd->gathered.n, take = cursor_left(&c);

		take = take < want ? take : want;
		if (take && buf_put(&sd->gathered, cursor_bytes(&c, take), take))
			res.status = PARSE_LOST;
		else if (take < want)
			break;
		else if (end(dns, d, s->ts_ns))
			res.status = PARSE_LOST;
	}
	res.consumed = cursor_offset(&c);
	return res;
}

static struct parse_res datagram_gap(void *state, enum dir d, uint64_t lost, uint64_t ts_ns)
{
	/* What was lost was whole messages; the exchanges say that their other half is missing. */
	(void)state, (void)d, (void)lost, (void)ts_ns;
	return (struct parse_res){.status = PARSE_OK};
}

/* Octets lost in a message cost that message; with a length among them, the direction's step. */
static struct parse_res stream_gap(void *state, enum dir d, uint64_t lost, uint64_t ts_ns)
{
	struct dns *dns = state;
	struct dns_dir *sd = &dns->dir[d];
	size_t left = sd->length - sd->lost - sd->gathered.n;

	if (sd->have < LENGTH_BYTES || lost > left)
		return (struct parse_res){.status = PARSE_LOST};
	sd->lost = (uint16_t)(sd->lost + lost);
	if (lost == left)
		end(dns, d, ts_ns);
	return (struct parse_res){.status = PARSE_OK};
}

static void dns_resync(void *state, enum dir d)
{
	begin(&((struct dns *)state)->dir[d]);
}

static void dns_tick(void *state, uint64_t now_ns)
{
	dns_exchanges_tick(&((struct dns *)state)->exchanges, now_ns);
}

static void dns_close(void *state, uint64_t now_ns)
{
	struct dns *dns = state;

	(void)now_ns;
	dns_exchanges_close(&dns->exchanges);
	for (int d = 0; d < DIR_COUNT; d++)
		buf_free(&dns->dir[d].gathered);
	free(dns);
}

const struct proto_ops proto_dns = {
	.name = "dns",
	.port = 53,
	.datagram = true,
	.probe = datagram_probe,
	.open = datagram_open,
	.feed = datagram_feed,
	.gap = datagram_gap,
	.resync = dns_resync,
	.tick = dns_tick,
	.close = dns_close,
};

const struct proto_ops proto_dns_stream = {
	.name = "dns/tcp",
	.alpn = "dot",
	.port = 53,
	.tls_port = 853,
	.probe = stream_probe,
	.open = stream_open,
	.feed = stream_feed,
	.gap = stream_gap,
	.resync = dns_resync,
	.tick = dns_tick,
	.close = dns_close,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of one synthetic connection; see the header for the contract. */
#define HASH_NONFATAL_OOM 1
#include "writer/pcapng_stream.h"

#include "capture/packet_filter.h"
#include "writer/pcapng_tls.h"

#include <errno.h>

/* A packet under construction: the payload is written straight into the output's buffer. */
struct slot {
	struct pcapng_packet about;
	uint8_t *block, *payload;
};

static size_t head_bytes(const struct stream *s)
{
	return s->framing == FRAMING_UDP ? pcapng_frame_udp_head_bytes(&s->path)
					 : pcapng_frame_tcp_head_bytes(&s->path);
}

/* Room for a payload of up to n octets, n <= FRAME_UDP_PAYLOAD_MAX. */
static int slot_begin(struct stream *s, const struct stream_event *ev, enum dir dir,
		      struct str comment, size_t n, struct slot *slot)
{
	int err;

	slot->about = (struct pcapng_packet){
		.iface = s->stats->iface,
		.ts_ns = ev->chunk->ts_ns,
		.dir = dir,
		.pid = s->pid,
		.tid = s->tid,
		.dropped = s->dropped,
		.comment = comment,
	};
	n += head_bytes(s);
	slot->block = out_room(ev->out, pcapng_packet_bytes(&slot->about, n));
	if (!slot->block) {
		err = out_flush(ev->out);
		return err ? err : -EIO;
	}
	slot->payload = pcapng_packet_frame(slot->block) + head_bytes(s);
	return 0;
}

/* Hands over a slot whose frame has n octets, when it is one of those asked for. */
static int slot_commit(struct stream *s, const struct stream_event *ev, const struct slot *slot,
		       size_t n)
{
	uint64_t lost = out_lost(ev->out);
	int err;

	s->ip_id++;
	if (!packet_filter_match(ev->filter, pcapng_packet_frame(slot->block), n, n))
		return 0;
	pcapng_packet_seal(slot->block, &slot->about, n);
	err = out_commit(ev->out, pcapng_packet_bytes(&slot->about, n));
	if (out_lost(ev->out) != lost) { /* told with the next one */
		s->dropped++;
		s->stats->dropped++;
		return err;
	}
	s->dropped = 0;
	s->stats->received++;
	s->stats->last_ns = ev->chunk->ts_ns;
	return err;
}

/* Sends the n octets at slot->payload; SYN and FIN take a sequence number too (RFC 9293, 3.4). */
static int slot_send_tcp(struct stream *s, const struct stream_event *ev, const struct slot *slot,
			 uint8_t flags, size_t n)
{
	enum dir dir = slot->about.dir, back = dir_other(dir);
	struct frame_tcp tcp = {
		.dir = dir,
		.ip_id = s->ip_id,
		.seq = s->next_seq[dir],
		.ack = flags & TCP_ACK ? s->next_seq[back] : 0,
		.flags = flags,
	};
	size_t len = pcapng_frame_tcp_seal(pcapng_packet_frame(slot->block), &s->path, &tcp, n);

	s->next_seq[dir] += (uint32_t)n + !!(flags & (TCP_SYN | TCP_FIN));
	if (flags & TCP_ACK)
		s->acked_seq[back] = s->next_seq[back];
	return slot_commit(s, ev, slot, len);
}

static int send_control(struct stream *s, const struct stream_event *ev, enum dir dir,
			uint8_t flags, struct str comment)
{
	struct slot slot;
	int err = slot_begin(s, ev, dir, comment, 0, &slot);

	return err ? err : slot_send_tcp(s, ev, &slot, flags, 0);
}

/* As slot_begin(), after the other end made room: readers complain of, or drop, what is beyond. */
static int begin_data(struct stream *s, const struct stream_event *ev, enum dir dir,
		      struct str comment, size_t n, struct slot *slot)
{
	uint32_t in_flight = s->next_seq[dir] - s->acked_seq[dir];
	int err;

	if (in_flight + n >= FRAME_TCP_WINDOW) {
		err = send_control(s, ev, dir_other(dir), TCP_ACK, STR_NONE);
		if (err)
			return err;
	}
	return slot_begin(s, ev, dir, comment, n, slot);
}

/* FNV-1a; of the identifier, so that a replay has the same random-looking numbers. */
static uint64_t hash_id(const char *id)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *id; id++)
		h = (h ^ (uint8_t)*id) * 0x100000001b3u;
	return h;
}

static int open_tcp(struct stream *s, const struct stream_event *ev, uint64_t seed)
{
	enum dir client = s->client, server = dir_other(client);
	int err;

	s->next_seq[client] = (uint32_t)seed;
	s->next_seq[server] = (uint32_t)(seed >> 32);
	err = send_control(s, ev, client, TCP_SYN, ev->comment);
	if (!err)
		err = send_control(s, ev, server, TCP_SYN | TCP_ACK, STR_NONE);
	if (!err)
		err = send_control(s, ev, client, TCP_ACK, STR_NONE);
	return err;
}

enum flight {
	FLIGHT_CLIENT_HELLO,
	FLIGHT_SERVER_HELLO,
	FLIGHT_CLIENT_CCS,
	FLIGHT_SERVER_CCS,
	FLIGHTS,
};

static int send_flight(struct stream *s, const struct stream_event *ev, enum flight flight,
		       const struct tls_hello *hello)
{
	bool by_client = flight == FLIGHT_CLIENT_HELLO || flight == FLIGHT_CLIENT_CCS;
	enum dir dir = by_client ? s->client : dir_other(s->client);
	struct slot slot;
	size_t n;
	int err = slot_begin(s, ev, dir, STR_NONE, TLS_HELLO_MAX, &slot);

	if (err)
		return err;
	if (flight == FLIGHT_CLIENT_HELLO)
		n = pcapng_tls_put_client_hello(slot.payload, hello);
	else if (flight == FLIGHT_SERVER_HELLO)
		n = pcapng_tls_put_server_hello(slot.payload, hello);
	else
		n = pcapng_tls_put_change_cipher_spec(slot.payload);
	return slot_send_tcp(s, ev, &slot, TCP_PSH | TCP_ACK, n);
}

int pcapng_stream_open(struct stream *s, const struct stream_event *ev, struct str alpn)
{
	const struct conn *conn = ev->chunk->conn;
	uint64_t seed = pcapng_tls_mix(hash_id(conn->id) + s->epoch);
	struct tls_hello hello = {.seed = seed, .sni = conn->sni, .alpn = alpn};
	int err;

	s->open = true;
	s->epoch++;
	err = open_tcp(s, ev, seed);
	if (s->framing == FRAMING_NULL_CIPHER)
		for (enum flight f = 0; f < FLIGHTS && !err; f++)
			err = send_flight(s, ev, f, &hello);
	return err;
}

/* Overwrites the parts of data[at, at + n) that are secrets, in a copy of it. */
static void mask_copy(uint8_t *copy, size_t at, size_t n, const struct chunk *c)
{
	for (size_t i = 0; i < c->mask_count && c->masks[i].at < at + n; i++) {
		const struct mask *m = &c->masks[i];
		size_t from = m->at > at ? m->at - at : 0;
		size_t end = m->at + m->n > at ? m->at + m->n - at : 0;

		if (end > n)
			end = n;
		if (from < end)
			memset(copy + from, m->fill, end - from);
	}
}

/* The payload bytes [at, at + n) of a chunk: its data, masked, or zeros for what was lost. */
static void copy_payload(uint8_t *to, const struct chunk *c, size_t at, size_t n)
{
	if (c->kind == CHUNK_GAP) {
		memset(to, 0, n);
		return;
	}
	if (n)
		memcpy(to, c->data.p + at, n);
	mask_copy(to, at, n, c);
}

/* Sends `total` payload bytes of a chunk, the comment with every packet or the first one only. */
static int send_bytes(struct stream *s, const struct stream_event *ev, uint64_t total,
		      bool comment_all)
{
	bool tls = s->framing == FRAMING_NULL_CIPHER;
	size_t piece = tls ? TLS_PLAINTEXT_MAX : FRAME_TCP_PAYLOAD_MAX;
	size_t around = tls ? TLS_OVERHEAD_BYTES : 0, head = tls ? TLS_HEAD_BYTES : 0;
	struct slot slot;
	int err = 0;

	for (uint64_t at = 0; at < total && !err; at += piece) {
		size_t n = total - at < piece ? (size_t)(total - at) : piece;
		struct str comment = at == 0 || comment_all ? ev->comment : STR_NONE;

		err = begin_data(s, ev, ev->chunk->dir, comment, n + around, &slot);
		if (err)
			break;
		copy_payload(slot.payload + head, ev->chunk, (size_t)at, n);
		if (tls)
			pcapng_tls_seal_data(slot.payload, n);
		err = slot_send_tcp(s, ev, &slot, TCP_PSH | TCP_ACK, n + around);
	}
	return err;
}

static int send_datagram(struct stream *s, const struct stream_event *ev)
{
	const struct chunk *c = ev->chunk;
	size_t n = c->data.n < FRAME_UDP_PAYLOAD_MAX ? c->data.n : FRAME_UDP_PAYLOAD_MAX;
	struct slot slot;
	int err = slot_begin(s, ev, c->dir, ev->comment, n, &slot);

	if (err)
		return err;
	s->open = true;
	copy_payload(slot.payload, c, 0, n);
	n = pcapng_frame_udp_seal(pcapng_packet_frame(slot.block), &s->path, c->dir, s->ip_id, n);
	return slot_commit(s, ev, &slot, n);
}

int pcapng_stream_data(struct stream *s, const struct stream_event *ev)
{
	if (s->framing == FRAMING_UDP)
		return send_datagram(s, ev);
	return send_bytes(s, ev, ev->chunk->data.n, false);
}

int pcapng_stream_pad(struct stream *s, const struct stream_event *ev)
{
	return send_bytes(s, ev, ev->chunk->gap_bytes, true);
}

int pcapng_stream_close(struct stream *s, const struct stream_event *ev)
{
	enum dir client = s->client, server = dir_other(client);
	int err;

	s->open = false;
	if (s->framing == FRAMING_UDP)
		return 0;
	err = send_control(s, ev, client, TCP_FIN | TCP_ACK, ev->comment);
	if (!err)
		err = send_control(s, ev, server, TCP_FIN | TCP_ACK, STR_NONE);
	if (!err)
		err = send_control(s, ev, client, TCP_ACK, STR_NONE);
	return err;
}

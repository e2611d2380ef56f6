/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An independent reader of pcapng, Ethernet, IP, TCP, UDP and NULL-cipher records for tests. */
#include "tests/unit/pcapng_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | be16(p + 1);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static void copy_text(char *to, size_t cap, const uint8_t *p, size_t n)
{
	assert_true(n < cap);
	memcpy(to, p, n);
	to[n] = 0;
}

static char *copy_comment(char *old, const uint8_t *p, size_t n)
{
	char *text = strndup((const char *)p, n);

	assert_non_null(text);
	free(old);
	return text;
}

/* Word by word, big-endian: RFC 1071 as it is written. */
static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void read_transport(struct rd_packet *k, const uint8_t *p, size_t n, size_t addr_bytes)
{
	uint8_t proto[4] = {0, k->udp ? 17 : 6, (uint8_t)(n >> 8), (uint8_t)n};
	uint32_t sum = sum16(0, proto, 4);

	sum = sum16(sum, k->src, addr_bytes);
	sum = sum16(sum, k->dst, addr_bytes);
	assert_int_equal(sum16(sum, p, n), 0xffff);
	k->sport = be16(p);
	k->dport = be16(p + 2);
	if (k->udp) {
		assert_int_equal(be16(p + 4), n);
		assert_int_not_equal(be16(p + 6), 0);
		k->payload = p + 8;
		k->n = n - 8;
		return;
	}
	k->seq = be32(p + 4);
	k->ack = be32(p + 8);
	assert_int_equal(p[12], 0x50);
	k->flags = p[13];
	assert_int_equal(be16(p + 14), 65535);
	k->payload = p + 20;
	k->n = n - 20;
}

static void read_frame(struct rd_packet *k, const uint8_t *p, size_t n)
{
	uint8_t proto;

	assert_true(n >= 14 + 20 + 8);
	k->v6 = be16(p + 12) == 0x86dd;
	if (!k->v6)
		assert_int_equal(be16(p + 12), 0x0800);
	p += 14;
	n -= 14;
	if (k->v6) {
		assert_int_equal(p[0] >> 4, 6);
		assert_int_equal(be16(p + 4), n - 40);
		proto = p[6];
		memcpy(k->src, p + 8, 16);
		memcpy(k->dst, p + 24, 16);
	} else {
		assert_int_equal(p[0], 0x45);
		assert_int_equal(be16(p + 2), n);
		assert_int_equal(sum16(0, p, 20), 0xffff);
		proto = p[9];
		memcpy(k->src, p + 12, 4);
		memcpy(k->dst, p + 16, 4);
	}
	assert_true(proto == 6 || proto == 17);
	k->udp = proto == 17;
	if (k->v6)
		read_transport(k, p + 40, n - 40, 16);
	else
		read_transport(k, p + 20, n - 20, 4);
}

/* Options go up to the end of the block, where opt_endofopt stands. */
struct option {
	uint16_t code, n;
	const uint8_t *p;
};

/* What fills up to 32 bits is zero, not what the buffer held before. */
static void check_padding(const uint8_t *p, size_t n)
{
	for (; n % 4; n++)
		assert_int_equal(p[n], 0);
}

static bool next_option(const uint8_t **p, const uint8_t *end, struct option *o)
{
	assert_true(end - *p >= 4);
	o->code = le16(*p);
	o->n = le16(*p + 2);
	o->p = *p + 4;
	*p += 4 + (o->n + 3) / 4 * 4;
	assert_true(*p <= end);
	check_padding(o->p, o->n);
	if (o->code == 0)
		assert_ptr_equal(*p, end);
	return o->code != 0;
}

static void read_section(struct rd_file *f, const uint8_t *p, const uint8_t *end)
{
	struct option o;

	assert_int_equal(le32(p), 0x1a2b3c4d);
	assert_int_equal(le16(p + 4), 1);
	p += 16;
	while (next_option(&p, end, &o)) {
		if (o.code == 4)
			copy_text(f->application, sizeof(f->application), o.p, o.n);
		else if (o.code == 1)
			copy_text(f->comment, sizeof(f->comment), o.p, o.n);
		else
			fail_msg("section option %u", o.code);
	}
}

static void read_interface(struct rd_file *f, const uint8_t *p, const uint8_t *end)
{
	struct rd_iface *i;
	struct option o;
	bool nanoseconds = false;

	if ((f->iface_count & (f->iface_count - 1)) == 0)
		f->ifaces = realloc(f->ifaces, (f->iface_count * 2 + 1) * sizeof(*f->ifaces));
	i = &f->ifaces[f->iface_count++];
	memset(i, 0, sizeof(*i));
	assert_int_equal(le16(p), 1);
	assert_int_equal(le32(p + 4), 262144);
	p += 8;
	while (next_option(&p, end, &o)) {
		if (o.code == 2)
			copy_text(i->name, sizeof(i->name), o.p, o.n);
		else if (o.code == 3)
			copy_text(i->description, sizeof(i->description), o.p, o.n);
		else if (o.code == 9)
			nanoseconds = o.n == 1 && o.p[0] == 9;
	}
	assert_true(nanoseconds);
	assert_true(i->name[0]);
}

static void read_stats(struct rd_file *f, const uint8_t *p, const uint8_t *end)
{
	uint32_t id = le32(p);
	struct option o;

	assert_true(id < f->iface_count);
	f->ifaces[id].has_stats = true;
	p += 12;
	while (next_option(&p, end, &o)) {
		assert_int_equal(o.n, 8);
		if (o.code == 4)
			f->ifaces[id].received = le64(o.p);
		if (o.code == 5)
			f->ifaces[id].dropped = le64(o.p);
	}
}

static void read_packet(struct rd_file *f, const uint8_t *p, const uint8_t *end)
{
	struct rd_packet *k;
	struct option o;
	uint32_t n = le32(p + 12);

	if ((f->packet_count & (f->packet_count - 1)) == 0)
		f->packets = realloc(f->packets, (f->packet_count * 2 + 1) * sizeof(*f->packets));
	k = &f->packets[f->packet_count++];
	memset(k, 0, sizeof(*k));
	k->comment = copy_comment(NULL, (const uint8_t *)"", 0);
	k->iface = le32(p);
	assert_true(k->iface < f->iface_count);
	k->ts_ns = (uint64_t)le32(p + 4) << 32 | le32(p + 8);
	assert_int_equal(n, le32(p + 16));
	assert_true(n <= 262144 && n <= (size_t)(end - p) - 20);
	read_frame(k, p + 20, n);
	check_padding(p + 20, n);
	p += 20 + (n + 3) / 4 * 4;
	while (next_option(&p, end, &o)) {
		if (o.code == 1)
			k->comment = copy_comment(k->comment, o.p, o.n);
		else if (o.code == 2)
			k->direction = le32(o.p);
		else if (o.code == 4)
			k->dropped = le64(o.p);
		else if (o.code == 8) {
			assert_int_equal(o.n, 8);
			k->pid = le32(o.p);
			k->tid = le32(o.p + 4);
		} else
			fail_msg("packet option %u", o.code);
	}
	assert_true(k->direction == 1 || k->direction == 2);
}

static void load(struct rd_file *f, const char *path)
{
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	f->size = (size_t)ftell(file);
	rewind(file);
	f->bytes = malloc(f->size + 1);
	assert_non_null(f->bytes);
	assert_int_equal(fread(f->bytes, 1, f->size, file), f->size);
	fclose(file);
}

void rd_open(struct rd_file *f, const char *path)
{
	memset(f, 0, sizeof(*f));
	load(f, path);
	for (size_t at = 0; at < f->size;) {
		const uint8_t *p = f->bytes + at;
		uint32_t type, n;

		assert_true(f->size - at >= 12);
		type = le32(p);
		n = le32(p + 4);
		assert_true(n % 4 == 0 && n >= 12 && n <= f->size - at);
		assert_int_equal(le32(p + n - 4), n);
		assert_int_equal(type == 0x0a0d0d0a, at == 0);
		if (type == 0x0a0d0d0a)
			read_section(f, p + 8, p + n - 4);
		else if (type == 1)
			read_interface(f, p + 8, p + n - 4);
		else if (type == 5)
			read_stats(f, p + 8, p + n - 4);
		else if (type == 6)
			read_packet(f, p + 8, p + n - 4);
		else
			fail_msg("block type %u", type);
		at += n;
	}
}

void rd_free(struct rd_file *f)
{
	for (size_t i = 0; i < f->packet_count; i++)
		free(f->packets[i].comment);
	free(f->bytes);
	free(f->ifaces);
	free(f->packets);
	memset(f, 0, sizeof(*f));
}

static bool from_client(const struct rd_conv *c, const struct rd_packet *k)
{
	return k->sport == c->syn->sport && memcmp(k->src, c->syn->src, 16) == 0;
}

static bool same_tuple(const struct rd_packet *a, const struct rd_packet *b)
{
	bool there = a->sport == b->sport && a->dport == b->dport && !memcmp(a->src, b->src, 16) &&
		     !memcmp(a->dst, b->dst, 16);
	bool back = a->sport == b->dport && a->dport == b->sport && !memcmp(a->src, b->dst, 16) &&
		    !memcmp(a->dst, b->src, 16);

	return a->v6 == b->v6 && (there || back);
}

/* The conversation of a packet: the newest of its addresses. A SYN begins one. */
static struct rd_conv *conv_of(struct rd_convs *all, const struct rd_packet *k)
{
	struct rd_conv *c = NULL;

	for (size_t i = all->count; i-- > 0 && !c;)
		if (same_tuple(all->v[i].syn, k))
			c = &all->v[i];
	if (k->flags != RD_SYN) {
		assert_non_null(c);
		return c;
	}
	if (c) {
		assert_true(c->fin[0] && c->fin[1]);
		assert_int_not_equal(c->isn[0], k->seq);
	}
	all->v = realloc(all->v, (all->count + 1) * sizeof(*all->v));
	c = &all->v[all->count++];
	memset(c, 0, sizeof(*c));
	c->syn = k;
	c->isn[0] = c->next[0] = k->seq;
	return c;
}

static void check_handshake(struct rd_conv *c, const struct rd_packet *k)
{
	static const uint8_t flags[] = {RD_SYN, RD_SYN | RD_ACK, RD_ACK};
	static const bool client[] = {true, false, true};

	if (c->handshake == 3)
		return;
	assert_int_equal(k->flags, flags[c->handshake]);
	assert_int_equal(from_client(c, k), client[c->handshake]);
	assert_int_equal(k->n, 0);
	if (c->handshake == 1)
		c->isn[1] = c->next[1] = k->seq;
	c->handshake++;
}

static void follow(struct rd_conv *c, const struct rd_packet *k)
{
	int side;

	check_handshake(c, k);
	side = from_client(c, k) ? 0 : 1;
	assert_int_equal(k->seq, c->next[side]);
	if (k->flags & RD_ACK) {
		assert_int_equal(k->ack, c->next[!side]);
		c->acked[!side] = k->ack;
	}
	if (k->n) {
		assert_false(c->fin[side]);
		assert_true(k->seq + k->n - c->acked[side] < 65535);
		c->bytes[side] = realloc(c->bytes[side], c->n[side] + k->n);
		memcpy(c->bytes[side] + c->n[side], k->payload, k->n);
		c->n[side] += k->n;
	}
	c->next[side] += (uint32_t)k->n;
	if (k->flags & RD_SYN)
		c->acked[side] = ++c->next[side];
	if (k->flags & RD_FIN) {
		c->next[side]++;
		c->fin[side] = true;
	}
}

void rd_follow(const struct rd_file *f, struct rd_convs *c)
{
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < f->packet_count; i++)
		if (!f->packets[i].udp)
			follow(conv_of(c, &f->packets[i]), &f->packets[i]);
}

void rd_convs_free(struct rd_convs *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->v[i].bytes[0]);
		free(c->v[i].bytes[1]);
	}
	free(c->v);
	memset(c, 0, sizeof(*c));
}

static void read_extensions(struct rd_tls *t, const uint8_t *p, const uint8_t *end)
{
	if (p == end)
		return;
	assert_int_equal(be16(p), end - p - 2);
	for (p += 2; p < end; p += 4 + be16(p + 2)) {
		uint16_t n = be16(p + 2);

		assert_true(end - p >= 4 + n);
		if (be16(p) == 0) {
			assert_int_equal(be16(p + 4), n - 2);
			assert_int_equal(p[6], 0);
			assert_int_equal(be16(p + 7), n - 5);
			copy_text(t->sni, sizeof(t->sni), p + 9, n - 5);
		} else {
			assert_int_equal(be16(p), 16);
			assert_int_equal(be16(p + 4), n - 2);
			assert_int_equal(p[6], n - 3);
			copy_text(t->alpn, sizeof(t->alpn), p + 7, n - 3);
		}
	}
	assert_ptr_equal(p, end);
}

static void read_hello(struct rd_tls *t, const uint8_t *p, size_t n, int side)
{
	static const uint8_t suites[2][7] = {{0, 0, 2, 0, 1, 1, 0}, {0, 0, 1, 0}};
	size_t fixed = side == 0 ? 7 : 4;

	assert_int_equal(p[0], side == 0 ? 1 : 2);
	assert_int_equal(be24(p + 1), n - 4);
	assert_int_equal(be16(p + 4), 0x0303);
	memcpy(t->random, p + 6, 32);
	assert_memory_equal(p + 38, suites[side], fixed);
	read_extensions(t, p + 38 + fixed, p + n);
	t->hello = true;
}

static void read_record(struct rd_tls *t, int side, uint8_t type, const uint8_t *p, size_t n)
{
	static const uint8_t done[] = {14, 0, 0, 0}, mac[16];

	if (type == 22 && !t->hello) {
		read_hello(t, p, n, side);
	} else if (type == 22) {
		assert_true(side == 1 && !t->done && n == 4);
		assert_memory_equal(p, done, 4);
		t->done = true;
	} else if (type == 20) {
		assert_true(t->hello && t->done == (side == 1) && !t->ccs);
		assert_true(n == 1 && p[0] == 1);
		t->ccs = true;
	} else {
		assert_int_equal(type, 23);
		assert_true(t->ccs && n > 16 && n <= 16384 + 16);
		assert_memory_equal(p + n - 16, mac, 16);
		memcpy(t->plain + t->n, p, n - 16);
		t->n += n - 16;
		t->records++;
	}
}

void rd_tls_read(const struct rd_conv *c, int side, struct rd_tls *t)
{
	const uint8_t *p = c->bytes[side], *end = p + c->n[side];

	memset(t, 0, sizeof(*t));
	t->plain = malloc(c->n[side] + 1);
	assert_non_null(t->plain);
	while (p < end) {
		size_t n;

		assert_true(end - p > 5);
		assert_int_equal(be16(p + 1), 0x0303);
		n = be16(p + 3);
		assert_true((size_t)(end - p) >= 5 + n);
		read_record(t, side, p[0], p + 5, n);
		p += 5 + n;
	}
	assert_true(t->ccs);
}

void rd_tls_free(struct rd_tls *t)
{
	free(t->plain);
	memset(t, 0, sizeof(*t));
}

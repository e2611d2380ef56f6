/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of packets: where segments stand, which connections there are, what is skipped and counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <pcap/dlt.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "capture/packet_records.h"
#include "capture/source.h"

enum {
	SYN = FRAME_SYN,
	ACK = FRAME_ACK,
	FIN = FRAME_FIN,
	RST = FRAME_RST
};

/* The client is 10.0.0.1:1000 or fd00::1, the server 10.0.0.2:80 or fd00::2. */
struct made {
	bool v6, udp, from_server;
	uint16_t client_port;
	uint32_t seq, ack;
	uint8_t flags;
	const char *text;
	uint16_t fragment; /* of IPv4 */
	uint8_t extension; /* of IPv6: a header of this type before the next */
};

static void put_addr(struct buf *b, const struct made *m, bool server)
{
	if (m->v6) {
		buf_put_be(b, 0xfd00, 2);
		buf_put(b, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	} else {
		buf_put_be(b, 10, 1);
		buf_put_be(b, 0, 2);
		buf_put_be(b, server ? 2 : 1, 1);
		return;
	}
	buf_put_be(b, server ? 2 : 1, 2);
}

static void put_ip(struct buf *b, const struct made *m, size_t n)
{
	uint8_t proto = m->udp ? IPPROTO_UDP : IPPROTO_TCP;

	if (m->v6) {
		buf_put_be(b, 0x60000000, 4);
		buf_put_be(b, n + (m->extension ? 8 : 0), 2);
		buf_putc(b, m->extension ? m->extension : proto);
		buf_putc(b, 64);
	} else {
		buf_put_be(b, 0x4500, 2);
		buf_put_be(b, 20 + n, 2);
		buf_put_be(b, 0, 2);
		buf_put_be(b, m->fragment, 2);
		buf_putc(b, 64);
		buf_putc(b, proto);
		buf_put_be(b, 0, 2);
	}
	put_addr(b, m, m->from_server);
	put_addr(b, m, !m->from_server);
	if (m->v6 && m->extension) {
		buf_putc(b, proto);
		buf_put_be(b, 0, 7);
	}
}

static struct buf ip_packet(const struct made *m)
{
	uint16_t client = m->client_port ? m->client_port : 1000;
	size_t n = m->text ? strlen(m->text) : 0;
	struct buf b = {0};

	put_ip(&b, m, (m->udp ? 8 : 20) + n);
	buf_put_be(&b, m->from_server ? 80 : client, 2);
	buf_put_be(&b, m->from_server ? client : 80, 2);
	if (m->udp) {
		buf_put_be(&b, 8 + n, 2);
		buf_put_be(&b, 0, 2);
	} else {
		buf_put_be(&b, m->seq, 4);
		buf_put_be(&b, m->ack, 4);
		buf_put_be(&b, 0x5000 | m->flags, 2);
		buf_put_be(&b, 0, 6);
	}
	buf_put(&b, m->text, n);
	assert_true(buf_ok(&b));
	return b;
}

/* Puts the first `n` octets of a raw IP packet, in an allocation of that size. */
static void put_part(struct packet_records *r, const struct buf *ip, size_t n, struct buf *out)
{
	uint8_t *exact = malloc(n ? n : 1);
	struct packet p = {.ts_ns = 1000, .dlt = DLT_RAW, .frame = exact, .captured = n};

	assert_non_null(exact);
	if (n)
		memcpy(exact, ip->p, n);
	assert_int_equal(packet_records_put(r, &p, out), 0);
	free(exact);
}

static void put(struct packet_records *r, struct buf *out, struct made m)
{
	struct buf ip = ip_packet(&m);

	put_part(r, &ip, ip.n, out);
	buf_free(&ip);
}

/* One word a record: "sock<" accepted or unknown, "> 5:text" data with its place, "end". */
static void tell(struct buf *records, char *text, size_t cap)
{
	const struct ev_hdr *h;
	size_t n = 0;

	*text = '\0';
	for (size_t at = 0; at < records->n; at += (h->len + 7u) & ~7u) {
		h = (const struct ev_hdr *)(const void *)(records->p + at);
		assert_true(ev_check(h, h->len));
		if (h->type == EV_SOCK) {
			const struct ev_sock *s = (const struct ev_sock *)h;

			n += (size_t)snprintf(text + n, cap - n, "sock%d %u %u\n", (int)s->sock,
					      s->lport, s->accepted);
		} else if (h->type == EV_DATA) {
			const struct ev_data *d = (const struct ev_data *)h;
			uint64_t off = d->off;
			bool late = !(h->flags & (EV_DATA_FROM_START | EV_DATA_DGRAM));

			if (late)
				off -= 2ull << 30;
			n += (size_t)snprintf(text + n, cap - n, "%d%s%s%d%s:%.*s%s\n",
					      (int)d->sock, d->dir == DIR_WRITE ? ">" : "<",
					      h->flags & EV_DATA_DGRAM ? "dgram " : "", (int)off,
					      late ? " late" : "", (int)d->got,
					      (const char *)d->buf, d->got < d->want ? "..." : "");
		} else if (h->type == EV_CONN_END) {
			const struct ev_conn_end *e = (const struct ev_conn_end *)h;

			n += (size_t)snprintf(text + n, cap - n, "end%d %d %d\n", (int)e->conn,
					      (int)e->off[DIR_WRITE], (int)e->off[DIR_READ]);
		}
		assert_true(n < cap);
	}
	buf_free(records);
}

#define SAYS(out, wanted)                           \
	do {                                        \
		char text_[2048];                   \
		tell(&(out), text_, sizeof(text_)); \
		assert_string_equal(text_, wanted); \
	} while (0)

static int setup(void **state)
{
	*state = packet_records_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	packet_records_free(*state);
	return 0;
}

static void a_connection(void **state)
{
	struct packet_records *r = *state;
	struct buf out = {0};

	for (int v6 = 0; v6 < 2; v6++) {
		put(r, &out, (struct made){.v6 = v6, .seq = 100, .flags = SYN});
		put(r, &out,
		    (struct made){.v6 = v6,
				  .from_server = true,
				  .seq = 7,
				  .ack = 101,
				  .flags = SYN | ACK});
		put(r, &out, (struct made){.v6 = v6, .seq = 101, .text = "ask", .flags = ACK});
		put(r, &out,
		    (struct made){.v6 = v6,
				  .from_server = true,
				  .seq = 8,
				  .text = "answer",
				  .flags = ACK});
		put(r, &out,
		    (struct made){.v6 = v6,
				  .from_server = true,
				  .seq = 14,
				  .text = "more",
				  .flags = ACK | FIN});
		put(r, &out, (struct made){.v6 = v6, .seq = 104, .flags = ACK | FIN});
		put(r, &out, (struct made){.v6 = v6, .from_server = true, .seq = 19, .flags = ACK});
		put(r, &out,
		    (struct made){.v6 = v6,
				  .from_server = true,
				  .seq = 14,
				  .text = "more",
				  .flags = ACK | FIN});
	}
	SAYS(out, "sock1 1000 2\n1>0:ask\n1<0:answer\n1<6:more\nend1 3 10\n"
		  "sock2 1000 2\n2>0:ask\n2<0:answer\n2<6:more\nend2 3 10\n");
	assert_int_equal(packet_records_counts(r)->strays, 2);
}

static void another_order(void **state)
{
	struct packet_records *r = *state;
	struct buf out = {0};

	put(r, &out, (struct made){.from_server = true, .seq = 7, .ack = 101, .flags = SYN | ACK});
	put(r, &out, (struct made){.seq = 100, .flags = SYN});
	put(r, &out, (struct made){.seq = 104, .text = "def", .flags = ACK});
	put(r, &out, (struct made){.seq = 101, .text = "abc", .flags = ACK});
	put(r, &out, (struct made){.seq = 101, .text = "abc", .flags = ACK});
	put(r, &out, (struct made){.from_server = true, .seq = 8, .flags = ACK | FIN});
	put(r, &out, (struct made){.seq = 110, .flags = ACK | FIN});
	put(r, &out, (struct made){.seq = 107, .text = "ghi", .flags = ACK});
	SAYS(out, "sock1 1000 2\n1>3:def\n1>0:abc\n1>0:abc\n1>6:ghi\nend1 9 0\n");
}

static void numbers_wrap(void **state)
{
	struct packet_records *r = *state;
	struct buf out = {0};

	put(r, &out, (struct made){.seq = UINT32_MAX - 2, .flags = SYN});
	put(r, &out, (struct made){.seq = UINT32_MAX - 1, .text = "1234", .flags = ACK});
	put(r, &out, (struct made){.seq = 2, .text = "5", .flags = ACK});
	put(r, &out, (struct made){.seq = 1u << 31, .text = "far away", .flags = ACK});
	put(r, &out,
	    (struct made){.seq = UINT32_MAX - 9, .text = "before the first", .flags = ACK});
	put(r, &out, (struct made){.flags = RST});
	SAYS(out, "sock1 1000 2\n1>0:1234\n1>4:5\nend1 5 0\n");
	assert_int_equal(packet_records_counts(r)->strays, 2);
}

static void joined_late(void **state)
{
	struct packet_records *r = *state;
	struct buf out = {0};

	put(r, &out, (struct made){.from_server = true, .seq = 500, .flags = ACK});
	put(r, &out,
	    (struct made){.from_server = true, .seq = 500, .text = "middle", .flags = ACK});
	put(r, &out, (struct made){.seq = 9, .text = "next", .flags = ACK});
	put(r, &out,
	    (struct made){.from_server = true, .seq = 498, .text = "earlier", .flags = ACK});
	SAYS(out, "sock1 80 0\n1>0 late:middle\n1<0 late:next\n1>-2 late:earlier\n");
}

static void the_same_ends_again(void **state)
{
	struct packet_records *r = *state;
	struct buf out = {0};

	put(r, &out, (struct made){.seq = 100, .flags = SYN});
	put(r, &out, (struct made){.seq = 100, .flags = SYN});
	put(r, &out, (struct made){.seq = 101, .text = "one", .flags = ACK});
	put(r, &out, (struct made){.seq = 100, .flags = SYN});
	put(r, &out, (struct made){.seq = 900, .flags = SYN});
	put(r, &out, (struct made){.seq = 901, .text = "two", .flags = ACK});
	SAYS(out, "sock1 1000 2\n1>0:one\nend1 3 0\nsock2 1000 2\n2>0:two\n");
}

static void datagrams(void **state)
{
	struct packet_records *r = *state;
	struct buf out = {0};

	put(r, &out, (struct made){.udp = true, .text = "ask"});
	put(r, &out, (struct made){.udp = true, .from_server = true, .text = "answer"});
	put(r, &out,
	    (struct made){.udp = true, .v6 = true, .text = "ask", .extension = IPPROTO_DSTOPTS});
	put(r, &out, (struct made){.udp = true, .v6 = true, .text = "more"});
	SAYS(out, "sock1 1000 0\n1>dgram 0:ask\n1<dgram 0:answer\nsock2 1000 0\n2>dgram "
		  "0:ask\n2>dgram 3:more\n");
}

static void what_is_skipped(void **state)
{
	struct packet_records *r = *state;
	const struct packet_counts *n = packet_records_counts(r);
	struct buf out = {0}, ip;

	put(r, &out, (struct made){.text = "first", .fragment = 0x2000});
	put(r, &out, (struct made){.text = "later", .fragment = 5});
	assert_int_equal(n->skipped[FRAME_FRAGMENT], 2);
	put(r, &out, (struct made){.v6 = true, .extension = IPPROTO_ICMPV6});
	assert_int_equal(n->skipped[FRAME_NOT_TCP_UDP], 1);
	ip = ip_packet(&(struct made){.text = "text", .flags = ACK});
	ip.p[0] = 0x75;
	put_part(r, &ip, ip.n, &out);
	assert_int_equal(n->skipped[FRAME_NOT_IP], 1);
	buf_free(&ip);
	SAYS(out, "");
	assert_int_equal(n->packets, 4);
}

/* Cut anywhere, nothing beyond is read; with its headers whole the rest is known to be missing. */
static void cut_anywhere(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct packet_records *r = packet_records_new();
		struct made m = {.v6 = i & 1, .udp = i & 2, .text = "text", .flags = ACK};
		struct buf ip = ip_packet(&m), out = {0};
		size_t heads = ip.n - 4;

		assert_non_null(r);
		for (size_t n = 0; n < heads; n++)
			put_part(r, &ip, n, &out);
		SAYS(out, "");
		put_part(r, &ip, heads + 2, &out);
		SAYS(out,
		     m.udp ? "sock1 1000 0\n1>dgram 0:te...\n" : "sock1 1000 0\n1>0 late:te...\n");
		assert_int_equal(packet_records_counts(r)->cut, 1);
		assert_int_equal(packet_records_counts(r)->skipped[FRAME_CUT] +
					 packet_records_counts(r)->skipped[FRAME_NOT_IP],
				 heads);
		packet_records_free(r);
		buf_free(&ip);
	}
}

static void connections_are_bounded(void **state)
{
	struct packet_records *r = *state;
	struct buf out = {0};

	for (uint32_t i = 0; i <= PACKET_RECORDS_CONNS_MAX; i++) {
		put(r, &out,
		    (struct made){.v6 = i >> 15 & 1,
				  .udp = i >> 16,
				  .client_port = (uint16_t)(1 + (i & 0x7fff)),
				  .text = "x",
				  .flags = ACK});
		buf_clear(&out);
	}
	assert_int_equal(packet_records_counts(r)->evicted, 1);
	buf_free(&out);
}

static void links(void **state)
{
	static const struct {
		int dlt;
		size_t n;
		const char *head;
	} rows[] = {
		{DLT_EN10MB, 14, "\0\0\0\0\0\0\0\0\0\0\0\0\x08\0"},
		{DLT_EN10MB, 22, "\0\0\0\0\0\0\0\0\0\0\0\0\x88\xa8\0\1\x81\0\0\2\x08\0"},
		{DLT_LINUX_SLL, 16, "\0\0\3\4\0\6\0\0\0\0\0\0\0\0\x08\0"},
		{DLT_LINUX_SLL2, 20, "\x08\0\0\0\0\0\0\1\3\4\0\6\0\0\0\0\0\0\0\0"},
		{DLT_NULL, 4, "\2\0\0\0"},
		{DLT_LOOP, 4, "\0\0\0\2"},
		{DLT_RAW, 0, ""},
	};
	struct buf ip = ip_packet(&(struct made){.text = "text", .flags = ACK});
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = {0};

		buf_put(&b, rows[i].head, rows[i].n);
		buf_put(&b, ip.p, ip.n);
		buf_puts(&b, "padding");
		assert_int_equal(frame_read(&f, rows[i].dlt, b.p, b.n), FRAME_OK);
		assert_int_equal(f.n, 4);
		assert_memory_equal(f.payload, "text", 4);
		buf_free(&b);
	}
	assert_int_equal(frame_read(&f, DLT_IEEE802_11, ip.p, ip.n), FRAME_LINK);
	buf_free(&ip);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection),
		TEST(another_order),
		TEST(numbers_wrap),
		TEST(joined_late),
		TEST(the_same_ends_again),
		TEST(datagrams),
		TEST(what_is_skipped),
		cmocka_unit_test(cut_anywhere),
		TEST(connections_are_bounded),
		cmocka_unit_test(links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

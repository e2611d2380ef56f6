/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain sockets: what they speak is found by their bytes alone, the peer is the kernel's word, and what is
 * not ours is given up soon and leaves nothing behind.
 */
#include "tests/unit/flow_stage.h"

#include <netinet/in.h>
#include <stdio.h>

#include "flow/internal.h"
#include "tests/unit/sample_plain.h"

#define SOCK 30
#define STREAM .conn = SOCK, .sock = SOCK, .flags = EV_DATA_PLAIN | EV_DATA_FROM_START
#define LATE .conn = SOCK, .sock = SOCK, .flags = EV_DATA_PLAIN
#define DGRAM .conn = SOCK, .sock = SOCK, .flags = EV_DATA_PLAIN | EV_DATA_DGRAM

static struct harness *begin(bool chunks)
{
	struct harness *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	harness_open(h, &(struct flow_cfg){.chunks = chunks, .limits = limits_default});
	return h;
}

static int setup(void **state)
{
	*state = begin(false);
	harness_sock(*state, 0, 0, SOCK, 80);
	return 0;
}

static int setup_chunks(void **state)
{
	*state = begin(true);
	harness_sock(*state, 0, 0, SOCK, 80);
	return 0;
}

static int setup_bare(void **state)
{
	*state = begin(false);
	return 0;
}

#define PLAIN(fn) cmocka_unit_test_setup_teardown(fn, setup, stage_teardown)
#define PLAIN_CHUNKS(fn) cmocka_unit_test_setup_teardown(fn, setup_chunks, stage_teardown)
#define PLAIN_BARE(fn) cmocka_unit_test_setup_teardown(fn, setup_bare, stage_teardown)

static void show_ends(struct harness *h, struct txn *t)
{
	const struct conn *c = t->conn;

	buf_printf(&h->out, "%u %u.%u.%u.%u:%u ", c->local.port, c->peer.addr[0], c->peer.addr[1],
		   c->peer.addr[2], c->peer.addr[3], c->peer.port);
}

static struct flow_sock *sock_of(struct harness *h, uint64_t id)
{
	return flow_sock_find(h->flow, id);
}

/* Ends it as the kernel side does. */
static void close_sock(struct harness *h, uint64_t sock, uint64_t w, uint64_t r)
{
	harness_conn_end(h, sock, sock, w, r);
	harness_sock_close(h, sock);
}

static void http1_is_found_on_any_port(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_ends;
	DATA(h, .text = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", STREAM);
	DATA(h, .dir = R, .text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", STREAM);
	CHECK(h, "40000 127.0.0.2:80 txn 4242-1e-0 kernel GET http://x/a 200\n");
	DATA(h, .off = 28, .text = "GET /b HTTP/1.1\r\nHost: x\r\n\r\n", STREAM);
	close_sock(h, SOCK, 56, 38);
	CHECK(h, "40000 127.0.0.2:80 txn 4242-1e-0 kernel GET http://x/b  no-response\n");
	assert_null(h->flow->conns);
	assert_int_equal(h->unwanted, 0);
}

static void h2_with_prior_knowledge(void **state)
{
	struct harness *h = *state;

	DATA(h, .text = SAMPLE_H2_REQUEST, .n = sizeof(SAMPLE_H2_REQUEST) - 1, STREAM);
	DATA(h, .dir = R, .text = SAMPLE_H2_RESPONSE, .n = sizeof(SAMPLE_H2_RESPONSE) - 1, STREAM);
	CHECK(h, "txn 4242-1e-0 kernel GET http://x/ 200\n");
}

static void h2_by_upgrade(void **state)
{
	struct harness *h = *state;

	DATA(h,
	     .text = "GET /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
		     "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
	     STREAM);
	DATA(h, .dir = R,
	     .text = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
		     "h2c\r\n\r\n",
	     STREAM);
	DATA(h, .dir = R, .off = 71, .text = SAMPLE_H2_RESPONSE,
	     .n = sizeof(SAMPLE_H2_RESPONSE) - 1, STREAM);
	CHECK(h, "txn 4242-1e-0 kernel GET http://x/up 101\n"
		 "txn 4242-1e-0 kernel GET http://x/up 200\n");
}

static void websocket_follows_its_upgrade(void **state)
{
	struct harness *h = *state;

	DATA(h,
	     .text = "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
		     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		     "Sec-WebSocket-Version: 13\r\n\r\n",
	     STREAM);
	DATA(h, .dir = R,
	     .text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		     "Connection: Upgrade\r\n"
		     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
	     STREAM);
	DATA(h, .dir = R, .off = 129, .text = "\x81\5hello", STREAM);
	assert_non_null(strstr(harness_out(h), "kernel"));
	assert_int_equal(h->txns, 2);
	assert_int_equal(h->unwanted, 0);
}

static void dns_over_tcp(void **state)
{
	struct harness *h = *state;

	DATA(h, .text = "\0\x1f" SAMPLE_DNS_QUERY, .n = sizeof(SAMPLE_DNS_QUERY) + 1, STREAM);
	DATA(h, .dir = R, .text = "\0\x2f" SAMPLE_DNS_ANSWER, .n = sizeof(SAMPLE_DNS_ANSWER) + 1,
	     STREAM);
	assert_int_equal(h->txns, 1);
}

static void udp_socket(struct harness *h, uint16_t lport, uint16_t rport)
{
	struct ev_sock e = {
		.sock = SOCK,
		.family = AF_INET,
		.type = SOCK_DGRAM,
		.protocol = IPPROTO_UDP,
		.lport = lport,
		.rport = rport,
	};

	if (rport)
		memcpy(e.raddr, (uint8_t[]){9, 9, 9, 9}, 4);
	harness_socket(h, &e);
}

#define QUERY .text = SAMPLE_DNS_QUERY, .n = sizeof(SAMPLE_DNS_QUERY) - 1
#define ANSWER .text = SAMPLE_DNS_ANSWER, .n = sizeof(SAMPLE_DNS_ANSWER) - 1

static struct ev_peer peer_of(uint8_t last, uint16_t port)
{
	return (struct ev_peer){.family = AF_INET, .port = port, .addr = {10, 0, 0, last}};
}

/* A server: one socket, and each client is a connection. */
static void each_peer_of_a_datagram_socket_is_a_connection(void **state)
{
	struct harness *h = *state;
	struct ev_peer a = peer_of(1, 1111), b = peer_of(2, 2222);

	h->on_txn = show_ends;
	udp_socket(h, 53, 0);
	DATA(h, .dir = R, QUERY, .peer = &a, DGRAM);
	DATA(h, .dir = R, .off = 29, QUERY, .peer = &b, DGRAM);
	DATA(h, ANSWER, .peer = &b, DGRAM);
	assert_int_equal(strncmp(harness_out(h), "53 10.0.0.2:2222 txn", 20), 0);
	harness_clear(h);
	DATA(h, .off = 45, ANSWER, .peer = &a, DGRAM);
	assert_int_equal(strncmp(harness_out(h), "53 10.0.0.1:1111 txn", 20), 0);
	assert_int_equal(stats_of(h).conns, 2);
	close_sock(h, SOCK, 90, 58);
	assert_null(h->flow->conns);
	assert_int_equal(stats_of(h).gap_bytes, 0);
}

static void mapped_peers_are_ipv4(void **state)
{
	struct harness *h = *state;
	struct ev_sock e = {.sock = SOCK, .family = AF_INET6, .type = SOCK_DGRAM, .lport = 53};
	struct ev_peer p = {.family = AF_INET6, .port = 1111};

	memcpy(p.addr + 10, (uint8_t[]){0xff, 0xff, 10, 0, 0, 7}, 6);
	h->on_txn = show_ends;
	harness_socket(h, &e);
	DATA(h, .dir = R, QUERY, .peer = &p, DGRAM);
	DATA(h, ANSWER, .peer = &p, DGRAM);
	assert_int_equal(strncmp(harness_out(h), "53 10.0.0.7:1111 txn", 20), 0);
}

static void a_datagram_of_nobody_known_has_no_peer(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_ends;
	udp_socket(h, 53, 0);
	DATA(h, .dir = R, QUERY, DGRAM);
	DATA(h, ANSWER, DGRAM);
	assert_int_equal(strncmp(harness_out(h), "0 0.0.0.0:0 txn 4242-1e-0 unknown", 33), 0);
}

static void a_connected_datagram_socket_has_the_one_peer(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_ends;
	udp_socket(h, 5555, 53);
	DATA(h, QUERY, DGRAM);
	DATA(h, .dir = R, ANSWER, DGRAM);
	assert_int_equal(strncmp(harness_out(h), "5555 9.9.9.9:53 txn 4242-1e-0 kernel", 36), 0);
}

/* The same socket is connected to another server: what was asked of the first is not its. */
static void connected_anew_is_another_connection(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_ends;
	udp_socket(h, 5555, 53);
	DATA(h, QUERY, DGRAM);
	udp_socket(h, 5555, 54);
	assert_int_equal(strncmp(harness_out(h), "5555 9.9.9.9:53 txn", 19), 0);
	harness_clear(h);
	DATA(h, .dir = R, .off = 0, ANSWER, DGRAM);
	harness_finish(h);
	assert_int_equal(strncmp(harness_out(h), "5555 9.9.9.9:54 txn", 19), 0);
}

static void lost_datagrams_are_stated_once(void **state)
{
	struct harness *h = *state;
	struct ev_peer a = peer_of(1, 1111), b = peer_of(2, 2222);

	udp_socket(h, 53, 0);
	DATA(h, .dir = R, QUERY, .peer = &a, DGRAM);
	DATA(h, .dir = R, .off = 129, .lost = 100, QUERY, .peer = &a, DGRAM);
	DATA(h, .dir = R, .off = 158, .lost = 100, QUERY, .peer = &b, DGRAM);
	assert_int_equal(stats_of(h).gap_bytes, 100);
	/* half a datagram is a gap as a whole */
	DATA(h, .dir = R, .off = 187, .lost = 100, QUERY, .more = 5, .peer = &b, DGRAM);
	assert_int_equal(stats_of(h).gap_bytes, 100 + sizeof(SAMPLE_DNS_QUERY) - 1 + 5);
}

static void feed_calls(struct harness *h, const struct sample *s, uint16_t flags, uint64_t *off)
{
	for (size_t i = 0; i < s->calls; i++) {
		const struct sample_call *c = &s->call[i];

		DATA(h, .conn = SOCK, .sock = SOCK, .dir = c->dir, .off = off[c->dir], .text = c->p,
		     .n = c->n, .flags = flags);
		off[c->dir] += c->n;
	}
}

/* Protocols that are not ours, seen from their first byte and joined late: no transaction, ever. */
static void what_is_not_ours_gives_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sample_foreign_count; i++) {
		const struct sample *s = &sample_foreign[i];
		uint16_t stream = s->dgram ? EV_DATA_PLAIN | EV_DATA_DGRAM : EV_DATA_PLAIN;

		for (int late = 0; late < 2; late++) {
			struct harness *h = begin(true);
			uint64_t off[DIR_COUNT] = {0};

			harness_sock(h, 0, 0, SOCK, 80);
			for (int again = 0; again < 300; again++)
				feed_calls(h, s, stream | (late ? 0 : EV_DATA_FROM_START), off);
			if (h->txns || !h->unwanted || h->chunk_bytes || h->flow->conns)
				fail_msg("%s: %s, %lu transactions, %lu given up", s->name,
					 late ? "late" : "from its start", (unsigned long)h->txns,
					 (unsigned long)h->unwanted);
			assert_int_equal(h->unwanted_sock, SOCK);
			harness_finish(h);
			CHECK(h, "");
			harness_close(h);
			free(h);
		}
	}
}

/* Bytes without any sense, in calls of all sizes. */
static void noise_gives_nothing(void **state)
{
	uint64_t x = 88172645463325252ull;
	char bytes[512];

	(void)state;
	for (int round = 0; round < 4000; round++) {
		struct harness *h = begin(false);
		uint16_t flags = round & 1 ? EV_DATA_FROM_START : 0;

		flags |= EV_DATA_PLAIN | (round & 2 ? EV_DATA_DGRAM : 0);
		harness_sock(h, 0, 0, SOCK, 80);
		for (uint64_t call = 0, off = 0; call < 12; call++) {
			size_t n;

			for (size_t i = 0; i < sizeof(bytes); i += 8) {
				x ^= x << 13;
				x ^= x >> 7;
				x ^= x << 17;
				memcpy(bytes + i, &x, 8);
			}
			n = 1 + x % sizeof(bytes);
			DATA(h, .conn = SOCK, .sock = SOCK, .off = off, .text = bytes, .n = n,
			     .flags = flags);
			off += n;
		}
		harness_finish(h);
		assert_int_equal(h->txns, 0);
		harness_close(h);
		free(h);
	}
}

/* TLS is seen at its first bytes, whether read whole or header first. */
static void tls_is_given_up_at_once(void **state)
{
	struct harness *h = *state;

	DATA(h, .text = "\x16\3\1\0\xc8\1\0\0\xc4\3\3", .n = 11, STREAM);
	assert_int_equal(h->unwanted, 1);
	assert_null(h->flow->conns);
	assert_true(sock_of(h, SOCK)->unwanted);
	/* what was on its way is dropped */
	DATA(h, .off = 11, .text = "GET /a HTTP/1.1\r\n\r\n", STREAM);
	assert_null(h->flow->conns);
	assert_int_equal(stats_of(h).conns, 0);
	assert_int_equal(stats_of(h).unparsed_bytes, 0);
	assert_int_equal(stats_of(h).unwanted, 1);
}

static void a_header_alone_is_enough(void **state)
{
	struct harness *h = *state;

	DATA(h, .dir = R, .off = 77, .text = "\x17\3\3\1\0", .n = 5, LATE);
	assert_int_equal(h->unwanted, 1);
}

/* What a CONNECT asked for is TLS, or anything: the exchange is shown, the tunnel is not. */
static void a_tunnel_is_given_up(void **state)
{
	struct harness *h = *state;

	DATA(h, .text = "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", STREAM);
	DATA(h, .dir = R, .text = "HTTP/1.1 200 OK\r\n\r\n", STREAM);
	assert_int_equal(h->txns, 1);
	assert_int_equal(h->unwanted, 1);
	DATA(h, .off = 39, .text = "\x16\3\1\0\xc8\1\0\0\xc4\3\3", .n = 11, STREAM);
	assert_int_equal(h->txns, 1);
}

/* In the middle of a download: the request after it is found. */
static void joined_late_it_has_patience(void **state)
{
	struct harness *h = *state;
	char *body = calloc(1, 32768);
	uint64_t off = 1000;

	assert_non_null(body);
	for (int i = 0; i < 20; i++, off += 32768)
		DATA(h, .dir = R, .off = off, .text = body, .n = 32768, LATE);
	free(body);
	DATA(h, .text = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", LATE);
	DATA(h, .dir = R, .off = off, .text = "HTTP/1.1 204 No Content\r\n\r\n", LATE);
	assert_int_equal(h->txns, 1);
	assert_int_equal(h->unwanted, 0);
}

/* A proxy says first for whom it speaks. */
static void what_precedes_is_passed_over(void **state)
{
	struct harness *h = *state;

	DATA(h, .dir = R, .text = "PROXY TCP4 10.0.0.1 10.0.0.2 1111 80\r\n", STREAM);
	DATA(h, .dir = R, .off = 38, .text = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", STREAM);
	DATA(h, .text = "HTTP/1.1 204 No Content\r\n\r\n", STREAM);
	assert_int_equal(h->txns, 1);
}

/* Bytes that may become something wait; chunks of nothing known never go out. */
static void only_what_is_recognised_is_shown(void **state)
{
	struct harness *h = *state;

	DATA(h, .text = "\1\2\3\4 login secret", STREAM);
	DATA(h, .off = 17, .text = "GE", STREAM);
	CHECK(h, "");
	DATA(h, .off = 19, .text = "T /a HTTP/1.1\r\n\r\n", STREAM);
	CHECK(h, "data 4242-1e-0 > @17 \"GE\"\n"
		 "data 4242-1e-0 > @19 \"T /a HTTP/1.1\\x0d\\n\\x0d\\n\"\n");
}

/* The process that has the socket by now ends, and another goes on; the socket is one connection. */
static void a_socket_handed_on_is_one_connection(void **state)
{
	struct harness *h = *state;

	DATA(h, .dir = R, .text = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", STREAM);
	harness_bare(h, EV_EXEC);
	DATA(h, .tgid = 4243, .text = "HTTP/1.1 204 No Content\r\n\r\n", STREAM);
	CHECK(h, "txn 4242-1e-0 kernel GET http://x/a 204\n");
	harness_bare(h, EV_EXIT);
	assert_null(h->flow->conns);
}

/* A server of datagrams that nobody knows, with a peer for each: its memory stays small. */
static void foreign_datagrams_of_many_peers_cost_little(void **state)
{
	struct harness *h = *state;

	udp_socket(h, 6881, 0);
	for (int i = 0; i < 1000; i++) {
		struct ev_peer p = peer_of((uint8_t)(i & 7), (uint16_t)(1000 + i));

		DATA(h, .dir = R, .off = (uint64_t)i * 20, .text = "d1:ad2:id20:abcdefgh",
		     .peer = &p, DGRAM);
	}
	assert_int_equal(h->unwanted, 1);
	assert_null(h->flow->conns);
}

/* The connections outlive what is known of their socket, when there is no room for it. */
static void sockets_are_bounded(void **state)
{
	struct harness *h = *state;

	DATA(h, .text = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", STREAM);
	for (uint64_t i = 0; i < FLOW_SOCKS_MAX; i++)
		harness_sock(h, 0, 0, 1000 + i, 80);
	assert_null(sock_of(h, SOCK));
	DATA(h, .dir = R, .text = "HTTP/1.1 204 No Content\r\n\r\n", STREAM);
	CHECK(h, "txn 4242-1e-0 kernel GET http://x/a 204\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAIN(http1_is_found_on_any_port),
		PLAIN(h2_with_prior_knowledge),
		PLAIN(h2_by_upgrade),
		PLAIN(websocket_follows_its_upgrade),
		PLAIN(dns_over_tcp),
		PLAIN_BARE(each_peer_of_a_datagram_socket_is_a_connection),
		PLAIN_BARE(mapped_peers_are_ipv4),
		PLAIN_BARE(a_datagram_of_nobody_known_has_no_peer),
		PLAIN_BARE(a_connected_datagram_socket_has_the_one_peer),
		PLAIN_BARE(connected_anew_is_another_connection),
		PLAIN_BARE(lost_datagrams_are_stated_once),
		cmocka_unit_test(what_is_not_ours_gives_nothing),
		cmocka_unit_test(noise_gives_nothing),
		PLAIN(tls_is_given_up_at_once),
		PLAIN(a_header_alone_is_enough),
		PLAIN(a_tunnel_is_given_up),
		PLAIN(joined_late_it_has_patience),
		PLAIN(what_precedes_is_passed_over),
		PLAIN_CHUNKS(only_what_is_recognised_is_shown),
		PLAIN(a_socket_handed_on_is_one_connection),
		PLAIN_BARE(foreign_datagrams_of_many_peers_cost_little),
		PLAIN(sockets_are_bounded),
	};

	return cmocka_run_group_tests_name("flow_plain", tests, NULL, NULL);
}

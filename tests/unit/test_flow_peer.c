/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose socket: what is proven, for how long, and that nothing is ever guessed. */
#include "tests/unit/flow_stage.h"

#include <arpa/inet.h>

#include "identity/identity.h"

#define NESTED .flags = EV_DATA_NESTED | EV_DATA_FROM_START
#define CACHED .flags = EV_DATA_CACHED | EV_DATA_FROM_START
#define BARE .flags = EV_DATA_FROM_START

/* Writes the peer's port behind the line of each transaction. */
static void show_port(struct harness *h, struct txn *t)
{
	buf_printf(&h->out, "port %u ", t->conn->peer.port);
}

static void evidence_is_named_by_how_it_came(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	DATA(h, .off = 0, .text = "Q /a\n", .sock = HARNESS_SOCK, NESTED);
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", .sock = HARNESS_SOCK, CACHED);
	CHECK(h, "port 443 txn 4242-1000-1 nested Q /a 1\n");
	DATA(h, .off = 5, .text = "Q /b\n", .sock = HARNESS_SOCK, CACHED);
	h->now_ms++;
	DATA(h, .off = 10, .text = "Q /c\n", .sock = HARNESS_SOCK, CACHED);
	h->now_ms++;
	DATA(h, .dir = R, .off = 4, .text = "R 2\n", .sock = HARNESS_SOCK, CACHED);
	CHECK(h, "port 443 txn 4242-1000-1 nested Q /b 2\n");
	DATA(h, .dir = R, .off = 8, .text = "R 3\n", .sock = HARNESS_SOCK, CACHED);
	CHECK(h, "port 443 txn 4242-1000-1 cached Q /c 3\n");
	h->now_ms++;
	/* proven once, but these calls did not use the socket as far as one could see */
	DATA(h, .off = 15, .text = "Q /d\n", BARE);
	DATA(h, .dir = R, .off = 12, .text = "R 4\n", BARE);
	CHECK(h, "port 443 txn 4242-1000-1 unknown Q /d 4\n");
}

static void without_evidence_it_waits_and_goes_as_unknown(void **state)
{
	struct harness *h = *state;
	uint64_t start = h->now_ms;

	h->on_txn = show_port;
	DATA(h, .off = 0, .text = "Q /a\n", BARE);
	harness_tick(h, start + 300);
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", BARE);
	CHECK(h, "");
	harness_tick(h, start + 300 + FLOW_PEER_WAIT_MS - 1);
	CHECK(h, "");
	harness_tick(h, start + 300 + FLOW_PEER_WAIT_MS);
	CHECK(h, "port 0 txn 4242-1000-1 unknown Q /a 1\n");
	/* it has waited once; what follows does not wait again */
	DATA(h, .off = 5, .text = "Q /b\n", BARE);
	DATA(h, .dir = R, .off = 4, .text = "R 2\n", BARE);
	CHECK(h, "port 0 txn 4242-1000-1 unknown Q /b 2\n");
}

/* Proof for the generation that comes while it waits counts, as cached: another call gave it. */
static void evidence_that_comes_in_time_is_used(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	DATA(h, .off = 0, .text = "Q /a\n", BARE);
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", BARE);
	harness_tick(h, h->now_ms + 100);
	CHECK(h, "");
	harness_sock(h, HARNESS_CONN, 1, 10, 8443);
	CHECK(h, "port 8443 txn 4242-1000-1 cached Q /a 1\n");
	h->now_ms++;
	DATA(h, .off = 5, .text = "Q /b\n", .sock = 10, NESTED);
	DATA(h, .dir = R, .off = 4, .text = "R 2\n", .sock = 10, NESTED);
	CHECK(h, "port 8443 txn 4242-1000-1 nested Q /b 2\n");
}

static void the_order_of_a_connection_is_kept_while_it_waits(void **state)
{
	struct harness *h = *state;

	DATA(h, .off = 0, .text = "Q /a\nQ /b\n", BARE);
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", BARE);
	h->now_ms++;
	DATA(h, .dir = R, .off = 4, .text = "R 2\n", .sock = HARNESS_SOCK, NESTED);
	CHECK(h, "txn 4242-1000-1 cached Q /a 1\n"
		 "txn 4242-1000-1 nested Q /b 2\n");
}

/* The kernel says "cached" of a socket that is closed by now: proof of the past, not of this byte. */
static void a_closed_socket_proves_nothing_more(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	DATA(h, .off = 0, .text = "Q /a\nQ /b\n", .sock = HARNESS_SOCK, NESTED);
	h->now_ms++;
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", .sock = HARNESS_SOCK, CACHED);
	CHECK(h, "port 443 txn 4242-1000-1 nested Q /a 1\n");
	harness_sock_close(h, HARNESS_SOCK);
	h->now_ms++;
	DATA(h, .off = 10, .text = "Q /c\n", .sock = HARNESS_SOCK, CACHED);
	DATA(h, .dir = R, .off = 4, .text = "R 2\nR 3\n", .sock = HARNESS_SOCK, CACHED);
	/* /b began when the socket was proven; /c has nothing */
	CHECK(h, "port 443 txn 4242-1000-1 nested Q /b 2\n"
		 "port 443 txn 4242-1000-1 unknown Q /c 3\n");
}

static void a_record_made_before_the_close_keeps_its_evidence(void **state)
{
	struct harness *h = *state;

	h->now_ms++;
	harness_sock_close(h, HARNESS_SOCK);
	harness_tick(h, h->now_ms + 100);
	h->now_ms -= 101; /* the call began before, its record came after */
	DATA(h, .off = 0, .text = "Q /a\n", .sock = HARNESS_SOCK, CACHED);
	h->now_ms += 2;
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", .sock = HARNESS_SOCK, CACHED);
	CHECK(h, "txn 4242-1000-1 cached Q /a 1\n");
}

/* The same context on another socket: what waited for proof of the first does not get the second's. */
static void another_socket_does_not_speak_for_what_came_before(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	DATA(h, .off = 0, .text = "Q /a\n", .sock = HARNESS_SOCK, NESTED);
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", .sock = HARNESS_SOCK, NESTED);
	CHECK(h, "port 443 txn 4242-1000-1 nested Q /a 1\n");
	harness_sock_close(h, HARNESS_SOCK);
	h->now_ms++;
	DATA(h, .off = 5, .text = "Q /b\n", BARE);
	DATA(h, .dir = R, .off = 4, .text = "R 2\n", BARE);
	CHECK(h, "port 443 txn 4242-1000-1 unknown Q /b 2\n");
	h->now_ms++;
	harness_sock(h, HARNESS_CONN, 1, 10, 8443);
	h->now_ms++;
	DATA(h, .off = 10, .text = "Q /c\n", .sock = 10, CACHED);
	DATA(h, .dir = R, .off = 8, .text = "R 3\n", .sock = 10, CACHED);
	CHECK(h, "port 8443 txn 4242-1000-1 cached Q /c 3\n");
}

/* An exchange that began on the first socket and ended on the second has only the second's proof. */
static void proof_of_the_first_socket_ends_with_it(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	DATA(h, .off = 0, .text = "Q /a\n", .sock = HARNESS_SOCK, NESTED);
	h->now_ms++;
	harness_sock(h, HARNESS_CONN, 1, 10, 8443);
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", .sock = 10, CACHED);
	CHECK(h, "port 8443 txn 4242-1000-1 cached Q /a 1\n");
}

/* The same addresses under a new id are the same socket, seen again. */
static void the_same_address_is_the_same_socket(void **state)
{
	struct harness *h = *state;

	DATA(h, .off = 0, .text = "Q /a\n", .sock = HARNESS_SOCK, NESTED);
	h->now_ms++;
	harness_sock(h, HARNESS_CONN, 1, 10, 443);
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", .sock = 10, CACHED);
	CHECK(h, "txn 4242-1000-1 nested Q /a 1\n");
}

static void an_address_used_again_is_another_connection(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	DATA(h, .off = 0, .text = "Q /a\n", .sock = HARNESS_SOCK, NESTED);
	harness_conn_end(h, HARNESS_CONN, 1, 5, 0);
	CHECK(h, "port 443 txn 4242-1000-1 nested Q /a - no-response\n");
	DATA(h, .gen = 2, .off = 0, .text = "Q /b\n", BARE);
	DATA(h, .gen = 2, .dir = R, .off = 0, .text = "R 2\n", BARE);
	CHECK(h, "");
	harness_conn_end(h, HARNESS_CONN, 2, 5, 4);
	CHECK(h, "port 0 txn 4242-1000-2 unknown Q /b 2\n");
	assert_int_equal(stats_of(h).conns, 2);
	harness_tick(h, h->now_ms + 2 * FLOW_PEER_WAIT_MS); /* its timer went with it */
}

/* Two generations of one address at the same time: each keeps its own bytes and socket. */
static void generations_do_not_mix(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	harness_sock(h, HARNESS_CONN, 2, 10, 8443);
	DATA(h, .gen = 1, .off = 0, .text = "Q /old\n", .sock = HARNESS_SOCK, NESTED);
	DATA(h, .gen = 2, .off = 0, .text = "Q /new\n", .sock = 10, NESTED);
	DATA(h, .gen = 1, .dir = R, .off = 0, .text = "R 1\n", .sock = HARNESS_SOCK, NESTED);
	DATA(h, .gen = 2, .dir = R, .off = 0, .text = "R 2\n", .sock = 10, NESTED);
	CHECK(h, "port 443 txn 4242-1000-1 nested Q /old 1\n"
		 "port 8443 txn 4242-1000-2 nested Q /new 2\n");
}

static void evidence_without_its_socket_is_none(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	DATA(h, .off = 0, .text = "Q /a\n", .sock = 999, NESTED);
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", .sock = 999, NESTED);
	harness_finish(h);
	CHECK(h, "port 0 txn 4242-1000-1 unknown Q /a 1\n");
}

static void feed_proof(struct harness *h, uint64_t sock)
{
	struct ev_sock e = {
		.hdr = {.ts_ns = h->now_ms * 1000000,
			.start_ns = HARNESS_START_NS,
			.tgid = HARNESS_PID,
			.type = EV_SOCK,
			.flags = EV_SOCK_TLS,
			.len = sizeof(e)},
		.conn = HARNESS_CONN,
		.gen = 1,
		.sock = sock,
	};

	assert_int_equal(flow_event(h->flow, &e.hdr), 0);
}

/* First a socket for itself, then, when the call has returned, whose it is. */
static void a_proof_names_a_socket_told_before(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	harness_sock(h, 0, 0, 30, 8443);
	DATA(h, .off = 0, .text = "Q /a\n");
	DATA(h, .dir = R, .off = 0, .text = "R 1\n");
	CHECK(h, "");
	feed_proof(h, 31); /* of which nothing is known */
	CHECK(h, "");
	feed_proof(h, 30);
	CHECK(h, "port 8443 txn 4242-1000-1 cached Q /a 1 late\n");
}

static void a_proof_by_a_closed_socket_is_none(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	harness_sock(h, 0, 0, 30, 8443);
	DATA(h, .off = 0, .text = "Q /a\n");
	DATA(h, .dir = R, .off = 0, .text = "R 1\n");
	harness_sock_close(h, 30);
	h->now_ms++;
	feed_proof(h, 30);
	harness_finish(h);
	CHECK(h, "port 0 txn 4242-1000-1 unknown Q /a 1 late\n");
}

/* A callback's, or a log's: whatever a call of the context did with it. */
static void a_socket_without_tls_is_nobodys(void **state)
{
	struct ev_sock plain = {.sock = 30, .family = AF_INET, .type = SOCK_STREAM, .rport = 514};
	struct harness *h = *state;

	h->on_txn = show_port;
	harness_socket(h, &plain);
	DATA(h, .off = 0, .text = "Q /a\n", .sock = 30, NESTED);
	DATA(h, .dir = R, .off = 0, .text = "R 1\n", .sock = 30, CACHED);
	plain.conn = HARNESS_CONN;
	plain.gen = 1;
	harness_socket(h, &plain);
	CHECK(h, "");
	/* TLS begins on it (CONNECT, STARTTLS) */
	plain.conn = plain.gen = 0;
	plain.hdr.flags = EV_SOCK_TLS;
	harness_socket(h, &plain);
	DATA(h, .off = 5, .text = "Q /b\n", .sock = 30, NESTED);
	CHECK(h, "port 514 txn 4242-1000-1 cached Q /a 1\n");
}

static void show_conn(struct harness *h, struct txn *t)
{
	const struct conn *c = t->conn;
	char local[INET6_ADDRSTRLEN] = "", peer[INET6_ADDRSTRLEN] = "";
	int af = c->family == ADDR_IPV4 ? AF_INET : AF_INET6;

	assert_non_null(inet_ntop(af, c->local.addr, local, sizeof(local)));
	assert_non_null(inet_ntop(af, c->peer.addr, peer, sizeof(peer)));
	buf_printf(&h->out, "%s %s.%u %s.%u role %d ", af == AF_INET ? "ipv4" : "ipv6", local,
		   c->local.port, peer, c->peer.port, c->role);
}

static void feed_sock6(struct harness *h, const char *local, const char *peer)
{
	struct ev_sock e = {
		.hdr = {.ts_ns = h->now_ms * 1000000,
			.start_ns = HARNESS_START_NS,
			.tgid = HARNESS_PID,
			.type = EV_SOCK,
			.flags = EV_SOCK_TLS,
			.len = sizeof(e)},
		.conn = HARNESS_CONN,
		.gen = 1,
		.sock = 20,
		.family = AF_INET6,
		.type = SOCK_STREAM,
		.lport = 443,
		.rport = 50000,
		.accepted = 1,
	};

	assert_int_equal(inet_pton(AF_INET6, local, e.laddr), 1);
	assert_int_equal(inet_pton(AF_INET6, peer, e.raddr), 1);
	assert_int_equal(flow_event(h->flow, &e.hdr), 0);
}

static void mapped_addresses_are_ipv4(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_conn;
	feed_sock6(h, "::ffff:10.0.0.1", "::ffff:10.0.0.2");
	DATA(h, .dir = R, .off = 0, .text = "Q /a\n", .sock = 20, NESTED);
	DATA(h, .off = 0, .text = "R 1\n", .sock = 20, NESTED);
	CHECK(h, "ipv4 10.0.0.1.443 10.0.0.2.50000 role 2 txn 4242-1000-1 nested Q /a 1\n");
}

static void ipv6_addresses_are_kept(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_conn;
	feed_sock6(h, "2001:db8::1", "::ffff:10.0.0.2"); /* half mapped is not mapped */
	DATA(h, .dir = R, .off = 0, .text = "Q /a\n", .sock = 20, NESTED);
	DATA(h, .off = 0, .text = "R 1\n", .sock = 20, NESTED);
	CHECK(h, "ipv6 2001:db8::1.443 ::ffff:10.0.0.2.50000 role 2 "
		 "txn 4242-1000-1 nested Q /a 1\n");
}

/* Plain sockets: the connection is the socket. */
static void plain_sockets_are_known_by_the_kernel(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	harness_sock(h, 0, 0, 30, 80);
	DATA(h, .conn = 30, .off = 0, .text = "Q /a\n", .flags = EV_DATA_PLAIN);
	DATA(h, .conn = 30, .dir = R, .off = 0, .text = "R 1\n", .flags = EV_DATA_PLAIN);
	CHECK(h, "port 80 txn 4242-1e-0 kernel Q /a 1 late\n");
}

static void a_plain_socket_may_be_announced_late(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	DATA(h, .conn = 30, .off = 0, .text = "Q /a\n", .flags = EV_DATA_PLAIN);
	DATA(h, .conn = 30, .dir = R, .off = 0, .text = "R 1\n", .flags = EV_DATA_PLAIN);
	CHECK(h, "");
	harness_sock(h, 0, 0, 30, 80);
	CHECK(h, "port 80 txn 4242-1e-0 kernel Q /a 1 late\n");
}

/* Which side the process is, where the protocol does not tell: it connected. */
static void the_socket_tells_the_role(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_conn;
	harness_sock(h, 0, 0, 30, 53);
	DATA(h, .conn = 30, .text = "D x", .flags = EV_DATA_PLAIN | EV_DATA_DGRAM);
	CHECK(h, "ipv4 127.0.0.1.40000 127.0.0.2.53 role 1 txn 4242-1e-0 kernel D - D x\n");
}

static void waiting_transactions_are_bounded(void **state)
{
	struct harness *h = *state;
	uint64_t w = 0, r = 0;

	h->quiet = true;
	for (int i = 0; i < FLOW_HELD_TXNS + 10; i++, w += 5, r += 4) {
		DATA(h, .off = w, .text = "Q /a\n", BARE);
		DATA(h, .dir = R, .off = r, .text = "R 1\n", BARE);
	}
	assert_int_equal(h->txns, 10);
	assert_int_equal(stats_of(h).held_over, 10);
	harness_finish(h);
	assert_int_equal(h->txns, FLOW_HELD_TXNS + 10);
}

/* Chunks wait like transactions do, and go with the addresses they waited for. */
static void chunks_wait_for_the_peer_too(void **state)
{
	struct harness *h = *state;

	DATA(h, .off = 0, .text = "Q /a\n", BARE);
	CHECK(h, "");
	harness_sock(h, HARNESS_CONN, 1, 10, 8443);
	CHECK(h, "data 4242-1000-1 > @0 \"Q /a\\n\"\n");
	DATA(h, .gen = 2, .off = 0, .text = "Q /b\n", BARE);
	harness_tick(h, h->now_ms + FLOW_PEER_WAIT_MS);
	CHECK(h, "data 4242-1000-2 > @0 \"Q /b\\n\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED_TXNS(evidence_is_named_by_how_it_came),
		STAGED_TXNS(without_evidence_it_waits_and_goes_as_unknown),
		STAGED_TXNS(evidence_that_comes_in_time_is_used),
		STAGED_TXNS(the_order_of_a_connection_is_kept_while_it_waits),
		STAGED_TXNS(a_closed_socket_proves_nothing_more),
		STAGED_TXNS(a_record_made_before_the_close_keeps_its_evidence),
		STAGED_TXNS(another_socket_does_not_speak_for_what_came_before),
		STAGED_TXNS(proof_of_the_first_socket_ends_with_it),
		STAGED_TXNS(the_same_address_is_the_same_socket),
		STAGED_TXNS(a_plain_socket_may_be_announced_late),
		STAGED_TXNS(the_socket_tells_the_role),
		STAGED_TXNS(an_address_used_again_is_another_connection),
		STAGED_TXNS(generations_do_not_mix),
		STAGED_TXNS(evidence_without_its_socket_is_none),
		STAGED_TXNS(a_proof_names_a_socket_told_before),
		STAGED_TXNS(a_proof_by_a_closed_socket_is_none),
		STAGED_TXNS(a_socket_without_tls_is_nobodys),
		STAGED_TXNS(mapped_addresses_are_ipv4),
		STAGED_TXNS(ipv6_addresses_are_kept),
		STAGED_TXNS(plain_sockets_are_known_by_the_kernel),
		STAGED_TXNS(waiting_transactions_are_bounded),
		STAGED(chunks_wait_for_the_peer_too),
	};

	return cmocka_run_group_tests_name("flow_peer", tests, NULL, NULL);
}

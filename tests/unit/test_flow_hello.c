/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose hellos they are: the connection's whose socket it is, and nobody else's. What they say: test_hello.c. */
#include "tests/unit/flow_stage.h"

#include <stdio.h>

#include "flow/hello.h"
#include "tests/fuzz/fixture_input.h"

#define SERVER 16 /* a socket, and another */
#define OTHER 17

/* The bytes of one side of a real conversation. */
static void side(struct buf *out, char mark)
{
	char line[512];
	FILE *f = fopen("tests/fixtures/hello/tls12-alpn.txt", "r");
	uint8_t octets[255];

	assert_non_null(f);
	buf_clear(out);
	while (fgets(line, sizeof(line), f) && strcmp(line, "---\n") != 0)
		if (*line == mark)
			buf_put(out, octets,
				input_octets(octets, sizeof(octets), true, (uint8_t *)line + 2,
					     strcspn(line + 2, "\n")));
	fclose(f);
	assert_true(buf_ok(out) && out->n);
}

static void hello(struct harness *h, uint64_t sock, enum dir d, uint64_t off, const uint8_t *p,
		  size_t n)
{
	struct ev_sock_io *e = calloc(1, sizeof(*e) + n);

	assert_non_null(e);
	e->hdr = (struct ev_hdr){.ts_ns = h->now_ms * 1000000,
				 .start_ns = HARNESS_START_NS,
				 .tgid = HARNESS_PID,
				 .type = EV_SOCK_IO,
				 .flags = EV_SOCK_IO_HELLO,
				 .len = (uint32_t)(sizeof(*e) + n)};
	e->sock = sock;
	e->off = off;
	e->want = e->got = (uint32_t)n;
	e->dir = (uint8_t)d;
	memcpy(e->buf, p, n);
	assert_int_equal(flow_event(h->flow, &e->hdr), 0);
	free(e);
}

static void hellos(struct harness *h, uint64_t sock)
{
	struct buf b = {0};

	side(&b, '>');
	hello(h, sock, W, 0, b.p, b.n);
	side(&b, '<');
	hello(h, sock, R, 0, b.p, b.n);
	buf_free(&b);
}

/* What is said before the line of each transaction. */
static void show_tls(struct harness *h, struct txn *t)
{
	const struct conn *c = t->conn;

	buf_printf(&h->out, "%.*s/%.*s/%.*s/%d ", (int)c->tls_version.n, c->tls_version.p,
		   (int)c->sni.n, c->sni.p, (int)c->alpn.n, c->alpn.p, c->tls_resumed);
}

static void exchange(struct harness *h, uint64_t conn, uint64_t sock)
{
	h->on_txn = show_tls;
	DATA(h, .conn = conn, .text = "Q /a\n", .sock = sock,
	     .flags = EV_DATA_NESTED | EV_DATA_FROM_START);
	DATA(h, .conn = conn, .dir = R, .text = "R 1\n", .sock = sock,
	     .flags = EV_DATA_NESTED | EV_DATA_FROM_START);
}

#define KNOWN "1.2/www.example.com/h2/1 "

static void the_connection_has_what_its_socket_said(void **state)
{
	struct harness *h = *state;

	harness_sock(h, 0, 0, SERVER, 443);
	hellos(h, SERVER);
	exchange(h, 0x2000, SERVER);
	CHECK(h, KNOWN "txn 4242-2000-1 nested Q /a 1\n");
	harness_sock(h, 0, 0, OTHER, 444);
	exchange(h, 0x3000, OTHER);
	CHECK(h, "///0 txn 4242-3000-1 nested Q /a 1\n");
}

/* TLS in TLS: the outer one's hellos are the ones that the socket saw. */
static void only_the_first_connection_of_a_socket_has_them(void **state)
{
	struct harness *h = *state;

	harness_sock(h, 0, 0, SERVER, 443);
	hellos(h, SERVER);
	exchange(h, 0x2000, SERVER);
	exchange(h, 0x3000, SERVER);
	CHECK(h, KNOWN "txn 4242-2000-1 nested Q /a 1\n///0 txn 4242-3000-1 nested Q /a 1\n");
}

/* What is known survives the socket, but not into the next life of its id. */
static void a_closed_socket_says_nothing_to_the_next(void **state)
{
	struct harness *h = *state;

	harness_sock(h, 0, 0, SERVER, 443);
	hellos(h, SERVER);
	DATA(h, .conn = 0x2000, .text = "Q /a\n", .sock = SERVER,
	     .flags = EV_DATA_NESTED | EV_DATA_FROM_START);
	harness_sock_close(h, SERVER);
	harness_tick(h, h->now_ms + 2 * FLOW_PEER_WAIT_MS);
	harness_sock(h, 0, 0, SERVER, 443);
	h->on_txn = show_tls;
	DATA(h, .conn = 0x2000, .dir = R, .text = "R 1\n", .flags = EV_DATA_FROM_START);
	CHECK(h, KNOWN "txn 4242-2000-1 nested Q /a 1\n");
	exchange(h, 0x3000, SERVER);
	CHECK(h, "///0 txn 4242-3000-1 nested Q /a 1\n");
}

/* A context that moves to another socket agrees on everything anew. */
static void another_socket_is_another_handshake(void **state)
{
	struct harness *h = *state;

	harness_sock(h, 0, 0, SERVER, 443);
	hellos(h, SERVER);
	exchange(h, 0x2000, SERVER);
	harness_clear(h);
	harness_sock(h, 0, 0, OTHER, 444);
	DATA(h, .conn = 0x2000, .off = 5, .text = "Q /b\n", .sock = OTHER, .flags = EV_DATA_NESTED);
	DATA(h, .conn = 0x2000, .dir = R, .off = 4, .text = "R 2\n", .sock = OTHER,
	     .flags = EV_DATA_NESTED);
	CHECK(h, "///0 txn 4242-2000-1 nested Q /b 2\n");
}

static void hellos_that_never_end_are_bounded(void **state)
{
	static const uint8_t begun[8 + 9] = {22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xf0};
	struct harness *h = *state;
	const struct flow *f = h->flow;

	for (uint64_t i = 0; i < FLOW_HELLO_TOTAL_BYTES / 16; i++) {
		hello(h, 1000 + i % 100000, i < 100000 ? W : R, 0, begun, sizeof(begun));
		assert_true(f->hello_bytes <= FLOW_HELLO_TOTAL_BYTES);
		if (stats_of(h).hellos_dropped)
			break;
	}
	assert_true(stats_of(h).hellos_dropped > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED_TXNS(the_connection_has_what_its_socket_said),
		STAGED_TXNS(only_the_first_connection_of_a_socket_has_them),
		STAGED_TXNS(a_closed_socket_says_nothing_to_the_next),
		STAGED_TXNS(another_socket_is_another_handshake),
		STAGED_TXNS(hellos_that_never_end_are_bounded),
	};

	return cmocka_run_group_tests_name("flow_hello", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket of a memory BIO: by equal ciphertext, in any order, or not at all. */
#include "tests/unit/flow_stage.h"

#define SOCK_A 31
#define SOCK_B 32

static struct ev_hdr head(struct harness *h, uint16_t type, size_t len)
{
	return (struct ev_hdr){.ts_ns = h->now_ms * 1000000,
			       .start_ns = HARNESS_START_NS,
			       .tgid = HARNESS_PID,
			       .type = type,
			       .len = (uint32_t)len};
}

/* A record of application data; its ciphertext follows from `which`. */
static void fill(uint8_t *bytes, uint8_t which)
{
	memset(bytes, which, EV_CIPHER_BYTES);
	memcpy(bytes, "\x17\x03\x03\x01\x00", 5);
}

static void made(struct harness *h, uint64_t conn, uint8_t which)
{
	struct ev_cipher e = {.hdr = head(h, EV_CIPHER, sizeof(e)), .conn = conn, .gen = 1};

	fill(e.bytes, which);
	assert_int_equal(flow_event(h->flow, &e.hdr), 0);
}

static void sent_cut(struct harness *h, uint64_t sock, uint8_t which, uint32_t got)
{
	struct ev_sock_io *e = calloc(1, sizeof(*e) + EV_CIPHER_BYTES);

	assert_non_null(e);
	e->hdr = head(h, EV_SOCK_IO, sizeof(*e) + got);
	e->sock = sock;
	e->want = 261;
	e->got = got;
	fill(e->buf, which);
	assert_int_equal(flow_event(h->flow, &e->hdr), 0);
	free(e);
}

static void sent(struct harness *h, uint64_t sock, uint8_t which)
{
	sent_cut(h, sock, which, EV_CIPHER_BYTES);
}

static void show_port(struct harness *h, struct txn *t)
{
	buf_printf(&h->out, "port %u ", t->conn->source ? t->conn->peer.port : 0);
}

/* A transaction of a context of which no call of the library is on a socket. */
static void exchange(struct harness *h, uint64_t conn, uint64_t n)
{
	DATA(h, .conn = conn, .off = 5 * n, .text = "Q /a\n", .flags = EV_DATA_FROM_START);
	DATA(h, .conn = conn, .dir = R, .off = 4 * n, .text = "R 1\n", .flags = EV_DATA_FROM_START);
}

static struct harness *begin(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_port;
	harness_sock(h, 0, 0, SOCK_A, 1001);
	harness_sock(h, 0, 0, SOCK_B, 1002);
	return h;
}

static void equal_bytes_are_proof(void **state)
{
	struct harness *h = begin(state);

	made(h, 0x2000, 7);
	exchange(h, 0x2000, 0);
	CHECK(h, "");
	sent(h, SOCK_B, 7);
	CHECK(h, "port 1002 txn 4242-2000-1 record Q /a 1\n");
}

static void many_at_once_keep_their_own(void **state)
{
	struct harness *h = begin(state);

	made(h, 0x2000, 7);
	made(h, 0x3000, 8);
	exchange(h, 0x2000, 0);
	exchange(h, 0x3000, 0);
	sent(h, SOCK_B, 8);
	sent(h, SOCK_A, 7);
	CHECK(h, "port 1002 txn 4242-3000-1 record Q /a 1\n"
		 "port 1001 txn 4242-2000-1 record Q /a 1\n");
}

/* Shuffled: the socket's record before the context's. */
static void order_does_not_matter(void **state)
{
	struct harness *h = begin(state);

	sent(h, SOCK_A, 8);
	sent(h, SOCK_B, 7);
	exchange(h, 0x2000, 0);
	CHECK(h, "");
	made(h, 0x2000, 7);
	CHECK(h, "port 1002 txn 4242-2000-1 record Q /a 1\n");
}

static void other_or_cut_bytes_are_none(void **state)
{
	struct harness *h = begin(state);

	made(h, 0x2000, 7);
	exchange(h, 0x2000, 0);
	sent(h, SOCK_B, 9);
	sent_cut(h, SOCK_B, 7, EV_CIPHER_BYTES - 1);
	sent(h, 99, 7); /* a socket never told of */
	harness_finish(h);
	CHECK(h, "port 0 txn 4242-2000-1 unknown Q /a 1\n");
}

static void bytes_of_two_sockets_are_none(void **state)
{
	struct harness *h = begin(state);

	sent(h, SOCK_A, 7);
	sent(h, SOCK_B, 7);
	made(h, 0x2000, 7);
	exchange(h, 0x2000, 0);
	harness_finish(h);
	CHECK(h, "port 0 txn 4242-2000-1 unknown Q /a 1\n");
}

static void a_second_socket_takes_the_proof_back(void **state)
{
	struct harness *h = begin(state);

	made(h, 0x2000, 7);
	exchange(h, 0x2000, 0);
	sent(h, SOCK_A, 7);
	CHECK(h, "port 1001 txn 4242-2000-1 record Q /a 1\n");
	sent(h, SOCK_B, 7);
	h->now_ms++;
	exchange(h, 0x2000, 1);
	harness_finish(h);
	CHECK(h, "port 0 txn 4242-2000-1 unknown Q /a 1\n");
}

static void bytes_of_two_contexts_are_none(void **state)
{
	struct harness *h = begin(state);

	made(h, 0x2000, 7);
	made(h, 0x3000, 7);
	exchange(h, 0x2000, 0);
	exchange(h, 0x3000, 0);
	sent(h, SOCK_A, 7);
	harness_finish(h);
	CHECK(h, "port 0 txn 4242-2000-1 unknown Q /a 1\n"
		 "port 0 txn 4242-3000-1 unknown Q /a 1\n");
}

static void the_proof_ends_with_the_socket(void **state)
{
	struct harness *h = begin(state);

	made(h, 0x2000, 7);
	exchange(h, 0x2000, 0);
	sent(h, SOCK_A, 7);
	CHECK(h, "port 1001 txn 4242-2000-1 record Q /a 1\n");
	h->now_ms++;
	exchange(h, 0x2000, 1);
	CHECK(h, "port 1001 txn 4242-2000-1 cached Q /a 1\n");
	harness_sock_close(h, SOCK_A);
	h->now_ms++;
	exchange(h, 0x2000, 2);
	harness_finish(h);
	CHECK(h, "port 1001 txn 4242-2000-1 unknown Q /a 1\n");
}

static void what_waits_for_its_match_is_bounded(void **state)
{
	struct harness *h = begin(state);

	for (uint32_t i = 0; i < FLOW_CIPHERS_MAX + 10; i++) {
		struct ev_cipher e = {
			.hdr = head(h, EV_CIPHER, sizeof(e)), .conn = 0x2000, .gen = 1};

		memcpy(e.bytes, &i, sizeof(i));
		assert_int_equal(flow_event(h->flow, &e.hdr), 0);
	}
	assert_int_equal(stats_of(h).ciphers_evicted, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED_TXNS(equal_bytes_are_proof),
		STAGED_TXNS(many_at_once_keep_their_own),
		STAGED_TXNS(order_does_not_matter),
		STAGED_TXNS(other_or_cut_bytes_are_none),
		STAGED_TXNS(bytes_of_two_sockets_are_none),
		STAGED_TXNS(a_second_socket_takes_the_proof_back),
		STAGED_TXNS(bytes_of_two_contexts_are_none),
		STAGED_TXNS(the_proof_ends_with_the_socket),
		STAGED_TXNS(what_waits_for_its_match_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many connections of one event loop, on every rung of the ladder, their socket records dropped, cut and
 * shuffled by a seeded generator: a peer may become unknown by that, but never wrong. Some are plain, and used
 * within calls of the others' contexts, too (by callbacks, say): they are nobody's peer but their own. The
 * target of each request is the port of its true peer.
 */
#include "tests/unit/flow_stage.h"

#include <netinet/in.h>
#include <stdio.h>

#define RUNS 400
#define CONNS 8	 /* at a time */
#define ROUNDS 3 /* each address of a context is used again so often */
#define EXCHANGES 4
#define RECORDS_MAX (CONNS * ROUNDS * (EXCHANGES * 5 + 5))
#define STEP_NS 100000

struct rng {
	uint64_t s;
};

/* xorshift64*: the same numbers everywhere */
static uint32_t below(struct rng *r, uint32_t n)
{
	r->s ^= r->s >> 12;
	r->s ^= r->s << 25;
	r->s ^= r->s >> 27;
	return (uint32_t)((r->s * 0x2545f4914f6cdd1dull) >> 33) % n;
}

struct talk {
	uint64_t conn, gen, sock;
	uint32_t said; /* exchanges */
	uint64_t off[DIR_COUNT];
	bool memory_bio, plain;
	bool open;
};

struct trial {
	struct rng r;
	struct talk talks[CONNS];
	struct ev_hdr *records[RECORDS_MAX];
	size_t count;
	uint64_t ts_ns;
};

struct verdict {
	struct harness h; /* first */
	uint64_t right, unknown, wrong;
};

static uint16_t port_of(uint64_t sock)
{
	return (uint16_t)(1000 + sock);
}

static void *add(struct trial *t, uint16_t type, size_t len)
{
	struct ev_hdr *e = calloc(1, len);

	assert_non_null(e);
	assert_true(t->count < RECORDS_MAX);
	t->ts_ns += STEP_NS;
	*e = (struct ev_hdr){.ts_ns = t->ts_ns,
			     .start_ns = HARNESS_START_NS,
			     .tgid = HARNESS_PID,
			     .type = type,
			     .len = (uint32_t)len};
	t->records[t->count++] = e;
	return e;
}

static void open_sock(struct trial *t, struct talk *k)
{
	struct ev_sock *e = add(t, EV_SOCK, sizeof(*e));

	e->sock = k->sock;
	e->fd = 5; /* all of them: descriptors prove nothing */
	e->family = AF_INET;
	e->type = SOCK_STREAM;
	e->protocol = IPPROTO_TCP;
	e->rport = port_of(k->sock);
	e->hdr.flags = k->plain ? 0 : EV_SOCK_TLS;
	k->open = true;
}

/* A call of the library used it. */
static void prove(struct trial *t, const struct talk *k)
{
	struct ev_sock *e = add(t, EV_SOCK, sizeof(*e));

	e->conn = k->conn;
	e->gen = k->gen;
	e->sock = k->sock;
	e->hdr.flags = EV_SOCK_TLS;
}

/* A plain socket that is open, or NULL. */
static const struct talk *some_plain(struct trial *t)
{
	const struct talk *k = &t->talks[below(&t->r, CONNS)];

	return k->open && k->plain ? k : NULL;
}

/* A call of the library used a plain one; nobody should have said so. */
static void mislead(struct trial *t, const struct talk *k)
{
	const struct talk *plain = some_plain(t);
	struct ev_sock *e = plain ? add(t, EV_SOCK, sizeof(*e)) : NULL;

	if (!e)
		return;
	e->conn = k->conn;
	e->gen = k->gen;
	e->sock = plain->sock;
}

static void close_sock(struct trial *t, struct talk *k)
{
	struct ev_sock_close *e = add(t, EV_SOCK_CLOSE, sizeof(*e));
	struct ev_conn_end *end;

	e->sock = k->sock;
	end = add(t, EV_CONN_END, sizeof(*end));
	end->conn = k->plain ? k->sock : k->conn;
	end->gen = k->plain ? k->sock : k->gen;
	end->off[W] = k->off[W];
	end->off[R] = k->off[R];
	k->open = false;
}

/* Equal lengths, bytes of its own. */
static void fill(uint8_t *bytes, const struct talk *k)
{
	memset(bytes, 0, EV_CIPHER_BYTES);
	memcpy(bytes, "\x17\x03\x03\x01\x00", 5);
	bytes[5] = (uint8_t)k->sock;
	bytes[6] = (uint8_t)k->said;
}

static void cipher(struct trial *t, const struct talk *k)
{
	struct ev_cipher *made = add(t, EV_CIPHER, sizeof(*made));
	struct ev_sock_io *sent;

	made->conn = k->conn;
	made->gen = k->gen;
	fill(made->bytes, k);
	sent = add(t, EV_SOCK_IO, sizeof(*sent) + EV_CIPHER_BYTES);
	sent->sock = k->sock;
	sent->want = 261;
	sent->got = EV_CIPHER_BYTES;
	sent->dir = W;
	fill(sent->buf, k);
}

static void say(struct trial *t, struct talk *k, enum dir dir)
{
	char text[16];
	struct harness_data d = {.conn = k->conn, .gen = k->gen, .dir = dir, .text = text};
	const struct talk *plain = k->plain ? NULL : some_plain(t);

	snprintf(text, sizeof(text), dir == W ? "Q /%u\n" : "R %u\n", port_of(k->sock));
	d.off = k->off[dir];
	d.flags = EV_DATA_FROM_START;
	if (k->plain) {
		d.flags |= EV_DATA_PLAIN;
		d.conn = d.sock = k->sock;
	} else if (plain && below(&t->r, 8) == 0) {
		d.flags |= EV_DATA_NESTED;
		d.sock = plain->sock;
	} else if (!k->memory_bio && below(&t->r, 3)) {
		d.flags |= below(&t->r, 2) ? EV_DATA_NESTED : EV_DATA_CACHED;
		d.sock = k->sock;
	}
	k->off[dir] += strlen(text);
	t->ts_ns += STEP_NS;
	assert_true(t->count < RECORDS_MAX);
	t->records[t->count++] = &harness_make_data(&d, t->ts_ns)->hdr;
}

static void exchange(struct trial *t, struct talk *k)
{
	if (k->memory_bio)
		cipher(t, k);
	else if (!k->plain && k->said == 0 && below(&t->r, 2))
		prove(t, k);
	if (!k->plain && below(&t->r, 4) == 0)
		mislead(t, k);
	say(t, k, W);
	say(t, k, R);
	k->said++;
}

static void make(struct trial *t, uint64_t seed)
{
	uint64_t socks = 0;

	memset(t, 0, sizeof(*t));
	t->r.s = seed * 0x9e3779b97f4a7c15ull + 1;
	t->ts_ns = 1000000000;
	for (size_t left = CONNS * ROUNDS * (EXCHANGES + 2); left;) {
		struct talk *k = &t->talks[below(&t->r, CONNS)];

		if (k->gen == ROUNDS && !k->open)
			k = NULL;
		for (size_t i = 0; !k && i < CONNS; i++)
			k = t->talks[i].gen < ROUNDS || t->talks[i].open ? &t->talks[i] : NULL;
		left--;
		if (k->open && k->said < EXCHANGES) {
			exchange(t, k);
		} else if (k->open) {
			close_sock(t, k);
		} else {
			*k = (struct talk){.conn = 0x1000 + (uint64_t)(k - t->talks) * 64,
					   .gen = k->gen + 1,
					   .sock = ++socks,
					   .plain = below(&t->r, 4) == 0};
			k->memory_bio = !k->plain && below(&t->r, 2);
			open_sock(t, k);
		}
	}
}

static bool of_sockets(const struct ev_hdr *e)
{
	return e->type == EV_SOCK || e->type == EV_SOCK_IO || e->type == EV_SOCK_CLOSE ||
	       e->type == EV_CIPHER;
}

static void drop(struct trial *t, size_t i)
{
	free(t->records[i]);
	t->records[i] = NULL;
}

static void harm(struct trial *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct ev_sock_io *io = (void *)t->records[i];

		if (!of_sockets(t->records[i]))
			continue;
		if (below(&t->r, 6) == 0)
			drop(t, i);
		else if (io->hdr.type == EV_SOCK_IO && below(&t->r, 6) == 0)
			io->got = below(&t->r, EV_CIPHER_BYTES);
	}
	/* each changes places with another socket record, wherever it is */
	for (size_t i = 0; i < t->count; i++) {
		size_t j = below(&t->r, (uint32_t)t->count);
		struct ev_hdr *e = t->records[i];

		if (below(&t->r, 3) || !e || !t->records[j] || !of_sockets(e) ||
		    !of_sockets(t->records[j]))
			continue;
		t->records[i] = t->records[j];
		t->records[j] = e;
	}
}

static void judge(struct harness *h, struct txn *t)
{
	struct verdict *v = (struct verdict *)h;
	char port[8];

	snprintf(port, sizeof(port), "/%u", t->conn->peer.port);
	if (!t->conn->source)
		v->unknown++;
	else if (t->target.n == strlen(port) && memcmp(t->target.p, port, t->target.n) == 0)
		v->right++;
	else
		v->wrong++;
}

static void run(struct trial *t, struct verdict *v)
{
	harness_open(&v->h, &(struct flow_cfg){.rows = toy_rows});
	v->h.on_txn = judge;
	v->h.quiet = true;
	for (size_t i = 0; i < t->count; i++) {
		if (!t->records[i])
			continue;
		assert_int_equal(flow_event(v->h.flow, t->records[i]), 0);
		drop(t, i);
	}
	harness_finish(&v->h);
	harness_close(&v->h);
}

static void trials(struct verdict *v, bool harmed)
{
	struct trial *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		make(t, seed);
		if (harmed)
			harm(t);
		run(t, v);
		assert_int_equal(v->wrong, 0);
	}
	free(t);
}

static void whole_records_tell_every_peer(void **state)
{
	struct verdict v = {0};

	(void)state;
	trials(&v, false);
	assert_int_equal(v.right + v.unknown, RUNS * CONNS * ROUNDS * EXCHANGES);
	/* unknown are a few of which no call was seen to use a socket */
	assert_true(v.right > 99 * v.unknown);
}

static void harmed_records_tell_no_wrong_peer(void **state)
{
	struct verdict v = {0};

	(void)state;
	trials(&v, true);
	assert_true(v.right && v.unknown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_records_tell_every_peer),
		cmocka_unit_test(harmed_records_tell_no_wrong_peer),
	};

	return cmocka_run_group_tests_name("flow_shuffle", tests, NULL, NULL);
}

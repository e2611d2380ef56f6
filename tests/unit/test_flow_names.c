/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of peers: from answers of DNS to connections of HTTP, with the protocols themselves. */
#include "tests/unit/flow_stage.h"

#include <netinet/in.h>

#include "flow/internal.h"

#define DNS_CONN 0x2000
#define DNS_SOCK 20
#define UDP_SOCK 21
#define STRANGER 777 /* another process */

struct stage {
	struct harness h; /* first */
	uint64_t off[2];  /* of the one connection that asks */
	uint64_t udp[2];  /* of the one datagram socket */
	uint16_t id;
	uint64_t visits;
};

static void show_name(struct harness *h, struct txn *t)
{
	struct str s = t->conn->peer_name;

	if (strcmp(t->event_name, "dns.exchange") == 0)
		return;
	buf_puts(&h->out, "at ");
	buf_put(&h->out, s.n ? s.p : "?", s.n ? s.n : 1);
	buf_putc(&h->out, ' ');
}

static int setup(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	harness_open(&s->h, &(struct flow_cfg){.rows = proto_rows, .limits = limits_default});
	s->h.on_txn = show_name;
	harness_sock(&s->h, DNS_CONN, 1, DNS_SOCK, 853);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct stage *s = *state;

	flow_finish(s->h.flow);
	harness_close(&s->h);
	free(s);
	return 0;
}

static void put_name(struct buf *b, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		buf_putc(b, (uint8_t)n);
		buf_put(b, name, n);
		name += n + (name[n] == '.');
	}
	buf_putc(b, 0);
}

/* Head and question behind the octets of the length, which are set at the end. */
static void put_head(struct buf *b, uint16_t id, bool response, unsigned int answers,
		     const char *name)
{
	buf_put_be(b, 0, 2);
	buf_put_be(b, id, 2);
	buf_put_be(b, response ? 0x8180 : 0x0100, 2);
	buf_put_be(b, 1, 2);
	buf_put_be(b, answers, 2);
	buf_put_be(b, 0, 4);
	put_name(b, name);
	buf_put_be(b, 1 << 16 | 1, 4);
}

static void put_record(struct buf *b, const char *owner, uint16_t type, uint32_t ttl,
		       const struct buf *data)
{
	put_name(b, owner);
	buf_put_be(b, (uint32_t)type << 16 | 1, 4);
	buf_put_be(b, ttl, 4);
	buf_put_be(b, data->n, 2);
	buf_put(b, data->p, data->n);
}

static void send_message(struct stage *s, enum dir d, struct buf *b)
{
	b->p[0] = (uint8_t)((b->n - 2) >> 8);
	b->p[1] = (uint8_t)(b->n - 2);
	DATA(&s->h, .conn = DNS_CONN, .gen = 1, .dir = d, .off = s->off[d],
	     .text = (const char *)b->p, .n = b->n, .sock = DNS_SOCK,
	     .flags = EV_DATA_NESTED | EV_DATA_FROM_START);
	s->off[d] += b->n;
	buf_free(b);
}

/* The process asks for a name and is told 127.0.0.`host`, through an alias when there is one. */
static void look_up(struct stage *s, const char *name, const char *alias, uint8_t host,
		    uint32_t ttl)
{
	uint8_t addr[] = {127, 0, 0, host};
	struct buf b = {0}, data = {0};

	put_head(&b, ++s->id, false, 0, name);
	send_message(s, DIR_WRITE, &b);
	put_head(&b, s->id, true, alias ? 2 : 1, name);
	if (alias) {
		put_name(&data, alias);
		put_record(&b, name, 5, ttl, &data);
		buf_clear(&data);
	}
	buf_put(&data, addr, sizeof(addr));
	put_record(&b, alias ? alias : name, 1, alias ? 3600 : ttl, &data);
	send_message(s, DIR_READ, &b);
	buf_free(&data);
	harness_clear(&s->h);
}

static void send_datagram(struct stage *s, enum dir d, const struct ev_peer *server, struct buf *b)
{
	DATA(&s->h, .conn = UDP_SOCK, .sock = UDP_SOCK, .dir = d, .off = s->udp[d], .peer = server,
	     .text = (const char *)b->p + 2, .n = b->n - 2, .flags = EV_DATA_PLAIN | EV_DATA_DGRAM);
	s->udp[d] += b->n - 2;
	buf_free(b);
}

/* The same by datagrams, of a socket that is connected to the server or, with one given, to nobody. */
static void look_up_by_udp(struct stage *s, const struct ev_peer *server, const char *name)
{
	static const uint8_t addr[] = {127, 0, 0, 2};
	struct ev_sock e = {.sock = UDP_SOCK, .family = AF_INET, .type = SOCK_DGRAM, .lport = 5555};
	struct buf b = {0}, data = {0};

	e.rport = server ? 0 : 53;
	harness_socket(&s->h, &e);
	put_head(&b, ++s->id, false, 0, name);
	send_datagram(s, DIR_WRITE, server, &b);
	put_head(&b, s->id, true, 1, name);
	buf_put(&data, addr, sizeof(addr));
	put_record(&b, name, 1, 300, &data);
	send_datagram(s, DIR_READ, server, &b);
	buf_free(&data);
	harness_clear(&s->h);
}

/* The harness gives every socket the peer 127.0.0.2. */
static void visit_with(struct stage *s, uint16_t flags)
{
	uint64_t conn = 0x9000 + ++s->visits;

	harness_sock(&s->h, conn, 1, conn, 443);
	DATA(&s->h, .conn = conn, .gen = 1, .text = "GET / HTTP/1.1\r\n\r\n", .sock = conn,
	     .flags = EV_DATA_NESTED | flags);
	DATA(&s->h, .conn = conn, .gen = 1, .dir = R, .sock = conn, .flags = EV_DATA_NESTED | flags,
	     .text = "HTTP/1.1 204 No Content\r\n\r\n");
}

static void visit(struct stage *s)
{
	visit_with(s, EV_DATA_FROM_START);
}

static void pass(struct stage *s, uint64_t seconds)
{
	harness_tick(&s->h, s->h.now_ms + seconds * 1000);
}

static void a_name_is_said_of_the_address_it_was_looked_up_for(void **state)
{
	struct stage *s = *state;

	visit(s);
	CHECK(&s->h, "at ? txn 4242-9001-1 nested GET / 204\n");
	look_up(s, "WWW.example", NULL, 2, 300);
	look_up(s, "other.example", NULL, 3, 300);
	visit(s);
	CHECK(&s->h, "at www.example txn 4242-9002-1 nested GET / 204\n");
}

static void an_alias_leads_to_the_name_that_was_asked_for(void **state)
{
	struct stage *s = *state;

	look_up(s, "shop.example", "node7.cdn.example", 2, 300);
	visit(s);
	CHECK(&s->h, "at shop.example txn 4242-9001-1 nested GET / 204\n");
}

static void names_from_datagrams_are_good_for_tls(void **state)
{
	static const struct ev_peer server = {
		.family = AF_INET, .port = 53, .addr = {127, 0, 0, 9}};
	struct stage *s = *state;

	look_up_by_udp(s, NULL, "www.example");
	visit(s);
	CHECK(&s->h, "at www.example txn 4242-9001-1 nested GET / 204\n");
	look_up_by_udp(s, &server, "www.example");
	visit(s);
	CHECK(&s->h, "at www.example txn 4242-9002-1 nested GET / 204\n");
}

static void plain_visit(struct stage *s, uint32_t tgid)
{
	uint64_t sock = 0x9000 + ++s->visits;
	uint16_t flags = EV_DATA_PLAIN | EV_DATA_FROM_START;

	harness_sock(&s->h, 0, 0, sock, 80);
	DATA(&s->h, .tgid = tgid, .conn = sock, .sock = sock, .flags = flags,
	     .text = "GET / HTTP/1.1\r\n\r\n");
	DATA(&s->h, .tgid = tgid, .conn = sock, .dir = R, .sock = sock, .flags = flags,
	     .text = "HTTP/1.1 204 No Content\r\n\r\n");
}

static void what_another_process_looked_up_is_not_said(void **state)
{
	struct stage *s = *state;

	look_up_by_udp(s, NULL, "www.example");
	plain_visit(s, STRANGER);
	CHECK(&s->h, "at ? txn 777-9001-0 kernel GET / 204\n");
	plain_visit(s, 0);
	CHECK(&s->h, "at www.example txn 4242-9002-0 kernel GET / 204\n");
}

/* The TTL is the least of the chain. */
static void it_is_good_for_its_time_and_the_grace(void **state)
{
	struct stage *s = *state;

	look_up(s, "shop.example", "node7.cdn.example", 2, 10);
	pass(s, 10 + FLOW_NAME_GRACE_S);
	visit(s);
	CHECK(&s->h, "at shop.example txn 4242-9001-1 nested GET / 204\n");
	pass(s, 1);
	visit(s);
	CHECK(&s->h, "at ? txn 4242-9002-1 nested GET / 204\n");
	look_up(s, "shop.example", NULL, 2, 10);
	visit(s);
	CHECK(&s->h, "at shop.example txn 4242-9003-1 nested GET / 204\n");
}

static void of_two_good_names_none_is_said(void **state)
{
	struct stage *s = *state;

	look_up(s, "one.example", NULL, 2, 10);
	look_up(s, "two.example", NULL, 2, 100);
	visit(s);
	CHECK(&s->h, "at ? txn 4242-9001-1 nested GET / 204\n");
	pass(s, 11 + FLOW_NAME_GRACE_S); /* the first one is over */
	visit(s);
	CHECK(&s->h, "at two.example txn 4242-9002-1 nested GET / 204\n");
	look_up(s, "two.example", NULL, 2, 100); /* asked again it is no other name */
	visit(s);
	CHECK(&s->h, "at two.example txn 4242-9003-1 nested GET / 204\n");
}

/* It may have been opened with a name that was looked up before our time. */
static void a_connection_older_than_the_tracing_has_none(void **state)
{
	struct stage *s = *state;

	look_up(s, "one.example", NULL, 2, 100);
	visit_with(s, 0);
	CHECK(&s->h, "at ? txn 4242-9001-1 nested GET / 204\n");
}

static void a_connection_keeps_its_name(void **state)
{
	struct stage *s = *state;

	look_up(s, "one.example", NULL, 2, 100);
	visit(s);
	harness_clear(&s->h);
	pass(s, 3600);
	look_up(s, "two.example", NULL, 2, 100);
	DATA(&s->h, .conn = 0x9001, .gen = 1, .off = 18, .text = "GET / HTTP/1.1\r\n\r\n",
	     .sock = 0x9001, .flags = EV_DATA_NESTED | EV_DATA_FROM_START);
	DATA(&s->h, .conn = 0x9001, .gen = 1, .dir = R, .off = 27, .sock = 0x9001,
	     .flags = EV_DATA_NESTED | EV_DATA_FROM_START,
	     .text = "HTTP/1.1 204 No Content\r\n\r\n");
	CHECK(&s->h, "at one.example txn 4242-9001-1 nested GET / 204\n");
}

static void tell_address(struct flow_conn *c, uint32_t n)
{
	uint8_t addr[4];

	memcpy(addr, &n, sizeof(n));
	flow_name_learn(c, &(struct resolved){.name = STR("many.example"),
					      .family = ADDR_IPV4,
					      .addr = addr,
					      .ttl_s = 3600,
					      .ts_ns = c->flow->now_ns});
}

static void the_oldest_make_room_and_are_counted(void **state)
{
	struct stage *s = *state;

	look_up(s, "old.example", NULL, 2, 3600);
	for (uint32_t n = 1; n < FLOW_NAMES_MAX; n++)
		tell_address(s->h.flow->conns, n);
	assert_int_equal(stats_of(&s->h).names_evicted, 0);
	look_up(s, "old.example", NULL, 2, 3600); /* not old any more */
	tell_address(s->h.flow->conns, FLOW_NAMES_MAX);
	tell_address(s->h.flow->conns, FLOW_NAMES_MAX + 1);
	assert_int_equal(stats_of(&s->h).names_evicted, 2);
	visit(s);
	CHECK(&s->h, "at old.example txn 4242-9001-1 nested GET / 204\n");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_said_of_the_address_it_was_looked_up_for),
		TEST(names_from_datagrams_are_good_for_tls),
		TEST(what_another_process_looked_up_is_not_said),
		TEST(an_alias_leads_to_the_name_that_was_asked_for),
		TEST(it_is_good_for_its_time_and_the_grace),
		TEST(of_two_good_names_none_is_said),
		TEST(a_connection_older_than_the_tracing_has_none),
		TEST(a_connection_keeps_its_name),
		TEST(the_oldest_make_room_and_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

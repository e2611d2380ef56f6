/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole conversations of nghttp2 sessions through the parser: every transaction must equal what was sent,
 * however the bytes are cut; joined at any byte, or with any call missing, nothing stated may be false.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/attr_names.h"
#include "parsers/rows.h"
#include "tests/unit/h2_talk.h"

#define NS_PER_CALL 1000u

/* Takes what the parser says and holds it against the truth at once. */
struct judge {
	struct proto_sink sink;
	const struct talk *truth;
	bool whole;  /* everything was seen: nothing may be missing either */
	bool server; /* the conversation as the server's process sees it */
	uint32_t txns, full, untouched, rpcs, with_method, with_status, late, begun, begun_counted;
	uint32_t *seen;		     /* per stream: transactions */
	size_t fields, fields_known; /* of streams that began since the join */
	uint64_t settled[DIR_COUNT], secrets;
	enum role role;
};

static struct judge *judge_of(struct proto_sink *s)
{
	return (struct judge *)s;
}

static bool says(const struct txn *t, const char *name, struct str *v)
{
	const struct attr *a = txn_attr(t, name);

	if (a)
		*v = a->str;
	return a;
}

static struct str truth_of(const struct talk_side *s, const char *name)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (str_eq(s->fields[i].name, str_from(name)))
			return s->fields[i].value;
	return STR_NONE;
}

static void judge_fields(const struct judge *j, const struct txn *t, const char *name,
			 const struct talk_side *s, bool ended)
{
	const struct attr *a = txn_attr(t, name);
	uint32_t at = 0, count = a ? a->count : 0;

	if (j->whole && ended)
		assert_int_equal(count, s->count);
	if (!count)
		return;
	/* trailers alone: what pseudo-headers begin is the head */
	if (count < s->count && count == s->trailers &&
	    !(a->headers[0].name.n && a->headers[0].name.p[0] == ':'))
		at = s->count - s->trailers;
	assert_true(count <= s->count);
	for (uint32_t i = 0; i < count; i++) {
		const struct header *got = &a->headers[i], *want = &s->fields[at + i];

		assert_true(!got->name.p || str_eq(got->name, want->name));
		assert_true(!got->value.p || str_eq(got->value, want->value));
		assert_true(!got->trailer || want->trailer);
		assert_true(!j->whole ||
			    (got->name.p && got->value.p && got->trailer == want->trailer));
	}
}

static void count_known(struct judge *j, const struct txn *t, const char *name,
			const struct talk_side *s)
{
	const struct attr *a = txn_attr(t, name);

	j->fields += s->count;
	for (uint32_t i = 0; a && i < a->count; i++)
		j->fields_known += a->headers[i].name.p && a->headers[i].value.p;
}

static void judge_int(const struct judge *j, const struct txn *t, const char *name, int64_t want,
		      bool must)
{
	const struct attr *a = txn_attr(t, name);

	if (a)
		assert_int_equal(a->num, want);
	else
		assert_false(j->whole && must);
}

static void judge_str(const struct judge *j, const struct txn *t, const char *name, struct str want,
		      bool must)
{
	struct str got;

	if (says(t, name, &got)) {
		assert_non_null(want.p);
		assert_true(str_eq(got, want));
	} else {
		assert_false(j->whole && must);
	}
}

static void judge_rpc(struct judge *j, const struct txn *t, const struct talk_stream *st)
{
	struct str path = truth_of(&st->request, ":path");
	struct str status = truth_of(&st->response, "grpc-status");

	j->rpcs++;
	judge_str(j, t, A_RPC_METHOD, (struct str){path.p + 1, path.n - 1}, true);
	judge_str(j, t, A_RPC_STATUS, str_eq(status, STR("0")) ? STR("OK") : STR("NOT_FOUND"),
		  true);
	judge_int(j, t, A_GRPC_REQUEST_MESSAGES, st->messages[0], true);
	judge_int(j, t, A_GRPC_RESPONSE_MESSAGES, st->messages[1], true);
	j->with_method += txn_attr(t, A_RPC_METHOD) != NULL;
	j->with_status += txn_attr(t, A_RPC_STATUS) != NULL;
}

static void on_txn(struct proto_sink *s, struct txn *t)
{
	struct judge *j = judge_of(s);
	uint32_t i = (uint32_t)t->stream_id / 2;
	const struct talk_stream *st;
	bool ended = !(t->flags & (TXN_NO_RESPONSE | TXN_LOST_RESPONSE | TXN_LOST_REQUEST));

	assert_true(t->has_stream && (t->stream_id & 1) && i < j->truth->count);
	st = &j->truth->streams[i];
	j->txns++;
	assert_int_equal(j->seen[i]++, 0);
	assert_int_equal(t->role, j->server ? ROLE_SERVER : ROLE_CLIENT);
	assert_true(t->end_ns >= t->start_ns);
	judge_fields(j, t, A_REQUEST_HEADERS, &st->request, true);
	judge_fields(j, t, A_RESPONSE_HEADERS, &st->response, ended);
	if (ended && !(t->flags & (TXN_LATE | TXN_NO_REQUEST))) {
		count_known(j, t, A_REQUEST_HEADERS, &st->request);
		count_known(j, t, A_RESPONSE_HEADERS, &st->response);
	}
	judge_str(j, t, A_HTTP_METHOD, truth_of(&st->request, ":method"), true);
	judge_str(j, t, A_URL_PATH, truth_of(&st->request, ":path"), true);
	if (ended) {
		j->full++;
		judge_int(j, t, A_HTTP_STATUS,
			  strtol(truth_of(&st->response, ":status").p, NULL, 10), true);
		judge_int(j, t, A_HTTP_RESPONSE_BODY_SIZE, (int64_t)st->response.body_bytes, true);
		if (t->request_end_ns)
			judge_int(j, t, A_HTTP_REQUEST_BODY_SIZE, (int64_t)st->request.body_bytes,
				  true);
		assert_int_equal(txn_attr(t, A_INTERIM) != NULL,
				 st->interim && txn_attr(t, A_INTERIM));
		assert_true(!j->whole || !txn_attr(t, A_INTERIM) == !st->interim);
	}
	if (j->whole) {
		assert_int_equal(t->flags & ~(unsigned int)(TXN_NO_RESPONSE | TXN_CUT_REQUEST), 0);
		assert_true(!(t->flags & TXN_CUT_REQUEST) || st->end != TALK_WHOLE);
		assert_true(ended || st->end != TALK_WHOLE);
		assert_int_equal(t->outcome == OUTCOME_ABORTED, !ended);
	}
	j->untouched += !(t->flags & ~(unsigned int)TXN_UNKNOWN_HEADERS);
	j->late += (t->flags & (TXN_LATE | TXN_NO_REQUEST)) != 0;
	if (strcmp(t->event_name, "rpc.exchange") == 0) {
		assert_true(st->messages[0]);
		judge_rpc(j, t, st);
	}
	if (st->messages[0] && !(t->flags & (TXN_LATE | TXN_NO_REQUEST))) {
		j->begun++;
		j->begun_counted += txn_attr(t, A_GRPC_REQUEST_MESSAGES) &&
				    txn_attr(t, A_GRPC_RESPONSE_MESSAGES);
	}
	txn_free(t);
}

static void on_secret(struct proto_sink *s, enum dir d, uint64_t off, uint64_t n, uint8_t fill)
{
	assert_true(off >= judge_of(s)->settled[d]);
	assert_true(n > 0);
	assert_true(fill == 0x2a || fill == 0xf9);
	judge_of(s)->secrets += n;
}

static void on_settled(struct proto_sink *s, enum dir d, uint64_t off)
{
	assert_true(off >= judge_of(s)->settled[d]);
	judge_of(s)->settled[d] = off;
}

static void on_role(struct proto_sink *s, enum role r)
{
	assert_int_equal(judge_of(s)->role, ROLE_UNKNOWN);
	judge_of(s)->role = r;
}

static const struct proto_sink_ops judge_ops = {
	.txn = on_txn,
	.secret = on_secret,
	.settled = on_settled,
	.role = on_role,
};
static const struct conn the_conn = {.seq = 1, .id = "1-1-1"};

/* How the bytes reach the parser. */
struct cut {
	size_t join;	    /* the first so many bytes were before our time */
	size_t piece;	    /* slices of at most so many bytes, 0: whole calls */
	size_t split;	    /* a slice ends at this byte too */
	size_t missing;	    /* this call is lost, SIZE_MAX: none */
	uint32_t loss_seed; /* not 0: parts of some calls are lost */
	bool server;
};

struct feeder {
	void *state;
	const struct talk *t;
	uint64_t off[DIR_COUNT], now_ns;
	uint32_t seed;
};

static uint32_t rnd(struct feeder *f, uint32_t below)
{
	f->seed = f->seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)(f->seed ^ f->seed >> 15) * below) >> 32);
}

/* As flow/ does with a parser that seeks: after PARSE_LOST it is fed on. */
static void feed(struct feeder *f, enum dir d, size_t at, size_t n, bool call_start)
{
	struct slice s = {.p = f->t->bytes.p + at,
			  .n = n,
			  .off = f->off[d],
			  .ts_ns = f->now_ns,
			  .tid = 1,
			  .call_start = call_start};
	struct parse_res res;

	f->off[d] += n;
	do {
		res = proto_http2.feed(f->state, d, &s, false);
		assert_true(res.consumed <= s.n);
		assert_true(res.status == PARSE_LOST || res.consumed == s.n);
		if (res.status == PARSE_LOST)
			proto_http2.resync(f->state, d);
		s.p += res.consumed;
		s.n -= res.consumed;
		s.off += res.consumed;
		s.call_start = s.call_start && !res.consumed;
	} while (s.n);
}

static void lose(struct feeder *f, enum dir d, size_t n)
{
	if (!n)
		return;
	f->off[d] += n;
	if (proto_http2.gap(f->state, d, n, f->now_ns).status == PARSE_LOST)
		proto_http2.resync(f->state, d);
}

static void feed_pieces(struct feeder *f, enum dir d, size_t at, size_t end, const struct cut *cut,
			bool start)
{
	size_t n;

	for (; at < end; at += n, start = false) {
		n = end - at;
		if (cut->piece && n > cut->piece)
			n = cut->piece;
		if (at < cut->split && at + n > cut->split)
			n = cut->split - at;
		feed(f, d, at, n, start);
	}
}

static void feed_call(struct feeder *f, const struct talk_call *c, const struct cut *cut)
{
	enum dir d = cut->server ? dir_other(c->dir) : c->dir;
	size_t at = c->at, end = c->at + c->n, from, n;

	if (end <= cut->join)
		return;
	if (at < cut->join)
		at = cut->join;
	f->now_ns += NS_PER_CALL;
	if (!cut->loss_seed || rnd(f, 100)) {
		feed_pieces(f, d, at, end, cut, at == c->at);
		return;
	}
	from = at + rnd(f, (uint32_t)(end - at));
	n = rnd(f, (uint32_t)(end - from) + 1);
	feed_pieces(f, d, at, from, cut, at == c->at);
	lose(f, d, n);
	feed_pieces(f, d, from + n, end, cut, false);
}

static void run(struct judge *j, const struct talk *t, const struct cut *cut,
		const struct limits *limits)
{
	struct proto_open o = {
		.conn = &the_conn, .sink = &j->sink, .limits = limits, .late = cut->join > 0};
	struct feeder f = {.t = t, .seed = cut->loss_seed};

	*j = (struct judge){.sink = {&judge_ops},
			    .truth = t,
			    .server = cut->server,
			    .whole = !cut->join && cut->missing == SIZE_MAX && !cut->loss_seed};
	j->seen = calloc(t->count, sizeof(*j->seen));
	f.state = proto_http2.open(&o);
	assert_non_null(f.state);
	for (size_t i = 0; i < t->calls_n; i++) {
		const struct talk_call *c = &t->calls[i];

		if (i == cut->missing)
			lose(&f, cut->server ? dir_other(c->dir) : c->dir, c->n);
		else
			feed_call(&f, c, cut);
		proto_http2.tick(f.state, f.now_ns);
	}
	proto_http2.close(f.state, f.now_ns);
	free(j->seen);
	if (j->whole)
		assert_int_equal(j->txns, t->count);
}

#define WHOLE .missing = SIZE_MAX

static void thousand_streams_hundred_at_a_time(void **state)
{
	const struct talk_cfg cfg = {.streams = 1000,
				     .concurrent = 100,
				     .seed = 3,
				     .body_max = 40000,
				     .header_max = 200,
				     .padding = true,
				     .resets = true};
	struct limits limits = limits_default;
	struct talk t;
	struct judge j;

	(void)state;
	talk_make(&t, &cfg);
	run(&j, &t, &(struct cut){WHOLE}, &limits);
	assert_true(j.full > 850);
	assert_true(j.secrets > 0);
	assert_int_equal(j.role, ROLE_CLIENT);
	run(&j, &t, &(struct cut){WHOLE, .server = true}, &limits);
	run(&j, &t, &(struct cut){WHOLE, .piece = 1}, &limits);
	run(&j, &t, &(struct cut){WHOLE, .piece = 7}, &limits);
	run(&j, &t, &(struct cut){WHOLE, .piece = 4096}, &limits);
	limits.body_bytes = 1000;
	run(&j, &t, &(struct cut){WHOLE, .piece = 1000}, &limits);
	talk_free(&t);
}

static void big_header_sections_continue(void **state)
{
	const struct talk_cfg cfg = {
		.streams = 40, .concurrent = 7, .seed = 5, .body_max = 100, .header_max = 9000};
	struct talk t;
	struct judge j;

	(void)state;
	talk_make(&t, &cfg);
	run(&j, &t, &(struct cut){WHOLE}, &limits_default);
	run(&j, &t, &(struct cut){WHOLE, .piece = 777}, &limits_default);
	for (size_t i = 1; i < t.bytes.n; i += 997)
		run(&j, &t, &(struct cut){WHOLE, .join = i}, &limits_default);
	talk_free(&t);
}

static void small_talk(struct talk *t, bool grpc)
{
	const struct talk_cfg cfg = {.streams = 24,
				     .concurrent = 5,
				     .seed = 11,
				     .body_max = 120,
				     .header_max = 20,
				     .grpc = grpc,
				     .padding = true,
				     .resets = true};

	talk_make(t, &cfg);
}

static void split_at_every_byte(void **state)
{
	struct talk t;
	struct judge j;

	(void)state;
	small_talk(&t, false);
	for (size_t i = 1; i < t.bytes.n; i++)
		run(&j, &t, &(struct cut){WHOLE, .split = i}, &limits_default);
	talk_free(&t);
}

static void joined_at_every_byte_nothing_is_false(void **state)
{
	struct talk t;
	struct judge j;
	size_t whole = 0, txns = 0, fields = 0, known = 0, joins = 0;

	(void)state;
	for (int grpc = 0; grpc < 2; grpc++) {
		small_talk(&t, grpc);
		for (size_t i = 1; i < t.bytes.n; i++) {
			run(&j, &t, &(struct cut){WHOLE, .join = i}, &limits_default);
			txns += j.txns;
			whole += j.txns - j.late;
			fields += j.fields;
			known += j.fields_known;
			joins++;
			run(&j, &t, &(struct cut){WHOLE, .join = i, .piece = 50, .server = true},
			    &limits_default);
		}
		talk_free(&t);
	}
	/* most streams after the join are known from their start */
	assert_true(whole * 10 > txns * 6);
	print_message("%zu joins: of %zu header fields of streams that began since, %zu are known "
		      "(%zu %%), none is false\n",
		      joins, fields, known, known * 100 / fields);
	/* so short a connection says many things only once, before most of the joins */
	assert_true(known * 2 > fields);
}

static void each_call_missing_nothing_is_false(void **state)
{
	struct talk t;
	struct judge j;

	(void)state;
	for (int grpc = 0; grpc < 2; grpc++) {
		small_talk(&t, grpc);
		for (size_t i = 0; i < t.calls_n; i++) {
			run(&j, &t, &(struct cut){.missing = i}, &limits_default);
			run(&j, &t, &(struct cut){.missing = i, .piece = 9}, &limits_default);
			run(&j, &t, &(struct cut){.missing = i, .join = t.bytes.n / 3},
			    &limits_default);
		}
		talk_free(&t);
	}
}

/* Parts of calls lost in the middle of bulk: back in step within a few frames, and nothing false. */
static void random_losses_nothing_is_false(void **state)
{
	const struct talk_cfg cfg = {.streams = 400,
				     .concurrent = 20,
				     .seed = 77,
				     .body_max = 60000,
				     .header_max = 100,
				     .padding = true,
				     .chopped = true};
	struct talk t;
	struct judge j;
	uint32_t untouched = 0, runs = 0;

	(void)state;
	talk_make(&t, &cfg);
	run(&j, &t, &(struct cut){WHOLE}, &limits_default);
	for (uint32_t seed = 1; seed <= 60; seed++, runs++) {
		run(&j, &t, &(struct cut){WHOLE, .loss_seed = seed, .piece = seed % 3 * 1000},
		    &limits_default);
		untouched += j.untouched;
	}
	assert_true(untouched > runs * cfg.streams / 2);
	talk_free(&t);
}

/* Every call that starts after the join has its timing and its message counts. */
static void grpc_joined_late_counts_every_message(void **state)
{
	const struct talk_cfg cfg = {.streams = 600, .concurrent = 64, .seed = 21, .grpc = true};
	struct talk t;
	struct judge j;

	(void)state;
	talk_make(&t, &cfg);
	run(&j, &t, &(struct cut){WHOLE}, &limits_default);
	assert_int_equal(j.rpcs, t.count);
	assert_int_equal(j.with_method, t.count);
	assert_int_equal(j.with_status, t.count);
	for (size_t i = t.bytes.n / 5; i < t.bytes.n * 4 / 5; i += t.bytes.n / 40) {
		run(&j, &t, &(struct cut){WHOLE, .join = i}, &limits_default);
		assert_int_equal(j.begun, j.begun_counted);
		assert_true(j.begun > 0);
	}
	talk_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thousand_streams_hundred_at_a_time),
		cmocka_unit_test(big_header_sections_continue),
		cmocka_unit_test(split_at_every_byte),
		cmocka_unit_test(joined_at_every_byte_nothing_is_false),
		cmocka_unit_test(each_call_missing_nothing_is_false),
		cmocka_unit_test(random_losses_nothing_is_false),
		cmocka_unit_test(grpc_joined_late_counts_every_message),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	txn_pool_drain();
	return failed;
}

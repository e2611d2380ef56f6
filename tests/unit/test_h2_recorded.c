/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recorded connections of real programs (tests/fixtures/h2/recorded) joined at every byte: what is stated then
 * equals what is stated by whoever saw all of it, or is named unknown. From every byte on so much is read that
 * dozens of exchanges begin and end; from some, all that is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/attr_names.h"
#include "core/buf.h"
#include "core/cursor.h"
#include "parsers/rows.h"

#define READ_ALL_EVERY 997 /* joins; prime, so that it falls on every kind of byte */
#define NS_PER_CALL 1000u
#define FILE_BYTES_MAX (1u << 20)

struct call {
	enum dir dir;
	size_t at, n; /* in bytes */
};

struct recorded {
	struct buf bytes, calls; /* struct call[] */
	size_t calls_n;
	struct txn **truth; /* by stream / 2; owned. NULL: no such stream */
	uint32_t streams;
};

struct onlooker {
	struct proto_sink sink; /* first */
	struct recorded *rec;
	bool whole; /* sees all of it: takes notes for the others */
	uint8_t *seen;
	size_t txns, since, fields, known, rpcs_uncounted;
	enum role role;
};

static void load(struct recorded *rec, const char *name)
{
	struct buf file = {0};
	struct cursor c;
	struct call call;
	char path[128];
	FILE *f;

	*rec = (struct recorded){0};
	snprintf(path, sizeof(path), "tests/fixtures/h2/recorded/%s.calls", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(buf_reserve(&file, FILE_BYTES_MAX), 0);
	file.n = fread(file.p, 1, FILE_BYTES_MAX, f);
	fclose(f);
	for (c = cursor_init(file.p, file.n); cursor_left(&c); rec->calls_n++) {
		call = (struct call){.at = rec->bytes.n};
		call.dir = cursor_u8(&c) == '>' ? DIR_WRITE : DIR_READ;
		call.n = cursor_u32(&c);
		assert_int_equal(buf_put(&rec->bytes, cursor_bytes(&c, call.n), call.n), 0);
		assert_true(cursor_ok(&c));
		assert_int_equal(buf_put(&rec->calls, &call, sizeof(call)), 0);
	}
	buf_free(&file);
}

static bool same_field(const struct header *got, const struct header *want)
{
	return (!got->name.p || str_eq(got->name, want->name)) &&
	       (!got->value.p || str_eq(got->value, want->value)) &&
	       (!got->trailer || want->trailer);
}

/* Every field that has a name or a value has those of the same place; of a response its trailers may be all. */
static void judge_headers(struct onlooker *o, const struct attr *got, const struct attr *want,
			  bool begun)
{
	uint32_t from;

	assert_non_null(want);
	assert_true(got->count <= want->count);
	from = want->count - got->count;
	if (from && !want->headers[from].trailer)
		from = 0;
	for (uint32_t i = 0; i < got->count; i++) {
		assert_true(same_field(&got->headers[i], &want->headers[from + i]));
		o->known += begun && got->headers[i].name.p && got->headers[i].value.p;
	}
	o->fields += begun ? want->count : 0;
}

static bool counts_octets(const char *name)
{
	static const char *const names[] = {A_HTTP_REQUEST_BODY_SIZE, A_HTTP_RESPONSE_BODY_SIZE,
					    A_GRPC_REQUEST_MESSAGES, A_GRPC_RESPONSE_MESSAGES};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void judge_attr(struct onlooker *o, const struct txn *t, const struct attr *got,
		       const struct attr *want)
{
	bool begun = !(t->flags & (TXN_LATE | TXN_NO_REQUEST));
	bool ended = !(t->flags & (TXN_NO_RESPONSE | TXN_CUT_REQUEST));

	if (got->type == ATTR_HEADERS) {
		judge_headers(o, got, want, begun && ended);
		return;
	}
	if (counts_octets(got->name) && !ended)
		return; /* up to where reading on ended */
	if (!want)
		fail_msg("stream %u, flags %x: %s is not known to who saw all",
			 (unsigned int)t->stream_id, t->flags, got->name);
	assert_int_equal(got->type, want->type);
	if (got->type == ATTR_INT)
		assert_int_equal(got->num, want->num);
	else if (got->type == ATTR_STR)
		assert_true(str_eq(got->str, want->str));
	else
		fail_msg("%s is of no type that is compared", got->name);
}

static void judge(struct onlooker *o, const struct txn *t, const struct txn *want)
{
	bool begun = !(t->flags & (TXN_LATE | TXN_NO_REQUEST));

	assert_non_null(want);
	assert_int_equal(t->role, want->role);
	assert_true(strcmp(t->event_name, want->event_name) == 0 ||
		    strcmp(t->event_name, "http.exchange") == 0);
	for (uint32_t i = 0; i < t->attr_count; i++)
		judge_attr(o, t, &t->attrs[i], txn_attr(want, t->attrs[i].name));
	if (!begun)
		return;
	o->since++;
	assert_int_equal(t->start_ns, want->start_ns);
	if (t->flags & (TXN_NO_RESPONSE | TXN_CUT_REQUEST))
		return;
	assert_int_equal(t->end_ns, want->end_ns);
	assert_true(!t->response_start_ns || t->response_start_ns == want->response_start_ns);
	if (strcmp(want->event_name, "rpc.exchange") == 0)
		o->rpcs_uncounted += !txn_attr(t, A_GRPC_REQUEST_MESSAGES) ||
				     !txn_attr(t, A_GRPC_RESPONSE_MESSAGES);
}

static void on_txn(struct proto_sink *s, struct txn *t)
{
	struct onlooker *o = (struct onlooker *)s;
	struct recorded *rec = o->rec;
	uint32_t i = (uint32_t)t->stream_id / 2;

	assert_true(t->stream_id & 1 && i < rec->streams);
	assert_int_equal(o->seen[i]++, 0);
	o->txns++;
	if (o->whole) {
		/* Go's server resets what it answered without reading it */
		assert_int_equal(t->flags & ~(unsigned int)TXN_CUT_REQUEST, 0);
		rec->truth[i] = t;
		return;
	}
	judge(o, t, rec->truth[i]);
	txn_free(t);
}

static void on_secret(struct proto_sink *s, enum dir d, uint64_t off, uint64_t n, uint8_t fill)
{
	(void)s, (void)d, (void)off, (void)n, (void)fill;
}

static void on_settled(struct proto_sink *s, enum dir d, uint64_t off)
{
	(void)s, (void)d, (void)off;
}

static void on_role(struct proto_sink *s, enum role r)
{
	((struct onlooker *)s)->role = r;
}

static const struct proto_sink_ops ops = {
	.txn = on_txn,
	.secret = on_secret,
	.settled = on_settled,
	.role = on_role,
};

/* As flow/ does with a parser that seeks: after PARSE_LOST it is fed on. */
static void feed(void *parser, enum dir d, struct slice s)
{
	struct parse_res res;

	do {
		res = proto_http2.feed(parser, d, &s, false);
		assert_true(res.status == PARSE_LOST || res.consumed == s.n);
		if (res.status == PARSE_LOST)
			proto_http2.resync(parser, d);
		s.p += res.consumed;
		s.n -= res.consumed;
		s.off += res.consumed;
		s.call_start &= !res.consumed;
	} while (s.n);
}

/* Looks on from byte `join` to byte `end`; each call keeps the time that it has in the whole. */
static void look_on(struct onlooker *o, struct recorded *rec, size_t join, size_t end)
{
	static const struct conn conn = {.seq = 1, .id = "1-1-1"};
	struct proto_open open = {
		.conn = &conn, .sink = &o->sink, .limits = &limits_default, .late = join > 0};
	const struct call *calls = (const struct call *)rec->calls.p;
	uint64_t off[DIR_COUNT] = {0};
	uint64_t now_ns = 0;
	void *parser;

	o->sink.ops = &ops;
	o->rec = rec;
	parser = proto_http2.open(&open);
	assert_non_null(parser);
	memset(o->seen, 0, rec->streams);
	for (size_t i = 0; i < rec->calls_n && calls[i].at < end; i++) {
		const struct call *c = &calls[i];
		size_t from = c->at < join ? join : c->at;
		size_t to = c->at + c->n < end ? c->at + c->n : end;

		now_ns += NS_PER_CALL;
		if (to <= from)
			continue;
		feed(parser, c->dir,
		     (struct slice){.p = rec->bytes.p + from,
				    .n = to - from,
				    .off = off[c->dir],
				    .ts_ns = now_ns,
				    .tid = 1,
				    .call_start = from == c->at});
		off[c->dir] += to - from;
		proto_http2.tick(parser, now_ns);
	}
	proto_http2.close(parser, now_ns);
}

static void take_notes(struct recorded *rec, size_t exchanges)
{
	struct onlooker o = {.whole = true};

	rec->streams = 4096;
	rec->truth = calloc(rec->streams, sizeof(*rec->truth));
	o.seen = calloc(rec->streams, 1);
	assert_true(rec->truth && o.seen);
	look_on(&o, rec, 0, rec->bytes.n);
	assert_int_equal(o.txns, exchanges);
	free(o.seen);
}

static void unload(struct recorded *rec)
{
	for (uint32_t i = 0; i < rec->streams; i++)
		txn_free(rec->truth[i]);
	free(rec->truth);
	buf_free(&rec->bytes);
	buf_free(&rec->calls);
}

struct expected {
	size_t exchanges;
	size_t read_on;	    /* bytes behind each join, so that some exchanges begin and end */
	size_t known_least; /* percent of the fields of exchanges that began since, all read */
};

static void joined_at_every_byte(const char *name, const struct expected *want)
{
	struct onlooker o = {0}, all = {0};
	struct recorded rec;
	size_t end;

	load(&rec, name);
	take_notes(&rec, want->exchanges);
	o.seen = all.seen = calloc(rec.streams, 1);
	assert_non_null(o.seen);
	for (size_t join = 1; join < rec.bytes.n; join++) {
		end = join + want->read_on < rec.bytes.n ? join + want->read_on : rec.bytes.n;
		look_on(&o, &rec, join, end);
		if (join % READ_ALL_EVERY == 0)
			look_on(&all, &rec, join, rec.bytes.n);
	}
	print_message("%s: joined at %zu bytes, %zu exchanges seen from their beginning: none of "
		      "%zu known fields is false (%zu %%; read to the end %zu %%)\n",
		      name, rec.bytes.n - 1, o.since, o.known, o.known * 100 / o.fields,
		      all.known * 100 / all.fields);
	assert_int_equal(o.rpcs_uncounted + all.rpcs_uncounted, 0);
	assert_true(o.since > 2 * rec.bytes.n);
	assert_true(all.known * 100 / all.fields >= want->known_least);
	free(o.seen);
	unload(&rec);
}

static void grpc_at_both_ends(void **state)
{
	(void)state;
	joined_at_every_byte("grpc", &(struct expected){260, 900, 40});
}

static void python_h2_and_nginx(void **state)
{
	(void)state;
	joined_at_every_byte("nginx", &(struct expected){240, 1500, 80});
}

static void curl_and_go(void **state)
{
	(void)state;
	joined_at_every_byte("go", &(struct expected){220, 600, 50});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grpc_at_both_ends),
		cmocka_unit_test(python_h2_and_nginx),
		cmocka_unit_test(curl_and_go),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	txn_pool_drain();
	return failed;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * WebSocket frames on both directions. The first octet is the set-up, segments follow
 * (tests/fuzz/fixture_input.h). A segment that says so is a payload: its first octet becomes that of a
 * frame, and the length is put in front, so that mutations get past the framing. Of a fixture, the calls of
 * the upgrade are skipped.
 */
#include <stdlib.h>

#include "core/attr_names.h"
#include "parsers/rows.h"
#include "parsers/websocket.h"
#include "tests/fuzz/fixture_input.h"

#define SET_BODY 0x01
#define SET_DEFLATE 0x02
#define SET_NO_TAKEOVER 0x04
#define SET_SERVER 0x08
#define SET_UNSEEN 0x10 /* the upgrade was */
#define HOW_FRAMED 0x10
#define KEEP 64

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct fuzz {
	struct proto_sink sink; /* first */
	void *parser;
	uint64_t off[DIR_COUNT], ts_ns;
};

static void must(bool what)
{
	if (!what)
		abort();
}

static void on_txn(struct proto_sink *s, struct txn *t)
{
	const struct attr *size = txn_attr(t, A_WS_SIZE), *text = txn_attr(t, A_WS_CONTENT);

	(void)s;
	must(t->event_name && t->role != ROLE_UNKNOWN && t->end_ns >= t->start_ns);
	must(!size || size->num >= 0);
	must(!text || text->str.n <= KEEP);
	txn_free(t);
}

static void on_role(struct proto_sink *s, enum role r)
{
	(void)s;
	must(r != ROLE_UNKNOWN);
}

static const struct proto_sink_ops sink_ops = {.txn = on_txn, .role = on_role};

static void feed(struct fuzz *f, uint8_t how, const uint8_t *p, size_t n)
{
	enum dir d = how & HOW_READ ? DIR_READ : DIR_WRITE;
	bool framed = how & HOW_FRAMED && n;
	size_t length = n - framed, head = !framed ? 0 : length > 125 ? 4 : 2;
	/* of the exact size, so that reading past its end is seen */
	uint8_t *copy = malloc(head + length + 1);
	struct slice s = {copy, head + length, f->off[d], f->ts_ns, 1, how & HOW_CALL};
	struct parse_res r;

	must(copy != NULL);
	if (framed) {
		copy[0] = p[0];
		copy[1] = (uint8_t)(head == 4 ? 126 : length);
		if (head == 4) {
			copy[2] = 0;
			copy[3] = (uint8_t)length;
		}
	}
	if (length)
		memcpy(copy + head, p + framed, length);
	f->off[d] += s.n;
	r = proto_websocket.feed(f->parser, d, &s, false);
	free(copy);
	must(r.status == PARSE_OK || r.status == PARSE_LOST);
	must(r.consumed <= s.n && (r.status == PARSE_LOST || r.consumed == s.n));
	if (r.status == PARSE_LOST)
		proto_websocket.resync(f->parser, d);
}

static void run(const uint8_t *p, size_t n)
{
	struct fuzz f = {.sink.ops = &sink_ops};
	struct conn conn = {.seq = 1, .id = "1-1-1"};
	struct limits limits = limits_default;
	uint8_t set = n ? p[0] : 0;
	struct txn *from = txn_new(&conn);
	struct header h = {.name = STR("Sec-WebSocket-Extensions")};

	must(from != NULL);
	h.value = set & SET_NO_TAKEOVER ? STR("permessage-deflate; server_no_context_takeover")
					: STR("permessage-deflate");
	from->role = set & SET_SERVER ? ROLE_SERVER : ROLE_CLIENT;
	txn_headers(from, A_RESPONSE_HEADERS, &h, set & SET_DEFLATE ? 1 : 0);
	limits.body_bytes = set & SET_BODY ? KEEP : 0;
	f.parser = proto_websocket.open(&(struct proto_open){&conn, &f.sink, &limits, false,
							     set & SET_UNSEEN ? NULL : from});
	txn_free(from);
	must(f.parser != NULL);
	for (size_t i = 1, k; i + 1 < n; i += k) {
		uint8_t how = p[i++];
		enum dir d = how & HOW_READ ? DIR_READ : DIR_WRITE;

		k = p[i++];
		if (k > n - i)
			k = n - i;
		f.ts_ns++;
		if (!(how & HOW_GAP))
			feed(&f, how, p + i, k);
		else if (proto_websocket.gap(f.parser, d, k, f.ts_ns).status == PARSE_LOST)
			proto_websocket.resync(f.parser, d);
	}
	proto_websocket.close(f.parser, f.ts_ns);
	txn_pool_drain();
}

static const uint8_t *after_upgrade(const uint8_t *p, size_t n)
{
	static const char end[] = "\n< \\r\\n\n";
	const uint8_t *at = memmem(p, n, end, sizeof(end) - 1);

	return at ? at + sizeof(end) - 1 : p;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf segments = {0};
	const uint8_t *at;

	if (!input_is_fixture(p, n)) {
		run(p, n);
		return 0;
	}
	at = after_upgrade(p, n);
	buf_putc(&segments, SET_BODY | SET_DEFLATE);
	input_segments(&segments, at, n - (size_t)(at - p));
	run(segments.p, segments.n);
	buf_free(&segments);
	return 0;
}

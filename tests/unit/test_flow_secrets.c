/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets of real HTTP/1 through the whole of flow/: whatever is cut, lost, cut short or out of order, no four
 * octets of one reach a chunk unmasked, and without loss everything else does.
 */
#include "tests/unit/flow_stage.h"

#include <stdio.h>

#define RUNS 200
#define STREAM_BYTES 6000
#define SECRET "ZXQJKVWYPZ"
#define SURE_BYTES \
	200 /* of each direction that arrive whole: what nobody recognised is not masked */

struct side {
	char text[STREAM_BYTES + 600];
	size_t n, at;
	uint64_t lost;
};

/* xorshift64* */
static uint32_t below(uint64_t *s, uint32_t n)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return (uint32_t)((*s * 0x2545f4914f6cdd1dull) >> 33) % n;
}

static void say(struct side *s, const char *text)
{
	s->n += (size_t)snprintf(s->text + s->n, 600, "%s", text);
}

static void script(struct side side[DIR_COUNT], uint64_t *rng)
{
	while (side[W].n < STREAM_BYTES && side[R].n < STREAM_BYTES) {
		say(&side[W],
		    "POST /a/b?x=1&token=" SECRET "&y=2 HTTP/1.1\r\nHost: example.com\r\n");
		if (below(rng, 2))
			say(&side[W], "Authorization: Bearer " SECRET SECRET "\r\n");
		if (below(rng, 2))
			say(&side[W], "Cookie: a=" SECRET "; b=" SECRET "\r\n");
		if (below(rng, 2))
			say(&side[W], "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
				      "X-Api-Key: " SECRET "\r\n\r\n");
		else
			say(&side[W], "Content-Length: 5\r\n\r\nhello");
		say(&side[R], "HTTP/1.1 200 OK\r\nSet-Cookie: id=" SECRET "; Path=/\r\n");
		if (below(rng, 2))
			say(&side[R], "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
		else
			say(&side[R], "Content-Length: 3\r\n\r\nabc");
	}
}

static void call(struct harness *h, struct side *s, enum dir d, uint64_t *rng, bool lossy)
{
	size_t n = 1 + below(rng, 90), left = s->n - s->at, got;

	n = n < left ? n : left;
	lossy = lossy && s->at > SURE_BYTES;
	h->now_ms += below(rng, 8) == 0;
	if (lossy && below(rng, 12) == 0) {
		s->lost += n;
		s->at += n;
		return;
	}
	got = lossy && below(rng, 12) == 0 ? 1 + below(rng, (uint32_t)n) : n;
	DATA(h, .dir = d, .off = s->at, .lost = s->lost, .text = s->text + s->at, .n = got,
	     .more = (uint32_t)(n - got), .part = below(rng, 2), PROVEN);
	s->at += n;
}

static void trial(uint64_t seed, bool lossy)
{
	uint64_t rng = seed * 0x9e3779b97f4a7c15ull + 1;
	struct side *side = calloc(DIR_COUNT, sizeof(*side));
	const char *out;
	struct harness h;

	assert_non_null(side);
	harness_open(&h, &(struct flow_cfg){.chunks = true});
	harness_sock(&h, HARNESS_CONN, 1, HARNESS_SOCK, 443);
	script(side, &rng);
	/* the question first, so that its direction is known */
	DATA(&h, .text = side[W].text, .n = 60, PROVEN);
	side[W].at = 60;
	while (side[W].at < side[W].n || side[R].at < side[R].n) {
		enum dir d = below(&rng, 2) ? R : W;

		if (side[d].at < side[d].n)
			call(&h, &side[d], d, &rng, lossy);
	}
	harness_conn_end(&h, HARNESS_CONN, 1, side[W].n, side[R].n);
	harness_finish(&h);
	assert_int_equal(h.chunk_bytes + h.gap_bytes, side[W].n + side[R].n);
	out = strstr(harness_out(&h), "data");
	for (size_t i = 0; i + 4 <= sizeof(SECRET) - 1; i++) {
		char piece[5] = {0};

		memcpy(piece, &SECRET[i], 4);
		for (const char *at = out; (at = strstr(at, piece)); at++) {
			/* transactions are cleaned by select/, chunks here */
			const char *line = at;

			while (line > out && line[-1] != '\n')
				line--;
			assert_int_not_equal(strncmp(line, "data", 4), 0);
		}
	}
	if (!lossy) {
		assert_int_equal(stats_of(&h).unparsed_bytes, 0);
		assert_non_null(strstr(out, "hello"));
		assert_non_null(strstr(out, "Path=/"));
	}
	harness_close(&h);
	free(side);
}

static void masked_exactly_when_all_arrives(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= RUNS; seed++)
		trial(seed, false);
}

static void never_shown_when_some_is_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= RUNS; seed++)
		trial(seed, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masked_exactly_when_all_arrives),
		cmocka_unit_test(never_shown_when_some_is_lost),
	};

	return cmocka_run_group_tests_name("flow_secrets", tests, NULL, NULL);
}

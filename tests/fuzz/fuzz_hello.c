/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hellos of TLS from both sides of a socket, as segments (tests/fuzz/fixture_input.h). A segment that says
 * so gets the header of a handshake record in front, so that mutations get past the framing.
 */
#include <stdlib.h>

#include "flow/hello.h"
#include "tests/fuzz/fixture_input.h"

#define HOW_RECORD 0x10

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool what)
{
	if (!what)
		abort();
}

static void check(const struct hello_reader *r)
{
	must(r->sni.n <= HELLO_NAME_BYTES && r->alpn.n <= HELLO_NAME_BYTES);
	must(!r->version.n == !r->cipher.n);
	must(!r->resumed || r->version.n);
	must(!r->alpn.n || r->version.n);
	must(hello_held(r) <= 4 * HELLO_MESSAGE_BYTES);
	for (size_t i = 0; i < r->sni.n; i++)
		must(r->sni.p[i] > ' ' && r->sni.p[i] < 0x7f);
}

static void feed(struct hello_reader *r, uint64_t off[DIR_COUNT], uint8_t how, const uint8_t *p,
		 size_t n)
{
	enum dir d = how & HOW_READ ? DIR_READ : DIR_WRITE;
	size_t head = how & HOW_RECORD ? 5 : 0;
	/* of the exact size, so that reading past its end is seen */
	uint8_t *copy = malloc(head + n + !n);

	must(copy != NULL);
	if (head)
		memcpy(copy, (uint8_t[]){22, 3, 3, 0, (uint8_t)n}, head);
	if (n)
		memcpy(copy + head, p, n);
	hello_feed(r, d, off[d], copy, head + n);
	off[d] += head + n;
	free(copy);
	check(r);
}

static void run(const uint8_t *p, size_t n)
{
	struct hello_reader *r = calloc(1, sizeof(*r));
	uint64_t off[DIR_COUNT] = {0};

	must(r != NULL);
	for (size_t i = 0, k; i + 1 < n; i += k) {
		uint8_t how = p[i++];

		k = p[i++];
		if (k > n - i)
			k = n - i;
		if (how & HOW_GAP)
			off[!!(how & HOW_READ)] += k;
		else
			feed(r, off, how, p + i, k);
	}
	hello_stop(r);
	must(hello_held(r) == 0);
	free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf segments = {0};

	if (!input_is_fixture(p, n)) {
		run(p, n);
		return 0;
	}
	input_segments(&segments, p, n);
	run(segments.p, segments.n);
	buf_free(&segments);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gRPC: messages are counted alike however their bytes are cut, and a call is described whatever stands in
 * its headers. The first octet says how large the pieces are.
 */
#include <stdlib.h>

#include "core/cursor.h"
#include "parsers/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void compare_cuts(const uint8_t *p, size_t n, size_t piece)
{
	struct grpc_framing whole = {0}, cut = {0};

	grpc_data(&whole, p, n);
	for (size_t at = 0; at < n; at += piece)
		grpc_data(&cut, p + at, piece < n - at ? piece : n - at);
	require(whole.messages == cut.messages && whole.broken == cut.broken);
	require(whole.messages <= n / GRPC_PREFIX);
	require(whole.broken || (whole.left == cut.left && whole.prefix_n == cut.prefix_n));
	grpc_data_lost(&cut, piece);
	require(cut.messages >= whole.messages && cut.messages - whole.messages <= 1);
}

/* The next field: an octet for its length, and the octets; a length of 0 is an absent field. */
static struct str field(struct arena *a, struct cursor *c)
{
	size_t n = cursor_u8(c);
	const uint8_t *p;

	n = n < cursor_left(c) ? n : cursor_left(c);
	p = cursor_bytes(c, n);
	return n && p ? arena_str(a, p, n) : STR_NONE;
}

static void describe(struct cursor c)
{
	static const struct conn conn = {.seq = 1, .id = "1-1-1"};
	struct grpc_framing request = {0};
	struct txn *t = txn_new(&conn);
	struct grpc_call call;

	require(t != NULL);
	call = (struct grpc_call){.path = field(&t->arena, &c),
				  .timeout = field(&t->arena, &c),
				  .request_encoding = field(&t->arena, &c),
				  .response_encoding = field(&t->arena, &c),
				  .status = field(&t->arena, &c),
				  .message = field(&t->arena, &c),
				  .request = &request};
	grpc_content_type(call.path);
	grpc_describe(t, &call);
	require(t->event_name && t->attr_count <= TXN_ATTRS_MAX);
	txn_free(t);
	txn_pool_drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_init(p, n);
	size_t piece = 1 + cursor_u8(&c) % 16;

	if (!cursor_ok(&c))
		return 0;
	compare_cuts(c.pos, cursor_left(&c), piece);
	describe(c);
	return 0;
}

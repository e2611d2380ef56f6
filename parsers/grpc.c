/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/grpc.h"

#include "core/attr_names.h"
#include "core/cursor.h"

#define TIMEOUT_DIGITS 8

static uint32_t grpc_length(const struct grpc_framing *g)
{
	return (uint32_t)g->prefix[1] << 24 | (uint32_t)g->prefix[2] << 16 |
	       (uint32_t)g->prefix[3] << 8 | g->prefix[4];
}

size_t grpc_next(struct grpc_framing *g, const uint8_t *p, size_t n)
{
	struct cursor c = cursor_init(p, n);
	uint64_t messages = g->messages;
	size_t take;

	while (cursor_left(&c) && !g->broken && g->messages == messages) {
		if (g->prefix_n < GRPC_PREFIX) {
			g->prefix[g->prefix_n++] = cursor_u8(&c);
			if (g->prefix_n < GRPC_PREFIX)
				continue;
			g->broken = g->prefix[0] > 1;
			g->left = grpc_length(g);
		}
		take = cursor_left(&c) < g->left ? cursor_left(&c) : g->left;
		cursor_skip(&c, take);
		g->left -= (uint32_t)take;
		if (g->left == 0 && !g->broken) {
			g->messages++;
			g->prefix_n = 0;
		}
	}
	return g->broken ? n : cursor_offset(&c);
}

void grpc_data(struct grpc_framing *g, const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n;)
		at += grpc_next(g, p + at, n - at);
}

void grpc_data_lost(struct grpc_framing *g, uint64_t n)
{
	if (g->broken || g->prefix_n < GRPC_PREFIX || n > g->left) {
		g->broken = true;
		return;
	}
	g->left -= (uint32_t)n;
	if (g->left == 0) {
		g->messages++;
		g->prefix_n = 0;
	}
}

bool grpc_content_type(struct str v)
{
	const struct str type = STR("application/grpc");

	if (v.n < type.n || !str_ieq((struct str){v.p, type.n}, type))
		return false;
	return v.n == type.n || v.p[type.n] == '+' || v.p[type.n] == ';';
}

/* google.rpc.Code; the class as the semantic conventions see it from the server. */
static const struct {
	struct str name;
	enum outcome outcome;
} codes[] = {
	{STR("OK"), OUTCOME_OK},
	{STR("CANCELLED"), OUTCOME_CLIENT_ERROR},
	{STR("UNKNOWN"), OUTCOME_SERVER_ERROR},
	{STR("INVALID_ARGUMENT"), OUTCOME_CLIENT_ERROR},
	{STR("DEADLINE_EXCEEDED"), OUTCOME_SERVER_ERROR},
	{STR("NOT_FOUND"), OUTCOME_CLIENT_ERROR},
	{STR("ALREADY_EXISTS"), OUTCOME_CLIENT_ERROR},
	{STR("PERMISSION_DENIED"), OUTCOME_CLIENT_ERROR},
	{STR("RESOURCE_EXHAUSTED"), OUTCOME_CLIENT_ERROR},
	{STR("FAILED_PRECONDITION"), OUTCOME_CLIENT_ERROR},
	{STR("ABORTED"), OUTCOME_CLIENT_ERROR},
	{STR("OUT_OF_RANGE"), OUTCOME_CLIENT_ERROR},
	{STR("UNIMPLEMENTED"), OUTCOME_SERVER_ERROR},
	{STR("INTERNAL"), OUTCOME_SERVER_ERROR},
	{STR("UNAVAILABLE"), OUTCOME_SERVER_ERROR},
	{STR("DATA_LOSS"), OUTCOME_SERVER_ERROR},
	{STR("UNAUTHENTICATED"), OUTCOME_CLIENT_ERROR},
};

/* Decimal digits only; false when there is anything else, none or more than `digits`. */
static bool parse_digits(struct str s, size_t digits, int64_t *out)
{
	int64_t v = 0;

	if (s.n == 0 || s.n > digits)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*out = v;
	return true;
}

static bool parse_timeout(struct str v, int64_t *ns)
{
	static const struct {
		char unit;
		int64_t ns;
	} units[] = {
		{'H', 3600000000000}, {'M', 60000000000}, {'S', 1000000000},
		{'m', 1000000},	      {'u', 1000},	  {'n', 1},
	};
	int64_t number;

	if (v.n < 2 || !parse_digits((struct str){v.p, v.n - 1}, TIMEOUT_DIGITS, &number))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == v.p[v.n - 1])
			return !__builtin_mul_overflow(number, units[i].ns, ns);
	return false;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Status-Message is percent-encoded; what is not valid encoding stands for itself, as the spec asks. */
static struct str percent_decode(struct arena *a, struct str s)
{
	char *q = arena_alloc(a, s.n + 1);
	size_t n = 0;

	if (!q)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		int hi = s.p[i] == '%' && s.n - i > 2 ? hex(s.p[i + 1]) : -1;
		int lo = hi >= 0 ? hex(s.p[i + 2]) : -1;

		q[n++] = lo >= 0 ? (char)(hi << 4 | lo) : s.p[i];
		if (lo >= 0)
			i += 2;
	}
	q[n] = '\0';
	return (struct str){q, n};
}

static void describe_status(struct txn *t, struct str status)
{
	int64_t code;

	t->status = status;
	if (!status.p)
		return;
	if (parse_digits(status, 3, &code) && code < (int64_t)(sizeof(codes) / sizeof(codes[0]))) {
		t->status = codes[code].name;
		t->outcome = codes[code].outcome;
	} else {
		t->outcome = OUTCOME_SERVER_ERROR; /* clients take it for UNKNOWN */
	}
	txn_str(t, A_RPC_STATUS, t->status);
}

static void put_known(struct txn *t, const char *name, struct str v)
{
	if (v.p)
		txn_str(t, name, v);
}

void grpc_describe(struct txn *t, const struct grpc_call *c)
{
	struct str method = c->path;
	int64_t ns;

	t->event_name = "rpc.exchange";
	if (method.n && method.p[0] == '/')
		method = (struct str){method.p + 1, method.n - 1};
	t->verb = STR("GRPC");
	t->target = method;
	txn_str(t, A_RPC_SYSTEM, STR("grpc"));
	put_known(t, A_RPC_METHOD, method);
	describe_status(t, c->status);
	if (c->message.n)
		txn_str(t, A_GRPC_MESSAGE, percent_decode(&t->arena, c->message));
	if (parse_timeout(c->timeout, &ns))
		txn_int(t, A_GRPC_TIMEOUT_NS, ns);
	put_known(t, A_GRPC_REQUEST_ENCODING, c->request_encoding);
	put_known(t, A_GRPC_RESPONSE_ENCODING, c->response_encoding);
	if (c->request && !c->request->broken)
		txn_int(t, A_GRPC_REQUEST_MESSAGES, (int64_t)c->request->messages);
	if (c->response && !c->response->broken)
		txn_int(t, A_GRPC_RESPONSE_MESSAGES, (int64_t)c->response->messages);
}

uint64_t grpc_message_bytes(const struct grpc_framing *g)
{
	return (uint64_t)grpc_length(g) + GRPC_PREFIX;
}

void grpc_describe_message(struct txn *t, const struct grpc_framing *g, const struct grpc_call *c,
			   bool sent)
{
	grpc_describe(t, c);
	t->event_name = "rpc.message";
	t->status = sent ? STR("sent") : STR("received");
	txn_str(t, A_RPC_MESSAGE_TYPE, sent ? STR("SENT") : STR("RECEIVED"));
	txn_int(t, A_RPC_MESSAGE_ID, (int64_t)g->messages);
	txn_int(t, g->prefix[0] ? A_RPC_MESSAGE_COMPRESSED : A_RPC_MESSAGE_UNCOMPRESSED,
		grpc_length(g));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/attr_names.h"
#include "parsers/grpc.h"

#define MESSAGES       \
	"\0\0\0\0\2hi" \
	"\1\0\0\0\0"   \
	"\0\0\0\0\5hello"
#define MESSAGES_BYTES (sizeof(MESSAGES) - 1)

static void messages_at_every_split(void **state)
{
	const uint8_t *p = (const uint8_t *)MESSAGES;

	(void)state;
	for (size_t a = 0; a <= MESSAGES_BYTES; a++) {
		for (size_t b = a; b <= MESSAGES_BYTES; b++) {
			struct grpc_framing g = {0};

			grpc_data(&g, p, a);
			grpc_data(&g, p + a, b - a);
			grpc_data(&g, p + b, MESSAGES_BYTES - b);
			assert_int_equal(g.messages, 3);
			assert_true(grpc_between_messages(&g));
		}
	}
}

static void a_cut_message_does_not_count(void **state)
{
	struct grpc_framing g = {0};

	(void)state;
	grpc_data(&g, (const uint8_t *)MESSAGES, MESSAGES_BYTES - 1);
	assert_int_equal(g.messages, 2);
	assert_false(grpc_between_messages(&g));
	assert_false(g.broken);
}

static void what_is_no_message(void **state)
{
	struct grpc_framing g = {0};

	(void)state;
	grpc_data(&g, (const uint8_t *)"hello world", 11); /* a flag of 'h' */
	assert_true(g.broken);
	grpc_data(&g, (const uint8_t *)MESSAGES, MESSAGES_BYTES);
	assert_int_equal(g.messages, 0);
	assert_false(grpc_between_messages(&g));
}

static void lost_octets(void **state)
{
	struct grpc_framing g = {0};

	(void)state;
	grpc_data(&g, (const uint8_t *)"\0\0\0\0\4a", 6);
	grpc_data_lost(&g, 2);
	assert_false(g.broken);
	grpc_data(&g, (const uint8_t *)"d", 1);
	assert_int_equal(g.messages, 1);
	grpc_data(&g, (const uint8_t *)"\0\0\0\0\4", 5);
	grpc_data_lost(&g, 4);
	assert_int_equal(g.messages, 2);
	assert_true(grpc_between_messages(&g));
	grpc_data_lost(&g, 1); /* of a prefix */
	assert_true(g.broken);
}

static void content_types(void **state)
{
	(void)state;
	assert_true(grpc_content_type(STR("application/grpc")));
	assert_true(grpc_content_type(STR("application/grpc+proto")));
	assert_true(grpc_content_type(STR("Application/GRPC;charset=x")));
	assert_false(grpc_content_type(STR("application/grpc-web")));
	assert_false(grpc_content_type(STR("application/grpcx")));
	assert_false(grpc_content_type(STR("application/json")));
	assert_false(grpc_content_type(STR_NONE));
}

static struct txn *described(struct grpc_call c)
{
	static const struct conn conn = {.seq = 1};
	struct txn *t = txn_new(&conn);

	assert_non_null(t);
	grpc_describe(t, &c);
	return t;
}

static void expect_status(const char *wire, const char *name, enum outcome outcome)
{
	struct txn *t = described((struct grpc_call){.status = str_from(wire)});

	assert_true(str_eq(txn_attr(t, A_RPC_STATUS)->str, str_from(name)));
	assert_int_equal(t->outcome, outcome);
	txn_free(t);
}

static void status_names(void **state)
{
	(void)state;
	expect_status("0", "OK", OUTCOME_OK);
	expect_status("1", "CANCELLED", OUTCOME_CLIENT_ERROR);
	expect_status("14", "UNAVAILABLE", OUTCOME_SERVER_ERROR);
	expect_status("16", "UNAUTHENTICATED", OUTCOME_CLIENT_ERROR);
	expect_status("17", "17", OUTCOME_SERVER_ERROR);
	expect_status("-1", "-1", OUTCOME_SERVER_ERROR);
	expect_status("4294967296", "4294967296", OUTCOME_SERVER_ERROR);
}

static void unknown_is_left_out(void **state)
{
	struct txn *t = described((struct grpc_call){0});

	(void)state;
	assert_string_equal(t->event_name, "rpc.exchange");
	assert_int_equal(t->attr_count, 1); /* rpc.system.name */
	assert_int_equal(t->outcome, OUTCOME_UNKNOWN);
	assert_null(t->status.p);
	assert_null(t->target.p);
	txn_free(t);
}

static void expect_timeout(const char *wire, int64_t ns)
{
	struct txn *t = described((struct grpc_call){.timeout = str_from(wire)});
	struct attr *a = txn_attr(t, A_GRPC_TIMEOUT_NS);

	if (ns < 0)
		assert_null(a);
	else
		assert_int_equal(a->num, ns);
	txn_free(t);
}

static void timeouts(void **state)
{
	(void)state;
	expect_timeout("1H", 3600000000000);
	expect_timeout("2M", 120000000000);
	expect_timeout("10S", 10000000000);
	expect_timeout("250m", 250000000);
	expect_timeout("7u", 7000);
	expect_timeout("99999999n", 99999999);
	expect_timeout("99999999H", -1); /* over 292 years */
	expect_timeout("123456789n", -1);
	expect_timeout("5", -1);
	expect_timeout("x5S", -1);
	expect_timeout("-5S", -1);
	expect_timeout("5s", -1);
	expect_timeout("", -1);
}

static void expect_message(const char *wire, const char *text)
{
	struct txn *t = described((struct grpc_call){.message = str_from(wire)});

	assert_true(str_eq(txn_attr(t, A_GRPC_MESSAGE)->str, str_from(text)));
	txn_free(t);
}

static void messages_of_a_status(void **state)
{
	(void)state;
	expect_message("plain", "plain");
	expect_message("a%20b%0A%e2%82%ac", "a b\n\xe2\x82\xac");
	expect_message("100%", "100%");
	expect_message("%4", "%4");
	expect_message("%zz%41", "%zzA");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_at_every_split),
		cmocka_unit_test(a_cut_message_does_not_count),
		cmocka_unit_test(what_is_no_message),
		cmocka_unit_test(lost_octets),
		cmocka_unit_test(content_types),
		cmocka_unit_test(status_names),
		cmocka_unit_test(unknown_is_left_out),
		cmocka_unit_test(timeouts),
		cmocka_unit_test(messages_of_a_status),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	txn_pool_drain();
	return failed;
}

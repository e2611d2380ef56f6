/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for people: golden ones, every width, colours, and nothing of the wire that a terminal would obey. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "core/attr_names.h"
#include "select/human.h"
#include "select/utf8.h"
#include "tests/unit/sample.h"

static int setup(void **state)
{
	struct sample *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	sample_init(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct sample *s = *state;

	sample_free(s);
	free(s);
	return 0;
}

static char *line(struct sample *s, unsigned int columns)
{
	const struct writer_cfg cfg = {.columns = columns};

	return sample_written(&writer_text, &cfg, s->t);
}

static char *verbose(struct sample *s, unsigned int level)
{
	const struct writer_cfg cfg = {.verbose = level};

	return sample_redacted(&writer_text, &cfg, s->t);
}

static void expect_file(const char *got, const char *name)
{
	char want[8192] = "", path[128];
	FILE *f;

	snprintf(path, sizeof(path), "tests/fixtures/text/%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(want, 1, sizeof(want) - 1, f) > 0);
	fclose(f);
	assert_string_equal(got, want);
}

static void test_golden_widths(void **state)
{
	static const unsigned int columns[] = {0, 160, 120, 119, 80, 60, 30};
	struct sample *s = *state;
	char all[2048] = "", *one;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		one = line(s, columns[i]);
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s", one);
		free(one);
	}
	expect_file(all, "widths.txt");
}

static void test_golden_marks(void **state)
{
	struct sample *s = *state;
	char *got;

	s->t->flags = TXN_NO_RESPONSE | TXN_LOST_REQUEST | TXN_LIMIT | TXN_AMBIGUOUS |
		      TXN_UNKNOWN_HEADERS;
	s->t->lost_bytes = 1234;
	s->t->request_body_bytes = 100000;
	s->t->status = STR_NONE;
	s->t->verb = STR("OPTIONS");
	s->t->role = ROLE_SERVER;
	s->t->source = PEER_UNKNOWN;
	s->t->end_ns = s->t->start_ns + 61230000000;
	got = line(s, 0);
	expect_file(got, "marks.txt");
	free(got);
}

static void test_golden_verbose(void **state)
{
	struct header trailer[] = {
		{.name = STR("grpc-status"), .value = STR("0"), .trailer = true},
		{.name = STR("x"), .value = STR("a\x1b[2J\xff\xe2\x80\xae")},
		{.ref = -3},
		{.name = STR("big"), .oversize = true},
		{.name = STR("empty"), .value = STR("")},
	};
	struct sample *s = *state;
	char *got;

	s->t->attr_count = 0;
	txn_str(s->t, A_HTTP_RESPONSE_BODY_CONTENT, STR("one\r\ntwo\x1b[2J\n\nlast\xe2\x82"));
	txn_bytes(s->t, A_REQUEST_BODY_BASE64, STR("\x89PNG\r\n\x1a\n\0\0\0\rIHDRxyz"));
	sample_headers(s, A_REQUEST_HEADERS, "Host", "example.com", "Authorization",
		       "Bearer hunter2", NULL);
	txn_headers(s->t, A_RESPONSE_HEADERS, trailer, 5);
	got = verbose(s, 2);
	expect_file(got, "verbose.txt");
	free(got);
	got = verbose(s, 1);
	assert_non_null(strstr(got, "    > Host: example.com\n"));
	assert_null(strstr(got, "PNG"));
	assert_null(strstr(got, "last"));
	free(got);
	got = verbose(s, 0);
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
	free(got);
}

static unsigned int columns_of(const char *text)
{
	struct utf8_char c;
	unsigned int columns = 0;

	for (size_t n = strlen(text) - 1; n; n -= c.n, text += c.n) {
		c = utf8_next((const uint8_t *)text, n);
		assert_true(c.valid); /* never cut inside a character */
		columns += human_width(c.cp);
	}
	return columns;
}

static void test_no_line_is_wider_than_the_terminal(void **state)
{
	static const struct str targets[] = {
		STR(""),
		STR("/short"),
		STR("https://example.com/a/long/path/with/many/parts/and/more/and/"
		    "more?and=a&query=string"),
		STR("/\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6"
		    "\xbc\xa2"
		    "\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5"
		    "\xad\x97"),
		STR("/e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc"
		    "\x81"
		    "\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc"
		    "\x81"),
		STR("/\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		    "\xff"),
	};
	struct sample *s = *state;
	char *got;

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		s->t->target = targets[i];
		for (unsigned int columns = 1; columns <= 220; columns++) {
			got = line(s, columns);
			assert_true(columns_of(got) <= columns);
			/* where there is room the end of the line stands at the edge */
			if (columns >= 80) {
				assert_int_equal(columns_of(got), columns);
				assert_memory_equal(got + strlen(got) - 6, "2.0ms\n", 6);
			}
			free(got);
		}
	}
}

static void test_colours_only_when_asked(void **state)
{
	static const struct {
		enum outcome outcome;
		const char *want;
	} rows[] = {
		{OUTCOME_UNKNOWN, " \x1b[2m200\x1b[0m "},
		{OUTCOME_OK, " \x1b[32m200\x1b[0m "},
		{OUTCOME_REDIRECT, " \x1b[36m200\x1b[0m "},
		{OUTCOME_CLIENT_ERROR, " \x1b[33m200\x1b[0m "},
		{OUTCOME_SERVER_ERROR, " \x1b[31m200\x1b[0m "},
		{OUTCOME_ABORTED, " \x1b[35m200\x1b[0m "},
	};
	struct writer_cfg cfg = {.color = true, .columns = 120};
	struct sample *s = *state;
	char *got, *plain;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s->t->outcome = rows[i].outcome;
		got = sample_written(&writer_text, &cfg, s->t);
		plain = line(s, 120);
		assert_non_null(strstr(got, rows[i].want));
		assert_null(strchr(plain, '\x1b'));
		/* the same line but for the colour */
		assert_int_equal(strlen(got) - strlen(plain), strlen(rows[i].want) - 5);
		free(got);
		free(plain);
	}
	cfg.columns = 45; /* the status is not there any more */
	got = sample_written(&writer_text, &cfg, s->t);
	assert_true(columns_of(got) <= 45);
	free(got);
}

static void expect_peer(struct sample *s, const char *want)
{
	char *got = line(s, 0);

	if (!strstr(got, want))
		fail_msg("no '%s' in %s", want, got);
	free(got);
}

static void test_peers(void **state)
{
	struct sample *s = *state;

	expect_peer(s, " -> 93.184.216.34:443     GET");
	s->conn.family = ADDR_IPV6;
	s->conn.peer = (struct endpoint){{0x20, 1, 0x0d, 0xb8, [15] = 1}, 8443};
	expect_peer(s, " -> [2001:db8::1]:8443    GET");
	s->conn.family = ADDR_UNIX;
	expect_peer(s, " -> unix                  GET");
	s->t->source = PEER_UNKNOWN;
	s->t->role = ROLE_UNKNOWN;
	expect_peer(s, " -- ?                     GET");
	s->conn.proc = NULL;
	expect_peer(s, "Z [?]              -- ?");
	s->conn.proc = s->proc;
}

/* Whatever stands on the wire or in names of processes: no control character, valid UTF-8. */
static void test_nothing_reaches_the_terminal_raw(void **state)
{
	static char every[256], upper[512];
	const struct writer_cfg cfg = {.verbose = 2, .columns = 200};
	struct sample *s = *state;
	struct header h = {.name = {every, 256}, .value = {every, 256}};
	char *got;

	for (int i = 0; i < 256; i++)
		every[i] = (char)i;
	for (int i = 0; i < 256; i += 2) { /* C1 as characters */
		upper[i] = '\xc2';
		upper[i + 1] = (char)(0x80 + i / 2 % 32);
	}
	s->t->verb = s->t->status = s->t->target = (struct str){every, 256};
	sample_identity(s, ID_COMM, "\x1b]0;title\x07");
	s->t->attr_count = 0;
	txn_headers(s->t, A_RESPONSE_HEADERS, &h, 1);
	txn_str(s->t, A_HTTP_REQUEST_BODY_CONTENT, (struct str){every, 256});
	txn_str(s->t, A_HTTP_RESPONSE_BODY_CONTENT, (struct str){upper, 256});
	txn_str(s->t, A_WS_CONTENT, (struct str){every + 1, 127});
	got = sample_written(&writer_text, &cfg, s->t);
	assert_true(utf8_valid(str_from(got)));
	for (size_t i = 0, n = strlen(got); i < n;) {
		struct utf8_char c = utf8_next((const uint8_t *)got + i, n - i);

		assert_true(c.cp == '\n' || (c.cp >= 0x20 && c.cp < 0x7f) || c.cp >= 0xa0);
		i += c.n;
	}
	free(got);
}

static void test_a_bare_transaction(void **state)
{
	const struct conn conn = {.id = "1-1-1"};
	struct txn t = {.conn = &conn, .event_name = "http.exchange"};
	char *got = sample_written(&writer_text, NULL, &t);

	(void)state;
	assert_memory_equal(got, "00:00:00.000Z [?]", 17);
	free(got);
}

static void test_errors_come_back(void **state)
{
	const struct writer_cfg cfg = {.unbuffered = true};
	struct sample *s = *state;
	struct out *out;
	void *self;

	assert_int_equal(out_open(&out, "/dev/full"), 0);
	assert_int_equal(writer_text.open(&self, out, &cfg), 0);
	assert_int_equal(writer_text.txn(self, s->t), -ENOSPC);
	assert_int_equal(writer_text.flush(self), -ENOSPC);
	assert_int_equal(writer_text.close(self), -ENOSPC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_golden_widths),
		TEST(test_golden_marks),
		TEST(test_golden_verbose),
		TEST(test_no_line_is_wider_than_the_terminal),
		TEST(test_colours_only_when_asked),
		TEST(test_peers),
		TEST(test_nothing_reaches_the_terminal_raw),
		TEST(test_a_bare_transaction),
		TEST(test_errors_come_back),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}

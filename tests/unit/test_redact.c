/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redaction: secrets of every kind leave no trace in what any writer writes, and what stands beside them
 * stays. Every secret of the tables below is spelt SECRETnn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/attr_names.h"
#include "select/cmdline.h"
#include "select/select.h"
#include "tests/unit/sample.h"

#define TRACE "SECRET"

struct pair {
	const char *name, *value, *clean;
};

static const struct pair headers[] = {
	{"Authorization", "Bearer SECRET01", "Bearer ***"},
	{"authorization", "Basic SECRET02==", "Basic ***"},
	{"AUTHORIZATION", "SECRET03", "***"},
	{"Authorization ", "Bearer SECRET04", "Bearer ***"}, /* space before the colon */
	{"Proxy-Authorization", "Digest username=\"SECRET05\", response=\"SECRET06\"",
	 "Digest ***"},
	{"Cookie", "sid=SECRET07; theme=SECRET08", "sid=***; theme=***"},
	{"cookie", "SECRET09", "***"},
	{"Cookie", "a=b=SECRET10;c=", "a=***;c="},
	{"Set-Cookie", "sid=SECRET11; Path=/; HttpOnly; Max-Age=60",
	 "sid=***; Path=/; HttpOnly; Max-Age=60"},
	{"X-Api-Key", "SECRET12", "***"},
	{"X-Auth-Token", "SECRET13 SECRET14", "***"},
	{"X-Amz-Security-Token", "SECRET15", "***"},
	{"X-Vault-Token", "SECRET16", "***"},
	{"x-csrf-token", "SECRET17", "***"},
	{"Referer", "https://u:SECRET18@h.example/p?q=1&token=SECRET19#x",
	 "https://***@h.example/p?q=1&token=***#x"},
	{"Location", "/cb?access_token=SECRET20&state=ok", "/cb?access_token=***&state=ok"},
	{":path", "/p?api_key=SECRET21", "/p?api_key=***"},
};

static const struct pair urls[] = {
	{A_URL_FULL, "https://SECRET22:SECRET23@example.com/a?password=SECRET24&x=1",
	 "https://***@example.com/a?password=***&x=1"},
	{A_URL_PATH, "/a", "/a"},
	{A_URL_QUERY, "client_secret=SECRET25&page=2&sig=SECRET26",
	 "client_secret=***&page=2&sig=***"},
};

static const struct pair commands[] = {
	{NULL, "curl -u user:SECRET27 https://h/", "curl -u user:*** https://h/"},
	{NULL, "curl -uuser:SECRET28 https://h/", "curl -uuser:*** https://h/"},
	{NULL, "curl --user user:SECRET29", "curl --user user:***"},
	{NULL, "curl --proxy-user=user:SECRET30 h", "curl --proxy-user=user:*** h"},
	{NULL, "curl -H Authorization: Bearer SECRET31 -v", "curl -H Authorization: Bearer *** -v"},
	{NULL, "curl -HX-Api-Key:SECRET32 https://h/", "curl -HX-Api-Key:*** https://h/"},
	{NULL, "sh -c curl -H \"Authorization: Basic SECRET33\" https://h/",
	 "sh -c curl -H \"Authorization: Basic ***\" https://h/"},
	{NULL, "curl -H Cookie: a=SECRET34; b=SECRET35", "curl -H Cookie: a=***; b=***"},
	{NULL, "curl -b a=SECRET36 https://h/", "curl -b a=*** https://h/"},
	{NULL, "curl -b jar.txt https://h/", "curl -b jar.txt https://h/"},
	{NULL, "curl https://u:SECRET37@h/?token=SECRET38&a=1",
	 "curl https://***@h/?token=***&a=1"},
	{NULL, "curl -x http://SECRET39@proxy:3128 h", "curl -x http://***@proxy:3128 h"},
	{NULL, "app --token=SECRET40 --port=80", "app --token=*** --port=80"},
	{NULL, "app --token SECRET41 --port 80", "app --token *** --port 80"},
	{NULL, "app --db-password SECRET42", "app --db-password ***"},
	{NULL, "app -password -SECRET43 x", "app -password *** x"},
	{NULL, "env GITHUB_TOKEN=SECRET44 gh pr list", "env GITHUB_TOKEN=*** gh pr list"},
	{NULL, "java -Dspring.datasource.password=SECRET45 -jar a.jar",
	 "java -Dspring.datasource.password=*** -jar a.jar"},
	{NULL, "curl -d user=a&password=SECRET46&page=1 h", "curl -d user=a&password=***&page=1 h"},
	{NULL, "curl -d {\"user\":\"a\",\"password\":\"SECRET47 SECRET48\",\"n\":1} h",
	 "curl -d {\"user\":\"a\",\"password\":\"***\",\"n\":1} h"},
	{NULL, "curl -d {\"api_key\": \"SECRET49\"}", "curl -d {\"api_key\": \"***\"}"},
	{NULL, "app --password=SECRET50&SECRET51 x", "app --password=*** x"},
	{NULL, "app --password='SECRET52 SECRET53' x", "app --password='***' x"},
	{NULL, "curl --oauth2-bearer SECRET54", "curl --oauth2-bearer ***"},
	{NULL, "psql postgres://me:SECRET55@db:5432/x?sslmode=require",
	 "psql postgres://***@db:5432/x?sslmode=require"},
	{NULL, "app --token", "app --token"},
	{NULL, "nginx -c /etc/nginx.conf -g daemon off;",
	 "nginx -c /etc/nginx.conf -g daemon off;"},
	{NULL, "docker run -p 80:80 -v /a:/b img:1", "docker run -p 80:80 -v /a:/b img:1"},
	{NULL, "curl -H Accept: */* https://h:8443/a@b?x=y",
	 "curl -H Accept: */* https://h:8443/a@b?x=y"},
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static int setup(void **state)
{
	struct sample *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	sample_bare(s);
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

static void fill(struct sample *s, const char *command)
{
	struct header *request = arena_zalloc(&s->t->arena, COUNT(headers) * sizeof(*request));
	struct header *response = arena_zalloc(&s->t->arena, COUNT(headers) * sizeof(*response));

	s->t->attr_count = 0;
	s->t->target = str_from(urls[0].value);
	for (size_t i = 0; i < COUNT(urls); i++)
		txn_str(s->t, urls[i].name, str_from(urls[i].value));
	for (size_t i = 0; i < COUNT(headers); i++)
		request[i] = response[i] = (struct header){.name = str_from(headers[i].name),
							   .value = str_from(headers[i].value)};
	txn_headers(s->t, A_REQUEST_HEADERS, request, COUNT(headers));
	txn_headers(s->t, A_RESPONSE_HEADERS, response, COUNT(headers));
	sample_identity(s, ID_CMDLINE, command);
}

static void expect_no_trace(const char *text)
{
	if (strstr(text, TRACE))
		fail_msg("a secret is left: %s", strstr(text, TRACE));
	assert_non_null(strstr(text, "***"));
}

static void test_no_writer_shows_a_secret(void **state)
{
	const struct writer_cfg cfg = {.verbose = 2};
	struct sample *s = *state;
	char *text;

	for (size_t i = 0; i < COUNT(commands); i++) {
		fill(s, commands[i].value);
		text = sample_redacted(&writer_json, &cfg, s->t);
		expect_no_trace(text);
		free(text);
		fill(s, commands[i].value);
		text = sample_redacted(&writer_text, &cfg, s->t);
		expect_no_trace(text);
		free(text);
	}
}

/* HTTP/2 joined late: a value is known, its name may be that of any header. */
static void test_values_without_a_name_are_hidden(void **state)
{
	const struct writer_cfg cfg = {.verbose = 2};
	struct sample *s = *state;
	struct header unnamed;
	char *text;

	for (int json = 0; json < 2; json++) {
		unnamed = (struct header){.value = str_from("SECRET99")};
		s->t->attr_count = 0;
		txn_headers(s->t, A_RESPONSE_HEADERS, &unnamed, 1);
		text = sample_redacted(json ? &writer_json : &writer_text, &cfg, s->t);
		expect_no_trace(text);
		free(text);
	}
}

/* Without redaction all of them are there, so that the test above means something. */
static void test_without_redaction_nothing_is_touched(void **state)
{
	const struct writer_cfg cfg = {.verbose = 2};
	struct sample *s = *state;
	char want[24], *text;

	fill(s, "curl -u user:SECRET27");
	text = sample_written(&writer_json, &cfg, s->t);
	for (int i = 1; i <= 27; i++) {
		snprintf(want, sizeof(want), "SECRET%02d", i);
		assert_non_null(strstr(text, want));
	}
	assert_null(strstr(text, "***"));
	free(text);
	text = sample_written(&writer_text, &cfg, s->t);
	for (int i = 1; i <= 24; i++) {
		snprintf(want, sizeof(want), "SECRET%02d", i);
		assert_non_null(strstr(text, want));
	}
	free(text);
}

static void expect_str(struct str got, const char *want)
{
	if (!str_eq(got, str_from(want)))
		fail_msg("%.*s, not %s", (int)got.n, got.p, want);
}

/* A sink that looks at what select/ passes on. */
struct spy {
	struct sink sink;
	unsigned int txns, chunks, ticks;
	size_t masks;
	char command[256];
	const struct identity *proc;
	int answer;
	void (*look)(const struct txn *t);
};

static int spy_txn(struct sink *sink, struct txn *t)
{
	struct spy *spy = (struct spy *)sink;

	spy->txns++;
	spy->proc = t->conn->proc;
	spy->command[0] = '\0';
	if (spy->proc && spy->proc->v[ID_CMDLINE].p)
		snprintf(spy->command, sizeof(spy->command), "%s", spy->proc->v[ID_CMDLINE].p);
	if (spy->look)
		spy->look(t);
	return spy->answer;
}

static int spy_chunk(struct sink *sink, const struct chunk *c)
{
	(void)c;
	((struct spy *)sink)->chunks++;
	return 0;
}

static int spy_tick(struct sink *sink, uint64_t now_ns)
{
	(void)now_ns;
	((struct spy *)sink)->ticks++;
	return 0;
}

static const struct sink_ops spy_ops = {.txn = spy_txn, .chunk = spy_chunk, .tick = spy_tick};

static int pass(struct selector *s, struct txn *t)
{
	return select_sink(s)->ops->txn(select_sink(s), t);
}

static struct selector *redacting(struct spy *spy)
{
	const struct select_cfg cfg = {.redact = true};
	struct selector *s;

	spy->sink.ops = &spy_ops;
	s = select_new(&cfg, &spy->sink);
	assert_non_null(s);
	return s;
}

static void look_at_all(const struct txn *t)
{
	const struct attr *request = txn_attr(t, A_REQUEST_HEADERS);

	expect_str(t->target, urls[0].clean);
	for (size_t i = 0; i < COUNT(urls); i++)
		expect_str(txn_attr(t, urls[i].name)->str, urls[i].clean);
	for (size_t i = 0; i < COUNT(headers); i++) {
		expect_str(request->headers[i].name, headers[i].name);
		expect_str(request->headers[i].value, headers[i].clean);
	}
}

static void test_what_stands_beside_a_secret_stays(void **state)
{
	struct spy spy = {.look = look_at_all};
	struct sample *s = *state;
	struct selector *selector = redacting(&spy);

	fill(s, "curl");
	assert_int_equal(pass(selector, s->t), 0);
	assert_int_equal(pass(selector, s->t), 0); /* clean stays clean */
	assert_int_equal(spy.txns, 2);
	select_free(selector);
}

static void test_command_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++) {
		const struct pair *c = &commands[i];
		struct buf out = {0};
		bool found = cmdline_redact(NULL, &out, str_from(c->value));

		expect_str((struct str){(const char *)out.p, out.n}, c->clean);
		assert_int_equal(found, strcmp(c->value, c->clean) != 0);
		buf_free(&out);
	}
}

/* /proc separates arguments by NULs; then the end of one is known. */
static void test_arguments_separated_by_nul(void **state)
{
	static const char in[] =
		"curl\0-H\0Authorization: Bearer SECRET1 SECRET2\0example.com\0-u\0a:SECRET3 x\0"
		"--password\0SECRET4 'SECRET5' \"SECRET6\0token=SECRET7 SECRET8&a=b\0end";
	static const char want[] = "curl\0-H\0Authorization: Bearer ***\0example.com\0-u\0a:***\0"
				   "--password\0***\0token=***&a=b\0end";
	struct buf out = {0};

	(void)state;
	assert_true(cmdline_redact(NULL, &out, (struct str){in, sizeof(in) - 1}));
	assert_int_equal(out.n, sizeof(want) - 1);
	assert_memory_equal(out.p, want, out.n);
	buf_free(&out);
}

/* Every cut of every line ends where it ends (under ASan), and is masked exactly when it says so. */
static void test_command_lines_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++) {
		for (size_t n = 1; n <= strlen(commands[i].value); n++) {
			char *cut = malloc(n);
			struct buf out = {0};
			bool found;

			assert_non_null(cut);
			memcpy(cut, commands[i].value, n);
			found = cmdline_redact(NULL, &out, (struct str){cut, n});
			assert_int_equal(found, memmem(out.p, out.n, "***", 3) != NULL);
			assert_true(found || (out.n == n && memcmp(out.p, cut, n) == 0));
			buf_free(&out);
			free(cut);
		}
	}
}

static void test_an_identity_is_cleaned_once_and_never_changed(void **state)
{
	static const char command[] = "curl -u me:SECRET1 https://h/";
	struct sample *s = *state;
	const struct conn *conn = &s->conn;
	const struct identity *first;
	struct spy spy = {0};
	struct selector *selector = redacting(&spy);

	sample_identity(s, ID_EXE, "/usr/bin/curl");
	sample_identity(s, ID_CMDLINE, command);
	assert_int_equal(pass(selector, s->t), 0);
	assert_string_equal(spy.command, "curl -u me:*** https://h/");
	assert_ptr_not_equal(spy.proc, s->proc);
	assert_int_equal(spy.proc->key.tgid, 4242);
	expect_str(spy.proc->v[ID_EXE], "/usr/bin/curl");
	assert_null(spy.proc->v[ID_CONTAINER_ID].p);
	first = spy.proc;
	assert_int_equal(pass(selector, s->t), 0);
	assert_ptr_equal(spy.proc, first);
	/* the shared ones are as before, and the transaction points to them again */
	expect_str(s->proc->v[ID_CMDLINE], command);
	assert_ptr_equal(s->t->conn, conn);
	assert_ptr_equal(s->conn.proc, s->proc);
	select_free(selector);
	assert_int_equal(s->proc->refs, 1);
}

static void test_an_identity_without_secrets_is_passed_as_it_is(void **state)
{
	struct sample *s = *state;
	struct spy spy = {0};
	struct selector *selector = redacting(&spy);

	assert_int_equal(pass(selector, s->t), 0); /* no command line */
	assert_ptr_equal(spy.proc, s->proc);
	sample_identity(s, ID_CMDLINE, "curl https://h/");
	assert_int_equal(pass(selector, s->t), 0);
	assert_int_equal(pass(selector, s->t), 0);
	assert_ptr_equal(spy.proc, s->proc);
	s->conn.proc = NULL;
	assert_int_equal(pass(selector, s->t), 0);
	assert_null(spy.proc);
	select_free(selector);
}

/* More processes than are remembered: each comes out with its own command line. */
static void test_many_identities(void **state)
{
	enum {
		MANY = 1000
	};
	static struct identity *all[MANY];
	struct sample *s = *state;
	struct spy spy = {0};
	struct selector *selector = redacting(&spy);
	char command[64], want[64];

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < MANY; i++) {
			if (!round) {
				all[i] = identity_new((struct proc_key){.tgid = i});
				assert_non_null(all[i]);
				snprintf(command, sizeof(command), "p%u --token SECRET%u", i, i);
				assert_int_equal(
					identity_set(all[i], ID_CMDLINE, command, strlen(command)),
					0);
			}
			s->conn.proc = all[i];
			assert_int_equal(pass(selector, s->t), 0);
			snprintf(want, sizeof(want), "p%u --token ***", i);
			assert_string_equal(spy.command, want);
		}
	}
	select_free(selector);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(all[i]->refs, 1);
		identity_unref(all[i]);
	}
	s->conn.proc = s->proc;
}

static void look_at_http2(const struct txn *t)
{
	const struct header *h = txn_attr(t, A_REQUEST_HEADERS)->headers;

	expect_str(h[0].value, "***");	      /* sensitive by its sender's word */
	expect_str(h[1].value, "Bearer ***"); /* the scheme stays all the same */
	expect_str(h[2].value, "***");	      /* a name that is not known may be any */
	assert_null(h[3].value.p);
	expect_str(h[4].value, "plain");
	expect_str(h[5].value, "");
}

static void test_http2_headers(void **state)
{
	struct header h[] = {
		{.name = STR("x-harmless"), .value = STR("SECRET1"), .never_indexed = true},
		{.name = STR("authorization"),
		 .value = STR("Bearer SECRET2"),
		 .never_indexed = true},
		{.value = STR("SECRET3")},
		{.ref = -1},
		{.name = STR("x-harmless"), .value = STR("plain")},
		{.name = STR("x-api-key"), .value = STR("")},
	};
	struct sample *s = *state;
	struct spy spy = {.look = look_at_http2};
	struct selector *selector = redacting(&spy);

	txn_headers(s->t, A_REQUEST_HEADERS, h, COUNT(h));
	assert_int_equal(pass(selector, s->t), 0);
	assert_int_equal(spy.txns, 1);
	select_free(selector);
}

static void look_hidden(const struct txn *t)
{
	expect_str(t->target, "***");
	expect_str(txn_attr(t, A_URL_QUERY)->str, "***");
	expect_str(txn_attr(t, A_URL_PATH)->str, "/plain");
}

/* An arena at its limit has no room for a cleaned value: then the whole value goes. */
static void test_without_memory_all_is_hidden(void **state)
{
	struct sample *s = *state;
	struct spy spy = {.look = look_hidden};
	struct selector *selector = redacting(&spy);

	txn_str(s->t, A_URL_QUERY, STR("a=1&token=SECRET1"));
	txn_str(s->t, A_URL_PATH, STR("/plain"));
	s->t->target = STR("https://h/?token=SECRET1&a=1");
	s->t->arena.limit_bytes = 1;
	while (arena_alloc(&s->t->arena, 16))
		;
	assert_int_equal(pass(selector, s->t), 0);
	assert_int_equal(spy.txns, 1);
	select_free(selector);
	s->t->arena.limit_bytes = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_writer_shows_a_secret),
		TEST(test_values_without_a_name_are_hidden),
		TEST(test_without_redaction_nothing_is_touched),
		TEST(test_what_stands_beside_a_secret_stays),
		cmocka_unit_test(test_command_lines),
		cmocka_unit_test(test_arguments_separated_by_nul),
		cmocka_unit_test(test_command_lines_cut_anywhere),
		TEST(test_an_identity_is_cleaned_once_and_never_changed),
		TEST(test_an_identity_without_secrets_is_passed_as_it_is),
		TEST(test_many_identities),
		TEST(test_http2_headers),
		TEST(test_without_memory_all_is_hidden),
	};

	return cmocka_run_group_tests_name("redact", tests, NULL, NULL);
}

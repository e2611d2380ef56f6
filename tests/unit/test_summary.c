/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end-of-run summary: sums, causes of loss, the sum that does not add up, the reason for nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/summary.h"
#include "flow/state.h"
#include "identity/identity.h"

static struct identity *some_process(const char *comm)
{
	struct identity *id = identity_new((struct proc_key){.start_ns = 1, .tgid = 4242});

	assert_non_null(id);
	assert_int_equal(identity_set(id, ID_COMM, comm, strlen(comm)), 0);
	return id;
}

/* The text of one process, to be freed. */
static char *text_of(const struct flow_proc_stats *p)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	summary_proc(f, p, false);
	fclose(f);
	return text;
}

static struct flow_proc_stats stats_of(const struct identity *id)
{
	return (struct flow_proc_stats){
		.proc = id,
		.lib = "openssl",
		.conns = 2,
		.txns = 3,
		.bytes = {100, 200},
		.counters = {.hdr = {.type = EV_COUNTERS},
			     .calls = {4, 5},
			     .generated_bytes = {100, 200},
			     .captured_bytes = {100, 200}},
	};
}

static void test_balanced(void **state)
{
	struct identity *id = some_process("nginx");
	struct flow_proc_stats p = stats_of(id);
	char *text = text_of(&p);

	(void)state;
	assert_string_equal(
		text, "  nginx[4242] openssl: 2 connections, 4 calls out, 5 in, 100 bytes out, "
		      "200 in, 3 transactions\n"
		      "    captured 300 + lost 0 + filtered 0 = generated 300 bytes\n");
	free(text);
	identity_unref(id);
}

static void test_lost_by_cause(void **state)
{
	struct identity *id = some_process("nginx");
	struct flow_proc_stats p = stats_of(id);
	char *text;

	(void)state;
	p.counters.generated_bytes[0] = 160;
	p.counters.filtered_bytes[1] = 10;
	p.counters.captured_bytes[1] = 190;
	p.counters.lost_bytes[EV_LOST_RING] = 40;
	p.counters.lost_bytes[EV_LOST_SNAP] = 20;
	p.counters.lost_events = 2;
	text = text_of(&p);
	assert_non_null(strstr(text, "captured 290 + lost 60 (ring full 40, beyond --snap 20) + "
				     "filtered 10 = generated 360 bytes\n"));
	assert_non_null(strstr(text, "lost 2 other records"));
	assert_null(strstr(text, "ADD UP"));
	free(text);
	identity_unref(id);
}

/* Functions found by their shape that were not seen to speak TLS. */
static void test_doubted(void **state)
{
	struct identity *id = some_process("nginx");
	struct flow_proc_stats p = stats_of(id);
	struct summary_totals t = {.calls = 2, .doubted = true};
	char *text;

	(void)state;
	text = text_of(&p);
	assert_null(strstr(text, "code shape"));
	free(text);
	p.counters.hdr.flags = EV_COUNTERS_DOUBTED;
	text = text_of(&p);
	assert_non_null(strstr(text, "calls of functions found by code shape"));
	free(text);
	assert_non_null(strstr(summary_reason(&t), "not seen to speak TLS"));
	t.flow.conns = 1;
	assert_null(strstr(summary_reason(&t), "not seen to speak TLS"));
	identity_unref(id);
}

static void test_does_not_add_up(void **state)
{
	struct identity *id = some_process("nginx");
	struct flow_proc_stats p = stats_of(id);
	char *text;

	(void)state;
	p.counters.generated_bytes[1] = 201;
	text = text_of(&p);
	assert_non_null(strstr(text, "THIS DOES NOT ADD UP, by 1:"));
	free(text);
	identity_unref(id);
}

static void test_no_counters(void **state)
{
	struct identity *id = some_process("nginx");
	struct flow_proc_stats p = {.proc = id, .conns = 1};
	char *text = text_of(&p);

	(void)state;
	assert_non_null(strstr(text, "counters are missing"));
	assert_null(strstr(text, "generated"));
	free(text);
	identity_unref(id);
}

/* A process chooses its name: it must not reach the terminal as it is. */
static void test_hostile_name(void **state)
{
	struct identity *id = some_process("a\x1b[2J\n");
	struct flow_proc_stats p = stats_of(id);
	char *text = text_of(&p);

	(void)state;
	assert_null(strchr(text, '\x1b'));
	assert_non_null(strstr(text, "[4242]"));
	free(text);
	identity_unref(id);
}

static void why(void *source, const struct proc_key *proc, char *out, size_t n)
{
	assert_int_equal(proc->tgid, 4242);
	snprintf(out, n, "%s", (const char *)source);
}

static char *unread_of(const struct flow_proc_stats *p, const struct summary_totals *t)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	summary_unread(f, p, t);
	fclose(f);
	return text;
}

static void test_tls_without_plaintext(void **state)
{
	struct identity *id = some_process("foo");
	struct flow_proc_stats p = {.proc = id, .tls_socks = 3};
	struct summary_totals t = {.why = why, .why_source = "no library"};
	char *text = unread_of(&p, &t);

	(void)state;
	assert_string_equal(text, "  foo[4242]: TLS on 3 of its sockets, but no plaintext: "
				  "no library (see tlslens doctor)\n");
	free(text);
	t.why = NULL; /* a replay */
	text = unread_of(&p, &t);
	assert_string_equal(text, "  foo[4242]: TLS on 3 of its sockets, but no plaintext "
				  "(see tlslens doctor)\n");
	free(text);
	t.copied_less = true;
	p.counters.filtered_bytes[0] = 7;
	text = unread_of(&p, &t);
	assert_string_equal(text, ""); /* there may have been some */
	free(text);
	t.copied_less = false;
	p.tls_conns = 1;
	text = unread_of(&p, &t);
	assert_string_equal(text, "");
	free(text);
	p.tls_conns = p.tls_socks = 0;
	text = unread_of(&p, &t);
	assert_string_equal(text, "");
	free(text);
	t.unread = true;
	assert_non_null(strstr(summary_reason(&t), "TLS was seen on sockets only"));
	identity_unref(id);
}

static void test_reasons(void **state)
{
	struct summary_totals t = {0};

	(void)state;
	assert_non_null(strstr(summary_reason(&t), "no TLS call was seen"));
	t.unread = true;
	assert_non_null(strstr(summary_reason(&t), "TLS was seen on sockets only"));
	t.doubted = true; /* calls there were */
	assert_non_null(strstr(summary_reason(&t), "not seen to speak TLS"));
	t.unread = t.doubted = false;
	t.calls = 3;
	assert_non_null(strstr(summary_reason(&t), "all their bytes were lost"));
	t.filtered_bytes = 5;
	assert_non_null(strstr(summary_reason(&t), "do not fit --filter"));
	t.flow.conns = 1;
	t.flow.bytes = t.flow.unparsed_bytes = 10;
	assert_non_null(strstr(summary_reason(&t), "no protocol known"));
	t.flow.unparsed_bytes = 0;
	assert_non_null(strstr(summary_reason(&t), "no message came to its end"));
	t.flow.txns = 1;
	assert_non_null(strstr(summary_reason(&t), "nothing that was seen fits"));
	t.interrupted = true;
	assert_null(summary_reason(&t));
	t.interrupted = false;
	t.txns = 1;
	assert_null(summary_reason(&t));
}

/* Each limit that cut something has a line of its own, and only then. */
static void test_limits(void **state)
{
	struct flow *f = flow_new(&(struct flow_cfg){.limits = limits_default}, NULL);
	char lines[LIMIT_KINDS][256], *text;

	(void)state;
	assert_non_null(f);
	for (int i = 0; i <= LIMIT_KINDS; i++) {
		struct summary_totals t = {.txns = 1};
		size_t n;
		FILE *out = open_memstream(&text, &n);

		assert_non_null(out);
		if (i < LIMIT_KINDS)
			f->stats.limits[i] = 7;
		summary_write(out, f, &t);
		fclose(out);
		if (i < LIMIT_KINDS) {
			assert_int_equal(
				sscanf(text, "tlslens: 1 transaction, 0 connections\n  7 %255[^\n]",
				       lines[i]),
				1);
			assert_null(strstr(lines[i], "null"));
			for (int k = 0; k < i; k++)
				assert_string_not_equal(lines[k], lines[i]);
			f->stats.limits[i] = 0;
		} else {
			assert_string_equal(text, "tlslens: 1 transaction, 0 connections\n");
		}
		free(text);
	}
	flow_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_balanced),
		cmocka_unit_test(test_lost_by_cause),
		cmocka_unit_test(test_doubted),
		cmocka_unit_test(test_does_not_add_up),
		cmocka_unit_test(test_no_counters),
		cmocka_unit_test(test_hostile_name),
		cmocka_unit_test(test_tls_without_plaintext),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

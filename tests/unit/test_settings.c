/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings travel in a recording, and the command line of the replay wins over them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/source.h"
#include "cli/settings.h"

#define TEXT_BYTES 128

/* An EV_CONFIG record with these pairs; `text` holds NULs. */
struct config_record {
	struct ev_hdr hdr;
	char text[TEXT_BYTES];
};

static void make(struct config_record *r, const char *text, size_t n)
{
	memset(r, 0, sizeof(*r));
	assert_true(n <= TEXT_BYTES);
	memcpy(r->text, text, n);
	r->hdr.type = EV_CONFIG;
	r->hdr.len = (uint32_t)(sizeof(r->hdr) + n);
}

static struct settings adopt(const char *text, size_t n, const struct config *cfg)
{
	struct settings s = settings_of(cfg);
	struct config_record r;

	make(&r, text, n);
	settings_adopt(&s, cfg, &r.hdr);
	return s;
}

#define ADOPT(text, cfg) adopt(text, sizeof(text), cfg)

static void test_adopt(void **state)
{
	struct config cfg = {0};
	struct settings s;

	(void)state;
	s = ADOPT("body\0"
		  "100\0count\0"
		  "7\0later\0x",
		  &cfg);
	assert_int_equal(s.body_bytes, 100);
	assert_int_equal(s.count, 7);

	cfg = (struct config){
		.body_bytes = 10, .body_given = true, .count = 3, .count_given = true};
	s = ADOPT("body\0"
		  "100\0count\0"
		  "7",
		  &cfg);
	assert_int_equal(s.body_bytes, 10);
	assert_int_equal(s.count, 3);

	/* -vv in the replay keeps what it needs of bodies */
	cfg = (struct config){.body_bytes = 4096};
	s = ADOPT("body\0"
		  "100",
		  &cfg);
	assert_int_equal(s.body_bytes, 4096);
}

static void test_damaged(void **state)
{
	static const char text[] = "body\0"
				   "100\0count\0"
				   "7";
	const struct config cfg = {0};
	struct config_record r;
	struct settings s;

	(void)state;
	for (size_t n = 0; n <= sizeof(text); n++)
		adopt(text, n, &cfg);
	s = adopt("body\0"
		  "100",
		  8, &cfg); /* no NUL behind the value */
	assert_int_equal(s.body_bytes, 0);
	make(&r, text, sizeof(text));
	r.hdr.type = EV_CLOCK;
	settings_adopt(&s, &cfg, &r.hdr);
	assert_int_equal(s.body_bytes, 0);
}

static void test_round_trip(void **state)
{
	const struct config made = {.body_bytes = 512, .count = 9}, cfg = {0};
	struct settings s = settings_of(&made), back = settings_of(&cfg);
	struct source_cfg scfg = {0};
	const struct ev_hdr *ev;
	struct recording *rec;
	char path[256];
	void *source;
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(path, sizeof(path), "%s/settings.%d", tmp ? tmp : "/tmp", (int)getpid());
	assert_int_equal(recording_create(&rec, path), 0);
	assert_int_equal(settings_record(&s, rec), 0);
	assert_int_equal(recording_close(rec), 0);
	scfg.path = path;
	assert_int_equal(source_recording.open(&source, &scfg), 0);
	assert_int_equal(source_recording.next(source, &ev, 0), 1);
	settings_adopt(&back, &cfg, ev);
	assert_int_equal(back.body_bytes, 512);
	assert_int_equal(back.count, 9);
	source_recording.close(source);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

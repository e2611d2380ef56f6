/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recording: what is written comes back; what is damaged is read up to there and never invented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/recording.h"
#include "capture/recording_format.h"
#include "capture/source.h"
#include "core/log.h"
#include "tests/unit/harness.h"

#define HEAD sizeof(struct recording_head)

struct box {
	char dir[64], path[96], other[96];
	char *said; /* on stderr during the last play() */
};

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));
	const char *tmp = getenv("TMPDIR");

	assert_non_null(b);
	snprintf(b->dir, sizeof(b->dir), "%s/tlslens-rec-XXXXXX",
		 tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/a.raw", b->dir);
	snprintf(b->other, sizeof(b->other), "%s/b.raw", b->dir);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	unlink(b->path);
	unlink(b->other);
	rmdir(b->dir);
	free(b->said);
	free(b);
	return 0;
}

static struct ev_data *record(uint64_t off, const char *text)
{
	return harness_make_data(&(struct harness_data){.off = off, .text = text}, 1000 + off);
}

/* Three records of different length; returns the length of the file. */
static size_t write_three(const char *path)
{
	static const char *const texts[] = {"one", "", "three times as long as one"};
	struct recording *r;
	struct stat st;

	assert_int_equal(recording_create(&r, path), 0);
	for (uint64_t i = 0; i < 3; i++) {
		struct ev_data *d = record(i, texts[i]);

		assert_int_equal(recording_put(r, &d->hdr), 0);
		free(d);
	}
	assert_int_equal(recording_close(r), 0);
	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static uint8_t *slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *p;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	p = malloc((size_t)st.st_size + 1);
	assert_non_null(p);
	*n = fread(p, 1, (size_t)st.st_size, f);
	p[*n] = '\0';
	fclose(f);
	return p;
}

static void spill(const char *path, const uint8_t *p, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

struct played {
	int open, last; /* results */
	size_t records;
	struct source_stats stats;
	uint64_t offs; /* sum of the data records' offsets and lengths: tells the three apart */
	bool end;
};

/* Reads to the end with stderr kept aside. */
static struct played play(struct box *b, const char *path)
{
	struct source_cfg cfg = {.path = path};
	struct played p = {0};
	const struct ev_hdr *ev;
	FILE *err = tmpfile();
	int saved = dup(STDERR_FILENO);
	void *self;
	size_t n;

	assert_non_null(err);
	dup2(fileno(err), STDERR_FILENO);
	p.open = source_recording.open(&self, &cfg);
	if (!p.open) {
		while ((p.last = source_recording.next(self, &ev, 0)) == 1) {
			p.records++;
			p.offs += ev->len;
			p.end = ev->type == EV_END;
		}
		source_recording.stats(self, &p.stats);
		source_recording.close(self);
	}
	dup2(saved, STDERR_FILENO);
	close(saved);
	free(b->said);
	n = (size_t)lseek(fileno(err), 0, SEEK_END);
	b->said = calloc(1, n + 1);
	assert_non_null(b->said);
	assert_int_equal(pread(fileno(err), b->said, n, 0), (ssize_t)n);
	fclose(err);
	return p;
}

static void what_is_written_comes_back(void **state)
{
	struct box *b = *state;
	struct source_cfg cfg = {.path = b->path};
	const struct ev_hdr *ev;
	struct recording *r;
	struct ev_data *d[200];
	void *self;

	assert_int_equal(recording_create(&r, b->path), 0);
	for (size_t i = 0; i < 200; i++) { /* more than both buffers hold */
		char *text = malloc(20000);

		assert_non_null(text);
		memset(text, (int)('a' + i % 26), 20000);
		d[i] = harness_make_data(
			&(struct harness_data){.off = i, .text = text, .n = 1 + i * 97}, i);
		free(text);
		assert_int_equal(recording_put(r, &d[i]->hdr), 0);
	}
	assert_int_equal(recording_close(r), 0);
	assert_int_equal(source_recording.open(&self, &cfg), 0);
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(source_recording.next(self, &ev, 0), 1);
		assert_int_equal((uintptr_t)ev % 8, 0);
		assert_int_equal(ev->len, d[i]->hdr.len);
		assert_memory_equal(ev, d[i], ev->len);
		free(d[i]);
	}
	assert_int_equal(source_recording.next(self, &ev, 0), 1);
	assert_int_equal(ev->type, EV_END);
	assert_int_equal(ev->ts_ns, 199);
	assert_int_equal(source_recording.next(self, &ev, 0), -EPIPE);
	assert_int_equal(source_recording.next(self, &ev, 0), -EPIPE);
	assert_int_equal(source_recording.command_status(self), -1);
	source_recording.close(self);
}

/* Recording what is replayed gives the same file, end mark and all. */
static void a_copy_is_byte_identical(void **state)
{
	struct box *b = *state;
	struct source_cfg cfg = {.path = b->path};
	const struct ev_hdr *ev;
	struct recording *r;
	size_t n1, n2;
	uint8_t *p1, *p2;
	void *self;

	write_three(b->path);
	assert_int_equal(source_recording.open(&self, &cfg), 0);
	assert_int_equal(recording_create(&r, b->other), 0);
	while (source_recording.next(self, &ev, 0) == 1)
		assert_int_equal(recording_put(r, ev), 0);
	source_recording.close(self);
	assert_int_equal(recording_close(r), 0);
	p1 = slurp(b->path, &n1);
	p2 = slurp(b->other, &n2);
	assert_int_equal(n1, n2);
	assert_memory_equal(p1, p2, n1);
	free(p1);
	free(p2);
}

static void the_file_is_private_and_says_what_it_is(void **state)
{
	struct box *b = *state;
	mode_t mask = umask(0);
	struct stat st;
	uint8_t *p;
	size_t n;

	spill(b->path, (const uint8_t *)"old", 3); /* 0666: replaced, not reused */
	write_three(b->path);
	umask(mask);
	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	p = slurp(b->path, &n);
	assert_memory_equal(p, "TLSLENS\n\x01\x00\x34\x12", 12);
	assert_non_null(strstr((char *)p + 16, "unredacted"));
	free(p);
}

static void links_and_folders_are_refused(void **state)
{
	struct box *b = *state;
	struct recording *r;
	struct stat st;

	spill(b->other, (const uint8_t *)"precious", 8);
	assert_int_equal(symlink(b->other, b->path), 0);
	assert_int_equal(recording_create(&r, b->path), -EEXIST);
	assert_int_equal(stat(b->other, &st), 0);
	assert_int_equal(st.st_size, 8);
	assert_int_equal(unlink(b->other), 0); /* a link to nothing is refused as well */
	assert_int_equal(recording_create(&r, b->path), -EEXIST);
	assert_int_equal(access(b->other, F_OK), -1);
	assert_int_equal(recording_create(&r, b->dir), -EEXIST);
	assert_int_equal(recording_create(&r, "/nonexistent/folder/x"), -ENOENT);
}

static void a_pipe_is_written_to(void **state)
{
	struct box *b = *state;
	struct played p;
	pid_t child;
	int status;

	assert_int_equal(mkfifo(b->path, 0600), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct recording *r;
		struct ev_data *d = record(0, "through a pipe");

		_exit(recording_create(&r, b->path) || recording_put(r, &d->hdr) ||
		      recording_close(r));
	}
	p = play(b, b->path);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(p.records, 2);
	assert_int_equal(p.last, -EPIPE);
	assert_string_equal(b->said, "");
}

static void a_full_disk_is_an_error_that_stays(void **state)
{
	struct recording *r;
	struct ev_data *d = record(0, "x");

	(void)state;
	assert_int_equal(recording_create(&r, "/dev/full"), 0);
	assert_int_equal(recording_put(r, &d->hdr), 0);
	assert_int_equal(recording_flush(r), -ENOSPC);
	assert_int_equal(recording_put(r, &d->hdr), -ENOSPC);
	assert_int_equal(recording_close(r), -ENOSPC);
	free(d);
}

/* Cut anywhere: the whole records before the cut, one line that says where, nothing else. */
static void every_truncation_is_read_up_to_the_cut(void **state)
{
	struct box *b = *state;
	size_t n = write_three(b->path), got;
	uint8_t *p = slurp(b->path, &got);
	size_t end[4] = {HEAD};

	assert_int_equal(n, got);
	for (int i = 0; i < 3; i++) {
		uint32_t len;

		memcpy(&len, p + end[i] + 4 + offsetof(struct ev_hdr, len), 4);
		end[i + 1] = end[i] + 4 + len;
	}
	for (size_t cut = 0; cut < n; cut++) {
		struct played r;
		size_t whole = 0;

		spill(b->other, p, cut);
		r = play(b, b->other);
		if (cut < HEAD) {
			assert_int_equal(r.open, -EBADMSG);
			assert_non_null(strstr(b->said, "error:"));
			continue;
		}
		while (whole < 3 && cut >= end[whole + 1])
			whole++;
		assert_int_equal(r.records, whole);
		if (cut == end[whole]) {
			assert_int_equal(r.last, -EPIPE);
			assert_non_null(strstr(b->said, "was cut"));
		} else {
			char at[32];

			snprintf(at, sizeof(at), "byte %zu ", end[whole]);
			assert_int_equal(r.last, -EBADMSG);
			assert_non_null(strstr(b->said, at));
		}
		assert_ptr_equal(strchr(b->said, '\n'), b->said + strlen(b->said) - 1);
	}
	free(p);
}

/* One byte changed anywhere: never a record that was not written. */
static void every_flipped_byte_is_noticed(void **state)
{
	struct box *b = *state;
	size_t n = write_three(b->path), got;
	uint8_t *p = slurp(b->path, &got);
	struct played whole = play(b, b->path);

	assert_int_equal(whole.records, 4);
	for (size_t i = 0; i < n; i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			struct played r;

			p[i] ^= (uint8_t)(1u << bit);
			spill(b->other, p, n);
			p[i] ^= (uint8_t)(1u << bit);
			r = play(b, b->other);
			if (i >= offsetof(struct recording_head, text) && i < HEAD) {
				assert_int_equal(r.offs, whole.offs); /* words for people */
				continue;
			}
			assert_true(r.open == -EBADMSG || r.last == -EBADMSG);
			assert_true(r.records < 4);
			assert_true(strlen(b->said) > 0);
		}
	}
	free(p);
}

static void what_is_no_recording_is_refused_clearly(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *says;
	} rows[] = {
		{0, 'X', "is not a tlslens recording"},
		{8, RECORDING_VERSION + 1, "is a recording of version 2"},
		{8, RECORDING_VERSION - 1, "is a recording of version 0"},
		{12, 8, "head of the recording is damaged"},
		{15, 0xff, "head of the recording is damaged"},
	};
	struct box *b = *state;
	size_t n;
	uint8_t *p;

	write_three(b->path);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p = slurp(b->path, &n);
		p[rows[i].at] = rows[i].value;
		spill(b->other, p, n);
		free(p);
		assert_int_equal(play(b, b->other).open, -EBADMSG);
		assert_non_null(strstr(b->said, rows[i].says));
	}
	p = slurp(b->path, &n);
	p[10] = 0x12; /* the mark as the other byte order would write it */
	p[11] = 0x34;
	spill(b->other, p, n);
	free(p);
	assert_int_equal(play(b, b->other).open, -EBADMSG);
	assert_non_null(strstr(b->said, "other byte order"));
	assert_int_equal(play(b, "/nonexistent").open, -ENOENT);
	assert_non_null(strstr(b->said, "/nonexistent"));
	assert_int_equal(play(b, b->dir).open, -EISDIR);
}

/* Whole and with a right checksum, but contradicting itself: refused, counted, the rest goes on. */
static void a_record_that_lies_is_skipped_and_counted(void **state)
{
	struct box *b = *state;
	struct ev_data *d = record(0, "abc");
	struct recording *r;
	struct played p;

	assert_int_equal(recording_create(&r, b->path), 0);
	d->got = 4; /* more than follows */
	assert_int_equal(recording_put(r, &d->hdr), 0);
	d->got = 3;
	assert_int_equal(recording_put(r, &d->hdr), 0);
	assert_int_equal(recording_close(r), 0);
	free(d);
	p = play(b, b->path);
	assert_int_equal(p.records, 2);
	assert_int_equal(p.stats.records, 2);
	assert_int_equal(p.stats.bad_records, 1);
	assert_int_equal(p.last, -EPIPE);
	assert_true(p.end);
}

static void nothing_may_follow_the_end_mark(void **state)
{
	struct box *b = *state;
	size_t n = write_three(b->path), got;
	uint8_t *p = slurp(b->path, &got);
	FILE *f = fopen(b->path, "ab");

	assert_non_null(f);
	assert_int_equal(fwrite(p + HEAD, 1, n - HEAD, f), n - HEAD);
	fclose(f);
	free(p);
	assert_int_equal(play(b, b->path).last, -EBADMSG);
	assert_non_null(strstr(b->said, "after the end mark"));
}

static void stop_ends_it(void **state)
{
	struct box *b = *state;
	struct source_cfg cfg = {.path = b->path};
	const struct ev_hdr *ev;
	void *self;

	write_three(b->path);
	assert_int_equal(source_recording.open(&self, &cfg), 0);
	assert_int_equal(source_recording.next(self, &ev, 0), 1);
	assert_int_equal(source_recording.stop(self), 0);
	assert_int_equal(source_recording.next(self, &ev, 0), -EPIPE);
	source_recording.close(self);
}

static void the_memory_source_checks_too(void **state)
{
	struct ev_data *good = record(0, "abc"), *bad = record(1, "abc");
	const struct ev_hdr *list[] = {&good->hdr, &bad->hdr, &good->hdr};
	struct source_cfg cfg = {.events = list, .event_count = 3};
	struct source_stats st;
	const struct ev_hdr *ev;
	char line[64];
	void *self;

	(void)state;
	bad->dir = 2;
	assert_int_equal(source_memory.open(&self, &cfg), 0);
	assert_int_equal(source_memory.describe(self, line, sizeof(line)), 0);
	assert_string_equal(line, "3 records in memory");
	assert_int_equal(source_memory.next(self, &ev, 0), 1);
	assert_ptr_equal(ev, good);
	assert_int_equal(source_memory.next(self, &ev, 0), 1);
	assert_ptr_equal(ev, good);
	assert_int_equal(source_memory.next(self, &ev, 0), -EPIPE);
	assert_int_equal(source_memory.stats(self, &st), 0);
	assert_int_equal(st.records, 2);
	assert_int_equal(st.bad_records, 1);
	source_memory.close(self);
	free(good);
	free(bad);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_written_comes_back),
		T(a_copy_is_byte_identical),
		T(the_file_is_private_and_says_what_it_is),
		T(links_and_folders_are_refused),
		T(a_pipe_is_written_to),
		T(a_full_disk_is_an_error_that_stays),
		T(every_truncation_is_read_up_to_the_cut),
		T(every_flipped_byte_is_noticed),
		T(what_is_no_recording_is_refused_clearly),
		T(a_record_that_lies_is_skipped_and_counted),
		T(nothing_may_follow_the_end_mark),
		T(stop_ends_it),
		T(the_memory_source_checks_too),
	};

	return cmocka_run_group_tests_name("recording", tests, NULL, NULL);
}

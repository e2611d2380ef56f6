/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that follow each other: when, under which names, which stay, and what a full disk takes. */
#include "writer/out.h"
#include "writer/out_names.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define S 1000000000ull
#define NOON (1764072000 * S) /* 2025-11-25T12:00:00Z */

struct place {
	char dir[256];
};

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	snprintf(p->dir, sizeof(p->dir), "%s/files-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(p->dir));
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char all[300];
	glob_t g;

	snprintf(all, sizeof(all), "%s/*", p->dir);
	if (glob(all, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			unlink(g.gl_pathv[i]);
		globfree(&g);
	}
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static const char *in(const struct place *p, const char *name)
{
	static char paths[2][600];
	static unsigned int turn;
	char *path = paths[++turn % 2]; /* two at a time, for rename() */

	snprintf(path, sizeof(paths[0]), "%s/%s", p->dir, name);
	return path;
}

/* "name:contents name:contents ", sorted by name. */
static void expect(const struct place *p, const char *want)
{
	char got[4096] = "";
	size_t n = 0;
	glob_t g;

	if (glob(in(p, "*"), 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++) {
			FILE *f = fopen(g.gl_pathv[i], "r");

			assert_non_null(f);
			n += (size_t)snprintf(got + n, sizeof(got) - n,
					      "%s:", strrchr(g.gl_pathv[i], '/') + 1);
			n += fread(got + n, 1, sizeof(got) - n - 2, f);
			got[n++] = ' ';
			fclose(f);
		}
		globfree(&g);
	}
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void put(struct out *o, uint64_t now_ns, const char *text)
{
	assert_int_equal(out_time(o, now_ns), 0);
	assert_int_equal(out_put(o, text, strlen(text)), 0);
}

static struct out *begin(const struct place *p, const char *name, struct out_rotation r)
{
	struct out *o;

	assert_int_equal(out_open_files(&o, in(p, name), &r), 0);
	return o;
}

static void test_by_size(void **state)
{
	struct out *o = begin(*state, "a.x.log", (struct out_rotation){.max_bytes = 6});

	put(o, NOON, "abcd");
	put(o, NOON, "efgh"); /* not split, though it goes over */
	put(o, NOON, "ij");
	put(o, NOON, "klmnopqrst");
	put(o, NOON, "u");
	assert_int_equal(out_bytes(o), 21);
	assert_int_equal(out_close(o), 0);
	expect(*state, "a.x.1.log:ijklmnopqrst a.x.2.log:u a.x.log:abcdefgh ");
}

static void test_events_are_not_parted(void **state)
{
	struct out *o = begin(*state, "a", (struct out_rotation){.max_bytes = 1});

	put(o, NOON, "one ");
	assert_int_equal(out_put(o, "event", 5), 0); /* without a time between: the same event */
	put(o, NOON, "next");
	assert_int_equal(out_close(o), 0);
	expect(*state, "a:one event a.1:next ");
}

static void test_by_time(void **state)
{
	struct out *o = begin(*state, "%H%M.log", (struct out_rotation){.period_ns = 60 * S});

	expect(*state, "");
	put(o, NOON + 59 * S, "a");
	put(o, NOON + 58 * S, "b"); /* times of events go back a little */
	put(o, NOON + 60 * S, "c");
	assert_int_equal(out_time(o, NOON + 600 * S), 0); /* nothing to write: no file */
	expect(*state, "1200.log:ab 1201.log:c ");
	put(o, NOON + 601 * S, "d");
	assert_int_equal(out_close(o), 0);
	expect(*state, "1200.log:ab 1201.log:c 1210.log:d ");
}

static void test_first_file_without_a_time(void **state)
{
	struct out *o = begin(*state, "a", (struct out_rotation){.period_ns = 60 * S});

	put(o, NOON + 59 * S, "a");
	put(o, NOON + 60 * S, "b");
	assert_int_equal(out_close(o), 0);
	expect(*state, "a:a a.1:b ");
}

static void test_one_second_many_files(void **state)
{
	struct out *o =
		begin(*state, "%S.log", (struct out_rotation){.max_bytes = 1, .period_ns = S});

	put(o, NOON, "a");
	put(o, NOON, "b");
	put(o, NOON + S, "c");
	put(o, NOON + S, "d");
	assert_int_equal(out_close(o), 0);
	expect(*state, "00.1.log:b 00.log:a 01.1.log:d 01.log:c ");
}

static void test_ring(void **state)
{
	struct out *o = begin(*state, "a", (struct out_rotation){.max_bytes = 1, .files = 2});

	put(o, NOON, "a");
	put(o, NOON, "b");
	expect(*state, "a:a a.1: ");
	put(o, NOON, "c");
	expect(*state, "a.1:b a.2: ");
	/* somebody put a file of his own there: it stays */
	assert_int_equal(rename(in(*state, "a.1"), in(*state, "mine")), 0);
	assert_int_equal(symlink("mine", in(*state, "a.1")), 0);
	put(o, NOON, "d");
	assert_int_equal(out_close(o), 0);
	expect(*state, "a.1:b a.2:c a.3:d mine:b ");
}

static void test_a_name_comes_again(void **state)
{
	struct out *o = begin(*state, "%S", (struct out_rotation){.period_ns = S, .files = 2});

	put(o, NOON, "a");
	put(o, NOON + S, "b");
	put(o, NOON + 60 * S, "c"); /* the name of the first */
	put(o, NOON + 61 * S, "d");
	assert_int_equal(out_close(o), 0);
	expect(*state, "00:c 01:d ");
}

static void test_private_and_no_links(void **state)
{
	struct out *o = begin(*state, "a", (struct out_rotation){.max_bytes = 1});
	struct stat st;

	put(o, NOON, "a");
	assert_int_equal(symlink("elsewhere", in(*state, "a.1")), 0);
	assert_int_equal(out_time(o, NOON), 0);
	assert_int_equal(out_put(o, "b", 1), -ELOOP);
	assert_int_equal(out_put(o, "c", 1), -ELOOP);
	assert_int_equal(out_close(o), -ELOOP);
	assert_int_equal(stat(in(*state, "a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access(in(*state, "elsewhere"), F_OK), -1);
	unlink(in(*state, "a.1"));
}

static int write_head(void *arg)
{
	return out_put(*(struct out **)arg, "<", 1);
}

static int write_foot(void *arg)
{
	return out_put(*(struct out **)arg, ">", 1);
}

static void test_frame(void **state)
{
	struct out *o = begin(*state, "a", (struct out_rotation){.max_bytes = 2});

	assert_int_equal(out_set_frame(o, &(struct out_frame){write_head, write_foot, &o}), 0);
	put(o, NOON, "a");
	put(o, NOON, "b");
	assert_int_equal(out_close(o), 0);
	expect(*state, "a:<a> a.1:<b> ");
}

static void test_reopen(void **state)
{
	struct out *o;

	assert_int_equal(out_open(&o, in(*state, "a")), 0);
	assert_int_equal(out_set_frame(o, &(struct out_frame){write_head, write_foot, &o}), 0);
	put(o, NOON, "a");
	assert_int_equal(out_reopen(o), 0); /* still there: nothing to do */
	put(o, NOON, "b");
	assert_int_equal(rename(in(*state, "a"), in(*state, "a.old")), 0);
	assert_int_equal(out_reopen(o), 0);
	put(o, NOON, "c");
	assert_int_equal(out_flush(o), 0);
	expect(*state, "a:<c a.old:<ab> ");
	/* a file that is there already, as logrotate's `create` makes it, is added to */
	assert_int_equal(rename(in(*state, "a"), in(*state, "a.older")), 0);
	close(open(in(*state, "a"), O_CREAT | O_WRONLY, 0644));
	assert_int_equal(out_reopen(o), 0);
	assert_int_equal(out_close(o), 0);
	expect(*state, "a:<> a.old:<ab> a.older:<c> ");
}

/* No file may be longer than four bytes here: the disk is as good as full. */
static void test_full_disk(void **state)
{
	const struct rlimit limit = {4, RLIM_INFINITY};
	struct out *o = begin(*state, "a", (struct out_rotation){.max_bytes = 100, .files = 2});
	struct rlimit before;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	put(o, NOON, "abc");
	put(o, NOON, "def");
	assert_int_equal(out_flush(o), 0); /* no error: another file may follow */
	put(o, NOON, "ghi");
	assert_int_equal(out_lost(o), 2);
	put(o, NOON + S, "jkl"); /* tried again a second later, with the next file */
	assert_int_equal(out_flush(o), 0);
	put(o, NOON + S, "mno");
	assert_int_equal(out_close(o), -ENOSPC);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect(*state, "a:abc a.1:jkl ");
}

static void test_mistakes(void **state)
{
	struct out_rotation r = {.max_bytes = 1};
	struct out *o;

	assert_int_equal(out_open_files(&o, in(*state, "none/%H"), &r), -ENOENT);
	assert_int_equal(out_open_files(&o, in(*state, "none/a"), &r), -ENOENT);
	assert_int_equal(out_open_files(&o, "/dev/null", &r), 0); /* no file: nothing follows it */
	put(o, NOON, "a");
	put(o, NOON, "b");
	assert_int_equal(out_close(o), 0);
}

#define PLACED(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACED(test_by_size),
		PLACED(test_events_are_not_parted),
		PLACED(test_by_time),
		PLACED(test_first_file_without_a_time),
		PLACED(test_one_second_many_files),
		PLACED(test_ring),
		PLACED(test_a_name_comes_again),
		PLACED(test_private_and_no_links),
		PLACED(test_frame),
		PLACED(test_reopen),
		PLACED(test_full_disk),
		PLACED(test_mistakes),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readers that are slow, stop or go away: nobody waits for them, records stay whole, and the sum is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "writer/out.h"
#include "writer/out_reader.h"

#define LINE_MAX_BYTES 4000000

/* What a reader saw: records are a number, filling of x, and a newline. */
struct seen {
	int fd;
	uint64_t lines;
	long last;
	bool in_order, whole;
};

static bool never(void)
{
	return false;
}

static bool now(void)
{
	return true;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void quietly(void (*f)(void *), void *arg)
{
	int messages = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_true(messages >= 0 && nowhere >= 0);
	assert_int_equal(dup2(nowhere, STDERR_FILENO), STDERR_FILENO);
	f(arg);
	assert_int_equal(dup2(messages, STDERR_FILENO), STDERR_FILENO);
	close(messages);
	close(nowhere);
}

struct closing {
	struct out *o;
	int err;
};

static void close_out(void *arg)
{
	struct closing *c = arg;

	c->err = out_close(c->o);
}

/* What it says on stderr is not looked at here. */
static int close_quietly(struct out *o)
{
	struct closing c = {o, 0};

	quietly(close_out, &c);
	return c.err;
}

static void *read_all(void *arg)
{
	struct seen *s = arg;
	FILE *f = fdopen(s->fd, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	s->last = -1;
	s->in_order = s->whole = true;
	while ((n = getline(&line, &room, f)) > 0) {
		long number = strtol(line, NULL, 10);

		s->in_order &= number > s->last;
		s->whole &= line[n - 1] == '\n' &&
			    strspn(line, "0123456789") +
					    strspn(line + strspn(line, "0123456789"), "x") ==
				    (size_t)n - 1;
		s->last = number;
		s->lines++;
	}
	free(line);
	fclose(f);
	return NULL;
}

static void put_line(struct out *o, uint64_t number, size_t n)
{
	static char line[LINE_MAX_BYTES];
	int k = snprintf(line, sizeof(line), "%llu", (unsigned long long)number);

	memset(line + k, 'x', n - (size_t)k);
	line[n - 1] = '\n';
	assert_int_equal(out_put(o, line, n), 0);
}

static struct out *open_pipe(int *reader, bool (*hurry)(void))
{
	struct out *o;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(out_fd(&o, fds[1]), 0);
	assert_int_equal(out_never_wait(o, hurry), 0);
	*reader = fds[0];
	return o;
}

/* Puts lines of n bytes until some were dropped; how many were put. */
static uint64_t fill(struct out *o, size_t n)
{
	uint64_t i = 0;
	double start = seconds();

	while (out_lost(o) < 10)
		put_line(o, i++, n);
	assert_true(seconds() - start <
		    20); /* the sanitizers' time; a reader's would be for ever */
	return i;
}

/* A reader that stops, and comes back before the end. */
static void stops_for_a_while(size_t n)
{
	struct seen s = {0};
	struct out *o = open_pipe(&s.fd, never);
	uint64_t put = fill(o, n), lost = out_lost(o);
	pthread_t thread;

	assert_true(out_waits(o));
	assert_true(out_bytes(o) <= OUT_QUEUE_BYTES + (1u << 20) + n);
	assert_int_equal(out_bytes(o), (put - lost) * n);
	assert_int_equal(pthread_create(&thread, NULL, read_all, &s), 0);
	assert_int_equal(close_quietly(o), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(s.lines, put - lost);
	assert_true(s.in_order && s.whole);
}

static void test_a_reader_that_stops_for_a_while(void **state)
{
	(void)state;
	stops_for_a_while(100);
	stops_for_a_while(1777);
	stops_for_a_while(4097);
	stops_for_a_while(100000);
	stops_for_a_while(3000000); /* longer than the pipe */
}

static void test_a_reader_that_comes_back_after_the_end(void **state)
{
	struct seen s = {0};
	struct out *o = open_pipe(&s.fd, now);
	uint64_t put = fill(o, 1777);
	double start = seconds();

	(void)state;
	assert_int_equal(close_quietly(o), 0);
	assert_true(seconds() - start >= OUT_PATIENCE_MS / 1000.0);
	assert_true(seconds() - start < OUT_PATIENCE_MS / 1000.0 + 5);
	read_all(&s);
	assert_true(s.lines > 0 && s.lines < put);
	assert_true(s.in_order && s.whole);
	assert_int_equal(s.last, s.lines - 1); /* the first ones, no hole */
}

/* With a reader that keeps up all is written, and soon: nothing is left for the end. */
static void test_a_reader_that_keeps_up(void **state)
{
	struct seen s = {0};
	struct out *o = open_pipe(&s.fd, never);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, read_all, &s), 0);
	for (uint64_t i = 0; i < 3000; i++) {
		put_line(o, i, 1000 + i * 7);
		while (out_waits(o))
			assert_int_equal(out_flush(o), 0);
	}
	assert_int_equal(out_close(o), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(s.lines, 3000);
	assert_true(s.in_order && s.whole);
}

static void test_a_reader_that_goes(void **state)
{
	int reader;
	struct out *o = open_pipe(&reader, never);

	(void)state;
	put_line(o, 1, 100);
	assert_int_equal(out_flush(o), 0);
	close(reader);
	assert_int_equal(out_flush(o), -EPIPE); /* though there is nothing to write */
	assert_int_equal(out_put(o, "x", 1), -EPIPE);
	assert_int_equal(out_close(o), -EPIPE);

	o = open_pipe(&reader, never);
	fill(o, 10000);
	close(reader);
	assert_int_equal(close_quietly(o), -EPIPE);
}

static void test_what_must_be_kept(void **state)
{
	struct seen s = {0};
	struct out *o = open_pipe(&s.fd, never);
	uint64_t lost, kept = 0;
	pthread_t thread;
	uint8_t *room;
	int err = 0;

	(void)state;
	fill(o, 100);
	lost = out_lost(o);
	assert_int_equal(out_put_kept(o, "999999999\n", 10), 0);
	assert_int_equal(out_lost(o), lost);
	room = out_room(o, 10); /* a packet is dropped as a line is */
	assert_non_null(room);
	memcpy(room, "1\n", 2);
	assert_int_equal(out_commit(o, 2), 0);
	assert_int_equal(out_lost(o), lost + 1);
	assert_int_equal(pthread_create(&thread, NULL, read_all, &s), 0);
	assert_int_equal(close_quietly(o), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(s.last, 999999999);

	o = open_pipe(&s.fd, now);
	fill(o, 100000);
	for (; !err && kept < OUT_QUEUE_RECORDS; kept++)
		err = out_put_kept(o, "1000 octets that describe an interface", 38);
	assert_int_equal(err, -ENOBUFS); /* these have a limit as well */
	assert_true(kept >= OUT_QUEUE_KEPT_BYTES / 100000);
	assert_int_equal(close_quietly(o), -ENOBUFS);
	close(s.fd);
}

/* The flags of an open file are everybody's who has it. */
static void test_others_keep_their_blocking_pipe(void **state)
{
	struct out *o;
	int fds[2], mine;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	mine = dup(fds[1]);
	assert_int_equal(out_fd(&o, fds[1]), 0);
	assert_int_equal(out_never_wait(o, never), 0);
	assert_int_equal(fcntl(mine, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(out_close(o), 0);
	close(mine);
	close(fds[0]);
}

static void test_a_socket(void **state)
{
	struct seen s = {0};
	struct out *o;
	uint64_t put;
	pthread_t thread;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(out_fd(&o, fds[1]), 0);
	assert_int_equal(out_never_wait(o, never), 0);
	put = fill(o, 5000);
	s.fd = fds[0];
	assert_int_equal(pthread_create(&thread, NULL, read_all, &s), 0);
	assert_int_equal(close_quietly(o), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(s.lines, put - 10);
	assert_true(s.in_order && s.whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_reader_that_stops_for_a_while),
		cmocka_unit_test(test_a_reader_that_comes_back_after_the_end),
		cmocka_unit_test(test_a_reader_that_keeps_up),
		cmocka_unit_test(test_a_reader_that_goes),
		cmocka_unit_test(test_what_must_be_kept),
		cmocka_unit_test(test_others_keep_their_blocking_pipe),
		cmocka_unit_test(test_a_socket),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where bytes go: who may be written to, what stays together, and that no error is lost. */
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "writer/out.h"

struct place {
	char dir[256], file[300], other[300];
};

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	snprintf(p->dir, sizeof(p->dir), "%s/out-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->file, sizeof(p->file), "%s/file", p->dir);
	snprintf(p->other, sizeof(p->other), "%s/other", p->dir);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	unlink(p->file);
	unlink(p->other);
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static void create(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void expect_file(const char *path, const char *want)
{
	char got[128] = "";
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	assert_string_equal(got, want);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_new_file_is_private(void **state)
{
	struct place *p = *state;
	mode_t before = umask(0);
	struct out *o;

	assert_int_equal(out_open(&o, p->file), 0);
	umask(before);
	assert_false(out_is_tty(o));
	assert_int_equal(out_put(o, "one\n", 4), 0);
	assert_int_equal(out_put(o, NULL, 0), 0);
	assert_int_equal(out_bytes(o), 4);
	expect_file(p->file, ""); /* it is buffered */
	assert_int_equal(out_flush(o), 0);
	expect_file(p->file, "one\n");
	assert_int_equal(out_put(o, "two\n", 4), 0);
	assert_int_equal(out_close(o), 0);
	expect_file(p->file, "one\ntwo\n");
	assert_int_equal(mode_of(p->file), 0600);
}

static void test_own_file_is_emptied_and_closed_to_others(void **state)
{
	struct place *p = *state;
	struct out *o;

	create(p->file, "something much longer than what comes", 0644);
	assert_int_equal(out_open(&o, p->file), 0);
	assert_int_equal(out_put(o, "new\n", 4), 0);
	assert_int_equal(out_close(o), 0);
	expect_file(p->file, "new\n");
	assert_int_equal(mode_of(p->file), 0600);
}

static void test_symlink_is_refused(void **state)
{
	struct place *p = *state;
	struct out *o;

	create(p->other, "precious", 0600);
	assert_int_equal(symlink(p->other, p->file), 0);
	assert_int_equal(out_open(&o, p->file), -ELOOP);
	expect_file(p->other, "precious");
	unlink(p->other);
	assert_int_equal(out_open(&o, p->file), -ELOOP); /* dangling: not created either */
	assert_int_equal(access(p->other, F_OK), -1);
}

static void test_foreign_file_is_refused(void **state)
{
	struct place *p = *state;
	struct out *o;

	/* Only root can give a file away; others find one of root's that they may not write. */
	if (geteuid() == 0) {
		create(p->file, "theirs", 0666);
		assert_int_equal(chown(p->file, 65534, (gid_t)-1), 0);
		assert_int_equal(out_open(&o, p->file), -EPERM);
		expect_file(p->file, "theirs");
	} else {
		assert_int_equal(out_open(&o, "/etc/passwd"), -EACCES);
	}
}

static void test_places_that_cannot_be_written(void **state)
{
	struct place *p = *state;
	struct out *o;

	assert_int_equal(out_open(&o, p->dir), -EISDIR);
	snprintf(p->other, sizeof(p->other), "%s/missing/file", p->dir);
	assert_int_equal(out_open(&o, p->other), -ENOENT);
	assert_int_equal(out_open(&o, ""), -ENOENT);
	assert_int_equal(out_open(&o, "/dev/fd/1048576"), -EBADF);
}

static void test_open_descriptors_by_name(void **state)
{
	struct place *p = *state;
	char name[32];
	struct out *o;
	int fd;

	create(p->file, "", 0600);
	fd = open(p->file, O_WRONLY);
	assert_true(fd >= 0);
	snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	assert_int_equal(out_open(&o, name), 0);
	assert_int_equal(out_put(o, "x\n", 2), 0);
	assert_int_equal(out_close(o), 0);
	assert_int_equal(write(fd, "y\n", 2), 2); /* its owner still has it */
	close(fd);
	expect_file(p->file, "x\ny\n");
	assert_int_equal(out_open(&o, "-"), 0);
	assert_int_equal(out_close(o), 0);
	assert_int_equal(out_open(&o, "/dev/stdout"), 0);
	assert_int_equal(out_close(o), 0);
}

static void test_full_disk_is_remembered(void **state)
{
	struct out *o;

	(void)state;
	assert_int_equal(out_open(&o, "/dev/full"), 0);
	assert_int_equal(out_put(o, "line\n", 5), 0);
	assert_int_equal(out_flush(o), -ENOSPC);
	assert_int_equal(out_put(o, "line\n", 5), -ENOSPC);
	assert_null(out_room(o, 1));
	assert_int_equal(out_commit(o, 0), -ENOSPC);
	assert_int_equal(out_flush(o), -ENOSPC);
	assert_int_equal(out_bytes(o), 5);
	assert_int_equal(out_close(o), -ENOSPC);
	assert_int_equal(out_open(&o, "/dev/full"), 0);
	assert_int_equal(out_put(o, "line\n", 5), 0);
	assert_int_equal(out_close(o), -ENOSPC); /* the error of the last flush is not lost */
}

static void test_closed_pipe_is_an_error(void **state)
{
	static uint8_t big[OUT_BUFFER_BYTES + 1];
	struct out *o;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(out_fd(&o, fds[1]), 0);
	assert_int_equal(out_put(o, big, sizeof(big)), -EPIPE);
	assert_int_equal(out_put(o, "x", 1), -EPIPE);
	assert_int_equal(out_bytes(o), 0);
	assert_int_equal(out_close(o), -EPIPE);
}

struct reader {
	int fd;
	size_t lines, bytes;
};

static void *count_lines(void *arg)
{
	struct reader *r = arg;
	char buf[4096];
	ssize_t n;

	while ((n = read(r->fd, buf, sizeof(buf))) > 0) {
		r->bytes += (size_t)n;
		for (ssize_t i = 0; i < n; i++)
			r->lines += buf[i] == '\n';
	}
	return NULL;
}

static void test_lines_stay_whole(void **state)
{
	struct place *p = *state;
	size_t lines = OUT_BUFFER_BYTES / 1000 * 3;
	struct stat st;
	char line[1000], last;
	struct out *o;
	int fd;

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(out_open(&o, p->file), 0);
	fd = open(p->file, O_RDONLY);
	assert_true(fd >= 0);
	/* At any moment what stands in the file ends with a whole line: the buffer is no multiple of 1000. */
	for (size_t i = 0; i < lines; i++) {
		assert_int_equal(out_put(o, line, sizeof(line)), 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size % (off_t)sizeof(line), 0);
		if (st.st_size) {
			assert_int_equal(pread(fd, &last, 1, st.st_size - 1), 1);
			assert_int_equal(last, '\n');
		}
	}
	assert_true(st.st_size > 0);
	close(fd);
	assert_int_equal(out_close(o), 0);
}

static void test_room_is_written_straight_into(void **state)
{
	struct place *p = *state;
	struct out *o;
	uint8_t *room;

	assert_int_equal(out_open(&o, p->file), 0);
	assert_null(out_room(o, OUT_BUFFER_BYTES + 1));
	assert_int_equal(out_put(o, "a", 1), 0);
	room = out_room(o, OUT_BUFFER_BYTES); /* flushes, as only that makes so much room */
	assert_non_null(room);
	expect_file(p->file, "a");
	memset(room, 'b', OUT_BUFFER_BYTES);
	assert_int_equal(out_commit(o, 2), 0);
	assert_int_equal(out_bytes(o), 3);
	assert_int_equal(out_close(o), 0);
	expect_file(p->file, "abb");
}

/* What a file holds after the disk got full in the middle of a record: whole records, and no more. */
static void expect_whole_records(struct place *p, size_t room, size_t record, size_t count)
{
	const struct rlimit limit = {room, RLIM_INFINITY};
	char *text = malloc(record);
	struct rlimit before;
	size_t kept = count * record < room ? count : room / record;
	int err = 0, last;
	struct stat st;
	struct out *o;
	int messages = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_non_null(text);
	memset(text, 'r', record);
	text[record - 1] = '\n';
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(out_open(&o, p->file), 0);
	/* The limit is on every file, also the one that the complaints may go to. */
	assert_true(messages >= 0 && nowhere >= 0);
	assert_int_equal(dup2(nowhere, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (size_t i = 0; i < count && !err; i++)
		err = out_put(o, text, record);
	last = out_close(o);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(dup2(messages, STDERR_FILENO), STDERR_FILENO);
	close(messages);
	close(nowhere);
	assert_int_equal(last, kept < count ? -EFBIG : 0);
	assert_int_equal(stat(p->file, &st), 0);
	assert_int_equal(st.st_size, kept * record);
	unlink(p->file);
	free(text);
}

static void test_no_torn_record_on_a_full_disk(void **state)
{
	struct place *p = *state;

	expect_whole_records(p, 12345, 1000, 100);   /* in the first flush */
	expect_whole_records(p, 600000, 1000, 2000); /* in a later one */
	expect_whole_records(p, 700000, 300000, 5);  /* records larger than the buffer */
	expect_whole_records(p, 100000, 7, 100000);  /* more records than are remembered */
	expect_whole_records(p, 999, 1000, 5);	     /* not even one */
	expect_whole_records(p, 5000, 1000, 5);	     /* exactly all */
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A slow reader, signals without SA_RESTART, and a non-blocking descriptor: all bytes arrive once. */
static void test_signals_and_full_pipes(void **state)
{
	const struct sigaction sa = {.sa_handler = on_alarm};
	const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {0};
	struct sigaction old;
	struct reader r = {0};
	sigset_t alarm;
	char line[997];
	pthread_t thread;
	struct out *o;
	int fds[2];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	r.fd = fds[0];
	assert_int_equal(sigaction(SIGALRM, &sa, &old), 0);
	/* The signals are for the writer: a new thread inherits that they are blocked. */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &alarm, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, count_lines, &r), 0);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &alarm, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_int_equal(out_fd(&o, fds[1]), 0);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(out_put(o, line, sizeof(line)), 0);
	assert_int_equal(out_close(o), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	close(fds[0]);
	assert_int_equal(r.lines, 20000);
	assert_int_equal(r.bytes, 20000 * sizeof(line));
}

static void *read_fifo(void *arg)
{
	struct place *p = arg;
	char *got = calloc(1, 16);
	int fd = open(p->file, O_RDONLY);

	if (fd >= 0 && read(fd, got, 15) < 0)
		got[0] = '\0';
	close(fd);
	return got;
}

static void test_fifo(void **state)
{
	struct place *p = *state;
	pthread_t thread;
	struct out *o;
	void *got;

	assert_int_equal(mkfifo(p->file, 0600), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_fifo, p), 0);
	assert_int_equal(out_open(&o, p->file), 0);
	assert_int_equal(out_put(o, "hello\n", 6), 0);
	assert_int_equal(out_close(o), 0);
	assert_int_equal(pthread_join(thread, &got), 0);
	assert_string_equal(got, "hello\n");
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new_file_is_private, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_file_is_emptied_and_closed_to_others,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_symlink_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_file_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places_that_cannot_be_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_open_descriptors_by_name, setup, teardown),
		cmocka_unit_test(test_full_disk_is_remembered),
		cmocka_unit_test(test_closed_pipe_is_an_error),
		cmocka_unit_test_setup_teardown(test_lines_stay_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room_is_written_straight_into, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_no_torn_record_on_a_full_disk, setup,
						teardown),
		cmocka_unit_test(test_signals_and_full_pipes),
		cmocka_unit_test_setup_teardown(test_fifo, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests_name("out", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks of pcapng: either byte order, every length wrong, every file cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/pcapng_read.h"
#include "core/buf.h"

static void put(struct buf *b, bool big, uint64_t v, size_t octets)
{
	assert_int_equal(big ? buf_put_be(b, v, octets) : buf_put_le(b, v, octets), 0);
}

static void put_option(struct buf *b, bool big, uint16_t code, const void *p, size_t n)
{
	put(b, big, code, 2);
	put(b, big, n, 2);
	buf_put(b, p, n);
	buf_put(b, "\0\0\0", -n & 3);
}

static void put_block(struct buf *file, bool big, uint32_t type, struct buf *body)
{
	put(file, big, type, 4);
	put(file, big, body->n + 12, 4);
	buf_put(file, body->p, body->n);
	put(file, big, body->n + 12, 4);
	buf_free(body);
}

static void make_packet(struct buf *file, bool big)
{
	struct buf b = {0}, value = {0};

	put(&b, big, 0, 4);
	put(&b, big, 1234567891000000005u >> 32, 4);
	put(&b, big, (uint32_t)1234567891000000005u, 4);
	put(&b, big, 5, 4);
	put(&b, big, 5, 4);
	buf_put(&b, "frame\0\0\0", 8);
	put_option(&b, big, 1, "a comment", 9);
	put(&value, big, 2, 4);
	put_option(&b, big, 2, value.p, 4);
	buf_clear(&value);
	put(&value, big, 7, 8);
	put_option(&b, big, 4, value.p, 8);
	buf_clear(&value);
	put(&value, big, 4711, 4);
	put(&value, big, 4712, 4);
	put_option(&b, big, 8, value.p, 8);
	put(&b, big, 0, 4);
	buf_free(&value);
	put_block(file, big, 6, &b);
}

/* A section, an interface with nanoseconds, a block that nobody knows, a packet. */
static void make_file(struct buf *file, bool big)
{
	struct buf b = {0};

	put(&b, big, 0x1a2b3c4d, 4);
	put(&b, big, 1, 2);
	put(&b, big, 0, 2);
	put(&b, big, UINT64_MAX, 8);
	put_option(&b, big, 4, "writer", 6);
	put_block(file, big, 0x0a0d0d0a, &b);
	put(&b, big, 1, 2);
	put(&b, big, 0, 2);
	put(&b, big, 262144, 4);
	put_option(&b, big, 2, "sh[7]", 5);
	put_option(&b, big, 3, "exe=/bin/sh", 11);
	put_option(&b, big, 9, "\x09", 1);
	put_block(file, big, 1, &b);
	put(&b, big, 99, 4);
	put_block(file, big, 0x80001234, &b);
	make_packet(file, big);
}

static struct input *open_file(const uint8_t *p, size_t n)
{
	int fd = memfd_create("pcapng", MFD_CLOEXEC);
	struct input *in;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	in = input_new(fd);
	assert_non_null(in);
	return in;
}

static void assert_str(struct str s, const char *text)
{
	assert_true(str_eq(s, str_from(text)));
}

static void reads(bool big)
{
	struct buf file = {0};
	struct pcapng_reader *r;
	struct pcapng_block b;
	struct input *in;

	make_file(&file, big);
	in = open_file(file.p, file.n);
	r = pcapng_reader_new(in);
	assert_non_null(r);
	assert_int_equal(pcapng_read(r, &b), 1);
	assert_int_equal(b.kind, PCAPNG_SECTION);
	assert_str(b.application, "writer");
	assert_int_equal(pcapng_read(r, &b), 1);
	assert_int_equal(b.kind, PCAPNG_INTERFACE);
	assert_str(b.name, "sh[7]");
	assert_str(b.description, "exe=/bin/sh");
	assert_int_equal(pcapng_read(r, &b), 1);
	assert_int_equal(b.kind, PCAPNG_PACKET);
	assert_int_equal(b.ts_ns, 1234567891000000005u);
	assert_int_equal(b.captured, 5);
	assert_memory_equal(b.frame, "frame", 5);
	assert_str(b.comment, "a comment");
	assert_int_equal(b.direction, PCAPNG_OUTBOUND);
	assert_int_equal(b.dropped, 7);
	assert_int_equal(b.pid, 4711);
	assert_int_equal(b.tid, 4712);
	assert_int_equal(pcapng_read(r, &b), 0);
	pcapng_reader_free(r);
	input_free(in);
	buf_free(&file);
}

static void little_endian(void **state)
{
	(void)state;
	reads(false);
}

static void big_endian(void **state)
{
	(void)state;
	reads(true);
}

/* The last result, and how many blocks there were before. */
static int read_all(const uint8_t *p, size_t n, size_t *blocks)
{
	struct input *in = open_file(p, n);
	struct pcapng_reader *r = pcapng_reader_new(in);
	struct pcapng_block b;
	int res;

	assert_non_null(r);
	for (*blocks = 0; (res = pcapng_read(r, &b)) == 1; (*blocks)++)
		assert_true(b.captured <= n && b.comment.n <= n && b.name.n <= n);
	assert_int_equal(res == -EBADMSG, pcapng_reader_damage(r) != NULL);
	pcapng_reader_free(r);
	input_free(in);
	return res;
}

static void cut_anywhere(void **state)
{
	struct buf file = {0};
	size_t blocks, whole = 0;

	(void)state;
	make_file(&file, false);
	for (size_t n = 0; n < file.n; n++)
		if (read_all(file.p, n, &blocks) == 0)
			whole++;
		else
			assert_in_range(blocks, 0, 2);
	assert_int_equal(whole, 4); /* cut between two blocks, or empty */
	buf_free(&file);
}

/* Whatever an octet becomes, the reader ends, and stays within the file. */
static void altered_anywhere(void **state)
{
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	struct buf file = {0};
	size_t blocks;

	(void)state;
	make_file(&file, true);
	for (size_t at = 0; at < file.n; at++) {
		uint8_t was = file.p[at];

		for (size_t i = 0; i < sizeof(values); i++) {
			int res;

			file.p[at] = values[i];
			res = read_all(file.p, file.n, &blocks);
			assert_true(res == 0 || res == -EBADMSG);
		}
		file.p[at] = was;
	}
	buf_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(little_endian),
		cmocka_unit_test(big_endian),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(altered_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions of the library that is none. */
#include "tests/kernel/fake_tls.h"

#define LIBRARY __attribute__((noinline, noclone, used))

uint8_t fake_byte(uint64_t conn, int dir, uint64_t off)
{
	uint64_t x = (conn >> 4) * 0x9e3779b97f4a7c15ull + (uint64_t)dir * 0x51ed27ull + off;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ull;
	return (uint8_t)(x >> 56);
}

void fake_fill(const SSL *s, int dir, uint64_t off, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = fake_byte((uintptr_t)s, dir, off + i);
}

LIBRARY SSL *SSL_new(void *place)
{
	SSL *s = place;

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	return s;
}

LIBRARY void SSL_free(SSL *s)
{
	s->off[0] = s->off[1] = 0;
}

LIBRARY int SSL_clear(SSL *s)
{
	s->off[0] = s->off[1] = 0;
	return 1;
}

LIBRARY int BIO_write(void *bio, const void *data, int n)
{
	__asm__ volatile("" ::"r"(bio), "r"(data) : "memory");
	return n;
}

static void fake_socket_call(SSL *s, int dir)
{
	static const uint8_t record[5] = {0x17, 3, 3};
	char c = 0;

	if (s->mode.record && dir == 0)
		BIO_write(s, s->mode.record, FAKE_RECORD_BYTES);
	if (s->fd >= 0 && dir == 0 && s->mode.wire)
		send(s->fd, s->mode.wire, s->mode.wire_bytes, MSG_NOSIGNAL);
	else if (s->fd >= 0 && dir == 0)
		send(s->fd, record, sizeof(record), MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (s->fd >= 0)
		recv(s->fd, &c, 1, MSG_DONTWAIT);
	if (s->mode.side_fd)
		send(s->mode.side_fd, &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The inner workings that all functions share. Returns the bytes moved, or what `fail` says. */
static long fake_move(SSL *s, int dir, void *buf, size_t n)
{
	uint8_t record[64];

	fake_socket_call(s, dir);
	if (s->below) {
		if (dir == 0) {
			fake_fill(s->below, 0, s->below->off[0], record, sizeof(record));
			SSL_write(s->below, record, sizeof(record));
		} else {
			SSL_read(s->below, record, sizeof(record));
		}
	}
	if (s->mode.escape)
		longjmp(*s->mode.escape, 1);
	if (s->mode.failing)
		return s->mode.fail;
	if (s->mode.accept && n > s->mode.accept)
		n = s->mode.accept;
	if (dir == 1)
		fake_fill(s, 1, s->off[1], buf, n);
	s->off[dir] += n;
	if (s->mode.unmap)
		mprotect(s->mode.unmap, 4096, PROT_NONE);
	return (long)n;
}

LIBRARY int SSL_write_ex(SSL *s, const void *buf, size_t n, size_t *out)
{
	long got = fake_move(s, 0, (void *)(uintptr_t)buf, n);

	*out = got > 0 ? (size_t)got : 0;
	return got > 0;
}

LIBRARY int SSL_write_ex2(SSL *s, const void *buf, size_t n, uint64_t flags, size_t *out)
{
	int r = SSL_write_ex(s, buf, n, out);

	__asm__ volatile("" ::"r"(flags) : "memory"); /* not a tail call */
	return r;
}

LIBRARY int SSL_read_ex(SSL *s, void *buf, size_t n, size_t *out)
{
	long got = fake_move(s, 1, buf, n);

	*out = got > 0 ? (size_t)got : 0;
	return got > 0;
}

LIBRARY int SSL_write_early_data(SSL *s, const void *buf, size_t n, size_t *out)
{
	int r = SSL_write_ex(s, buf, n, out);

	__asm__ volatile("" ::: "memory");
	return r;
}

LIBRARY int SSL_read_early_data(SSL *s, void *buf, size_t n, size_t *out)
{
	int r = SSL_read_ex(s, buf, n, out);

	__asm__ volatile("" ::: "memory");
	return r ? 1 : 2;
}

LIBRARY int SSL_write(SSL *s, const void *buf, int n)
{
	int r = -1;
	size_t out;

	if (n < 0)
		r = -2;
	else if (!s->mode.use_ex)
		r = (int)fake_move(s, 0, (void *)(uintptr_t)buf, (size_t)n);
	else if (SSL_write_ex(s, buf, (size_t)n, &out))
		r = (int)out;
	JUMP_WITH(r);
	return r;
}

LIBRARY int SSL_read(SSL *s, void *buf, int n)
{
	int r = -1;
	size_t out;

	if (n < 0)
		r = -2;
	else if (!s->mode.use_ex)
		r = (int)fake_move(s, 1, buf, (size_t)n);
	else if (SSL_read_ex(s, buf, (size_t)n, &out))
		r = (int)out;
	JUMP_WITH(r);
	return r;
}

/* Shows what the next read will; some versions get there by a read that gives nothing up. */
LIBRARY int SSL_peek(SSL *s, void *buf, int n)
{
	uint64_t off = s->off[1];
	int r = SSL_read(s, buf, n);

	s->off[1] = off;
	return r;
}

LIBRARY long SSL_sendfile(SSL *s, int fd, long at, size_t n, int flags)
{
	(void)fd;
	(void)at;
	(void)flags;
	fake_socket_call(s, 0);
	s->off[0] += n;
	return (long)n;
}

LIBRARY int SSL_do_handshake(SSL *s)
{
	fake_socket_call(s, 0);
	fake_socket_call(s, 1);
	return 1;
}

int put(SSL *s, uint8_t *buf, size_t n)
{
	fake_fill(s, 0, s->off[0], buf, n);
	return SSL_write(s, buf, (int)n);
}

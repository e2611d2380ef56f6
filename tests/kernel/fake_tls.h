/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TLS library without TLS, in the test program itself: functions with OpenSSL's names and signatures, so
 * that discovery, probes and sockets are the real ones and every byte is known. The byte at a position of a
 * direction of a context follows from the three, so a record can be checked by itself.
 */
#ifndef TLSLENS_TESTS_KERNEL_FAKE_TLS_H
#define TLSLENS_TESTS_KERNEL_FAKE_TLS_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* What distributions' builds end with, there to check the stack: a jump, on which a breakpoint is cheap. */
#if defined(__x86_64__)
#define JUMP_WITH(result) __asm__ volatile("jmp 1f\n1:" : "+a"(result))
#else
#define JUMP_WITH(result) (void)(result)
#endif

#define FAKE_RECORD_BYTES 64

/* What the next call does besides moving bytes. */
struct fake_mode {
	int fail; /* returns this instead, moving nothing */
	bool failing;
	bool use_ex;	    /* SSL_write and SSL_read go through the _ex functions */
	jmp_buf *escape;    /* leaves the call by longjmp */
	void *unmap;	    /* takes this page away before returning */
	size_t accept;	    /* takes no more than that; 0: everything */
	const void *record; /* hands this on by BIO_write instead of using a socket */
	const void *wire;   /* these bytes go out on the socket instead of an empty record */
	size_t wire_bytes;
	int side_fd; /* a callback or a log uses this socket within the call; 0: none */
};

typedef struct fake_ssl {
	int fd;			/* -1: no socket call */
	struct fake_ssl *below; /* TLS in TLS: moves bytes through this one */
	uint64_t off[2];
	struct fake_mode mode;
} SSL;

/* The byte at a position; and a run of them. */
uint8_t fake_byte(uint64_t conn, int dir, uint64_t off);
void fake_fill(const SSL *s, int dir, uint64_t off, uint8_t *to, size_t n);
/* What an application does: a whole write of the pattern through `buf`. What SSL_write said. */
int put(SSL *s, uint8_t *buf, size_t n);

/* `place` is where the context shall be, so that addresses come again. */
SSL *SSL_new(void *place);
void SSL_free(SSL *s);
int SSL_clear(SSL *s);
int SSL_write(SSL *s, const void *buf, int n);
int SSL_read(SSL *s, void *buf, int n);
int SSL_peek(SSL *s, void *buf, int n);
int SSL_write_ex(SSL *s, const void *buf, size_t n, size_t *out);
int SSL_write_ex2(SSL *s, const void *buf, size_t n, uint64_t flags, size_t *out);
int SSL_read_ex(SSL *s, void *buf, size_t n, size_t *out);
int SSL_write_early_data(SSL *s, const void *buf, size_t n, size_t *out);
int SSL_read_early_data(SSL *s, void *buf, size_t n, size_t *out);
long SSL_sendfile(SSL *s, int fd, long at, size_t n, int flags);
int SSL_do_handshake(SSL *s);
int BIO_write(void *bio, const void *data, int n);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What plain sockets say: a little of ours, and the beginnings of protocols that are not. */
#ifndef TLSLENS_TESTS_SAMPLE_PLAIN_H
#define TLSLENS_TESTS_SAMPLE_PLAIN_H

#include "core/slice.h"

#define SAMPLE_H2_REQUEST                                    \
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" \
	"\0\0\6\1\5\0\0\0\1\x82\x86\x84\x01\1x"
#define SAMPLE_H2_RESPONSE "\0\0\0\4\0\0\0\0\0\0\0\1\1\5\0\0\0\1\x88"

/* b.example.com A; 31 octets, and 47 */
#define SAMPLE_DNS_QUERY "\0\2\1\0\0\1\0\0\0\0\0\0\1b\7example\3com\0\0\1\0\1"
#define SAMPLE_DNS_ANSWER                                                         \
	"\0\2\x81\x80\0\1\0\1\0\0\0\0\1b\7example\3com\0\0\1\0\1\xc0\x0c\0\1\0\1" \
	"\0\0\1\x2c\0\4\1\2\3\4"

struct sample_call {
	enum dir dir;
	const char *p;
	size_t n;
};

struct sample {
	const char *name;
	bool dgram;
	size_t calls;
	struct sample_call call[6];
};

extern const struct sample sample_foreign[];
extern const size_t sample_foreign_count;

#endif

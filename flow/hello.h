/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the hellos of a TLS connection say, read from the bytes of its socket: ClientHello, ServerHello and
 * HelloRetryRequest of TLS 1.0 to 1.3 (RFC 8446 section 4.1, RFC 5246 section 7.4.1). They may be split over
 * records and reads in any way. What is missing, cut or malformed tells nothing, and ends the reading of its
 * direction; nothing is decrypted, nothing guessed.
 */
#ifndef TLSLENS_FLOW_HELLO_H
#define TLSLENS_FLOW_HELLO_H

#include "core/buf.h"
#include "core/conn.h"

#define HELLO_MESSAGE_BYTES 16384 /* no longer hello is read */
#define HELLO_NAME_BYTES 255	  /* RFC 7301 section 3.1; a name of DNS is no longer either */
#define HELLO_SESSION_BYTES 32

/* One direction. */
struct hello_stream {
	uint64_t off;	 /* of the next byte */
	uint8_t head[5]; /* of the record that begins */
	uint8_t head_n;
	uint8_t said;	/* the type of the hello that was read, 0: none yet */
	bool over;	/* nothing more is read */
	uint32_t left;	/* of the record */
	struct buf msg; /* the handshake message so far */
};

/* All zero before the first byte. Must not move: its strings are in it. */
struct hello_reader {
	struct hello_stream stream[DIR_COUNT];
	/* of the client: what tells later whether its session was taken up */
	uint8_t session[HELLO_SESSION_BYTES], session_n;
	bool ticket;
	/* What is known, set once each. The strings point into the reader or to what is static. */
	struct str version, cipher, sni, alpn;
	enum tls_resumed resumed;
	char cipher_text[8], sni_text[HELLO_NAME_BYTES], alpn_text[HELLO_NAME_BYTES];
};

/* Bytes [off, off + n) of a direction, counted from the socket's first. */
void hello_feed(struct hello_reader *r, enum dir d, uint64_t off, const uint8_t *p, size_t n);
/* Gives back the memory of what was begun; what is known stays. */
void hello_stop(struct hello_reader *r);
/* Bytes that wait for the rest of their message. */
size_t hello_held(const struct hello_reader *r);

/* The name that IANA's registry has for a cipher suite, STR_NONE when it has none. Static. */
struct str cipher_suite_name(uint16_t suite);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/2 frame headers (RFC 9113 sections 4.1 and 6): what they say, and whether bytes that may have
 * been joined anywhere are frames at all.
 */
#ifndef TLSLENS_PARSERS_H2_FRAME_H
#define TLSLENS_PARSERS_H2_FRAME_H

#include "core/proto.h"

#define H2_FRAME_HEAD 9
#define H2_SETTINGS_ENTRY 6
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_PREFACE_BYTES (sizeof(H2_PREFACE) - 1)
#define H2_FRAME_BYTES_DEFAULT 16384 /* SETTINGS_MAX_FRAME_SIZE begins there */

enum h2_type {
	H2_DATA = 0x0,
	H2_HEADERS = 0x1,
	H2_PRIORITY = 0x2,
	H2_RST_STREAM = 0x3,
	H2_SETTINGS = 0x4,
	H2_PUSH_PROMISE = 0x5,
	H2_PING = 0x6,
	H2_GOAWAY = 0x7,
	H2_WINDOW_UPDATE = 0x8,
	H2_CONTINUATION = 0x9,
	H2_ALTSVC = 0xa,	   /* RFC 7838 section 4 */
	H2_ORIGIN = 0xc,	   /* RFC 8336 section 2 */
	H2_PRIORITY_UPDATE = 0x10, /* RFC 9218 section 7.1 */
};

enum h2_flag {
	H2_ACK = 0x01,	      /* SETTINGS, PING */
	H2_END_STREAM = 0x01, /* DATA, HEADERS */
	H2_END_HEADERS = 0x04,
	H2_PADDED = 0x08,
	H2_WITH_PRIORITY = 0x20,
};

struct h2_frame {
	uint32_t length;
	uint32_t stream;
	uint8_t type, flags;
	bool reserved; /* the bit before the stream id is set */
};

struct h2_frame h2_frame_parse(const uint8_t head[H2_FRAME_HEAD]);

/*
 * Octets at the start of the payload that say what the rest is: pad length, priority, promised stream,
 * error code, one setting. Never more than the length of a valid frame.
 */
uint32_t h2_frame_fixed(const struct h2_frame *f);

/* Breaks no rule whose breach ends the connection (FRAME_SIZE_ERROR, PROTOCOL_ERROR by RFC 9113 section 6). */
bool h2_frame_valid(const struct h2_frame *f, uint32_t length_max);

/* A run of frames from some point on. */
struct h2_chain {
	bool plausible;	 /* nothing speaks against it */
	bool exact;	 /* the last frame ends with the bytes */
	uint32_t frames; /* headers that are there whole */
	size_t want;	 /* bytes needed before more can be said (not `exact`) */
};

/* Stricter than h2_frame_valid(): flags, sizes and payloads as real senders use them. */
struct h2_chain h2_chain_follow(const uint8_t *p, size_t n);

/*
 * So many frame heads in a row are no accident: about 20 bits each have to fit. Where an application's call
 * begins fewer will do, and one frame when it ends with the bytes (24 bits of length fit).
 */
#define H2_CHAIN_FRAMES 3
#define H2_CHAIN_FRAMES_CALL 2

static inline bool h2_chain_proven(const struct h2_chain *c, bool call_start)
{
	uint32_t enough = call_start ? H2_CHAIN_FRAMES_CALL : H2_CHAIN_FRAMES;

	return c->plausible && (c->frames >= enough || (c->exact && c->frames + 1 >= enough));
}

/* proto_ops.probe */
enum probe_res h2_probe(enum dir d, const uint8_t *p, size_t n);

/* The name of an error code (RFC 9113 section 7), or of the number. */
struct str h2_error_name(struct arena *a, uint32_t code);

#endif

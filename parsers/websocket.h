/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the WebSocket parser share: messages and how they are compressed. */
#ifndef TLSLENS_PARSERS_WEBSOCKET_H
#define TLSLENS_PARSERS_WEBSOCKET_H

#include <zlib.h>

#include "core/buf.h"
#include "core/proto.h"

#define WS_CONTROL_BYTES_MAX 125 /* RFC 6455 section 5.5 */

/* More than this, or more than so many times the compressed octets once past the first, is a bomb. */
#define WS_INFLATED_MAX ((uint64_t)64 << 20)
#define WS_INFLATED_FREE ((uint64_t)1 << 20)
#define WS_INFLATED_RATIO 200

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

/* How a direction compresses (RFC 7692). */
struct ws_codec {
	enum {
		WS_PLAIN,
		WS_DEFLATE,
		WS_NOT_KNOWN, /* the negotiation was not seen, or is none that we know */
	} kind;
	bool takeover; /* a message may refer to those before it (section 7.1.1) */
	bool stale;    /* those before it are not known any more */
	bool open;     /* z is */
	z_stream z;
};

/* A message while it comes in, or a control frame. */
struct ws_message {
	bool open;
	bool compressed;
	bool not_inflated; /* its size and content are not known */
	bool bomb, broken;
	enum ws_opcode opcode;
	uint64_t wire_bytes, size, lost_bytes;
	struct buf content; /* the beginning of it, as far as it may be kept */
	uint64_t start_ns, end_ns;
	uint32_t tid;
};

/* What the upgrade agreed on; codecs[d] of both directions, those of a client at `client`. */
void ws_negotiated(struct ws_codec codecs[DIR_COUNT], const struct txn *upgrade, enum dir client);

void ws_codec_free(struct ws_codec *z);

/* `keep`: octets of content that may be kept. The content's memory is used again. */
void ws_message_begin(struct ws_message *m, struct ws_codec *z, enum ws_opcode opcode,
		      bool compressed, size_t keep);
void ws_message_bytes(struct ws_message *m, struct ws_codec *z, const uint8_t *p, size_t n);
/* n octets are missing here. */
void ws_message_lost(struct ws_message *m, struct ws_codec *z, uint64_t n);
/* `whole`: the last fragment was seen. Call it once for each begin. */
void ws_message_end(struct ws_message *m, struct ws_codec *z, bool whole);

/* Attributes, status and flags of a message of the client or the server; the envelope's rest is not touched. */
void ws_describe(struct txn *t, const struct ws_message *m, const struct ws_codec *z,
		 bool of_client);

struct str ws_opcode_name(enum ws_opcode opcode);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of an HTTP/1 connection, and what the two files that work on it call of each other: http1.c
 * moves through the bytes, http1_message.c begins and ends messages. Private to them.
 */
#ifndef TLSLENS_PARSERS_HTTP1_CONN_H
#define TLSLENS_PARSERS_HTTP1_CONN_H

#include "core/buf.h"
#include "parsers/http1_body.h"
#include "parsers/http1_txn.h"

#define HTTP1_SECRET_FILL '*'

/* One direction. */
struct http1_side {
	enum {
		PHASE_START, /* between messages */
		PHASE_HEAD,
		PHASE_CONTENT,
		PHASE_TRAILERS,
		PHASE_SKIP,   /* the rest of a section that is over its limit */
		PHASE_TUNNEL, /* HTTP/1 is over here */
	} phase;
	struct http1_scan scan;
	bool probed;	      /* the start line looks like one */
	struct buf held;      /* what came of the section in earlier slices */
	uint64_t section_off; /* in the direction */
	uint64_t section_ns;
	uint32_t section_tid;
	uint64_t next_off; /* behind the last octet taken */
	uint64_t last_ns;  /* of that octet */

	struct http1_content content;
	struct http1_exchange *exchange; /* whose message is open, else NULL */
};

struct http1 {
	struct http1_queue queue;
	struct http1_side side[DIR_COUNT];
	enum dir request_dir; /* when queue.role is known */
	bool late;
	uint64_t lost[DIR_COUNT];    /* octets between messages, so messages among them */
	uint64_t lost_ns[DIR_COUNT]; /* when the last message was that cannot be paired */
	struct arena scratch;	     /* for sections of interim responses */
};

/* What a step of the state machine came to. */
enum http1_step {
	STEP_ON,
	STEP_WAIT,
	STEP_LOST,
	STEP_UPGRADE,
};

/* Why a section ends before its end. */
enum http1_cut {
	CUT_NONE,
	CUT_GAP,
	CUT_LIMIT,
	CUT_CLOSE,
};

/* What is being fed: a place in a slice, or a gap. */
struct http1_input {
	enum dir dir;
	const struct slice *s;
	size_t pos;
	uint64_t ts_ns;
	bool expired;
	enum http1_cut cut;
	uint64_t lost;	     /* octets, with CUT_GAP */
	const char *upgrade; /* with STEP_UPGRADE: proto_ops.name or NULL */
};

static inline bool http1_is_request_dir(const struct http1 *p, enum dir d)
{
	return p->queue.role != ROLE_UNKNOWN && d == p->request_dir;
}

static inline bool http1_is_response_dir(const struct http1 *p, enum dir d)
{
	return p->queue.role != ROLE_UNKNOWN && d != p->request_dir;
}

/* The open message of a side that has an exchange. */
static inline struct http1_message *http1_open_message(const struct http1 *p, enum dir d)
{
	struct http1_exchange *e = p->side[d].exchange;

	return http1_is_request_dir(p, d) ? &e->request : &e->response;
}

/* A header section is complete, or cut off for in->cut: the message begins. */
enum http1_step http1_begin_message(struct http1 *p, struct http1_input *in, struct str raw);
/* The trailer section is complete, or cut off: the message ends. */
enum http1_step http1_end_trailers(struct http1 *p, struct http1_input *in, struct str raw);
/* The open message ends; the side is then between messages. */
void http1_end_message(struct http1 *p, enum dir d, bool whole);
/* This direction is out of step; in->lost octets went with it. STEP_LOST. */
enum http1_step http1_lose(struct http1 *p, const struct http1_input *in);
/* Back to the state between messages; the open message, if any, is forgotten. */
void http1_reset_side(struct http1_side *side);

/* After CONNECT or Upgrade the response decides in which protocol the bytes that follow are. */
bool http1_upgrade_pending(const struct http1 *p, enum dir d);
/* A start line that is cut off, or is none, may hold a target with secrets all the same. */
void http1_stray_secrets(struct http1 *p, enum dir d, struct str section);

#endif

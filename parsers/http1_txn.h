/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exchanges of one HTTP/1 connection: a request and its response, paired in order (RFC 9112 section 9.3),
 * from the first header section to the finished transaction. An exchange lives in the arena of its
 * transaction.
 */
#ifndef TLSLENS_PARSERS_HTTP1_TXN_H
#define TLSLENS_PARSERS_HTTP1_TXN_H

#include "parsers/http1_head.h"

#define HTTP1_INTERIM_MAX 16		       /* 1xx codes listed for one exchange */
#define HTTP1_PENDING_BYTES ((size_t)32 << 20) /* of memory in requests without response */

struct http1_message {
	enum {
		MESSAGE_NONE, /* its header section was not seen (yet) */
		MESSAGE_OPEN,
		MESSAGE_WHOLE,
		MESSAGE_CUT, /* over, but not to its end */
	} state;
	struct http1_head head;
	uint64_t first_ns, last_ns;
	uint64_t body_bytes; /* content on the wire, lost octets of it included */
	uint8_t *kept;	     /* the first octets of the content, in the arena */
	size_t kept_bytes, kept_cap;
	size_t keep_bytes; /* of it: what is shown of bodies, or what its media type needs */
	bool kept_all;	   /* no more are kept: the limit, or a gap */
};

struct http1_exchange {
	struct http1_exchange *prev, *next;
	struct txn *txn;
	struct http1_message request, response;
	struct str interim[HTTP1_INTERIM_MAX];
	uint32_t interim_count;
	size_t pending_bytes; /* counted in the queue for it */
	bool unsure;	      /* begun while queue.unsure was on */
};

struct http1_queue {
	const struct conn *conn;     /* borrowed */
	struct proto_sink *sink;     /* borrowed */
	const struct limits *limits; /* borrowed */
	struct http1_exchange *list; /* oldest first */
	uint32_t count;
	size_t pending_bytes;
	/* The next so many responses answer requests that left the queue early. */
	uint64_t forsaken;
	/*
	 * Messages were lost, so that nobody can say which of the coming responses answers which of the
	 * coming requests: they are not paired until as many responses came as there must be.
	 */
	struct {
		bool on;
		uint64_t owed;	    /* responses to requests that are not in the queue, at least */
		uint64_t requests;  /* since then */
		uint64_t responses; /* since then */
	} unsure;
	enum role role;
	bool closed; /* the connection ended: what has no response never gets one */
};

/* NULL without memory. */
struct http1_exchange *http1_exchange_new(struct http1_queue *q);

/*
 * Appends one that begins with its request, or puts an orphan, which has none, in front. Over the limits
 * the oldest request that has no response yet goes out unanswered.
 */
void http1_exchange_queue(struct http1_queue *q, struct http1_exchange *e);
/* Undoes http1_exchange_new() for one that was not queued. */
void http1_exchange_free(struct http1_exchange *e);

/* The exchange that a response beginning at first_ns belongs to, and what to do when there is none. */
enum http1_answer {
	ANSWER_PAIRS,
	ANSWER_WAITS,  /* for its request to be seen */
	ANSWER_ORPHAN, /* its request is gone */
};
enum http1_answer http1_queue_answer(const struct http1_queue *q, uint64_t first_ns,
				     struct http1_exchange **e);

/* n octets of content; those to keep are copied. */
void http1_message_content(struct http1_exchange *e, struct http1_message *m, const uint8_t *p,
			   size_t n);
/* n octets of content are lost. */
void http1_message_lost_content(struct http1_message *m, uint64_t n);

/* Ends a message, and emits the exchange when both are over. The exchange may be gone after it. */
void http1_message_end(struct http1_queue *q, struct http1_exchange *e, struct http1_message *m,
		       bool whole);

/* Notes a 1xx other than 101. */
void http1_exchange_interim(struct http1_queue *q, struct http1_exchange *e,
			    struct str status_text);

/*
 * Where responses were lost or unreadable, nobody can say which of the following answers which request:
 * all that wait are over. `lost` octets count for the oldest; 0 when they were unreadable. False when
 * none waits.
 */
bool http1_queue_give_up(struct http1_queue *q, uint64_t lost);

/* At least one request was lost, or is unreadable. */
void http1_queue_lost_request(struct http1_queue *q);

/* Octets between messages were passed over unread: more messages may have been among them. */
void http1_queue_skipped(struct http1_queue *q, bool requests);

/* Shows, as a transaction of its own, that this exchange began with a request at ts_ns. */
void http1_exchange_begun(struct http1_queue *q, const struct http1_exchange *e, uint64_t ts_ns);

/* Shows, likewise, that `s` came of the content of one of its messages, counted already. */
void http1_exchange_piece(struct http1_queue *q, const struct http1_exchange *e,
			  const struct http1_message *m, const struct slice *s);

/* The transaction as it stands goes to the sink; frees the exchange. */
void http1_exchange_emit(struct http1_queue *q, struct http1_exchange *e);

#endif

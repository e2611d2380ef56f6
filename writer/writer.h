/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A writer is a row: text, json, otlp-json, pcapng, summary. It knows the envelope of a transaction and the types of its
 * attributes, no protocol. I/O errors come back from every call, once lost nothing is hidden.
 */
#ifndef TLSLENS_WRITER_WRITER_H
#define TLSLENS_WRITER_WRITER_H

#include "core/sink.h"
#include "writer/out.h"

/* A pair that every JSON object gets: where the program runs. */
struct resource {
	struct str name, value;
};

struct writer_cfg {
	bool color;			  /* text */
	unsigned int verbose;		  /* text: 1 headers, 2 bodies */
	unsigned int columns;		  /* text: width of the terminal, 0: do not cut */
	const char *const *header_allow;  /* json: http.*.header.<lower>, NULL: the default list */
	bool tcp_framing;		  /* pcapng: plain TCP instead of the NULL cipher */
	bool redacted;			  /* pcapng: said in the section comment */
	const char *packet_filter;	  /* pcapng: capture/packet_filter.h; NULL: all packets */
	const struct resource *resources; /* json: names need no escapes; borrowed for open() */
	size_t resource_count;
	uint64_t summary_ns; /* summary: how often, 0: at the end only */
	bool unbuffered;     /* flush after every event (a pipe, a terminal) */
};

struct writer_ops {
	const char *name; /* as in -o NAME */
	bool wants_chunks, wants_txns;
	/* `out` is owned by the writer after success. 0 or a negative errno. */
	int (*open)(void **self, struct out *out, const struct writer_cfg *cfg);
	int (*txn)(void *self, const struct txn *t);	 /* NULL when !wants_txns */
	int (*chunk)(void *self, const struct chunk *c); /* NULL when !wants_chunks */
	int (*tick)(void *self, uint64_t now_ns); /* record time (CLOCK_REALTIME); may be NULL */
	int (*flush)(void *self);
	/* Writes what is left, closes `out`, frees; the first error seen. */
	int (*close)(void *self);
};

extern const struct writer_ops writer_text, writer_json, writer_otlp_json, writer_pcapng,
	writer_summary, writer_summary_json;
extern const struct writer_ops *const writer_rows[]; /* NULL-terminated */
const struct writer_ops *writer_by_name(const char *name);

/*
 * The fan-out at the end of the line: a sink over several opened writers. The first error of a writer is
 * returned and remembered; the others still get everything.
 */
struct fanout;
struct fanout *fanout_new(void);
/*
 * Takes ownership of an opened writer; `out` is what it writes to, told of record time, or NULL. `label`
 * (borrowed) names it in messages: "json:out.jsonl".
 */
int fanout_add(struct fanout *f, const struct writer_ops *ops, void *self, struct out *out,
	       const char *label);
struct sink *fanout_sink(struct fanout *f);
bool fanout_wants_chunks(const struct fanout *f);
int fanout_flush(struct fanout *f);
/* Does an output wait for its reader? */
bool fanout_waits(const struct fanout *f);
/* fn is called before anything is written to a terminal: out_set_before(). */
void fanout_set_before(struct fanout *f, void (*fn)(void *), void *arg);
/* Records of all outputs that found no room. */
uint64_t fanout_lost(const struct fanout *f);
/* Files that were moved or removed are opened anew by their names. */
int fanout_reopen(struct fanout *f);
/* Closes every writer, reports each failed one through log_error; the first error. */
int fanout_close(struct fanout *f);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line a transaction, for people:
 *
 *   03:04:05.678Z curl[4242] -> 93.184.216.34:443 GET https://example.com/a?x=1 200 >12B <13B 2.0ms [partial]
 *
 * Time in UTC, so that a recording reads the same everywhere. The arrow is the way of the request as seen
 * from the process; `>` is what the client sent, `<` what the server sent. The URL takes what the terminal
 * leaves, so that what stands behind it is aligned. What came over the wire goes through human_text().
 */
#include "writer/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "select/fields.h"
#include "select/human.h"
#include "writer/text_detail.h"
#include "writer/text_width.h"

#define LINE_MAX_BYTES ((size_t)1 << 30) /* more than an arena of escaped bytes can fill */
#define LINE_KEEP_BYTES (1u << 20)	 /* room that is kept for the next line */
#define WIDE_COLUMNS 120  /* a narrower terminal has no room for the peer beside the URL */
#define TARGET_COLUMNS 48 /* where there is no width to fill */
#define TARGET_COLUMNS_MIN 16

/* Columns of the parts that have a usual width; longer ones push the rest. */
struct layout {
	unsigned int process, peer, verb, status, size, duration;
};

static const struct layout wide = {16, 21, 7, 3, 8, 7};
static const struct layout narrow = {12, 0, 4, 3, 8, 7};

struct text {
	struct out *out;
	bool color, unbuffered;
	unsigned int verbose, columns;
	const struct layout *layout;
	struct field_ref timestamp, peer_address, peer_port;
	struct field field;
	struct buf line, tail, painted;
	size_t status_at, status_n; /* in tail, later in line: what is coloured */
};

static void put_time(struct text *x, const struct txn *t)
{
	/* hh:mm:ss.mmm of the RFC 3339 form */
	if (field_get(&x->timestamp, t, &x->field))
		buf_put(&x->line, x->field.v.str.p + 11, 12);
	buf_puts(&x->line, "Z ");
}

static void put_peer(struct text *x, const struct txn *t)
{
	struct buf *b = &x->line;
	bool brackets;

	if (!field_get(&x->peer_address, t, &x->field)) {
		buf_puts(b, t->source == PEER_UNKNOWN ? "?" : "unix");
		return;
	}
	brackets = memchr(x->field.v.str.p, ':', x->field.v.str.n);
	if (brackets)
		buf_putc(b, '[');
	buf_put(b, x->field.v.str.p, x->field.v.str.n);
	buf_puts(b, brackets ? "]:" : ":");
	if (field_get(&x->peer_port, t, &x->field))
		human_uint(b, (uint64_t)x->field.v.num);
}

static void put_head(struct text *x, const struct txn *t)
{
	static const char *const arrows[] = {
		[ROLE_UNKNOWN] = " -- ", [ROLE_CLIENT] = " -> ", [ROLE_SERVER] = " <- "};
	struct buf *b = &x->line;
	size_t from;

	put_time(x, t);
	from = b->n;
	human_process(b, t->conn);
	text_pad(b, from, x->layout->process);
	buf_puts(b, arrows[t->role]);
	if (x->layout->peer) {
		from = b->n;
		put_peer(x, t);
		text_pad(b, from, x->layout->peer);
		buf_putc(b, ' ');
	}
	from = b->n;
	human_text(b, t->verb);
	text_pad(b, from, x->layout->verb);
	buf_putc(b, ' ');
}

/* Right-aligned, as numbers are read. */
static void put_right(struct buf *b, const struct buf *word, unsigned int columns)
{
	unsigned int width = text_width(word, 0);

	for (; width < columns; width++)
		buf_putc(b, ' ');
	buf_put(b, word->p, word->n);
}

static void put_size(struct text *x, char mark, uint64_t bytes)
{
	struct buf *word = &x->field.text;

	buf_clear(word);
	buf_putc(word, (uint8_t)mark);
	human_size(word, bytes);
	buf_putc(&x->tail, ' ');
	put_right(&x->tail, word, x->layout->size);
}

static void put_marks(struct text *x, const struct txn *t)
{
	static const struct {
		unsigned int flags;
		const char *mark;
	} rows[] = {
		{TXN_EARLY, "running"},
		{TXN_LIMIT, "cut"},
		{TXN_LATE | TXN_NO_REQUEST | TXN_CUT_REQUEST | TXN_NO_RESPONSE, "partial"},
		{TXN_AMBIGUOUS, "ambiguous"},
		{TXN_UNKNOWN_HEADERS, "unknown headers"},
	};
	struct buf *b = &x->tail;
	const char *before = " [";

	if (t->lost_bytes || t->flags & (TXN_LOST_REQUEST | TXN_LOST_RESPONSE)) {
		buf_puts(b, " [lost ");
		human_size(b, t->lost_bytes);
		before = ", ";
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!(t->flags & rows[i].flags))
			continue;
		buf_puts(b, before);
		buf_puts(b, rows[i].mark);
		before = ", ";
	}
	if (!x->layout->peer && t->source == PEER_UNKNOWN) {
		buf_puts(b, before);
		buf_puts(b, "unknown peer");
		before = ", ";
	}
	if (*before == ',')
		buf_putc(b, ']');
}

static void put_tail(struct text *x, const struct txn *t)
{
	struct buf *b = &x->tail;

	buf_clear(b);
	buf_putc(b, ' ');
	x->status_at = b->n;
	if (t->status.n)
		human_text(b, t->status);
	else
		buf_putc(b, '-');
	x->status_n = b->n - x->status_at;
	text_pad(b, x->status_at, x->layout->status);
	if (x->layout->peer) {
		if (t->request_body_bytes)
			put_size(x, '>', t->request_body_bytes);
		else
			buf_printf(b, " %*s", (int)x->layout->size, "");
	}
	put_size(x, '<', t->response_body_bytes);
	buf_putc(b, ' ');
	buf_clear(&x->field.text);
	human_duration(&x->field.text, human_elapsed_ns(t));
	put_right(b, &x->field.text, x->layout->duration);
	put_marks(x, t);
}

/* The line between its two ends, filled or cut to the width. True when more than the target was cut. */
static bool put_target(struct text *x, const struct txn *t)
{
	unsigned int others = text_width(&x->line, 0) + text_width(&x->tail, 0);
	unsigned int columns = TARGET_COLUMNS;
	size_t from = x->line.n;

	human_target(&x->line, t);
	if (x->columns) {
		columns = x->columns > others + TARGET_COLUMNS_MIN ? x->columns - others
								   : TARGET_COLUMNS_MIN;
		text_cut(&x->line, from, columns);
	}
	text_pad(&x->line, from, columns);
	x->status_at += x->line.n;
	buf_put(&x->line, x->tail.p, x->tail.n);
	return x->columns && text_cut(&x->line, 0, x->columns);
}

/* SGR colours (ECMA-48 section 8.3.117) around the status, after everything was measured and cut. */
static void paint(struct text *x, enum outcome outcome)
{
	static const char *const colors[] = {
		[OUTCOME_UNKNOWN] = "\x1b[2m",	     [OUTCOME_OK] = "\x1b[32m",
		[OUTCOME_REDIRECT] = "\x1b[36m",     [OUTCOME_CLIENT_ERROR] = "\x1b[33m",
		[OUTCOME_SERVER_ERROR] = "\x1b[31m", [OUTCOME_ABORTED] = "\x1b[35m",
	};
	size_t end = x->status_at + x->status_n;
	struct buf *to = &x->painted, *from = &x->line, swap;

	if (!buf_ok(from))
		return;
	buf_clear(to);
	buf_put(to, from->p, x->status_at);
	buf_puts(to, colors[outcome]);
	buf_put(to, from->p + x->status_at, x->status_n);
	buf_puts(to, "\x1b[0m");
	buf_put(to, from->p + end, from->n - end);
	swap = *from;
	*from = *to;
	*to = swap;
}

/* An exec, an exit: what happened stands where the verb of others is. */
static void put_event(struct text *x, const struct txn *t)
{
	struct buf *b = &x->line;
	size_t from;

	put_time(x, t);
	from = b->n;
	human_process(b, t->conn);
	text_pad(b, from, x->layout->process);
	buf_puts(b, " ** ");
	human_event(b, t);
	if (x->columns)
		text_cut(b, 0, x->columns);
}

static void put_exchange(struct text *x, const struct txn *t)
{
	put_head(x, t);
	put_tail(x, t);
	if (!put_target(x, t) && x->color)
		paint(x, t->outcome);
}

static void set_columns(struct text *x, unsigned int columns)
{
	x->columns = columns;
	x->layout = columns && columns < WIDE_COLUMNS ? &narrow : &wide;
}

static int text_txn(void *self, const struct txn *t)
{
	struct text *x = self;
	struct buf *b = &x->line;
	int err;

	if (out_is_tty(x->out)) /* its width may have changed */
		set_columns(x, out_columns(x->out));
	buf_clear(b);
	if (txn_is_event(t))
		put_event(x, t);
	else
		put_exchange(x, t);
	buf_putc(b, '\n');
	if (x->verbose && !txn_is_event(t))
		text_detail(b, t, x->verbose);
	err = b->err ? b->err : out_put(x->out, b->p, b->n);
	if (b->cap > LINE_KEEP_BYTES)
		buf_free(b);
	return !err && x->unbuffered ? out_flush(x->out) : err;
}

static int text_flush(void *self)
{
	struct text *x = self;

	return out_flush(x->out);
}

static int text_close(void *self)
{
	struct text *x = self;
	int err = out_close(x->out);

	field_free(&x->field);
	buf_free(&x->line);
	buf_free(&x->tail);
	buf_free(&x->painted);
	free(x);
	return err;
}

static int text_open(void **self, struct out *out, const struct writer_cfg *cfg)
{
	struct text *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->out = out;
	x->color = cfg->color;
	x->unbuffered = cfg->unbuffered;
	x->verbose = cfg->verbose;
	set_columns(x, cfg->columns);
	x->line.limit = x->painted.limit = LINE_MAX_BYTES;
	if (!field_find("@timestamp", &x->timestamp) ||
	    !field_find("network.peer.address", &x->peer_address) ||
	    !field_find("network.peer.port", &x->peer_port)) {
		free(x);
		return -EINVAL;
	}
	*self = x;
	return 0;
}

const struct writer_ops writer_text = {
	.name = "text",
	.wants_txns = true,
	.open = text_open,
	.txn = text_txn,
	.flush = text_flush,
	.close = text_close,
};

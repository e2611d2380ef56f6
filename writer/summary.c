/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows `summary` and `summary-json`: who talks to whom, as a table or as a JSON object for each of its lines,
 * at the end or after every interval of record time, each of which is counted by itself.
 */
#include "writer/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "select/human.h"
#include "select/sums.h"
#include "select/json_emit.h"

#define NS_PER_S 1000000000

struct summary {
	struct out *out;
	struct sums sums;
	uint64_t interval_ns; /* 0: at the end only */
	uint64_t until_ns, now_ns;
	int (*write)(struct summary *s, struct buf *b);
};

static const unsigned int quantiles[] = {500, 900, 990};

static void put_time(struct buf *b, uint64_t ns)
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	char text[40];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "%s.%09" PRIu64 "Z", text, ns % NS_PER_S);
}

/* Columns of a table: text is collected first, as its widths are known at the end. */
static size_t width_of(const struct sums *s, int k, const char *title)
{
	size_t width = strlen(title);

	for (const struct sums_row *r = s->rows; r; r = r->hh.next) {
		struct buf b = {0};

		human_text(&b, r->v[k]);
		if (b.n > width)
			width = b.n;
		buf_free(&b);
	}
	return width;
}

static void put_padded(struct buf *b, struct str s, size_t width)
{
	size_t begin = b->n;

	human_text(b, s.n ? s : STR("-"));
	while (b->n - begin < width && buf_ok(b))
		buf_putc(b, ' ');
	buf_puts(b, "  ");
}

static void put_right(struct buf *b, struct buf *cell)
{
	buf_printf(b, "%9.*s", (int)cell->n, (const char *)cell->p);
	buf_clear(cell);
}

static void put_numbers(struct buf *b, const struct sums_row *r)
{
	struct buf cell = {0};

	buf_printf(b, "%7" PRIu64 "%7" PRIu64, r->count, r->errors);
	human_size(&cell, r->bytes_in + r->bytes_out);
	put_right(b, &cell);
	for (size_t q = 0; q < sizeof(quantiles) / sizeof(quantiles[0]); q++) {
		human_duration(&cell, histogram_quantile(&r->durations, quantiles[q]));
		put_right(b, &cell);
	}
	buf_free(&cell);
	buf_putc(b, '\n');
}

static int write_table(struct summary *s, struct buf *b)
{
	static const char *const titles[SUMS_KEYS] = {"APPLICATION", "CONTAINER", "ROLE",
						      "PEER",	     "ADDRESS",	  "PORT",
						      "PROTOCOL",    "METHOD",	  "ROUTE"};
	size_t widths[SUMS_KEYS];

	for (int k = 0; k < SUMS_KEYS; k++) {
		widths[k] = width_of(&s->sums, k, titles[k]);
		put_padded(b, str_from(titles[k]), widths[k]);
	}
	buf_printf(b, "%7s%7s%9s%9s%9s%9s\n", "COUNT", "ERRORS", "BYTES", "P50", "P90", "P99");
	for (const struct sums_row *r = s->sums.rows; r; r = r->hh.next) {
		for (int k = 0; k < SUMS_KEYS; k++)
			put_padded(b, r->v[k], widths[k]);
		put_numbers(b, r);
	}
	return b->err;
}

static void put_key(struct buf *b, const struct sums_row *r, int k)
{
	const char *name = sums_key_name(k);

	if (!r->v[k].n)
		return;
	json_key(b, str_from(name));
	if (k == SUMS_PORT)
		buf_put(b, r->v[k].p, r->v[k].n);
	else
		json_quoted(b, r->v[k]);
}

static int write_json(struct summary *s, struct buf *b)
{
	for (const struct sums_row *r = s->sums.rows; r; r = r->hh.next) {
		buf_puts(b, "{\"@timestamp\":\"");
		put_time(b, s->now_ns);
		buf_puts(b, "\",\"event.name\":\"tlslens.summary\"");
		for (int k = 0; k < SUMS_KEYS; k++)
			put_key(b, r, k);
		buf_printf(b,
			   ",\"tlslens.summary.count\":%" PRIu64
			   ",\"tlslens.summary.errors\":%" PRIu64
			   ",\"tlslens.summary.bytes_in\":%" PRIu64
			   ",\"tlslens.summary.bytes_out\":%" PRIu64,
			   r->count, r->errors, r->bytes_in, r->bytes_out);
		for (size_t q = 0; q < sizeof(quantiles) / sizeof(quantiles[0]); q++)
			buf_printf(b, ",\"tlslens.summary.p%u_ns\":%" PRIu64, quantiles[q] / 10,
				   histogram_quantile(&r->durations, quantiles[q]));
		buf_puts(b, "}\n");
	}
	return b->err;
}

/* Writes what was counted, and begins anew. */
static int write_out(struct summary *s)
{
	struct buf b = {0};
	int err = 0;

	if (s->sums.rows) {
		sums_sort(&s->sums);
		err = s->write(s, &b);
		if (!err)
			err = out_put(s->out, b.p, b.n);
	}
	sums_clear(&s->sums);
	buf_free(&b);
	return err;
}

static int summary_open(void **self, struct out *out, const struct writer_cfg *cfg, bool json)
{
	struct summary *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->out = out;
	s->interval_ns = cfg->summary_ns;
	s->write = json ? write_json : write_table;
	*self = s;
	return 0;
}

static int open_table(void **self, struct out *out, const struct writer_cfg *cfg)
{
	return summary_open(self, out, cfg, false);
}

static int open_json(void **self, struct out *out, const struct writer_cfg *cfg)
{
	return summary_open(self, out, cfg, true);
}

static int summary_tick(void *self, uint64_t now_ns)
{
	struct summary *s = self;
	int err = 0;

	if (now_ns > s->now_ns)
		s->now_ns = now_ns;
	if (!s->interval_ns)
		return 0;
	if (s->until_ns && s->now_ns >= s->until_ns)
		err = write_out(s);
	if (!s->until_ns || s->now_ns >= s->until_ns)
		s->until_ns = s->now_ns + s->interval_ns;
	return err;
}

static int summary_txn(void *self, const struct txn *t)
{
	struct summary *s = self;
	int err = summary_tick(s, t->end_ns + (uint64_t)t->clock_offset_ns);

	return err ? err : sums_add(&s->sums, t);
}

static int summary_flush(void *self)
{
	return out_flush(((struct summary *)self)->out);
}

static int summary_close(void *self)
{
	struct summary *s = self;
	int err = write_out(s), closed = out_close(s->out);

	free(s);
	return err ? err : closed;
}

const struct writer_ops writer_summary = {
	.name = "summary",
	.wants_txns = true,
	.open = open_table,
	.txn = summary_txn,
	.tick = summary_tick,
	.flush = summary_flush,
	.close = summary_close,
};

const struct writer_ops writer_summary_json = {
	.name = "summary-json",
	.wants_txns = true,
	.open = open_json,
	.txn = summary_txn,
	.tick = summary_tick,
	.flush = summary_flush,
	.close = summary_close,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers alone, on what a recording holds, from memory and to nothing:
 *
 *   parse flow|llhttp|hpack RECORDING
 *
 * `flow` is everything of tlslens between the source and the writers; the others are the ceiling: llhttp on
 * the bytes of HTTP/1, nghttp2's inflater on the header blocks of HTTP/2. Prints transactions or messages,
 * bytes and seconds; the best of some rounds, for what is measured is the program and not the machine.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <llhttp.h>
#include <nghttp2/nghttp2.h>

#include "capture/source.h"
#include "core/buf.h"
#include "flow/flow.h"

#define ROUNDS 5
#define CONNS_MAX 65536

struct events {
	struct buf b;
	size_t data_bytes;
};

struct counted {
	uint64_t n;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int load(struct events *e, const char *path)
{
	struct source_cfg cfg = {.path = path};
	const struct ev_hdr *ev;
	void *src;
	int err = source_recording.open(&src, &cfg);

	if (err)
		return err;
	e->b.limit = (size_t)8 << 30;
	while ((err = source_recording.next(src, &ev, 0)) == 1) {
		if (ev->type == EV_DATA)
			e->data_bytes += ((const struct ev_data *)ev)->got;
		buf_put(&e->b, ev, ev->len);
		while (e->b.n % 8)
			buf_putc(&e->b, 0);
	}
	source_recording.close(src);
	return err == -EPIPE ? e->b.err : err;
}

static const struct ev_hdr *next_event(const struct events *e, size_t *at)
{
	const struct ev_hdr *ev = (const void *)(e->b.p + *at);

	if (*at >= e->b.n)
		return NULL;
	*at += (ev->len + 7u) / 8 * 8;
	return ev;
}

struct null_sink {
	struct sink sink;
	uint64_t txns;
};

static int null_txn(struct sink *s, struct txn *t)
{
	(void)t;
	((struct null_sink *)s)->txns++;
	return 0;
}

static int null_chunk(struct sink *s, const struct chunk *c)
{
	(void)s, (void)c;
	return 0;
}

static int null_tick(struct sink *s, uint64_t now_ns)
{
	(void)s, (void)now_ns;
	return 0;
}

static const struct sink_ops null_ops = {.txn = null_txn, .chunk = null_chunk, .tick = null_tick};

static uint64_t run_flow(const struct events *e)
{
	struct null_sink sink = {.sink = {&null_ops}};
	struct flow_cfg cfg = {.limits = limits_default};
	struct flow *f = flow_new(&cfg, &sink.sink);
	const struct ev_hdr *ev;

	for (size_t at = 0; f && (ev = next_event(e, &at));)
		flow_event(f, ev);
	flow_finish(f);
	flow_free(f);
	return sink.txns;
}

static int on_complete(llhttp_t *p)
{
	((struct counted *)p->data)->n++;
	return 0;
}

/* With the callbacks that any use of it needs. */
static int on_span(llhttp_t *p, const char *at, size_t n)
{
	(void)p, (void)at, (void)n;
	return 0;
}

static uint64_t run_llhttp(const struct events *e)
{
	static llhttp_t parsers[CONNS_MAX][2];
	struct counted done = {0};
	llhttp_settings_t settings;
	const struct ev_hdr *ev;

	llhttp_settings_init(&settings);
	settings.on_message_complete = on_complete;
	settings.on_url = settings.on_header_field = settings.on_header_value = on_span;
	settings.on_body = on_span;
	memset(parsers, 0, sizeof(parsers));
	for (size_t at = 0; (ev = next_event(e, &at));) {
		const struct ev_data *d = (const void *)ev;
		llhttp_t *p;

		if (ev->type != EV_DATA)
			continue;
		p = &parsers[d->gen % CONNS_MAX][d->dir];
		if (!p->data) {
			llhttp_init(p, d->dir ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
			p->data = &done;
		}
		llhttp_execute(p, (const char *)d->buf, d->got);
	}
	return done.n / 2;
}

static void inflate(nghttp2_hd_inflater *hd, const uint8_t *p, size_t n, int final)
{
	int flags = 0;
	nghttp2_nv nv;
	ssize_t k;

	do {
		flags = 0;
		k = nghttp2_hd_inflate_hd2(hd, &nv, &flags, p, n, final);
		if (k < 0)
			return;
		p += k;
		n -= (size_t)k;
	} while (n || flags & NGHTTP2_HD_INFLATE_EMIT);
	if (final)
		nghttp2_hd_inflate_end_headers(hd);
}

/* Frames stand whole in the records of make_recording: this is a ceiling, not a parser. */
static uint64_t run_hpack(const struct events *e)
{
	static nghttp2_hd_inflater *hd[CONNS_MAX][2];
	const struct ev_hdr *ev;
	uint64_t blocks = 0;

	for (size_t at = 0; (ev = next_event(e, &at));) {
		const struct ev_data *d = (const void *)ev;
		nghttp2_hd_inflater **h;
		size_t i = 0, n;

		if (ev->type != EV_DATA)
			continue;
		h = &hd[d->gen % CONNS_MAX][d->dir];
		if (!*h)
			nghttp2_hd_inflate_new(h);
		if (d->got >= 24 && memcmp(d->buf, "PRI ", 4) == 0)
			i = 24;
		for (; i + 9 <= d->got; i += 9 + n) {
			n = (size_t)d->buf[i] << 16 | (size_t)d->buf[i + 1] << 8 | d->buf[i + 2];
			if ((d->buf[i + 3] != 1 && d->buf[i + 3] != 9) || i + 9 + n > d->got)
				continue;
			inflate(*h, d->buf + i + 9, n, d->buf[i + 4] & 4);
			blocks += (d->buf[i + 4] & 4) != 0;
		}
	}
	for (size_t c = 0; c < CONNS_MAX; c++) {
		for (int d = 0; d < 2; d++) {
			if (hd[c][d])
				nghttp2_hd_inflate_del(hd[c][d]);
			hd[c][d] = NULL;
		}
	}
	return blocks / 2;
}

int main(int argc, char **argv)
{
	uint64_t (*run)(const struct events *);
	struct events e = {0};
	double best = 1e9, from, took;
	uint64_t n = 0;

	if (argc != 3)
		return 2;
	run = strcmp(argv[1], "flow") == 0     ? run_flow
	      : strcmp(argv[1], "llhttp") == 0 ? run_llhttp
					       : run_hpack;
	if (load(&e, argv[2]))
		return 1;
	for (int i = 0; i < ROUNDS; i++) {
		from = now_s();
		n = run(&e);
		took = now_s() - from;
		best = took < best ? took : best;
	}
	printf("%llu %zu %.6f\n", (unsigned long long)n, e.data_bytes, best);
	buf_free(&e.b);
	return 0;
}

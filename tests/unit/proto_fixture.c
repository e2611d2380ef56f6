/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/proto_fixture.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/attr_names.h"
#include "tests/unit/proto_run.h"
#include "tests/unit/txn_dump.h"

#define CALLS_MAX 256
#define SPLITS_MAX 4096 /* positions of one call; longer calls are cut at some of them */

struct call {
	enum dir dir;
	bool gap, expire;
	size_t at, n; /* in fixture.bytes, or lost */
	uint64_t ts_ns;
};

struct fixture {
	const char *path;
	const struct proto_ops *ops;
	struct run_cfg cfg;
	struct call calls[CALLS_MAX];
	size_t count;
	struct buf bytes;
	char *golden; /* in text */
	char *text;   /* owned: the file */
	unsigned int line;
	bool own_losses;
	uint64_t next_ts_ns; /* 0: the call's number */
};

/* cmocka cuts its own messages off at 1024 bytes. */
#define complain(...)                         \
	do {                                  \
		fprintf(stderr, __VA_ARGS__); \
		fail();                       \
	} while (0)
#define bad(fx, why) fail_msg("%s:%u: %s", (fx)->path, (fx)->line, why)

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "r");
	struct buf b = {0};
	int c;

	if (!f)
		fail_msg("%s: cannot be opened", path);
	while ((c = getc(f)) != EOF)
		buf_putc(&b, (uint8_t)c);
	fclose(f);
	buf_putc(&b, '\0');
	return (char *)b.p;
}

/* One octet of text with escapes; *s moves on. */
static uint8_t unescape(struct fixture *fx, const char **s)
{
	static const char letters[] = "rnt0\\", octets[] = "\r\n\t\0\\";
	const char *at;
	char hex[3] = {0};
	char *end;
	long v;

	if (**s != '\\')
		return (uint8_t) * (*s)++;
	++*s;
	if (**s == 'x') {
		snprintf(hex, sizeof(hex), "%s", *s + 1);
		v = strtol(hex, &end, 16);
		if (end != hex + 2)
			bad(fx, "\\x needs two digits");
		*s += 3;
		return (uint8_t)v;
	}
	at = **s ? strchr(letters, **s) : NULL;
	if (!at)
		bad(fx, "unknown escape");
	++*s;
	return (uint8_t)octets[at - letters];
}

static void put_text(struct fixture *fx, const char *s)
{
	while (*s) {
		unsigned long times = 1;
		size_t from = fx->bytes.n, n;
		char *brace;

		if (s[0] != '\\' || s[1] != '*') {
			buf_putc(&fx->bytes, unescape(fx, &s));
			continue;
		}
		times = strtoul(s + 2, &brace, 10);
		if (*brace != '{' || !times)
			bad(fx, "\\* needs N{text}");
		for (s = brace + 1; *s != '}';) {
			if (!*s)
				bad(fx, "no } after \\*N{");
			buf_putc(&fx->bytes, unescape(fx, &s));
		}
		s++;
		n = fx->bytes.n - from;
		if (buf_reserve(&fx->bytes, n * times))
			bad(fx, "too long");
		while (--times)
			buf_put(&fx->bytes, fx->bytes.p + from, n);
	}
}

static void put_hex(struct fixture *fx, const char *s)
{
	unsigned int v;
	int used;

	while (s[strspn(s, " \t")] && s[strspn(s, " \t")] != '#') {
		if (sscanf(s, " %2x%n", &v, &used) != 1)
			bad(fx, "not hex");
		buf_putc(&fx->bytes, (uint8_t)v);
		s += used;
	}
}

static void set_limit(struct fixture *fx, const char *name, unsigned long v)
{
	struct limits *l = &fx->cfg.limits;

	if (strcmp(name, "body") == 0)
		l->body_bytes = v;
	else if (strcmp(name, "header-bytes") == 0)
		l->header_bytes = v;
	else if (strcmp(name, "headers") == 0)
		l->headers = (uint32_t)v;
	else if (strcmp(name, "pipeline") == 0)
		l->pipeline = (uint32_t)v;
	else if (strcmp(name, "streams") == 0)
		l->streams = (uint32_t)v;
	else if (strcmp(name, "early") == 0)
		l->early = v;
	else if (strcmp(name, "rpc-messages") == 0)
		l->rpc_messages = v;
	else if (strcmp(name, "continuations") == 0)
		l->continuation_frames = (uint32_t)v;
	else
		bad(fx, "unknown limit");
}

static void set_option(struct fixture *fx, const char *s)
{
	char name[32];
	unsigned long v;

	if (strcmp(s, "late") == 0)
		fx->cfg.late = true;
	else if (strcmp(s, "plain") == 0)
		fx->cfg.conn.plain = true;
	else if (strcmp(s, "follow") == 0)
		fx->cfg.follow = true;
	else if (strcmp(s, "own-losses") == 0)
		fx->own_losses = true;
	else if (strncmp(s, "sni ", 4) == 0)
		fx->cfg.conn.sni = str_from(s + 4);
	else if (sscanf(s, "limit %31s %lu", name, &v) == 2)
		set_limit(fx, name, v);
	else
		bad(fx, "unknown option");
}

static struct call *add_call(struct fixture *fx)
{
	if (fx->count == CALLS_MAX)
		bad(fx, "too many calls");
	fx->calls[fx->count] = (struct call){
		.at = fx->bytes.n,
		.ts_ns = fx->next_ts_ns ? fx->next_ts_ns : fx->count + 1,
	};
	fx->next_ts_ns = 0;
	return &fx->calls[fx->count++];
}

/* A line that starts with a mark. `open`: the call it goes on with when that has the same direction. */
static struct call *read_bytes_line(struct fixture *fx, const char *s, struct call *open)
{
	enum dir d = s[0] == '>' ? DIR_WRITE : DIR_READ;
	struct call *c = open && open->dir == d && s[1] != '~' ? open : add_call(fx);

	c->dir = d;
	switch (s[1]) {
	case '~':
		c->gap = true;
		c->n = strtoul(s + 2, NULL, 10);
		return NULL;
	case ':':
		put_hex(fx, s + 2);
		break;
	case ' ':
		put_text(fx, s + 2);
		break;
	default:
		bad(fx, "a space, : or ~ follows the mark");
	}
	c->n = fx->bytes.n - c->at;
	return c;
}

static void load(struct fixture *fx, const char *path, const struct proto_ops *ops)
{
	struct call *open = NULL;
	char *line, *next = NULL;

	*fx = (struct fixture){.path = path, .ops = ops};
	fx->cfg = (struct run_cfg){.ops = ops, .limits = limits_default};
	fx->cfg.conn = (struct conn){.seq = 1, .id = "1-1-1"};
	fx->text = read_whole(path);
	for (line = fx->text; line; line = next) {
		fx->line++;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (strcmp(line, "---") == 0)
			break;
		if (line[0] == '>' || line[0] == '<') {
			open = read_bytes_line(fx, line, open);
		} else if (line[0] == '.') {
			set_option(fx, line + 1);
		} else if (strcmp(line, "expire") == 0) {
			add_call(fx)->expire = true;
			open = NULL;
		} else if (strncmp(line, "at ", 3) == 0) {
			fx->next_ts_ns = strtoul(line + 3, NULL, 10);
			open = NULL;
		} else if (line[0] == '\0') {
			open = NULL;
		} else if (line[0] != '#') {
			bad(fx, "not a line of a fixture");
		}
	}
	if (!next)
		bad(fx, "no --- with the expected text after it");
	fx->golden = next;
	fx->cfg.conn.from_start = !fx->cfg.late;
}

static void unload(struct fixture *fx)
{
	buf_free(&fx->bytes);
	free(fx->text);
}

/* How the calls of a fixture are handed out. */
struct cutting {
	size_t every; /* bytes a piece; 0: whole calls */
	size_t call;  /* the call that is cut in two at `at`, or loses [at, end) */
	size_t at, end;
	bool cut, lose;
};

static void add_piece(struct piece *out, size_t *n, const struct fixture *fx, size_t call,
		      size_t from, size_t to)
{
	const struct call *c = &fx->calls[call];

	if (from == to)
		return;
	out[(*n)++] = (struct piece){
		.dir = c->dir,
		.p = fx->bytes.p + c->at + from,
		.n = to - from,
		.call = (unsigned int)call + 1,
		.ts_ns = c->ts_ns,
		.call_start = from == 0,
	};
}

/* Lost octets, or `expire` */
static void add_gap(struct piece *out, size_t *n, const struct fixture *fx, size_t call,
		    size_t lost)
{
	const struct call *c = &fx->calls[call];

	out[(*n)++] = (struct piece){
		.dir = c->dir,
		.n = lost,
		.call = (unsigned int)call + 1,
		.ts_ns = c->ts_ns,
		.expire = c->expire,
	};
}

static void run_cut(const struct fixture *fx, const struct cutting *k, struct run *r)
{
	struct piece *pieces = calloc(fx->bytes.n + fx->count + 3, sizeof(*pieces));
	size_t count = 0;

	assert_non_null(pieces);
	for (size_t i = 0; i < fx->count; i++) {
		const struct call *c = &fx->calls[i];
		size_t step = k->every ? k->every : c->n;

		if (c->gap || c->expire) {
			add_gap(pieces, &count, fx, i, c->n);
		} else if (k->lose && k->call == i) {
			add_piece(pieces, &count, fx, i, 0, k->at);
			add_gap(pieces, &count, fx, i, k->end - k->at);
			add_piece(pieces, &count, fx, i, k->end, c->n);
		} else if (k->cut && k->call == i) {
			add_piece(pieces, &count, fx, i, 0, k->at);
			add_piece(pieces, &count, fx, i, k->at, c->n);
		} else {
			for (size_t at = 0; at < c->n; at += step)
				add_piece(pieces, &count, fx, i, at,
					  at + step < c->n ? at + step : c->n);
		}
	}
	run_pieces(r, &fx->cfg, pieces, count);
	free(pieces);
}

static void expect_golden(const struct fixture *fx, const struct cutting *k, const char *how)
{
	struct run r;

	run_cut(fx, k, &r);
	if (r.fault[0])
		complain("%s, %s, call %zu at %zu: %s", fx->path, how, k->call + 1, k->at, r.fault);
	if (strcmp((char *)r.text.p, fx->golden) != 0)
		complain("%s, %s, call %zu at %zu: it said\n%s\ninstead of\n%s", fx->path, how,
			 k->call + 1, k->at, (char *)r.text.p, fx->golden);
	run_free(&r);
}

static bool contains(const struct buf *b, struct str s)
{
	return s.n == 0 || (b->n && memmem(b->p, b->n, s.p, s.n));
}

static bool starts_with(struct str s, struct str prefix)
{
	return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

/* A value is true when it stands in the bytes, or begins one that the whole run has under that name. */
static bool value_is_true(const struct fixture *fx, const struct run *whole, const char *name,
			  struct str v)
{
	if (contains(&fx->bytes, v))
		return true;
	for (const struct txn *t = whole->txns; t; t = t->next) {
		const struct attr *a = txn_attr(t, name);

		if (a && (a->type == ATTR_STR || a->type == ATTR_BYTES) && starts_with(a->str, v))
			return true;
	}
	return false;
}

static bool header_is_true(const struct run *whole, const struct header *h)
{
	for (const struct txn *t = whole->txns; t; t = t->next)
		for (uint32_t i = 0; i < t->attr_count; i++)
			for (uint32_t j = 0;
			     t->attrs[i].type == ATTR_HEADERS && j < t->attrs[i].count; j++)
				if ((!h->name.p || str_eq(h->name, t->attrs[i].headers[j].name)) &&
				    (!h->value.p || str_eq(h->value, t->attrs[i].headers[j].value)))
					return true;
	return false;
}

/* Whether the whole run has this transaction, times aside. */
static bool txn_is_true(const struct run *whole, const struct txn *t)
{
	struct buf mine = {0}, theirs = {0};
	bool found = false;

	dump_txn(&mine, t, false);
	for (const struct txn *o = whole->txns; o && !found; o = o->next) {
		buf_clear(&theirs);
		dump_txn(&theirs, o, false);
		found = mine.n == theirs.n && memcmp(mine.p, theirs.p, mine.n) == 0;
	}
	buf_free(&mine);
	buf_free(&theirs);
	return found;
}

/* complain() about a run that lost what k says. */
#define complain_loss(fx, k, format, ...)                                                     \
	complain("%s without %zu to %zu of call %zu: " format, (fx)->path, (k)->at, (k)->end, \
		 (k)->call + 1, __VA_ARGS__)

static void check_true(const struct fixture *fx, const struct run *whole, const struct txn *t,
		       const struct cutting *k)
{
	for (uint32_t i = 0; i < t->attr_count; i++) {
		const struct attr *a = &t->attrs[i];

		if ((a->type == ATTR_STR || a->type == ATTR_BYTES) &&
		    !value_is_true(fx, whole, a->name, a->str))
			complain_loss(fx, k, "%s is invented: %.*s", a->name, (int)a->str.n,
				      a->str.p);
		for (uint32_t j = 0; a->type == ATTR_HEADERS && j < a->count; j++) {
			const struct header *h = &a->headers[j];

			if (!header_is_true(whole, h))
				complain_loss(fx, k, "header %.*s: %.*s is invented",
					      (int)h->name.n, h->name.p, (int)h->value.n,
					      h->value.p);
		}
	}
}

static void expect_honest(const struct fixture *fx, const struct run *whole,
			  const struct cutting *k)
{
	bool stated;
	struct run r;

	run_cut(fx, k, &r);
	if (r.fault[0])
		complain_loss(fx, k, "%s", r.fault);
	stated = r.lost || r.upgraded;
	for (const struct txn *t = r.txns; t; t = t->next) {
		check_true(fx, whole, t, k);
		if (t->flags & ~(unsigned int)TXN_AMBIGUOUS || t->lost_bytes)
			stated = true;
		else if (!txn_is_true(whole, t))
			complain_loss(fx, k, "this claims to be whole:\n%s", (char *)r.text.p);
	}
	if (!stated)
		complain_loss(fx, k, "nothing says so:\n%s", (char *)r.text.p);
	run_free(&r);
}

/* A call lost whole, its ends and its middle. */
static void run_losses(const struct fixture *fx, const struct run *whole, size_t call)
{
	const size_t n = fx->calls[call].n;
	const size_t ranges[][2] = {{0, n}, {n / 2, n}, {0, n / 2}, {n / 3, 2 * n / 3}};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct cutting k = {
			.call = call, .lose = true, .at = ranges[i][0], .end = ranges[i][1]};

		if (k.end > k.at && !(i && fx->ops->datagram))
			expect_honest(fx, whole, &k);
	}
}

static void run_splits(const struct fixture *fx)
{
	struct cutting k = {.cut = true};

	for (k.call = 0; k.call < fx->count; k.call++) {
		const struct call *c = &fx->calls[k.call];
		size_t step = c->n / SPLITS_MAX + 1;

		for (k.at = 1; !c->gap && k.at < c->n; k.at += step)
			expect_golden(fx, &k, "cut in two");
	}
}

/* What fixture_main() gives to each test. */
struct job {
	const char *path;
	const struct proto_ops *ops;
};

static void test_fixture(void **state)
{
	const struct job *job = *state;
	struct cutting whole = {0}, bytes = {.every = 1};
	struct fixture fx;
	struct run r;

	load(&fx, job->path, job->ops);
	expect_golden(&fx, &whole, "whole");
	if (!fx.ops->datagram) {
		expect_golden(&fx, &bytes, "byte by byte");
		run_splits(&fx);
	}
	run_cut(&fx, &whole, &r);
	for (size_t i = 0; i < fx.count && !fx.own_losses; i++)
		if (!fx.calls[i].gap && !fx.calls[i].expire)
			run_losses(&fx, &r, i);
	run_free(&r);
	unload(&fx);
}

int fixture_main(const struct proto_ops *ops, const char *folder)
{
	char pattern[256];
	struct CMUnitTest *tests;
	struct job *jobs;
	int failed = 1;
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/*.txt", folder);
	if (glob(pattern, 0, NULL, &g)) {
		fprintf(stderr, "%s: no fixtures (run from the top of the source tree)\n", pattern);
		return 1;
	}
	tests = calloc(g.gl_pathc, sizeof(*tests));
	jobs = calloc(g.gl_pathc, sizeof(*jobs));
	for (size_t i = 0; tests && jobs && i < g.gl_pathc; i++) {
		jobs[i] = (struct job){g.gl_pathv[i], ops};
		tests[i] = (struct CMUnitTest){g.gl_pathv[i], test_fixture, NULL, NULL, &jobs[i]};
	}
	if (tests && jobs)
		failed = _cmocka_run_group_tests(folder, tests, g.gl_pathc, NULL, NULL);
	txn_pool_drain();
	free(tests);
	free(jobs);
	globfree(&g);
	return failed;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "writer/text_detail.h"

#include "core/attr_names.h"
#include "select/human.h"
#include "select/utf8.h"

#define INDENT "    "
#define DUMP_BYTES 16 /* in a line */
#define UTF8_MAX_BYTES 4

static void put_indent(struct buf *b, char mark)
{
	buf_puts(b, INDENT);
	buf_putc(b, (uint8_t)mark);
	buf_putc(b, ' ');
}

static void put_header(struct buf *b, char mark, const struct header *h)
{
	put_indent(b, mark);
	if (h->name.p)
		human_text(b, h->name);
	else
		buf_putc(b, '?');
	buf_puts(b, ": ");
	if (h->value.p)
		human_text(b, h->value);
	else if (h->oversize)
		buf_puts(b, "(too long)");
	else if (!h->name.p)
		buf_printf(b, "? (table entry %lld, older than the capture)", (long long)h->ref);
	buf_puts(b, h->trailer ? " (trailer)\n" : "\n");
}

static void put_headers(struct buf *b, char mark, const struct attr *a)
{
	for (uint32_t i = 0; i < a->count; i++)
		put_header(b, mark, &a->headers[i]);
}

/* A body may be cut inside its last character. */
static bool is_text(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;
	struct utf8_char c;

	for (size_t i = 0; i < s.n; i += c.n) {
		c = utf8_next(p + i, s.n - i);
		if ((!c.valid && (i + c.n < s.n || c.n == UTF8_MAX_BYTES || p[i] < 0xc2)) ||
		    (c.valid && !c.cp))
			return false;
	}
	return true;
}

static void put_text(struct buf *b, char mark, struct str s)
{
	while (s.n) {
		const char *lf = memchr(s.p, '\n', s.n);
		size_t taken = lf ? (size_t)(lf - s.p) + 1 : s.n, n = lf ? taken - 1 : taken;

		if (lf && n && s.p[n - 1] == '\r')
			n--;
		put_indent(b, mark);
		human_text(b, (struct str){s.p, n});
		buf_putc(b, '\n');
		s.p += taken;
		s.n -= taken;
	}
}

static void put_dump(struct buf *b, char mark, struct str s)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t at = 0; at < s.n; at += DUMP_BYTES) {
		const uint8_t *p = (const uint8_t *)s.p + at;
		size_t n = s.n - at < DUMP_BYTES ? s.n - at : DUMP_BYTES;

		put_indent(b, mark);
		buf_printf(b, "%08zx ", at);
		for (size_t i = 0; i < DUMP_BYTES; i++) {
			buf_puts(b, i == DUMP_BYTES / 2 ? "  " : " ");
			buf_putc(b, i < n ? (uint8_t)hex[p[i] >> 4] : ' ');
			buf_putc(b, i < n ? (uint8_t)hex[p[i] & 15] : ' ');
		}
		buf_puts(b, "  |");
		for (size_t i = 0; i < n; i++)
			buf_putc(b, p[i] >= 0x20 && p[i] < 0x7f ? p[i] : '.');
		buf_puts(b, "|\n");
	}
}

static void put_body(struct buf *b, char mark, struct str s)
{
	if (is_text(s))
		put_text(b, mark, s);
	else
		put_dump(b, mark, s);
}

static void put_lines(struct buf *b, char mark, const struct attr *a)
{
	for (uint32_t i = 0; i < a->count; i++) {
		put_indent(b, mark);
		human_text(b, a->strs[i]);
		buf_putc(b, '\n');
	}
}

static void put_attr(struct buf *b, char mark, const struct attr *a, unsigned int verbose)
{
	if (!a)
		return;
	if (a->type == ATTR_HEADERS)
		put_headers(b, mark, a);
	else if (a->type == ATTR_STRS)
		put_lines(b, mark, a);
	else if (verbose > 1 &&
		 (a->type == ATTR_STR || a->type == ATTR_BYTES || a->type == ATTR_JSON))
		put_body(b, mark, a->str);
}

static void put_item(struct buf *b, const char *what, struct str s)
{
	if (!s.n)
		return;
	buf_puts(b, what);
	human_text(b, s);
}

/* What the hellos agreed on. */
static void put_tls(struct buf *b, const struct conn *c)
{
	if (!c->tls_version.n && !c->sni.n)
		return;
	put_indent(b, '*');
	buf_puts(b, "TLS");
	put_item(b, " ", c->tls_version);
	put_item(b, ", ", c->tls_cipher);
	put_item(b, ", server name ", c->sni);
	put_item(b, ", ALPN ", c->alpn);
	if (c->tls_resumed)
		buf_puts(b, c->tls_resumed == TLS_RESUMED_YES ? ", resumed" : ", new session");
	buf_putc(b, '\n');
}

void text_detail(struct buf *b, const struct txn *t, unsigned int verbose)
{
	static const struct {
		const char *name;
		char mark;
	} rows[] = {
		{A_REQUEST_HEADERS, '>'},
		{A_HTTP_REQUEST_BODY_CONTENT, '>'},
		{A_GRPC_REQUEST_CONTENT, '>'},
		{A_REQUEST_BODY_BASE64, '>'},
		{A_RESPONSE_HEADERS, '<'},
		{A_HTTP_RESPONSE_BODY_CONTENT, '<'},
		{A_GRPC_RESPONSE_CONTENT, '<'},
		{A_RESPONSE_BODY_BASE64, '<'},
		{A_WS_CONTENT, '|'},
		{A_DNS_ANSWERS, '<'},
		{A_DNS_AUTHORITY, '<'},
		{A_DNS_ADDITIONAL, '<'},
	};

	put_tls(b, t->conn);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		put_attr(b, rows[i].mark, txn_attr(t, rows[i].name), verbose);
}

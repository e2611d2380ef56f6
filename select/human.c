/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything is formatted by hand: these run once or more per transaction, printf costs ten times as much. */
#include "select/human.h"

#include <arpa/inet.h>

#include "identity/identity.h"
#include "select/utf8.h"

struct range {
	uint32_t first, last;
};

static bool within(const struct range *r, size_t count, uint32_t cp)
{
	for (size_t i = 0; i < count; i++)
		if (cp >= r[i].first && cp <= r[i].last)
			return true;
	return false;
}

/* Format characters: a terminal or a reader would not show them as what they are. */
static bool deceptive(uint32_t cp)
{
	static const struct range ranges[] = {
		{0xad, 0xad},	  {0x61c, 0x61c},   {0x180e, 0x180e},
		{0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
	};

	return cp >= 0xad && within(ranges, sizeof(ranges) / sizeof(ranges[0]), cp);
}

static void put_hex(struct buf *b, uint32_t v, unsigned int digits)
{
	static const char hex[] = "0123456789abcdef";

	while (digits--)
		buf_putc(b, (uint8_t)hex[v >> (4 * digits) & 15]);
}

static void put_escaped_bytes(struct buf *b, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_puts(b, "\\x");
		put_hex(b, p[i], 2);
	}
}

static void put_odd(struct buf *b, const uint8_t *p, struct utf8_char c)
{
	/* C0 and DEL, and C1, which terminals obey in UTF-8 too (ECMA-48 section 5.3). */
	if (!c.valid || c.cp < 0x20 || (c.cp >= 0x7f && c.cp < 0xa0)) {
		put_escaped_bytes(b, p, c.n);
	} else if (deceptive(c.cp)) {
		buf_puts(b, "\\u{");
		put_hex(b, c.cp, c.cp > 0xffff ? 6 : 4);
		buf_putc(b, '}');
	} else {
		buf_put(b, p, c.n);
	}
}

void human_text(struct buf *b, struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;
	struct utf8_char c;
	size_t i = 0, from;

	while (i < s.n) {
		for (from = i; i < s.n && p[i] >= 0x20 && p[i] < 0x7f; i++)
			;
		buf_put(b, p + from, i - from);
		if (i == s.n)
			return;
		c = utf8_next(p + i, s.n - i);
		put_odd(b, p + i, c);
		i += c.n;
	}
}

void human_uint(struct buf *b, uint64_t v)
{
	uint8_t digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (uint8_t)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_put(b, digits + at, sizeof(digits) - at);
}

/* v / unit with one or two decimals, cut. */
static void put_decimal(struct buf *b, uint64_t v, uint64_t unit, unsigned int decimals,
			const char *suffix)
{
	uint64_t rest = v % unit;

	human_uint(b, v / unit);
	buf_putc(b, '.');
	while (decimals--) {
		unit /= 10;
		buf_putc(b, (uint8_t)('0' + rest / unit));
		rest %= unit;
	}
	buf_puts(b, suffix);
}

void human_size(struct buf *b, uint64_t bytes)
{
	if (bytes < 1000) {
		human_uint(b, bytes);
		buf_putc(b, 'B');
	} else if (bytes < 1000000) {
		put_decimal(b, bytes, 1000, 1, "kB");
	} else if (bytes < 1000000000) {
		put_decimal(b, bytes, 1000000, 1, "MB");
	} else {
		put_decimal(b, bytes, 1000000000, 1, "GB");
	}
}

void human_duration(struct buf *b, uint64_t ns)
{
	if (ns < 1000000) {
		human_uint(b, ns / 1000);
		buf_puts(b, "us");
	} else if (ns < 1000000000) {
		put_decimal(b, ns, 1000000, 1, "ms");
	} else {
		put_decimal(b, ns, 1000000000, 2, "s");
	}
}

void human_process(struct buf *b, const struct conn *conn)
{
	if (!conn->proc) {
		buf_puts(b, "[?]");
		return;
	}
	if (!conn->proc->key.tgid) {
		buf_putc(b, '-'); /* packets of nobody knows whom */
		return;
	}
	human_text(b, conn->proc->v[ID_COMM]);
	buf_putc(b, '[');
	human_uint(b, conn->proc->key.tgid);
	buf_putc(b, ']');
}

void human_addr(struct buf *b, enum addr_family family, const struct endpoint *e)
{
	char text[INET6_ADDRSTRLEN];

	if (family == ADDR_IPV4) {
		for (size_t i = 0; i < 4; i++) {
			if (i)
				buf_putc(b, '.');
			human_uint(b, e->addr[i]);
		}
	} else if (family == ADDR_IPV6 && inet_ntop(AF_INET6, e->addr, text, sizeof(text))) {
		buf_puts(b, text);
	}
}

uint64_t human_elapsed_ns(const struct txn *t)
{
	return t->end_ns > t->start_ns ? t->end_ns - t->start_ns : 0;
}

static void put_word(struct buf *b, struct str s)
{
	if (!s.n)
		return;
	buf_putc(b, ' ');
	human_text(b, s);
}

void human_target(struct buf *b, const struct txn *t)
{
	human_text(b, t->target);
	if (!t->gist.n)
		return;
	buf_puts(b, t->target.n ? " = " : "= ");
	human_text(b, t->gist);
}

void human_event(struct buf *b, const struct txn *t)
{
	struct str args = t->conn->proc ? t->conn->proc->v[ID_CMDLINE] : STR_NONE, arg;

	human_text(b, t->verb);
	if (t->status.n) {
		put_word(b, t->status);
		return;
	}
	while (identity_next(&args, &arg)) {
		buf_putc(b, ' ');
		human_text(b, arg);
	}
}

void human_message(struct buf *b, const struct txn *t)
{
	human_process(b, t->conn);
	if (txn_is_event(t)) {
		buf_putc(b, ' ');
		human_event(b, t);
		return;
	}
	put_word(b, t->verb);
	if (t->target.n || t->gist.n)
		buf_putc(b, ' ');
	human_target(b, t);
	put_word(b, t->status.n ? t->status : t->flags & TXN_NO_RESPONSE ? STR("-") : STR_NONE);
	buf_putc(b, ' ');
	human_size(b, t->response_body_bytes);
	buf_putc(b, ' ');
	human_duration(b, human_elapsed_ns(t));
}

unsigned int human_width(uint32_t cp)
{
	/* East Asian Wide and Fullwidth (UAX #11) and emoji; combining marks of the common blocks. */
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x2e80, 0x303e},	{0x3041, 0xa4cf},   {0xac00, 0xd7a3},
		{0xf900, 0xfaff},   {0xfe30, 0xfe6f},	{0xff00, 0xff60},   {0xffe0, 0xffe6},
		{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
	};
	static const struct range none[] = {
		{0x300, 0x36f},	  {0x483, 0x489},   {0x591, 0x5bd},   {0x1ab0, 0x1aff},
		{0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
	};

	if (cp < 0x300)
		return 1;
	if (within(none, sizeof(none) / sizeof(none[0]), cp))
		return 0;
	return within(wide, sizeof(wide) / sizeof(wide[0]), cp) ? 2 : 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/dns_name.h"

#define LABEL_MAX 63
#define POINTER 0xc0
#define POINTERS_MAX 127 /* as many as a name can have labels */

static bool refuse(struct cursor *c)
{
	c->failed = true;
	return false;
}

/* Appends a label or the root; true when the name has room for it. */
static bool add_label(struct dns_name *name, struct cursor *c, uint8_t length)
{
	const uint8_t *p = cursor_bytes(c, length);

	/* the root label still has to fit, unless this is it */
	if (!p || name->n + 1u + length + (length != 0) > DNS_NAME_MAX)
		return false;
	name->octets[name->n++] = length;
	memcpy(name->octets + name->n, p, length);
	name->n = (uint8_t)(name->n + length);
	return true;
}

bool dns_name_read(struct cursor *c, struct dns_name *name)
{
	size_t start = cursor_offset(c), after = 0, target;
	unsigned int pointers = 0;
	uint8_t length;

	name->n = 0;
	for (;;) {
		length = cursor_u8(c);
		if (!cursor_ok(c))
			return false;
		if (length <= LABEL_MAX) {
			if (!add_label(name, c, length))
				return refuse(c);
			if (length)
				continue;
			return !after || cursor_seek(c, after);
		}
		if ((length & POINTER) != POINTER)
			return refuse(c); /* 01 and 10 mean nothing any more (RFC 6891 section 5) */
		target = (size_t)(length & ~POINTER) << 8 | cursor_u8(c);
		if (!cursor_ok(c) || target >= start || ++pointers > POINTERS_MAX)
			return refuse(c);
		if (!after)
			after = cursor_offset(c);
		start = target;
		if (!cursor_seek(c, target))
			return false;
	}
}

uint8_t dns_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (dns_lower(a->octets[i]) != dns_lower(b->octets[i]))
			return false;
	return true;
}

static void put_octet(struct buf *b, uint8_t c)
{
	if (c <= ' ' || c >= 0x7f) {
		buf_printf(b, "\\%03u", c);
		return;
	}
	if (strchr(".\\\"();@$", c))
		buf_putc(b, '\\');
	buf_putc(b, c);
}

void dns_name_text(struct buf *b, const struct dns_name *name, bool dot)
{
	size_t i = 0;

	if (name->n <= 1) {
		buf_putc(b, '.');
		return;
	}
	while (i < name->n && name->octets[i]) {
		size_t end = i + 1 + name->octets[i];

		if (i)
			buf_putc(b, '.');
		while (++i < end)
			put_octet(b, name->octets[i]);
	}
	if (dot)
		buf_putc(b, '.');
}

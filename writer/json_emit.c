/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "writer/json_emit.h"

#include "select/utf8.h"

/* Long values are escaped in steps, so that room is kept for one step at its worst, not for the value. */
#define STEP_BYTES 4096
#define STEP_MORE_BYTES 16 /* quotes; a step may end inside eight plain bytes or a character */
#define ESCAPE_MAX_BYTES 6 /* \u00NN */

#define ONES 0x0101010101010101ULL
#define HIGH 0x8080808080808080ULL

/* Non-zero when one of eight bytes is not plain: below 0x20, `"`, `\`, DEL or above. */
static inline uint64_t odd_bytes(uint64_t v)
{
	uint64_t quote = v ^ ONES * '"', backslash = v ^ ONES * '\\', del = v ^ ONES * 0x7f;

	return ((v - ONES * 0x20) | (quote - ONES) | (backslash - ONES) | (del - ONES) | v) & HIGH;
}

static inline bool plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static uint8_t *put_escape(uint8_t *o, uint32_t cp)
{
	static const char hex[] = "0123456789abcdef";
	static const char *const from = "\"\\\n\r\t\b\f", *const to = "\"\\nrtbf";
	const char *at = cp ? strchr(from, (int)cp) : NULL;

	*o++ = '\\';
	if (cp < 0x80 && at) {
		*o++ = (uint8_t)to[at - from];
		return o;
	}
	memcpy(o, "u00", 3);
	o[3] = (uint8_t)hex[cp >> 4 & 15];
	o[4] = (uint8_t)hex[cp & 15];
	return o + 5;
}

/* The character at p, which is not plain. */
static uint8_t *put_odd(uint8_t *o, const uint8_t *p, size_t n, size_t *taken, bool *valid)
{
	struct utf8_char c = utf8_next(p, n);

	*taken = c.n;
	if (!c.valid) {
		*valid = false;
		memcpy(o, "\xef\xbf\xbd", 3);
		return o + 3;
	}
	if (c.cp < 0xa0)
		return put_escape(o, c.cp);
	memcpy(o, p, c.n);
	return o + c.n;
}

/* Bytes until `step`, or the few beyond it that come with them; `end` is where the value ends. */
static uint8_t *put_step(uint8_t *o, const uint8_t **pos, const uint8_t *step, const uint8_t *end,
			 bool *valid)
{
	const uint8_t *p = *pos;
	size_t taken;
	uint64_t v;

	while (p < step) {
		for (; end - p >= 8 && p < step; p += 8, o += 8) {
			memcpy(&v, p, 8);
			if (odd_bytes(v))
				break;
			memcpy(o, &v, 8);
		}
		while (p < step && plain(*p))
			*o++ = *p++;
		if (p < step) {
			o = put_odd(o, p, (size_t)(end - p), &taken, valid);
			p += taken;
		}
	}
	*pos = p;
	return o;
}

bool json_quoted(struct buf *b, struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p, *end = p + s.n, *step;
	bool valid = true;
	uint8_t *o;

	if (!s.n) {
		json_puts(b, STR("\"\""));
		return true;
	}
	do {
		step = end - p > STEP_BYTES ? p + STEP_BYTES : end;
		o = json_room(b, (size_t)(step - p) * ESCAPE_MAX_BYTES + STEP_MORE_BYTES);
		if (!o)
			return valid;
		if (p == (const uint8_t *)s.p)
			*o++ = '"';
		if (p < step)
			o = put_step(o, &p, step, end, &valid);
		if (p == end)
			*o++ = '"';
		b->n = (size_t)(o - b->p);
	} while (p < end);
	return valid;
}

void json_int(struct buf *b, int64_t v)
{
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	uint8_t digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (uint8_t)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		digits[--at] = '-';
	json_puts(b, (struct str){(const char *)digits + at, sizeof(digits) - at});
}

/* RFC 4648 section 4. */
void json_base64(struct buf *b, struct str s)
{
	static const char set[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = (const uint8_t *)s.p;
	size_t left = s.n;
	uint32_t v;
	uint8_t *o;

	o = json_room(b, s.n / 3 * 4 + 6);
	if (!o)
		return;
	*o++ = '"';
	for (; left; p += 3, left -= left < 3 ? left : 3) {
		v = (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) |
		    (left > 2 ? p[2] : 0);
		*o++ = (uint8_t)set[v >> 18];
		*o++ = (uint8_t)set[v >> 12 & 63];
		*o++ = left > 1 ? (uint8_t)set[v >> 6 & 63] : '=';
		*o++ = left > 2 ? (uint8_t)set[v & 63] : '=';
	}
	*o++ = '"';
	b->n = (size_t)(o - b->p);
}

void json_raw(struct buf *b, struct str s)
{
	size_t from = b->n;

	if (buf_put(b, s.p, s.n))
		return;
	for (size_t i = from; i < b->n; i++)
		if (b->p[i] == '\n' || b->p[i] == '\r')
			b->p[i] = ' ';
}

void json_key(struct buf *b, struct str name)
{
	uint8_t *o = json_room(b, name.n + 4);

	if (!o)
		return;
	*o++ = ',';
	*o++ = '"';
	memcpy(o, name.p, name.n);
	memcpy(o + name.n, "\":", 2);
	b->n += name.n + 4;
}

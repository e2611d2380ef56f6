/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "select/json_emit.h"

#include "select/utf8.h"

/* Long values are escaped in steps, so that room is kept for one step at its worst, not for the value. */
#define STEP_BYTES 4096
#define STEP_MORE_BYTES 32 /* quotes; a step may end inside 16 plain bytes or a character */
#define ESCAPE_MAX_BYTES 6 /* \u00NN */

typedef uint8_t octets16 __attribute__((vector_size(16)));
typedef uint8_t octets8 __attribute__((vector_size(8)));

/* Is one of them not plain: below 0x20, `"`, `\\`, DEL or above? The compiler makes SIMD of it. */
static inline bool odd16(octets16 v)
{
	octets16 odd = (octets16)((v < 0x20) | (v > 0x7e) | (v == '"') | (v == '\\'));
	uint64_t half[2];

	memcpy(half, &odd, sizeof(half));
	return (half[0] | half[1]) != 0;
}

static inline bool odd8(const uint8_t *p)
{
	octets8 v, odd;
	uint64_t any;

	memcpy(&v, p, sizeof(v));
	odd = (octets8)((v < 0x20) | (v > 0x7e) | (v == '"') | (v == '\\'));
	memcpy(&any, &odd, sizeof(any));
	return any != 0;
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
	octets16 v;

	while (p < step) {
		for (; end - p >= 16 && p < step; p += 16, o += 16) {
			memcpy(&v, p, 16);
			if (odd16(v))
				break;
			memcpy(o, &v, 16);
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

/*
 * Copies n bytes when all of them are plain, as nearly all values are; else leaves rubbish at o. What is left
 * of a stride is looked at together with bytes before it.
 */
static inline bool put_plain(uint8_t *o, const uint8_t *p, size_t n)
{
	size_t at = 0;
	octets16 v;

	if (n >= 16) {
		for (;;) {
			memcpy(&v, p + at, 16);
			if (odd16(v))
				return false;
			memcpy(o + at, &v, 16);
			if (at + 16 == n)
				return true;
			at = at + 32 <= n ? at + 16 : n - 16;
		}
	}
	if (n >= 8) {
		if (odd8(p) || odd8(p + n - 8))
			return false;
		memcpy(o, p, 8);
		memcpy(o + n - 8, p + n - 8, 8);
		return true;
	}
	if (n >= 4) {
		uint8_t both[8];

		memcpy(both, p, 4);
		memcpy(both + 4, p + n - 4, 4);
		memcpy(o, both, 4);
		memcpy(o + n - 4, both + 4, 4);
		return !odd8(both);
	}
	for (; at < n && plain(p[at]); at++)
		o[at] = p[at];
	return at == n;
}

bool json_quoted(struct buf *b, struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p, *end = p + s.n, *step;
	bool valid = true;
	uint8_t *o;

	if (s.n <= STEP_BYTES) {
		o = json_room(b, s.n + 2);
		if (!o)
			return true;
		if (put_plain(o + 1, p, s.n)) {
			o[0] = o[s.n + 1] = '"';
			b->n += s.n + 2;
			return true;
		}
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
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	uint8_t digits[20];
	size_t at = sizeof(digits);

	while (u >= 100) {
		at -= 2;
		memcpy(digits + at, pairs + u % 100 * 2, 2);
		u /= 100;
	}
	if (u >= 10)
		digits[--at] = (uint8_t)('0' + u % 10);
	digits[--at] = (uint8_t)('0' + (u >= 10 ? u / 10 : u));
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

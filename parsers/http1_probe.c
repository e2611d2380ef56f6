/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether bytes begin an HTTP/1 message: a start line, or what may still become one. */
#include "parsers/http1_head.h"

#define METHOD_MAX 32
#define BLANK_LINES_MAX 8 /* octets of empty lines before a message (RFC 9112 section 2.2) */
#define TARGET_PLAIN 1024 /* so much of a target is enough to believe the rest */

/* PROBE_MORE when p holds the first n octets of the literal and it is longer than that. */
static enum probe_res literal(const uint8_t *p, size_t n, struct str want)
{
	size_t m = n < want.n ? n : want.n;

	if (memcmp(p, want.p, m) != 0)
		return PROBE_NO;
	return n < want.n ? PROBE_MORE : PROBE_YES;
}

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* After "HTTP/1.": DIGIT white space 3DIGIT, then white space or the end of the line. */
static enum probe_res probe_status(const uint8_t *p, size_t n)
{
	size_t i = 0, code;

	if (n && !digit(p[i++]))
		return PROBE_NO;
	if (i < n && !blank(p[i]))
		return PROBE_NO;
	while (i < n && blank(p[i]))
		i++;
	for (code = 0; code < 3 && i < n; code++, i++)
		if (!digit(p[i]))
			return PROBE_NO;
	if (i == n)
		return PROBE_MORE;
	return blank(p[i]) || p[i] == '\r' || p[i] == '\n' ? PROBE_YES : PROBE_NO;
}

/* A whole request line from its target on: it ends in white space and HTTP/1.DIGIT. */
static enum probe_res probe_line(const uint8_t *p, size_t n)
{
	while (n && (blank(p[n - 1]) || p[n - 1] == '\r'))
		n--;
	if (n < 10 || !digit(p[n - 1]) || memcmp(p + n - 8, "HTTP/1.", 7) != 0)
		return PROBE_NO;
	return blank(p[n - 9]) || p[n - 9] == '\r' ? PROBE_YES : PROBE_NO;
}

static enum probe_res probe_request(const uint8_t *p, size_t n)
{
	size_t i = 0, target;

	while (i < n && i <= METHOD_MAX &&
	       (((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z') || p[i] == '-' || p[i] == '_'))
		i++;
	if (i == 0 || i > METHOD_MAX)
		return PROBE_NO;
	if (i < n && !blank(p[i]))
		return PROBE_NO;
	while (i < n && blank(p[i]))
		i++;
	for (target = i; i < n; i++) {
		if (p[i] == '\n')
			return probe_line(p + target, i - target);
		if ((p[i] < ' ' && p[i] != '\t' && p[i] != '\r') || p[i] == 0x7f)
			return PROBE_NO;
	}
	return n - target > TARGET_PLAIN && p[target] == '/' ? PROBE_YES : PROBE_MORE;
}

enum probe_res http1_probe(enum dir d, const uint8_t *p, size_t n)
{
	enum probe_res version;
	size_t i = 0;

	(void)d; /* either side may turn out to be the server */
	while (i < n && i < BLANK_LINES_MAX && (p[i] == '\r' || p[i] == '\n'))
		i++;
	p += i;
	n -= i;
	if (!n)
		return PROBE_MORE;
	version = literal(p, n, STR("HTTP/1."));
	if (version == PROBE_YES)
		return probe_status(p + 7, n - 7);
	/* "H" may still become HEAD */
	return version == PROBE_MORE && n > 4 ? PROBE_MORE : probe_request(p, n);
}

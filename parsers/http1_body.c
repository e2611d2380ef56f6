/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/http1_body.h"

#define CHUNK_LINE_MAX (16u << 10) /* octets; longer ones are no chunk lines */
#define CHUNK_SIZE_MAX ((uint64_t)INT64_MAX)
#define BIT(ambiguity) (1u << AMBIGUOUS_##ambiguity)

static void begin_chunk(struct http1_content *c)
{
	c->state = CONTENT_CHUNK_SIZE;
	c->left = 0;
	c->line_bytes = 0;
	c->digits = false;
}

void http1_content_begin(struct http1_content *c, enum http1_body kind, uint64_t length)
{
	*c = (struct http1_content){.left = length};
	if (kind == BODY_CHUNKED)
		begin_chunk(c);
	else
		c->state = kind == BODY_UNTIL_CLOSE ? CONTENT_UNTIL_CLOSE : CONTENT_LENGTH;
}

bool http1_content_done(const struct http1_content *c)
{
	return c->state == CONTENT_LENGTH && c->left == 0;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum http1_piece chunk_line_end(struct http1_content *c)
{
	if (!c->digits)
		return PIECE_BAD;
	if (!c->left)
		return PIECE_TRAILERS;
	c->state = CONTENT_CHUNK_DATA;
	return PIECE_FRAMING;
}

/* chunk-size of RFC 9112 section 7.1; "0x5", "+5" and "5_0" are none. */
static enum http1_piece chunk_size(struct http1_content *c, uint8_t o)
{
	int digit = hex_digit(o);

	if (digit >= 0) {
		if (c->left > (CHUNK_SIZE_MAX - (unsigned int)digit) / 16)
			return PIECE_BAD;
		c->left = c->left * 16 + (unsigned int)digit;
		c->digits = true;
		return PIECE_FRAMING;
	}
	if (o == ' ' || o == '\t') {
		/* Some servers pad the size with spaces; before it they are an attempt at confusion. */
		c->ambiguity |= BIT(CHUNK_LINE);
		if (c->digits)
			c->state = CONTENT_CHUNK_SIZE_END;
		return PIECE_FRAMING;
	}
	return PIECE_BAD;
}

/*
 * One octet of a chunk line. LF ends it, alone or after CR; a CR elsewhere is part of the extension, as
 * the header lines have it. Extensions say nothing here (RFC 9112 section 7.1.1).
 */
static enum http1_piece chunk_line(struct http1_content *c, uint8_t o)
{
	if (++c->line_bytes > CHUNK_LINE_MAX)
		return PIECE_BAD;
	if (o == '\n') {
		if (c->state != CONTENT_CHUNK_LINE_CR)
			c->ambiguity |= BIT(BARE_LF);
		return chunk_line_end(c);
	}
	if (c->state == CONTENT_CHUNK_LINE_CR) {
		c->ambiguity |= BIT(BARE_CR);
		c->state = CONTENT_CHUNK_EXT;
	}
	if (o == '\r') {
		c->state = CONTENT_CHUNK_LINE_CR;
		return PIECE_FRAMING;
	}
	if (c->state == CONTENT_CHUNK_EXT) {
		if (o < ' ' && o != '\t')
			c->ambiguity |= BIT(CHUNK_LINE);
		return PIECE_FRAMING;
	}
	if (o == ';' && c->digits) {
		c->state = CONTENT_CHUNK_EXT;
		return PIECE_FRAMING;
	}
	if (c->state == CONTENT_CHUNK_SIZE_END)
		return o == ' ' || o == '\t' ? PIECE_FRAMING : PIECE_BAD;
	return chunk_size(c, o);
}

static enum http1_piece chunk_end(struct http1_content *c, uint8_t o)
{
	if (c->state == CONTENT_CHUNK_CRLF && o == '\r') {
		c->state = CONTENT_CHUNK_LF;
		return PIECE_FRAMING;
	}
	if (o != '\n')
		return PIECE_BAD;
	if (c->state == CONTENT_CHUNK_CRLF)
		c->ambiguity |= BIT(BARE_LF);
	begin_chunk(c);
	return PIECE_FRAMING;
}

static enum http1_piece data(struct http1_content *c, size_t n, size_t *taken)
{
	*taken = c->left < n ? (size_t)c->left : n;
	c->left -= *taken;
	if (!c->left && c->state == CONTENT_CHUNK_DATA)
		c->state = CONTENT_CHUNK_CRLF;
	return PIECE_DATA;
}

enum http1_piece http1_content_next(struct http1_content *c, const uint8_t *p, size_t n,
				    size_t *taken)
{
	enum http1_piece piece = PIECE_FRAMING;

	switch (c->state) {
	case CONTENT_UNTIL_CLOSE:
		*taken = n;
		return PIECE_DATA;
	case CONTENT_LENGTH:
	case CONTENT_CHUNK_DATA:
		return data(c, n, taken);
	default:
		break;
	}
	for (*taken = 0; *taken < n && piece == PIECE_FRAMING && c->state != CONTENT_CHUNK_DATA;
	     ++*taken)
		piece = c->state >= CONTENT_CHUNK_CRLF ? chunk_end(c, p[*taken])
						       : chunk_line(c, p[*taken]);
	return piece;
}

bool http1_content_gap(struct http1_content *c, uint64_t lost, uint64_t *content)
{
	bool inside;

	*content = 0;
	switch (c->state) {
	case CONTENT_UNTIL_CLOSE:
		*content = lost;
		return true;
	case CONTENT_LENGTH:
	case CONTENT_CHUNK_DATA:
		inside = lost <= c->left;
		*content = inside ? lost : c->left;
		c->left -= *content;
		if (!c->left && c->state == CONTENT_CHUNK_DATA)
			c->state = CONTENT_CHUNK_CRLF;
		return inside;
	default:
		return false;
	}
}

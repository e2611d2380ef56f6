/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block encoding; see the header for the contract. */
#include "writer/pcapng_blocks.h"

enum block_type {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATS = 5,
	BLOCK_PACKET = 6,
};

/* Codes are per block type, except the first two. */
enum option {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	ISB_IFRECV = 4,
	ISB_IFDROP = 5,
	EPB_FLAGS = 2,
	EPB_DROPCOUNT = 4,
	EPB_PROCESSID_THREADID = 8,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define LINKTYPE_ETHERNET 1
#define NANOSECONDS 9
#define EPB_FLAG_INBOUND 1
#define EPB_FLAG_OUTBOUND 2

#define BLOCK_HEAD_BYTES 8
#define BLOCK_TAIL_BYTES 4
#define PACKET_HEAD_BYTES (BLOCK_HEAD_BYTES + 20)
#define OPTION_HEAD_BYTES 4

static size_t padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* The longest text an option takes, whole UTF-8 sequences only. */
static struct str cut(struct str s)
{
	if (s.n > PCAPNG_COMMENT_MAX)
		for (s.n = PCAPNG_COMMENT_MAX; s.n && ((uint8_t)s.p[s.n] & 0xc0) == 0x80;)
			s.n--;
	return s;
}

static size_t begin_block(struct buf *b, enum block_type type)
{
	size_t at = b->n;

	buf_put_le(b, type, 4);
	buf_put_le(b, 0, 4);
	return at;
}

/* Ends the options and fills in both lengths. */
static void end_block(struct buf *b, size_t at)
{
	uint32_t n;

	buf_put_le(b, OPT_END, 4);
	n = (uint32_t)(b->n - at + BLOCK_TAIL_BYTES);
	buf_put_le(b, n, 4);
	if (!buf_ok(b))
		return;
	for (size_t i = 0; i < 4; i++)
		b->p[at + 4 + i] = (uint8_t)(n >> (8 * i));
}

static void put_option(struct buf *b, enum option code, const void *p, size_t n)
{
	buf_put_le(b, code, 2);
	buf_put_le(b, n, 2);
	buf_put(b, p, n);
	buf_put_le(b, 0, padded(n) - n);
}

static void put_option_str(struct buf *b, enum option code, struct str s)
{
	if (s.n)
		put_option(b, code, s.p, cut(s).n);
}

static void put_option_u64(struct buf *b, enum option code, uint64_t v)
{
	buf_put_le(b, code, 2);
	buf_put_le(b, 8, 2);
	buf_put_le(b, v, 8);
}

void pcapng_put_section(struct buf *b, struct str application, struct str comment)
{
	size_t at = begin_block(b, BLOCK_SECTION);

	buf_put_le(b, BYTE_ORDER_MAGIC, 4);
	buf_put_le(b, 1, 2); /* version 1.0 */
	buf_put_le(b, 0, 2);
	buf_put_le(b, UINT64_MAX, 8); /* length of the section: until the end */
	put_option_str(b, SHB_USERAPPL, application);
	put_option_str(b, OPT_COMMENT, comment);
	end_block(b, at);
}

void pcapng_put_interface(struct buf *b, struct str name, struct str description)
{
	size_t at = begin_block(b, BLOCK_INTERFACE);

	buf_put_le(b, LINKTYPE_ETHERNET, 2);
	buf_put_le(b, 0, 2);
	buf_put_le(b, PCAPNG_SNAPLEN_BYTES, 4);
	put_option_str(b, IF_NAME, name);
	put_option_str(b, IF_DESCRIPTION, description);
	put_option(b, IF_TSRESOL, &(uint8_t){NANOSECONDS}, 1);
	end_block(b, at);
}

void pcapng_put_stats(struct buf *b, const struct pcapng_stats *s)
{
	size_t at = begin_block(b, BLOCK_STATS);

	buf_put_le(b, s->iface, 4);
	buf_put_le(b, s->last_ns >> 32, 4);
	buf_put_le(b, s->last_ns, 4);
	put_option_u64(b, ISB_IFRECV, s->received);
	put_option_u64(b, ISB_IFDROP, s->dropped);
	end_block(b, at);
}

/* Packets are many and long: their blocks are written in place, not through a buffer. */
static uint8_t *le(uint8_t *p, uint64_t v, size_t octets)
{
	for (size_t i = 0; i < octets; i++)
		p[i] = (uint8_t)(v >> (8 * i));
	return p + octets;
}

static uint8_t *le_option(uint8_t *p, enum option code, size_t n)
{
	return le(le(p, code, 2), n, 2);
}

size_t pcapng_packet_bytes(const struct pcapng_packet *k, size_t n)
{
	size_t options = OPTION_HEAD_BYTES + 4 + OPTION_HEAD_BYTES + 8 + OPTION_HEAD_BYTES;

	if (k->comment.n)
		options += OPTION_HEAD_BYTES + padded(cut(k->comment).n);
	if (k->dropped)
		options += OPTION_HEAD_BYTES + 8;
	return PACKET_HEAD_BYTES + padded(n) + options + BLOCK_TAIL_BYTES;
}

uint8_t *pcapng_packet_frame(uint8_t *block)
{
	return block + PACKET_HEAD_BYTES;
}

static uint8_t *put_packet_options(uint8_t *p, const struct pcapng_packet *k)
{
	struct str comment = cut(k->comment);

	if (comment.n) {
		p = le_option(p, OPT_COMMENT, comment.n);
		memcpy(p, comment.p, comment.n);
		memset(p + comment.n, 0, padded(comment.n) - comment.n);
		p += padded(comment.n);
	}
	p = le_option(p, EPB_FLAGS, 4);
	p = le(p, k->dir == DIR_READ ? EPB_FLAG_INBOUND : EPB_FLAG_OUTBOUND, 4);
	if (k->dropped) {
		p = le_option(p, EPB_DROPCOUNT, 8);
		p = le(p, k->dropped, 8);
	}
	p = le_option(p, EPB_PROCESSID_THREADID, 8);
	p = le(p, k->pid, 4);
	p = le(p, k->tid, 4);
	return le_option(p, OPT_END, 0);
}

void pcapng_packet_seal(uint8_t *block, const struct pcapng_packet *k, size_t n)
{
	size_t total = pcapng_packet_bytes(k, n);
	uint8_t *p = block;

	p = le(p, BLOCK_PACKET, 4);
	p = le(p, total, 4);
	p = le(p, k->iface, 4);
	p = le(p, k->ts_ns >> 32, 4);
	p = le(p, k->ts_ns, 4);
	p = le(p, n, 4);
	p = le(p, n, 4);
	memset(p + n, 0, padded(n) - n);
	p = put_packet_options(p + padded(n), k);
	le(p, total, 4);
}

/* Octets of the UTF-8 sequence at p that needs no escape, 0 when there is none (RFC 3629). */
static size_t clean_sequence(const uint8_t *p, size_t n)
{
	uint32_t c = p[0];
	size_t len;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f && c != '\\';
	len = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
	if (!len || len > n)
		return 0;
	c &= 0x7fu >> len;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < 0xa0 || (len == 3 && c < 0x800) || (len == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return c >= 0xd800 && c <= 0xdfff ? 0 : len;
}

static void put_text(struct buf *b, struct str s, bool word)
{
	const uint8_t *p = (const uint8_t *)s.p;
	size_t n = s.n < PCAPNG_TEXT_MAX ? s.n : PCAPNG_TEXT_MAX, len;

	for (size_t i = 0; i < n; i += len) {
		len = word && p[i] == ' ' ? 0 : clean_sequence(p + i, n - i);
		if (len) {
			buf_put(b, p + i, len);
		} else {
			buf_printf(b, "\\x%02x", p[i]);
			len = 1;
		}
	}
}

void pcapng_put_text(struct buf *b, struct str s)
{
	put_text(b, s, false);
}

void pcapng_put_word(struct buf *b, struct str s)
{
	put_text(b, s, true);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/pcapng_read.h"

#include <errno.h>
#include <stdlib.h>

#include "core/cursor.h"

#define BLOCK_SECTION 0x0a0d0d0au /* the same in either byte order */
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define BLOCK_HEAD_BYTES 8
#define BLOCK_LEAST_BYTES 12
#define SECTION_LEAST_BYTES 28

/* Codes are per block type, but for the first two. */
enum option {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	IF_TSOFFSET = 14,
	EPB_FLAGS = 2,
	EPB_DROPCOUNT = 4,
	EPB_PROCESSID_THREADID = 8,
};

#define NS_PER_S 1000000000u
#define TSRESOL_DEFAULT 6 /* microseconds */
#define TSRESOL_BINARY 0x80
#define TSRESOL_DECIMAL_MAX 19
#define TSRESOL_BINARY_MAX 63

struct iface {
	uint16_t linktype;
	uint8_t tsresol;
	int64_t offset_s;
};

struct pcapng_reader {
	struct input *in; /* borrowed */
	bool big, in_section;
	const char *damage; /* static */
	struct iface *ifaces;
	uint32_t iface_count, iface_cap;
};

/* A block's body in the byte order of its section. */
struct body {
	struct cursor c;
	bool big;
};

struct pcapng_reader *pcapng_reader_new(struct input *in)
{
	struct pcapng_reader *r = calloc(1, sizeof(*r));

	if (r)
		r->in = in;
	return r;
}

void pcapng_reader_free(struct pcapng_reader *r)
{
	if (r)
		free(r->ifaces);
	free(r);
}

const char *pcapng_reader_damage(const struct pcapng_reader *r)
{
	return r->damage;
}

static int damaged(struct pcapng_reader *r, const char *how)
{
	r->damage = how;
	return -EBADMSG;
}

static uint16_t u16(struct body *b)
{
	return b->big ? cursor_u16(&b->c) : cursor_u16le(&b->c);
}

static uint32_t u32(struct body *b)
{
	return b->big ? cursor_u32(&b->c) : cursor_u32le(&b->c);
}

static uint64_t u64(struct body *b)
{
	return b->big ? cursor_u64(&b->c) : cursor_u64le(&b->c);
}

/* Steps over one option and its padding; false at the end of them or when they are damaged. */
static bool next_option(struct body *b, uint16_t *code, struct body *value)
{
	uint16_t n;

	if (!cursor_left(&b->c))
		return false;
	*code = u16(b);
	n = u16(b);
	if (*code == OPT_END || !cursor_ok(&b->c))
		return false;
	value->big = b->big;
	value->c = cursor_sub(&b->c, n);
	cursor_skip(&b->c, -(size_t)n & 3);
	return cursor_ok(&b->c);
}

static struct str text(const struct body *value)
{
	return (struct str){(const char *)value->c.pos, cursor_left(&value->c)};
}

static int read_section(struct pcapng_reader *r, struct body *b, struct pcapng_block *out)
{
	struct body value;
	uint16_t code;

	cursor_skip(&b->c, 4); /* the byte order was looked at before */
	if (u16(b) != 1)
		return damaged(r, "a version that is not known");
	cursor_skip(&b->c, 2 + 8);
	while (next_option(b, &code, &value)) {
		if (code == SHB_USERAPPL)
			out->application = text(&value);
		else if (code == OPT_COMMENT && !out->comment.p)
			out->comment = text(&value);
	}
	r->iface_count = 0;
	r->in_section = true;
	out->kind = PCAPNG_SECTION;
	return cursor_ok(&b->c) ? 1 : damaged(r, "options of a section");
}

static int iface_add(struct pcapng_reader *r, const struct iface *f)
{
	uint32_t cap = r->iface_cap ? r->iface_cap * 2 : 16;
	struct iface *grown;

	if (r->iface_count == PCAPNG_READ_IFACES_MAX)
		return damaged(r, "too many interfaces");
	if (r->iface_count == r->iface_cap) {
		grown = reallocarray(r->ifaces, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		r->ifaces = grown;
		r->iface_cap = cap;
	}
	r->ifaces[r->iface_count++] = *f;
	return 1;
}

static bool known_resolution(uint8_t v)
{
	return (v & ~TSRESOL_BINARY) <=
	       (v & TSRESOL_BINARY ? TSRESOL_BINARY_MAX : TSRESOL_DECIMAL_MAX);
}

static int read_interface(struct pcapng_reader *r, struct body *b, struct pcapng_block *out)
{
	struct iface f = {.linktype = u16(b), .tsresol = TSRESOL_DEFAULT};
	struct body value;
	uint16_t code;

	cursor_skip(&b->c, 2 + 4);
	while (next_option(b, &code, &value)) {
		if (code == IF_NAME)
			out->name = text(&value);
		else if (code == IF_DESCRIPTION)
			out->description = text(&value);
		else if (code == IF_TSRESOL)
			f.tsresol = cursor_u8(&value.c);
		else if (code == IF_TSOFFSET)
			f.offset_s = (int64_t)u64(&value);
	}
	if (!cursor_ok(&b->c) || !known_resolution(f.tsresol))
		return damaged(r, "options of an interface");
	out->kind = PCAPNG_INTERFACE;
	out->iface = r->iface_count;
	out->linktype = f.linktype;
	return iface_add(r, &f);
}

/* In nanoseconds since the epoch; what is beyond all reason is cut to the limit. */
static uint64_t time_of(const struct iface *f, uint64_t units)
{
	__int128 ns = units;
	unsigned int v = f->tsresol & ~TSRESOL_BINARY;

	if (f->tsresol & TSRESOL_BINARY) {
		ns = (ns * NS_PER_S) >> v;
	} else {
		for (; v < 9; v++)
			ns *= 10;
		for (; v > 9; v--)
			ns /= 10;
	}
	ns += (__int128)f->offset_s * NS_PER_S;
	if (ns < 0)
		return 0;
	return ns > (__int128)PCAPNG_READ_TIME_MAX_NS ? PCAPNG_READ_TIME_MAX_NS : (uint64_t)ns;
}

static void packet_option(struct pcapng_block *out, uint16_t code, struct body *value)
{
	switch (code) {
	case OPT_COMMENT:
		if (!out->comment.p)
			out->comment = text(value);
		break;
	case EPB_FLAGS:
		out->direction = u32(value) & 3;
		break;
	case EPB_DROPCOUNT:
		out->dropped = u64(value);
		break;
	case EPB_PROCESSID_THREADID:
		out->pid = u32(value);
		out->tid = u32(value);
		break;
	default:
		break;
	}
}

static int read_packet(struct pcapng_reader *r, struct body *b, struct pcapng_block *out)
{
	struct body value;
	uint64_t units;
	uint16_t code;

	out->kind = PCAPNG_PACKET;
	out->iface = u32(b);
	units = (uint64_t)u32(b) << 32;
	units |= u32(b);
	out->captured = u32(b);
	out->len = u32(b);
	if (!cursor_ok(&b->c) || out->iface >= r->iface_count)
		return damaged(r, "a packet of no interface");
	out->linktype = r->ifaces[out->iface].linktype;
	out->ts_ns = time_of(&r->ifaces[out->iface], units);
	out->frame = cursor_bytes(&b->c, out->captured);
	cursor_skip(&b->c, -out->captured & 3);
	if (!cursor_ok(&b->c) || out->len < out->captured)
		return damaged(r, "the length of a packet");
	while (next_option(b, &code, &value))
		packet_option(out, code, &value);
	return cursor_ok(&b->c) ? 1 : damaged(r, "options of a packet");
}

/* The byte order of a section stands behind its head and holds for all of it. */
static int adopt_byte_order(struct pcapng_reader *r)
{
	struct body b = {cursor_init(r->in->buf + r->in->at + BLOCK_HEAD_BYTES, 4), false};
	uint32_t magic = u32(&b);

	r->big = magic == __builtin_bswap32(BYTE_ORDER_MAGIC);
	return r->big || magic == BYTE_ORDER_MAGIC ? 0 : damaged(r, "no byte order");
}

/* Finds the next block whole in the buffer. 1, 0 at the end, or a negative errno. */
static int next_block(struct pcapng_reader *r, uint32_t *type, uint32_t *len)
{
	struct input *in = r->in;
	struct body head, tail;
	int err = input_fill(in, BLOCK_LEAST_BYTES);

	if (err)
		return err;
	if (in->at == in->n)
		return 0;
	if (in->n - in->at < BLOCK_LEAST_BYTES)
		return damaged(r, "cut within a block");
	head = (struct body){cursor_init(in->buf + in->at, BLOCK_HEAD_BYTES), r->big};
	*type = u32(&head);
	if (*type == BLOCK_SECTION) {
		err = adopt_byte_order(r);
		if (err)
			return err;
		head.big = r->big;
	} else if (!r->in_section) {
		return damaged(r, "no section");
	}
	*len = u32(&head);
	if (*len < (*type == BLOCK_SECTION ? SECTION_LEAST_BYTES : BLOCK_LEAST_BYTES) || *len & 3 ||
	    *len > PCAPNG_READ_BLOCK_MAX)
		return damaged(r, "impossible length of a block");
	err = input_fill(in, *len);
	if (err)
		return err;
	if (in->n - in->at < *len)
		return damaged(r, "cut within a block");
	tail = (struct body){cursor_init(in->buf + in->at + *len - 4, 4), r->big};
	return u32(&tail) == *len ? 1 : damaged(r, "the two lengths of a block");
}

int pcapng_read(struct pcapng_reader *r, struct pcapng_block *out)
{
	uint32_t type = 0, len = 0;
	struct body b;
	int res;

	for (;;) {
		res = r->damage ? -EBADMSG : next_block(r, &type, &len);
		if (res != 1)
			return res;
		*out = (struct pcapng_block){0};
		b.c = cursor_init(r->in->buf + r->in->at + BLOCK_HEAD_BYTES,
				  len - BLOCK_LEAST_BYTES);
		b.big = r->big;
		if (type == BLOCK_SECTION)
			res = read_section(r, &b, out);
		else if (type == BLOCK_INTERFACE)
			res = read_interface(r, &b, out);
		else if (type == BLOCK_PACKET)
			res = read_packet(r, &b, out);
		else
			res = 0;
		if (res < 0)
			return res;
		input_skip(r->in, len);
		if (res)
			return res;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/frame_read.h"

#include <netinet/in.h>
#include <pcap/dlt.h>

#include "core/cursor.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define VLAN_TAGS_MAX 4
#define EXTENSIONS_MAX 16 /* headers of IPv6 in a row */
#define IPV6_HEAD_BYTES 40
#define FRAGMENT_OFFSET_AND_MORE 0x3fff
#define FRAGMENT6_OFFSET_AND_MORE 0xfff9

/* The EtherType of what follows; 0: none. */
static uint16_t read_ethertype(struct cursor *c)
{
	uint16_t type = cursor_u16(c);

	for (int i = 0; (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) && i < VLAN_TAGS_MAX;
	     i++) {
		cursor_skip(c, 2);
		type = cursor_u16(c);
	}
	return type;
}

static uint16_t type_by_version(const struct cursor *c)
{
	if (!cursor_left(c))
		return 0;
	return c->pos[0] >> 4 == 4 ? ETHERTYPE_IPV4 : c->pos[0] >> 4 == 6 ? ETHERTYPE_IPV6 : 0;
}

/* Steps over the head of the link layer. */
static enum frame_res read_link(struct cursor *c, int dlt, uint16_t *type)
{
	switch (dlt) {
	case DLT_EN10MB:
		cursor_skip(c, 12);
		*type = read_ethertype(c);
		break;
	case DLT_LINUX_SLL:
		cursor_skip(c, 14);
		*type = read_ethertype(c);
		break;
	case DLT_LINUX_SLL2:
		*type = cursor_u16(c);
		cursor_skip(c, 18);
		break;
	case DLT_NULL: /* the address family, in the byte order of whoever captured */
	case DLT_LOOP:
		cursor_skip(c, 4);
		*type = type_by_version(c);
		break;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		*type = type_by_version(c);
		break;
	default:
		return FRAME_LINK;
	}
	if (!cursor_ok(c))
		return FRAME_CUT;
	return *type == ETHERTYPE_IPV4 || *type == ETHERTYPE_IPV6 ? FRAME_OK : FRAME_NOT_IP;
}

static void take_addr(struct cursor *c, struct endpoint *e, size_t n)
{
	const uint8_t *p = cursor_bytes(c, n);

	*e = (struct endpoint){0};
	if (p)
		memcpy(e->addr, p, n);
}

/*
 * What the IP packet says is behind its head: `want` bytes, of which what was captured is left in the cursor;
 * what stands behind it is padding of the link layer. 0 of a length: segmentation was left to the network card.
 */
static bool bound(struct cursor *c, size_t want)
{
	if (!cursor_ok(c))
		return false;
	if (cursor_left(c) > want)
		c->end = c->pos + want;
	return true;
}

static enum frame_res read_ipv4(struct frame *f, struct cursor *c, uint8_t *proto, size_t *want)
{
	uint8_t head = (uint8_t)((cursor_u8(c) & 0x0f) * 4);
	uint16_t total, fragment;

	cursor_skip(c, 1);
	total = cursor_u16(c);
	cursor_skip(c, 2);
	fragment = cursor_u16(c);
	cursor_skip(c, 1);
	*proto = cursor_u8(c);
	cursor_skip(c, 2);
	take_addr(c, &f->src, 4);
	take_addr(c, &f->dst, 4);
	if (head < 20)
		return FRAME_CUT;
	cursor_skip(c, head - 20u);
	*want = total ? (size_t)total - head : cursor_left(c);
	if ((total && total < head) || !bound(c, *want))
		return FRAME_CUT;
	return fragment & FRAGMENT_OFFSET_AND_MORE ? FRAME_FRAGMENT : FRAME_OK;
}

/* Headers that stand between IPv6 and what it carries (RFC 8200 section 4). */
static enum frame_res skip_extensions(struct cursor *c, uint8_t *proto)
{
	uint16_t fragment;
	uint8_t next;

	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		if (*proto == IPPROTO_FRAGMENT) {
			next = cursor_u8(c);
			cursor_skip(c, 1);
			fragment = cursor_u16(c);
			cursor_skip(c, 4);
			if (fragment & FRAGMENT6_OFFSET_AND_MORE)
				return FRAME_FRAGMENT;
		} else if (*proto == IPPROTO_HOPOPTS || *proto == IPPROTO_ROUTING ||
			   *proto == IPPROTO_DSTOPTS) {
			next = cursor_u8(c);
			cursor_skip(c, cursor_u8(c) * 8u + 6);
		} else {
			return FRAME_OK;
		}
		if (!cursor_ok(c))
			return FRAME_CUT;
		*proto = next;
	}
	return FRAME_NOT_TCP_UDP;
}

static enum frame_res read_ipv6(struct frame *f, struct cursor *c, uint8_t *proto, size_t *want)
{
	enum frame_res res;
	const uint8_t *begin;
	size_t total;

	cursor_skip(c, 4);
	total = cursor_u16(c);
	*proto = cursor_u8(c);
	cursor_skip(c, 1);
	take_addr(c, &f->src, 16);
	take_addr(c, &f->dst, 16);
	if (!total)
		total = cursor_left(c);
	if (!bound(c, total))
		return FRAME_CUT;
	begin = c->pos;
	res = skip_extensions(c, proto);
	*want = total - (size_t)(c->pos - begin);
	return res;
}

static enum frame_res read_tcp(struct frame *f, struct cursor *c, size_t want)
{
	size_t head;

	f->src.port = cursor_u16(c);
	f->dst.port = cursor_u16(c);
	f->seq = cursor_u32(c);
	f->ack = cursor_u32(c);
	head = (size_t)(cursor_u8(c) >> 4) * 4;
	f->flags = cursor_u8(c);
	cursor_skip(c, 6);
	if (head < 20 || head > want || !cursor_skip(c, head - 20))
		return FRAME_CUT;
	f->want = want - head;
	return FRAME_OK;
}

static enum frame_res read_udp(struct frame *f, struct cursor *c, size_t want)
{
	uint16_t len;

	f->src.port = cursor_u16(c);
	f->dst.port = cursor_u16(c);
	len = cursor_u16(c);
	cursor_skip(c, 2);
	if (!cursor_ok(c) || len < 8 || len > want)
		return FRAME_CUT;
	f->want = len - 8u;
	bound(c, f->want);
	return FRAME_OK;
}

enum frame_res frame_read(struct frame *f, int dlt, const uint8_t *p, size_t captured)
{
	struct cursor c = cursor_init(p, captured);
	enum frame_res res;
	uint16_t type = 0;
	uint8_t proto = 0;
	size_t want = 0;

	*f = (struct frame){0};
	res = read_link(&c, dlt, &type);
	if (res != FRAME_OK)
		return res;
	f->v6 = type == ETHERTYPE_IPV6;
	res = f->v6 ? read_ipv6(f, &c, &proto, &want) : read_ipv4(f, &c, &proto, &want);
	if (res != FRAME_OK)
		return res;
	f->udp = proto == IPPROTO_UDP;
	if (!f->udp && proto != IPPROTO_TCP)
		return FRAME_NOT_TCP_UDP;
	res = f->udp ? read_udp(f, &c, want) : read_tcp(f, &c, want);
	f->payload = c.pos;
	f->n = cursor_left(&c);
	return res;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers and checksums of synthetic frames; see the header for the contract. */
#include "writer/pcapng_frames.h"

#include <netinet/in.h>

#define ETH_BYTES 14
#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define TCP_BYTES 20
#define UDP_BYTES 8
#define HOP_LIMIT 64

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, (uint16_t)(v >> 16)), (uint16_t)v);
}

static uint8_t *put_bytes(uint8_t *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

/*
 * Adds bytes to a one's complement sum. Its words may be summed in any byte order and width as long
 * as the result is folded and stored in that order (RFC 1071 section 2), hence native 32-bit words.
 */
static uint64_t sum_bytes(uint64_t sum, const uint8_t *p, size_t n)
{
	uint16_t tail = 0;
	uint32_t word;

	for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (n >= sizeof(tail)) {
		memcpy(&tail, p, sizeof(tail));
		sum += tail;
		p += sizeof(tail);
		n -= sizeof(tail);
	}
	if (n) {
		tail = 0;
		memcpy(&tail, p, 1);
		sum += tail;
	}
	return sum;
}

/* Stores the complement of the folded sum; it is in native order already. */
static uint16_t put_checksum(uint8_t *at, uint64_t sum)
{
	uint16_t folded;

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	folded = (uint16_t)~sum;
	memcpy(at, &folded, sizeof(folded));
	return folded;
}

static size_t ip_bytes(const struct frame_path *path)
{
	return path->v6 ? IPV6_BYTES : IPV4_BYTES;
}

static size_t addr_bytes(const struct frame_path *path)
{
	return path->v6 ? 16 : 4;
}

size_t pcapng_frame_tcp_head_bytes(const struct frame_path *path)
{
	return ETH_BYTES + ip_bytes(path) + TCP_BYTES;
}

size_t pcapng_frame_udp_head_bytes(const struct frame_path *path)
{
	return ETH_BYTES + ip_bytes(path) + UDP_BYTES;
}

/* Ethernet addresses stay zero, as on the loopback device: nobody knows them, none is made up. */
static uint8_t *put_eth(uint8_t *p, const struct frame_path *path)
{
	memset(p, 0, 12);
	return put16(p + 12, path->v6 ? 0x86dd : 0x0800);
}

/* RFC 791 section 3.1; never fragmented, so DF is set. */
static uint8_t *put_ipv4(uint8_t *p, const struct frame_path *path, enum dir dir, uint8_t proto,
			 uint16_t ip_id, size_t n)
{
	uint8_t *head = p;

	p = put16(p, 0x4500);
	p = put16(p, (uint16_t)(IPV4_BYTES + n));
	p = put16(p, ip_id);
	p = put16(p, 0x4000);
	*p++ = HOP_LIMIT;
	*p++ = proto;
	p = put16(p, 0);
	p = put_bytes(p, path->end[dir].addr, 4);
	p = put_bytes(p, path->end[dir_other(dir)].addr, 4);
	put_checksum(head + 10, sum_bytes(0, head, IPV4_BYTES));
	return p;
}

/* RFC 8200 section 3. */
static uint8_t *put_ipv6(uint8_t *p, const struct frame_path *path, enum dir dir, uint8_t proto,
			 size_t n)
{
	p = put32(p, 0x60000000);
	p = put16(p, (uint16_t)n);
	*p++ = proto;
	*p++ = HOP_LIMIT;
	p = put_bytes(p, path->end[dir].addr, 16);
	return put_bytes(p, path->end[dir_other(dir)].addr, 16);
}

/* Everything in front of the transport header; n is what follows the IP header. */
static uint8_t *put_network(uint8_t *p, const struct frame_path *path, enum dir dir, uint8_t proto,
			    uint16_t ip_id, size_t n)
{
	p = put_eth(p, path);
	if (path->v6)
		return put_ipv6(p, path, dir, proto, n);
	return put_ipv4(p, path, dir, proto, ip_id, n);
}

/* The pseudo headers of RFC 9293 section 3.1 and RFC 8200 section 8.1 sum the same words. */
static uint64_t sum_transport(const struct frame_path *path, uint8_t proto, const uint8_t *p,
			      size_t n)
{
	uint8_t tail[4] = {0, proto};
	uint64_t sum;

	put16(tail + 2, (uint16_t)n);
	sum = sum_bytes(0, tail, sizeof(tail));
	sum = sum_bytes(sum, path->end[DIR_WRITE].addr, addr_bytes(path));
	sum = sum_bytes(sum, path->end[DIR_READ].addr, addr_bytes(path));
	return sum_bytes(sum, p, n);
}

size_t pcapng_frame_tcp_seal(uint8_t *frame, const struct frame_path *path,
			     const struct frame_tcp *tcp, size_t n)
{
	uint8_t *head = put_network(frame, path, tcp->dir, IPPROTO_TCP, tcp->ip_id, TCP_BYTES + n);
	uint8_t *p = head;

	p = put16(p, path->end[tcp->dir].port);
	p = put16(p, path->end[dir_other(tcp->dir)].port);
	p = put32(p, tcp->seq);
	p = put32(p, tcp->ack);
	*p++ = TCP_BYTES / 4 << 4;
	*p++ = tcp->flags;
	p = put16(p, FRAME_TCP_WINDOW);
	put32(p, 0); /* checksum, urgent pointer */
	put_checksum(p, sum_transport(path, IPPROTO_TCP, head, TCP_BYTES + n));
	return pcapng_frame_tcp_head_bytes(path) + n;
}

size_t pcapng_frame_udp_seal(uint8_t *frame, const struct frame_path *path, enum dir dir,
			     uint16_t ip_id, size_t n)
{
	uint8_t *head = put_network(frame, path, dir, IPPROTO_UDP, ip_id, UDP_BYTES + n);
	uint8_t *p = head;

	p = put16(p, path->end[dir].port);
	p = put16(p, path->end[dir_other(dir)].port);
	p = put16(p, (uint16_t)(UDP_BYTES + n));
	put16(p, 0);
	/* A sum of zero means "none", so it goes as its other form (RFC 768). */
	if (put_checksum(p, sum_transport(path, IPPROTO_UDP, head, UDP_BYTES + n)) == 0)
		put16(p, 0xffff);
	return pcapng_frame_udp_head_bytes(path) + n;
}

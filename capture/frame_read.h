/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a captured frame to the TCP or UDP payload in it. Borrows the frame; no reassembly. */
#ifndef TLSLENS_CAPTURE_FRAME_READ_H
#define TLSLENS_CAPTURE_FRAME_READ_H

#include "core/conn.h"

enum frame_res {
	FRAME_OK,
	FRAME_LINK, /* a link type that is not read */
	FRAME_NOT_IP,
	FRAME_NOT_TCP_UDP,
	FRAME_FRAGMENT, /* of an IP packet, not its whole */
	FRAME_CUT,	/* its headers are not all there, or contradict each other */
	FRAME_RESULTS,
};

enum frame_flag { /* of TCP, RFC 9293 section 3.1 */
	FRAME_FIN = 0x01,
	FRAME_SYN = 0x02,
	FRAME_RST = 0x04,
	FRAME_ACK = 0x10,
};

struct frame {
	bool v6, udp;
	struct endpoint src, dst;
	uint32_t seq, ack;
	uint8_t flags;
	const uint8_t *payload;
	size_t n;    /* captured of it */
	size_t want; /* what the packet had */
};

/* DLT_EN10MB (with VLAN tags), DLT_LINUX_SLL, _SLL2, DLT_RAW, _IPV4, _IPV6, DLT_NULL and _LOOP. */
enum frame_res frame_read(struct frame *f, int dlt, const uint8_t *p, size_t captured);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Synthetic Ethernet frames: IPv4 or IPv6, TCP or UDP, with correct lengths and checksums. Built in
 * place around a payload that already stands where it belongs, so that the bytes are copied once.
 */
#ifndef TLSLENS_WRITER_PCAPNG_FRAMES_H
#define TLSLENS_WRITER_PCAPNG_FRAMES_H

#include "core/conn.h"

/* The longest TCP payload of an IPv4 packet: 65535 - 20 - 20; IPv6 packets keep to it too. */
#define FRAME_TCP_PAYLOAD_MAX 65495u
/* The same of UDP: 65535 - 20 - 8. */
#define FRAME_UDP_PAYLOAD_MAX 65507u
#define FRAME_HEAD_MAX (14 + 40 + 20)
#define FRAME_TCP_WINDOW 65535u

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
};

/* Between whom: `end` is indexed by the direction in which that end sends. */
struct frame_path {
	struct endpoint end[DIR_COUNT];
	bool v6;
};

struct frame_tcp {
	enum dir dir;
	uint16_t ip_id;
	uint32_t seq, ack;
	uint8_t flags; /* enum tcp_flag */
};

/* Octets in front of the payload. */
size_t pcapng_frame_tcp_head_bytes(const struct frame_path *path);
size_t pcapng_frame_udp_head_bytes(const struct frame_path *path);

/*
 * Write the headers at `frame`, for the n payload bytes pcapng_frame_*_head_bytes() behind
 * it; n is at most FRAME_*_PAYLOAD_MAX. Return the length of the frame.
 */
size_t pcapng_frame_tcp_seal(uint8_t *frame, const struct frame_path *path,
			     const struct frame_tcp *tcp, size_t n);
size_t pcapng_frame_udp_seal(uint8_t *frame, const struct frame_path *path, enum dir dir,
			     uint16_t ip_id, size_t n);

#endif

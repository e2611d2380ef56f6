/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a pcapng file of ours back, sharing no code with the writer, and fails the running test on
 * any octet that is not as the formats say: block lengths, IP lengths, checksums, sequence numbers,
 * records.
 */
#ifndef TLSLENS_TESTS_PCAPNG_READER_H
#define TLSLENS_TESTS_PCAPNG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rd_iface {
	char name[512], description[4200];
	bool has_stats;
	uint64_t received, dropped;
};

struct rd_packet {
	uint32_t iface, pid, tid, direction;
	uint64_t ts_ns, dropped;
	char *comment; /* owned; "" when there is none */
	bool v6, udp;
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags;
	const uint8_t *payload;
	size_t n;
};

#define RD_FIN 1
#define RD_SYN 2
#define RD_PSH 8
#define RD_ACK 16

struct rd_file {
	uint8_t *bytes;
	size_t size;
	char application[128], comment[512];
	struct rd_iface *ifaces;
	size_t iface_count;
	struct rd_packet *packets;
	size_t packet_count;
};

/* One TCP conversation; index 0 is what the client sent, 1 what the server sent. */
struct rd_conv {
	const struct rd_packet *syn;
	uint32_t next[2], acked[2], isn[2];
	bool fin[2];
	unsigned int handshake; /* packets of the SYN exchange seen */
	uint8_t *bytes[2];
	size_t n[2];
};

struct rd_convs {
	struct rd_conv *v;
	size_t count;
};

/* What the NULL-cipher records of one direction carry. */
struct rd_tls {
	uint8_t random[32];
	char sni[256], alpn[256];
	bool hello, done, ccs;
	size_t records;
	uint8_t *plain;
	size_t n;
};

void rd_open(struct rd_file *f, const char *path);
void rd_free(struct rd_file *f);
/* Follows every TCP conversation of the file, in order of their SYNs. */
void rd_follow(const struct rd_file *f, struct rd_convs *c);
void rd_convs_free(struct rd_convs *c);
void rd_tls_read(const struct rd_conv *c, int side, struct rd_tls *t);
void rd_tls_free(struct rd_tls *t);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters in the syntax of pcap-filter(7), compiled by libpcap. */
#ifndef TLSLENS_CAPTURE_PACKET_FILTER_H
#define TLSLENS_CAPTURE_PACKET_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packet_filter;

#define LINKTYPE_ETHERNET 1

/*
 * For frames of a link type (LINKTYPE_*). 0; -EINVAL with libpcap's reason in why[0, n); -ENOMEM. Names of hosts
 * are looked up now.
 */
int packet_filter_compile(struct packet_filter **f, const char *expr, int linktype, char *why,
			  size_t n);
void packet_filter_free(struct packet_filter *f);
/* `captured` octets of a frame that was `n` long. NULL lets everything through. */
bool packet_filter_match(const struct packet_filter *f, const uint8_t *frame, size_t captured,
			 size_t n);

#endif

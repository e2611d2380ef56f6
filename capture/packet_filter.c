/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/packet_filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <pcap/pcap.h>

#define SNAPLEN_BYTES 262144

struct packet_filter {
	struct bpf_program program;
};

int packet_filter_compile(struct packet_filter **out, const char *expr, int linktype, char *why,
			  size_t n)
{
	pcap_t *dead = pcap_open_dead(linktype, SNAPLEN_BYTES);
	struct packet_filter *f = calloc(1, sizeof(*f));
	int err = dead && f ? 0 : -ENOMEM;

	if (!err && pcap_compile(dead, &f->program, expr, 1, PCAP_NETMASK_UNKNOWN)) {
		snprintf(why, n, "%s", pcap_geterr(dead));
		err = -EINVAL;
	}
	if (dead)
		pcap_close(dead);
	if (err)
		free(f);
	else
		*out = f;
	return err;
}

void packet_filter_free(struct packet_filter *f)
{
	if (!f)
		return;
	pcap_freecode(&f->program);
	free(f);
}

bool packet_filter_match(const struct packet_filter *f, const uint8_t *frame, size_t captured,
			 size_t n)
{
	struct pcap_pkthdr h = {.caplen = (bpf_u_int32)captured, .len = (bpf_u_int32)n};

	return !f || pcap_offline_filter(&f->program, &h, frame);
}

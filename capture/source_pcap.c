/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that another program captured, pcap or pcapng, read by libpcap, as a source of records. Says at the end
 * what it had to skip.
 */
#include "capture/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include "capture/packet_filter.h"
#include "capture/packet_records.h"
#include "capture/pcapng_read.h"
#include "capture/player.h"
#include "core/log.h"

#define NS_PER_S 1000000000ull

struct pcap_src {
	struct player player;
	pcap_t *pcap;
	int dlt;
	struct packet_records *records;
	struct packet_filter *filter; /* NULL: all packets */
};

/* For libpcap the input is a FILE. In the middle of a packet it knows no way back, so it waits there. */
static ssize_t read_input(void *cookie, char *to, size_t n)
{
	struct input *in = cookie;
	int err;

	do
		err = input_fill(in, 1);
	while (err == -EINTR);
	if (err) {
		errno = -err;
		return -1;
	}
	n = n < in->n - in->at ? n : in->n - in->at;
	memcpy(to, in->buf + in->at, n);
	input_skip(in, n);
	return (ssize_t)n;
}

/* Also when it fails, the FILE is libpcap's, the input is not. */
static pcap_t *open_pcap(struct input *in, char *why)
{
	static const cookie_io_functions_t functions = {.read = read_input};
	FILE *f = fopencookie(in, "r", functions);
	pcap_t *p;

	if (!f)
		return NULL;
	setvbuf(f, NULL, _IONBF, 0); /* the input is a buffer, and tells when something is in it */
	p = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!p)
		fclose(f);
	return p;
}

static void pcap_src_close(void *self)
{
	struct pcap_src *s = self;

	if (s->pcap)
		pcap_close(s->pcap);
	packet_records_free(s->records);
	packet_filter_free(s->filter);
	player_free(&s->player);
	free(s);
}

static void warn_skipped(const struct pcap_src *s)
{
	static const char *const why[FRAME_RESULTS] = {
		[FRAME_LINK] = "of an unknown link type",	[FRAME_NOT_IP] = "no IP",
		[FRAME_NOT_TCP_UDP] = "neither TCP nor UDP",	[FRAME_FRAGMENT] = "fragments",
		[FRAME_CUT] = "whose headers are cut or wrong",
	};
	const struct packet_counts *n = packet_records_counts(s->records);

	for (int i = FRAME_OK + 1; i < FRAME_RESULTS; i++)
		if (n->skipped[i])
			log_warn("%s: skipped %" PRIu64 " packets: %s", s->player.path,
				 n->skipped[i], why[i]);
	if (n->strays)
		log_warn("%s: skipped %" PRIu64 " packets: of connections that had ended, or "
			 "outside their window",
			 s->player.path, n->strays);
	if (n->cut)
		log_warn("%s: %" PRIu64 " packets were not captured whole", s->player.path, n->cut);
	if (n->evicted)
		log_warn("%s: %" PRIu64 " connections ended here: more than %u at once",
			 s->player.path, n->evicted, PACKET_RECORDS_CONNS_MAX);
}

static uint64_t time_of(const struct timeval *tv)
{
	uint64_t s = tv->tv_sec > 0 ? (uint64_t)tv->tv_sec : 0;

	return s < PCAPNG_READ_TIME_MAX_NS / NS_PER_S ? s * NS_PER_S + (uint64_t)tv->tv_usec
						      : PCAPNG_READ_TIME_MAX_NS;
}

static int read_packet(struct player *p)
{
	struct pcap_src *s = (struct pcap_src *)p;
	struct pcap_pkthdr *h;
	struct packet packet = {.dlt = s->dlt};
	int n = pcap_next_ex(s->pcap, &h, &packet.frame);

	if (n == PCAP_ERROR_BREAK) {
		warn_skipped(s);
		return 0;
	}
	if (n != 1)
		return player_damaged(p, pcap_geterr(s->pcap));
	if (!packet_filter_match(s->filter, packet.frame, h->caplen, h->len))
		return 1;
	packet.ts_ns = time_of(&h->ts);
	packet.captured = h->caplen;
	n = packet_records_put(s->records, &packet, &p->made);
	return n < 0 ? n : 1;
}

static int open_link(struct pcap_src *s, const char *filter)
{
	const char *name = pcap_datalink_val_to_name(s->dlt);
	char why[256] = "";
	struct frame f;
	int err;

	if (frame_read(&f, s->dlt, NULL, 0) == FRAME_LINK) {
		log_error("%s has packets of link type %s (%d), which is not read", s->player.path,
			  name ? name : "unknown", s->dlt);
		return -EPROTONOSUPPORT;
	}
	if (!filter)
		return 0;
	err = packet_filter_compile(&s->filter, filter, s->dlt, why, sizeof(why));
	if (err == -EINVAL)
		log_error("--packet-filter does not fit %s, link type %s: %s", s->player.path,
			  name ? name : "unknown", why);
	return err;
}

static int pcap_src_open(void **self, const struct source_cfg *cfg)
{
	struct pcap_src *s = calloc(1, sizeof(*s));
	char why[PCAP_ERRBUF_SIZE] = "no memory";
	int err;

	if (!s) {
		input_free(cfg->input);
		return -ENOMEM;
	}
	s->player = (struct player){.format = "pcap", .path = cfg->path, .read = read_packet};
	s->records = packet_records_new();
	err = input_of(&s->player.in, cfg);
	if (err)
		goto out;
	s->pcap = open_pcap(s->player.in, why);
	if (!s->pcap || !s->records) {
		log_error("cannot read %s: %s", cfg->path, why);
		err = -EBADMSG;
		goto out;
	}
	s->dlt = pcap_datalink(s->pcap);
	err = open_link(s, cfg->packet_filter);
out:
	if (err)
		pcap_src_close(s);
	else
		*self = s;
	return err;
}

const struct source_ops source_pcap = {
	.name = "pcap",
	.packets = true,
	.open = pcap_src_open,
	.next = player_next,
	.stop = player_stop,
	.stats = player_stats,
	.command_status = player_command_status,
	.describe = player_describe,
	.report = player_report,
	.close = pcap_src_close,
};

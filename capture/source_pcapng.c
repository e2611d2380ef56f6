/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pcapng that tlslens wrote as a source of records. Says at the end what it had to skip. */
#include "capture/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "capture/packet_filter.h"
#include "capture/pcapng_read.h"
#include "capture/pcapng_records.h"
#include "capture/player.h"
#include "core/log.h"

struct pcapng_src {
	struct player player;
	struct pcapng_reader *reader;
	struct pcapng_records *records;
	struct packet_filter *filter; /* NULL: all packets */
};

static void pcapng_src_close(void *self)
{
	struct pcapng_src *s = self;

	pcapng_reader_free(s->reader);
	pcapng_records_free(s->records);
	packet_filter_free(s->filter);
	player_free(&s->player);
	free(s);
}

static void warn_skipped(const struct pcapng_src *s)
{
	const struct pcapng_skipped *n = pcapng_records_skipped(s->records);

	if (n->unread + n->unknown + n->again + n->beyond)
		log_warn("%s: skipped packets: %" PRIu64 " that tlslens did not write so, %" PRIu64
			 " of connections whose beginning is missing, %" PRIu64
			 " that came again, %" PRIu64 " of more connections than %u at once",
			 s->player.path, n->unread, n->unknown, n->again, n->beyond,
			 PCAPNG_RECORDS_CONNS_MAX);
}

static int read_block(struct player *p)
{
	struct pcapng_src *s = (struct pcapng_src *)p;
	struct pcapng_block b;
	int n = pcapng_read(s->reader, &b);

	if (n == -EBADMSG)
		return player_damaged(p, pcapng_reader_damage(s->reader));
	if (n == 0)
		warn_skipped(s);
	if (n != 1)
		return n;
	n = pcapng_records_put(s->records, &b, &p->made);
	return n < 0 ? n : 1;
}

static int pcapng_src_open(void **self, const struct source_cfg *cfg)
{
	struct pcapng_src *s = calloc(1, sizeof(*s));
	char why[256] = "";
	int err;

	if (!s) {
		input_free(cfg->input);
		return -ENOMEM;
	}
	s->player = (struct player){.format = "pcapng", .path = cfg->path, .read = read_block};
	err = input_of(&s->player.in, cfg);
	if (!err && cfg->packet_filter)
		err = packet_filter_compile(&s->filter, cfg->packet_filter, LINKTYPE_ETHERNET, why,
					    sizeof(why));
	if (!err) {
		s->reader = pcapng_reader_new(s->player.in);
		s->records = pcapng_records_new(s->filter);
		err = s->reader && s->records ? 0 : -ENOMEM;
	}
	if (err)
		pcapng_src_close(s);
	else
		*self = s;
	return err;
}

const struct source_ops source_pcapng = {
	.name = "pcapng",
	.packets = true,
	.open = pcapng_src_open,
	.next = player_next,
	.stop = player_stop,
	.stats = player_stats,
	.command_status = player_command_status,
	.describe = player_describe,
	.report = player_report,
	.close = pcapng_src_close,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replay of packets: a file from anybody, ours or not, read by the row that takes it and followed by flow. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/source.h"
#include "flow/flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static int on_txn(struct sink *s, struct txn *t)
{
	(void)s;
	require(t->conn && t->event_name && t->attr_count <= TXN_ATTRS_MAX);
	return 0;
}

static int on_chunk(struct sink *s, const struct chunk *c)
{
	(void)s;
	require(c->conn != NULL);
	return 0;
}

static int on_tick(struct sink *s, uint64_t now_ns)
{
	(void)s, (void)now_ns;
	return 0;
}

static const struct sink_ops ops = {on_txn, on_chunk, on_tick};

static void replay(const char *path)
{
	struct source_cfg scfg = {.path = path, .packet_filter = "not udp port 54"};
	struct flow_cfg cfg = {.limits = limits_default, .chunks = true};
	struct sink sink = {.ops = &ops};
	const struct source_ops *row;
	struct source_stats stats;
	const struct ev_hdr *ev;
	struct flow *flow;
	void *source;

	require(source_of_file(&scfg, &row) == 0);
	if (row->open(&source, &scfg))
		return;
	flow = flow_new(&cfg, &sink);
	require(flow != NULL);
	while (row->next(source, &ev, 0) == 1) {
		require(ev->len >= sizeof(*ev) && ev->len <= EV_RECORD_MAX_BYTES);
		require(flow_event(flow, ev) == 0);
	}
	require(row->stats(source, &stats) == 0);
	require(!row->packets || stats.bad_records == 0);
	require(flow_finish(flow) == 0);
	flow_free(flow);
	row->close(source);
	txn_pool_drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char path[32];
	int fd = memfd_create("packets", MFD_CLOEXEC);

	require(fd >= 0);
	require(write(fd, p, n) == (ssize_t)n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	replay(path);
	close(fd);
	return 0;
}

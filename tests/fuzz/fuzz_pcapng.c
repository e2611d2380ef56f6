/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replay of packets: a file from anywhere, read by source_pcapng and followed by flow. */
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
	struct flow_cfg cfg = {.limits = limits_default, .chunks = true};
	struct sink sink = {.ops = &ops};
	struct source_stats stats;
	const struct ev_hdr *ev;
	struct flow *flow;
	void *source;

	if (source_pcapng.open(&source, &(struct source_cfg){.path = path}))
		return;
	flow = flow_new(&cfg, &sink);
	require(flow != NULL);
	while (source_pcapng.next(source, &ev, 0) == 1) {
		require(ev->len >= sizeof(*ev) && ev->len <= EV_RECORD_MAX_BYTES);
		require(flow_event(flow, ev) == 0);
	}
	require(source_pcapng.stats(source, &stats) == 0 && stats.bad_records == 0);
	require(flow_finish(flow) == 0);
	flow_free(flow);
	source_pcapng.close(source);
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

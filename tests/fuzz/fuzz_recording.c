/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replay: a file from anywhere, read by source_recording and followed by flow. The first octet says whether
 * the rest is the file as it is, or records that are put into one with their checksums, so that mutations
 * get past those: an octet for the type, one for the flags, one for the length, and the octets behind the
 * head of the record.
 */
#include <libdeflate.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/recording.h"
#include "capture/recording_format.h"
#include "capture/source.h"
#include "core/buf.h"
#include "core/cursor.h"
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

static void put_record(struct buf *file, struct cursor *c, uint64_t ts_ns)
{
	struct ev_hdr h = {.ts_ns = ts_ns, .tgid = 7, .tid = 7};
	struct buf record = {0};
	uint32_t sum;
	size_t n;

	h.type = cursor_u8(c);
	h.flags = cursor_u8(c);
	n = cursor_u8(c);
	n = n < cursor_left(c) ? n : cursor_left(c);
	h.len = (uint32_t)(sizeof(h) + n);
	buf_put(&record, &h, sizeof(h));
	if (n)
		buf_put(&record, cursor_bytes(c, n), n);
	require(!record.err);
	sum = libdeflate_crc32(0, record.p, record.n);
	buf_put(file, &sum, sizeof(sum));
	buf_put(file, record.p, record.n);
	buf_free(&record);
}

static void make_file(struct buf *file, struct cursor *c)
{
	struct recording_head head = {.magic = RECORDING_MAGIC,
				      .version = RECORDING_VERSION,
				      .byte_order = RECORDING_BYTE_ORDER,
				      .len = sizeof(head)};
	uint64_t ts_ns = 1000000000;

	if (cursor_u8(c) & 1) {
		buf_put(file, c->pos, cursor_left(c));
		return;
	}
	buf_put(file, &head, sizeof(head));
	while (cursor_left(c))
		put_record(file, c, ts_ns += 1000000);
}

static void replay(const char *path)
{
	struct flow_cfg cfg = {.limits = limits_default, .chunks = true};
	struct sink sink = {.ops = &ops};
	const struct ev_hdr *ev;
	struct flow *flow;
	void *source;

	if (source_recording.open(&source, &(struct source_cfg){.path = path}))
		return;
	flow = flow_new(&cfg, &sink);
	require(flow != NULL);
	while (source_recording.next(source, &ev, 0) == 1) {
		require(ev->len >= sizeof(*ev) && ev->len <= EV_RECORD_MAX_BYTES);
		require(flow_event(flow, ev) == 0);
	}
	require(flow_finish(flow) == 0);
	flow_free(flow);
	source_recording.close(source);
	txn_pool_drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_init(p, n);
	struct buf file = {0};
	char path[32];
	int fd = memfd_create("recording", MFD_CLOEXEC);

	require(fd >= 0);
	make_file(&file, &c);
	require(!file.err && write(fd, file.p, file.n) == (ssize_t)file.n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	replay(path);
	close(fd);
	buf_free(&file);
	return 0;
}

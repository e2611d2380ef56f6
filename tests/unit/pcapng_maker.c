/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/pcapng_maker.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

void maker_open(struct maker *m, const struct writer_cfg *cfg)
{
	maker_open_files(m, cfg, &(struct out_rotation){0});
}

void maker_open_files(struct maker *m, const struct writer_cfg *cfg,
		      const struct out_rotation *rotation)
{
	static const struct writer_cfg plain = {.redacted = true};
	const char *tmp = getenv("TMPDIR");

	memset(m, 0, sizeof(*m));
	snprintf(m->dir, sizeof(m->dir), "%s/tlslens-pcapng-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(m->dir));
	snprintf(m->path, sizeof(m->path), "%s/t.pcapng", m->dir);
	assert_int_equal(out_open_files(&m->out, m->path, rotation), 0);
	assert_int_equal(writer_pcapng.open(&m->writer, m->out, cfg ? cfg : &plain), 0);
	m->now_ns = 1760000000000000000u;
}

static void put(struct maker *m, struct chunk *c, uint64_t n)
{
	uint64_t *off = m->off[c->conn->seq % 64];

	c->off = off[c->dir];
	c->ts_ns = m->now_ns;
	if (c->kind != CHUNK_CLOSE && c->conn->proc)
		c->tid = c->conn->proc->key.tgid + 1;
	off[c->dir] += n;
	m->now_ns += 1000000;
	assert_int_equal(out_time(m->out, c->ts_ns), 0); /* as the fan-out does */
	assert_int_equal(writer_pcapng.chunk(m->writer, c), 0);
}

void maker_masked(struct maker *m, const struct conn *c, enum dir dir, const void *p, size_t n,
		  const struct mask *masks, size_t mask_count)
{
	struct chunk chunk = {.conn = c,
			      .kind = CHUNK_DATA,
			      .dir = dir,
			      .data = {p, n},
			      .masks = masks,
			      .mask_count = mask_count};

	put(m, &chunk, n);
}

void maker_send(struct maker *m, const struct conn *c, enum dir dir, const void *p, size_t n)
{
	maker_masked(m, c, dir, p, n, NULL, 0);
}

void maker_text(struct maker *m, const struct conn *c, enum dir dir, const char *text)
{
	maker_send(m, c, dir, text, strlen(text));
}

void maker_gap(struct maker *m, const struct conn *c, enum dir dir, uint64_t n, bool unsafe)
{
	struct chunk chunk = {
		.conn = c, .kind = CHUNK_GAP, .dir = dir, .gap_bytes = n, .resync_unsafe = unsafe};

	put(m, &chunk, n);
}

void maker_end(struct maker *m, const struct conn *c)
{
	struct chunk chunk = {.conn = c, .kind = CHUNK_CLOSE};

	put(m, &chunk, 0);
}

void maker_finish(struct maker *m)
{
	assert_int_equal(writer_pcapng.close(m->writer), 0);
	m->writer = NULL;
}

void maker_remove(struct maker *m)
{
	unlink(m->path);
	assert_int_equal(rmdir(m->dir), 0);
}

struct identity maker_process(uint32_t pid, const char *comm, const char *container)
{
	struct identity id = {.key = {.start_ns = pid * 1000u, .tgid = pid}};

	id.v[ID_COMM] = str_from(comm);
	id.v[ID_EXE] = STR("/usr/bin/test");
	id.v[ID_CONTAINER_NAME] = str_from(container);
	return id;
}

static enum addr_family parse(const char *text, uint16_t port, struct endpoint *e)
{
	e->port = port;
	if (inet_pton(AF_INET, text, e->addr) == 1)
		return ADDR_IPV4;
	assert_int_equal(inet_pton(AF_INET6, text, e->addr), 1);
	return ADDR_IPV6;
}

struct conn maker_conn(uint64_t seq, const struct identity *id, const char *local, uint16_t lport,
		       const char *peer, uint16_t pport)
{
	struct conn c = {.seq = seq, .proc = id, .lib = "openssl", .proto = "http/1"};

	snprintf(c.id, sizeof(c.id), "%u-7f00-%u", id ? id->key.tgid : 0, (unsigned int)seq);
	c.role = lport > pport ? ROLE_CLIENT : ROLE_SERVER;
	if (!peer)
		return c;
	c.source = PEER_NESTED;
	c.family = parse(local, lport, &c.local);
	assert_int_equal(parse(peer, pport, &c.peer), c.family);
	return c;
}

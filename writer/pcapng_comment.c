/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "writer/pcapng_comment.h"

#include <inttypes.h>

#include "select/human.h"
#include "writer/pcapng_who.h"

static void put_word(struct buf *b, const char *key, const char *value)
{
	if (value && *value)
		buf_printf(b, "%s=%s ", key, value);
}

static void put_addr(struct buf *b, const char *key, const struct conn *conn,
		     const struct endpoint *e)
{
	bool v6 = conn->family == ADDR_IPV6;

	buf_printf(b, "%s=%s", key, v6 ? "[" : "");
	human_addr(b, conn->family, e);
	buf_printf(b, "%s:%u ", v6 ? "]" : "", e->port);
}

static void put_conn(struct buf *b, const struct stream *s, const struct conn *conn)
{
	put_word(b, "conn", conn->id);
	if (conn->role != ROLE_UNKNOWN)
		put_word(b, "side", conn->role == ROLE_CLIENT ? "client" : "server");
	if (!conn->plain)
		put_word(b, "lib", conn->lib && *conn->lib ? conn->lib : "unknown");
	if (!conn->from_start)
		put_word(b, "joined", "late");
	if (conn->source != PEER_UNKNOWN && conn->family == ADDR_UNIX)
		put_word(b, "socket", "unix");
	if (s->path_kind == PATH_MOVED) {
		put_addr(b, "local", conn, &conn->local);
		put_addr(b, "peer", conn, &conn->peer);
	}
}

void pcapng_comment_begin(struct buf *b, const struct stream *s, const struct conn *conn,
			  bool opening)
{
	static const char *const notes[] = {
		[PATH_TRUE] = NULL,
		[PATH_UNKNOWN] = "addresses unknown: documentation addresses stand for them",
		[PATH_MOVED] = "true addresses in use by another connection of this file: moved",
	};
	const char *note = notes[s->path_kind];

	buf_clear(b);
	pcapng_put_owner(b, conn->proc);
	if (opening)
		put_conn(b, s, conn);
	if (note && conn->source != PEER_UNKNOWN && conn->family == ADDR_UNIX)
		note = "a Unix socket: documentation addresses stand for it";
	if (note)
		pcapng_comment_note(b, note);
}

void pcapng_comment_lost(struct buf *b, uint64_t n, enum dir dir)
{
	if (n)
		buf_printf(b, "lost=%" PRIu64 " ", n);
	else
		buf_puts(b, "lost=unknown ");
	put_word(b, "of", dir == DIR_WRITE ? "sent" : "received");
}

void pcapng_comment_untold(struct buf *b, struct stream *s)
{
	for (int i = 0; i < DIR_COUNT; i++) {
		if (s->untold[i])
			pcapng_comment_lost(b, s->untold[i], (enum dir)i);
		s->untold[i] = 0;
	}
}

void pcapng_comment_note(struct buf *b, const char *note)
{
	buf_printf(b, "(%s) ", note);
}

struct str pcapng_comment_end(struct buf *b)
{
	struct str comment = {(const char *)b->p, b->n};

	if (!buf_ok(b) || !b->n)
		return STR_NONE;
	if (comment.p[comment.n - 1] == ' ')
		comment.n--;
	return comment;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between which addresses a connection is shown. The true ones, unless they are not known or in use:
 * a reader tells connections apart by addresses and ports alone, so both ends of one connection in
 * one file, or the same addresses in two network namespaces, would run into each other.
 */
#ifndef TLSLENS_WRITER_PCAPNG_PATHS_H
#define TLSLENS_WRITER_PCAPNG_PATHS_H

#include "writer/pcapng_frames.h"

#include <uthash.h>

/* Both ends, the lower one first: the two directions of a connection have the same key. */
struct path_key {
	uint8_t addr[2][16];
	uint16_t port[2];
	uint8_t v6, udp;
};

/* A live path; part of the connection's state. Zero before pcapng_path_claim(). */
struct path_node {
	struct path_key key;
	bool claimed;
	UT_hash_handle hh;
};

struct path_table {
	struct path_node *head; /* borrowed nodes */
};

enum path_kind {
	PATH_TRUE,
	PATH_UNKNOWN, /* documentation addresses (RFC 5737) stand for addresses nobody proved */
	PATH_MOVED,   /* the true ones are live already: IPv4-mapped, or 2001:db8::/32 (RFC 3849) */
};

/*
 * Chooses the path of a connection and keeps others off it until pcapng_path_release(); after
 * PATH_TRIES_MAX others on the same addresses it is shared. `client` says which end opens the
 * connection. Returns an enum path_kind or -ENOMEM.
 */
#define PATH_TRIES_MAX 256u
int pcapng_path_claim(struct path_table *t, struct path_node *node, const struct conn *conn,
		      struct frame_path *path, enum dir *client);
void pcapng_path_release(struct path_table *t, struct path_node *node);

#endif

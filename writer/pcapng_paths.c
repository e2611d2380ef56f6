/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Choice of addresses; see the header for the contract. */
#define HASH_NONFATAL_OOM 1
#include "writer/pcapng_paths.h"

#include <errno.h>

#include "core/proto.h"

/* Where an unknown peer stands. No dissector is registered for 49151, which IANA reserves. */
#define UNKNOWN_TLS_PORT 443
#define UNKNOWN_PLAIN_PORT 49151
#define DYNAMIC_PORT_FIRST 49152u
#define DYNAMIC_PORTS 16384u
#define UNKNOWN_CLIENT_HOSTS 253u

static const uint8_t v4_documentation[3] = {192, 0, 2};
static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t v6_documentation[4] = {0x20, 0x01, 0x0d, 0xb8};

static bool is_mapped(const struct endpoint *e)
{
	return memcmp(e->addr, v4_mapped, sizeof(v4_mapped)) == 0;
}

static void map_v4(struct endpoint *e)
{
	memcpy(e->addr + sizeof(v4_mapped), e->addr, 4);
	memcpy(e->addr, v4_mapped, sizeof(v4_mapped));
}

static void unmap_v4(struct endpoint *e)
{
	memmove(e->addr, e->addr + sizeof(v4_mapped), 4);
	memset(e->addr + 4, 0, 12);
}

/* The k-th place for an IPv6 address outside the true network; its low bits stay readable. */
static void move_v6(struct endpoint *e, uint32_t k)
{
	memcpy(e->addr, v6_documentation, sizeof(v6_documentation));
	e->addr[4] ^= (uint8_t)(k >> 8);
	e->addr[5] ^= (uint8_t)k;
}

static bool is_known(const struct conn *conn)
{
	return conn->source != PEER_UNKNOWN &&
	       (conn->family == ADDR_IPV4 || conn->family == ADDR_IPV6);
}

static void true_path(const struct conn *conn, struct frame_path *path)
{
	path->end[DIR_WRITE] = conn->local;
	path->end[DIR_READ] = conn->peer;
	path->v6 = conn->family == ADDR_IPV6;
	if (!path->v6) {
		memset(path->end[DIR_WRITE].addr + 4, 0, 12);
		memset(path->end[DIR_READ].addr + 4, 0, 12);
	}
	/* A dual-stack socket names IPv4 peers so; on the wire and at the other end it is IPv4. */
	if (path->v6 && is_mapped(&conn->local) && is_mapped(&conn->peer)) {
		unmap_v4(&path->end[DIR_WRITE]);
		unmap_v4(&path->end[DIR_READ]);
		path->v6 = false;
	}
}

/* Of a server that is not known: where Wireshark finds the protocol. */
static uint16_t unknown_port(const struct conn *conn)
{
	const struct proto_ops *proto = conn->proto ? proto_by_name(conn->proto) : NULL;
	uint16_t port = !proto ? 0 : conn->plain ? proto->port : proto->tls_port;

	if (port)
		return port;
	return conn->plain ? UNKNOWN_PLAIN_PORT : UNKNOWN_TLS_PORT;
}

/* One of four million client ends, by the number of the connection: alike in every replay. */
static void unknown_path(const struct conn *conn, struct frame_path *path, enum dir client)
{
	struct endpoint *c = &path->end[client], *s = &path->end[dir_other(client)];

	memcpy(c->addr, v4_documentation, sizeof(v4_documentation));
	c->addr[3] = (uint8_t)(1 + conn->seq / DYNAMIC_PORTS % UNKNOWN_CLIENT_HOSTS);
	c->port = (uint16_t)(DYNAMIC_PORT_FIRST + conn->seq % DYNAMIC_PORTS);
	memcpy(s->addr, v4_documentation, sizeof(v4_documentation));
	s->addr[3] = 254;
	s->port = unknown_port(conn);
}

/* Where no request told it, the lower port is taken for the server's; only the SYN shows it. */
static enum dir client_of(const struct conn *conn, bool known)
{
	if (conn->role == ROLE_SERVER)
		return DIR_READ;
	if (conn->role == ROLE_CLIENT || !known)
		return DIR_WRITE;
	return conn->local.port < conn->peer.port ? DIR_READ : DIR_WRITE;
}

static int compare_ends(const struct endpoint *a, const struct endpoint *b)
{
	int d = memcmp(a->addr, b->addr, sizeof(a->addr));

	return d ? d : (int)a->port - (int)b->port;
}

static void make_key(struct path_key *key, const struct frame_path *path, bool udp)
{
	const struct endpoint *a = &path->end[DIR_WRITE], *b = &path->end[DIR_READ];
	bool swap = compare_ends(a, b) > 0;

	memset(key, 0, sizeof(*key));
	memcpy(key->addr[swap], a->addr, 16);
	memcpy(key->addr[!swap], b->addr, 16);
	key->port[swap] = a->port;
	key->port[!swap] = b->port;
	key->v6 = path->v6;
	key->udp = udp;
}

/* The next path to try when the one of attempt k is in use. */
static void move_path(const struct frame_path *from, struct frame_path *path, uint32_t k)
{
	*path = *from;
	for (int d = 0; d < DIR_COUNT; d++) {
		if (!from->v6)
			map_v4(&path->end[d]);
		if (from->v6 || k > 1)
			move_v6(&path->end[d], k - 1);
	}
	path->v6 = true;
}

int pcapng_path_claim(struct path_table *t, struct path_node *node, const struct conn *conn,
		      struct frame_path *path, enum dir *client)
{
	bool known = is_known(conn), udp = conn->transport == TRANSPORT_UDP;
	struct frame_path first = {0};
	struct path_node *other;
	uint32_t k;

	*client = client_of(conn, known);
	if (known)
		true_path(conn, &first);
	else
		unknown_path(conn, &first, *client);
	*path = first;
	for (k = 1;; k++) {
		make_key(&node->key, path, udp);
		HASH_FIND(hh, t->head, &node->key, sizeof(node->key), other);
		if (!other)
			break;
		if (k == PATH_TRIES_MAX)
			return PATH_MOVED;
		move_path(&first, path, k);
	}
	HASH_ADD(hh, t->head, key, sizeof(node->key), node);
	if (!node->hh.tbl)
		return -ENOMEM;
	node->claimed = true;
	if (!known)
		return PATH_UNKNOWN;
	return k == 1 ? PATH_TRUE : PATH_MOVED;
}

void pcapng_path_release(struct path_table *t, struct path_node *node)
{
	if (node->claimed)
		HASH_DELETE(hh, t->head, node);
	node->claimed = false;
}

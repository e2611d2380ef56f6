/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names that processes looked up, by the addresses they were told. A connection that begins while a name
 * of its peer's address is good says that name; when two are, nobody knows which was meant, and none is said.
 * An address is never taken from here.
 *
 * A name is a process's own, whether it then talks over TLS or without: what it has others look up for it (nscd, systemd-resolved through its socket) it
 * does not know from DNS, so nothing is known here.
 */
#include "flow/internal.h"

#include <errno.h>
#include <stdlib.h>

#define TTL_MAX_S INT32_MAX /* RFC 2181 section 8: more means 0 */

struct name_key {
	uint64_t start_ns;
	uint32_t tgid;
	uint32_t family;
	uint8_t addr[16];
};

struct flow_name {
	struct name_key key;
	UT_hash_handle hh; /* the one answered last at the end */
	uint64_t until_ns;
	uint64_t other_until_ns; /* of any other name for the address */
	struct str name;	 /* owned */
};

static struct name_key key_of(const struct flow_conn *c, enum addr_family family,
			      const uint8_t *addr)
{
	struct name_key key;

	memset(&key, 0, sizeof(key));	      /* padding is hashed too */
	key.start_ns = c->proc->key.start_ns; /* a plain connection has none in its own key */
	key.tgid = c->proc->key.tgid;
	key.family = family;
	memcpy(key.addr, addr, family == ADDR_IPV4 ? 4 : 16);
	return key;
}

static void name_free(struct flow *f, struct flow_name *n)
{
	HASH_DEL(f->names, n);
	free((char *)n->name.p);
	free(n);
}

static struct str copy(struct str s)
{
	char *p = s.n ? malloc(s.n) : NULL;

	if (!p)
		return STR_NONE;
	memcpy(p, s.p, s.n);
	return (struct str){p, s.n};
}

static struct flow_name *name_new(struct flow *f, const struct name_key *key)
{
	struct flow_name *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	if (HASH_COUNT(f->names) >= FLOW_NAMES_MAX) {
		name_free(f, f->names); /* uthash keeps the order of insertion */
		f->stats.names_evicted++;
	}
	n->key = *key;
	return n;
}

static uint64_t good_until(const struct resolved *r)
{
	uint64_t ttl_s = r->ttl_s > TTL_MAX_S ? 0 : r->ttl_s;

	return r->ts_ns + (ttl_s + FLOW_NAME_GRACE_S) * 1000 * NS_PER_MS;
}

/* A second name does not make the first one forgotten: it is still good for as long as it was. */
static void take(struct flow_name *n, const struct resolved *r)
{
	uint64_t until_ns = good_until(r);
	struct str name;

	if (str_eq(n->name, r->name)) {
		n->until_ns = until_ns > n->until_ns ? until_ns : n->until_ns;
		return;
	}
	name = copy(r->name);
	if (n->until_ns > n->other_until_ns)
		n->other_until_ns = n->until_ns;
	free((char *)n->name.p);
	n->name = name;
	n->until_ns = until_ns;
}

void flow_name_learn(struct flow_conn *c, const struct resolved *r)
{
	struct name_key key = key_of(c, r->family, r->addr);
	struct flow *f = c->flow;
	struct flow_name *n;

	HASH_FIND(hh, f->names, &key, sizeof(key), n);
	if (n)
		HASH_DEL(f->names, n);
	else
		n = name_new(f, &key);
	if (n) {
		take(n, r);
		HASH_ADD(hh, f->names, key, sizeof(n->key), n);
	}
	if (n && n->hh.tbl && n->name.p)
		return;
	if (n && n->hh.tbl)
		name_free(f, n);
	else
		free(n);
	flow_fail(f, -ENOMEM);
}

void flow_name_of_peer(struct flow_conn *c)
{
	struct flow *f = c->flow;
	struct flow_name *n = NULL;
	struct name_key key;

	free((char *)c->pub.peer_name.p);
	c->pub.peer_name = STR_NONE;
	/* one that was open before we came may be older than anything we saw it look up */
	if (!f->names || !c->pub.from_start ||
	    (c->pub.family != ADDR_IPV4 && c->pub.family != ADDR_IPV6))
		return;
	key = key_of(c, c->pub.family, c->pub.peer.addr);
	HASH_FIND(hh, f->names, &key, sizeof(key), n);
	if (n && f->now_ns <= n->until_ns && f->now_ns > n->other_until_ns)
		c->pub.peer_name = copy(n->name);
}

void flow_name_free_all(struct flow *f)
{
	struct flow_name *n, *tmp;

	HASH_ITER (hh, f->names, n, tmp) {
		name_free(f, n);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket of a context that never touches it (memory BIOs): the same ciphertext left the context and was
 * sent on the socket, in the same process. The two records may come in either order. Bytes that two contexts
 * made or two sockets sent prove nothing.
 */
#include "flow/internal.h"

#include <errno.h>
#include <stdlib.h>

/* The beginning of a TLS record: who made it, where it was sent. */
struct flow_cipher_key {
	uint64_t start_ns;
	uint32_t tgid, pad;
	uint8_t bytes[EV_CIPHER_BYTES];
};

struct flow_cipher {
	struct flow_cipher_key key;
	UT_hash_handle hh;
	uint64_t conn, gen; /* gen 0: not made yet, as far as we know */
	uint64_t sock;	    /* 0: not sent yet */
	bool several;	    /* made or sent by more than one: no evidence */
};

static struct flow_cipher *cipher_get(struct flow *f, const struct ev_hdr *h, const uint8_t *bytes)
{
	struct flow_cipher_key key;
	struct flow_cipher *e;

	memset(&key, 0, sizeof(key));
	key.start_ns = h->start_ns;
	key.tgid = h->tgid;
	memcpy(key.bytes, bytes, sizeof(key.bytes));
	HASH_FIND(hh, f->ciphers, &key, sizeof(key), e);
	if (e)
		return e;
	if (HASH_COUNT(f->ciphers) >= FLOW_CIPHERS_MAX) {
		e = f->ciphers; /* uthash keeps the order of insertion */
		HASH_DEL(f->ciphers, e);
		free(e);
		f->stats.ciphers_evicted++;
	}
	e = calloc(1, sizeof(*e));
	if (e) {
		e->key = key;
		HASH_ADD(hh, f->ciphers, key, sizeof(e->key), e);
	}
	if (!e || !e->hh.tbl) {
		free(e);
		flow_fail(f, -ENOMEM);
		return NULL;
	}
	return e;
}

/* Both ends of it are known, or it has turned out to be no evidence. */
static void settle(struct flow *f, struct flow_cipher *e, uint64_t ts_ns)
{
	struct flow_conn_key key;
	struct flow_conn *c;

	if (!e->gen || !e->sock)
		return;
	memset(&key, 0, sizeof(key));
	key.start_ns = e->key.start_ns;
	key.tgid = e->key.tgid;
	key.conn = e->conn;
	key.gen = e->gen;
	c = flow_conn_find(f, &key);
	if (c && e->several)
		flow_sock_refute(c, e->sock);
	else if (c)
		flow_sock_record(c, e->sock, ts_ns);
}

void flow_cipher_made(struct flow *f, const struct ev_cipher *ev)
{
	struct flow_cipher *e = cipher_get(f, &ev->hdr, ev->bytes);

	if (!e)
		return;
	if (e->gen && (e->conn != ev->conn || e->gen != ev->gen)) {
		e->several = true;
	} else {
		e->conn = ev->conn;
		e->gen = ev->gen;
	}
	settle(f, e, ev->hdr.ts_ns);
}

void flow_cipher_sent(struct flow *f, const struct ev_sock_io *ev)
{
	struct flow_sock *s = flow_sock_find(f, ev->sock);
	struct flow_cipher *e;

	if (ev->got < EV_CIPHER_BYTES || ev->dir != DIR_WRITE)
		return;
	if (s)
		flow_sock_is_tls(f, s, &ev->hdr);
	e = cipher_get(f, &ev->hdr, ev->buf);
	if (!e)
		return;
	if (e->sock && e->sock != ev->sock)
		e->several = true;
	else
		e->sock = ev->sock;
	settle(f, e, ev->hdr.ts_ns);
}

void flow_cipher_free_all(struct flow *f)
{
	struct flow_cipher *e, *tmp;

	HASH_ITER (hh, f->ciphers, e, tmp) {
		HASH_DEL(f->ciphers, e);
		free(e);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose hellos they are: those of the connection that is the first whose socket it is proven to be. One more
 * on the same socket is within the first (TLS through a proxy that speaks it, too): what it agreed on is not
 * to be seen.
 */
#include "flow/internal.h"

#include <errno.h>
#include <stdlib.h>

#include "flow/hello.h"

/* Of a socket; the connection that has it keeps it when the socket is forgotten. */
struct flow_hello {
	struct hello_reader reader;
	size_t held;	/* of it, as f->hello_bytes has it */
	uint64_t owner; /* conn.seq, 0: nobody yet */
	uint32_t refs;
};

static void account(struct flow *f, struct flow_hello *h)
{
	size_t held = hello_held(&h->reader);

	f->hello_bytes = f->hello_bytes - h->held + held;
	h->held = held;
}

static void unref(struct flow *f, struct flow_hello *h)
{
	if (!h || --h->refs)
		return;
	hello_stop(&h->reader);
	account(f, h);
	free(h);
}

void flow_hello_read(struct flow *f, const struct ev_sock_io *ev)
{
	struct flow_sock *s = flow_sock_get(f, ev->sock);
	struct flow_hello *h;

	if (!s || (s->closed && ev->hdr.ts_ns > s->closed_ns))
		return;
	flow_sock_is_tls(f, s, &ev->hdr);
	if (!s->hello) {
		s->hello = calloc(1, sizeof(*s->hello));
		if (!s->hello) {
			flow_fail(f, -ENOMEM);
			return;
		}
		s->hello->refs = 1;
	}
	h = s->hello;
	hello_feed(&h->reader, (enum dir)ev->dir, ev->off, ev->buf, ev->got);
	account(f, h);
	if (f->hello_bytes > FLOW_HELLO_TOTAL_BYTES) {
		hello_stop(&h->reader);
		account(f, h);
		f->stats.hellos_dropped++;
	}
}

void flow_hello_forget(struct flow *f, struct flow_sock *s)
{
	unref(f, s->hello);
	s->hello = NULL;
}

void flow_hello_lend(struct flow_conn *c, struct flow_sock *s)
{
	struct flow_hello *h = s->hello;

	if (c->pub.plain || !h || (h->owner && h->owner != c->pub.seq))
		return;
	if (c->hello != h) {
		flow_hello_take_back(c);
		h->owner = c->pub.seq;
		h->refs++;
		c->hello = h;
	}
	c->pub.tls_version = h->reader.version;
	c->pub.tls_cipher = h->reader.cipher;
	c->pub.tls_resumed = h->reader.resumed;
	c->pub.sni = h->reader.sni;
	c->pub.alpn = h->reader.alpn;
}

void flow_hello_take_back(struct flow_conn *c)
{
	if (!c->hello)
		return;
	c->pub.tls_version = c->pub.tls_cipher = c->pub.sni = c->pub.alpn = STR_NONE;
	c->pub.tls_resumed = TLS_RESUMED_UNKNOWN;
	c->hello->owner = 0;
	flow_hello_end(c);
}

void flow_hello_end(struct flow_conn *c)
{
	unref(c->flow, c->hello);
	c->hello = NULL;
}

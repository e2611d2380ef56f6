/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GnuTLS; one half of what is written goes out by send2, the other corked. */
#include <gnutls/gnutls.h>

#include "talk.h"

static void *talk_open(const struct talk *t)
{
	gnutls_certificate_credentials_t cred;
	gnutls_session_t s;

	gnutls_certificate_allocate_credentials(&cred);
	if (t->cert &&
	    gnutls_certificate_set_x509_key_file(cred, t->cert, t->key, GNUTLS_X509_FMT_PEM) < 0)
		return NULL;
	gnutls_init(&s, t->cert ? GNUTLS_SERVER : GNUTLS_CLIENT);
	gnutls_set_default_priority(s);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cred);
	gnutls_transport_set_int(s, t->fd);
	return gnutls_handshake(s) < 0 ? NULL : s;
}

static long talk_write(void *tls, const void *p, size_t n)
{
	size_t half = n / 2;

	if (gnutls_record_send2(tls, p, half, 0, 0) != (ssize_t)half)
		return -1;
	gnutls_record_cork(tls);
	if (gnutls_record_send(tls, (const char *)p + half, n - half) != (ssize_t)(n - half) ||
	    gnutls_record_uncork(tls, GNUTLS_RECORD_WAIT) != (int)(n - half))
		return -1;
	return (long)n;
}

static long talk_read(void *tls, void *p, size_t n)
{
	unsigned char seq[8];
	ssize_t got, more;

	do /* a session ticket is no data */
		got = gnutls_record_recv_seq(tls, p, 10 < n ? 10 : n, seq);
	while (got == GNUTLS_E_AGAIN);
	if (got <= 0)
		return got;
	if (!gnutls_record_check_pending(tls))
		return got;
	more = gnutls_record_recv(tls, (char *)p + got, n - (size_t)got);
	return more < 0 ? more : got + more;
}

static void talk_close(void *tls)
{
	gnutls_bye(tls, GNUTLS_SHUT_WR);
	gnutls_deinit(tls);
}

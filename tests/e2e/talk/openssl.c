/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OpenSSL and BoringSSL, which share these functions. */
#include <openssl/ssl.h>

#include "talk.h"

static void *talk_open(const struct talk *t)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	SSL *ssl;

	if (t->cert && (SSL_CTX_use_certificate_file(ctx, t->cert, SSL_FILETYPE_PEM) != 1 ||
			SSL_CTX_use_PrivateKey_file(ctx, t->key, SSL_FILETYPE_PEM) != 1))
		return NULL;
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_fd(ssl, t->fd);
	return (t->cert ? SSL_accept(ssl) : SSL_connect(ssl)) == 1 ? ssl : NULL;
}

static long talk_write(void *tls, const void *p, size_t n)
{
	return SSL_write(tls, p, (int)n);
}

static long talk_read(void *tls, void *p, size_t n)
{
	return SSL_read(tls, p, (int)n);
}

static void talk_close(void *tls)
{
	SSL_shutdown(tls);
	SSL_free(tls);
}

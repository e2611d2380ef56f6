/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "talk.h"

static void *talk_open(const struct talk *t)
{
	WOLFSSL_CTX *ctx;
	WOLFSSL *ssl;

	wolfSSL_Init();
	ctx = wolfSSL_CTX_new(t->cert ? wolfSSLv23_server_method() : wolfSSLv23_client_method());
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
	if (t->cert && (wolfSSL_CTX_use_certificate_file(ctx, t->cert, WOLFSSL_FILETYPE_PEM) != 1 ||
			wolfSSL_CTX_use_PrivateKey_file(ctx, t->key, WOLFSSL_FILETYPE_PEM) != 1))
		return NULL;
	ssl = wolfSSL_new(ctx);
	wolfSSL_CTX_free(ctx);
	wolfSSL_set_fd(ssl, t->fd);
	return (t->cert ? wolfSSL_accept(ssl) : wolfSSL_connect(ssl)) == 1 ? ssl : NULL;
}

static long talk_write(void *tls, const void *p, size_t n)
{
	return wolfSSL_write(tls, p, (int)n);
}

static long talk_read(void *tls, void *p, size_t n)
{
	return wolfSSL_read(tls, p, (int)n);
}

static void talk_close(void *tls)
{
	wolfSSL_shutdown(tls);
	wolfSSL_free(tls);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>

#include "talk.h"

struct peer {
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_x509_crt cert;
	mbedtls_pk_context key;
	mbedtls_net_context net;
};

static int load(struct peer *p, const struct talk *t)
{
	return mbedtls_x509_crt_parse_file(&p->cert, t->cert) ||
	       mbedtls_pk_parse_keyfile(&p->key, t->key, NULL) ||
	       mbedtls_ssl_conf_own_cert(&p->conf, &p->cert, &p->key);
}

static void *talk_open(const struct talk *t)
{
	struct peer *p = calloc(1, sizeof(*p));

	mbedtls_ssl_init(&p->ssl);
	mbedtls_ssl_config_init(&p->conf);
	mbedtls_entropy_init(&p->entropy);
	mbedtls_ctr_drbg_init(&p->random);
	mbedtls_x509_crt_init(&p->cert);
	mbedtls_pk_init(&p->key);
	p->net.fd = t->fd;
	if (mbedtls_ctr_drbg_seed(&p->random, mbedtls_entropy_func, &p->entropy, NULL, 0) ||
	    mbedtls_ssl_config_defaults(&p->conf,
					t->cert ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
					MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT))
		return NULL;
	mbedtls_ssl_conf_rng(&p->conf, mbedtls_ctr_drbg_random, &p->random);
	mbedtls_ssl_conf_authmode(&p->conf, MBEDTLS_SSL_VERIFY_NONE);
	if ((t->cert && load(p, t)) || mbedtls_ssl_setup(&p->ssl, &p->conf))
		return NULL;
	mbedtls_ssl_set_bio(&p->ssl, &p->net, mbedtls_net_send, mbedtls_net_recv, NULL);
	return mbedtls_ssl_handshake(&p->ssl) ? NULL : p;
}

static long talk_write(void *tls, const void *p, size_t n)
{
	return mbedtls_ssl_write(&((struct peer *)tls)->ssl, p, n);
}

static long talk_read(void *tls, void *p, size_t n)
{
	return mbedtls_ssl_read(&((struct peer *)tls)->ssl, p, n);
}

static void talk_close(void *tls)
{
	struct peer *p = tls;

	mbedtls_ssl_close_notify(&p->ssl);
	mbedtls_ssl_free(&p->ssl);
	mbedtls_ssl_config_free(&p->conf);
	mbedtls_x509_crt_free(&p->cert);
	mbedtls_pk_free(&p->key);
	mbedtls_ctr_drbg_free(&p->random);
	mbedtls_entropy_free(&p->entropy);
	free(p);
}

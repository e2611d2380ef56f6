/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of TLS libraries. Arguments count from 1; the shapes are those of bpf/cookie.h.
 */
#include "capture/tls_libs.h"

#include <stddef.h>

/*
 * OpenSSL 1.1.1, 3.x and 4.x, LibreSSL's and BoringSSL's shared libraries, and executables that
 * export the same names. One function calling another of the row inside (SSL_write -> SSL_write_ex
 * in some builds, early data -> SSL_read_ex) is sorted out by the BPF side: the outermost call
 * counts.
 */
static const char *const openssl_sonames[] = {"libssl.so", "libssl-", "libboringssl", NULL};

static const struct tls_func openssl_funcs[] = {
	{.symbol = "SSL_write",
	 .kind = FN_WRITE,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true},
	{.symbol = "SSL_read",
	 .kind = FN_READ,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true},
	{.symbol = "SSL_write_ex",
	 .kind = FN_WRITE,
	 .shape = LEN_OUT_IF_1,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .out_arg = 4},
	{.symbol = "SSL_read_ex",
	 .kind = FN_READ,
	 .shape = LEN_OUT_IF_1,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .out_arg = 4},
	/* 3.3: (ssl, buf, num, flags, written) */
	{.symbol = "SSL_write_ex2",
	 .kind = FN_WRITE,
	 .shape = LEN_OUT_IF_1,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .out_arg = 5},
	{.symbol = "SSL_write_early_data",
	 .kind = FN_WRITE,
	 .shape = LEN_OUT_IF_1,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .out_arg = 4},
	/* 0: error, 1: data, 2: the early data ended */
	{.symbol = "SSL_read_early_data",
	 .kind = FN_READ,
	 .shape = LEN_OUT_IF_NOT_0,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .out_arg = 4},
	{.symbol = "SSL_peek",
	 .kind = FN_PEEK,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = "SSL_peek_ex",
	 .kind = FN_PEEK,
	 .shape = LEN_OUT_IF_1,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .out_arg = 4},
	/* (ssl, fd, offset, size, flags) */
	{.symbol = "SSL_sendfile",
	 .kind = FN_SENDFILE,
	 .shape = LEN_RET_LONG,
	 .ctx_arg = 1,
	 .len_arg = 4},
	{.symbol = "SSL_new", .kind = FN_NEW},
	{.symbol = "SSL_free", .kind = FN_FREE, .ctx_arg = 1},
	{.symbol = "SSL_clear", .kind = FN_RESET, .ctx_arg = 1},
	{.symbol = "SSL_do_handshake", .kind = FN_HANDSHAKE, .ctx_arg = 1},
	{.symbol = "SSL_connect", .kind = FN_HANDSHAKE, .ctx_arg = 1},
	{.symbol = "SSL_accept", .kind = FN_HANDSHAKE, .ctx_arg = 1},
	/*
	 * The filter BIO calls the internals, not SSL_read and SSL_write. Since 1.1.1 its
	 * BIO_METHOD is {type, name, bwrite, bwrite_old, bread, bread_old, bputs, bgets, ctrl,
	 * create, destroy, callback_ctrl}; the context is the BIO. Before, and in BoringSSL (where
	 * it calls SSL_read), the table has another shape: there SSL_read_ex does not exist either.
	 */
	{.symbol = "BIO_f_ssl",
	 .kind = FN_WRITE,
	 .shape = LEN_OUT_IF_1,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .out_arg = 4,
	 .find = FIND_TABLE_SLOT,
	 .slot = 2,
	 .with = "SSL_read_ex"},
	{.symbol = "BIO_f_ssl",
	 .kind = FN_READ,
	 .shape = LEN_OUT_IF_1,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .out_arg = 4,
	 .find = FIND_TABLE_SLOT,
	 .slot = 4,
	 .with = "SSL_read_ex"},
	{.symbol = "BIO_f_ssl",
	 .kind = FN_RESET, /* create(bio): a new context, at its first byte */
	 .ctx_arg = 1,
	 .find = FIND_TABLE_SLOT,
	 .slot = 9,
	 .with = "SSL_read_ex"},
	{.symbol = "BIO_f_ssl",
	 .kind = FN_FREE, /* destroy(bio) */
	 .ctx_arg = 1,
	 .find = FIND_TABLE_SLOT,
	 .slot = 10,
	 .with = "SSL_read_ex"},
	{.symbol = NULL},
};

/*
 * GnuTLS 3.x. gnutls_record_recv_packet() hands out a buffer of the library and is not seen.
 */
static const char *const gnutls_sonames[] = {"libgnutls.so", NULL};

static const struct tls_func gnutls_funcs[] = {
	/* Also (session, NULL, 0), which goes on with what an interrupted call was given: a gap. */
	{.symbol = "gnutls_record_send",
	 .kind = FN_WRITE,
	 .shape = LEN_RET_LONG,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true},
	{.symbol = "gnutls_record_recv",
	 .kind = FN_READ,
	 .shape = LEN_RET_LONG,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true},
	/* 3.6.3: (session, data, size, pad, flags) */
	{.symbol = "gnutls_record_send2",
	 .kind = FN_WRITE,
	 .shape = LEN_RET_LONG,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = "gnutls_record_send_range",
	 .kind = FN_WRITE,
	 .shape = LEN_RET_LONG,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = "gnutls_record_recv_seq",
	 .kind = FN_READ,
	 .shape = LEN_RET_LONG,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = "gnutls_record_send_early_data",
	 .kind = FN_WRITE,
	 .shape = LEN_ARG_IF_0,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = "gnutls_record_recv_early_data",
	 .kind = FN_READ,
	 .shape = LEN_RET_LONG,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	/* What is corked was counted when it was sent; uncorking sends it once more inside. */
	{.symbol = "gnutls_record_uncork", .kind = FN_PEEK, .shape = LEN_RET, .ctx_arg = 1},
	/* (gnutls_session_t *session, flags) */
	{.symbol = "gnutls_init", .kind = FN_NEW, .out_arg = 1},
	{.symbol = "gnutls_deinit", .kind = FN_FREE, .ctx_arg = 1},
	{.symbol = "gnutls_handshake", .kind = FN_HANDSHAKE, .ctx_arg = 1},
	{.symbol = NULL},
};

const struct tls_lib tls_libs[] = {
	{.name = "openssl",
	 .sonames = openssl_sonames,
	 .funcs = openssl_funcs,
	 .version_mark = "OpenSSL "},
	{.name = "gnutls",
	 .sonames = gnutls_sonames,
	 .funcs = gnutls_funcs,
	 .version_mark = "GnuTLS "},
	{.name = NULL},
};

uint64_t tls_func_cookie(unsigned int lib, unsigned int fn)
{
	const struct tls_func *f = &tls_libs[lib].funcs[fn];

	return COOKIE(lib, fn, f->kind, f->shape, f->ctx_arg, f->buf_arg, f->len_arg, f->out_arg);
}

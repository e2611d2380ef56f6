/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of TLS libraries. Arguments count from 1; the shapes are those of bpf/cookie.h.
 */
#include "capture/tls_libs.h"

#include <stddef.h>

#include "capture/shape.h"

/*
 * OpenSSL 1.1.1, 3.x and 4.x, LibreSSL's and BoringSSL's shared libraries, and executables that
 * export the same names. One function calling another of the row inside (SSL_write -> SSL_write_ex
 * in some builds, early data -> SSL_read_ex) is sorted out by the BPF side: the outermost call
 * counts.
 */
static const char *const openssl_sonames[] = {"libssl.so", "libssl-", "libboringssl", NULL};

static const struct shape *const openssl_shapes[] = {&shape_openssl, &shape_boringssl, NULL};

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
	/* (bio, data, len), linked in with the rest: where a memory BIO gets its ciphertext from */
	{.symbol = "BIO_write",
	 .kind = FN_CIPHER,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .with = "BIO_write"},
	{.symbol = NULL},
};

/* The other half of OpenSSL and its like; of use only to contexts of the first. */
static const char *const libcrypto_sonames[] = {"libcrypto.so", "libcrypto-", NULL};

static const struct tls_func libcrypto_funcs[] = {
	{.symbol = "BIO_write",
	 .kind = FN_CIPHER,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true},
	{.symbol = NULL},
};

/* GnuTLS 3.x. */
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
	/* (session, packet): the bytes stay in a buffer of the library, so this is a gap. */
	{.symbol = "gnutls_record_recv_packet",
	 .kind = FN_READ,
	 .shape = LEN_RET_LONG,
	 .ctx_arg = 1},
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

/* wolfSSL 4 and 5. Early data comes back in *outSz, an int, and as the result. */
static const char *const wolfssl_sonames[] = {"libwolfssl.so", NULL};

static const struct tls_func wolfssl_funcs[] = {
	{.symbol = "wolfSSL_write",
	 .kind = FN_WRITE,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true},
	{.symbol = "wolfSSL_read",
	 .kind = FN_READ,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true},
	{.symbol = "wolfSSL_write_early_data",
	 .kind = FN_WRITE,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = "wolfSSL_read_early_data",
	 .kind = FN_READ,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = "wolfSSL_peek",
	 .kind = FN_PEEK,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = "wolfSSL_new", .kind = FN_NEW},
	{.symbol = "wolfSSL_free", .kind = FN_FREE, .ctx_arg = 1},
	{.symbol = "wolfSSL_clear", .kind = FN_RESET, .ctx_arg = 1},
	{.symbol = "wolfSSL_connect", .kind = FN_HANDSHAKE, .ctx_arg = 1},
	{.symbol = "wolfSSL_accept", .kind = FN_HANDSHAKE, .ctx_arg = 1},
	{.symbol = "wolfSSL_negotiate", .kind = FN_HANDSHAKE, .ctx_arg = 1},
	{.symbol = NULL},
};

/* Mbed TLS 2 and 3. A context lies in memory of the program: it begins when it is set up. */
static const char *const mbedtls_sonames[] = {"libmbedtls.so", NULL};

static const struct tls_func mbedtls_funcs[] = {
	{.symbol = "mbedtls_ssl_write",
	 .kind = FN_WRITE,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true},
	{.symbol = "mbedtls_ssl_read",
	 .kind = FN_READ,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true},
	/* 3.6 */
	{.symbol = "mbedtls_ssl_write_early_data",
	 .kind = FN_WRITE,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = "mbedtls_ssl_read_early_data",
	 .kind = FN_READ,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = "mbedtls_ssl_setup", .kind = FN_RESET, .ctx_arg = 1},
	{.symbol = "mbedtls_ssl_session_reset", .kind = FN_RESET, .ctx_arg = 1},
	{.symbol = "mbedtls_ssl_free", .kind = FN_FREE, .ctx_arg = 1},
	{.symbol = "mbedtls_ssl_handshake", .kind = FN_HANDSHAKE, .ctx_arg = 1},
	{.symbol = NULL},
};

/*
 * NSS puts a layer on a socket of NSPR, whose functions then move plaintext; they serve files and plain
 * sockets as well, so only what SSL_ImportFD returned counts. Each library has its row.
 */
static const char *const nss_sonames[] = {"libssl3.so", NULL};

static const struct tls_func nss_funcs[] = {
	{.symbol = "SSL_ImportFD", .kind = FN_NEW, .required = true},
	{.symbol = "SSL_ForceHandshake", .kind = FN_HANDSHAKE, .ctx_arg = 1},
	{.symbol = NULL},
};

static const char *const nspr_sonames[] = {"libnspr4.so", NULL};

static const struct tls_func nspr_funcs[] = {
	{.symbol = "PR_Write",
	 .kind = FN_WRITE,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true,
	 .known_only = true},
	{.symbol = "PR_Read",
	 .kind = FN_READ,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true,
	 .known_only = true},
	/* (fd, buf, amount, flags, timeout) */
	{.symbol = "PR_Send",
	 .kind = FN_WRITE,
	 .shape = LEN_RET,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .known_only = true},
	{.symbol = "PR_Recv",
	 .kind = FN_READ,
	 .shape = LEN_RET_UNLESS_PEEK,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .out_arg = 4,
	 .known_only = true},
	{.symbol = "PR_Close", .kind = FN_FREE, .ctx_arg = 1},
	{.symbol = NULL},
};

/*
 * Go's crypto/tls, linked into every program that uses it. Write is taken below, where it holds the lock that
 * orders the writes of many goroutines; what else is sent there is told by the record's content type. A
 * connection begins with its handshake; within a renegotiation's it does not.
 */
static const char *const go_sonames[] = {NULL};

static const struct tls_func go_funcs[] = {
	/* (c, b) */
	{.symbol = "crypto/tls.(*Conn).Read",
	 .kind = FN_READ,
	 .shape = LEN_RET_LONG,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3,
	 .required = true},
	/* (c, typ, data) */
	{.symbol = "crypto/tls.(*Conn).writeRecordLocked",
	 .kind = FN_WRITE,
	 .shape = LEN_RET_OF_DATA,
	 .ctx_arg = 1,
	 .out_arg = 2,
	 .buf_arg = 3,
	 .len_arg = 4,
	 .required = true},
	{.symbol = "crypto/tls.(*Conn).Close", .kind = FN_FREE, .ctx_arg = 1},
	{.symbol = "crypto/tls.(*Conn).clientHandshake", .kind = FN_BEGIN, .ctx_arg = 1},
	{.symbol = "crypto/tls.(*Conn).serverHandshake", .kind = FN_BEGIN, .ctx_arg = 1},
	{.symbol = "crypto/tls.(*Conn).handleRenegotiation", .kind = FN_HANDSHAKE, .ctx_arg = 1},
	{.symbol = NULL},
};

/*
 * rustls 0.20. What is sent is given to the state of the connection; what is read is taken from a buffer in it. The
 * context begins when the handshake is over: before, it is moved about. read() and write_tls() return a
 * Result<usize> of two words: in memory, whose address is then the first argument, or, by later compilers, in
 * registers.
 */
static const char *const rustls_sonames[] = {NULL};

#define RUSTLS_READ "_ZN54_$LT$rustls..conn..Reader$u20$as$u20$std..io..Read$GT$4read"
#define RUSTLS_STATE "_ZN6rustls4conn11CommonState"

static const struct tls_func rustls_funcs[] = {
	{.symbol = RUSTLS_READ,
	 .name = "Reader::read",
	 .find = FIND_RUST,
	 .variant = 4,
	 .required = true,
	 .kind = FN_READ,
	 .shape = LEN_PAIR_IF_0,
	 .part = true,
	 .out_arg = 1,
	 .ctx_arg = 2,
	 .buf_arg = 3,
	 .len_arg = 4},
	{.symbol = RUSTLS_READ,
	 .name = "Reader::read",
	 .find = FIND_RUST,
	 .variant = 3,
	 .required = true,
	 .kind = FN_READ,
	 .shape = LEN_RET_PAIR_IF_0,
	 .part = true,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = RUSTLS_STATE "19send_some_plaintext",
	 .name = "CommonState::send_some_plaintext",
	 .find = FIND_RUST,
	 .required = true,
	 .kind = FN_WRITE,
	 .shape = LEN_RET_LONG,
	 .ctx_arg = 1,
	 .buf_arg = 2,
	 .len_arg = 3},
	{.symbol = RUSTLS_STATE "16current_io_state",
	 .name = "CommonState::current_io_state",
	 .find = FIND_RUST,
	 .required = true,
	 .kind = FN_WHOLE,
	 .ctx_arg = 2},
	{.symbol = RUSTLS_STATE "22start_outgoing_traffic",
	 .name = "CommonState::start_outgoing_traffic",
	 .find = FIND_RUST,
	 .kind = FN_RESET,
	 .ctx_arg = 1},
	{.symbol = RUSTLS_STATE "9write_tls",
	 .name = "CommonState::write_tls",
	 .find = FIND_RUST,
	 .variant = 4,
	 .kind = FN_HANDSHAKE,
	 .ctx_arg = 2},
	{.symbol = RUSTLS_STATE "9write_tls",
	 .name = "CommonState::write_tls",
	 .find = FIND_RUST,
	 .variant = 3,
	 .kind = FN_HANDSHAKE,
	 .ctx_arg = 1},
	{.symbol = NULL},
};

const struct tls_lib tls_libs[] = {
	{.name = "openssl",
	 .sonames = openssl_sonames,
	 .funcs = openssl_funcs,
	 .version_mark = "OpenSSL ",
	 .shapes = openssl_shapes},
	{.name = "gnutls",
	 .sonames = gnutls_sonames,
	 .funcs = gnutls_funcs,
	 .version_mark = "GnuTLS "},
	{.name = "wolfssl", .sonames = wolfssl_sonames, .funcs = wolfssl_funcs},
	{.name = "mbedtls", .sonames = mbedtls_sonames, .funcs = mbedtls_funcs},
	{.name = "nss", .sonames = nss_sonames, .funcs = nss_funcs},
	{.name = "nss", .sonames = nspr_sonames, .funcs = nspr_funcs},
	{.name = "openssl",
	 .sonames = libcrypto_sonames,
	 .funcs = libcrypto_funcs,
	 .version_mark = "OpenSSL ",
	 .auxiliary = true},
	{.name = "go", .sonames = go_sonames, .funcs = go_funcs, .abi = ABI_GO},
	{.name = "rustls",
	 .sonames = rustls_sonames,
	 .funcs = rustls_funcs,
	 .version_mark = "/rustls-"},
	{.name = NULL},
};

const char *tls_lib_name(unsigned int lib)
{
	return lib == TLS_LIB_GIVEN ? "given" : tls_libs[lib].name;
}

enum tls_abi tls_lib_abi(unsigned int lib)
{
	return lib == TLS_LIB_GIVEN ? ABI_C : tls_libs[lib].abi;
}

const char *tls_func_name(const struct tls_func *f)
{
	return f->name ? f->name : f->symbol;
}

uint64_t tls_func_cookie(unsigned int lib, unsigned int fn)
{
	const struct tls_func *f = &tls_libs[lib].funcs[fn];

	return COOKIE(lib, fn, f->kind, f->shape, f->ctx_arg, f->buf_arg, f->len_arg, f->out_arg) |
	       (f->known_only ? COOKIE_KNOWN_ONLY : 0) | (f->part ? COOKIE_PART : 0);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How functions of TLS libraries look when nobody names them.
 */
#include "capture/shape.h"

/*
 * OpenSSL since 3.0 gives ERR_set_debug() its source file and __func__. The public functions are thin. The internal
 * ones have the arguments and the result of the _ex forms, and so have the _ex forms that they were inlined into.
 * BIO_write() likewise: only the first three arguments count.
 */
static const struct shape_clue openssl_clues[] = {
	{.name = "SSL_write",
	 .symbol = "SSL_write",
	 .file = "ssl/ssl_lib.c",
	 .says = "SSL_write",
	 .args = 3},
	{.name = "SSL_read",
	 .symbol = "SSL_read",
	 .file = "ssl/ssl_lib.c",
	 .says = "SSL_read",
	 .args = 3},
	{.name = "SSL_peek",
	 .symbol = "SSL_peek",
	 .file = "ssl/ssl_lib.c",
	 .says = "SSL_peek",
	 .args = 3},
	{.name = "ssl_write_internal",
	 .symbol = "SSL_write_ex",
	 .file = "ssl/ssl_lib.c",
	 .says = "ssl_write_internal",
	 .says_only = true,
	 .copies = 2,
	 .args = 4},
	/* Since 3.3 it has a flags argument. */
	{.name = "ssl_write_internal",
	 .symbol = "SSL_write_ex2",
	 .file = "ssl/ssl_lib.c",
	 .says = "ssl_write_internal",
	 .says_only = true,
	 .copies = 2,
	 .args = 5},
	{.name = "ssl_read_internal",
	 .symbol = "SSL_read_ex",
	 .file = "ssl/ssl_lib.c",
	 .says = "ssl_read_internal",
	 .says_only = true,
	 .args = 4,
	 .copies = 2},
	{.name = "ssl_peek_internal",
	 .symbol = "SSL_peek_ex",
	 .file = "ssl/ssl_lib.c",
	 .says = "ssl_peek_internal",
	 .says_only = true,
	 .args = 4,
	 .copies = 2},
	{.name = "SSL_write_early_data",
	 .symbol = "SSL_write_early_data",
	 .file = "ssl/ssl_lib.c",
	 .says = "SSL_write_early_data"},
	{.name = "SSL_read_early_data",
	 .symbol = "SSL_read_early_data",
	 .file = "ssl/ssl_lib.c",
	 .says = "SSL_read_early_data"},
	{.name = "SSL_sendfile",
	 .symbol = "SSL_sendfile",
	 .file = "ssl/ssl_lib.c",
	 .says = "SSL_sendfile"},
	{.name = "SSL_new",
	 .symbol = "SSL_new",
	 .file = "ssl/ssl_lib.c",
	 .says = "SSL_new",
	 .args = 1},
	{.name = "SSL_clear", .symbol = "SSL_clear", .file = "ssl/ssl_lib.c", .says = "SSL_clear"},
	/* It, SSL_connect() and SSL_accept(). */
	{.name = "SSL_do_handshake",
	 .symbol = "SSL_do_handshake",
	 .file = "ssl/ssl_lib.c",
	 .says = "SSL_do_handshake",
	 .says_only = true,
	 .copies = 3},
	/* It says nothing, but counts references, and SSL_new() undoes itself with it. */
	{.name = "SSL_free",
	 .symbol = "SSL_free",
	 .file = "ssl/ssl_lib.c",
	 .says_only = true,
	 .called_by = "SSL_new",
	 .locked = SHAPE_YES},
	{.name = "bio_write_intern",
	 .symbol = "BIO_write",
	 .file = "crypto/bio/bio_lib.c",
	 .says = "bio_write_intern",
	 .copies = 3},
	{.name = NULL},
};

const struct shape shape_openssl = {.name = "OpenSSL", .clues = openssl_clues};

/*
 * BoringSSL gives ERR_put_error() its source file and a code. SSL_peek() is what calls ssl_read_impl(), and
 * SSL_read() takes out of the context what SSL_peek() has shown.
 */
enum {
	NOT_CALLED = 66,  /* ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED: on QUIC */
	BAD_LENGTH = 111, /* SSL_R_BAD_LENGTH */
	NO_TYPE = 134,	  /* SSL_R_CONNECTION_TYPE_NOT_SET */
	NO_CTX = 185,	  /* SSL_R_NULL_SSL_CTX */
	NO_SHAKE = 215,	  /* SSL_R_SSL_HANDSHAKE_FAILURE */
	UNPREPARED = 226, /* SSL_R_UNINITIALIZED */
};

static const struct shape_clue boringssl_clues[] = {
	{.name = "SSL_write",
	 .symbol = "SSL_write",
	 .file = "ssl/ssl_lib.cc",
	 .reasons = {UNPREPARED, NO_SHAKE, BAD_LENGTH}},
	/* Before it looked at the length itself. */
	{.name = "SSL_write",
	 .symbol = "SSL_write",
	 .file = "ssl/ssl_lib.cc",
	 .reasons = {UNPREPARED, NO_SHAKE, NOT_CALLED}},
	{.name = "ssl_read_impl",
	 .file = "ssl/ssl_lib.cc",
	 .reasons = {UNPREPARED, NO_SHAKE},
	 .reasons_not = {BAD_LENGTH, NOT_CALLED}},
	{.name = "SSL_peek",
	 .symbol = "SSL_peek",
	 .calls = "ssl_read_impl",
	 .reasons_not = {UNPREPARED},
	 .stores = SHAPE_NO},
	/* With SSL_peek() inlined, or calling it. */
	{.name = "SSL_read",
	 .symbol = "SSL_read",
	 .calls = "ssl_read_impl",
	 .reasons_not = {UNPREPARED},
	 .stores = SHAPE_YES},
	{.name = "SSL_read", .symbol = "SSL_read", .calls = "SSL_peek", .stores = SHAPE_YES},
	{.name = "SSL_do_handshake",
	 .symbol = "SSL_do_handshake",
	 .file = "ssl/ssl_lib.cc",
	 .reasons = {NO_TYPE}},
	{.name = "SSL_new", .symbol = "SSL_new", .file = "ssl/ssl_lib.cc", .reasons = {NO_CTX}},
	{.name = NULL},
};

const struct shape shape_boringssl = {
	.name = "BoringSSL", .reason_arg = 3, .clues = boringssl_clues};

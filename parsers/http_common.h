/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What HTTP/1 and HTTP/2 share: the URL of a request and the meaning of a status code. */
#ifndef TLSLENS_PARSERS_HTTP_COMMON_H
#define TLSLENS_PARSERS_HTTP_COMMON_H

#include "core/txn.h"

/* Parts that are absent or cannot be known are {NULL, 0}. They point into the arena or into the target. */
struct http_url {
	struct str full, scheme, path, query;
};

/*
 * The target URI of a request (RFC 9110 section 7.1, RFC 9112 section 3.3) from its request-target or
 * :path, which must live as long as the arena. Scheme and authority of an absolute-form target win over
 * those given. `full` needs an authority; the target of CONNECT is none of this (RFC 9110 section 9.3.6).
 */
struct http_url http_url(struct arena *a, struct str scheme, struct str authority,
			 struct str target);

/* Appends url.full, url.scheme, url.path and url.query, those that are there. */
void http_url_attrs(struct txn *t, const struct http_url *u);

/* Of HTTP in any version: what it may be upgraded to is in it. */
extern const char *const http_txn_names[];

/* By the class of the final status code (RFC 9110 section 15). */
enum outcome http_outcome(unsigned int status);

#endif

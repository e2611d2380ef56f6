/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/attr_names.h"
#include "select/select.h"
#include "tests/unit/sample.h"

#define HEADERS_MAX 64

void sample_identity(struct sample *s, enum identity_field f, const char *value)
{
	assert_int_equal(identity_set(s->proc, f, value, strlen(value)), 0);
}

void sample_headers(struct sample *s, const char *attr, ...)
{
	struct header *h = arena_zalloc(&s->t->arena, HEADERS_MAX * sizeof(*h));
	const char *name;
	uint32_t n = 0;
	va_list ap;

	assert_non_null(h);
	va_start(ap, attr);
	while ((name = va_arg(ap, const char *))) {
		assert_true(n < HEADERS_MAX);
		h[n].name = str_from(name);
		h[n++].value = str_from(va_arg(ap, const char *));
	}
	va_end(ap);
	txn_headers(s->t, attr, h, n);
}

void sample_bare(struct sample *s)
{
	static const struct conn conn = {
		.seq = 1,
		.id = "4242-7f00aa-1",
		.source = PEER_NESTED,
		.family = ADDR_IPV4,
		.local = {{10, 1, 2, 3}, 40001},
		.peer = {{93, 184, 216, 34}, 443},
		.role = ROLE_CLIENT,
		.lib = "openssl",
		.tls_version = {"1.3", 3},
		.sni = {"example.com", 11},
		.alpn = {"http/1.1", 8},
	};

	s->conn = conn;
	s->proc = identity_new((struct proc_key){.start_ns = 5, .tgid = 4242});
	assert_non_null(s->proc);
	s->conn.proc = s->proc;
	s->t = txn_new(&s->conn);
	assert_non_null(s->t);
	s->t->event_name = "http.exchange";
	s->t->proto_name = "http";
	s->t->proto_version = "1.1";
	s->t->start_ns = 1000;
	s->t->end_ns = 2001000;
	s->t->clock_offset_ns = 1767323045678900234; /* 2026-01-02T03:04:05.678901234Z, less 1000 */
	s->t->tid = 4250;
	s->t->role = ROLE_CLIENT;
	s->t->source = PEER_NESTED;
	s->t->outcome = OUTCOME_OK;
	s->t->verb = STR("GET");
	s->t->target = STR("https://example.com/a?x=1");
	s->t->status = STR("200");
	s->t->response_body_bytes = 13;
	sample_identity(s, ID_COMM, "curl");
}

void sample_init(struct sample *s)
{
	struct txn *t;

	sample_bare(s);
	t = s->t;
	sample_identity(s, ID_EXE, "/usr/bin/curl");
	sample_identity(s, ID_CONTAINER_ID, "3f1c0d9a7b21");
	sample_identity(s, ID_CONTAINER_NAME, "web-1");
	sample_identity(s, ID_K8S_NAMESPACE, "shop");
	sample_identity(s, ID_K8S_POD, "web-1-abc");
	txn_str(t, A_HTTP_METHOD, STR("GET"));
	txn_str(t, A_URL_FULL, t->target);
	txn_str(t, A_URL_SCHEME, STR("https"));
	txn_str(t, A_URL_PATH, STR("/a"));
	txn_str(t, A_URL_QUERY, STR("x=1"));
	txn_int(t, A_HTTP_STATUS, 200);
	txn_int(t, A_HTTP_REQUEST_BODY_SIZE, 0);
	txn_int(t, A_HTTP_RESPONSE_BODY_SIZE, 13);
	txn_str(t, A_HTTP_RESPONSE_BODY_CONTENT, STR("{\"hello\": 42}"));
	sample_headers(s, A_REQUEST_HEADERS, "Host", "example.com", "Authorization",
		       "Bearer hunter2", NULL);
	sample_headers(s, A_RESPONSE_HEADERS, "Content-Type", "application/json", NULL);
}

void sample_free(struct sample *s)
{
	txn_free(s->t);
	txn_pool_drain();
	identity_unref(s->proc);
}

static char *slurp(int fd)
{
	struct stat st;
	char *text;

	assert_int_equal(fstat(fd, &st), 0);
	text = malloc((size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
	text[st.st_size] = '\0';
	return text;
}

static char *written(const struct writer_ops *ops, const struct writer_cfg *cfg, struct txn *t,
		     bool redact)
{
	const struct writer_cfg none = {0};
	const struct select_cfg select = {.redact = redact};
	struct selector *selector;
	struct fanout *fanout;
	struct out *out;
	void *self;
	char *text;
	int fd;

	fd = memfd_create("written", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(out_fd(&out, dup(fd)), 0);
	assert_int_equal(ops->open(&self, out, cfg ? cfg : &none), 0);
	fanout = fanout_new();
	assert_non_null(fanout);
	assert_int_equal(fanout_add(fanout, ops, self, NULL, ops->name), 0);
	selector = select_new(&select, fanout_sink(fanout));
	assert_non_null(selector);
	assert_int_equal(select_sink(selector)->ops->txn(select_sink(selector), t), 0);
	select_free(selector);
	assert_int_equal(fanout_close(fanout), 0);
	text = slurp(fd);
	close(fd);
	return text;
}

char *sample_written(const struct writer_ops *ops, const struct writer_cfg *cfg, struct txn *t)
{
	return written(ops, cfg, t, false);
}

char *sample_redacted(const struct writer_ops *ops, const struct writer_cfg *cfg, struct txn *t)
{
	return written(ops, cfg, t, true);
}

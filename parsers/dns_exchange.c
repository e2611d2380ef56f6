/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An answer belongs to the query of the other direction that has its id and its question (RFC 5452 section
 * 4). One that has the id of a query but asks something else is an exchange of its own, marked so: the
 * query goes on waiting, as a resolver's would.
 */
#include "parsers/dns_exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "core/attr_names.h"
#include "parsers/dns_txn.h"

struct dns_query {
	struct dns_query *prev, *next;
	struct txn *txn; /* owned */
	enum dir dir;
	uint64_t sent_ns; /* the last time */
	uint32_t retransmissions;
	struct dns_message m; /* its bytes are gone */
};

static void forget(struct dns_exchanges *x, struct dns_query *q)
{
	DL_DELETE(x->list, q);
	x->count--;
	free(q);
}

/* The side that the traced process is on, when this direction asks. */
static enum role role_of(enum dir asks)
{
	return asks == DIR_WRITE ? ROLE_CLIENT : ROLE_SERVER;
}

static void learn_role(struct dns_exchanges *x, enum role role)
{
	if (x->role == role)
		return;
	x->role = role;
	x->sink->ops->role(x->sink, role);
}

static struct txn *new_txn(struct dns_exchanges *x, const struct dns_message *m,
			   const struct dns_moved *moved)
{
	struct txn *t = dns_txn_new(x->conn, m, x->transport);

	if (!t)
		return NULL;
	t->role = role_of(m->response ? dir_other(moved->dir) : moved->dir);
	t->start_ns = moved->start_ns;
	t->end_ns = moved->end_ns;
	t->tid = moved->tid;
	return t;
}

static void emit_answered(struct dns_exchanges *x, struct txn *t, const struct dns_message *m,
			  const struct dns_moved *moved)
{
	t->response_start_ns = moved->start_ns;
	t->end_ns = moved->end_ns;
	dns_txn_answer(t, m);
	dns_txn_resolved(t, x->sink, m);
	x->sink->ops->txn(x->sink, t);
}

static void add_retransmissions(const struct dns_query *q)
{
	if (q->retransmissions)
		txn_int(q->txn, A_DNS_RETRANSMISSIONS, q->retransmissions);
}

static void emit_unanswered(struct dns_exchanges *x, struct dns_query *q, bool timeout)
{
	struct txn *t = q->txn;

	add_retransmissions(q);
	t->flags |= TXN_NO_RESPONSE;
	t->outcome = OUTCOME_ABORTED;
	if (timeout)
		txn_str(t, A_ERROR_TYPE, STR("timeout"));
	forget(x, q);
	x->sink->ops->txn(x->sink, t);
}

static struct dns_query *find(const struct dns_exchanges *x, enum dir asks,
			      const struct dns_message *m, bool *id_known)
{
	struct dns_query *q;

	*id_known = false;
	DL_FOREACH (x->list, q) {
		if (q->dir != asks || q->m.id != m->id)
			continue;
		*id_known = true;
		if (q->m.opcode == m->opcode && dns_message_same_question(&q->m, m))
			return q;
	}
	return NULL;
}

static int on_query(struct dns_exchanges *x, const struct dns_message *m,
		    const struct dns_moved *moved)
{
	struct dns_query *q;
	bool id_known;

	learn_role(x, role_of(moved->dir));
	q = find(x, moved->dir, m, &id_known);
	if (q) {
		q->retransmissions++;
		q->sent_ns = moved->end_ns;
		DL_DELETE(x->list, q);
		DL_APPEND(x->list, q);
		return 0;
	}
	if (x->count && x->count >= x->limits->pipeline) {
		proto_limit(x->sink, LIMIT_REQUESTS);
		x->list->txn->flags |= TXN_LIMIT;
		emit_unanswered(x, x->list, false);
	}
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->txn = new_txn(x, m, moved);
	if (!q->txn) {
		free(q);
		return -ENOMEM;
	}
	q->txn->request_end_ns = moved->end_ns;
	dns_txn_query(q->txn, m);
	q->dir = moved->dir;
	q->sent_ns = moved->end_ns;
	q->m = *m;
	q->m.p = NULL;
	DL_APPEND(x->list, q);
	x->count++;
	return 0;
}

static int on_response(struct dns_exchanges *x, const struct dns_message *m,
		       const struct dns_moved *moved)
{
	enum dir asks = dir_other(moved->dir);
	struct dns_query *q;
	struct txn *t;
	bool id_known;

	learn_role(x, role_of(asks));
	q = find(x, asks, m, &id_known);
	if (q) {
		t = q->txn;
		add_retransmissions(q);
		forget(x, q);
	} else {
		t = new_txn(x, m, moved);
		if (!t)
			return -ENOMEM;
		t->flags |= TXN_NO_REQUEST;
		if (id_known)
			dns_ambiguous(t, "answer-to-another-question");
	}
	emit_answered(x, t, m, moved);
	return 0;
}

int dns_exchanges_message(struct dns_exchanges *x, const uint8_t *p, size_t n,
			  const struct dns_moved *moved)
{
	struct dns_message m;
	int err = dns_message_read(&m, p, n);

	if (err)
		return err;
	return m.response ? on_response(x, &m, moved) : on_query(x, &m, moved);
}

void dns_exchanges_tick(struct dns_exchanges *x, uint64_t now_ns)
{
	while (x->list && now_ns > x->list->sent_ns &&
	       now_ns - x->list->sent_ns >= DNS_ANSWER_TIMEOUT_NS)
		emit_unanswered(x, x->list, true);
}

void dns_exchanges_close(struct dns_exchanges *x)
{
	while (x->list)
		emit_unanswered(x, x->list, false);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of flow/ call of each other, one noun a file. The way of a record:
 *
 *   flow.c -> conns.c (whose) -> stream.c (in which order) -> drive.c (into which parser, see detect.c)
 *          -> queue.c (until peer and secrets are settled) -> sink
 */
#ifndef TLSLENS_FLOW_INTERNAL_H
#define TLSLENS_FLOW_INTERNAL_H

#include "flow/state.h"

/* timers.c */
void flow_timer_arm(struct flow *f, enum timer_kind k, struct flow_timer *t, uint64_t due_ns);
void flow_timer_cancel(struct flow *f, enum timer_kind k, struct flow_timer *t);
/* The soonest timer of a kind that is due, disarmed; or NULL. */
struct flow_timer *flow_timer_due(struct flow *f, enum timer_kind k);

/* procs.c; NULL without memory (f->err is set) */
struct flow_proc *flow_proc_get(struct flow *f, const struct ev_hdr *h);
void flow_proc_identity(struct flow *f, const struct ev_identity *ev);
void flow_proc_free_all(struct flow *f);

/* The name of a thread, {NULL, 0} when it was not told; valid until the process is forgotten. */
void flow_proc_thread(struct flow *f, const struct ev_thread *ev);
struct str flow_proc_thread_name(const struct flow_proc *p, uint32_t tid);

/* events.c: EV_FORK, EV_EXEC, EV_EXIT */
void flow_event_proc(struct flow *f, const struct ev_proc *ev);

/* conns.c */
struct flow_conn *flow_conn_find(struct flow *f, const struct flow_conn_key *key);
/* The connection of a data record, made at its first; NULL without memory. */
struct flow_conn *flow_conn_get(struct flow *f, const struct ev_data *d);
/* Ends and frees it; `end` carries the final positions and may be NULL. */
void flow_conn_end(struct flow_conn *c, const struct ev_conn_end *end);
/* It is one to be counted: its process speaks TLS, or a protocol known here. */
void flow_conn_known(struct flow_conn *c);

/* plain.c: connections that are sockets */
void flow_plain_data(struct flow *f, const struct ev_data *d);
/* Ends its connections; `end` carries the final positions and may be NULL. */
void flow_plain_end(struct flow_sock *s, const struct ev_conn_end *end);
/* Does a record of TLS begin here? Of a plain connection whose protocol is not known. */
bool flow_plain_is_tls(const struct flow_conn *c, const struct slice *s);
/* Bytes in no known protocol went by: the socket may not be worth the copying. */
void flow_plain_unparsed(struct flow_conn *c, const struct slice *s);
/* Whatever comes from now on, nobody reads it. */
void flow_plain_unwanted(struct flow_conn *c);
/* Ends the connections of the sockets given up meanwhile, and tells the source. */
void flow_plain_give_up(struct flow *f);
/* Counts the socket of a connection that ended before anything was recognised on it. */
void flow_plain_unread(struct flow_conn *c);
/* Leaves its socket's list. */
void flow_plain_forget(struct flow_conn *c);

/* socks.c */
/* The entry of a socket, made when there is none; NULL without memory. */
struct flow_sock *flow_sock_get(struct flow *f, uint64_t id);
/* NULL: nothing is known of it. */
struct flow_sock *flow_sock_find(struct flow *f, uint64_t id);
void flow_sock_put(struct flow *f, const struct ev_sock *ev);
void flow_sock_close(struct flow *f, const struct ev_sock_close *ev);
void flow_sock_expire(struct flow *f);
/* Records of TLS were seen on it, by the process of `h`: it may be a context's. */
void flow_sock_is_tls(struct flow *f, struct flow_sock *s, const struct ev_hdr *h);
/* Takes the evidence that comes with a record. */
void flow_sock_evidence(struct flow_conn *c, const struct ev_data *d);
/* What proves the peer of a transaction that began at start_ns. */
enum peer_source flow_sock_source(const struct flow_conn *c, uint64_t start_ns);
void flow_sock_free_all(struct flow *f);

/* Evidence from a record of TLS: made by the context, sent on the socket. */
void flow_sock_record(struct flow_conn *c, uint64_t sock, uint64_t ts_ns);
/* The record that may have proven this socket has turned out to prove none. */
void flow_sock_refute(struct flow_conn *c, uint64_t sock);

/* names.c: what a process was told, and the name of a connection's peer when its socket is proven */
void flow_name_learn(struct flow_conn *c, const struct resolved *r);
void flow_name_of_peer(struct flow_conn *c);
void flow_name_free_all(struct flow *f);

/* cipher.c */
void flow_cipher_made(struct flow *f, const struct ev_cipher *ev);
void flow_cipher_sent(struct flow *f, const struct ev_sock_io *ev);
void flow_cipher_free_all(struct flow *f);

/* hellos.c */
void flow_hello_read(struct flow *f, const struct ev_sock_io *ev);
/* What was said on the socket is that of another life. */
void flow_hello_forget(struct flow *f, struct flow_sock *s);
/* To the connection whose socket it was proven to be, whatever is known of its hellos by now. */
void flow_hello_lend(struct flow_conn *c, struct flow_sock *s);
/* It was the wrong socket. */
void flow_hello_take_back(struct flow_conn *c);
/* The connection is over. */
void flow_hello_end(struct flow_conn *c);

/* stream.c */
void flow_stream_data(struct flow_conn *c, const struct ev_data *d);
void flow_stream_timeout(struct flow_conn *c, enum dir d);
/* A datagram, at its own place behind the one before; `lost` bytes of others never came. */
void flow_stream_datagram(struct flow_conn *c, const struct ev_data *d, uint64_t lost);
/* Delivers what is held and states what is missing up to end_off. */
void flow_stream_end(struct flow_conn *c, enum dir d, uint64_t end_off);

/* drive.c: in-order bytes and gaps of a direction */
void flow_drive_bytes(struct flow_conn *c, enum dir d, const struct slice *s);
void flow_drive_gap(struct flow_conn *c, enum dir d, uint64_t n, uint64_t ts_ns, uint32_t tid);
void flow_drive_timeout(struct flow_conn *c, enum dir d);
void flow_drive_tick(struct flow_conn *c);
/* No more input: what waits is taken now, the parser closed. */
void flow_drive_end(struct flow_conn *c);
/* Opens a parser. False without memory (f->err is set). */
bool flow_drive_open(struct flow_conn *c, const struct proto_ops *ops, bool late,
		     const struct txn *upgraded_from);

/* detect.c: can a parser start at this slice? PROBE_YES: it is open and in step. `last`: no PROBE_MORE */
enum probe_res flow_detect(struct flow_conn *c, enum dir d, const struct slice *s, bool last);

/* queue.c */
void flow_queue_txn(struct flow_conn *c, struct txn *t);
/* After the parser saw them: straight out when nothing stands against it, else copied. */
void flow_queue_bytes(struct flow_conn *c, enum dir d, const struct slice *s);
/* Before the parser is told; flow_queue_gap_told() then says how it took it. */
void flow_queue_gap(struct flow_conn *c, enum dir d, uint64_t off, uint64_t n, uint64_t ts_ns,
		    uint32_t tid);
void flow_queue_gap_told(struct flow_conn *c, enum dir d, uint64_t off, bool resync_unsafe);
void flow_queue_secret(struct flow_conn *c, enum dir d, uint64_t off, uint64_t n, uint8_t fill);
/* Lets out what may go. */
void flow_queue_release(struct flow_conn *c);
/* Lets out everything, and CHUNK_CLOSE. */
void flow_queue_end(struct flow_conn *c);

#endif

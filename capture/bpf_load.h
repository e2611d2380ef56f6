/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF side as the live source sees it: loaded in the best form that this kernel takes, proven by a trial
 * on ourselves, with its maps behind functions.
 */
#ifndef TLSLENS_CAPTURE_BPF_LOAD_H
#define TLSLENS_CAPTURE_BPF_LOAD_H

#include "bpf/ends.h"
#include "bpf/state.h"
#include "capture/attach.h"

struct bpf_side;

struct bpf_load_cfg {
	unsigned int ring_mb;
	uint32_t snap_bytes;
	const char *probes;  /* source_cfg.probes, or NULL */
	const char *backend; /* source_cfg.backend, or NULL */
	bool plain_sites;
	bool plain;			/* datagrams are wanted, with their peers */
	bool watch_execs;		/* EV_EXEC of processes that are not traced, too */
	unsigned int watch_bits;	/* enum watch_bit */
	const struct ends_wanted *ends; /* or NULL; borrowed */
	bool judge_streams;		/* bpf_refuse() may be told REFUSED_ALL */
};

/*
 * 0, or a negative errno after one line through log_error() that names what is missing: a capability, BTF,
 * a kernel new enough. Kernel-side programs of sockets and processes are attached when it returns.
 */
int bpf_load(struct bpf_side **bp, const struct bpf_load_cfg *cfg);
/* No program writes a record or counts any more when it returns, even where probes are still placed. */
void bpf_pause(struct bpf_side *b);
void bpf_unload(struct bpf_side *b);

const struct attach_progs *bpf_progs(const struct bpf_side *b);
int bpf_ring_fd(const struct bpf_side *b);
/* How socket calls are seen: a name of capture/bpf_socket.h. */
const char *bpf_socket_probe(const struct bpf_side *b);

/*
 * Sockets that close without being seen: those that are gone by now are told. When paused, the final positions of
 * all that are left. To be called now and then.
 */
void bpf_sweep(struct bpf_side *b);
/* What of this socket (struct ev_sock.sock) is only counted from now on. 0 or a negative errno. */
int bpf_refuse(struct bpf_side *b, uint64_t sock, enum refusal what);

/* The process table; what is in it is traced. 0 or a negative errno (-ENOENT). */
int bpf_proc_put(struct bpf_side *b, uint32_t tgid, const struct proc_state *p);
int bpf_proc_get(struct bpf_side *b, uint32_t tgid, struct proc_state *p);
int bpf_proc_delete(struct bpf_side *b, uint32_t tgid);
/* Iterates: *tgid is the previous one, 0 to begin. -ENOENT at the end. */
int bpf_proc_next(struct bpf_side *b, uint32_t *tgid);

/* Who is watched for: see enum watch_bit. Of groups the least recently used goes when there are too many. */
int bpf_watch_cgroup(struct bpf_side *b, uint64_t id);
int bpf_watch_uid(struct bpf_side *b, uint32_t uid);

/*
 * Takes the contexts of an ended process image out of the table: tgid's with an epoch <= before. Each is given
 * to fn. Returns how many there were.
 */
typedef void bpf_conn_fn(void *arg, const struct conn_key *key, const struct conn_state *conn);
size_t bpf_conns_take(struct bpf_side *b, uint32_t tgid, uint64_t before, bpf_conn_fn *fn,
		      void *arg);
/* The same for calls that its goroutines had open. */
void bpf_goroutines_drop(struct bpf_side *b, uint32_t tgid, uint64_t before);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire format of records: the only header that the BPF programs and user space share. The ring
 * buffer carries these, a recording stores them, flow/ lives on nothing else.
 *
 * All integers are in host order (a recording says which); every record starts with struct ev_hdr,
 * whose len is the length of the whole record and is checked on receipt. Times are CLOCK_MONOTONIC ns
 * (bpf_ktime_get_ns), start times are CLOCK_BOOTTIME ns (task->group_leader->start_boottime).
 */
#ifndef TLSLENS_BPF_EVENT_H
#define TLSLENS_BPF_EVENT_H

#include <linux/types.h>

#define EV_RECORD_MAX_BYTES (1u << 17) /* no record is longer */
#define EV_PART_MAX_BYTES (32u << 10)  /* payload of one data record */
#define EV_COMM_BYTES 16
#define EV_EXE_BYTES 256
#define EV_ARGS_BYTES 3840
#define EV_HELLO_BYTES 16384 /* of each direction of a new TLS socket */
#define EV_CIPHER_BYTES 32   /* a record's header and the beginning of its ciphertext */

enum ev_type {
	/* from the kernel */
	EV_DATA = 1,	   /* plaintext moved by one call, or one part of it */
	EV_SOCK = 2,	   /* the socket of a connection was proven, or changed */
	EV_CONN_END = 3,   /* the library freed or reset the context */
	EV_SOCK_CLOSE = 4, /* a socket that was announced is gone */
	EV_FORK = 5,
	EV_EXEC = 6,
	EV_EXIT = 7,
	EV_SOCK_IO = 8, /* a call on a socket: struct ev_sock_io, with bytes where asked for */
	EV_CIPHER = 9,	/* a TLS record that a context without a known socket made */
	/* from user space, so that a recording needs nothing else */
	EV_CONFIG = 64,	  /* what the run was asked for: NUL-terminated key and value strings */
	EV_CLOCK = 65,	  /* ties CLOCK_MONOTONIC to CLOCK_REALTIME */
	EV_IDENTITY = 66, /* who a process is: struct ev_identity */
	EV_LIB = 67,	  /* name of a TLS library row */
	EV_TICK = 68,	  /* time passes though nothing happens */
	EV_COUNTERS = 69, /* struct ev_counters of one process */
	EV_END = 70,	  /* the run ended here; a recording without it was cut */
	EV_THREAD = 71,	  /* the name of a thread: struct ev_thread */
};

/* ev_hdr.flags of EV_DATA */
enum ev_data_flag {
	EV_DATA_NESTED = 1 << 0, /* a socket call of this TLS call proved .sock, which speaks TLS */
	EV_DATA_CACHED = 1 << 1, /* .sock was proven by an earlier call of this generation */
	EV_DATA_SNAP = 1 << 2,	 /* want > got: beyond the snap length */
	EV_DATA_FAULT = 1 << 3,	 /* want > got: the page could not be read */
	EV_DATA_NOCOPY = 1 << 4, /* want > got: bytes never passed through a buffer (sendfile) */
	EV_DATA_MIDCALL = 1 << 5, /* the call was in progress when the probes came */
	EV_DATA_FROM_START =
		1 << 6, /* the context was created under tracing: off counts from its first byte */
	/*
	 * Bytes of a plain socket: .conn and .sock are the socket's id, .gen and .lib are 0. EV_SOCK told of the
	 * socket before, an EV_CONN_END with conn = gen = sock has the final positions, EV_SOCK_CLOSE follows.
	 */
	EV_DATA_PLAIN = 1 << 7,
	EV_DATA_DGRAM = 1 << 8, /* one record a datagram */
	EV_DATA_PEER = 1 << 9,	/* a struct ev_peer precedes the payload */
};

struct ev_hdr {
	__u64 ts_ns;
	__u64 start_ns; /* with tgid: the process */
	__u64 cgroup_id;
	__u32 tgid, tid;
	__u16 type, flags;
	__u32 len; /* of the whole record, this header included */
};

/*
 * Bytes [off, off + want) of one direction of one connection, of which the first `got` follow.
 * `lost` is how many bytes of this direction were dropped before `off` for want of ring space or
 * maps, since the generation began: a jump in off that equals the growth of lost is a loss, any
 * other jump is a record that has yet to come.
 */
struct ev_data {
	struct ev_hdr hdr;
	__u64 conn; /* context address (SSL *, gnutls_session_t, goroutine's *tls.Conn ...) */
	__u64 gen;  /* unique in a run: tells reuses of an address apart */
	__u64 call; /* unique in a run: parts of one call share it */
	__u64 off;
	__u64 lost;
	__u64 sock; /* struct ev_sock.sock, 0 when not proven */
	__u32 want, got;
	__u8 lib;   /* row, named by EV_LIB */
	__u8 dir;   /* enum dir of core/slice.h */
	__u16 part; /* 0, 1, ... within the call */
	__u32 pad;
	__u8 buf[];
};

/* The end of a generation, with the final positions, so that losses at the very end show. */
struct ev_conn_end {
	struct ev_hdr hdr;
	__u64 conn, gen;
	__u64 off[2], lost[2]; /* by enum dir */
};

#include "bpf/event_sock.h"

/* EV_FORK: hdr is the parent. EV_EXEC, EV_EXIT: hdr is the process itself. */
struct ev_proc {
	struct ev_hdr hdr;
	__u64 child_start_ns;
	__u32 child_tgid;
	__s32 exit_code; /* as wait(2) packs it */
	char comm[EV_COMM_BYTES];
};

/* ev_hdr.flags of EV_EXEC */
enum ev_exec_flag {
	EV_EXEC_TAKEN = 1 << 0, /* the kernel side began to trace it at this moment */
};

/*
 * EV_EXEC as the kernel makes it: what is known of the new image at its birth, as the process may be gone when
 * somebody looks. Recordings may hold the first member alone.
 */
struct ev_exec {
	struct ev_proc proc;
	__u32 parent_tgid, uid; /* of the effective user */
	__u32 inner_pid;	/* in its own pid namespace */
	__u32 args_len;
	char exe[EV_EXE_BYTES]; /* as execve(2) was given it, NUL-terminated */
	char args[];		/* ended by NUL each; cut at EV_ARGS_BYTES */
};

struct ev_thread {
	struct ev_hdr hdr;
	char comm[EV_COMM_BYTES];
};

struct ev_clock {
	struct ev_hdr hdr;
	__u64 mono_ns;
	__u64 real_ns;
};

/* Pairs of NUL-terminated strings: field name of identity/identity.h, value. hdr names the process. */
struct ev_identity {
	struct ev_hdr hdr;
	char pairs[];
};

struct ev_lib {
	struct ev_hdr hdr;
	__u8 lib;
	char name[]; /* NUL-terminated */
};

/* Why bytes that a process moved did not arrive. */
enum ev_lost {
	EV_LOST_RING = 0,   /* no room in the ring buffer */
	EV_LOST_FAULT = 1,  /* the page could not be read */
	EV_LOST_SNAP = 2,   /* longer than the snap length */
	EV_LOST_NOCOPY = 3, /* never in a buffer of the process */
	EV_LOST_TABLE = 4,  /* a kernel map was full */
	EV_LOST_BUSY = 5,   /* every scratch buffer of this CPU was in use */
	EV_LOST_CAUSES = 6,
};

/* ev_hdr.flags of EV_COUNTERS */
enum ev_counters_flag {
	/* Calls of functions that were found by the shape of their code are among what was filtered: they were not
	 * seen to speak TLS. */
	EV_COUNTERS_DOUBTED = 1 << 0,
};

/* Cumulative, of one process since the tracing began; generated = captured + filtered + sum(lost). */
struct ev_counters {
	struct ev_hdr hdr;
	__u64 calls[2]; /* completed calls that moved bytes, by enum dir */
	__u64 generated_bytes[2], captured_bytes[2], filtered_bytes[2];
	__u64 lost_bytes[EV_LOST_CAUSES];
	__u64 lost_events; /* records other than data that found no room */
};

#endif

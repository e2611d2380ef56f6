/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the BPF side keeps and its loader reads or seeds: values of the maps of bpf/maps.h. Private to
 * bpf/ and the live source; nothing of it reaches a recording.
 */
#ifndef TLSLENS_BPF_STATE_H
#define TLSLENS_BPF_STATE_H

#include "bpf/event.h"

#define PROCS_MAX 8192	  /* traced processes alive, or ended and not yet accounted for */
#define CONNS_MAX 65536	  /* contexts alive */
#define THREADS_MAX 16384 /* threads that ever made a TLS call and still live */
#define GOROUTINES_MAX \
	16384 /* goroutines that are within a TLS call, and calls of processes that switch stacks */
#define WATCH_CGROUPS_MAX 4096
#define WATCH_UIDS_MAX 64
#define CGROUP_DEPTH_MAX 16 /* groups above a process that are looked at */
#define SOCKS_MAX 65536	    /* sockets used by traced processes; the least recently used goes */
#define REFUSALS_MAX 8192   /* sockets that nobody wants, until their next call; the oldest goes */
#define SENDERS_MAX 4096    /* threads that are about to get a datagram */
#define VECTORS_MAX 4096 /* threads that use sendmmsg or recvmmsg; the least recently used goes */
#define VECTOR_SEGMENTS_MAX 16 /* of one message: beyond that its length is not checked */
#define CALL_DEPTH 4	   /* calls on distinct contexts open at once on one thread (TLS in TLS) */
#define CALL_PARTS_MAX 520 /* records of one call */
#define SNAP_MAX_BYTES (16u << 20)
#define GAP_PART_MAX_BYTES (1u << 30) /* `want` of one record that carries nothing */
#define SCRATCH_SLOTS 4 /* per CPU: programs that preempted each other while copying */
#define FAULT_PAGE_BYTES 4096
#define SCRATCH_HEAD_BYTES 128 /* before the payload of a record */
#define WORK_BYTES 512
#define GATHER_STEPS 64	      /* pieces of one record: segments, pages and their beginnings */
#define DIRECT_MIN_BYTES 4096 /* below that the scratch buffer is cheaper than a dynptr */
#define CIPHER_WATCH_NS \
	1000000000ull /* ciphertext of a context is looked for at sockets that long */

/*
 * The kernel's own resolution of start times is a nanosecond, that of /proc/PID/stat a tick of 10 ms
 * (USER_HZ is 100 on every architecture served). Records carry the coarse one, so that both agree.
 */
#define START_TICK_NS 10000000ull

/* Which rules say who is watched for, of those that the kernel side can decide. */
enum watch_bit {
	WATCH_BIT_CGROUP =
		1 << 0, /* who is in no watched group is left to user space: it may be a new one */
	WATCH_BIT_UID = 1 << 1,
	WATCH_BIT_OTHER = 1 << 2, /* there are rules that only user space can decide */
};

enum proc_flag {
	PROC_FOLLOW = 1 << 0,  /* its children are traced from their first instruction */
	PROC_EXITED = 1 << 1,  /* its last thread has ended; kept until the counters were read */
	PROC_PLAIN = 1 << 2,   /* the bytes of its plain sockets are wanted, too */
	PROC_BORN = 1 << 3,    /* traced from its first instruction, or that of its image */
	PROC_DOUBTED = 1 << 4, /* calls were filtered as not seen to be TLS: bpf/proof.h */
};

/* struct ev_counters without its header; added to with atomics, from any CPU. */
struct proc_counts {
	__u64 calls[2];
	__u64 generated_bytes[2], captured_bytes[2], filtered_bytes[2];
	__u64 lost_bytes[EV_LOST_CAUSES];
	__u64 lost_events;
};

/* Key: tgid. Being here is what makes a process traced. */
struct proc_state {
	__u64 start_ns;
	__u64 epoch;   /* CLOCK_MONOTONIC of the execve: contexts of an earlier image never match */
	__u32 flags;   /* enum proc_flag */
	__u32 part_at; /* where in a context the part lies that is read through, 0: not known yet */
	__u64 watch_until_ns; /* sends are looked at: a context needs its socket found */
	struct proc_counts n;
};

struct conn_key {
	__u64 ctx;
	__u64 epoch;
	__u32 tgid;
	__u32 pad;
};

/* In conn_state.open: ends with the last open call. */
#define CONN_CLOSING (1u << 31)

enum conn_flag {
	CONN_FROM_START = 1 << 0, /* created under tracing */
	CONN_ENDED = 1 << 1,	  /* freed, but the record of it found no room yet */
	CONN_ANNOUNCED = 1 << 2,  /* EV_SOCK of .sock was written */
	CONN_BELIEVED = 1 << 3,	  /* of functions found by their shape: bpf/proof.h */
};

/* How far a connection is, by enum dir. */
struct positions {
	__u64 gen;
	__u64 off[2], lost[2];
};

struct conn_state {
	struct positions at;
	__u64 sock;	 /* struct ev_sock.sock, 0: none proven */
	__u64 sock_addr; /* kernel address of it: key of the socket table */
	__u32 flags;	 /* enum conn_flag */
	__u32 open; /* calls between their entry and their return, and CONN_CLOSING; of Go only */
};

#include "bpf/state_sock.h"

/* What the socket calls within a TLS call say about its context. */
enum frame_proof {
	PROOF_NONE = 0, /* there were none */
	PROOF_SOLE = 1, /* one socket only: the context's */
	PROOF_VOID = 2, /* several, or no TLS was seen on it: perhaps a callback's or a log's */
};

enum frame_flag {
	FRAME_BUF_ON_STACK =
		1 << 0,		 /* .buf counts from the base of the stack, which may be moved */
	FRAME_BELIEVED = 1 << 1, /* the call is on a context of TLS: bpf/proof.h */
};

/* A TLS call between its entry and its return. */
struct frame {
	__u64 ctx, buf, len, out;
	__u64 sp; /* user stack pointer at the entry, from the base: tells frames apart, stale ones from live */
	__u64 ret; /* return address, of a call seen by probes inside the function; else 0 */
	__u64 ts_ns;
	__u64 cookie;
	__u64 sock, sock_addr; /* the first stream socket used within this call: id, address */
	__u32 proof;	       /* enum frame_proof */
	__u32 flags;	       /* enum frame_flag */
	__u64 cipher_bytes;    /* seen within this call, as long as it is not believed */
};

/*
 * Outermost first. Key: pid_tgid of a thread, or a struct conn_key whose ctx is the address of a goroutine's
 * record.
 */
struct call_stack {
	__u64 base; /* what stack pointers count from: 0, or the upper end of the goroutine's stack */
	__u64 whole; /* the context of the last FN_WHOLE */
	__u32 depth;
	__u32 pad;
	struct frame frame[CALL_DEPTH];
};

struct run_ids {
	__u64 gen, call, sock; /* the last ones given out */
};

#endif

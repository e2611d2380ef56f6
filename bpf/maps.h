/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every map, and every constant that the loader sets. Each object of bpf/ has them as weak symbols; linking
 * makes them one. Hash tables are preallocated: programs that run inside of probes must not allocate.
 */
#ifndef TLSLENS_BPF_MAPS_H
#define TLSLENS_BPF_MAPS_H

#include "bpf/ends.h"
#include "bpf/kernel_types.h"
#include "bpf/state.h"

/* Set before load. */
const volatile __u32 snap_bytes __weak = 1 << 20; /* of one call, <= SNAP_MAX_BYTES */
const volatile bool dynptr_copy __weak = false;	  /* the kernel has bpf_probe_read_user_dynptr() */
const volatile __u64 wake_bytes __weak =
	4 << 20; /* wake user space when the ring is as full as this */

/* Tell user space of each execve, as the process may be one that it watches for. */
const volatile __u32 watch_execs __weak;
/* What of the rules is decided here; enum watch_bit. */
const volatile __u32 watch_bits __weak;

/* Streams of TLS may be unwanted, too. */
const volatile bool streams_judged __weak;
/* What the ends of a stream have to be. */
const volatile struct ends_wanted ends_wanted __weak;

/* A goroutine was seen in a TLS call: socket calls have to look for theirs, too. */
volatile __u32 go_seen __weak;

/* Set at the end: from then on no process is traced, however long it takes to remove the probes. */
volatile __u32 paused __weak;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20); /* bytes; set by the loader */
} ring __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROCS_MAX);
	__type(key, __u32);
	__type(value, struct proc_state);
} procs __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CONNS_MAX);
	__type(key, struct conn_key);
	__type(value, struct conn_state);
} conns __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, THREADS_MAX);
	__type(key, __u64);
	__type(value, struct call_stack);
} calls __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GOROUTINES_MAX);
	__type(key, struct conn_key);
	__type(value, struct call_stack);
} go_calls __weak SEC(".maps");

/* Control groups, by id, whose processes are watched for, with all that is below them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WATCH_CGROUPS_MAX);
	__type(key, __u64);
	__type(value, __u32);
} watched_cgroups __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WATCH_UIDS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} watched_uids __weak SEC(".maps");

/* A struct ev_exec with all the arguments it may have. */
struct exec_record {
	_Alignas(8) char bytes[sizeof(struct ev_exec) + EV_ARGS_BYTES];
};

/* Where an EV_EXEC is made: tracepoints of one CPU do not interrupt each other. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_record);
} exec_record __weak SEC(".maps");

/* AF_UNIX sockets close without a tracepoint, so the table must get rid of entries by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SOCKS_MAX);
	__type(key, __u64);
	__type(value, struct sock_state);
} socks __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, VECTORS_MAX);
	__type(key, __u64);
	__type(value, struct vector_call);
} vectors __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SENDERS_MAX);
	__type(key, __u64);
	__type(value, struct sender);
} senders __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, THREADS_MAX);
	__type(key, __u64);
	__type(value, struct kernel_call);
} kernel_calls __weak SEC(".maps");

/* Ids of sockets that user space has no use for. A program takes an entry away when it has seen it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, REFUSALS_MAX);
	__type(key, __u64);
	__type(value, __u8);
} refusals __weak SEC(".maps");

/* How many were put in: sockets look there only when there are new ones. */
volatile __u64 refusals_made __weak;

/*
 * A record while its payload is copied. Too big for a per-CPU map (the kernel's limit is 32 KiB a value),
 * so an array with SCRATCH_SLOTS elements for each CPU.
 */
struct scratch {
	__u64 busy;
	/* The page beyond lets the verifier accept a whole page read at any start within the payload. */
	char rec[SCRATCH_HEAD_BYTES + EV_PART_MAX_BYTES + FAULT_PAGE_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_SLOTS); /* times the CPUs; set by the loader */
	__type(key, __u32);
	__type(value, struct scratch);
} scratch __weak SEC(".maps");

/* What a program on sockets needs beside its stack, which is too small for it: struct sock_work. */
struct work {
	__u64 busy;
	char room[WORK_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_SLOTS); /* times the CPUs; set by the loader */
	__type(key, __u32);
	__type(value, struct work);
} works __weak SEC(".maps");

struct run_ids last_id __weak;

#endif

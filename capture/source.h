/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where records come from: the kernel, a recording, an array in a test. The user-space half knows no other
 * input, so whatever it does it does alike in replay.
 */
#ifndef TLSLENS_CAPTURE_SOURCE_H
#define TLSLENS_CAPTURE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bpf/ends.h"
#include "bpf/event.h"
#include "capture/watch.h"

struct given; /* capture/given.h */
struct input; /* capture/input.h */

#define RING_MB_DEFAULT 16
#define SNAP_BYTES_DEFAULT (1u << 20)

struct source_cfg {
	/* live */
	const uint32_t *pids;
	size_t pid_count;
	bool follow;	      /* children too */
	char *const *command; /* NULL-terminated, or NULL */
	const struct watch_rule
		*watch; /* processes that fit, whenever they come; as long as the source */
	size_t watch_count;
	struct identity_cfg identity; /* its strings live as long as the source */
	bool command_tree;	      /* arm the command's descendants by ptrace */
	unsigned int ring_mb;
	uint32_t snap_bytes;		/* of one call; 0 keeps none */
	bool plain;			/* bytes of sockets without TLS, too */
	const struct ends_wanted *ends; /* of the streams that are wanted; NULL: of all */
	bool judge_streams;		/* refuse() may be called for all of a socket */
	/* Comma-separated: only these of "session", "multi", "perf"; NULL: the best the kernel has. */
	const char *probes;
	const char *backend;   /* how to see sockets: a name of capture/bpf_socket.h, or NULL */
	bool plain_sites;      /* breakpoints at first instructions only */
	bool no_return_probes; /* whatever is known of the processes: capture/returns.h */
	const struct given
		*given; /* functions of the command line, or NULL; lives as long as the source */
	/* recording, packets */
	const char *path; /* "-": standard input */
	struct input *
		input; /* that file, looked at already; the source's from open() on. NULL: not yet */
	const char *packet_filter; /* only packets that fit; NULL: all */
	/* memory */
	const struct ev_hdr *const *events;
	size_t event_count;
};

/* The report of one target for the summary: what was found and placed. */
struct source_stats {
	uint64_t records;     /* handed out by next() */
	uint64_t bad_records; /* refused: their lengths contradict each other */
	uint64_t lost_events; /* of the kernel side, other than data */
};

struct source_ops {
	const char *name;
	bool packets; /* it reads packets of anybody: what of them nobody understood is of interest */
	/*
	 * 0, or a negative errno after one clear line through log_error(). -ENOENT: nothing could be attached.
	 * When it returns 0 every probe that can be placed now is in place.
	 */
	int (*open)(void **self, const struct source_cfg *cfg);
	/*
	 * 1: *ev is the next record, whole and with its lengths checked, valid until the next call.
	 * 0: nothing within timeout_ms (0: do not wait). -EPIPE: the source is at its end: recording read,
	 * targets gone. -EBADMSG: damaged from here on (told through log_error). -EINTR: a signal came.
	 */
	int (*next)(void *self, const struct ev_hdr **ev, int timeout_ms);
	/* Stop producing: detach; what is already in flight is still handed out by next() until -EPIPE. */
	int (*stop)(void *self);
	/*
	 * Nobody wants the bytes of this plain socket (struct ev_sock.sock), or `all` that goes over it, TLS too: from
	 * its next call on they are only counted, as filtered. 0 or a negative errno. NULL: its records are made
	 * already.
	 */
	int (*refuse)(void *self, uint64_t sock, bool all);
	int (*stats)(void *self, struct source_stats *st);
	/* wait(2) status of the command it ran; -1 when it ran none. */
	int (*command_status)(void *self);
	/* One line on stderr that says what is being traced, without newline; for "tlslens: tracing ...". */
	int (*describe)(void *self, char *out, size_t n);
	/* Per target: libraries, sites and their kinds, functions missing, notes. For the summary. */
	int (*report)(void *self, FILE *out);
	/* Why no plaintext of a process can be seen, without newline; "" when nothing is known. NULL: nothing ever is. */
	void (*why)(void *self, const struct proc_key *proc, char *out, size_t n);
	void (*close)(void *self);
};

extern const struct source_ops source_bpf, source_recording, source_pcapng, source_pcap,
	source_memory;

/*
 * Opens cfg->path into cfg->input, and finds the row that reads it by how it begins; the recording's is to refuse what
 * nobody knows. 0, or a negative errno after one line through log_error().
 */
int source_of_file(struct source_cfg *cfg, const struct source_ops **ops);

/*
 * Checks a record that came from outside: type known or skippable, len in range, inner lengths within it.
 * Every source calls it before handing a record out. False: drop and count.
 */
bool ev_check(const struct ev_hdr *ev, size_t avail);

#endif

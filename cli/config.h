/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the command line asked for: filled once by options_parse(), then passed on as a const pointer.
 */
#ifndef TLSLENS_CLI_CONFIG_H
#define TLSLENS_CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/watch.h"
#include "cli/resources.h"

#include "capture/given.h"
#include "writer/out.h"

#define CONFIG_OUTPUTS_MAX 16
#define CONFIG_PIDS_MAX 4096

struct filter;
struct secret_rules;
struct pb_types;

/* Bits, so that an option can say with which modes it goes. */
enum mode {
	MODE_TRACE = 1 << 0,
	MODE_REPLAY = 1 << 1,
	MODE_DOCTOR = 1 << 2,
	MODE_HELP = 1 << 3,
	MODE_VERSION = 1 << 4,
};

enum color_mode {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
};

#define FORMAT_RAW "raw" /* a recording: no writer, a tee behind the source */

/* One -o. All strings are borrowed from argv or static. */
struct output {
	const char *label;  /* as given, "json:out.jsonl"; for messages */
	const char *format; /* the name of a writer row, or FORMAT_RAW */
	const char *path;   /* "-" is standard output */
};

struct config {
	enum mode mode;
	uint32_t *pids; /* owned */
	size_t pid_count;
	bool all;	  /* of doctor: every process */
	bool doctor_json; /* -o json */
	bool follow;
	struct watch_rule watch[WATCH_RULES_MAX]; /* values borrowed from argv */
	size_t watch_count;
	const char *host_root; /* borrowed from argv, or NULL */
	char *const *command;  /* borrowed from argv, NULL-terminated, or NULL */
	bool no_descendants;
	const char *replay_path;
	struct output outputs[CONFIG_OUTPUTS_MAX];
	size_t output_count;
	uint64_t duration_ns; /* 0: no limit */
	bool summary;
	uint64_t summary_ns; /* 0: at the end only */
	uint64_t count;	     /* 0: no limit */
	uint64_t ring_mb;
	uint64_t snap_bytes;
	bool plain, plain_given; /* not given: it depends on who is traced */
	const char *probes;	 /* borrowed from argv; NULL: the best the kernel has */
	const char *backend;	 /* borrowed from argv, or NULL */
	bool plain_sites;	 /* --sites entry */
	bool no_return_probes;
	struct given given; /* owned; --probe */
	uint64_t body_bytes;
	const char *body_types;	      /* borrowed from argv; NULL: all */
	struct pb_types *protos;      /* owned, or NULL */
	bool body_given, count_given; /* else replay takes what the recording was made with */
	bool no_redact;
	bool early;
	bool rpc_messages;
	bool process_events;
	bool ancestors, labels;
	struct secret_rules *secrets; /* owned, or NULL */
	struct resources resources;   /* owned */
	struct filter *filter;	      /* owned, or NULL */
	uint64_t sample;	      /* one connection in so many; 0: every one */
	bool tcp_framing;
	const char *packet_filter; /* borrowed from argv; known to compile for Ethernet */
	struct out_rotation rotation;
	enum color_mode color;
	uint64_t verbose;
	bool quiet;
	int ready_fd; /* -1: none */
};

#endif

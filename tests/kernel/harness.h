/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a scenario in a process of its own under the live source and collects what was seen of it: every
 * record is checked by itself (bytes, positions, sums of losses), totals are left to the test.
 */
#ifndef TLSLENS_TESTS_KERNEL_HARNESS_H
#define TLSLENS_TESTS_KERNEL_HARNESS_H

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/wait.h>
#include <uthash.h>

#include "capture/source.h"
#include "tests/kernel/fake_tls.h"

/* What the scenario itself counted, in memory shared with the test. */
struct truth {
	uint64_t bytes[2], calls[2];
	uint64_t note[8];
	sem_t step; /* posted by the test for scenarios that wait for it */
};

struct stream_key {
	uint64_t conn, gen;
};

/* One generation of one context, as the records told it. */
struct stream {
	struct stream_key key;
	uint64_t end[2], lost[2], final[2];
	uint64_t sock; /* the last proven */
	bool ended, from_start;
	UT_hash_handle hh;
};

struct seen {
	struct stream *streams;
	size_t generations;
	uint64_t got[2], want[2], records;
	uint64_t plain, dgrams,
		peers; /* data records of plain sockets, of datagrams, naming the peer */
	uint64_t snap, fault, nocopy;	   /* bytes of records so marked, beyond what was copied */
	uint64_t nested, cached, unproven; /* data records */
	uint64_t bad_bytes, bad_order, bad_shape;
	uint64_t socks, sock_closes, conn_ends, forks, execs, exits, identities;
	uint64_t bindings, bound; /* proofs that a socket is a context's; the last one's socket */
	uint64_t ciphers, sends;  /* records by contexts, and at the beginning of sends */
	struct ev_cipher cipher;  /* the last ones */
	struct ev_sock_io send;
	uint8_t send_bytes[EV_CIPHER_BYTES];
	uint64_t other_sock; /* data records that name another one */
	uint64_t hellos, hello_bytes[2], bad_hello;
	struct ev_sock sock[64];
	struct ev_peer peer[2][256]; /* of datagrams, by direction and seed */
	struct ev_counters n;	     /* sums over processes */
	int status;		     /* of the scenario, as wait(2) gives it */
	int exit_code;		     /* of all that ended, or'ed */
	int open_error, end;
	uint64_t note[2]; /* of scenario.meanwhile */
};

struct scenario {
	void (*before)(struct truth *); /* in the child, before the probes come; or NULL */
	void (*run)(struct truth *);
	const char *probes, *backend;
	bool plain_sites, plain;
	bool refuse; /* the first plain socket, then posts truth.step */
	/* called in the tracer at the first plain record, then the same */
	void (*meanwhile)(struct seen *);
	unsigned int ring_mb;
	uint32_t snap_bytes;
	bool follow;
	bool stalled; /* nothing is drained before the scenario ended */
};

/* Says which expectation failed; evaluates to whether it held. */
#define EXPECT(cond) ((cond) ? true : (printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond), false))
#define EXPECT_EQ(a, b)                                                               \
	((uint64_t)(a) == (uint64_t)(b)                                               \
		 ? true                                                               \
		 : (printf("# %s:%d: %s is %llu, not %llu\n", __FILE__, __LINE__, #a, \
			   (unsigned long long)(a), (unsigned long long)(b)),         \
		    false))

/* The ways to see sockets that this kernel has, with blanks between, the best first. */
const char *backends(void);
/* Whether a group of tests is to run: all are, or those that the arguments name. */
bool chosen(int argc, char **argv, const char *group);
/* Prints the line of one test; `more` may be "". */
void result(bool good, const char *name, const char *more);
/* 0 when every test was good: the exit status. */
int results_status(void);

void see(struct seen *s, const struct ev_hdr *ev);
void seen_free(struct seen *s);
uint64_t sum_lost(const struct seen *s);
/* The byte at a position of a plain stream; the ports are the sender's, 0 for AF_UNIX. */
uint8_t plain_byte(uint16_t from, uint16_t to, uint64_t off);
/* What must hold whatever the scenario is: bytes, order, sums. */
bool sound(const struct seen *s);
/* And everything that the scenario moved arrived. */
bool whole(const struct seen *s, const struct truth *t);

/* The scenario runs in a child that begins when the probes are in place. */
void run_scenario(const struct scenario *sc, struct seen *s, struct truth *out);
/* Runs a command under the source. Its status as wait(2) gives it. */
int run_command(char *const *argv, bool tree, struct seen *s);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running scenarios, and checking what comes of them. */
#include "tests/kernel/harness.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "core/log.h"

#define ENOUGH_S 20 /* a run that takes longer has failed */

static int tests_failed, tests_run;

const char *backends(void)
{
	const char *given = getenv("TLSLENS_BACKENDS");

	return given ? given : "tracepoint sys_enter";
}

bool chosen(int argc, char **argv, const char *group)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], group) == 0)
			return true;
	return argc == 1;
}

void result(bool good, const char *name, const char *more)
{
	printf("%sok %d - %s%s%s\n", good ? "" : "not ", ++tests_run, name, *more ? ", " : "",
	       more);
	fflush(stdout);
	tests_failed += !good;
}

int results_status(void)
{
	return tests_failed != 0;
}

static struct stream *stream_of(struct seen *s, uint64_t conn, uint64_t gen)
{
	struct stream_key key = {conn, gen};
	struct stream *st;

	HASH_FIND(hh, s->streams, &key, sizeof(key), st);
	if (st)
		return st;
	st = calloc(1, sizeof(*st));
	st->key = key;
	HASH_ADD(hh, s->streams, key, sizeof(st->key), st);
	s->generations++;
	return st;
}

uint8_t plain_byte(uint16_t from, uint16_t to, uint64_t off)
{
	return fake_byte(((uint64_t)from << 20) + ((uint64_t)to << 4), 0, off);
}

static const struct ev_sock *sock_told(const struct seen *s, uint64_t sock)
{
	for (size_t i = s->socks < 64 ? s->socks : 64; i-- > 0;)
		if (s->sock[i].sock == sock)
			return &s->sock[i];
	return NULL;
}

/* A socket is told of before its bytes; a datagram begins with its seed, a stream's bytes follow from its ports. */
static void see_plain(struct seen *s, const struct ev_data *d)
{
	bool dgram = d->hdr.flags & EV_DATA_DGRAM;
	const struct ev_sock *k = sock_told(s, d->sock);
	const uint8_t *p = d->buf;
	uint8_t want;

	if (d->hdr.flags & EV_DATA_PEER) {
		p += sizeof(struct ev_peer);
		if (d->got)
			memcpy(&s->peer[d->dir][*p], d->buf, sizeof(struct ev_peer));
		s->peers++;
	}
	s->plain++;
	s->dgrams += dgram;
	if (!k || d->conn != d->sock || d->gen || d->lib || (dgram && d->part)) {
		s->bad_shape++;
		return;
	}
	for (uint32_t i = 0; i < d->got; i++) {
		if (dgram)
			want = fake_byte((uint64_t)p[0] << 4, 0, i);
		else if (d->dir == 0)
			want = plain_byte(k->lport, k->rport, d->off + i);
		else
			want = plain_byte(k->rport, k->lport, d->off + i);
		s->bad_bytes += (!dgram || i) && p[i] != want;
	}
}

static void see_data(struct seen *s, const struct ev_data *d)
{
	struct stream *st = stream_of(s, d->conn, d->gen);
	uint64_t jump = d->off - st->end[d->dir];
	bool plain = d->hdr.flags & EV_DATA_PLAIN;

	s->records++;
	s->got[d->dir] += d->got;
	s->want[d->dir] += d->want;
	if (plain)
		see_plain(s, d);
	for (uint32_t i = 0; i < d->got && !plain; i++)
		s->bad_bytes += d->buf[i] != fake_byte(d->conn, d->dir, d->off + i);
	if (st->ended || jump != d->lost - st->lost[d->dir])
		s->bad_order++;
	st->end[d->dir] = d->off + d->want;
	st->lost[d->dir] = d->lost;
	st->from_start |= (d->hdr.flags & EV_DATA_FROM_START) != 0;
	if (d->hdr.flags & EV_DATA_SNAP)
		s->snap += d->want - d->got;
	else if (d->hdr.flags & EV_DATA_FAULT)
		s->fault += d->want - d->got;
	else if (d->hdr.flags & EV_DATA_NOCOPY)
		s->nocopy += d->want - d->got;
	else if (d->want != d->got)
		s->bad_shape++;
	if (plain)
		return;
	if (d->hdr.flags & EV_DATA_NESTED)
		s->nested++;
	else if (d->hdr.flags & EV_DATA_CACHED)
		s->cached++;
	else
		s->unproven++;
	if (d->sock && d->sock != s->bound)
		s->other_sock++;
	if (!d->sock != !(d->hdr.flags & (EV_DATA_NESTED | EV_DATA_CACHED)))
		s->bad_shape++;
}

static void see_end(struct seen *s, const struct ev_conn_end *e)
{
	struct stream *st = stream_of(s, e->conn, e->conn == e->gen ? 0 : e->gen);

	s->conn_ends++;
	st->ended = true;
	for (int d = 0; d < 2; d++) {
		st->final[d] = e->off[d];
		if (e->off[d] - st->end[d] != e->lost[d] - st->lost[d])
			s->bad_order++;
	}
}

static void see_counters(struct seen *s, const struct ev_counters *c)
{
	for (int d = 0; d < 2; d++) {
		s->n.calls[d] += c->calls[d];
		s->n.generated_bytes[d] += c->generated_bytes[d];
		s->n.captured_bytes[d] += c->captured_bytes[d];
		s->n.filtered_bytes[d] += c->filtered_bytes[d];
	}
	for (int i = 0; i < EV_LOST_CAUSES; i++)
		s->n.lost_bytes[i] += c->lost_bytes[i];
	s->n.lost_events += c->lost_events;
}

/* The bytes of a hello are those of a plain stream, but for its first ones. */
static void see_hello(struct seen *s, const struct ev_sock_io *e)
{
	const struct ev_sock *k = sock_told(s, e->sock);
	uint16_t from, to;

	s->hellos++;
	s->hello_bytes[e->dir] += e->got;
	if (!k || e->want != e->got || e->off + e->got > EV_HELLO_BYTES) {
		s->bad_hello++;
		return;
	}
	from = e->dir == 0 ? k->lport : k->rport;
	to = e->dir == 0 ? k->rport : k->lport;
	for (uint32_t i = 0; i < e->got; i++)
		s->bad_hello += e->off + i >= 3 && e->buf[i] != plain_byte(from, to, e->off + i);
}

static void see_send(struct seen *s, const struct ev_sock_io *e)
{
	if (e->hdr.flags & EV_SOCK_IO_HELLO) {
		see_hello(s, e);
		return;
	}
	memcpy(&s->send, e, sizeof(s->send));
	if (e->got == EV_CIPHER_BYTES)
		memcpy(s->send_bytes, e->buf, EV_CIPHER_BYTES);
	s->sends++;
}

static void see_sock(struct seen *s, const struct ev_sock *e)
{
	if (e->family)
		s->sock[s->socks++ % 64] = *e;
	if (e->conn) {
		stream_of(s, e->conn, e->gen)->sock = e->sock;
		s->bound = e->sock;
		s->bindings++;
	}
}

void see(struct seen *s, const struct ev_hdr *ev)
{
	switch (ev->type) {
	case EV_DATA:
		see_data(s, (const struct ev_data *)ev);
		break;
	case EV_SOCK:
		see_sock(s, (const struct ev_sock *)ev);
		break;
	case EV_CIPHER:
		s->cipher = *(const struct ev_cipher *)ev;
		s->ciphers++;
		break;
	case EV_SOCK_IO:
		see_send(s, (const struct ev_sock_io *)ev);
		break;
	case EV_CONN_END:
		see_end(s, (const struct ev_conn_end *)ev);
		break;
	case EV_COUNTERS:
		see_counters(s, (const struct ev_counters *)ev);
		break;
	default:
		s->sock_closes += ev->type == EV_SOCK_CLOSE;
		s->forks += ev->type == EV_FORK;
		s->execs += ev->type == EV_EXEC;
		if (ev->type == EV_EXIT) {
			s->exits++;
			s->exit_code |= ((const struct ev_proc *)ev)->exit_code;
		}
		s->identities += ev->type == EV_IDENTITY;
		break;
	}
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

uint64_t sum_lost(const struct seen *s)
{
	uint64_t n = 0;

	for (int i = 0; i < EV_LOST_CAUSES; i++)
		n += s->n.lost_bytes[i];
	return n;
}

bool sound(const struct seen *s)
{
	uint64_t captured = s->n.captured_bytes[0] + s->n.captured_bytes[1];
	bool good =
		EXPECT_EQ(s->open_error, 0) && EXPECT_EQ(s->end, -EPIPE) && EXPECT_EQ(s->status, 0);

	good &= EXPECT_EQ(s->bad_bytes, 0) & EXPECT_EQ(s->bad_order, 0) &
		EXPECT_EQ(s->bad_shape, 0);
	good &= EXPECT_EQ(s->bad_hello, 0);
	good &= EXPECT_EQ(s->n.generated_bytes[0] + s->n.generated_bytes[1],
			  captured + sum_lost(s) + s->n.filtered_bytes[0] + s->n.filtered_bytes[1]);
	good &= EXPECT_EQ(s->got[0], s->n.captured_bytes[0]) &
		EXPECT_EQ(s->got[1], s->n.captured_bytes[1]);
	return good;
}

bool whole(const struct seen *s, const struct truth *t)
{
	bool good = sound(s) & EXPECT_EQ(sum_lost(s), 0) & EXPECT_EQ(s->n.lost_events, 0);

	for (int d = 0; d < 2; d++)
		good &= EXPECT_EQ(s->got[d], t->bytes[d]) & EXPECT_EQ(s->n.calls[d], t->calls[d]);
	return good;
}

void seen_free(struct seen *s)
{
	struct stream *st, *tmp;

	HASH_ITER (hh, s->streams, st, tmp) {
		HASH_DEL(s->streams, st);
		free(st);
	}
}

static void collect(struct seen *s, void *src, pid_t pid, const struct scenario *sc,
		    struct truth *truth)
{
	bool waits = sc->refuse || sc->meanwhile;
	double until = seconds() + ENOUGH_S;
	const struct ev_hdr *ev;
	siginfo_t si;

	/* Ended but not yet reaped: its number stays its own. */
	if (sc->stalled)
		waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
	do {
		s->end = source_bpf.next(src, &ev, 100);
		if (s->end != 1)
			continue;
		see(s, ev);
		if (!waits || !s->plain)
			continue;
		waits = false;
		if (sc->meanwhile)
			sc->meanwhile(s);
		if (!sc->refuse ||
		    source_bpf.refuse(src, ((const struct ev_data *)ev)->sock, false) == 0)
			sem_post(&truth->step);
	} while (s->end >= 0 && seconds() < until);
}

void run_scenario(const struct scenario *sc, struct seen *s, struct truth *out)
{
	struct truth *truth =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct source_cfg cfg = {.pid_count = 1,
				 .follow = sc->follow,
				 .ring_mb = sc->ring_mb ? sc->ring_mb : RING_MB_DEFAULT,
				 .snap_bytes = sc->snap_bytes ? sc->snap_bytes : SNAP_BYTES_DEFAULT,
				 .probes = sc->probes,
				 .backend = sc->backend,
				 .plain_sites = sc->plain_sites,
				 .plain = sc->plain};
	int go[2], ready[2];
	void *src = NULL;
	uint32_t pid32;
	pid_t pid;
	char c;

	memset(s, 0, sizeof(*s));
	if (truth == MAP_FAILED || sem_init(&truth->step, 1, 0) || pipe(go) < 0 || pipe(ready) < 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		if (sc->before)
			sc->before(truth);
		if (write(ready[1], "r", 1) == 1 && read(go[0], &c, 1) == 1)
			sc->run(truth);
		_exit(0);
	}
	close(go[0]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		exit(1);
	close(ready[0]);
	pid32 = (uint32_t)pid;
	cfg.pids = &pid32;
	s->open_error = source_bpf.open(&src, &cfg);
	if (s->open_error == 0 && write(go[1], "g", 1) == 1)
		collect(s, src, pid, sc, truth);
	close(go[1]);
	if (s->end >= 0)
		kill(pid, SIGKILL);
	waitpid(pid, &s->status, 0);
	if (src)
		source_bpf.close(src);
	*out = *truth;
	munmap(truth, 4096);
}

int run_command(char *const *argv, bool tree, struct seen *s)
{
	struct source_cfg cfg = {.command = argv,
				 .command_tree = tree,
				 .ring_mb = 4,
				 .snap_bytes = SNAP_BYTES_DEFAULT};
	double until = seconds() + ENOUGH_S;
	const struct ev_hdr *ev;
	int status = -1;
	void *src;

	memset(s, 0, sizeof(*s));
	s->open_error = source_bpf.open(&src, &cfg);
	if (s->open_error)
		return -1;
	do {
		s->end = source_bpf.next(src, &ev, 100);
		if (s->end == 1)
			see(s, ev);
	} while (s->end >= 0 && seconds() < until);
	status = source_bpf.command_status(src);
	source_bpf.close(src);
	return status;
}

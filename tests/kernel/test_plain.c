/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain stream sockets: every call that moves bytes, each byte and its position; what is TLS is left out. */
#include "tests/kernel/harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define PIECES 3
#define MANY 200
#define ALL_BYTES 3000 /* that each call moves */

enum note {
	NOTE_LPORT,
	NOTE_RPORT,
	NOTE_NOCOPY, /* bytes that no buffer held */
};

struct pair {
	int fd[2];
	uint16_t port[2];
	uint64_t off[2]; /* sent by each end */
};

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 a = {0};
	socklen_t n = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &n))
		_exit(1);
	return a.sin6_family == AF_UNIX ? 0 : ntohs(a.sin6_port);
}

static void pair_open(struct pair *p, int family)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t n = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int l;

	memset(p, 0, sizeof(*p));
	if (family == AF_UNIX) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, p->fd))
			_exit(1);
		return;
	}
	l = socket(family, SOCK_STREAM, 0);
	p->fd[0] = socket(family, SOCK_STREAM, 0);
	if (bind(l, a, n) || listen(l, 4) || getsockname(l, a, &n) || connect(p->fd[0], a, n))
		_exit(1);
	p->fd[1] = accept(l, NULL, NULL);
	p->port[0] = port_of(p->fd[0]);
	p->port[1] = port_of(p->fd[1]);
	close(l);
}

static void pair_close(struct pair *p)
{
	struct linger now = {1, 0}; /* with a reset: no state lingers */

	setsockopt(p->fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(p->fd[0]);
	close(p->fd[1]);
}

/* The next bytes that an end sends, at `to`. */
static void pair_fill(struct pair *p, int end, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = plain_byte(p->port[end], p->port[!end], p->off[end] + i);
}

static void counted(struct truth *t, int dir, long n, uint64_t calls)
{
	if (n < 0)
		_exit(1);
	t->bytes[dir] += (uint64_t)n;
	t->calls[dir] += calls;
}

/* The buffer in pieces, an empty one among them; `v` has room for PIECES + 1. */
static int pieces(struct iovec *v, uint8_t *buf, size_t n)
{
	v[0] = (struct iovec){buf, 7};
	v[1] = (struct iovec){buf, 0};
	v[2] = (struct iovec){buf + 7, n / 2};
	v[3] = (struct iovec){buf + 7 + n / 2, n - 7 - n / 2};
	return PIECES + 1;
}

static int vector(struct mmsghdr *m, struct iovec *v, uint8_t *buf)
{
	size_t half = ALL_BYTES / 2;

	memset(m, 0, 2 * sizeof(*m));
	m[0].msg_hdr.msg_iovlen = (size_t)pieces(v, buf, half);
	m[0].msg_hdr.msg_iov = v;
	m[1].msg_hdr.msg_iovlen = (size_t)pieces(v + 4, buf + half, ALL_BYTES - half);
	m[1].msg_hdr.msg_iov = v + 4;
	return 2;
}

typedef long call_fn(int fd, uint8_t *buf, uint64_t *calls);

static long by_write(int fd, uint8_t *buf, uint64_t *calls)
{
	*calls = 1;
	return write(fd, buf, ALL_BYTES);
}

static long by_send(int fd, uint8_t *buf, uint64_t *calls)
{
	*calls = 1;
	return send(fd, buf, ALL_BYTES, MSG_NOSIGNAL);
}

static long by_writev(int fd, uint8_t *buf, uint64_t *calls)
{
	struct iovec v[4];

	*calls = 1;
	return writev(fd, v, pieces(v, buf, ALL_BYTES));
}

static long by_pwritev2(int fd, uint8_t *buf, uint64_t *calls)
{
	struct iovec v[4];

	*calls = 1;
	return pwritev2(fd, v, pieces(v, buf, ALL_BYTES), -1, 0);
}

static long by_sendmsg(int fd, uint8_t *buf, uint64_t *calls)
{
	struct iovec v[4];
	struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)pieces(v, buf, ALL_BYTES)};

	*calls = 1;
	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static long by_sendmmsg(int fd, uint8_t *buf, uint64_t *calls)
{
	struct iovec v[8];
	struct mmsghdr m[2];

	*calls = 2;
	if (sendmmsg(fd, m, (unsigned int)vector(m, v, buf), 0) != 2)
		return -1;
	return m[0].msg_len + m[1].msg_len;
}

static long by_many(int fd, uint8_t *buf, uint64_t *calls)
{
	struct iovec v[MANY];

	for (int i = 0; i < MANY; i++)
		v[i] = (struct iovec){buf + i * (ALL_BYTES / MANY), ALL_BYTES / MANY};
	*calls = 1;
	return writev(fd, v, MANY);
}

static long by_read(int fd, uint8_t *buf, uint64_t *calls)
{
	*calls = 1;
	return read(fd, buf, ALL_BYTES);
}

static long by_recv(int fd, uint8_t *buf, uint64_t *calls)
{
	*calls = 1;
	if (recv(fd, buf, ALL_BYTES, MSG_PEEK) != ALL_BYTES) /* moves nothing */
		return -1;
	return recv(fd, buf, ALL_BYTES, MSG_WAITALL);
}

static long by_recvfrom(int fd, uint8_t *buf, uint64_t *calls)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);

	*calls = 1;
	return recvfrom(fd, buf, ALL_BYTES, 0, (struct sockaddr *)&a, &n);
}

static long by_readv(int fd, uint8_t *buf, uint64_t *calls)
{
	struct iovec v[4];

	*calls = 1;
	return readv(fd, v, pieces(v, buf, ALL_BYTES));
}

static long by_preadv2(int fd, uint8_t *buf, uint64_t *calls)
{
	struct iovec v[4];

	*calls = 1;
	return preadv2(fd, v, pieces(v, buf, ALL_BYTES), -1, 0);
}

static long by_recvmsg(int fd, uint8_t *buf, uint64_t *calls)
{
	struct iovec v[4];
	struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)pieces(v, buf, ALL_BYTES)};

	*calls = 1;
	return recvmsg(fd, &m, 0);
}

static long by_recvmmsg(int fd, uint8_t *buf, uint64_t *calls)
{
	struct iovec v[8];
	struct mmsghdr m[2];

	*calls = 2;
	if (recvmmsg(fd, m, (unsigned int)vector(m, v, buf), 0, NULL) != 2)
		return -1;
	return m[0].msg_len + m[1].msg_len;
}

static call_fn *const senders[] = {by_write,   by_send,	    by_writev, by_pwritev2,
				   by_sendmsg, by_sendmmsg, by_many};
static call_fn *const receivers[] = {by_read,	 by_recv,    by_recvfrom, by_readv,
				     by_preadv2, by_recvmsg, by_recvmmsg};

#define WAYS (sizeof(senders) / sizeof(senders[0]))

/* Every way from one end to the other, and back the other way round. */
static void every_call(struct truth *t, int family)
{
	uint8_t buf[ALL_BYTES], in[ALL_BYTES];
	struct pair p;
	uint64_t calls;
	long n;

	pair_open(&p, family);
	/* The first of such calls might have been in progress when the tracing began. */
	recvmmsg(p.fd[0], &(struct mmsghdr){0}, 2, MSG_DONTWAIT, NULL);
	t->note[NOTE_LPORT] = p.port[0];
	t->note[NOTE_RPORT] = p.port[1];
	for (size_t i = 0; i < 2 * WAYS; i++) {
		int end = i >= WAYS;

		pair_fill(&p, end, buf, ALL_BYTES);
		n = senders[i % WAYS](p.fd[end], buf, &calls);
		counted(t, 0, n, calls);
		p.off[end] += ALL_BYTES;
		n = receivers[i % WAYS](p.fd[!end], in, &calls);
		counted(t, 1, n, calls);
		if (memcmp(in, buf, ALL_BYTES) != 0)
			_exit(2);
	}
	pair_close(&p);
}

static void over_ipv4(struct truth *t)
{
	every_call(t, AF_INET);
}

static void over_ipv6(struct truth *t)
{
	every_call(t, AF_INET6);
}

static void over_unix(struct truth *t)
{
	every_call(t, AF_UNIX);
}

static long uring_wait(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	long n;

	if (io_uring_submit_and_wait(ring, 1) != 1 || io_uring_peek_cqe(ring, &cqe))
		return -1;
	n = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return n;
}

/* Sends and receives that no system call of that name is made for, one buffer and a vector. */
static void over_uring(struct truth *t)
{
	uint8_t buf[ALL_BYTES], in[ALL_BYTES];
	struct msghdr m = {0};
	struct io_uring ring;
	struct iovec v[4];
	struct pair p;

	pair_open(&p, AF_INET);
	if (io_uring_queue_init(4, &ring, 0))
		_exit(1);
	m.msg_iov = v;
	for (int way = 0; way < 2; way++) {
		pair_fill(&p, 0, buf, ALL_BYTES);
		m.msg_iovlen = (size_t)pieces(v, buf, ALL_BYTES);
		if (way)
			io_uring_prep_sendmsg(io_uring_get_sqe(&ring), p.fd[0], &m, 0);
		else
			io_uring_prep_send(io_uring_get_sqe(&ring), p.fd[0], buf, ALL_BYTES, 0);
		counted(t, 0, uring_wait(&ring), 1);
		p.off[0] += ALL_BYTES;
		m.msg_iovlen = (size_t)pieces(v, in, ALL_BYTES);
		if (way)
			io_uring_prep_recvmsg(io_uring_get_sqe(&ring), p.fd[1], &m, 0);
		else
			io_uring_prep_recv(io_uring_get_sqe(&ring), p.fd[1], in, ALL_BYTES, 0);
		counted(t, 1, uring_wait(&ring), 1);
		if (memcmp(in, buf, ALL_BYTES) != 0)
			_exit(2);
	}
	io_uring_queue_exit(&ring);
	pair_close(&p);
}

/* A file and a pipe into a socket: bytes that no buffer of the process held. */
static void uncopied(struct truth *t)
{
	uint8_t buf[ALL_BYTES], in[2 * ALL_BYTES];
	FILE *f = tmpfile();
	int pipes[2];
	struct pair p;
	off_t at = 0;

	pair_open(&p, AF_INET);
	pair_fill(&p, 0, buf, ALL_BYTES);
	if (!f || pipe(pipes) || fwrite(buf, ALL_BYTES, 1, f) != 1 || fflush(f))
		_exit(1);
	counted(t, 0, sendfile(p.fd[0], fileno(f), &at, ALL_BYTES), 1);
	p.off[0] += ALL_BYTES;
	pair_fill(&p, 0, buf, ALL_BYTES);
	if (write(pipes[1], buf, ALL_BYTES) != ALL_BYTES)
		_exit(1);
	counted(t, 0, splice(pipes[0], NULL, p.fd[0], NULL, ALL_BYTES, 0), 1);
	p.off[0] += ALL_BYTES;
	t->note[NOTE_NOCOPY] = 2 * ALL_BYTES;
	pair_fill(&p, 0, buf, ALL_BYTES);
	counted(t, 0, write(p.fd[0], buf, ALL_BYTES), 1);
	counted(t, 1, recv(p.fd[1], in, sizeof(in), MSG_WAITALL), 1);
	/* thrown away: recv(2) copies none of it */
	counted(t, 1, recv(p.fd[1], in, ALL_BYTES, MSG_TRUNC), 1);
	t->note[NOTE_NOCOPY] += ALL_BYTES;
	pair_close(&p);
}

/* Large ones, partial ones, and calls that move nothing, on sockets that do not block. */
static void nonblocking(struct truth *t)
{
	size_t big = 300000;
	uint8_t *buf = malloc(big), c;
	struct pair p;
	uint64_t left;
	long n;

	pair_open(&p, AF_INET);
	fcntl(p.fd[0], F_SETFL, O_NONBLOCK);
	fcntl(p.fd[1], F_SETFL, O_NONBLOCK);
	if (recv(p.fd[1], &c, 1, 0) != -1)
		_exit(1);
	for (;;) {
		pair_fill(&p, 0, buf, big);
		n = write(p.fd[0], buf, big);
		if (n < 0)
			break;
		counted(t, 0, n, 1);
		p.off[0] += (uint64_t)n;
	}
	for (left = p.off[0]; left; left -= (uint64_t)n) {
		n = read(p.fd[1], buf, big);
		if (n > 0)
			counted(t, 1, n, 1);
		else
			n = 0;
	}
	free(buf);
	pair_close(&p);
}

/* One stream, however many processes and file descriptors it goes through. */
static void shared(struct truth *t)
{
	uint8_t buf[ALL_BYTES];
	struct pair p;
	int again, w;

	pair_open(&p, AF_INET);
	again = dup(p.fd[0]);
	for (int i = 0; i < 4; i++) {
		pair_fill(&p, 0, buf, ALL_BYTES);
		if (i == 2 && fork() == 0) {
			counted(t, 0, write(again, buf, ALL_BYTES), 1);
			_exit(0);
		}
		if (i == 2 && (wait(&w) < 0 || w))
			_exit(1);
		if (i != 2)
			counted(t, 0, write(i == 1 ? again : p.fd[0], buf, ALL_BYTES), 1);
		p.off[0] += ALL_BYTES;
		counted(t, 1, recv(p.fd[1], buf, ALL_BYTES, MSG_WAITALL), 1);
	}
	close(again);
	pair_close(&p);
}

static bool run(void (*what)(struct truth *), struct scenario sc, struct seen *s, struct truth *t)
{
	sc.run = what;
	run_scenario(&sc, s, t);
	return sound(s) & EXPECT_EQ(s->n.lost_events, 0) &
	       EXPECT_EQ(s->n.generated_bytes[0], t->bytes[0]) &
	       EXPECT_EQ(s->n.generated_bytes[1], t->bytes[1]) &
	       EXPECT_EQ(s->n.calls[0], t->calls[0]) & EXPECT_EQ(s->n.calls[1], t->calls[1]);
}

/* Each stream has a final position, and it is what was told of it. */
static bool all_ended(const struct seen *s)
{
	bool good = true;

	for (const struct stream *st = s->streams; st; st = st->hh.next)
		good &= EXPECT(st->ended) & EXPECT_EQ(st->final[0], st->end[0]) &
			EXPECT_EQ(st->final[1], st->end[1]);
	return good;
}

static void test_families(void)
{
	static const struct {
		const char *name;
		void (*run)(struct truth *);
		uint16_t family;
	} rows[] = {
		{"IPv4", over_ipv4, AF_INET},
		{"IPv6", over_ipv6, AF_INET6},
		{"AF_UNIX", over_unix, AF_UNIX},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool tcp = rows[i].family != AF_UNIX;
		struct truth t;
		struct seen s;
		bool good = run(rows[i].run, (struct scenario){.plain = true}, &s, &t);

		good &= all_ended(&s) & EXPECT_EQ(sum_lost(&s), 0) & EXPECT_EQ(s.generations, 2) &
			EXPECT_EQ(s.socks, 2) & EXPECT_EQ(s.sock_closes, 2);
		for (int k = 0; k < 2 && tcp; k++) {
			bool connected = s.sock[k].lport == t.note[NOTE_LPORT];

			good &= EXPECT_EQ(s.sock[k].accepted, connected ? 2 : 1);
		}
		for (const struct stream *st = s.streams; st; st = st->hh.next)
			good &= EXPECT_EQ(st->from_start, tcp) &
				EXPECT_EQ(st->final[0], WAYS * ALL_BYTES) &
				EXPECT_EQ(st->final[1], WAYS * ALL_BYTES);
		result(good, "every call, each byte at its position", rows[i].name);
		seen_free(&s);
	}
}

static void test_streams(void)
{
	struct truth t;
	struct seen s;
	bool good;

	good = run(uncopied, (struct scenario){.plain = true}, &s, &t) & all_ended(&s);
	good &= EXPECT_EQ(sum_lost(&s), t.note[NOTE_NOCOPY]) &
		EXPECT_EQ(s.n.lost_bytes[EV_LOST_NOCOPY], t.note[NOTE_NOCOPY]) &
		EXPECT_EQ(s.nocopy, t.note[NOTE_NOCOPY]);
	result(good, "bytes that are in no buffer are a gap of their length", "");
	seen_free(&s);

	good = run(nonblocking, (struct scenario){.plain = true, .ring_mb = 64}, &s, &t) &
	       all_ended(&s) & EXPECT_EQ(sum_lost(&s), 0);
	result(good, "large and partial calls, and those that move nothing", "");
	seen_free(&s);

	good = run(shared, (struct scenario){.plain = true, .follow = true}, &s, &t) &
	       all_ended(&s) & EXPECT_EQ(sum_lost(&s), 0) & EXPECT_EQ(s.generations, 2);
	result(good, "one stream through a copy of its file descriptor and a child", "");
	seen_free(&s);

	good = run(over_ipv4, (struct scenario){.plain = true, .snap_bytes = 100}, &s, &t) &
	       all_ended(&s) & EXPECT(s.snap > 0) & EXPECT_EQ(s.n.lost_bytes[EV_LOST_SNAP], s.snap);
	result(good, "no more of a call than the snap length", "");
	seen_free(&s);
}

/* A socket with bytes before the tracing began, and one without. */
static struct pair old[2];

static void open_before(struct truth *t)
{
	char c = 'x';

	(void)t;
	pair_open(&old[0], AF_INET);
	pair_open(&old[1], AF_INET);
	if (write(old[0].fd[0], &c, 1) != 1 || read(old[0].fd[1], &c, 1) != 1)
		_exit(1);
}

static void joined_late(struct truth *t)
{
	uint8_t buf[100];

	for (int i = 0; i < 2; i++) {
		pair_fill(&old[i], 0, buf, sizeof(buf));
		counted(t, 0, write(old[i].fd[0], buf, sizeof(buf)), 1);
		counted(t, 1, read(old[i].fd[1], buf, sizeof(buf)), 1);
		pair_close(&old[i]);
	}
	t->note[0] = old[0].port[0];
	t->note[1] = old[0].port[1];
	t->note[2] = old[1].port[1];
}

static void test_late(void)
{
	struct truth t;
	struct seen s;
	bool good =
		run(joined_late, (struct scenario){.before = open_before, .plain = true}, &s, &t) &
		all_ended(&s) & EXPECT_EQ(s.socks, 4);

	for (uint64_t k = 0; k < s.socks && k < 4; k++) {
		const struct ev_sock *e = &s.sock[k];
		struct stream_key key = {e->sock, 0};
		struct stream *st;

		/* Only of one that moved nothing before it is known that it was accepted. */
		good &= EXPECT_EQ(e->accepted, e->lport == t.note[2] ? 1 : 0);
		HASH_FIND(hh, s.streams, &key, sizeof(key), st);
		if (st && (e->lport == t.note[0] || e->lport == t.note[1]))
			good &= EXPECT(!st->from_start);
		if (st && e->lport == t.note[2])
			good &= EXPECT(st->from_start);
	}
	result(good, "a socket that is older than the tracing", "");
	seen_free(&s);
}

/* Handshake by memory BIO, in pieces, then application data. */
static void speaks_tls(struct truth *t)
{
	uint8_t buf[1000], in[1000];
	struct pair p;

	(void)t;
	pair_open(&p, AF_INET);
	for (int end = 0; end < 2; end++) {
		for (int i = 0; i < 3; i++) {
			pair_fill(&p, end, buf, 400);
			if (i == 0)
				memcpy(buf, "\x16\x03\x01", 3);
			if (i == 2)
				memcpy(buf, "\x17\x03\x03", 3);
			if (write(p.fd[end], buf, 400) != 400 ||
			    recv(p.fd[!end], in, 400, MSG_WAITALL) != 400)
				_exit(1);
			p.off[end] += 400;
		}
	}
	pair_close(&p);
}

static void long_hello(struct truth *t)
{
	static uint8_t buf[5000], in[5000];
	struct pair p;

	(void)t;
	pair_open(&p, AF_INET);
	for (int i = 0; i < 4; i++) {
		pair_fill(&p, 0, buf, sizeof(buf));
		if (i == 0)
			memcpy(buf, "\x16\x03\x01", 3);
		if (write(p.fd[0], buf, sizeof(buf)) != sizeof(buf) ||
		    recv(p.fd[1], in, sizeof(in), MSG_WAITALL) != sizeof(in))
			_exit(1);
		p.off[0] += sizeof(buf);
	}
	pair_close(&p);
}

/* What is sent within a TLS call, and what else is on such a socket. */
static void below_tls(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t buf[100];
	struct pair p;

	pair_open(&p, AF_INET);
	s.fd = p.fd[0];
	counted(t, 0, put(&s, buf, 100), 1);
	if (write(p.fd[0], "not plain either", 16) != 16)
		_exit(1);
	pair_close(&p);
}

/* Plain bytes first, then TLS on the same socket; and a log on a socket of its own within a TLS call. */
static void upgraded(struct truth *t)
{
	uint8_t buf[100], wire[200];
	SSL s = {.fd = -1};
	struct pair p, log;

	pair_open(&p, AF_INET);
	pair_open(&log, AF_INET);
	pair_fill(&p, 0, buf, 100);
	counted(t, 0, write(p.fd[0], buf, 100), 1);
	pair_fill(&log, 0, buf, 50);
	counted(t, 0, write(log.fd[0], buf, 50), 1);
	log.off[0] += 50;
	s.fd = p.fd[0];
	pair_fill(&p, 0, wire, sizeof(wire)); /* positions begin anew */
	memcpy(wire, "\x16\x03\x01", 3);
	s.mode.wire = wire;
	s.mode.wire_bytes = sizeof(wire);
	s.mode.side_fd = log.fd[0]; /* one byte */
	counted(t, 0, put(&s, buf, 100), 1);
	counted(t, 0, 1, 1);
	t->note[0] = 1;
	log.off[0]++;
	pair_fill(&log, 0, buf, 50);
	counted(t, 0, write(log.fd[0], buf, 50), 1);
	p.off[0] += sizeof(wire);
	pair_fill(&p, 0, wire, sizeof(wire));
	if (write(p.fd[0], wire, sizeof(wire)) != sizeof(wire))
		_exit(1);
	pair_close(&p);
	pair_close(&log);
}

static void refused(struct truth *t)
{
	uint8_t buf[ALL_BYTES];
	struct pair p;

	pair_open(&p, AF_INET);
	for (int i = 0; i < 3; i++) {
		pair_fill(&p, 0, buf, ALL_BYTES);
		counted(t, 0, write(p.fd[0], buf, ALL_BYTES), 1);
		p.off[0] += ALL_BYTES;
		while (i == 0 && sem_wait(&t->step))
			;
	}
	pair_close(&p);
}

static void test_left_out(void)
{
	struct truth t;
	struct seen s;
	bool good;

	good = run(speaks_tls, (struct scenario){.plain = true}, &s, &t);
	good &= EXPECT_EQ(s.records, 0) & EXPECT_EQ(s.hello_bytes[0], 2 * 800) &
		EXPECT_EQ(s.hello_bytes[1], 2 * 800) & EXPECT_EQ(s.socks, 2);
	result(good, "a socket that speaks TLS: its hellos, no more", "");
	seen_free(&s);

	good = run(long_hello, (struct scenario){0}, &s, &t);
	good &= EXPECT_EQ(s.records, 0) & EXPECT_EQ(s.hello_bytes[0], EV_HELLO_BYTES) &
		EXPECT_EQ(s.hello_bytes[1], EV_HELLO_BYTES);
	result(good, "a hello without end is cut", "");
	seen_free(&s);

	good = run(below_tls, (struct scenario){.plain = true}, &s, &t);
	good &= EXPECT_EQ(s.plain, 0) & EXPECT_EQ(s.nested, 1) & EXPECT_EQ(s.hellos, 0);
	result(good, "what moves within a TLS call is not plain", "");
	seen_free(&s);

	good = run(upgraded, (struct scenario){.plain = true}, &s, &t);
	good &= EXPECT_EQ(s.plain, 3) & EXPECT_EQ(s.n.filtered_bytes[0], t.note[0]) &
		EXPECT_EQ(s.conn_ends, 3) & EXPECT_EQ(s.hello_bytes[0], 2 * 200);
	result(good, "a plain socket that goes on as TLS, and one used within a TLS call", "");
	seen_free(&s);

	good = run(refused, (struct scenario){.plain = true, .refuse = true}, &s, &t);
	good &= EXPECT_EQ(s.got[0], ALL_BYTES) & EXPECT_EQ(s.n.filtered_bytes[0], 2 * ALL_BYTES);
	result(good, "a socket that nobody wants is counted only", "");
	seen_free(&s);

	run_scenario(&(struct scenario){.run = over_ipv4}, &s, &t);
	result(EXPECT_EQ(s.records, 0) & EXPECT_EQ(s.socks, 0) & EXPECT_EQ(s.end, -EPIPE) &
		       EXPECT_EQ(s.n.generated_bytes[0], 0),
	       "nothing of plain sockets unless asked for", "");
	seen_free(&s);
}

/* Only kprobes see where such bytes are; the others see how many. */
static void test_uring(void)
{
	bool copied = strncmp(backends(), "kprobe", strlen("kprobe")) == 0;
	uint64_t all = 2 * ALL_BYTES;
	struct truth t;
	struct seen s;
	bool good = run(over_uring, (struct scenario){.plain = true}, &s, &t) & all_ended(&s);

	good &= EXPECT_EQ(s.got[0], copied ? all : 0) & EXPECT_EQ(s.got[1], copied ? all : 0) &
		EXPECT_EQ(s.nocopy, copied ? 0 : 2 * all) & EXPECT_EQ(sum_lost(&s), s.nocopy);
	result(good, "io_uring: its bytes, or a gap of their length", "");
	seen_free(&s);
}

int main(int argc, char **argv)
{
	if (chosen(argc, argv, "families"))
		test_families();
	if (chosen(argc, argv, "streams"))
		test_streams();
	if (chosen(argc, argv, "uring"))
		test_uring();
	if (chosen(argc, argv, "late"))
		test_late();
	if (chosen(argc, argv, "left out"))
		test_left_out();
	return results_status();
}

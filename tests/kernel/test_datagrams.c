/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams on sockets that are connected to nobody: every one of them has its own peer, from the first on, or none
 * that could be another's; and no system call of the machine pays for that.
 */
#include "tests/kernel/harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>

#define PEERS 3
#define BYTES 100

enum note {
	NOTE_SERVER, /* port of the socket that talks to all */
	NOTE_PEER,   /* and of the others */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t length_of(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

static int bound(int family, bool loopback, union address *a)
{
	int fd = socket(family, SOCK_DGRAM, 0);
	socklen_t n;

	memset(a, 0, sizeof(*a));
	a->any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (loopback)
		a->v6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
	n = length_of(a);
	if (fd < 0 || bind(fd, &a->any, n) || getsockname(fd, &a->any, &n))
		_exit(1);
	return fd;
}

static uint16_t port_of(const union address *a)
{
	return ntohs(a->any.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

/* The server of one family, its peers of another, as they see each other. */
struct room {
	int server, peer[PEERS];
	union address server_at, peer_at[PEERS];
};

static void mapped(union address *a)
{
	union address v6 = {.v6 = {.sin6_family = AF_INET6, .sin6_port = a->v4.sin_port}};

	v6.v6.sin6_addr.s6_addr[10] = v6.v6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(v6.v6.sin6_addr.s6_addr + 12, &a->v4.sin_addr, 4);
	*a = v6;
}

static void room_open(struct room *r, struct truth *t, int family, int peer_family)
{
	r->server = bound(family, family == peer_family, &r->server_at);
	t->note[NOTE_SERVER] = port_of(&r->server_at);
	for (int i = 0; i < PEERS; i++) {
		r->peer[i] = bound(peer_family, true, &r->peer_at[i]);
		t->note[NOTE_PEER + i] = port_of(&r->peer_at[i]);
		if (family != peer_family)
			mapped(&r->peer_at[i]);
	}
	if (family != peer_family) {
		r->server_at.v4 = (struct sockaddr_in){.sin_family = AF_INET,
						       .sin_port = r->server_at.v6.sin6_port};
		r->server_at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
}

static void fill(uint8_t *to, uint8_t seed)
{
	for (int i = 0; i < BYTES; i++)
		to[i] = i ? fake_byte((uint64_t)seed << 4, 0, (uint64_t)i) : seed;
}

/* Several at once: to or from the addresses, one each; `count` of them. */
typedef void move_fn(int fd, uint8_t (*buf)[BYTES], union address *a, int count);

static void by_sendto(int fd, uint8_t (*buf)[BYTES], union address *a, int count)
{
	for (int i = 0; i < count; i++)
		if (sendto(fd, buf[i], BYTES, 0, &a[i].any, length_of(&a[i])) != BYTES)
			_exit(1);
}

static void header(struct msghdr *m, struct iovec *v, uint8_t *buf, union address *a)
{
	*v = (struct iovec){buf, BYTES};
	*m = (struct msghdr){.msg_name = a,
			     .msg_namelen = a->any.sa_family ? length_of(a) : sizeof(*a),
			     .msg_iov = v,
			     .msg_iovlen = 1};
}

static void by_sendmsg(int fd, uint8_t (*buf)[BYTES], union address *a, int count)
{
	struct msghdr m;
	struct iovec v;

	for (int i = 0; i < count; i++) {
		header(&m, &v, buf[i], &a[i]);
		if (sendmsg(fd, &m, 0) != BYTES)
			_exit(1);
	}
}

static void by_sendmmsg(int fd, uint8_t (*buf)[BYTES], union address *a, int count)
{
	struct mmsghdr m[PEERS];
	struct iovec v[PEERS];

	for (int i = 0; i < count; i++)
		header(&m[i].msg_hdr, &v[i], buf[i], &a[i]);
	if (sendmmsg(fd, m, (unsigned int)count, 0) != count)
		_exit(1);
}

static void by_recvfrom(int fd, uint8_t (*buf)[BYTES], union address *a, int count)
{
	socklen_t n;

	for (int i = 0; i < count; i++) {
		n = sizeof(a[i]);
		if (recvfrom(fd, buf[i], BYTES, 0, &a[i].any, &n) != BYTES)
			_exit(1);
	}
}

static void by_recvmsg(int fd, uint8_t (*buf)[BYTES], union address *a, int count)
{
	struct msghdr m;
	struct iovec v;

	for (int i = 0; i < count; i++) {
		memset(&a[i], 0, sizeof(a[i]));
		header(&m, &v, buf[i], &a[i]);
		if (recvmsg(fd, &m, 0) != BYTES)
			_exit(1);
	}
}

static void by_recvmmsg(int fd, uint8_t (*buf)[BYTES], union address *a, int count)
{
	struct mmsghdr m[PEERS];
	struct iovec v[PEERS];

	memset(a, 0, sizeof(*a) * (size_t)count);
	for (int i = 0; i < count; i++)
		header(&m[i].msg_hdr, &v[i], buf[i], &a[i]);
	if (recvmmsg(fd, m, (unsigned int)count, 0, NULL) != count)
		_exit(1);
}

static move_fn *const senders[] = {by_sendto, by_sendmsg, by_sendmmsg};
static move_fn *const receivers[] = {by_recvfrom, by_recvmsg, by_recvmmsg};

#define WAYS (sizeof(senders) / sizeof(senders[0]))

/* Each peer asks, the server takes what there is and answers all, in every way; seeds from 1. */
static void talk(struct truth *t, int family, int peer_family)
{
	uint8_t buf[PEERS][BYTES], seed = 1;
	union address from[PEERS];
	struct room r;

	room_open(&r, t, family, peer_family);
	for (size_t way = 0; way < WAYS; way++) {
		for (int i = 0; i < PEERS; i++) {
			fill(buf[0], seed++);
			senders[way](r.peer[i], buf, &r.server_at, 1);
		}
		receivers[way](r.server, buf, from, PEERS);
		for (int i = 0; i < PEERS; i++) {
			if (buf[i][0] != seed - PEERS ||
			    memcmp(&from[i], &r.peer_at[i], length_of(&from[i])) != 0)
				_exit(2);
			fill(buf[i], seed++);
		}
		senders[way](r.server, buf, from, PEERS);
		for (int i = 0; i < PEERS; i++)
			receivers[way](r.peer[i], buf, from, 1);
	}
	t->calls[0] = t->calls[1] = 2 * WAYS * PEERS;
	t->bytes[0] = t->bytes[1] = t->calls[0] * BYTES;
}

static void over_ipv4(struct truth *t)
{
	talk(t, AF_INET, AF_INET);
}

static void over_ipv6(struct truth *t)
{
	talk(t, AF_INET6, AF_INET6);
}

static void over_both(struct truth *t)
{
	talk(t, AF_INET6, AF_INET);
}

/* Seeds of a question and of its answer, and who the other end is. */
static bool all_right(const struct seen *s, const struct truth *t)
{
	bool good = EXPECT_EQ(s->peers, 4 * WAYS * PEERS) & EXPECT_EQ(s->dgrams, s->peers);

	for (size_t k = 0; good && k < WAYS * PEERS; k++) {
		size_t ask = k / PEERS * 2 * PEERS + k % PEERS + 1, answer = ask + PEERS;
		uint64_t peer = t->note[NOTE_PEER + k % PEERS], server = t->note[NOTE_SERVER];

		good &= EXPECT_EQ(s->peer[0][ask].port, server) &
			EXPECT_EQ(s->peer[1][ask].port, peer) &
			EXPECT_EQ(s->peer[0][answer].port, peer) &
			EXPECT_EQ(s->peer[1][answer].port, server);
	}
	return good;
}

static void test_families(void)
{
	static const struct {
		const char *name;
		void (*run)(struct truth *);
	} rows[] = {
		{"IPv4", over_ipv4},
		{"IPv6", over_ipv6},
		{"IPv4 to a socket of IPv6", over_both},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scenario sc = {.run = rows[i].run, .plain = true};
		struct truth t;
		struct seen s;

		run_scenario(&sc, &s, &t);
		result(whole(&s, &t) & all_right(&s, &t),
		       "each datagram has its peer, from the first", rows[i].name);
		seen_free(&s);
	}
}

enum odd_seed {
	SEED_PEEKED = 1,
	SEED_NAMELESS,
	SEED_ELSEWHERE,
	SEED_OWN,
};

/*
 * One that is looked at with its sender asked for, and taken without by another; one that is taken without. And a
 * socket that is connected to one peer and sends to another.
 */
static void odd(struct truth *t)
{
	uint8_t buf[BYTES];
	union address from;
	socklen_t n = sizeof(from);
	struct room r;
	int status;

	room_open(&r, t, AF_INET, AF_INET);
	fill(buf, SEED_PEEKED);
	by_sendto(r.peer[0], &buf, &r.server_at, 1);
	if (recvfrom(r.server, buf, BYTES, MSG_PEEK, &from.any, &n) != BYTES)
		_exit(1);
	if (fork() == 0)
		_exit(recv(r.server, buf, BYTES, 0) == BYTES ? 0 : 1);
	if (wait(&status) < 0 || status)
		_exit(1);
	fill(buf, SEED_NAMELESS);
	by_sendto(r.peer[1], &buf, &r.server_at, 1);
	if (recv(r.server, buf, BYTES, 0) != BYTES)
		_exit(1);
	if (connect(r.peer[2], &r.peer_at[0].any, length_of(&r.peer_at[0])))
		_exit(1);
	fill(buf, SEED_ELSEWHERE);
	by_sendto(r.peer[2], &buf, &r.peer_at[1], 1);
	fill(buf, SEED_OWN);
	by_sendto(r.peer[2], &buf, &r.peer_at[0], 1);
}

static void test_odd(void)
{
	struct scenario sc = {.run = odd, .plain = true, .follow = true};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = sound(&s) & EXPECT_EQ(s.dgrams, 6);
	good &= EXPECT_EQ(s.peer[1][SEED_PEEKED].port, 0) &
		EXPECT_EQ(s.peer[1][SEED_NAMELESS].port, 0);
	result(good, "who did not ask for the sender is told of none, and of no other's", "");
	good = EXPECT_EQ(s.peer[0][SEED_ELSEWHERE].port, t.note[NOTE_PEER + 1]) &
	       EXPECT_EQ(s.peer[0][SEED_OWN].port, 0);
	result(good, "a connected socket that sends to somebody else", "");
	seen_free(&s);
}

/* The tracepoints that this process holds: all, and those that every system call passes. */
static void count_tracepoints(struct seen *s)
{
	DIR *d = opendir("/proc/self/fdinfo");
	char path[300], line[128], name[64];
	struct dirent *e;
	FILE *f;

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", e->d_name);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "tp_name: %63s", name) != 1)
				continue;
			s->note[0]++;
			s->note[1] += strncmp(name, "sys_", 4) == 0;
		}
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
}

/* Talks, then waits until somebody has counted. */
static void talk_and_wait(struct truth *t)
{
	over_ipv4(t);
	while (sem_wait(&t->step))
		;
}

static void test_cost(void)
{
	struct scenario sc = {.run = talk_and_wait, .plain = true, .meanwhile = count_tracepoints};
	struct truth t;
	struct seen s;

	run_scenario(&sc, &s, &t);
	result(EXPECT(s.note[0] > 0) & EXPECT_EQ(s.note[1], 0) & all_right(&s, &t),
	       "nothing is attached to the system calls of the machine", "");
	seen_free(&s);
}

int main(int argc, char **argv)
{
	if (chosen(argc, argv, "families"))
		test_families();
	if (chosen(argc, argv, "odd"))
		test_odd();
	if (chosen(argc, argv, "cost"))
		test_cost();
	return results_status();
}

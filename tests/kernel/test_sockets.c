/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket of a context: proven by a call inside, kept while it lives, never guessed. */
#include "tests/kernel/harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/uio.h>

enum note {
	NOTE_FD,
	NOTE_LPORT,
	NOTE_RPORT,
	NOTE_FD2,
	NOTE_LPORT2,
};

static void counted(struct truth *t, int dir, long n)
{
	t->bytes[dir] += (uint64_t)n;
	t->calls[dir]++;
}

static uint16_t port_of(int fd, bool peer)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);

	if (peer ? getpeername(fd, (struct sockaddr *)&a, &n)
		 : getsockname(fd, (struct sockaddr *)&a, &n))
		_exit(1);
	return ntohs(a.sin6_port); /* at the same place for IPv4 */
}

/* Connects to a listener of its own on the loopback; *peer is the accepted end. */
static int connected(int family, int *peer)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t n = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int l = socket(family, SOCK_STREAM, 0), fd = socket(family, SOCK_STREAM, 0);

	if (bind(l, a, n) || listen(l, 4) || getsockname(l, a, &n) || connect(fd, a, n))
		_exit(1);
	*peer = accept(l, NULL, NULL);
	close(l);
	return fd;
}

/* At once, with a reset: no state lingers. */
static void drop(int fd)
{
	struct linger now = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void one_family(struct truth *t, int family)
{
	SSL s = {.fd = -1};
	uint8_t buf[100];
	int peer, fd = connected(family, &peer);

	t->note[NOTE_FD] = (uint64_t)fd;
	t->note[NOTE_LPORT] = port_of(fd, false);
	t->note[NOTE_RPORT] = port_of(fd, true);
	s.fd = fd;
	counted(t, 0, put(&s, buf, 100));
	s.fd = -1; /* served from its buffer */
	counted(t, 1, SSL_read(&s, buf, 100));
}

static void over_ipv4(struct truth *t)
{
	one_family(t, AF_INET);
}

static void over_ipv6(struct truth *t)
{
	one_family(t, AF_INET6);
}

static void over_unix(struct truth *t)
{
	SSL s = {0};
	uint8_t buf[100];
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		_exit(1);
	s.fd = fd[0];
	t->note[NOTE_FD] = (uint64_t)fd[0];
	counted(t, 0, put(&s, buf, 100));
	s.fd = -1;
	counted(t, 1, SSL_read(&s, buf, 100));
}

/* One socket after the other, at one file descriptor. */
static void changing(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t buf[100];
	int peer, again;

	s.fd = connected(AF_INET, &peer);
	t->note[NOTE_FD] = (uint64_t)s.fd;
	t->note[NOTE_LPORT] = port_of(s.fd, false);
	counted(t, 0, put(&s, buf, 100));
	drop(s.fd);
	close(peer);
	s.fd = -1;
	counted(t, 0, put(&s, buf, 10)); /* the proof is gone with the socket */
	again = connected(AF_INET, &peer);
	t->note[NOTE_FD2] = (uint64_t)again;
	t->note[NOTE_LPORT2] = port_of(again, false);
	s.fd = again;
	counted(t, 0, put(&s, buf, 100));
	SSL_clear(&s);
	s.fd = -1;
	counted(t, 0, put(&s, buf, 20)); /* and with the generation */
}

static void by_handshake(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t buf[100];
	int peer;

	s.fd = connected(AF_INET, &peer);
	SSL_do_handshake(&s);
	s.fd = -1;
	counted(t, 0, put(&s, buf, 100));
	counted(t, 1, SSL_read(&s, buf, 100));
}

/* Sends of the thread beside its TLS calls, and after one that longjmp left, from further down the stack. */
static __attribute__((noinline)) void send_deeper(int fd, int levels)
{
	volatile char room[256];

	room[0] = (char)levels;
	if (levels)
		send_deeper(fd, levels - 1);
	else
		send(fd, "x", 1, MSG_DONTWAIT);
	room[1] = room[0];
}

static void unrelated(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t buf[100];
	int peer, fd = connected(AF_INET, &peer);
	jmp_buf env;

	send(fd, "x", 1, MSG_DONTWAIT);
	counted(t, 0, put(&s, buf, 100));
	s.mode.escape = &env;
	if (setjmp(env) == 0)
		SSL_read(&s, buf, 100);
	s.mode.escape = NULL;
	send_deeper(fd, 10);
	counted(t, 0, put(&s, buf, 100));
}

#define RESETS 16

/* What came before a reset is read after it; then an accepted socket may be at the same address. */
static void after_reset(struct truth *t)
{
	static const uint8_t record[6] = {0x17, 3, 3, 0, 1};
	struct pollfd p = {.events = POLLHUP};
	uint8_t buf[100];
	int remote;

	for (int i = 0; i < RESETS; i++) {
		SSL s = {.fd = -1};

		remote = connected(AF_INET, &s.fd);
		t->note[0] += 2u * (port_of(s.fd, true) + port_of(s.fd, false));
		if (send(remote, record, sizeof(record), 0) != sizeof(record))
			_exit(1);
		drop(remote);
		p.fd = s.fd;
		if (poll(&p, 1, 5000) != 1 || !(p.revents & POLLHUP))
			_exit(1);
		counted(t, 1, SSL_read(&s, buf, 100));
		drop(s.fd);
		SSL_free(&s);
	}
}

/* A callback, or a log, uses a socket of its own within calls of the context. */
static void with_another(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t buf[100];
	int peer, peer2, own = connected(AF_INET, &peer), other = connected(AF_INET, &peer2);

	t->note[NOTE_LPORT] = port_of(own, false);
	s.fd = own;
	s.mode.side_fd = other;
	SSL_do_handshake(&s);
	counted(t, 0, put(&s, buf, 100)); /* either may be the context's */
	counted(t, 1, SSL_read(&s, buf, 10));
	s.fd = -1;
	s.mode.side_fd = 0;
	counted(t, 0, put(&s, buf, 100));
	s.fd = own;
	counted(t, 0, put(&s, buf, 100)); /* proven */
	s.fd = -1;
	s.mode.side_fd = other;
	counted(t, 0, put(&s, buf, 100)); /* the proven one still lives */
	s.mode.side_fd = 0;
	counted(t, 0, put(&s, buf, 100)); /* from a buffer: the proof stands */
	s.fd = own;
	s.mode.side_fd = other;
	counted(t, 0, put(&s, buf, 100));
}

/* And alone, as the context has no socket of its own or finds its records in a buffer. */
static void only_another(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t buf[100];
	int peer, peer2, own = connected(AF_INET, &peer), other = connected(AF_INET, &peer2);

	t->note[NOTE_LPORT] = port_of(own, false);
	s.mode.side_fd = other;
	SSL_do_handshake(&s);
	counted(t, 0, put(&s, buf, 100));
	counted(t, 1, SSL_read(&s, buf, 10));
	s.mode.side_fd = 0;
	counted(t, 0, put(&s, buf, 100)); /* nothing is known yet */
	s.fd = own;
	counted(t, 0, put(&s, buf, 100));
	s.fd = -1;
	s.mode.side_fd = other;
	counted(t, 0, put(&s, buf, 100)); /* the proven one lives */
	s.mode.side_fd = 0;
	counted(t, 1, SSL_read(&s, buf, 10));
}

#define SEND_WAYS 5

/* Every call that sends, with the record at its beginning. */
static void send_record(int fd, int way, uint8_t *record)
{
	struct iovec v[2] = {{record, FAKE_RECORD_BYTES}, {record, 3}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	long n = -1;

	switch (way) {
	case 0:
		n = write(fd, record, FAKE_RECORD_BYTES);
		break;
	case 1:
		n = send(fd, record, FAKE_RECORD_BYTES, 0);
		break;
	case 2:
		n = sendto(fd, record, FAKE_RECORD_BYTES, 0, NULL, 0);
		break;
	case 3:
		n = writev(fd, v, 2);
		break;
	case 4:
		n = sendmsg(fd, &m, 0);
		break;
	}
	if (n < FAKE_RECORD_BYTES)
		_exit(1);
}

/* A memory BIO: the context makes a record, the program sends it. */
static void through_memory(struct truth *t)
{
	uint8_t record[FAKE_RECORD_BYTES] = {0x17, 3, 3, 0, FAKE_RECORD_BYTES - 5}, buf[100];
	int peer, fd = connected(AF_INET, &peer);
	SSL s = {.fd = -1};

	t->note[NOTE_LPORT] = port_of(fd, false);
	send_record(fd, 0, record); /* nobody asked yet */
	s.mode.record = record;
	for (int way = 0; way < SEND_WAYS; way++) {
		record[5] = (uint8_t)way;
		counted(t, 0, put(&s, buf, 10));
		send(fd, "HTTP/1.1 and no record, long enough", 35, 0);
		send_record(fd, way, record);
	}
	s.fd = fd; /* from here on it has a socket of its own */
	counted(t, 0, put(&s, buf, 10));
	s.fd = -1;
	counted(t, 0, put(&s, buf, 10));
	record[0] = 0x16; /* of a handshake */
	send_record(fd, 0, record);
}

/* The socket is that of the inner connection; the outer one has none of its own. */
static void tls_in_tls(struct truth *t)
{
	SSL inner = {.fd = -1}, outer = {.fd = -1, .below = &inner};
	uint8_t buf[100];
	int peer;

	inner.fd = connected(AF_INET, &peer);
	counted(t, 0, put(&outer, buf, 100));
	counted(t, 0, 64);
}

static bool run(void (*what)(struct truth *), const char *backend, struct seen *s, struct truth *t)
{
	struct scenario sc = {.run = what, .backend = backend};

	run_scenario(&sc, s, t);
	return whole(s, t);
}

static void test_families(const char *backend)
{
	static const uint8_t v4[16] = {127, 0, 0, 1};
	static const uint8_t v6[16] = {[15] = 1};
	static const uint8_t none[16];
	static const struct {
		const char *name;
		void (*run)(struct truth *);
		const uint8_t *addr;
		uint16_t family;
	} rows[] = {
		{"IPv4", over_ipv4, v4, AF_INET},
		{"IPv6", over_ipv6, v6, AF_INET6},
		{"AF_UNIX", over_unix, none, AF_UNIX},
	};
	struct truth t;
	struct seen s;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good = run(rows[i].run, backend, &s, &t);
		const struct ev_sock *k = &s.sock[0];
		bool tcp = rows[i].family != AF_UNIX;

		good &= EXPECT_EQ(s.socks, 1) & EXPECT_EQ(k->family, rows[i].family) &
			EXPECT_EQ(k->fd, t.note[NOTE_FD]) & EXPECT_EQ(k->type, SOCK_STREAM) &
			EXPECT_EQ(k->lport, t.note[NOTE_LPORT]) &
			EXPECT_EQ(k->rport, t.note[NOTE_RPORT]) &
			EXPECT_EQ(k->protocol, tcp ? IPPROTO_TCP : 0) &
			EXPECT_EQ(k->accepted, tcp ? 2 : 0);
		good &= EXPECT(memcmp(k->laddr, rows[i].addr, 16) == 0) &
			EXPECT(memcmp(k->raddr, rows[i].addr, 16) == 0);
		good &= EXPECT_EQ(s.nested, 1) & EXPECT_EQ(s.cached, 1) & EXPECT_EQ(s.unproven, 0);
		result(good, rows[i].name, backend);
		seen_free(&s);
	}
}

static void test_changing(const char *backend)
{
	struct truth t;
	struct seen s;
	bool good = run(changing, backend, &s, &t);

	good &= EXPECT_EQ(s.socks, 2) & EXPECT_EQ(s.nested, 2) & EXPECT_EQ(s.cached, 0) &
		EXPECT_EQ(s.unproven, 2);
	good &= EXPECT_EQ(t.note[NOTE_FD], t.note[NOTE_FD2]); /* or it tests nothing */
	good &= EXPECT(s.sock[0].sock != s.sock[1].sock) &
		EXPECT_EQ(s.sock[0].lport, t.note[NOTE_LPORT]) &
		EXPECT_EQ(s.sock[1].lport, t.note[NOTE_LPORT2]) & EXPECT(s.sock_closes >= 1);
	result(good, "a socket's proof ends with it", backend);
	seen_free(&s);
}

/* What was received is seen, other than at the entry of a system call. */
static void test_reset(const char *backend)
{
	uint64_t ports = 0;
	struct truth t;
	struct seen s;
	bool good = run(after_reset, backend, &s, &t);

	/* both ends are in the process */
	for (uint64_t i = 0; i < s.socks && i < 2 * RESETS; i++)
		ports += s.sock[i].lport + s.sock[i].rport;
	good &= EXPECT_EQ(s.socks, 2 * RESETS) & EXPECT_EQ(s.nested, RESETS) &
		EXPECT_EQ(s.sock_closes, 2 * RESETS) & EXPECT_EQ(ports, t.note[0]);
	result(good, "a socket that was reset is not the next one at its address", backend);
	seen_free(&s);
}

static void test_evidence(const char *backend)
{
	struct truth t;
	struct seen s;
	bool good;

	good = run(by_handshake, backend, &s, &t);
	good &= EXPECT_EQ(s.socks, 1) & EXPECT_EQ(s.nested, 0) & EXPECT_EQ(s.cached, 2);
	result(good, "a handshake's calls are proof", backend);
	seen_free(&s);

	good = run(unrelated, backend, &s, &t);
	good &= EXPECT_EQ(s.socks, 0) & EXPECT_EQ(s.unproven, 2);
	result(good, "calls beside a TLS call are none", backend);
	seen_free(&s);

	good = run(with_another, backend, &s, &t);
	good &= EXPECT_EQ(s.nested, 1) & EXPECT_EQ(s.cached, 1) & EXPECT_EQ(s.unproven, 5) &
		EXPECT_EQ(s.bindings, 1) & EXPECT_EQ(s.other_sock, 0) & EXPECT_EQ(s.socks, 2);
	for (size_t i = 0; i < s.socks && i < 2; i++)
		good &= (s.sock[i].sock == s.bound) == (s.sock[i].lport == t.note[NOTE_LPORT]);
	result(good, "another socket within the call: never taken for the context's", backend);
	seen_free(&s);

	good = run(only_another, backend, &s, &t);
	good &= EXPECT_EQ(s.nested, 1) & EXPECT_EQ(s.cached, 1) & EXPECT_EQ(s.unproven, 4) &
		EXPECT_EQ(s.bindings, 1) & EXPECT_EQ(s.other_sock, 0);
	for (size_t i = 0; i < s.socks && i < 2; i++)
		good &= (s.sock[i].sock == s.bound) == (s.sock[i].lport == t.note[NOTE_LPORT]);
	result(good, "a socket without TLS within the call is nobody's", backend);
	seen_free(&s);

	good = run(through_memory, backend, &s, &t);
	/* and one before its own socket call in the same TLS call */
	good &= EXPECT_EQ(s.ciphers, SEND_WAYS + 1) & EXPECT_EQ(s.sends, SEND_WAYS) &
		EXPECT_EQ(s.send.got, EV_CIPHER_BYTES) & EXPECT_EQ(s.socks, 1) &
		EXPECT_EQ(s.send.sock, s.sock[0].sock) &
		EXPECT_EQ(s.sock[0].lport, t.note[NOTE_LPORT]) &
		EXPECT(memcmp(s.cipher.bytes, s.send_bytes, EV_CIPHER_BYTES) == 0) &
		EXPECT_EQ(s.unproven, SEND_WAYS) & EXPECT_EQ(s.nested, 1) & EXPECT_EQ(s.cached, 1);
	result(good, "a memory BIO's record, and the sends that begin with it", backend);
	seen_free(&s);

	good = run(tls_in_tls, backend, &s, &t);
	good &= EXPECT_EQ(s.socks, 1) & EXPECT_EQ(s.nested, 1) & EXPECT_EQ(s.unproven, 1);
	result(good, "TLS in TLS: the inner connection's", backend);
	seen_free(&s);
}

int main(int argc, char **argv)
{
	char each[64];

	for (const char *p = backends(); *p; p += strspn(p, " ")) {
		snprintf(each, sizeof(each), "%.*s", (int)strcspn(p, " "), p);
		p += strlen(each);
		if (chosen(argc, argv, "families"))
			test_families(each);
		if (chosen(argc, argv, "changing"))
			test_changing(each);
		if (chosen(argc, argv, "evidence"))
			test_evidence(each);
		if (chosen(argc, argv, "evidence") && strcmp(each, "sys_enter") != 0)
			test_reset(each);
	}
	return results_status();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pcapng writer, octet by octet: read back by a reader that shares no code with it. */
#include "tests/unit/pcapng_maker.h"
#include "tests/unit/pcapng_reader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#define CLIENT "10.1.2.3"
#define SERVER "93.184.216.34"

/* A file, its packets and its conversations, from a maker that has finished. */
struct result {
	struct rd_file file;
	struct rd_convs convs;
};

static void finish(struct maker *m, struct result *r)
{
	maker_finish(m);
	rd_open(&r->file, m->path);
	rd_follow(&r->file, &r->convs);
	maker_remove(m);
}

static void done(struct result *r)
{
	rd_convs_free(&r->convs);
	rd_free(&r->file);
}

static uint8_t *random_bytes(size_t n)
{
	uint8_t *p = malloc(n + 1);
	uint32_t x = 1;

	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		x = x * 1103515245 + 12345;
		p[i] = (uint8_t)(x >> 16);
	}
	return p;
}

static bool has_addr(const uint8_t *addr, const char *text)
{
	uint8_t want[16] = {0};

	if (inet_pton(AF_INET, text, want) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, want), 1);
	return memcmp(addr, want, 16) == 0;
}

static void assert_plain(const struct rd_conv *c, int side, const void *want, size_t n)
{
	struct rd_tls t;

	rd_tls_read(c, side, &t);
	assert_int_equal(t.n, n);
	assert_memory_equal(t.plain, want, n);
	rd_tls_free(&t);
}

static void test_empty_file(void **state)
{
	struct maker m;
	struct result r;

	(void)state;
	maker_open(&m, NULL);
	finish(&m, &r);
	assert_int_equal(r.file.packet_count, 0);
	assert_int_equal(r.file.iface_count, 0);
	assert_memory_equal(r.file.application, "tlslens ", 8);
	assert_non_null(strstr(r.file.comment, "framing is synthetic"));
	assert_non_null(strstr(r.file.comment, "secrets are masked"));
	done(&r);
}

static void test_unredacted_says_so(void **state)
{
	struct writer_cfg cfg = {.tcp_framing = true};
	struct maker m;
	struct result r;

	(void)state;
	maker_open(&m, &cfg);
	finish(&m, &r);
	assert_non_null(strstr(r.file.comment, "tlslens: TCP framing is synthetic"));
	assert_non_null(strstr(r.file.comment, "NOT masked"));
	done(&r);
}

static void test_conversation(void **state)
{
	struct identity id = maker_process(4242, "curl", "web-1");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;
	struct result r;
	struct rd_tls t;

	(void)state;
	c.sni = STR("example.com");
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_WRITE, "GET / HTTP/1.1\r\n\r\n");
	maker_text(&m, &c, DIR_READ, "HTTP/1.1 204 No Content\r\n\r\n");
	maker_end(&m, &c);
	finish(&m, &r);
	assert_int_equal(r.convs.count, 1);
	assert_int_equal(r.file.packet_count, 3 + 4 + 2 + 3);
	assert_true(has_addr(r.convs.v[0].syn->src, CLIENT));
	assert_true(r.convs.v[0].fin[0] && r.convs.v[0].fin[1]);
	rd_tls_read(&r.convs.v[0], 0, &t);
	assert_string_equal(t.sni, "example.com");
	assert_string_equal(t.alpn, "http/1.1");
	rd_tls_free(&t);
	rd_tls_read(&r.convs.v[0], 1, &t);
	assert_string_equal(t.sni, "");
	assert_string_equal(t.alpn, "http/1.1");
	rd_tls_free(&t);
	assert_plain(&r.convs.v[0], 0, "GET / HTTP/1.1\r\n\r\n", 18);
	assert_plain(&r.convs.v[0], 1, "HTTP/1.1 204 No Content\r\n\r\n", 27);
	done(&r);
}

/* The order is what makes Wireshark take the handshake: the client changes its cipher first. */
static void test_packet_order(void **state)
{
	static const uint8_t from[] = {0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0};
	static const uint8_t first[] = {0, 0, 0, 22, 22, 20, 20, 23};
	struct identity id = maker_process(7, "c", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;
	struct result r;

	(void)state;
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_WRITE, "x");
	maker_end(&m, &c);
	finish(&m, &r);
	assert_int_equal(r.file.packet_count, sizeof(from));
	for (size_t i = 0; i < sizeof(from); i++) {
		const struct rd_packet *k = &r.file.packets[i];

		assert_int_equal(k->sport == 443, from[i]);
		assert_int_equal(k->n ? k->payload[0] : 0, i < sizeof(first) ? first[i] : 0);
	}
	done(&r);
}

static void test_who_it_belongs_to(void **state)
{
	struct identity id = maker_process(4242, "curl", "web-1");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;
	struct result r;

	(void)state;
	id.v[ID_CONTAINER_ID] = STR("3f1c0d9a7b21aaaabbbbcccc");
	id.v[ID_K8S_NAMESPACE] = STR("shop");
	id.v[ID_K8S_POD] = STR("web-1-abc");
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_WRITE, "GET / HTTP/1.1\r\n\r\n");
	maker_end(&m, &c);
	finish(&m, &r);
	assert_int_equal(r.file.iface_count, 1);
	assert_string_equal(r.file.ifaces[0].name, "curl[4242]@web-1");
	assert_string_equal(r.file.ifaces[0].description,
			    "exe=/usr/bin/test container=web-1 id=3f1c0d9a7b21aaaabbbbcccc "
			    "pod=shop/web-1-abc (synthetic framing)");
	assert_true(r.file.ifaces[0].has_stats);
	assert_int_equal(r.file.ifaces[0].received, r.file.packet_count);
	for (size_t i = 0; i < r.file.packet_count; i++) {
		const struct rd_packet *k = &r.file.packets[i];

		assert_string_equal(k->comment,
				    i ? ""
				      : "pid=4242 comm=curl container=web-1 pod=shop/web-1-abc "
					"conn=4242-7f00-1 side=client lib=openssl joined=late");
		assert_int_equal(k->direction, k->dport == 443 ? 2 : 1);
		assert_int_equal(k->pid, 4242);
		assert_int_equal(k->tid, 4243);
		assert_int_equal(k->ts_ns, 1760000000000000000u + (i < 8 ? 0 : 1000000));
	}
	done(&r);
}

/* One interface a (pid, start time); names of hostile processes stay text. */
static void test_interfaces(void **state)
{
	struct identity ids[3] = {maker_process(5, "a", ""), maker_process(5, "b", ""),
				  maker_process(6, "x\x01\xff\xc3\xa9\n", "")};
	struct conn c;
	struct maker m;
	struct result r;

	(void)state;
	ids[1].key.start_ns++;
	ids[2].v[ID_CONTAINER_ID] = STR("0123456789abcdef");
	maker_open(&m, NULL);
	for (unsigned int i = 0; i < 6; i++) {
		c = maker_conn(i + 1, &ids[i % 3], CLIENT, (uint16_t)(40001 + i), SERVER, 443);
		maker_text(&m, &c, DIR_WRITE, "x");
		maker_end(&m, &c);
	}
	c = maker_conn(7, NULL, CLIENT, 40007, SERVER, 443);
	maker_text(&m, &c, DIR_WRITE, "x");
	finish(&m, &r);
	assert_int_equal(r.file.iface_count, 4);
	assert_string_equal(r.file.ifaces[0].name, "a[5]");
	assert_string_equal(r.file.ifaces[1].name, "b[5]");
	assert_string_equal(r.file.ifaces[2].name, "x\\x01\\xff\xc3\xa9\\x0a[6]@0123456789ab");
	assert_string_equal(r.file.ifaces[3].name, "?[0]");
	assert_int_equal(r.file.packets[11].iface, 1);
	done(&r);
}

/* Names longer than anything a process should have do not break the block. */
static void test_long_names(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	char *exe = malloc(4096), sni[300];
	struct maker m;
	struct result r;
	struct rd_tls t;

	(void)state;
	assert_non_null(exe);
	memset(exe, 1, 4096);
	memset(sni, 'a', sizeof(sni));
	id.v[ID_EXE] = (struct str){exe, 4096};
	id.v[ID_CONTAINER_NAME] = (struct str){exe, 100};
	c.sni = (struct str){sni, sizeof(sni)};
	c.alpn = (struct str){sni, 255};
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_WRITE, "x");
	finish(&m, &r);
	assert_int_equal(strlen(r.file.ifaces[0].description), 4096);
	rd_tls_read(&r.convs.v[0], 0, &t);
	assert_string_equal(t.sni, "");
	assert_int_equal(strlen(t.alpn), 255);
	rd_tls_free(&t);
	done(&r);
	free(exe);
}

/* Every size comes out whole, in records as full as TLS allows, whoever sends it. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 65495, 100000, 1048576};
	struct identity id = maker_process(5, "a", "");

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct conn c = maker_conn(i + 1, &id, CLIENT, 40001, SERVER, 443);
		size_t n = sizes[i];
		uint8_t *p = random_bytes(n);
		struct maker m;
		struct result r;
		struct rd_tls t;

		maker_open(&m, NULL);
		maker_text(&m, &c, DIR_WRITE, "x");
		maker_send(&m, &c, DIR_READ, p, n);
		maker_end(&m, &c);
		finish(&m, &r);
		assert_plain(&r.convs.v[0], 1, p, n);
		rd_tls_read(&r.convs.v[0], 1, &t);
		assert_int_equal(t.records, (n + 16383) / 16384);
		rd_tls_free(&t);
		done(&r);
		free(p);
	}
}

static void test_tcp_framing(void **state)
{
	struct writer_cfg cfg = {.tcp_framing = true, .redacted = true};
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	uint8_t *p = random_bytes(200000);
	struct maker m;
	struct result r;

	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		maker_open(&m, plain ? NULL : &cfg);
		c.plain = plain;
		maker_send(&m, &c, DIR_WRITE, p, 200000);
		maker_text(&m, &c, DIR_READ, "answer");
		maker_end(&m, &c);
		finish(&m, &r);
		assert_int_equal(r.convs.count, 1);
		assert_int_equal(r.convs.v[0].n[0], 200000);
		assert_memory_equal(r.convs.v[0].bytes[0], p, 200000);
		assert_int_equal(r.convs.v[0].n[1], 6);
		done(&r);
	}
	free(p);
}

static void assert_client(enum role role, uint16_t local, uint16_t peer, bool local_is_client)
{
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, local, SERVER, peer);
	struct maker m;
	struct result r;

	c.role = role;
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_READ, "x");
	finish(&m, &r);
	assert_int_equal(has_addr(r.convs.v[0].syn->src, CLIENT), local_is_client);
	assert_int_equal(r.convs.v[0].syn->direction, local_is_client ? 2 : 1);
	assert_plain(&r.convs.v[0], local_is_client ? 1 : 0, "x", 1);
	done(&r);
}

static void test_orientation(void **state)
{
	(void)state;
	assert_client(ROLE_CLIENT, 40001, 443, true);
	assert_client(ROLE_CLIENT, 443, 40001, true);
	assert_client(ROLE_SERVER, 443, 40001, false);
	assert_client(ROLE_SERVER, 40001, 443, false);
	assert_client(ROLE_UNKNOWN, 443, 40001, false);
	assert_client(ROLE_UNKNOWN, 40001, 443, true);
	assert_client(ROLE_UNKNOWN, 5000, 5000, true);
}

static void test_udp(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 50001, "10.0.0.53", 53);
	uint8_t *p = random_bytes(70000);
	struct maker m;
	struct result r;

	(void)state;
	c.transport = TRANSPORT_UDP;
	c.plain = true;
	maker_open(&m, NULL);
	maker_send(&m, &c, DIR_WRITE, p, 30);
	maker_send(&m, &c, DIR_READ, p, 0);
	maker_gap(&m, &c, DIR_READ, 100, true);
	maker_send(&m, &c, DIR_READ, p, 70000);
	maker_end(&m, &c);
	finish(&m, &r);
	assert_int_equal(r.file.packet_count, 3);
	assert_true(r.file.packets[0].udp && r.file.packets[0].dport == 53);
	assert_int_equal(r.file.packets[0].n, 30);
	assert_string_equal(r.file.packets[0].comment,
			    "pid=5 comm=a conn=5-7f00-1 side=client joined=late");
	assert_int_equal(r.file.packets[1].n, 0);
	assert_string_equal(r.file.packets[1].comment, "");
	assert_int_equal(r.file.packets[2].n, 65507);
	assert_int_equal(r.file.packets[2].dropped, 1);
	assert_non_null(strstr(r.file.packets[2].comment, "lost"));
	assert_non_null(strstr(r.file.packets[2].comment, "cut"));
	done(&r);
	free(p);
}

/* A sum that comes out as zero is sent as 0xffff: two octets chosen so (RFC 768). */
static void test_udp_checksum_zero(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 50001, "10.0.0.53", 53);
	struct maker m;
	struct result r;
	uint16_t sum;
	uint8_t fix[2] = {0};

	(void)state;
	c.transport = TRANSPORT_UDP;
	for (int round = 0; round < 2; round++) {
		maker_open(&m, NULL);
		maker_send(&m, &c, DIR_WRITE, fix, 2);
		finish(&m, &r);
		sum = (uint16_t)(r.file.packets[0].payload[-2] << 8 |
				 r.file.packets[0].payload[-1]);
		if (round)
			assert_int_equal(sum, 0xffff);
		fix[0] = (uint8_t)(sum >> 8);
		fix[1] = (uint8_t)sum;
		done(&r);
	}
}

static void test_ipv6(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct conn tcp = maker_conn(1, &id, "fd00::1", 40001, "fd00::2", 443);
	struct conn udp = maker_conn(2, &id, "fd00::1", 40001, "fd00::2", 53);
	uint8_t *p = random_bytes(100001);
	struct maker m;
	struct result r;

	(void)state;
	udp.transport = TRANSPORT_UDP;
	maker_open(&m, NULL);
	maker_send(&m, &tcp, DIR_WRITE, p, 100001);
	maker_send(&m, &udp, DIR_WRITE, p, 65507);
	finish(&m, &r);
	assert_true(r.convs.v[0].syn->v6);
	assert_true(has_addr(r.convs.v[0].syn->dst, "fd00::2"));
	assert_plain(&r.convs.v[0], 0, p, 100001);
	assert_int_equal(r.file.packets[r.file.packet_count - 1].n, 65507);
	done(&r);
	free(p);
}

/* What a dual-stack socket calls ::ffff:10.1.2.3 is IPv4 on the wire and for the other end. */
static void test_dual_stack(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, "::ffff:" SERVER, 443, "::ffff:" CLIENT, 40001);
	struct maker m;
	struct result r;

	(void)state;
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_READ, "x");
	finish(&m, &r);
	assert_false(r.convs.v[0].syn->v6);
	assert_true(has_addr(r.convs.v[0].syn->src, CLIENT));
	assert_true(has_addr(r.convs.v[0].syn->dst, SERVER));
	done(&r);
}

static void test_unknown_peer(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct conn a = maker_conn(1, &id, CLIENT, 2, NULL, 1);
	struct conn b = maker_conn(20000, &id, CLIENT, 1, NULL, 2);
	struct conn u = maker_conn(3, &id, CLIENT, 2, NULL, 1);
	struct maker m;
	struct result r;

	(void)state;
	u.transport = TRANSPORT_UNIX;
	u.family = ADDR_UNIX;
	u.source = PEER_KERNEL;
	u.plain = true;
	maker_open(&m, NULL);
	maker_text(&m, &a, DIR_WRITE, "x");
	maker_text(&m, &b, DIR_READ, "y");
	maker_text(&m, &u, DIR_WRITE, "z");
	finish(&m, &r);
	assert_int_equal(r.convs.count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_non_null(strstr(r.convs.v[i].syn->comment, "documentation addresses"));
		assert_true(has_addr(r.convs.v[i].syn->dst, "192.0.2.254"));
		assert_true(r.convs.v[i].syn->sport >= 49152);
		assert_int_equal(r.convs.v[i].syn->direction, i == 1 ? 1 : 2);
		assert_int_equal(r.convs.v[i].syn->dport, i == 2 ? 49151 : 443);
	}
	assert_true(has_addr(r.convs.v[0].syn->src, "192.0.2.1"));
	assert_true(has_addr(r.convs.v[1].syn->src, "192.0.2.2"));
	done(&r);
}

static void test_both_ends_ipv4(void **state)
{
	struct identity curl = maker_process(5, "curl", ""), nginx = maker_process(6, "nginx", "");
	struct conn a = maker_conn(1, &curl, CLIENT, 40001, SERVER, 443);
	struct conn b = maker_conn(2, &nginx, SERVER, 443, CLIENT, 40001);
	struct conn c = maker_conn(3, &nginx, SERVER, 443, CLIENT, 40001);
	struct maker m;
	struct result r;

	(void)state;
	memset(b.local.addr + 4, 0x55, 12); /* an IPv4 address is its first four octets */
	maker_open(&m, NULL);
	maker_text(&m, &a, DIR_WRITE, "one");
	maker_text(&m, &b, DIR_READ, "one");
	maker_text(&m, &c, DIR_READ, "one");
	maker_end(&m, &a);
	maker_text(&m, &b, DIR_WRITE, "two");
	maker_end(&m, &b);
	finish(&m, &r);
	assert_int_equal(r.convs.count, 3);
	assert_null(strstr(r.convs.v[0].syn->comment, "moved"));
	assert_non_null(strstr(r.convs.v[1].syn->comment, "moved"));
	assert_true(has_addr(r.convs.v[1].syn->src, "::ffff:" CLIENT));
	assert_true(has_addr(r.convs.v[1].syn->dst, "::ffff:" SERVER));
	assert_true(has_addr(r.convs.v[2].syn->src, "2001:db8:1::ffff:" CLIENT));
	assert_plain(&r.convs.v[1], 1, "two", 3);
	assert_true(r.convs.v[1].fin[0]);
	done(&r);
}

static void test_both_ends_ipv6(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct maker m;
	struct result r;

	(void)state;
	maker_open(&m, NULL);
	for (unsigned int i = 1; i <= 3; i++) {
		struct conn c = maker_conn(i, &id, "fd00:1:2:3::1", 40001, "::1", 443);

		maker_text(&m, &c, DIR_WRITE, "x");
	}
	finish(&m, &r);
	assert_true(has_addr(r.convs.v[0].syn->src, "fd00:1:2:3::1"));
	assert_true(has_addr(r.convs.v[1].syn->src, "2001:db8:2:3::1"));
	assert_true(has_addr(r.convs.v[1].syn->dst, "2001:db8::1"));
	assert_true(has_addr(r.convs.v[2].syn->src, "2001:db8:3:3::1"));
	done(&r);
}

/* Ports are used again: the addresses are free after the close, the sequence numbers are others. */
static void test_reuse(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct maker m;
	struct result r;

	(void)state;
	maker_open(&m, NULL);
	for (unsigned int i = 1; i <= 3; i++) {
		struct conn c = maker_conn(i, &id, CLIENT, 40001, SERVER, 443);

		maker_text(&m, &c, DIR_WRITE, "x");
		maker_end(&m, &c);
	}
	finish(&m, &r);
	assert_int_equal(r.convs.count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_false(r.convs.v[i].syn->v6);
	assert_int_not_equal(r.convs.v[0].isn[0], r.convs.v[1].isn[0]);
	assert_int_not_equal(r.convs.v[1].isn[0], r.convs.v[2].isn[0]);
	done(&r);
}

/* A secret over the border of two records is masked in both; its neighbours stay. */
static void test_masks(void **state)
{
	static const struct mask masks[] = {
		{0, 2, 0x2a}, {16380, 8, 0xf9}, {19990, 10, 0x2a}, {20000, 0, 0x2a}};
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	uint8_t *p = random_bytes(20000), *want = random_bytes(20000);
	struct maker m;
	struct result r;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		memset(want + masks[i].at, masks[i].fill, masks[i].n);
	maker_open(&m, NULL);
	maker_masked(&m, &c, DIR_WRITE, p, 20000, masks, 4);
	finish(&m, &r);
	assert_plain(&r.convs.v[0], 0, want, 20000);
	done(&r);
	free(p);
	free(want);
}

static void test_gap_padded(void **state)
{
	static const uint8_t zeros[40000];
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;
	struct result r;
	struct rd_tls t;
	size_t marked = 0, commented = 0;

	(void)state;
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_READ, "before");
	maker_gap(&m, &c, DIR_READ, sizeof(zeros), false);
	maker_text(&m, &c, DIR_READ, "after");
	finish(&m, &r);
	assert_int_equal(r.convs.count, 1);
	rd_tls_read(&r.convs.v[0], 1, &t);
	assert_int_equal(t.n, 6 + sizeof(zeros) + 5);
	assert_memory_equal(t.plain + 6, zeros, sizeof(zeros));
	assert_memory_equal(t.plain + 6 + sizeof(zeros), "after", 5);
	rd_tls_free(&t);
	for (size_t i = 1; i < r.file.packet_count; i++) {
		marked += r.file.packets[i].dropped;
		commented += strstr(r.file.packets[i].comment, "lost=40000 ") != NULL;
	}
	assert_int_equal(marked, 1);
	assert_int_equal(commented, 3);
	assert_int_equal(r.file.ifaces[0].dropped, 1);
	done(&r);
}

static void test_gap_restart(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;
	struct result r;
	struct rd_tls t[2];

	(void)state;
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_WRITE, "first");
	maker_gap(&m, &c, DIR_READ, 1000, true);
	maker_text(&m, &c, DIR_READ, "second");
	maker_gap(&m, &c, DIR_READ, (16u << 20) + 1, false); /* too long to pad */
	maker_gap(&m, &c, DIR_WRITE, 0, false);		     /* of unknown length */
	maker_text(&m, &c, DIR_WRITE, "third");
	maker_end(&m, &c);
	finish(&m, &r);
	assert_int_equal(r.convs.count, 3);
	assert_plain(&r.convs.v[0], 0, "first", 5);
	assert_plain(&r.convs.v[1], 1, "second", 6);
	assert_plain(&r.convs.v[2], 0, "third", 5);
	assert_true(r.convs.v[0].fin[0] && r.convs.v[0].fin[1]);
	assert_int_equal(r.convs.v[0].syn->sport, r.convs.v[1].syn->sport);
	assert_non_null(strstr(r.convs.v[1].syn->comment, "continues"));
	assert_int_equal(r.convs.v[2].syn->dropped, 1);
	rd_tls_read(&r.convs.v[0], 0, &t[0]);
	rd_tls_read(&r.convs.v[1], 0, &t[1]);
	assert_memory_not_equal(t[0].random, t[1].random, 32);
	rd_tls_free(&t[0]);
	rd_tls_free(&t[1]);
	assert_int_equal(r.file.ifaces[0].dropped, 3);
	done(&r);
}

/* Losses before the first byte and after the last one are told, too. */
static void test_gap_at_the_ends(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;
	struct result r;

	(void)state;
	maker_open(&m, NULL);
	maker_gap(&m, &c, DIR_WRITE, 10, true);
	maker_text(&m, &c, DIR_WRITE, "x");
	maker_gap(&m, &c, DIR_WRITE, 10, true);
	maker_end(&m, &c);
	finish(&m, &r);
	assert_int_equal(r.convs.count, 1);
	assert_int_equal(r.file.packets[0].dropped, 1);
	assert_int_equal(r.file.packets[8].flags, RD_FIN | RD_ACK);
	assert_int_equal(r.file.packets[8].dropped, 1);
	assert_non_null(strstr(r.file.packets[8].comment, "lost=10 "));
	assert_int_equal(r.file.packet_count, 3 + 4 + 1 + 3);
	assert_int_equal(r.file.ifaces[0].dropped, 2);
	done(&r);
}

/* A connection that never said anything leaves no packet. */
static void test_silent(void **state)
{
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;
	struct result r;

	(void)state;
	maker_open(&m, NULL);
	maker_end(&m, &c);
	maker_send(&m, &c, DIR_WRITE, "", 0);
	maker_end(&m, &c);
	finish(&m, &r);
	assert_int_equal(r.file.packet_count, 0);
	done(&r);
}

struct model {
	struct conn conn;
	uint8_t *sent[2];
	size_t n[2];
};

/* Keeps what a connection said, to be found in its conversation. */
static void model_send(struct maker *m, struct model *c, enum dir dir, uint8_t *p, size_t n)
{
	maker_send(m, &c->conn, dir, p, n);
	c->sent[dir] = realloc(c->sent[dir], c->n[dir] + n + 1);
	assert_non_null(c->sent[dir]);
	memcpy(c->sent[dir] + c->n[dir], p, n);
	c->n[dir] += n;
}

/* Eight connections, four the other ends of the first four, at random; the reader checks all. */
static void test_interleaved(void **state)
{
	struct identity id = maker_process(5, "a", "");
	uint8_t *p = random_bytes(40000);
	struct model model[8] = {0};
	struct maker m;
	struct result r;
	unsigned int x = 7;

	(void)state;
	maker_open(&m, NULL);
	for (unsigned int i = 0; i < 8; i++) {
		uint16_t port = (uint16_t)(40000 + i % 4);

		model[i].conn = i < 4 ? maker_conn(i + 1, &id, CLIENT, port, SERVER, 443)
				      : maker_conn(i + 1, &id, SERVER, 443, CLIENT, port);
		model_send(&m, &model[i], DIR_WRITE, p, 1 + i);
	}
	for (int step = 0; step < 300; step++) {
		x = x * 1103515245 + 12345;
		model_send(&m, &model[x >> 16 & 7], x >> 19 & 1, p, (x >> 20) % 40000);
	}
	finish(&m, &r);
	assert_int_equal(r.convs.count, 8);
	for (size_t i = 0; i < 8; i++) {
		int client = i < 4 ? 0 : 1;

		assert_plain(&r.convs.v[i], client, model[i].sent[DIR_WRITE],
			     model[i].n[DIR_WRITE]);
		assert_plain(&r.convs.v[i], !client, model[i].sent[DIR_READ], model[i].n[DIR_READ]);
		free(model[i].sent[0]);
		free(model[i].sent[1]);
	}
	done(&r);
	free(p);
}

static void write_something(struct maker *m)
{
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct conn u = maker_conn(2, &id, CLIENT, 40001, NULL, 443);

	maker_open(m, NULL);
	maker_text(m, &c, DIR_WRITE, "one");
	maker_text(m, &u, DIR_READ, "two");
	maker_gap(m, &u, DIR_READ, 100, true);
	maker_text(m, &u, DIR_READ, "three");
	maker_finish(m);
}

static void test_same_input_same_octets(void **state)
{
	struct maker m[2];
	struct rd_file f[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		write_something(&m[i]);
		rd_open(&f[i], m[i].path);
		maker_remove(&m[i]);
	}
	assert_int_equal(f[0].size, f[1].size);
	assert_memory_equal(f[0].bytes, f[1].bytes, f[0].size);
	rd_free(&f[0]);
	rd_free(&f[1]);
}

static void test_libpcap_reads_it(void **state)
{
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *data;
	struct maker m;
	pcap_t *pcap;
	int n = 0, rc;

	(void)state;
	write_something(&m);
	pcap = pcap_open_offline_with_tstamp_precision(m.path, PCAP_TSTAMP_PRECISION_NANO, why);
	assert_non_null(pcap);
	assert_int_equal(pcap_datalink(pcap), DLT_EN10MB);
	while ((rc = pcap_next_ex(pcap, &head, &data)) == 1) {
		assert_int_equal(head->caplen, head->len);
		n++;
	}
	assert_int_equal(rc, PCAP_ERROR_BREAK);
	assert_int_equal(n, 8 + 8 + 3 + 8);
	pcap_close(pcap);
	maker_remove(&m);
}

/* A live reader sees each event whole, before the next one and before the end. */
static void test_unbuffered(void **state)
{
	struct writer_cfg cfg = {.redacted = true, .unbuffered = true};
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;
	struct rd_file f;

	(void)state;
	maker_open(&m, &cfg);
	for (size_t i = 0; i < 3; i++) {
		maker_text(&m, &c, DIR_WRITE, "x");
		rd_open(&f, m.path);
		assert_int_equal(f.packet_count, 8 + i);
		rd_free(&f);
	}
	maker_finish(&m);
	maker_remove(&m);
}

static void test_full_disk(void **state)
{
	struct writer_cfg cfg = {.unbuffered = true};
	struct identity id = maker_process(5, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct chunk chunk = {.conn = &c, .kind = CHUNK_DATA, .data = STR("x")};
	struct out *out;
	void *w;

	(void)state;
	assert_int_equal(out_fd(&out, open("/dev/full", O_WRONLY | O_CLOEXEC)), 0);
	assert_int_equal(writer_pcapng.open(&w, out, &cfg), -ENOSPC);
	out_close(out);

	cfg.unbuffered = false;
	assert_int_equal(out_fd(&out, open("/dev/full", O_WRONLY | O_CLOEXEC)), 0);
	assert_int_equal(writer_pcapng.open(&w, out, &cfg), 0);
	assert_int_equal(writer_pcapng.chunk(w, &chunk), 0);
	assert_int_equal(writer_pcapng.flush(w), -ENOSPC);
	assert_int_equal(writer_pcapng.chunk(w, &chunk), -ENOSPC);
	assert_int_equal(writer_pcapng.close(w), -ENOSPC);
}

/* Beyond the limit the one idle longest gets its FIN, and is opened again when it speaks. */
static void test_eviction(void **state)
{
	struct writer_cfg cfg = {.tcp_framing = true};
	struct identity id = maker_process(5, "a", "");
	struct conn c[3];
	struct rd_file f;
	struct maker m;
	size_t n;

	(void)state;
	maker_open(&m, &cfg);
	c[0] = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	c[1] = maker_conn(2, &id, CLIENT, 40002, SERVER, 443);
	maker_text(&m, &c[0], DIR_WRITE, "x");
	maker_text(&m, &c[1], DIR_WRITE, "x");
	c[2] = maker_conn(3, &id, CLIENT, 1, NULL, 0);
	c[2].transport = TRANSPORT_UDP;
	for (; c[2].seq <= 65536; c[2].seq++)
		maker_text(&m, &c[2], DIR_WRITE, "x");
	maker_text(&m, &c[0], DIR_WRITE, "x"); /* no longer the one idle longest */
	maker_text(&m, &c[2], DIR_WRITE, "x"); /* c[1] goes */
	maker_text(&m, &c[1], DIR_WRITE, "x"); /* and comes back, for a datagram's */
	maker_finish(&m);
	rd_open(&f, m.path);
	n = f.packet_count;
	assert_int_equal(n, 4 + 4 + 65534 + 1 + (3 + 1) + 4);
	assert_int_equal(f.packets[n - 8].flags, RD_FIN | RD_ACK);
	assert_int_equal(f.packets[n - 8].sport, 40002);
	assert_non_null(strstr(f.packets[n - 8].comment, "too many live connections"));
	assert_int_equal(f.packets[n - 4].flags, RD_SYN);
	assert_int_equal(f.packets[n - 4].sport, 40002);
	rd_free(&f);
	maker_remove(&m);
}

/* More processes than interfaces: the rest shares one that says so. */
static void test_too_many_processes(void **state)
{
	struct identity id = maker_process(1, "a", "");
	struct conn c = maker_conn(1, &id, CLIENT, 1, NULL, 0);
	struct rd_file f;
	struct maker m;

	(void)state;
	c.transport = TRANSPORT_UDP;
	maker_open(&m, NULL);
	for (; id.key.tgid <= 65538; id.key.tgid++) {
		c.seq = id.key.tgid;
		maker_text(&m, &c, DIR_WRITE, "x");
		maker_end(&m, &c);
	}
	maker_finish(&m);
	rd_open(&f, m.path);
	assert_int_equal(f.iface_count, 65536);
	assert_string_equal(f.ifaces[65535].name, "others");
	assert_int_equal(f.ifaces[65535].received, 3);
	assert_int_equal(f.packets[65537].pid, 65538);
	rd_free(&f);
	maker_remove(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_file),
		cmocka_unit_test(test_unredacted_says_so),
		cmocka_unit_test(test_conversation),
		cmocka_unit_test(test_packet_order),
		cmocka_unit_test(test_who_it_belongs_to),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_tcp_framing),
		cmocka_unit_test(test_orientation),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_udp_checksum_zero),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_dual_stack),
		cmocka_unit_test(test_unknown_peer),
		cmocka_unit_test(test_both_ends_ipv4),
		cmocka_unit_test(test_both_ends_ipv6),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_gap_padded),
		cmocka_unit_test(test_gap_restart),
		cmocka_unit_test(test_gap_at_the_ends),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_interleaved),
		cmocka_unit_test(test_same_input_same_octets),
		cmocka_unit_test(test_libpcap_reads_it),
		cmocka_unit_test(test_unbuffered),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_too_many_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Wireshark makes of the pcapng writer's files: tshark, without any option that says how to
 * dissect, finds every message, and no error in any packet.
 */
#include "tests/unit/pcapng_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENT "10.1.2.3"
#define SERVER "93.184.216.34"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: example.com\r\n\r\n"
#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* Runs tshark on the file, its settings in the test's own folder; what it printed, for free(). */
static char *tshark(const struct maker *m, const char *args)
{
	char command[2048], *text = malloc(1 << 20);
	size_t n;
	FILE *p;

	assert_non_null(text);
	snprintf(command, sizeof(command), "HOME=%s tshark -r %s %s 2>/dev/null", m->dir, m->path,
		 args);
	p = popen(command, "r");
	assert_non_null(p);
	n = fread(text, 1, (1 << 20) - 1, p);
	text[n] = 0;
	assert_int_equal(pclose(p), 0);
	return text;
}

/* The fields of the packets that a display filter selects, one packet a line. */
static void assert_fields(const struct maker *m, const char *filter, const char *fields,
			  const char *want)
{
	char args[1024], *got;

	snprintf(args, sizeof(args), "-Y '%s' -T fields -E occurrence=a %s", filter, fields);
	got = tshark(m, args);
	assert_string_equal(got, want);
	free(got);
}

static size_t count_packets(const struct maker *m, const char *filter)
{
	char args[1024], *got;
	size_t n = 0;

	snprintf(args, sizeof(args), "-Y '%s'", filter);
	got = tshark(m, args);
	for (const char *p = got; *p; p++)
		n += *p == '\n';
	free(got);
	return n;
}

/* No error, no warning, nothing malformed, every checksum right. */
static void assert_clean(const struct maker *m)
{
	char *got = tshark(m, "-q -z expert,warn");

	assert_null(strstr(got, "Errors ("));
	assert_null(strstr(got, "Warns ("));
	free(got);
	got = tshark(m, "-o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE "
			"-o ip.check_checksum:TRUE -Y 'tcp.checksum.status == \"Bad\" || "
			"udp.checksum.status == \"Bad\" || ip.checksum.status == \"Bad\" || "
			"_ws.malformed'");
	assert_string_equal(got, "");
	free(got);
}

static void finish(struct maker *m)
{
	maker_finish(m);
	assert_clean(m);
}

static void test_http1(void **state)
{
	static const char *const pairs[][2] = {
		{GET("/a?x=1"), OK_HELLO},
		{"POST /b HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\n\r\nabc",
		 "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"},
		{GET("/c"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			    "3\r\nabc\r\n0\r\n\r\n"},
		{GET("/d"), "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"},
	};
	struct identity id = maker_process(4242, "curl", "web-1");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;

	(void)state;
	c.sni = STR("example.com");
	maker_open(&m, NULL);
	for (size_t i = 0; i < 4; i++) {
		maker_text(&m, &c, DIR_WRITE, pairs[i][0]);
		maker_text(&m, &c, DIR_READ, pairs[i][1]);
	}
	maker_end(&m, &c);
	finish(&m);
	assert_fields(&m, "http.request", "-e http.request.method -e http.request.uri -e ip.dst",
		      "GET\t/a?x=1\t" SERVER "\nPOST\t/b\t" SERVER "\nGET\t/c\t" SERVER
		      "\nGET\t/d\t" SERVER "\n");
	assert_fields(&m, "http.response", "-e http.response.code -e http.file_data",
		      "200\thello\n201\t\n200\tabc\n404\tno\n");
	assert_fields(&m, "tls.handshake.extensions_server_name",
		      "-e tls.handshake.extensions_server_name", "example.com\n");
	maker_remove(&m);
}

/* A plain socket: nothing to find out, and a body that only the end of the connection ends. */
static void test_plain_http1(void **state)
{
	struct identity id = maker_process(4242, "curl", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 80);
	struct maker m;

	(void)state;
	c.plain = true;
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_WRITE, GET("/"));
	maker_text(&m, &c, DIR_READ, "HTTP/1.0 200 OK\r\n\r\nuntil ");
	maker_text(&m, &c, DIR_READ, "close");
	maker_end(&m, &c);
	finish(&m);
	assert_fields(&m, "http.response", "-e http.response.code -e http.file_data",
		      "200\tuntil close\n");
	assert_int_equal(count_packets(&m, "tls"), 0);
	maker_remove(&m);
}

static uint8_t *body_of(size_t n)
{
	uint8_t *p = malloc(n + 1);
	uint32_t x = (uint32_t)n;

	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		x = x * 1103515245 + 12345;
		p[i] = (uint8_t)(x >> 16);
	}
	return p;
}

static void assert_file(const char *path, const uint8_t *want, size_t n)
{
	uint8_t *got = malloc(n + 2);
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	assert_non_null(got);
	assert_int_equal(fread(got, 1, n + 1, f), n);
	assert_memory_equal(got, want, n);
	fclose(f);
	free(got);
	unlink(path);
}

static void send_body(struct maker *m, const struct conn *c, const uint8_t *p, size_t n)
{
	char head[128];

	snprintf(head, sizeof(head), "GET /body%zu HTTP/1.1\r\nHost: x\r\n\r\n", n);
	maker_text(m, c, DIR_WRITE, head);
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
	maker_text(m, c, DIR_READ, head);
	for (size_t at = 0; at < n; at += 32768)
		maker_send(m, c, DIR_READ, p + at, n - at < 32768 ? n - at : 32768);
}

static void test_exported_bodies(void **state)
{
	static const size_t sizes[] = {0, 1, 16384, 16385, 100000, 1048576};
	struct identity id = maker_process(4242, "curl", "");
	struct conn c = maker_conn(1, &id, "fd00::1", 40001, "fd00::2", 443);
	uint8_t *p = body_of(1048576);
	char args[512], path[512];
	struct maker m;

	(void)state;
	maker_open(&m, NULL);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		send_body(&m, &c, p, sizes[i]);
	finish(&m);
	snprintf(args, sizeof(args), "-q --export-objects http,%s/objects", m.dir);
	free(tshark(&m, args));
	for (size_t i = 1; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(path, sizeof(path), "%s/objects/body%zu", m.dir, sizes[i]);
		assert_file(path, p, sizes[i]);
	}
	snprintf(path, sizeof(path), "%s/objects", m.dir);
	assert_int_equal(rmdir(path), 0); /* nothing but those: of no bytes there is no object */
	assert_int_equal(count_packets(&m, "http.response.code == 200"), 6);
	maker_remove(&m);
	free(p);
}

static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
static const char h2_settings[] = "\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0";
/* HEADERS of GET https / of RFC 7541's static table, :authority as a literal without indexing. */
static const char h2_get_1[] = "\0\0\6\1\5\0\0\0\1\x82\x87\x84\x01\1x";
static const char h2_get_5[] = "\0\0\6\1\5\0\0\0\5\x82\x87\x85\x01\1x";
static const char h2_ok_1[] = "\0\0\1\1\4\0\0\0\1\x88\0\0\5\0\1\0\0\0\1hello";
static const char h2_ok_5[] = "\0\0\1\1\4\0\0\0\5\x88\0\0\5\0\1\0\0\0\5world";

#define SEND(m, c, dir, octets) maker_send(m, c, dir, octets, sizeof(octets) - 1)

static void test_http2(void **state)
{
	static const uint16_t ports[] = {443, 8443, 39999, 8080};
	struct identity id = maker_process(4242, "curl", "");
	struct maker m;

	(void)state;
	maker_open(&m, NULL);
	for (unsigned int i = 0; i < 4; i++) {
		struct conn c = maker_conn(i + 1, &id, CLIENT, 40001, SERVER, ports[i]);

		c.role = ROLE_CLIENT;
		c.alpn = STR("h2");
		SEND(&m, &c, DIR_WRITE, h2_preface);
		SEND(&m, &c, DIR_READ, h2_settings);
		SEND(&m, &c, DIR_WRITE, h2_get_1);
		SEND(&m, &c, DIR_READ, h2_ok_1);
		maker_end(&m, &c);
	}
	finish(&m);
	assert_fields(&m, "http2.headers.method", "-e http2.headers.path -e tcp.dstport",
		      "/\t443\n/\t8443\n/\t39999\n/\t8080\n");
	assert_fields(&m, "http2.data.data", "-e http2.headers.status -e http2.data.data",
		      "200\t68656c6c6f\n200\t68656c6c6f\n200\t68656c6c6f\n200\t68656c6c6f\n");
	maker_remove(&m);
}

/* Without preface and settings nothing but ALPN says what it is; the same after bytes were lost. */
static void test_http2_joined_late(void **state)
{
	struct identity id = maker_process(4242, "nginx", "gateway");
	struct conn c = maker_conn(1, &id, SERVER, 443, CLIENT, 40001);
	struct maker m;

	(void)state;
	c.alpn = STR("h2");
	maker_open(&m, NULL);
	SEND(&m, &c, DIR_READ, h2_get_1);
	SEND(&m, &c, DIR_WRITE, h2_ok_1);
	maker_gap(&m, &c, DIR_READ, 5000, true);
	SEND(&m, &c, DIR_READ, h2_get_5);
	SEND(&m, &c, DIR_WRITE, h2_ok_5);
	finish(&m);
	assert_fields(&m, "http2.headers.method", "-e http2.headers.path", "/\n/index.html\n");
	assert_fields(&m, "http2.data.data", "-e http2.data.data", "68656c6c6f\n776f726c64\n");
	assert_fields(&m, "frame.drop_count > 0", "-e tcp.flags.fin", "1\n");
	maker_remove(&m);
}

/* Every file by itself, also in the middle of connections: HTTP/1, and HTTP/2 that only ALPN tells. */
static void test_rotated(void **state)
{
	static const char *const files[] = {"t.pcapng", "t.1.pcapng"};
	struct identity id = maker_process(4242, "nginx", "gateway");
	struct conn c[2] = {maker_conn(1, &id, SERVER, 443, CLIENT, 40001),
			    maker_conn(2, &id, SERVER, 443, CLIENT, 40002)};
	struct maker m;

	(void)state;
	c[1].proto = "http/2";
	maker_open_files(&m, NULL, &(struct out_rotation){.period_ns = 10000000});
	for (int i = 0; i < 2; i++) {
		maker_text(&m, &c[0], DIR_READ, GET("/a"));
		maker_text(&m, &c[0], DIR_WRITE, OK_HELLO);
		if (!i)
			SEND(&m, &c[1], DIR_READ, h2_preface);
		SEND(&m, &c[1], DIR_READ, h2_get_1);
		SEND(&m, &c[1], DIR_WRITE, h2_ok_1);
		m.now_ns += 10000000;
	}
	maker_finish(&m);
	for (int i = 0; i < 2; i++) {
		snprintf(m.path, sizeof(m.path), "%s/%s", m.dir, files[i]);
		assert_clean(&m);
		assert_fields(&m, "http.request", "-e http.request.uri -e frame.interface_name",
			      "/a\tnginx[4242]@gateway\n");
		assert_fields(&m, "http.response", "-e http.response.code", "200\n");
		assert_fields(&m, "http2.headers.method", "-e http2.headers.path", "/\n");
		assert_fields(&m, "http2.data.data", "-e http2.data.data", "68656c6c6f\n");
		assert_fields(&m, "frame.comment contains \"goes on\"", "-e tcp.flags.syn",
			      i ? "1\n1\n" : "");
		unlink(m.path);
	}
	maker_remove(&m);
}

/* Packet by packet, as a capture filter decides of real ones. */
static void test_packet_filter(void **state)
{
	struct writer_cfg cfg = {.redacted = true, .packet_filter = "host 10.1.2.3 and port 443"};
	struct identity id = maker_process(4242, "curl", "");
	struct conn c[2] = {maker_conn(1, &id, CLIENT, 40001, SERVER, 443),
			    maker_conn(2, &id, CLIENT, 40001, SERVER, 8443)};
	struct maker m;

	(void)state;
	maker_open(&m, &cfg);
	for (int i = 0; i < 2; i++) {
		maker_text(&m, &c[i], DIR_WRITE, GET("/a"));
		maker_text(&m, &c[i], DIR_READ, OK_HELLO);
		maker_end(&m, &c[i]);
	}
	finish(&m);
	assert_fields(&m, "http.request", "-e tcp.dstport", "443\n");
	assert_int_equal(count_packets(&m, "tcp"), 12);
	maker_remove(&m);
}

static const char dns_query[] = "\0\2\1\0\0\1\0\0\0\0\0\0\1b\7example\3com\0\0\1\0\1";
static const char dns_answer[] = "\0\2\x81\x80\0\1\0\1\0\0\0\0\1b\7example\3com\0\0\1\0\1"
				 "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\1\2\3\4";

static void send_dns_tcp(struct maker *m, const struct conn *c, enum dir dir, const char *p,
			 size_t n)
{
	char octets[256] = {0, (char)n};

	memcpy(octets + 2, p, n);
	maker_send(m, c, dir, octets, 2 + n);
}

/* DNS over TLS, TCP and UDP, seen by the client and by the server of the same exchange. */
static void test_dns(void **state)
{
	struct identity id = maker_process(53, "unbound", "");
	struct conn dot = maker_conn(1, &id, CLIENT, 40001, SERVER, 853);
	struct conn tcp = maker_conn(2, &id, CLIENT, 40001, SERVER, 53);
	struct conn udp[2] = {maker_conn(3, &id, CLIENT, 40001, SERVER, 53),
			      maker_conn(4, &id, SERVER, 53, CLIENT, 40001)};
	struct maker m;

	(void)state;
	dot.alpn = STR("dot");
	tcp.plain = true;
	maker_open(&m, NULL);
	send_dns_tcp(&m, &dot, DIR_WRITE, dns_query, sizeof(dns_query) - 1);
	send_dns_tcp(&m, &dot, DIR_READ, dns_answer, sizeof(dns_answer) - 1);
	send_dns_tcp(&m, &tcp, DIR_WRITE, dns_query, sizeof(dns_query) - 1);
	send_dns_tcp(&m, &tcp, DIR_READ, dns_answer, sizeof(dns_answer) - 1);
	for (int i = 0; i < 2; i++) {
		udp[i].transport = TRANSPORT_UDP;
		udp[i].plain = true;
		SEND(&m, &udp[i], i ? DIR_READ : DIR_WRITE, dns_query);
		SEND(&m, &udp[i], i ? DIR_WRITE : DIR_READ, dns_answer);
	}
	finish(&m);
	assert_fields(&m, "dns.flags.response == 0",
		      "-e dns.qry.name -e udp.dstport -e tcp.dstport",
		      "b.example.com\t\t853\nb.example.com\t\t53\nb.example.com\t53\t\n"
		      "b.example.com\t53\t\n");
	assert_fields(&m, "dns.a", "-e dns.a", "1.2.3.4\n1.2.3.4\n1.2.3.4\n1.2.3.4\n");
	maker_remove(&m);
}

/* A server's socket is bound to any address: each of its clients is a conversation of its own. */
static void test_datagrams_of_many_peers(void **state)
{
	static const char *const peers[] = {"10.0.0.1", "10.0.0.2"};
	struct identity id = maker_process(53, "unbound", "");
	struct maker m;

	(void)state;
	maker_open(&m, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		struct conn c = maker_conn(1 + i, &id, "0.0.0.0", 53, peers[i], 40001);

		c.transport = TRANSPORT_UDP;
		c.plain = true;
		SEND(&m, &c, DIR_READ, dns_query);
		SEND(&m, &c, DIR_WRITE, dns_answer);
		maker_end(&m, &c);
	}
	finish(&m);
	assert_fields(&m, "dns", "-e ip.src -e ip.dst -e udp.stream -e dns.a",
		      "10.0.0.1\t0.0.0.0\t0\t\n0.0.0.0\t10.0.0.1\t0\t1.2.3.4\n"
		      "10.0.0.2\t0.0.0.0\t1\t\n0.0.0.0\t10.0.0.2\t1\t1.2.3.4\n");
	maker_remove(&m);
}

/* A socket of the same host has no addresses; documentation addresses stand for them. */
static void test_unix_socket(void **state)
{
	struct identity id = maker_process(4242, "dockerd", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 80);
	struct maker m;

	(void)state;
	c.transport = TRANSPORT_UNIX;
	c.family = ADDR_UNIX;
	c.source = PEER_KERNEL;
	c.role = ROLE_SERVER;
	c.plain = true;
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_READ, GET("/info"));
	maker_text(&m, &c, DIR_WRITE, OK_HELLO);
	maker_end(&m, &c);
	finish(&m);
	assert_fields(&m, "http.request", "-e http.request.uri -e ip.dst", "/info\t192.0.2.254\n");
	assert_fields(&m, "http.response", "-e http.file_data", "hello\n");
	assert_int_equal(count_packets(&m, "frame.comment contains \"a Unix socket\""), 1);
	maker_remove(&m);
}

static void test_websocket(void **state)
{
	struct identity id = maker_process(4242, "chat", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;

	(void)state;
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_WRITE,
		   "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
		   "\r\n");
	maker_text(&m, &c, DIR_READ,
		   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		   "Connection: Upgrade\r\n"
		   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
	SEND(&m, &c, DIR_WRITE,
	     "\x81\x82\1\2\3\4"
	     "ik"); /* "hi", masked */
	SEND(&m, &c, DIR_READ, "\x81\5hello");
	maker_end(&m, &c);
	finish(&m);
	assert_fields(&m, "websocket", "-e websocket.payload.text", "hi\nhello\n");
	maker_remove(&m);
}

/* Both ends of one connection, interleaved as they happen: the requests of both are there. */
static void test_both_ends(void **state)
{
	struct identity curl = maker_process(1, "curl", ""),
			nginx = maker_process(2, "nginx", "gw");
	struct maker m;

	(void)state;
	maker_open(&m, NULL);
	for (unsigned int i = 0; i < 6; i++) {
		const char *a = i % 2 ? "fd00::1" : CLIENT, *b = i % 2 ? "fd00::2" : SERVER;
		struct conn c = maker_conn(2 * i + 1, &curl, a, 40001, b, 443);
		struct conn s = maker_conn(2 * i + 2, &nginx, b, 443, a, 40001);

		for (int k = 0; k < 2; k++) {
			maker_text(&m, &c, DIR_WRITE, GET("/"));
			maker_text(&m, &s, DIR_READ, GET("/"));
			maker_text(&m, &s, DIR_WRITE, OK_HELLO);
			maker_text(&m, &c, DIR_READ, OK_HELLO);
		}
		maker_end(&m, &s);
		maker_end(&m, &c);
	}
	finish(&m);
	assert_int_equal(count_packets(&m, "http.request"), 24);
	assert_int_equal(count_packets(&m, "http.response"), 24);
	assert_int_equal(
		count_packets(&m, "http.request && frame.interface_name contains \"nginx[\""), 12);
	assert_fields(&m, "frame.number == 9",
		      "-e frame.interface_name -e frame.interface_description",
		      "nginx[2]@gw\texe=/usr/bin/test container=gw (synthetic framing)\n");
	maker_remove(&m);
}

static void test_gap_padded(void **state)
{
	struct identity id = maker_process(4242, "curl", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	uint8_t *p = body_of(100000);
	char args[512], path[512];
	struct maker m;

	(void)state;
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_WRITE, GET("/lossy"));
	maker_text(&m, &c, DIR_READ, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	maker_send(&m, &c, DIR_READ, p, 1000);
	maker_gap(&m, &c, DIR_READ, 98000, false);
	maker_send(&m, &c, DIR_READ, p + 99000, 1000);
	maker_text(&m, &c, DIR_WRITE, GET("/later"));
	maker_text(&m, &c, DIR_READ, OK_HELLO);
	finish(&m);
	memset(p + 1000, 0, 98000);
	snprintf(args, sizeof(args), "-q --export-objects http,%s/objects", m.dir);
	free(tshark(&m, args));
	snprintf(path, sizeof(path), "%s/objects/lossy", m.dir);
	assert_file(path, p, 100000);
	snprintf(path, sizeof(path), "%s/objects/later", m.dir);
	assert_file(path, (const uint8_t *)"hello", 5);
	snprintf(path, sizeof(path), "%s/objects", m.dir);
	rmdir(path);
	assert_int_equal(count_packets(&m, "frame.drop_count > 0"), 1);
	assert_int_equal(count_packets(&m, "frame.comment contains \"lost=98000\""), 6);
	maker_remove(&m);
	free(p);
}

static void test_gap_restart(void **state)
{
	struct identity id = maker_process(4242, "curl", "");
	struct conn c = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct maker m;

	(void)state;
	maker_open(&m, NULL);
	maker_text(&m, &c, DIR_WRITE, GET("/1"));
	maker_text(&m, &c, DIR_READ, "HTTP/1.1 200 OK\r\nContent-Le");
	maker_gap(&m, &c, DIR_READ, 777, true);
	maker_text(&m, &c, DIR_WRITE, GET("/2"));
	maker_text(&m, &c, DIR_READ, OK_HELLO);
	maker_end(&m, &c);
	finish(&m);
	assert_fields(&m, "http.request", "-e http.request.uri -e tcp.stream", "/1\t0\n/2\t1\n");
	assert_fields(&m, "http.file_data", "-e http.file_data", "hello\n");
	assert_int_equal(count_packets(&m, "frame.comment contains \"lost=777\""), 1);
	maker_remove(&m);
}

/* Octets of a value in the Huffman code of RFC 7541 appendix B; the mask is '*' in that code. */
static void test_masked_secrets(void **state)
{
	static const char auth[] =
		"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer abcdef\r\n\r\n";
	/* authorization (static 23) Huffman-coded "secret12" (6 octets), then user-agent "x" */
	static const char h2[] =
		"\0\0\x10\1\5\0\0\0\1\x82\x87\x84\x1f\x08\x86\x41\x49\x61\x53\x42\x2f"
		"\x0f\x2b\1x";
	const struct mask raw = {(size_t)(strstr(auth, "Bearer") - auth), 13, 0x2a};
	const struct mask coded = {9 + 6, 6, 0xf9};
	struct identity id = maker_process(4242, "curl", "");
	struct conn c1 = maker_conn(1, &id, CLIENT, 40001, SERVER, 443);
	struct conn c2 = maker_conn(2, &id, CLIENT, 40002, SERVER, 443);
	struct maker m;

	(void)state;
	c2.alpn = STR("h2");
	maker_open(&m, NULL);
	maker_masked(&m, &c1, DIR_WRITE, auth, sizeof(auth) - 1, &raw, 1);
	SEND(&m, &c2, DIR_WRITE, h2_preface);
	maker_masked(&m, &c2, DIR_WRITE, h2, sizeof(h2) - 1, &coded, 1);
	finish(&m);
	assert_fields(&m, "http.authorization", "-e http.authorization", "*************\n");
	assert_fields(&m, "http2.headers.authorization",
		      "-e http2.headers.authorization -e http2.headers.user_agent", "******\tx\n");
	maker_remove(&m);
}

static void test_unknown_peers(void **state)
{
	struct identity id = maker_process(4242, "node", "");
	struct maker m;

	(void)state;
	maker_open(&m, NULL);
	for (unsigned int i = 1; i <= 4; i++) {
		struct conn c = maker_conn(i, &id, CLIENT, 1, NULL, 0);

		c.plain = i > 2;
		maker_text(&m, &c, DIR_WRITE, GET("/x"));
		maker_text(&m, &c, DIR_READ, OK_HELLO);
	}
	finish(&m);
	assert_int_equal(count_packets(&m, "http.request"), 4);
	assert_int_equal(count_packets(&m, "http.response"), 4);
	assert_int_equal(count_packets(&m, "frame.comment contains \"addresses unknown\""), 4);
	maker_remove(&m);
}

/* TLS on ports that Wireshark gives to other dissectors, where it can be shown at all. */
static void test_ports(void **state)
{
	static const uint16_t ports[] = {80,   443,  3128, 5985, 6443,	8000,
					 8080, 8088, 8443, 9443, 11371, 45678};
	const size_t count = sizeof(ports) / sizeof(ports[0]);
	struct identity id = maker_process(4242, "curl", "");
	struct maker m;

	(void)state;
	maker_open(&m, NULL);
	for (unsigned int i = 0; i < count; i++) {
		struct conn c = maker_conn(i + 1, &id, CLIENT, 50001, SERVER, ports[i]);

		maker_text(&m, &c, DIR_WRITE, GET("/x"));
		maker_text(&m, &c, DIR_READ, OK_HELLO);
	}
	finish(&m);
	assert_int_equal(count_packets(&m, "http.request"), count);
	assert_int_equal(count_packets(&m, "http.response"), count);
	assert_int_equal(count_packets(&m, "frame.comment contains \"shown as plain TCP\""), 6);
	maker_remove(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http1),
		cmocka_unit_test(test_plain_http1),
		cmocka_unit_test(test_exported_bodies),
		cmocka_unit_test(test_http2),
		cmocka_unit_test(test_http2_joined_late),
		cmocka_unit_test(test_rotated),
		cmocka_unit_test(test_packet_filter),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_datagrams_of_many_peers),
		cmocka_unit_test(test_unix_socket),
		cmocka_unit_test(test_websocket),
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_gap_padded),
		cmocka_unit_test(test_gap_restart),
		cmocka_unit_test(test_masked_secrets),
		cmocka_unit_test(test_unknown_peers),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

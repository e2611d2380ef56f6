/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP/1 exchange over TLS on the loopback, as client or as server; a file beside this one for each
 * library gives the four functions at the end. `talk client PORT` or `talk server CERT KEY`, which prints its
 * port and serves one connection.
 */
#ifndef TLSLENS_TESTS_E2E_TALK_H
#define TLSLENS_TESTS_E2E_TALK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef TALK_PATH
#define TALK_PATH "/hello"
#endif

static const char request[] =
	"GET " TALK_PATH " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
static const char response[] =
	"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";

struct talk {
	int fd;
	const char *cert, *key; /* of a server, else NULL */
};

/* Handshake done when it returns; NULL: failed. */
static void *talk_open(const struct talk *t);
static long talk_write(void *tls, const void *p, size_t n);
static long talk_read(void *tls, void *p, size_t n);
static void talk_close(void *tls);

static int talk_socket(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), accepted;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (port)
		return connect(fd, (struct sockaddr *)&a, sizeof(a)) ? -1 : fd;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&a, &n))
		return -1;
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	accepted = accept(fd, NULL, NULL);
	close(fd);
	return accepted;
}

static int talk_client(void *tls)
{
	char buf[4096];
	long n, total = 0;

	if (talk_write(tls, request, sizeof(request) - 1) != sizeof(request) - 1)
		return 1;
	while ((n = talk_read(tls, buf, sizeof(buf))) > 0)
		total += n;
	return total == 0;
}

static int talk_server(void *tls)
{
	char buf[sizeof(request)] = "";
	size_t got = 0;
	long n;

	while (!strstr(buf, "\r\n\r\n")) {
		n = talk_read(tls, buf + got, sizeof(buf) - 1 - got);
		if (n <= 0)
			return 1;
		got += (size_t)n;
	}
	return talk_write(tls, response, sizeof(response) - 1) != sizeof(response) - 1;
}

int main(int argc, char **argv)
{
	struct talk t = {0};
	void *tls;
	int failed;

	if (argc == 4) {
		t.cert = argv[2];
		t.key = argv[3];
	} else if (argc != 3) {
		return 2;
	}
	t.fd = talk_socket(t.cert ? 0 : (int)strtol(argv[2], NULL, 10));
	if (t.fd < 0 || !(tls = talk_open(&t)))
		return 3;
	failed = t.cert ? talk_server(tls) : talk_client(tls);
	talk_close(tls);
	close(t.fd);
	return failed;
}

#endif

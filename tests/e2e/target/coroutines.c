/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that switches stacks within TLS calls, as servers with coroutines do: each connection has a stack of
 * its own, and a BIO that would block goes on with another one.
 *
 *   coroutines PORT CONNECTIONS REQUESTS     prints a line for each answer
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16
#define STACK_BYTES (256u << 10)

struct routine {
	ucontext_t context;
	char *stack;
	int fd, number, requests;
	int done;
};

static ucontext_t scheduler;
static struct routine routines[CONNECTIONS_MAX];
static SSL_CTX *tls;

static void pause_routine(struct routine *r)
{
	swapcontext(&r->context, &scheduler);
}

static int bio_read(BIO *b, char *p, int n)
{
	struct routine *r = BIO_get_data(b);
	ssize_t got;

	pause_routine(r); /* always: the others shall be in the midst of their calls, too */
	while ((got = recv(r->fd, p, (size_t)n, 0)) < 0 && errno == EAGAIN)
		pause_routine(r);
	return (int)got;
}

static int bio_write(BIO *b, const char *p, int n)
{
	struct routine *r = BIO_get_data(b);
	ssize_t put;

	pause_routine(r);
	while ((put = send(r->fd, p, (size_t)n, 0)) < 0 && errno == EAGAIN)
		pause_routine(r);
	return (int)put;
}

static long bio_ctrl(BIO *b, int cmd, long n, void *p)
{
	(void)b, (void)n, (void)p;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO *bio_of(struct routine *r)
{
	static BIO_METHOD *m;
	BIO *b;

	if (!m) {
		m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 100, "coroutine");
		BIO_meth_set_read(m, bio_read);
		BIO_meth_set_write(m, bio_write);
		BIO_meth_set_ctrl(m, bio_ctrl);
	}
	b = BIO_new(m);
	BIO_set_data(b, r);
	BIO_set_init(b, 1);
	return b;
}

static int answer_read(SSL *ssl, char *text, int size)
{
	int n = 0, got;

	while (n < size - 1 && (got = SSL_read(ssl, text + n, size - 1 - n)) > 0) {
		n += got;
		text[n] = '\0';
		if (strstr(text, "\r\n\r\n") && strstr(text, "over TLS\n"))
			return 1;
	}
	return 0;
}

static void routine_main(int number)
{
	struct routine *r = &routines[number];
	SSL *ssl = SSL_new(tls);
	char text[4096];
	BIO *b = bio_of(r);
	int n;

	SSL_set_bio(ssl, b, b);
	if (SSL_connect(ssl) != 1)
		exit(2);
	for (int i = 0; i < r->requests; i++) {
		n = snprintf(text, sizeof(text),
			     "GET /hello?%d-%d HTTP/1.1\r\nHost: localhost\r\n\r\n", number, i);
		if (SSL_write(ssl, text, n) != n || !answer_read(ssl, text, sizeof(text)))
			exit(3);
		printf("%d-%d %.12s\n", number, i, text);
	}
	SSL_free(ssl);
	r->done = 1;
}

static int connected(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		exit(4);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

int main(int argc, char **argv)
{
	int port = argc > 3 ? (int)strtol(argv[1], NULL, 10) : 0;
	int count = argc > 3 ? (int)strtol(argv[2], NULL, 10) : 0, left;

	if (count < 1 || count > CONNECTIONS_MAX)
		return 1;
	alarm(60);
	tls = SSL_CTX_new(TLS_client_method());
	for (int i = 0; i < count; i++) {
		struct routine *r = &routines[i];

		r->number = i;
		r->requests = (int)strtol(argv[3], NULL, 10);
		r->fd = connected(port);
		r->stack = malloc(STACK_BYTES);
		getcontext(&r->context);
		r->context.uc_stack.ss_sp = r->stack;
		r->context.uc_stack.ss_size = STACK_BYTES;
		r->context.uc_link = &scheduler;
		makecontext(&r->context, (void (*)(void))routine_main, 1, i);
	}
	do {
		left = 0;
		for (int i = 0; i < count; i++) {
			if (routines[i].done)
				continue;
			left++;
			swapcontext(&scheduler, &routines[i].context);
		}
	} while (left);
	return 0;
}

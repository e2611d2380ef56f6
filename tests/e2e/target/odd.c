/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that does to its TLS calls what probes on them may not survive. It prints what it received, and nothing
 * that differs from run to run:
 *
 *   odd longjmp|fork|vfork|exec|threads|slow|steps|filter PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 20
#define THREADS 4

static jmp_buf back;
static int jumps; /* how often the read of the BIO below leaves by longjmp */
static const char *self, *port_text;

static int connected(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)strtol(port_text, NULL, 10))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		exit(4);
	return fd;
}

static SSL *opened(void)
{
	static SSL_CTX *tls;
	SSL *ssl;

	if (!tls)
		tls = SSL_CTX_new(TLS_client_method());
	ssl = SSL_new(tls);
	SSL_set_fd(ssl, connected());
	if (SSL_connect(ssl) != 1)
		exit(5);
	return ssl;
}

static void asked(SSL *ssl, const char *what, int number)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "GET /hello?%s-%d HTTP/1.1\r\nHost: localhost\r\n\r\n",
			 what, number);

	if (SSL_write(ssl, text, n) != n)
		exit(6);
}

static void answered(SSL *ssl, const char *what, int number)
{
	char text[4096];
	int n = 0, got;

	while ((got = SSL_read(ssl, text + n, (int)sizeof(text) - 1 - n)) > 0) {
		n += got;
		text[n] = '\0';
		if (strstr(text, "\r\n\r\n") && strstr(text, "over TLS\n")) {
			printf("%s-%d %.15s\n", what, number, text);
			return;
		}
	}
	exit(7);
}

static void rounds(const char *what)
{
	SSL *ssl = opened();

	for (int i = 0; i < ROUNDS; i++) {
		asked(ssl, what, i);
		answered(ssl, what, i);
	}
	SSL_free(ssl);
}

/* Leaves SSL_read() by longjmp before a byte of the record was taken, as a fatal signal's handler may. */
static long jumping(BIO *b, int op, const char *p, size_t len, int argi, long argl, int ret,
		    size_t *n)
{
	(void)b, (void)p, (void)len, (void)argi, (void)argl, (void)n;
	if (op == BIO_CB_READ && jumps > 0) {
		jumps--;
		longjmp(back, 1);
	}
	return ret;
}

static void by_longjmp(void)
{
	SSL *ssl = opened();
	volatile int i;

	BIO_set_callback_ex(SSL_get_rbio(ssl), jumping);
	for (i = 0; i < ROUNDS; i++) {
		asked(ssl, "longjmp", i);
		jumps = 3;
		(void)setjmp(back);
		answered(ssl, "longjmp", i);
	}
	SSL_free(ssl);
}

/* The child goes on with the parent's connection in the midst of a conversation, the parent with one of its own. */
static void by_fork(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		SSL *ssl = opened();
		int status;
		pid_t pid;

		asked(ssl, "fork", i);
		fflush(stdout);
		pid = fork();
		if (!pid) {
			answered(ssl, "fork", i);
			fflush(stdout);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			exit(8);
		SSL_free(ssl);
	}
	rounds("after-fork");
}

static void by_vfork(void)
{
	SSL *ssl = opened();

	for (int i = 0; i < ROUNDS; i++) {
		int status;
		pid_t pid;

		asked(ssl, "vfork", i);
		pid = vfork();
		if (!pid) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			exit(8);
		answered(ssl, "vfork", i);
	}
	SSL_free(ssl);
}

/* Again and again the same process with a new image, the last time for good. */
static void by_exec(void)
{
	const char *left = getenv("ODD_LEFT");
	int n = left ? (int)strtol(left, NULL, 10) : 5;
	char text[16];

	rounds("exec");
	fflush(stdout);
	snprintf(text, sizeof(text), "%d", n - 1);
	setenv("ODD_LEFT", text, 1);
	if (n)
		execl(self, self, "exec", port_text, (char *)NULL);
}

static void *thread_main(void *arg)
{
	SSL *ssl = opened();

	for (int i = 0; i < 5 * ROUNDS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "thread%ld", (long)(intptr_t)arg);
		asked(ssl, name, i);
		answered(ssl, name, i);
	}
	SSL_free(ssl);
	return NULL;
}

static void by_threads(void)
{
	pthread_t t[THREADS];

	SSL_free(opened());
	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, thread_main, (void *)i))
			exit(9);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

/* Stands in SSL_read() until its standard input says that the tracer is gone. */
static void by_waiting(void)
{
	SSL *ssl = opened(), *other = opened();
	char text[256];

	asked(ssl, "slow", 0);
	answered(ssl, "slow", 0);
	puts("reads");
	fflush(stdout);
	if (fork() == 0) { /* the request whose answer ends the read comes when the word is given */
		if (read(STDIN_FILENO, text, 1) == 1)
			asked(ssl, "slow", 1);
		_exit(0);
	}
	answered(ssl, "slow", 1);
	wait(NULL);
	asked(other, "slow", 2);
	answered(other, "slow", 2);
}

/* A request for each line of standard input. */
static void by_steps(void)
{
	SSL *ssl = opened();
	char line[16];

	for (int i = 0; fgets(line, sizeof(line), stdin); i++) {
		asked(ssl, "steps", i);
		answered(ssl, "steps", i);
		fflush(stdout);
	}
	SSL_free(ssl);
}

/* A filter such as container runtimes set, that ends the process for a system call it has never heard of. */
static void by_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 334, 0,
			 2), /* rseq, and nothing up to pidfd_send_signal */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 424, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		exit(10);
	rounds("filter");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} ways[] = {
		{"longjmp", by_longjmp}, {"fork", by_fork},	  {"vfork", by_vfork},
		{"exec", by_exec},	 {"threads", by_threads}, {"slow", by_waiting},
		{"steps", by_steps},	 {"filter", by_filter},
	};

	alarm(60);
	self = argv[0];
	port_text = argc > 2 ? argv[2] : "";
	for (size_t i = 0; argc > 2 && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].name, argv[1]))
			continue;
		ways[i].run();
		return 0;
	}
	return 1;
}

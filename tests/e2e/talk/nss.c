/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NSS, as a client. Reads and writes go through NSPR, which serves files as well: one is written and read that
 * looks like a request, and what is only peeked at is read again.
 */
#include <nspr.h>
#include <nss.h>
#include <private/pprio.h>
#include <ssl.h>

#include "talk.h"

static SECStatus trust_all(void *arg, PRFileDesc *fd, PRBool check, PRBool server)
{
	(void)arg, (void)fd, (void)check, (void)server;
	return SECSuccess;
}

/* Plain files, through the same functions. */
static void use_file(void)
{
	static const char text[] = "GET /of-a-file HTTP/1.1\r\nHost: localhost\r\n\r\n";
	char name[] = "/tmp/talk-XXXXXX", buf[64];
	int fd = mkstemp(name);
	PRFileDesc *file;

	if (fd < 0)
		return;
	unlink(name);
	file = PR_ImportFile(fd);
	PR_Write(file, text, sizeof(text) - 1);
	PR_Seek(file, 0, PR_SEEK_SET);
	PR_Read(file, buf, sizeof(buf));
	PR_Close(file);
}

static void *talk_open(const struct talk *t)
{
	PRFileDesc *fd;

	if (t->cert || NSS_NoDB_Init(NULL) != SECSuccess)
		return NULL;
	use_file();
	fd = SSL_ImportFD(NULL, PR_ImportTCPSocket(dup(t->fd)));
	if (!fd)
		return NULL;
	SSL_AuthCertificateHook(fd, trust_all, NULL);
	SSL_SetURL(fd, "localhost");
	if (SSL_ResetHandshake(fd, PR_FALSE) != SECSuccess || SSL_ForceHandshake(fd) != SECSuccess)
		return NULL;
	return fd;
}

static long talk_write(void *tls, const void *p, size_t n)
{
	long half = (long)n / 2;

	/* One by each of the functions that write. */
	if (PR_Write(tls, p, (PRInt32)half) != half)
		return -1;
	return half + PR_Send(tls, (const char *)p + half, (PRInt32)(n - (size_t)half), 0,
			      PR_INTERVAL_NO_TIMEOUT);
}

static long talk_read(void *tls, void *p, size_t n)
{
	char first[10];
	PRInt32 got = PR_Recv(tls, first, sizeof(first), PR_MSG_PEEK, PR_INTERVAL_NO_TIMEOUT);

	if (got <= 0)
		return got;
	got = PR_Recv(tls, p, got, 0, PR_INTERVAL_NO_TIMEOUT);
	return got <= 0 ? got : got + PR_Read(tls, (char *)p + got, (PRInt32)n - got);
}

static void talk_close(void *tls)
{
	PR_Close(tls);
	NSS_Shutdown();
}

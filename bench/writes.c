/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that does nothing but write: `writes BYTES CALLS` through a TLS library without TLS, so that what
 * remains is the cost of being traced. Prints the nanoseconds a call took.
 */
#include <stdio.h>
#include <time.h>

#include "tests/kernel/fake_tls.h"

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	long bytes, calls;
	SSL s = {.fd = -1};
	uint8_t *buf;
	double from;

	if (argc != 3)
		return 2;
	bytes = strtol(argv[1], NULL, 10);
	calls = strtol(argv[2], NULL, 10);
	buf = malloc((size_t)bytes);
	if (!buf)
		return 1;
	memset(buf, 'x', (size_t)bytes);
	from = now_ns();
	for (long i = 0; i < calls; i++)
		SSL_write(&s, buf, (int)bytes);
	fprintf(stderr, "%.1f\n", (now_ns() - from) / (double)calls);
	free(buf);
	return 0;
}

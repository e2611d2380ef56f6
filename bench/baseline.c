/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attaches one of the baselines of baseline.bpf.c to the read and write functions of a process:
 *
 *   baseline entries|sites|sniffer PID
 *
 * Prints "ready" when it is in place and what the sniffer saw when standard input is closed.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/baseline.h"
#include "bench/baseline.skel.h"
#include "bpf/cookie.h"
#include "capture/attach.h"
#include "capture/discover.h"

#define ATTACH_TYPE_UPROBE_MULTI 48
#define BUFFER_PAGES 1024 /* of each CPU */

struct seen {
	uint64_t records, bytes, lost;
};

static void on_sample(void *arg, int cpu, void *data, __u32 n)
{
	struct seen *s = arg;

	(void)cpu, (void)n;
	s->records++;
	s->bytes += ((struct sniffed *)data)->got;
}

static void on_lost(void *arg, int cpu, __u64 n)
{
	(void)cpu;
	((struct seen *)arg)->lost += n;
}

/* Only SSL_read, SSL_write and their like: what every sniffer probes. */
static void keep_moving(struct tls_file *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->site_count; i++) {
		const char *name = site_function(&f->sites[i]);

		if (strcmp(name, "SSL_read") == 0 || strcmp(name, "SSL_write") == 0)
			f->sites[n++] = f->sites[i];
	}
	f->site_count = n;
}

static int attach(struct baseline *s, const char *mode, uint32_t pid, struct attacher **a)
{
	struct discovery d = {0};
	struct attach_progs progs = {
		.kind = strcmp(mode, "sites") == 0 ? ATTACH_MULTI : ATTACH_PERF,
		.session_fd = -1,
		.entry_fd = bpf_program__fd(s->progs.empty),
		.return_fd = bpf_program__fd(s->progs.empty),
		.plain = strcmp(mode, "sites") != 0,
	};
	const struct attach_for only = {.pid = pid};
	const char *what = "";
	int err = discover_process(pid, &d), placed = 0;

	if (strcmp(mode, "sniffer") == 0) {
		progs.entry_fd = bpf_program__fd(s->progs.sniff_entry);
		progs.return_fd = bpf_program__fd(s->progs.sniff_return);
	}
	*a = attacher_new(&progs);
	for (size_t i = 0; i < d.count && *a && err >= 0; i++) {
		keep_moving(&d.files[i]);
		for (size_t k = 0; k < d.files[i].site_count && strcmp(mode, "entries") == 0; k++)
			d.files[i].sites[k].role = SITE_ENTRY;
		if (d.files[i].site_count)
			err = attacher_add(*a, &d.files[i], &only, &what);
		placed += err > 0 ? err : 0;
	}
	if (err < 0 || !placed)
		fprintf(stderr, "baseline: %s: %s\n", what, strerror(err < 0 ? -err : ENOENT));
	discovery_clear(&d);
	return err < 0 || !placed ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	struct perf_buffer *buffer = NULL;
	struct attacher *a = NULL;
	struct seen seen = {0};
	struct baseline *s;

	if (argc != 3)
		return 2;
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	s = baseline__open();
	if (!s)
		return 1;
	if (strcmp(argv[1], "sites") == 0)
		bpf_program__set_expected_attach_type(
			s->progs.empty, (enum bpf_attach_type)ATTACH_TYPE_UPROBE_MULTI);
	if (baseline__load(s))
		return 1;
	if (strcmp(argv[1], "sniffer") == 0)
		buffer = perf_buffer__new(bpf_map__fd(s->maps.events), BUFFER_PAGES, on_sample,
					  on_lost, &seen, NULL);
	if (attach(s, argv[1], (uint32_t)strtoul(argv[2], NULL, 10), &a))
		return 1;
	printf("ready\n");
	fflush(stdout);
	while (poll(&in, 1, buffer ? 0 : -1) == 0)
		perf_buffer__poll(buffer, 100);
	printf("%llu records, %llu bytes, %llu lost\n", (unsigned long long)seen.records,
	       (unsigned long long)seen.bytes, (unsigned long long)seen.lost);
	attacher_free(a);
	perf_buffer__free(buffer);
	baseline__destroy(s);
	return 0;
}

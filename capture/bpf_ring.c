/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring as Documentation/bpf/ringbuf.rst lays it out: a page with the consumer's position, one with the
 * producer's, the data mapped twice so that a record is always contiguous. Before each record stand its
 * length with two flag bits and a word of the kernel's.
 */
#include "capture/bpf_ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGN8(n) (((n) + 7) & ~7ul)

struct bpf_ring {
	unsigned long *consumer;       /* page we write */
	const unsigned long *producer; /* page the kernel writes, data behind it */
	const char *data;
	size_t bytes, page;
	unsigned long pos; /* of the next record */
};

int bpf_ring_open(struct bpf_ring **out, int map_fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bpf_ring *r = calloc(1, sizeof(*r));
	void *p;
	int err;

	if (!r)
		return -ENOMEM;
	r->bytes = bytes;
	r->page = page;
	p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (p == MAP_FAILED) {
		err = -errno;
		free(r);
		return err;
	}
	r->consumer = p;
	p = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	if (p == MAP_FAILED) {
		err = -errno;
		munmap(r->consumer, page);
		free(r);
		return err;
	}
	r->producer = p;
	r->data = (const char *)p + page;
	r->pos = *r->consumer;
	*out = r;
	return 0;
}

int bpf_ring_next(struct bpf_ring *r, const void **rec, size_t *n)
{
	unsigned long end;
	uint32_t len;

	/* What was handed out last is given back only now. */
	__atomic_store_n(r->consumer, r->pos, __ATOMIC_RELEASE);
	end = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
	while (r->pos < end) {
		const char *at = r->data + (r->pos & (r->bytes - 1));

		len = __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE);
		if (len & BPF_RINGBUF_BUSY_BIT)
			return 0; /* still being written; those behind it must wait */
		r->pos += ALIGN8((len & ~BPF_RINGBUF_DISCARD_BIT) + BPF_RINGBUF_HDR_SZ);
		if (!(len & BPF_RINGBUF_DISCARD_BIT)) {
			*rec = at + BPF_RINGBUF_HDR_SZ;
			*n = len;
			return 1;
		}
		__atomic_store_n(r->consumer, r->pos, __ATOMIC_RELEASE);
	}
	return 0;
}

void bpf_ring_close(struct bpf_ring *r)
{
	if (!r)
		return;
	munmap((void *)(uintptr_t)r->producer, r->page + 2 * r->bytes);
	munmap(r->consumer, r->page);
	free(r);
}

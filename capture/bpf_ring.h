/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user end of the BPF ring buffer, one record at a time and without a copy: a record stays where the
 * kernel put it until the next one is asked for. (libbpf's reader calls back and gives the room free at
 * once.)
 */
#ifndef TLSLENS_CAPTURE_BPF_RING_H
#define TLSLENS_CAPTURE_BPF_RING_H

#include <stddef.h>

struct bpf_ring;

/* The descriptor of the map is borrowed; `bytes` is its size. 0 or a negative errno. */
int bpf_ring_open(struct bpf_ring **r, int map_fd, size_t bytes);
/* 1 with a record, valid until the next call; 0 when there is none now. */
int bpf_ring_next(struct bpf_ring *r, const void **rec, size_t *n);
void bpf_ring_close(struct bpf_ring *r);

#endif

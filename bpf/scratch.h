/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for records that are too big for the stack.
 */
#ifndef TLSLENS_BPF_SCRATCH_H
#define TLSLENS_BPF_SCRATCH_H

#include "bpf/maps.h"

/*
 * A scratch buffer of this CPU. On preemptible kernels another task's program may run on this CPU in the
 * middle of the copy, so a buffer has an owner; NULL: all are owned.
 */
static __always_inline struct scratch *scratch_take(void)
{
	__u32 i = bpf_get_smp_processor_id() * SCRATCH_SLOTS;
	struct scratch *s;

	for (int k = 0; k < SCRATCH_SLOTS; k++, i++) {
		s = bpf_map_lookup_elem(&scratch, &i);
		if (s && __sync_val_compare_and_swap(&s->busy, 0, 1) == 0)
			return s;
	}
	return NULL;
}

static __always_inline void scratch_give(struct scratch *s)
{
	__sync_lock_test_and_set(&s->busy, 0);
}

#endif

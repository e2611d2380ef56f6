/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of the two ends of a stream for its bytes to be wanted: clauses, of each of which one range has to
 * hold. Seeded by the loader; with no clause everything is wanted.
 */
#ifndef TLSLENS_BPF_ENDS_H
#define TLSLENS_BPF_ENDS_H

#include <linux/types.h>

#define ENDS_RANGES_MAX 32
#define ENDS_CLAUSES_MAX 8

enum end_bit {
	END_BIT_LOCAL = 1 << 0,
	END_BIT_PEER = 1 << 1,
};

struct end_range {
	__u8 ends; /* enum end_bit: any of them may be the one */
	__u8 clause;
	__u8 by_address; /* its address is asked, else its port */
	__u8 pad;
	__u16 from, to;	  /* ports */
	__u64 address[2]; /* in network order; of IPv4 the mapped one (RFC 4291 section 2.5.5.2) */
};

struct ends_wanted {
	__u32 clauses, ranges;
	struct end_range v[ENDS_RANGES_MAX];
};

#endif

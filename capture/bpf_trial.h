/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether probes of a kind really work on this kernel: places them on a function of ours and calls it from
 * another thread. Some kernels accept a link and then run it for one thread only.
 */
#ifndef TLSLENS_CAPTURE_BPF_TRIAL_H
#define TLSLENS_CAPTURE_BPF_TRIAL_H

#include "capture/bpf_load.h"

/* 0, or a negative errno: -ENXIO when entry and return were not both seen. */
int bpf_trial(struct bpf_side *b);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control group that all others are below. */
#ifndef TLSLENS_CAPTURE_CGROUP_ROOT_H
#define TLSLENS_CAPTURE_CGROUP_ROOT_H

/* Its directory, to be closed by the caller; or a negative errno. */
int cgroup_root_open(void);

#endif

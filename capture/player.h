/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sources have in common that make records of a file of packets. Each begins with a struct player, and puts
 * the functions below into its row.
 */
#ifndef TLSLENS_CAPTURE_PLAYER_H
#define TLSLENS_CAPTURE_PLAYER_H

#include "capture/input.h"
#include "core/buf.h"

struct player {
	const char *format;
	const char *path; /* borrowed from the configuration */
	struct input *in; /* owned */
	/*
	 * Reads on and appends records to .made, each at a multiple of eight, if there are any to make. 1: there may
	 * be more. 0: the end. -EBADMSG: damaged, and told. Other errors as of source_ops.next.
	 */
	int (*read)(struct player *p);
	struct buf made; /* records to hand out, from `at` */
	size_t at;
	bool stopped, over;
	struct source_stats stats;
};

/* Releases what is in it. */
void player_free(struct player *p);
/* "read up to there"; -EBADMSG. */
int player_damaged(const struct player *p, const char *how);

int player_next(void *self, const struct ev_hdr **ev, int timeout_ms);
int player_stop(void *self);
int player_stats(void *self, struct source_stats *st);
int player_command_status(void *self);
int player_describe(void *self, char *out, size_t n);
int player_report(void *self, FILE *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that change what a transaction holds. They go into a recording, so that its replay gives
 * the same output without repeating them.
 */
#ifndef TLSLENS_CLI_SETTINGS_H
#define TLSLENS_CLI_SETTINGS_H

#include "bpf/event.h"
#include "capture/recording.h"
#include "cli/config.h"

struct settings {
	uint64_t body_bytes;
	uint64_t count; /* 0: no limit */
};

struct settings settings_of(const struct config *cfg);
/* As an EV_CONFIG record. 0 or a negative errno. */
int settings_record(const struct settings *s, struct recording *rec);
/* What a recording says holds where the command line says nothing; more of a body is never less. */
void settings_adopt(struct settings *s, const struct config *cfg, const struct ev_hdr *ev);

#endif

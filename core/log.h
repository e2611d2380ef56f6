/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages for people, on stderr, through one function. Rate-limited per call site, so that hostile
 * traffic cannot flood; control characters become '?'. Plaintext and secrets never go through here.
 */
#ifndef TLSLENS_CORE_LOG_H
#define TLSLENS_CORE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
};

struct log_site {
	uint64_t window_start_ms;
	uint32_t count, suppressed;
};

#define LOG_BURST 10
#define LOG_WINDOW_MS 5000

void log_set_level(enum log_level max);
/* Called before each line: whoever has something unfinished on the terminal makes way. NULL: nobody. */
void log_set_before(void (*fn)(void *), void *arg);
void log_at(struct log_site *site, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)
#define LOG_AT(level, ...)                                  \
	do {                                                \
		static struct log_site log_site_here;       \
		log_at(&log_site_here, level, __VA_ARGS__); \
	} while (0)

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one way to say something to a person. A line is written with one write(2), so lines never mix. */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static enum log_level max_level = LOG_INFO;

void log_set_level(enum log_level max)
{
	max_level = max;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Errors always pass; of the rest LOG_BURST lines a window and call site, then a count. */
static bool admit(struct log_site *site, enum log_level level, uint32_t *suppressed)
{
	uint64_t now = now_ms();

	*suppressed = 0;
	if (level == LOG_ERROR)
		return true;
	if (now - site->window_start_ms >= LOG_WINDOW_MS) {
		*suppressed = site->suppressed;
		*site = (struct log_site){.window_start_ms = now};
	}
	if (site->count++ < LOG_BURST)
		return true;
	site->suppressed++;
	return false;
}

void log_at(struct log_site *site, enum log_level level, const char *fmt, ...)
{
	static const char *const prefix[] = {[LOG_ERROR] = "error: ",
					     [LOG_WARN] = "warning: ",
					     [LOG_INFO] = "",
					     [LOG_DEBUG] = "debug: "};
	uint32_t suppressed;
	char line[1024];
	va_list ap;
	size_t n;
	int k;

	if (level > max_level || !admit(site, level, &suppressed))
		return;
	k = snprintf(line, sizeof(line), "tlslens: %s", prefix[level]);
	n = k > 0 ? (size_t)k : 0;
	va_start(ap, fmt);
	k = vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	n = k > 0 && (size_t)k < sizeof(line) - n ? n + (size_t)k : sizeof(line) - 1;
	if (suppressed && n < sizeof(line) - 48)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " (and %u more like it)",
				      suppressed);
	if (n > sizeof(line) - 1)
		n = sizeof(line) - 1;
	line[n++] = '\n';
	while (write(STDERR_FILENO, line, n) < 0)
		break;
}

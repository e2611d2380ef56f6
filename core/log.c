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

static struct {
	void (*fn)(void *);
	void *arg;
} before;

void log_set_before(void (*fn)(void *), void *arg)
{
	before.fn = fn;
	before.arg = arg;
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

/* Names of files and processes are other people's bytes: no escape sequence, no line of their own. */
static void disarm(char *text, size_t n, bool keep_lines)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (keep_lines && (c == '\n' || c == '\t'))
			continue;
		if (c < 0x20 || c == 0x7f)
			text[i] = '?';
		/* U+0080 to U+009F in UTF-8 */
		if (c == 0xc2 && i + 1 < n && ((unsigned char)text[i + 1] & 0xe0) == 0x80)
			text[i] = text[i + 1] = '?';
	}
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
	disarm(line, n, level == LOG_DEBUG);
	if (suppressed && n < sizeof(line) - 48)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " (and %u more like it)",
				      suppressed);
	if (n > sizeof(line) - 1)
		n = sizeof(line) - 1;
	line[n++] = '\n';
	if (before.fn)
		before.fn(before.arg);
	while (write(STDERR_FILENO, line, n) < 0)
		break;
}

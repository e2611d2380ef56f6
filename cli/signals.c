/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "cli/run.h"

static volatile sig_atomic_t stop_asked;

static void on_stop(int sig)
{
	(void)sig;
	if (stop_asked)
		_exit(EXIT_FAILED);
	stop_asked = 1;
}

/* A handler and not SIG_IGN, which the command would inherit: EPIPE tells us as well. */
static void on_pipe(int sig)
{
	(void)sig;
}

static void install(int sig, void (*handler)(int), bool keep_ignored)
{
	struct sigaction old, act = {.sa_handler = handler};

	sigemptyset(&act.sa_mask);
	if (keep_ignored && sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
		return;
	sigaction(sig, &act, NULL);
}

void signals_install(bool with_command)
{
	install(SIGINT, on_stop, with_command);
	install(SIGTERM, on_stop, with_command);
	install(SIGHUP, on_stop, true);
	install(SIGPIPE, on_pipe, true);
}

bool signals_stop_asked(void)
{
	return stop_asked != 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "cli/run.h"

static struct {
	bool with_command, reopens; /* set before the handlers are */
	volatile sig_atomic_t asked, interrupted, stopping, reopen;
} state;

static void on_stop(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	if (state.asked || state.stopping)
		_exit(EXIT_FAILED);
	if (state.with_command && info->si_code == SI_KERNEL)
		state.interrupted = 1;
	else
		state.asked = 1;
}

/* The kernel sends it when the terminal is gone; anybody else means the files. */
static void on_hangup(int sig, siginfo_t *info, void *context)
{
	if (state.reopens && info->si_code != SI_KERNEL)
		state.reopen = 1;
	else
		on_stop(sig, info, context);
}

/* A handler and not SIG_IGN, which the command would inherit: EPIPE tells us as well. */
static void on_pipe(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info, (void)context;
}

static void install(int sig, void (*handler)(int, siginfo_t *, void *), bool keep_ignored)
{
	struct sigaction old, act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

	sigemptyset(&act.sa_mask);
	if (keep_ignored && sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
		return;
	sigaction(sig, &act, NULL);
}

void signals_install(bool with_command, bool reopens)
{
	state.with_command = with_command;
	state.reopens = reopens;
	install(SIGINT, on_stop, with_command);
	install(SIGTERM, on_stop, with_command);
	install(SIGHUP, on_hangup, true);
	install(SIGPIPE, on_pipe, true);
	if (with_command)
		install(SIGQUIT, on_stop, true);
}

bool signals_stop_asked(void)
{
	return state.asked != 0;
}

bool signals_reopen_asked(void)
{
	if (!state.reopen)
		return false;
	state.reopen = 0;
	return true;
}

bool signals_command_interrupted(void)
{
	return state.interrupted != 0;
}

bool signals_in_a_hurry(void)
{
	return state.asked || state.interrupted;
}

void signals_finishing(void)
{
	state.stopping = 0;
}

void signals_stopping(void)
{
	state.stopping = 1;
}

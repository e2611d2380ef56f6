/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/extcap.h"
#include "cli/options.h"
#include "cli/run.h"
#include "core/log.h"
#include "core/version.h"

/* What the process reads is other people's plaintext: it must not end in a core file. */
static void no_core_dumps(const struct config *cfg)
{
	static const struct rlimit none;

	prctl(PR_SET_DUMPABLE, 0);
	if (!cfg->command) /* which would inherit the limit; the flag above ends at its execve */
		setrlimit(RLIMIT_CORE, &none);
}

static void set_log_level(const struct config *cfg)
{
	if (cfg->quiet)
		log_set_level(LOG_WARN);
	else if (cfg->verbose >= 3)
		log_set_level(LOG_DEBUG);
}

static int dispatch(const struct config *cfg)
{
	switch (cfg->mode) {
	case MODE_HELP:
		options_help(stdout);
		return EXIT_DONE;
	case MODE_VERSION:
		puts("tlslens " TLSLENS_VERSION);
		return EXIT_DONE;
	case MODE_DOCTOR:
		return doctor(cfg, stdout);
	default:
		return run(cfg);
	}
}

static int trace(int argc, char *const argv[])
{
	struct config cfg;
	struct why why;
	int status;

	if (options_parse(&cfg, argc, argv, isatty(STDOUT_FILENO), &why)) {
		log_error("%s", why.text);
		config_free(&cfg);
		return EXIT_USAGE;
	}
	no_core_dumps(&cfg);
	set_log_level(&cfg);
	status = dispatch(&cfg);
	config_free(&cfg);
	return status;
}

/* As a capture interface of Wireshark. */
static int extcap(int argc, char *const argv[])
{
	char *output, **line;
	int status, n = 0;

	if (extcap_answer(argc, argv, stdout))
		return EXIT_DONE;
	line = extcap_command_line(argc, argv, &output);
	if (!line) {
		log_error("--capture needs --fifo");
		return EXIT_USAGE;
	}
	while (line[n])
		n++;
	status = trace(n, line);
	free(line);
	free(output);
	return status;
}

int main(int argc, char *argv[])
{
	int status = extcap_asked(argc, argv) ? extcap(argc, argv) : trace(argc, argv);

	if (fflush(stdout) && status == EXIT_DONE)
		status = EXIT_FAILED;
	return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/extcap.h"

#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "core/version.h"

#define INTERFACE "tlslens"

/* The options worth a field in Wireshark's dialog, by their names in the option table. */
static const struct {
	const char *option, *display;
} fields[] = {
	{"pid", "Processes"},
	{"follow", "Child processes too"},
	{"comm", "Name of the program"},
	{"exe", "Path of the program"},
	{"container", "Container"},
	{"pod", "Pod"},
	{"filter", "Filter"},
	{"no-redact", "Leave secrets readable"},
};

static bool begins(const char *arg, const char *with)
{
	return strncmp(arg, with, strlen(with)) == 0;
}

bool extcap_asked(int argc, char *const argv[])
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (begins(argv[i], "--extcap-"))
			return true;
	return false;
}

static bool has(int argc, char *const argv[], const char *flag)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], flag) == 0)
			return true;
	return false;
}

static const struct option_row *option_by_name(const char *name)
{
	for (const struct option_row *row = option_rows; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

/* Braces end a value of this syntax; help texts have none, and must not get any. */
static void put_fields(FILE *out)
{
	unsigned int number = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct option_row *row = option_by_name(fields[i].option);

		if (!row)
			continue;
		fprintf(out, "arg {number=%u}{call=--%s}{display=%s}{tooltip=%s}{type=%s}%s%s%s\n",
			number++, row->name, fields[i].display, row->help,
			row->arg ? "string" : "boolflag", row->arg ? "{placeholder=" : "",
			row->arg ? row->arg : "", row->arg ? "}" : "");
	}
}

bool extcap_answer(int argc, char *const argv[], FILE *out)
{
	if (has(argc, argv, "--capture"))
		return false;
	if (has(argc, argv, "--extcap-interfaces")) {
		fprintf(out, "extcap {version=%s}\n", TLSLENS_VERSION);
		fprintf(out, "interface {value=%s}{display=Plaintext of TLS connections}\n",
			INTERFACE);
	} else if (has(argc, argv, "--extcap-dlts")) {
		fputs("dlt {number=1}{name=EN10MB}{display=Ethernet}\n", out);
	} else if (has(argc, argv, "--extcap-config")) {
		put_fields(out);
	}
	return true;
}

/* Wireshark's own words and their values. 0: not one of them. Else how many arguments it takes. */
static int own_words(const char *arg)
{
	static const char *const with_value[] = {"--extcap-interface",	"--fifo",
						 "--extcap-version",	"--extcap-capture-filter",
						 "--extcap-control-in", "--extcap-control-out"};

	for (size_t i = 0; i < sizeof(with_value) / sizeof(with_value[0]); i++) {
		if (strcmp(arg, with_value[i]) == 0)
			return 2;
		if (begins(arg, with_value[i]) && arg[strlen(with_value[i])] == '=')
			return 1;
	}
	return strcmp(arg, "--capture") == 0 || begins(arg, "--extcap-");
}

static const char *fifo_of(int argc, char *const argv[])
{
	for (int i = 1; i < argc; i++) {
		if (begins(argv[i], "--fifo="))
			return argv[i] + strlen("--fifo=");
		if (strcmp(argv[i], "--fifo") == 0 && i + 1 < argc)
			return argv[i + 1];
	}
	return NULL;
}

char **extcap_command_line(int argc, char *const argv[], char **output)
{
	const char *fifo = fifo_of(argc, argv);
	char **line;
	int n = 0, words;

	*output = NULL;
	if (!fifo || asprintf(output, "pcapng:%s", fifo) < 0)
		return NULL;
	line = calloc((size_t)argc + 3, sizeof(*line));
	if (!line) {
		free(*output);
		*output = NULL;
		return NULL;
	}
	line[n++] = argv[0];
	line[n++] = (char *)(uintptr_t) "-o";
	line[n++] = *output;
	for (int i = 1; i < argc; i += words ? words : 1) {
		words = own_words(argv[i]);
		if (!words)
			line[n++] = argv[i];
	}
	return line;
}

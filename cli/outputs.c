/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/outputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/signals.h"
#include "core/log.h"

static int cannot_write(const char *path, int err)
{
	log_error("cannot write %s: %s", strcmp(path, "-") ? path : "standard output",
		  strerror(-err));
	return err;
}

static bool use_color(const struct config *cfg, const struct out *out)
{
	const char *no_color = getenv("NO_COLOR"); /* https://no-color.org */

	if (cfg->color != COLOR_AUTO)
		return cfg->color == COLOR_ALWAYS;
	return out_is_tty(out) && !(no_color && *no_color);
}

static int open_writer(struct outputs *o, const struct config *cfg, const struct output *spec)
{
	const struct writer_ops *ops = writer_by_name(spec->format);
	struct writer_cfg wcfg = {
		.verbose = (unsigned int)cfg->verbose,
		.tcp_framing = cfg->tcp_framing,
		.redacted = !cfg->no_redact,
		.packet_filter = cfg->packet_filter,
		.summary_ns = cfg->summary_ns,
		.resources = cfg->resources.v,
		.resource_count = cfg->resources.count,
	};
	struct out *out;
	void *self;
	int err;

	err = out_open_files(&out, spec->path, &cfg->rotation);
	if (err)
		return cannot_write(spec->path, err);
	if (cfg->mode == MODE_TRACE)
		err = out_never_wait(out, signals_in_a_hurry);
	if (err) {
		out_close(out);
		return cannot_write(spec->path, err);
	}
	wcfg.color = use_color(cfg, out);
	wcfg.columns = out_columns(out);
	wcfg.unbuffered = out_is_tty(out);
	err = ops->open(&self, out, &wcfg);
	if (err) {
		out_close(out);
		return cannot_write(spec->path, err);
	}
	err = fanout_add(o->fanout, ops, self, out, spec->label);
	if (err) {
		ops->close(self);
		log_error("no memory");
	}
	return err;
}

static int open_recording(struct outputs *o, const struct output *spec)
{
	int err;

	if (o->recording) {
		log_error("one recording at a time: -o %s", spec->label);
		return -EINVAL;
	}
	err = recording_create(&o->recording, spec->path);
	if (err)
		return cannot_write(spec->path, err);
	o->recording_path = spec->path;
	if (strcmp(spec->path, "-"))
		log_info("recording to %s: unredacted plaintext, readable by its owner only (0600)",
			 spec->path);
	else
		log_info("recording to standard output: unredacted plaintext");
	return 0;
}

bool outputs_files(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->output_count; i++)
		if (strcmp(cfg->outputs[i].path, "-") && strcmp(cfg->outputs[i].format, FORMAT_RAW))
			return true;
	return false;
}

int outputs_open(struct outputs *o, const struct config *cfg)
{
	int err = 0;

	*o = (struct outputs){.fanout = fanout_new()};
	if (!o->fanout) {
		log_error("no memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < cfg->output_count && !err; i++) {
		const struct output *spec = &cfg->outputs[i];

		if (!strcmp(spec->format, FORMAT_RAW))
			err = open_recording(o, spec);
		else
			err = open_writer(o, cfg, spec);
	}
	return err;
}

int outputs_flush(struct outputs *o)
{
	int err = fanout_flush(o->fanout), rec = 0;

	if (o->recording)
		rec = recording_flush(o->recording);
	return err ? err : rec;
}

bool outputs_wait(const struct outputs *o)
{
	return fanout_waits(o->fanout);
}

int outputs_reopen(struct outputs *o)
{
	return fanout_reopen(o->fanout);
}

int outputs_close(struct outputs *o)
{
	int err = 0, rec = 0;

	if (o->fanout)
		err = fanout_close(o->fanout);
	if (o->recording) {
		rec = recording_close(o->recording);
		if (rec)
			cannot_write(o->recording_path, rec);
	}
	*o = (struct outputs){0};
	return err ? err : rec;
}

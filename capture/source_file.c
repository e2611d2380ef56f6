/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/source.h"

#include <errno.h>
#include <string.h>

#include "capture/pcapng_read.h"
#include "core/log.h"

#define MAGIC_BYTES 4

static bool begins_pcapng(const uint8_t *p)
{
	return memcmp(p, "\x0a\x0d\x0d\x0a", MAGIC_BYTES) == 0;
}

/* Of microseconds and of nanoseconds, in either byte order. */
static bool begins_pcap(const uint8_t *p)
{
	static const char *const magics[] = {"\xa1\xb2\xc3\xd4", "\xd4\xc3\xb2\xa1",
					     "\xa1\xb2\x3c\x4d", "\x4d\x3c\xb2\xa1"};

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (memcmp(p, magics[i], MAGIC_BYTES) == 0)
			return true;
	return false;
}

/* The first section says who wrote the file; a program that merges files keeps their comments only. */
static bool said_ours(const struct pcapng_block *b)
{
	static const char comment[] = "framing is synthetic, the application data is what";

	if (b->kind != PCAPNG_SECTION)
		return false;
	if (b->application.n >= 7 && memcmp(b->application.p, "tlslens", 7) == 0)
		return true;
	return b->comment.n && memmem(b->comment.p, b->comment.n, comment, sizeof(comment) - 1);
}

/* One that is damaged is left to libpcap to refuse. */
static int is_ours(struct input *in, bool *ours)
{
	struct pcapng_reader *r = pcapng_reader_new(in);
	struct pcapng_block b;
	int n = r ? pcapng_read(r, &b) : -ENOMEM;

	*ours = n == 1 && said_ours(&b);
	input_rewind(in);
	pcapng_reader_free(r);
	return n == -EBADMSG || n > 0 ? 0 : n;
}

int source_of_file(struct source_cfg *cfg, const struct source_ops **ops)
{
	struct input *in;
	bool ours = false;
	int err = input_of(&in, cfg);

	if (err)
		return err;
	*ops = &source_recording;
	err = input_fill(in, MAGIC_BYTES);
	if (!err && in->n >= MAGIC_BYTES && begins_pcapng(in->buf)) {
		err = is_ours(in, &ours);
		*ops = ours ? &source_pcapng : &source_pcap;
	} else if (!err && in->n >= MAGIC_BYTES && begins_pcap(in->buf)) {
		*ops = &source_pcap;
	}
	if (err) {
		log_error("cannot read %s: %s", cfg->path, strerror(-err));
		input_free(in);
		return err;
	}
	cfg->input = in;
	return 0;
}

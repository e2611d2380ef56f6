/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A row for each coding; each streams its input through a library's decoder into a bounded buffer. */
#include "select/coding.h"

#include <errno.h>

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#define STEP_BYTES 16384

typedef enum coding_result coding_fn(struct str in, size_t limit, struct buf *out);

/* Appends what fits. True when the limit was reached. */
static bool put(struct buf *out, size_t limit, const uint8_t *p, size_t n)
{
	size_t room = limit > out->n ? limit - out->n : 0;

	buf_put(out, p, n < room ? n : room);
	return n > room;
}

/* What a decoder's last word means once its input is used up. */
static enum coding_result verdict(const struct buf *out, bool full, bool ended, bool damaged)
{
	if (out->err == -ENOMEM)
		return CODING_NO_MEMORY;
	if (damaged)
		return CODING_DAMAGED;
	return full || !ended ? CODING_CUT : CODING_WHOLE;
}

static enum coding_result inflate_as(int window_bits, struct str in, size_t limit, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
	uint8_t step[STEP_BYTES];
	bool full = false;
	int res = Z_OK;

	if (inflateInit2(&z, window_bits) != Z_OK)
		return CODING_NO_MEMORY;
	while (!full && res == Z_OK) {
		z.next_out = step;
		z.avail_out = sizeof(step);
		res = inflate(&z, Z_NO_FLUSH);
		full = put(out, limit, step, sizeof(step) - z.avail_out);
		/* A gzip body may be several members one after the other (RFC 1952 section 2.2). */
		if (res == Z_STREAM_END && window_bits > MAX_WBITS && z.avail_in)
			res = inflateReset(&z);
	}
	inflateEnd(&z);
	if (res == Z_MEM_ERROR)
		return CODING_NO_MEMORY;
	return verdict(out, full, res == Z_STREAM_END,
		       res != Z_OK && res != Z_STREAM_END && res != Z_BUF_ERROR);
}

static enum coding_result undo_gzip(struct str in, size_t limit, struct buf *out)
{
	return inflate_as(MAX_WBITS + 16, in, limit, out);
}

/* The zlib format by the book (RFC 9110 section 8.4.1.2), bare deflate data by some senders. */
static enum coding_result undo_deflate(struct str in, size_t limit, struct buf *out)
{
	enum coding_result res = inflate_as(MAX_WBITS, in, limit, out);

	if (res != CODING_DAMAGED || out->n)
		return res;
	return inflate_as(-MAX_WBITS, in, limit, out);
}

static enum coding_result undo_br(struct str in, size_t limit, struct buf *out)
{
	BrotliDecoderState *d = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	BrotliDecoderResult res = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
	const uint8_t *p = (const uint8_t *)in.p;
	uint8_t step[STEP_BYTES], *to;
	size_t left = in.n, room;
	bool full = false;

	if (!d)
		return CODING_NO_MEMORY;
	while (!full && res == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
		to = step;
		room = sizeof(step);
		res = BrotliDecoderDecompressStream(d, &left, &p, &room, &to, NULL);
		full = put(out, limit, step, sizeof(step) - room);
	}
	BrotliDecoderDestroyInstance(d);
	return verdict(out, full, res == BROTLI_DECODER_RESULT_SUCCESS,
		       res == BROTLI_DECODER_RESULT_ERROR);
}

static enum coding_result undo_zstd(struct str in, size_t limit, struct buf *out)
{
	ZSTD_DStream *d = ZSTD_createDStream();
	ZSTD_inBuffer from = {in.p, in.n, 0};
	uint8_t step[STEP_BYTES];
	bool full = false, more = true;
	size_t res = 1;

	if (!d)
		return CODING_NO_MEMORY;
	ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, CODING_WINDOW_LOG_MAX);
	while (!full && more && !ZSTD_isError(res)) {
		ZSTD_outBuffer to = {step, sizeof(step), 0};

		res = ZSTD_decompressStream(d, &to, &from);
		full = put(out, limit, step, to.pos);
		more = from.pos < from.size || to.pos == to.size;
	}
	ZSTD_freeDStream(d);
	return verdict(out, full, res == 0, ZSTD_isError(res));
}

static enum coding_result undo_identity(struct str in, size_t limit, struct buf *out)
{
	return verdict(out, put(out, limit, (const uint8_t *)in.p, in.n), true, false);
}

static coding_fn *coding_by_name(struct str name)
{
	static const struct {
		struct str name;
		coding_fn *fn;
	} rows[] = {
		{STR("gzip"), undo_gzip},	{STR("x-gzip"), undo_gzip},
		{STR("deflate"), undo_deflate}, {STR("br"), undo_br},
		{STR("zstd"), undo_zstd},	{STR("identity"), undo_identity},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_ieq(rows[i].name, name))
			return rows[i].fn;
	return NULL;
}

/* The members of a list (RFC 9110 section 5.6.1), empty ones left out. Their number, or -1. */
static int list_codings(struct str value, coding_fn *fns[CODINGS_MAX])
{
	int count = 0;

	for (size_t at = 0, end; at < value.n; at = end + 1) {
		struct str name;

		for (end = at; end < value.n && value.p[end] != ',';)
			end++;
		name = (struct str){value.p + at, end - at};
		while (name.n && (name.p[0] == ' ' || name.p[0] == '\t'))
			name.p++, name.n--;
		while (name.n && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
			name.n--;
		if (!name.n)
			continue;
		if (count == CODINGS_MAX || !(fns[count] = coding_by_name(name)))
			return -1;
		count++;
	}
	return count;
}

enum coding_result coding_undo(struct str codings, struct str in, size_t limit, struct buf *out)
{
	struct buf stage[2] = {0};
	coding_fn *fns[CODINGS_MAX];
	int count = list_codings(codings, fns);
	enum coding_result res = CODING_WHOLE;
	bool cut = false;

	if (count < 0 || in.n > UINT32_MAX)
		return CODING_UNKNOWN;
	if (count == 0)
		return undo_identity(in, limit, out);
	while (count-- > 0 && (res == CODING_WHOLE || res == CODING_CUT)) {
		struct buf *to = count ? &stage[count & 1] : out;

		buf_clear(to);
		res = fns[count](in, count ? CODING_STAGE_BYTES : limit, to);
		cut |= res == CODING_CUT;
		in = (struct str){(const char *)to->p, to->n};
	}
	buf_free(&stage[0]);
	buf_free(&stage[1]);
	return res == CODING_WHOLE && cut ? CODING_CUT : res;
}

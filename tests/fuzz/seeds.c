/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target over every fixture and over fixed mutations of each, without libFuzzer: the part of
 * fuzzing that every `make check` can afford. The same inputs every time.
 */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX 32768
#define MUTATIONS 24

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct {
	unsigned long files, inputs;
	uint64_t random;
} state = {.random = 0x9e3779b97f4a7c15u};

static uint64_t next_random(void)
{
	/* xorshift64 */
	state.random ^= state.random << 13;
	state.random ^= state.random >> 7;
	state.random ^= state.random << 17;
	return state.random;
}

/* In an allocation of its exact size, so that reading beyond it is seen. */
static void feed(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, p, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	state.inputs++;
}

static void mutate(uint8_t *p, size_t n)
{
	unsigned int changes = 1 + (unsigned int)(next_random() % 8);

	while (changes--)
		p[next_random() % n] = (uint8_t)next_random();
}

static int feed_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static uint8_t original[INPUT_BYTES_MAX], changed[INPUT_BYTES_MAX];
	size_t n;
	FILE *f;

	(void)st, (void)ftw;
	f = type == FTW_F ? fopen(path, "rb") : NULL;
	if (!f)
		return 0;
	n = fread(original, 1, sizeof(original), f);
	fclose(f);
	state.files++;
	feed(original, n);
	for (int i = 0; n && i < MUTATIONS; i++) {
		memcpy(changed, original, n);
		mutate(changed, n);
		feed(changed, i % 2 ? n : next_random() % n);
	}
	return 0;
}

int main(void)
{
	feed((const uint8_t *)"", 0);
	if (nftw("tests/fixtures", feed_file, 16, FTW_PHYS) < 0 || !state.files) {
		puts("not ok - no fixtures found");
		return 1;
	}
	printf("ok - %lu inputs from %lu files\n", state.inputs, state.files);
	return 0;
}

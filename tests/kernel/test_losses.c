/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When there is no room: nothing goes missing without being counted, and the stream says where. */
#include "tests/kernel/harness.h"

#include <pthread.h>

#define CHUNK 20000
#define THREADS 4
#define ROUNDS 300
#define SMALL 300

static void counted(struct truth *t, int dir, long n)
{
	__atomic_add_fetch(&t->bytes[dir], (uint64_t)n, __ATOMIC_RELAXED);
	__atomic_add_fetch(&t->calls[dir], 1, __ATOMIC_RELAXED);
}

static void *flood_thread(void *arg)
{
	uint8_t *buf = malloc(CHUNK);
	struct truth *t = arg;
	SSL s = {.fd = -1};

	for (int k = 0; k < ROUNDS; k++) {
		counted(t, 0, put(&s, buf, CHUNK));
		counted(t, 1, SSL_read(&s, buf, CHUNK / 2));
	}
	for (int k = 0; k < SMALL; k++) /* until not even the smallest record has room */
		counted(t, 0, put(&s, buf, 1));
	SSL_free(&s);
	free(buf);
	return NULL;
}

static void flood(struct truth *t)
{
	pthread_t th[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&th[i], NULL, flood_thread, t);
	for (int i = 0; i < THREADS; i++)
		pthread_join(th[i], NULL);
}

/* More contexts than the table holds. */
static void many_contexts(struct truth *t)
{
	size_t n = 70000, stride = 128;
	char *at =
		mmap(NULL, n * stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t buf[16];

	for (size_t i = 0; i < n; i++) {
		SSL *s = (SSL *)(at + i * stride);

		s->fd = -1;
		counted(t, 0, put(s, buf, sizeof(buf)));
	}
}

static bool totals(const struct seen *s, const struct truth *t)
{
	bool good = sound(s);

	for (int d = 0; d < 2; d++)
		good &= EXPECT_EQ(s->n.generated_bytes[d], t->bytes[d]) &
			EXPECT_EQ(s->n.calls[d], t->calls[d]);
	return good;
}

/* Every stream ends with the positions that its process had reached. */
static bool all_ended(const struct seen *s, uint64_t off_write, uint64_t off_read)
{
	bool good = true;

	for (const struct stream *st = s->streams; st; st = st->hh.next)
		good &= EXPECT(st->ended) & EXPECT_EQ(st->final[0], off_write) &
			EXPECT_EQ(st->final[1], off_read);
	return good;
}

static void test_ring_full(bool stalled)
{
	struct scenario sc = {.run = flood, .ring_mb = 1, .stalled = stalled};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = totals(&s, &t) & EXPECT_EQ(s.generations, THREADS);
	good &= all_ended(&s, (uint64_t)ROUNDS * CHUNK + SMALL, (uint64_t)ROUNDS * CHUNK / 2);
	if (stalled) {
		good &= EXPECT(s.n.lost_bytes[EV_LOST_RING] > 0);
		good &= EXPECT(s.n.captured_bytes[0] + s.n.captured_bytes[1] > (1 << 20) * 3 / 4);
		good &= EXPECT(s.n.lost_events > 0); /* the ends of contexts and of the process */
	}
	result(good, "captured and lost make up what was moved",
	       stalled ? "nobody draining" : "draining");
	seen_free(&s);
}

static void test_table_full(void)
{
	struct scenario sc = {.run = many_contexts, .ring_mb = 64};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = totals(&s, &t) & EXPECT(s.n.lost_bytes[EV_LOST_TABLE] > 0) &
	       EXPECT(s.generations >= 65000);
	result(good, "a full table of contexts loses by count", "");
	seen_free(&s);
}

int main(void)
{
	test_ring_full(true);
	test_ring_full(false);
	test_table_full();
	return results_status();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every way a call can move bytes, and every way that must not count twice, with each kind of probe. */
#include "tests/kernel/harness.h"

#include <pthread.h>

#include "capture/discover.h"

static const size_t sizes[] = {1, 8191, 8192, 9000, 16384, 16385, 32768, 32769, 100000, 1 << 20};

static uint8_t *buffer(size_t n)
{
	return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void counted(struct truth *t, int dir, long n)
{
	if (n <= 0)
		return;
	t->bytes[dir] += (uint64_t)n;
	t->calls[dir]++;
}

static void move_sizes(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t *buf = buffer(1 << 20);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		counted(t, 0, put(&s, buf, sizes[i]));
		counted(t, 1, SSL_read(&s, buf, (int)sizes[i]));
	}
	/* At the very end of a page that has no neighbour. */
	mprotect(buf + 8192, 4096, PROT_NONE);
	counted(t, 0, put(&s, buf + 8192 - 100, 100));
}

static void move_beyond_snap(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t *buf = buffer(1 << 20);

	counted(t, 0, put(&s, buf, 1 << 20));
	counted(t, 1, SSL_read(&s, buf, 40000));
	counted(t, 0, put(&s, buf, 10));
}

static void move_shapes(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t buf[4096];
	size_t n;

	for (int k = 0; k < 3; k++) {
		fake_fill(&s, 0, s.off[0], buf, 3000);
		if (SSL_write_ex(&s, buf, 3000, &n))
			counted(t, 0, (long)n);
		fake_fill(&s, 0, s.off[0], buf, 2000);
		if (SSL_write_ex2(&s, buf, 2000, 0, &n))
			counted(t, 0, (long)n);
		fake_fill(&s, 0, s.off[0], buf, 100);
		if (SSL_write_early_data(&s, buf, 100, &n))
			counted(t, 0, (long)n);
		if (SSL_read_ex(&s, buf, 4096, &n))
			counted(t, 1, (long)n);
		if (SSL_read_early_data(&s, buf, 77, &n))
			counted(t, 1, (long)n);
		SSL_peek(&s, buf, 500);
	}
}

/* Calls that fail move nothing; a call that takes a part counts the part. */
static void move_failing(struct truth *t)
{
	static const int results[] = {0, -1, -5};
	SSL s = {.fd = -1};
	uint8_t buf[4096];
	size_t n;

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		s.mode.failing = true;
		s.mode.fail = results[i];
		put(&s, buf, 4096);
		SSL_read(&s, buf, 4096);
		SSL_write_ex(&s, buf, 4096, &n);
		SSL_read_ex(&s, buf, 4096, &n);
		SSL_read_early_data(&s, buf, 4096, &n);
		s.mode.failing = false;
		counted(t, 0, put(&s, buf, 4096)); /* the retry */
	}
	s.mode.accept = 1000;
	counted(t, 0, put(&s, buf, 4096));
	counted(t, 1, SSL_read(&s, buf, 4096));
}

static void move_nested(struct truth *t)
{
	SSL inner = {.fd = -1}, outer = {.fd = -1, .below = &inner};
	uint8_t buf[4096];

	outer.mode.use_ex = true; /* the same context: once */
	counted(t, 0, put(&outer, buf, 4096));
	counted(t, 0, 64); /* another context below: for itself */
	counted(t, 1, SSL_read(&outer, buf, 4096));
	counted(t, 1, 64);
	inner.mode.use_ex = true;
	counted(t, 0, put(&outer, buf, 100));
	counted(t, 0, 64);
}

static void move_escaping(struct truth *t)
{
	SSL a = {.fd = -1}, b = {.fd = -1};
	uint8_t buf[4096];
	jmp_buf env;

	for (volatile int k = 0; k < 10; k++) {
		a.mode.escape = &env;
		if (setjmp(env) == 0) {
			if (k & 1)
				SSL_read(&a, buf, 100);
			else
				SSL_write(&a, buf, 100);
		}
		a.mode.escape = NULL;
		/* the same context and another, from the same depth and from further down */
		counted(t, 0, put(&a, buf, 200));
		counted(t, 1, SSL_read(&b, buf, 300));
		counted(t, 1, SSL_read(&a, buf, 10));
		counted(t, 0, put(&b, buf, 20));
	}
}

static __attribute__((noinline)) void deeper(struct truth *t, SSL *s, uint8_t *buf, int levels)
{
	volatile char room[512];

	room[0] = (char)levels;
	if (levels)
		deeper(t, s, buf, levels - 1);
	else
		counted(t, 0, put(s, buf, 200));
	room[1] = room[0];
}

/* A call left by longjmp must not hide those made from further down on the stack. */
static void move_escaping_deep(struct truth *t)
{
	SSL a = {.fd = -1};
	uint8_t buf[4096];
	jmp_buf env;

	for (volatile int k = 0; k < 10; k++) {
		a.mode.escape = &env;
		if (setjmp(env) == 0)
			SSL_read(&a, buf, 100);
		a.mode.escape = NULL;
		deeper(t, &a, buf, 8);
	}
}

static void move_unreadable(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t *buf = buffer(3 * 4096);

	s.mode.unmap = buf + 4096;
	counted(t, 0, put(&s, buf, 3 * 4096));
	s.mode.unmap = NULL;
	mprotect(buf + 4096, 4096, PROT_READ | PROT_WRITE);
	s.mode.unmap = buf;
	counted(t, 0, put(&s, buf, 100));
	s.mode.unmap = NULL;
	counted(t, 0, put(&s, buf + 4096, 50));
}

static void move_sendfile(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t buf[100];

	counted(t, 0, put(&s, buf, 100));
	counted(t, 0, SSL_sendfile(&s, 0, 0, 1 << 30, 0));
	counted(t, 0, SSL_sendfile(&s, 0, 0, 5ul << 30, 0));
	counted(t, 0, put(&s, buf, 100));
}

/* Contexts come and go at one address. */
static void move_generations(struct truth *t)
{
	uint8_t buf[4096], *place = buffer(4096);
	SSL *s;

	for (int k = 0; k < 5; k++) {
		s = SSL_new(place);
		counted(t, 0, put(s, buf, 1000));
		counted(t, 1, SSL_read(s, buf, 10));
		if (k == 2)
			SSL_clear(s);
		if (k == 3) { /* forgotten, and made anew */
			s = SSL_new(place);
			counted(t, 0, put(s, buf, 7));
		}
		if (k == 2)
			counted(t, 0, put(s, buf, 5));
		SSL_free(s);
	}
}

#define THREADS 8
#define ROUNDS 400

static void *one_thread(void *arg)
{
	SSL s = {.fd = -1};
	uint8_t *buf = buffer(1 << 16);

	(void)arg;
	for (int k = 0; k < ROUNDS; k++) {
		put(&s, buf, 1000 + (size_t)k * 20);
		SSL_read(&s, buf, 500 + k);
	}
	munmap(buf, 1 << 16);
	return NULL;
}

static void move_in_threads(struct truth *t)
{
	pthread_t th[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&th[i], NULL, one_thread, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(th[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		for (int k = 0; k < ROUNDS; k++) {
			counted(t, 0, 1000 + k * 20);
			counted(t, 1, 500 + k);
		}
	}
}

/* How the probes are placed. */
struct placing {
	const char *name, *probes;
	bool plain_sites;
};

static bool whole_run(void (*run)(struct truth *), const struct placing *how, struct seen *s)
{
	struct scenario sc = {
		.run = run, .probes = how->probes, .plain_sites = how->plain_sites, .ring_mb = 64};
	struct truth t;

	run_scenario(&sc, s, &t);
	return whole(s, &t);
}

static void test_whole(const struct placing *how)
{
	static const struct {
		const char *name;
		void (*run)(struct truth *);
		size_t generations;
	} rows[] = {
		{"calls of all sizes come out whole", move_sizes, 1},
		{"every shape of call", move_shapes, 1},
		{"failed calls count nothing, retries once", move_failing, 1},
		{"nested calls count once, TLS in TLS twice", move_nested, 2},
		{"calls left by longjmp", move_escaping, 2},
		{"calls below one left by longjmp", move_escaping_deep, 1},
		{"threads", move_in_threads, THREADS},
	};
	struct seen s;
	bool good;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		good = whole_run(rows[i].run, how, &s);
		good &= rows[i].run == move_in_threads ||
			EXPECT_EQ(s.generations, rows[i].generations);
		good &= EXPECT_EQ(s.exits, 1);
		result(good, rows[i].name, how->name);
		seen_free(&s);
	}
}

static void test_generations(const struct placing *how)
{
	struct seen s;
	bool good = whole_run(move_generations, how, &s);
	size_t from_start = 0;

	for (struct stream *st = s.streams; st; st = st->hh.next)
		from_start += st->from_start && st->ended;
	good &= EXPECT_EQ(s.generations, 7) & EXPECT_EQ(from_start, 7) & EXPECT_EQ(s.conn_ends, 7);
	result(good, "a new context at an old address is another one", how->name);
	seen_free(&s);
}

static void test_snap(void)
{
	struct scenario sc = {.run = move_beyond_snap, .snap_bytes = 40000};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = sound(&s) & EXPECT_EQ(s.snap, (1 << 20) - 40000) &
	       EXPECT_EQ(s.n.lost_bytes[EV_LOST_SNAP], s.snap) & EXPECT_EQ(s.want[0], t.bytes[0]) &
	       EXPECT_EQ(s.got[0], 40010) & EXPECT_EQ(s.got[1], 40000);
	result(good, "what is longer than the snap length is a gap", "");
	seen_free(&s);
}

static void test_unreadable(void)
{
	struct scenario sc = {.run = move_unreadable};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = sound(&s) & EXPECT_EQ(s.fault, 2 * 4096 + 100) &
	       EXPECT_EQ(s.n.lost_bytes[EV_LOST_FAULT], s.fault) &
	       EXPECT_EQ(s.want[0], t.bytes[0]) & EXPECT_EQ(s.got[0], 4096 + 50);
	result(good, "what cannot be read is a gap, never stale bytes", "");
	seen_free(&s);
}

static void test_sendfile(void)
{
	struct scenario sc = {.run = move_sendfile};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = sound(&s) & EXPECT_EQ(s.nocopy, 6ul << 30) &
	       EXPECT_EQ(s.n.lost_bytes[EV_LOST_NOCOPY], 6ul << 30) &
	       EXPECT_EQ(s.want[0], t.bytes[0]) & EXPECT_EQ(s.got[0], 200);
	result(good, "SSL_sendfile is a gap of known length", "");
	seen_free(&s);
}

#if defined(__x86_64__)
/* Else nothing here would be a test of places inside functions. */
static void test_places(void)
{
	struct discovery d = {0};
	bool good = EXPECT_EQ(discover_file("/proc/self/exe", "self", &d), 0);
	size_t inside = 0, stepped = 0;

	for (size_t i = 0; i < d.count; i++) {
		for (size_t k = 0; k < d.files[i].site_count; k++) {
			inside += site_cost(&d.files[i].sites[k]) == SITE_CHEAP_INSIDE;
			stepped += site_cost(&d.files[i].sites[k]) == SITE_STEPPED;
		}
	}
	result(good & EXPECT(inside >= 2) & EXPECT(stepped >= 1), "some places are inside", "");
	discovery_clear(&d);
}
#endif

/* The kinds of probe to try may be named, for kernels that have not all of them. */
int main(int argc, char **argv)
{
	static const struct placing ways[] = {{"session", "session", false},
					      {"multi", "multi", false},
					      {"perf", "perf", false},
					      {"first instructions", NULL, true}};

#if defined(__x86_64__)
	test_places();
#endif
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (!chosen(argc, argv, ways[i].name))
			continue;
		test_whole(&ways[i]);
		test_generations(&ways[i]);
	}
	test_snap();
	test_unreadable();
	test_sendfile();
	return results_status();
}

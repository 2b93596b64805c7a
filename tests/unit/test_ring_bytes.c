/* SPDX-License-Identifier: MIT */
/*
 * ring-buffers/byte_ring.c: as a stream against a plain queue, by random steps from random indexes; against a
 * peer that stores anything into the shared words at any time, where no byte outside the caller's buffer
 * and the ring may be touched; and its promise of when the other end needs an event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H
#include "../../ring-buffers/byte_ring.c"

#define SIZE 64u

/* The ring in memory of its own, so that the sanitizer sees a step beside it. */
struct shared {
	char *data;
	u32 prod, cons;
};

static struct shared make(u32 start)
{
	return (struct shared){ .data = malloc(SIZE), .prod = start, .cons = start };
}

static u32 random_word(void)
{
	return (u32)random() << 16 ^ (u32)random();
}

static void test_stream(void **state)
{
	srandom(1);
	for (int run = 0; run < 200; run++) {
		struct shared s = make(run % 2 ? random_word() : (u32)-40);
		struct byte_ring p, c;
		u32 written = 0, seen = 0;

		byte_ring_producer(&p, s.data, SIZE, &s.prod, &s.cons);
		byte_ring_consumer(&c, s.data, SIZE, &s.prod, &s.cons);
		for (int step = 0; step < 500; step++) {
			u8 buf[100];
			u32 want = random() % sizeof(buf), held = written - seen;
			bool notify = false;

			assert_int_equal(byte_ring_bytes(&c), held);
			assert_int_equal(byte_ring_room(&p), SIZE - held);
			if (random() % 2) {
				for (u32 i = 0; i < want; i++)
					buf[i] = written + i;
				assert_int_equal(byte_ring_write(&p, buf, want, &notify), MIN(want, SIZE - held));
				assert_int_equal(notify, !held && want);
				written += MIN(want, SIZE - held);
			} else {
				assert_int_equal(byte_ring_read(&c, buf, want, &notify), MIN(want, held));
				for (u32 i = 0; i < MIN(want, held); i++)
					assert_int_equal(buf[i], (u8)(seen + i));
				assert_int_equal(notify, held == SIZE && want);
				seen += MIN(want, held);
			}
		}
		free(s.data);
	}
}

static void test_notify_is_left_alone(void **state)
{
	struct shared s = make(0);
	struct byte_ring p;
	bool notify = false;

	byte_ring_producer(&p, s.data, SIZE, &s.prod, &s.cons);
	assert_int_equal(byte_ring_write(&p, "a", 1, &notify), 1);
	assert_true(notify);
	assert_int_equal(byte_ring_write(&p, "b", 1, &notify), 1);
	assert_true(notify);
	free(s.data);
}

static void test_nonsense_breaks(void **state)
{
	static const u32 bad[] = { SIZE + 1, 0x80000000, (u32)-1 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct shared s = make(1000);
		struct byte_ring p, c;
		bool notify = false;
		char byte = 0;

		byte_ring_producer(&p, s.data, SIZE, &s.prod, &s.cons);
		byte_ring_consumer(&c, s.data, SIZE, &s.prod, &s.cons);
		s.prod = 1000 + bad[i];
		s.cons = 1000 - bad[i];
		assert_int_equal(byte_ring_read(&c, &byte, 1, &notify), -EIO);
		assert_int_equal(byte_ring_write(&p, &byte, 1, &notify), -EIO);
		s.prod = s.cons = 1000;		/* once broken, always */
		assert_int_equal(byte_ring_bytes(&c), -EIO);
		assert_int_equal(byte_ring_room(&p), -EIO);
		assert_false(notify);
		free(s.data);
	}
}

static void disturb(struct shared *s)
{
	u32 *word = random() % 2 ? &s->prod : &s->cons;

	*word = random() % 64 ? *word + random() % 6 : random_word();
}

static void test_hostile(void **state)
{
	u32 broken = 0;

	srandom(2);
	for (int run = 0; run < 20000; run++) {
		struct shared s = make(random_word());
		struct byte_ring r;
		bool producer = random() % 2;

		(producer ? byte_ring_producer : byte_ring_consumer)(&r, s.data, SIZE, &s.prod, &s.cons);
		for (int step = 0; step < 50; step++) {
			u32 want = random() % 100, index = r.index;
			char *buf = calloc(1, want + 1);
			bool notify = false, was = r.broken;
			int n;

			disturb(&s);
			n = producer ? byte_ring_write(&r, buf, want, &notify) : byte_ring_read(&r, buf, want, &notify);
			assert_true(n == -EIO ? r.broken : !was && n >= 0 && n <= (int)MIN(want, SIZE));
			assert_int_equal(r.index, index + MAX(n, 0));
			if (n > 0)
				assert_int_equal(producer ? s.prod : s.cons, r.index);
			free(buf);
		}
		broken += r.broken;
		free(s.data);
	}
	assert_true(broken > 1000 && broken < 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_notify_is_left_alone),
		cmocka_unit_test(test_nonsense_breaks),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * ring-buffers/byte_ring.c by two threads that sleep unless an event comes, as two domains do: the stream
 * arrives unchanged, nobody sleeps for ever, and ThreadSanitizer, with which this is built, sees no byte
 * that both touch without order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H
#include "../../ring-buffers/byte_ring.c"
#include "race_port.h"

#define SIZE 16u
#define TOTAL 200000u

static struct port to_producer = PORT_INIT, to_consumer = PORT_INIT;

static char data[SIZE];
static u32 prod = (u32)-500, cons = (u32)-500;
static bool stuck;

static void *produce(void *unused)
{
	struct byte_ring r;

	byte_ring_producer(&r, data, SIZE, &prod, &cons);
	for (u32 sent = 0; sent < TOTAL;) {
		u8 buf[SIZE + 4];
		u32 want = MIN(1 + sent * 7 % (SIZE + 4), TOTAL - sent);
		bool notify = false;
		int n;

		for (u32 i = 0; i < want; i++)
			buf[i] = (sent + i) * 31;
		n = byte_ring_write(&r, buf, want, &notify);
		if (notify)
			port_send(&to_consumer);
		sent += n;
		if (!n && !port_wait(&to_producer)) {
			__atomic_store_n(&stuck, true, __ATOMIC_SEQ_CST);
			break;
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct byte_ring r;
	pthread_t thread;
	u32 got = 0;

	byte_ring_consumer(&r, data, SIZE, &prod, &cons);
	assert_int_equal(pthread_create(&thread, NULL, produce, NULL), 0);
	while (got < TOTAL) {
		u8 buf[SIZE];
		bool notify = false;
		int n = byte_ring_read(&r, buf, 1 + got * 5 % SIZE, &notify);

		assert_true(n >= 0);
		if (notify)
			port_send(&to_producer);
		for (int i = 0; i < n; i++)
			assert_int_equal(buf[i], (u8)((got + i) * 31));
		got += n;
		if (!n)
			assert_true(port_wait(&to_consumer));
	}
	pthread_join(thread, NULL);
	assert_false(stuck);
	assert_true(to_consumer.sent && to_consumer.sent < TOTAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

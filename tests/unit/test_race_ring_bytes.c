/* SPDX-License-Identifier: MIT */
/*
 * ring-buffers/byte_ring.c by two threads that sleep unless an event comes, as two domains do: the stream
 * arrives unchanged, nobody sleeps for ever, and ThreadSanitizer, with which this is built, sees no byte
 * that both touch without order.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PVK_LIB_H
#include "../../ring-buffers/byte_ring.c"

#define SIZE 16u
#define TOTAL 200000u

/* An event channel's end: a send before the wait is remembered. */
static struct port {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool pending;
	u32 sent;
} to_producer = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0 },
  to_consumer = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0 };

static char data[SIZE];
static u32 prod = (u32)-500, cons = (u32)-500;
static bool stuck;

static void port_send(struct port *p)
{
	pthread_mutex_lock(&p->lock);
	p->pending = true;
	p->sent++;
	pthread_cond_signal(&p->cond);
	pthread_mutex_unlock(&p->lock);
}

/* A lost event shows as a wait of ten seconds. */
static bool port_wait(struct port *p)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	pthread_mutex_lock(&p->lock);
	while (!p->pending && !err)
		err = pthread_cond_timedwait(&p->cond, &p->lock, &until);
	p->pending = false;
	pthread_mutex_unlock(&p->lock);
	return !err;
}

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

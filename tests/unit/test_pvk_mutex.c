/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/mutex.c with threads of the host. "Interrupts disabled" is a lock here, as on one CPU it is one. One owner at a
 * time, in the order in which they asked, although all of them ask again at once.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* In place of the kernel's headers. */
#define PVK_OPS_H
#define PVK_SCHED_H
#include "../../pvkernel/include/types.h"

#define THREADS 4
#define ROUNDS 2000

#include "pvk_threads.h"

static void wait_on(struct wait_queue *q) { pthread_cond_wait(&woken, &big_lock); }

static void wake_up(struct wait_queue *q)
{
	bool irq = irq_save();

	pthread_cond_broadcast(&woken);
	irq_restore(irq);
}

#include "../../pvkernel/mutex.c"

static struct mutex m = MUTEX_INIT(m);
static unsigned int asked, had, out_of_turn, owners, owners_at_once;

/* Arrival is counted before anybody else can ask. */
static void *again_and_again(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		bool irq = irq_save();
		unsigned int turn = asked++;

		mutex_lock(&m);
		irq_restore(irq);
		out_of_turn += turn != had++;
		owners_at_once += __atomic_add_fetch(&owners, 1, __ATOMIC_SEQ_CST) != 1;
		__atomic_sub_fetch(&owners, 1, __ATOMIC_SEQ_CST);
		mutex_unlock(&m);
	}
	return NULL;
}

static void test_in_turn(void **state)
{
	pthread_t thread[THREADS];

	m.next = m.serving = ~0u - ROUNDS;	/* the numbers wrap on the way */
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, again_and_again, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(had, THREADS * ROUNDS);
	assert_int_equal(out_of_turn, 0);
	assert_int_equal(owners_at_once, 0);
}

/* Whoever finds it free passes by the others' lock. */
static void *at_any_time(void *counter)
{
	for (int i = 0; i < 20 * ROUNDS; i++) {
		mutex_lock(&m);
		++*(unsigned int *)counter;
		mutex_unlock(&m);
	}
	return NULL;
}

static void test_nobody_is_forgotten(void **state)
{
	pthread_t thread[THREADS];
	unsigned int counter = 0;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, at_any_time, &counter), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(counter, THREADS * 20 * ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_in_turn), cmocka_unit_test(test_nobody_is_forgotten) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

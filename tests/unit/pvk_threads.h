/* SPDX-License-Identifier: MIT */
/* The kernel's threads as threads of the host: "interrupts disabled" is a lock, which on one CPU it is. wait_on() is the test's. */
#ifndef PVK_THREADS_H
#define PVK_THREADS_H

#include <pthread.h>
#include <stdbool.h>

#define WAIT_QUEUE_INIT(q) { 0 }

struct wait_queue { int unused; };

static pthread_mutex_t big_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static __thread bool disabled;

static bool irq_save(void)
{
	bool was = !disabled;

	if (was)
		pthread_mutex_lock(&big_lock);
	disabled = true;
	return was;
}

static void irq_restore(bool was)
{
	if (!was)
		return;
	disabled = false;
	pthread_mutex_unlock(&big_lock);
}

#endif

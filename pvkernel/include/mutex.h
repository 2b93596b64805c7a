/* SPDX-License-Identifier: MIT */
/*
 * A lock for threads, who sleep while it is another's. They get it in the order in which they came, so nobody
 * who takes it again and again keeps the others out. Not for interrupt handlers.
 */
#ifndef PVK_MUTEX_H
#define PVK_MUTEX_H

#include "sched.h"
#include "types.h"

/* Tickets: `serving` is who has the lock, or, if it equals `next`, nobody. */
struct mutex {
	u32 next, serving;
	struct wait_queue waiters;
};

#define MUTEX_INIT(m) { .waiters = WAIT_QUEUE_INIT((m).waiters) }

void mutex_wait(struct mutex *m, u32 ticket);	/* mutex_lock()'s, until the ticket is served */

/* Not by its owner. */
static inline void mutex_lock(struct mutex *m)
{
	u32 ticket = __atomic_fetch_add(&m->next, 1, __ATOMIC_RELAXED);

	if (__atomic_load_n(&m->serving, __ATOMIC_ACQUIRE) != ticket)
		mutex_wait(m, ticket);
}

static inline void mutex_unlock(struct mutex *m)
{
	__atomic_fetch_add(&m->serving, 1, __ATOMIC_RELEASE);
	wake_up(&m->waiters);
}

#endif

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

void mutex_lock(struct mutex *m);	/* not by its owner */
void mutex_unlock(struct mutex *m);

#endif

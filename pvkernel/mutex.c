/* SPDX-License-Identifier: MIT */
/*
 * Whoever wants the lock draws a number and sleeps until that is served. Each number is drawn, and each is served, by one instruction, so who
 * finds the lock free does nothing else; who does not looks again with interrupts disabled, where on one CPU nobody is served
 * between the look and the sleep.
 */
#include "mutex.h"
#include "ops.h"

static void wait_for(struct mutex *m, u32 ticket)
{
	bool irq = irq_save();

	while (__atomic_load_n(&m->serving, __ATOMIC_ACQUIRE) != ticket)
		wait_on(&m->waiters);
	irq_restore(irq);
}

void mutex_lock(struct mutex *m)
{
	u32 ticket = __atomic_fetch_add(&m->next, 1, __ATOMIC_RELAXED);

	if (__atomic_load_n(&m->serving, __ATOMIC_ACQUIRE) != ticket)
		wait_for(m, ticket);
}

void mutex_unlock(struct mutex *m)
{
	__atomic_fetch_add(&m->serving, 1, __ATOMIC_RELEASE);
	wake_up(&m->waiters);
}

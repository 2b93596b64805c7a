/* SPDX-License-Identifier: MIT */
/* Whoever wants the lock draws a number and sleeps until that is served. */
#include "mutex.h"
#include "ops.h"

void mutex_lock(struct mutex *m)
{
	bool irq = irq_save();
	u32 ticket = m->next++;

	while (m->serving != ticket)
		wait_on(&m->waiters);
	irq_restore(irq);
}

void mutex_unlock(struct mutex *m)
{
	bool irq = irq_save();

	m->serving++;
	wake_up(&m->waiters);
	irq_restore(irq);
}

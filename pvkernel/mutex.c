/* SPDX-License-Identifier: MIT */
/*
 * Whoever wants the lock draws a number and sleeps until that is served. Each number is drawn, and each is served, by one instruction, so who
 * finds the lock free does nothing else; who does not looks again with interrupts disabled, where on one CPU nobody is served
 * between the look and the sleep.
 */
#include "mutex.h"
#include "ops.h"

void mutex_wait(struct mutex *m, u32 ticket)
{
	bool irq = irq_save();

	while (__atomic_load_n(&m->serving, __ATOMIC_ACQUIRE) != ticket)
		wait_on(&m->waiters);
	irq_restore(irq);
}

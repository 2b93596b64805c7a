/* SPDX-License-Identifier: MIT */
/*
 * A test-and-set lock. Taken with interrupts off; while it waits, it serves this CPU's share of
 * TLB shootdowns, so that a holder who waits for a shootdown is never waited for in turn.
 * Nesting order, outermost first: grant table, event channels, page_lock, allocator, run queue, console.
 */
#ifndef PARAVANE_SPINLOCK_H
#define PARAVANE_SPINLOCK_H

#include <types.h>

struct spinlock {
	u8 held;
};

void spin_wait(struct spinlock *l);	/* cpu/smp.c */

/* spin_wait() saves what it uses. The compiler does not count on that; told so, it keeps no registers free for a call that is rare. */
static inline void spin_lock(struct spinlock *l)
{
	if (unlikely(__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE)))
		asm volatile("call spin_wait" :: "D"(l) : "memory", "cc");
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

#endif

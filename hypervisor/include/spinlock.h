/* SPDX-License-Identifier: MIT */
/*
 * A test-and-set lock. Taken with interrupts off; while it waits, it serves this CPU's share of
 * TLB shootdowns, so that a holder who waits for a shootdown is never waited for in turn.
 * The order of taking them is in check/locks.c, which checks it, and in docs/internals.md.
 */
#ifndef PARAVANE_SPINLOCK_H
#define PARAVANE_SPINLOCK_H

#include <types.h>

struct spinlock {
	u32 held;	/* 0 or 1 */
};

slow_path void spin_wait(struct spinlock *l);	/* cpu/smp.c */

/* Two instructions when it is free, and no register; spin_wait() saves what the compiler would. */
static inline void spin_lock(struct spinlock *l)
{
	asm goto("lock btsl $0, %0\n\tjc %l1" : : "m"(l->held) : "memory", "cc" : wait);
	return;
wait:
	asm volatile("call spin_wait" :: "D"(l) : "memory", "cc");
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

#endif

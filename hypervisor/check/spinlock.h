/* SPDX-License-Identifier: MIT */
/*
 * In place of include/spinlock.h in the check image: the same lock, and each place where one is taken is known by name, so that the order
 * is checked (check/locks.c).
 */
#ifndef PARAVANE_SPINLOCK_H
#define PARAVANE_SPINLOCK_H

#include <types.h>

struct spinlock {
	u32 held;	/* 0 or 1 */
};

struct lock_site {
	const char *name, *file;	/* as written: "&d->l1_lock" */
	int line, rank;			/* rank 0: not looked up yet */
};

slow_path void spin_wait(struct spinlock *l);	/* cpu/smp.c */
void checked_lock(struct spinlock *l, struct lock_site *site);
void checked_unlock(struct spinlock *l);
void check_none_held(const char *where);

#define spin_lock(l) do { \
	static struct lock_site site_ = { #l, __FILE__, __LINE__, 0 }; \
	checked_lock((l), &site_); \
} while (0)
#define spin_unlock(l) checked_unlock(l)

#endif

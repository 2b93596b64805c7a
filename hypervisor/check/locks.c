/* SPDX-License-Identifier: MIT */
/*
 * Lock order. Each CPU has a list of the locks that it holds, in the order in which it took them; their ranks ascend. A lock that
 * passes from one stack to another, as the scheduler's does, stays its CPU's. No lock is held where another vCPU may run.
 *
 * The ranks, lowest taken first:
 */
#include <console.h>
#include <cpu.h>
#include <entry.h>
#include <string.h>
#include "check.h"

static const struct rank {
	const char *field, *file;	/* what the name ends with, what the file's path contains */
	int rank;
	bool several;			/* more than one of this rank: for these binding_lock is held */
} ranks[] = {
	{ "domains_lock", "", 10, false },
	{ "windows_lock", "", 15, false },
	{ "grants->lock", "", 20, false },
	{ "t->lock", "ipc/grant", 20, false },
	{ "binding_lock", "", 30, false },
	{ "->lock", "ipc/evtchn", 31, true },
	{ "fifo_lock", "", 32, false },
	{ "l1_lock", "", 40, false },
	{ "ldt_lock", "", 41, false },
	{ "page_lock", "", 42, false },
	{ "pirq_lock", "", 43, false },
	{ "tables_lock", "", 45, false },
	{ "alloc_lock", "", 50, false },
	{ "pci_lock", "", 55, false },
	{ "sched_lock", "", 60, false },
	{ "timers_lock", "", 70, false },
	{ "input_lock", "", 80, false },
	{ "console_lock", "", 81, false },
	{ "log_lock", "", 82, false },
};

#define MOST_HELD 8

static struct held {
	struct spinlock *lock;
	const struct lock_site *site;
} held[MAX_CPUS][MOST_HELD];
static int held_count[MAX_CPUS];

/* -1: on the boot stack or an interrupt's own, where nothing is recorded. */
static int this_cpu(void)
{
	u64 sp = stack_pointer;

	return sp >= WINDOWS_START && sp < CPU_WINDOWS_START ? current->cpu->id : -1;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static bool contains(const char *s, const char *part)
{
	for (; *s; s++)
		if (!strncmp(s, part, strlen(part)))
			return true;
	return !*part;
}

static const struct rank *rank_of(const struct lock_site *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranks); i++)
		if (ends_with(s->name, ranks[i].field) && contains(s->file, ranks[i].file))
			return &ranks[i];
	panic("lock %s at %s:%d has no rank in check/locks.c", s->name, s->file, s->line);
}

static bool in_order(const struct lock_site *last, const struct lock_site *next)
{
	return next->rank > last->rank || (next->rank == last->rank && rank_of(next)->several);
}

/* In a panic no lock means anything any more. */
static bool panics;
void __wrap_console_break_lock(void), __real_console_break_lock(void);

void __wrap_console_break_lock(void)
{
	panics = true;
	__real_console_break_lock();
}

void checked_lock(struct spinlock *l, struct lock_site *site)
{
	int c = panics ? -1 : this_cpu(), n = c < 0 ? 0 : held_count[c];

	if (!panics && !site->rank)
		site->rank = rank_of(site)->rank;
	if (n && !in_order(held[c][n - 1].site, site))
		panic("lock order: %s (%s:%d) is taken while %s (%s:%d) is held", site->name, site->file, site->line,
		      held[c][n - 1].site->name, held[c][n - 1].site->file, held[c][n - 1].site->line);
	if (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		spin_wait(l);
	if (c < 0)
		return;
	assert(n < MOST_HELD);
	held[c][n] = (struct held){ l, site };
	held_count[c] = n + 1;
}

void checked_unlock(struct spinlock *l)
{
	int c = panics ? -1 : this_cpu(), i;

	if (c >= 0) {
		for (i = held_count[c] - 1; i >= 0 && held[c][i].lock != l; i--)
			;
		if (i < 0)
			panic("a lock is released that CPU %d does not hold", c);
		for (held_count[c]--; i < held_count[c]; i++)
			held[c][i] = held[c][i + 1];
	}
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

void check_none_held(const char *where)
{
	int c = this_cpu();

	if (c >= 0 && held_count[c])
		panic("%s while %s (%s:%d) is held", where, held[c][held_count[c] - 1].site->name, held[c][held_count[c] - 1].site->file,
		      held[c][held_count[c] - 1].site->line);
}

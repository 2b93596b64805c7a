/* SPDX-License-Identifier: MIT */
/*
 * Where the check image looks. The linker leads calls of these functions here first (--wrap). At each a CPU holds nothing; each is also
 * a place to stop the machine for a recount, which every so many of them begins:
 *
 *   1. the one that recounts asks the others to come here, by their work flag and an interrupt;
 *   2. a CPU that comes waits, and serves TLB shootdowns; an idle one need not come, since none leaves idle without sched_lock;
 *   3. the recount runs under sched_lock, and all go on.
 */
#include <asm.h>
#include <console.h>
#include <cpu.h>
#include <irq.h>
#include <sched.h>
#include "check.h"

#define RECOUNT_EVERY 50	/* points, of all CPUs, but it takes no more than */
#define SHARE 10		/* one part in so many of the time */

void __wrap_preempt_point(void), __real_preempt_point(void);
bool __wrap_batch_point(void), __real_batch_point(void);
void __wrap_schedule(void), __real_schedule(void);
void __wrap_handle_key(char c), __real_handle_key(char c);
void __wrap_page_mutex_lock(struct domain *d), __real_page_mutex_lock(struct domain *d);
void __wrap_timer_set(struct timer *t, u64 deadline), __real_timer_set(struct timer *t, u64 deadline);
int __wrap_get_type_slow(mfn_t mfn, domid_t owner, int type), __real_get_type_slow(mfn_t mfn, domid_t owner, int type);

static u32 recounting;		/* 1: a CPU recounts or is about to */
static u32 waiting[MAX_CPUS];
static u32 points;
static u64 next;		/* ns of system time; no recount before */

static void wait_for_recount(struct cpu *c)
{
	do {
		__atomic_store_n(&waiting[c->id], 1, __ATOMIC_SEQ_CST);
		while (READ_ONCE(recounting)) {
			handle_flush_request();
			pause();
		}
		__atomic_store_n(&waiting[c->id], 0, __ATOMIC_SEQ_CST);
	} while (READ_ONCE(recounting));	/* another one has begun that took this CPU for waiting */
}

static void call(struct cpu *c)
{
	__atomic_or_fetch(&READ_ONCE(c->running)->work, WORK_SCHEDULE, __ATOMIC_SEQ_CST);
	send_kick(c);
}

/* Under sched_lock, so whoever is idle stays so. */
static bool all_stopped(const struct cpu *self)
{
	for (int i = 0; i < cpu_count; i++)
		if (cpus[i] != self && !READ_ONCE(waiting[i]) && cpus[i]->running != cpus[i]->idle)
			return false;
	return true;
}

static void stop_others(const struct cpu *self)
{
	for (;;) {
		sched_freeze();
		if (all_stopped(self))
			return;
		for (int i = 0; i < cpu_count; i++)
			if (cpus[i] != self && !READ_ONCE(waiting[i]) && cpus[i]->running != cpus[i]->idle)
				call(cpus[i]);
		sched_thaw();
		for (int i = 0; i < 1000; i++) {
			handle_flush_request();
			pause();
		}
	}
}

static void recount(struct cpu *c)
{
	static u32 done;
	u64 began = now_ns();

	stop_others(c);
	check_queue();
	check_frames();
	check_memory();
	check_grants();
	check_pirqs();
	done++;
	if (!(done & (done - 1)))
		log_info("check: %u recounts", done);
	next = now_ns() + SHARE * (now_ns() - began);
	__atomic_store_n(&recounting, 0, __ATOMIC_SEQ_CST);
	sched_thaw();
}

static void visit(const char *where)
{
	struct cpu *c = current->cpu;

	check_none_held(where);
	check_frames_begin();
	if (READ_ONCE(recounting))
		wait_for_recount(c);
	if (__atomic_add_fetch(&points, 1, __ATOMIC_RELAXED) % RECOUNT_EVERY || !dom0 || now_ns() < READ_ONCE(next))
		return;
	if (!__atomic_exchange_n(&recounting, 1, __ATOMIC_SEQ_CST))
		recount(c);
}

void __wrap_preempt_point(void)
{
	visit("preempt_point()");
	__real_preempt_point();
}

bool __wrap_batch_point(void)
{
	visit("batch_point()");
	return __real_batch_point();
}

void __wrap_schedule(void)
{
	visit("schedule()");
	__real_schedule();
}

/* A person may ask as well. Keys come in an interrupt, which is taken only where a CPU holds nothing. */
void __wrap_handle_key(char c)
{
	if (c != 'i')
		__real_handle_key(c);
	else if (!__atomic_exchange_n(&recounting, 1, __ATOMIC_SEQ_CST))
		recount(current->cpu);
}

void __wrap_page_mutex_lock(struct domain *d)
{
	check_none_held("page_mutex_lock()");
	__real_page_mutex_lock(d);
}

/* What is due fires in it, and may take any lock. */
void __wrap_timer_set(struct timer *t, u64 deadline)
{
	check_none_held("timer_set()");
	__real_timer_set(t, deadline);
}

/* Types above the tables' are had without waiting. */
int __wrap_get_type_slow(mfn_t mfn, domid_t owner, int type)
{
	if (type != 6)
		check_none_held("validating a table");
	return __real_get_type_slow(mfn, owner, type);
}

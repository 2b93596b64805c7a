/* SPDX-License-Identifier: MIT */
/*
 * Who runs. All CPUs serve one queue of runnable vCPUs, sorted by virtual time, under one lock, so that shares hold for the machine and
 * no balancing is needed:
 *
 *     run_queue -> vCPU -> vCPU -> ...      vtime ascending; a CPU takes the first that may run on it
 *
 * Virtual time advances with running, the faster the smaller the vCPU's share (sched_share.c). A sleeper returns no further back than
 * BONUS before those that run, so sleeping earns a short wait and no credit. CPUs that serve different vCPUs, because of affinities, have
 * each its own time (c->virtual), which says nothing elsewhere: so who enters the queue is put near the time of its CPUs. A turn lasts
 * SLICE_NS while others wait; one that joins the queue with an earlier virtual time ends it sooner, but not before RATE_LIMIT_NS.
 *
 * Invariants, under sched_lock:
 *   1. A guest's vCPU runs (on v->cpu), or is queued, or may not run (may_run()): one of the three.
 *   2. A queued vCPU that is loaded on a CPU may be taken by that CPU only (sched_switch.c). The CPU has then been told.
 *   3. For each queued vCPU some CPU that may take it has been asked to choose, or will by itself: at slice_end at the latest, by
 *      when the slice's timer fires. Who is woken while its CPU goes on anyway so costs no choice (can_wait()).
 *
 * The lock is held from the choice until the chosen one's stack is in use, and is released there: whoever finds a vCPU in the queue
 * finds its stack left and its registers saved or known to be loaded.
 */
#include <asm.h>
#include <console.h>
#include <entry.h>
#include <evtchn.h>
#include <frames.h>
#include <pvclock.h>
#include <trace.h>
#include "sched_queue.h"

#define SLICE_NS 10000000ull
#define RATE_LIMIT_NS 500000ull
#define BONUS 5000000ull	/* virtual ns, as the next two */
#define WORTH_A_SWITCH 1000000ull
#define LARGEST_LAG 100000000ull

struct spinlock sched_lock;
struct vcpu *run_queue;

/* --- the queue ------------------------------------------------------------------------------------------- */

static void enqueue(struct vcpu *v)
{
	struct vcpu **at = &run_queue;

	v->queued = true;
	while (*at && (*at)->vtime <= v->vtime)
		at = &(*at)->run_next;
	v->run_next = *at;
	*at = v;
}

static void dequeue(struct vcpu *v)
{
	struct vcpu **at = &run_queue;

	while (*at != v)
		at = &(*at)->run_next;
	*at = v->run_next;
	v->queued = false;
}

/* The first that this CPU may take, or NULL. */
static struct vcpu *first_for(const struct cpu *c)
{
	struct vcpu *v = run_queue;

	while (v && (!is_allowed(v, c) || (v->loaded_on && v->loaded_on != c)))
		v = v->run_next;
	return v;
}

/* --- virtual time ------------------------------------------------------------------------------------------ */

static void charge(struct vcpu *v, u64 now)
{
	u64 ran = now - v->charged_at;

	if ((s64)ran <= 0)
		return;
	v->charged_at = now;	/* first: when a cap is used up others of its domain stop, and all are charged */
	sched_charge(v, ran);
}

static inline void time_advance(struct cpu *c, const struct vcpu *runs, const struct vcpu *first)
{
	c->virtual = max(c->virtual, first ? min(first->vtime, runs->vtime) : runs->vtime);
}

/* Each CPU's time follows the least of those that run or wait there. Returns the latest of v's CPUs. */
static inline u64 times_advance(const struct vcpu *v, u64 now)
{
	u64 latest = 0;

	for (int i = 0; i < cpu_count; i++) {
		struct cpu *c = cpus[i];

		if (c->running != c->idle) {
			charge(c->running, now);
			time_advance(c, c->running, first_for(c));
		}
		if (is_allowed(v, c))
			latest = max(latest, c->virtual);
	}
	return latest;
}

/*
 * v comes into the queue: no further behind its CPUs' time than that, nor ahead by much more than two turns of its own. It is the latest
 * time that counts: there v's turn comes, whoever is behind elsewhere.
 */
static inline void place(struct vcpu *v, u64 behind, u64 now)
{
	u64 base = max(times_advance(v, now), behind);

	v->vtime = max(v->vtime, base - behind);
	if (unlikely(v->vtime > base + WORTH_A_SWITCH))
		v->vtime = min(v->vtime, base + WORTH_A_SWITCH + 2 * sched_virtual(v, SLICE_NS));
}

/*
 * One less of d's vCPUs wants to run. What the others have run until now, they ran as one of so many: else a domain whose vCPUs all
 * stop at the same time would pay for the last by itself, for half of all on average.
 */
static void one_less(struct domain *d, u64 now)
{
	for (int i = 0; d->active > 1 && i < cpu_count; i++)
		if (cpus[i]->running->domain == d)
			charge(cpus[i]->running, now);
	d->active--;
}

/* --- telling CPUs --------------------------------------------------------------------------------------------- */

/* One that was asked before and has not chosen yet has been kicked, or will be by who asked. */
void sched_request(struct cpu *c)
{
	if (!(__atomic_fetch_or(&c->running->work, WORK_SCHEDULE, __ATOMIC_ACQ_REL) & WORK_SCHEDULE) && c != current->cpu)
		current->cpu->to_kick |= 1u << c->id;
}

void sched_send_kicks(struct cpu *c)
{
	u32 rest = c->to_kick;

	c->to_kick = 0;
	for (; rest; rest &= rest - 1)
		send_kick(cpus[__builtin_ctz(rest)]);
}

static bool is_idle(const struct cpu *c)
{
	return c->running == c->idle && !(c->idle->work & WORK_SCHEDULE);
}

/* An idle CPU for v, the one that it ran on if possible; else the busy one that is ahead of the others; NULL: none. */
static struct cpu *cpu_for(const struct vcpu *v)
{
	struct cpu *best = NULL;

	if (is_allowed(v, v->cpu) && is_idle(v->cpu))
		return v->cpu;
	for (int i = 0; i < cpu_count; i++) {
		struct cpu *c = cpus[i];

		if (!is_allowed(v, c))
			continue;
		if (is_idle(c))
			return c;
		if (c->running != c->idle && (!best || c->running->vtime > best->running->vtime))
			best = c;
	}
	return best;
}

/* The slice's timer fires by then. It is left alone when it fires earlier: slice_over() moves it. */
static inline bool timer_covers(const struct cpu *c, u64 end)
{
	return READ_ONCE(c->slice.deadline) - 1 < end;
}

/* When c has to choose anew if it runs `runs` and `waits` waits. With nobody waiting the turn was as long as a cap allows. */
static inline u64 shared_turn_ends(const struct cpu *c, const struct vcpu *runs, const struct vcpu *waits, u64 now)
{
	u64 end = min(c->slice_end - 1, now + SLICE_NS - 1) + 1;

	return runs->vtime > waits->vtime + WORTH_A_SWITCH ? min(end, c->since + RATE_LIMIT_NS) : end;
}

/* What asking c would come to is known: it goes on with whom it runs until that one's turn ends, and then chooses by itself. */
static inline bool can_wait(const struct vcpu *v, struct cpu *c, u64 now)
{
	u64 end;

	if (c->running == c->idle)
		return false;
	end = shared_turn_ends(c, c->running, v, now);
	if (!timer_covers(c, end)) {
		if (c != current->cpu || end <= now)
			return false;
		timer_arm(&c->slice, end);
	}
	c->slice_end = end;
	return true;
}

/* Somebody who may has to look for v, which is in the queue. */
static inline void notify(const struct vcpu *v, u64 now)
{
	struct cpu *c = v->loaded_on;

	if (!c) {
		c = cpu_for(v);
		if (!c || can_wait(v, c, now))
			return;
	}
	sched_request(c);
}

/* v was displaced: perhaps a CPU runs one that is further ahead than a turn makes it. */
static void offer(const struct vcpu *v, u64 now)
{
	struct cpu *c;

	times_advance(v, now);
	c = cpu_for(v);
	if (c && c->running != c->idle && c->running->vtime > v->vtime + SLICE_NS)
		sched_request(c);
}

/* A CPU that was asked takes one; those that wait on may be for others that idle. */
static void ask_idle(void)
{
	for (int i = 0; i < cpu_count && run_queue; i++)
		if (is_idle(cpus[i]) && first_for(cpus[i]))
			sched_request(cpus[i]);
}

/* Takes the lock for can_wait() on another CPU: it saw the timer armed, so what it has set is found here. */
static void slice_over(struct timer *t)
{
	struct cpu *c = container_of(t, struct cpu, slice);
	u64 end;

	spin_lock(&sched_lock);
	end = c->slice_end;
	spin_unlock(&sched_lock);
	if (end > now_ns())
		timer_set(t, end);
	else if (end)
		sched_request(c);
}

/* --- joining and leaving ---------------------------------------------------------------------------------------- */

void sched_join(struct vcpu *v)
{
	u64 now;

	if (is_running(v) || v->queued || !may_run(v))
		return;
	now = now_ns();
	place(v, BONUS, now);
	if (unlikely(v->domain->throttled) && !may_run(v))	/* the cap was found used up just now */
		return;
	v->domain->active++;
	enqueue(v);
	runstate_change(v, RUN_RUNNABLE, now);
	notify(v, now);
}

/* v, which is in the queue, may run elsewhere from now on. */
void sched_replace(struct vcpu *v)
{
	u64 now = now_ns();

	times_advance(v, now);
	if (!v->queued)		/* its cap was found used up just now */
		return;
	dequeue(v);
	place(v, LARGEST_LAG, now);
	enqueue(v);
	notify(v, now);
}

/* The runstate of one that may not run; throttled alone is runnable, seen from the guest. */
static int waiting_state(const struct vcpu *v)
{
	const struct domain *d = v->domain;

	if (v->online && v->blocked)
		return RUN_BLOCKED;
	return !v->online || v->pause_count || d->pause_count || d->is_shut_down || d->dying ? RUN_OFFLINE : RUN_RUNNABLE;
}

/* What an idle CPU does not keep in its registers. */
static bool must_unload(const struct vcpu *v, const struct cpu *c)
{
	return !is_allowed(v, c) || v->pause_count || v->domain->pause_count || v->domain->dying;
}

void sched_stop(struct vcpu *v)
{
	if (is_running(v)) {
		sched_request(v->cpu);
		return;
	}
	if (v->queued && !may_run(v)) {
		u64 now = now_ns();

		dequeue(v);
		one_less(v->domain, now);
		runstate_change(v, waiting_state(v), now);
	}
	if (v->loaded_on && must_unload(v, v->loaded_on))
		sched_request(v->loaded_on);
}

/* --- choosing ------------------------------------------------------------------------------------------------------ */

/* prev goes on though `first` waits. */
static bool goes_on(struct vcpu *prev, const struct vcpu *first, bool yields, u64 now)
{
	struct cpu *c = prev->cpu;

	if (yields)
		return false;
	if (c->slice_end && now >= c->slice_end)
		return prev->vtime < first->vtime;
	return prev->vtime <= first->vtime + WORTH_A_SWITCH || now < c->since + RATE_LIMIT_NS;
}

/* Takes the one that runs on c from now on from the queue; `prev`, which stays a candidate if it may, is not in it. */
static struct vcpu *choose(struct cpu *c, struct vcpu *prev, bool stays, bool yields, u64 now)
{
	struct vcpu *first = first_for(c);

	if (stays && first)
		prev->vtime = max(prev->vtime, max(first->vtime, LARGEST_LAG) - LARGEST_LAG);
	if (stays && (!first || goes_on(prev, first, yields, now)))
		return prev;
	if (prev != c->idle) {
		time_advance(c, prev, first);
		if (may_run(prev))
			place(prev, LARGEST_LAG, now);
		if (first && unlikely(!first->queued))	/* its cap was found used up just now */
			first = first_for(c);
		if (!first && stays && may_run(prev))
			return prev;
	}
	if (!first)
		return c->idle;
	dequeue(first);
	return first;
}

/* When c has to choose anew though nobody asks, or 0: a slice, less if somebody who waits is far behind, or a cap ends it. */
static u64 turn_ends(struct cpu *c, struct vcpu *next, u64 now)
{
	const struct vcpu *first = first_for(c);
	u64 end = 0, quota;

	if (next == c->idle)
		return 0;
	if (first)
		end = shared_turn_ends(c, next, first, now);
	quota = sched_quota(next, c);
	return quota ? min(end - 1, now + quota - 1) + 1 : end;
}

/* --- switching ------------------------------------------------------------------------------------------------------- */

/* Whom c had loaded before: if it waits, somebody has to know that it can be taken now. */
static void let_go(struct cpu *c, struct vcpu *had, u64 now)
{
	if (!had || !had->queued || had->loaded_on)
		return;
	if (is_allowed(had, c))
		offer(had, now);
	else
		notify(had, now);
}

/* c has nothing to run. */
static void idle_unload(struct cpu *c, u64 now)
{
	struct vcpu *had = c->loaded;

	if (had && must_unload(had, c)) {
		unload_vcpu(c);
		let_go(c, had, now);
		ask_idle();
	}
}

/* Rare, and apart as sched_send_kicks() is. */
static void __attribute__((noinline)) set_timers(struct cpu *c, struct domain *refill, u64 slice_end)
{
	if (refill)
		timer_set(&refill->refill, now_ns() + CAP_PERIOD_NS);
	if (slice_end && !timer_covers(c, slice_end))
		timer_set(&c->slice, slice_end);
}

/* On the stack of the one that was chosen. Timers are set only now, since those that are due fire at once. */
static void switched(void)
{
	struct cpu *c = current->cpu;
	struct domain *refill = c->refill;
	u64 end = c->slice_end;

	c->refill = NULL;
	sched_unlock_on(c);
	if (unlikely((u64)refill | end))
		set_timers(c, refill, end);
}

static void switch_to(struct cpu *c, struct vcpu *prev, struct vcpu *next, u64 now)
{
	struct vcpu *had = c->loaded;

	c->running = next;
	if (next != c->idle) {
		__atomic_store_n(&next->cpu, c, __ATOMIC_SEQ_CST);	/* it is seen to run before it looks for events: vcpu_kick() */
		next->charged_at = now;
		if (next != had) {
			load_vcpu(c, next);
			let_go(c, had, now);
		}
		ask_idle();
		runstate_change(next, RUN_RUNNING, now);
	} else {
		idle_unload(c, now);
		if (unlikely(trace_mask))
			trace_switch(next);
	}
	c->tss.rsp0 = (u64)&next->regs.es;
	c->entry_frame = (u64)&next->regs.ss;
	cpu_enter_mode(c, next->kernel_mode);
	switch_stacks(&prev->saved_rsp, next->saved_rsp);
}

/* prev's turn ends: it goes into the queue, or out of it all. */
static void put_prev(struct cpu *c, struct vcpu *prev, u64 now)
{
	if (prev == c->idle) {
		c->idle_ns += now - c->since;
	} else if (may_run(prev)) {
		enqueue(prev);
		runstate_change(prev, RUN_RUNNABLE, now);
	} else {
		one_less(prev->domain, now);
		runstate_change(prev, waiting_state(prev), now);
	}
	c->since = now;
	c->slice_end = 0;
}

/* Returns when `current` is chosen, perhaps on another CPU. */
static void reschedule(struct vcpu *prev, int stands)
{
	struct cpu *c = prev->cpu;
	struct vcpu *next;
	bool yields = prev->yielding, stays = false;
	u64 now;

	spin_lock(&sched_lock);
	now = now_ns();
	prev->yielding = false;
	if (prev != c->idle) {
		prev->stands = stands;
		if (prev->blocked && (evtchn_upcall_due(prev) || prev->work & WORK_NMI))
			prev->blocked = false;
		charge(prev, now);
		stays = may_run(prev) && is_allowed(prev, c);
	}
	next = choose(c, prev, stays, yields, now);
	if (next != prev)
		put_prev(c, prev, now);
	else if (c->slice_end <= now)
		c->slice_end = 0;
	c->slice_end = turn_ends(c, next, now);
	if (next != prev)
		switch_to(c, prev, next, now);
	else if (next == c->idle)
		idle_unload(c, now);
	switched();
}

/* On the way back to the guest. Without anybody who waits, it goes on. */
void schedule(void)
{
	struct vcpu *v = current;

	if (likely(!run_queue && !stopped(v) && !v->domain->cap && is_allowed(v, v->cpu))) {
		v->yielding = false;
		return;
	}
	reschedule(v, STANDS_AT_EXIT);
}

static void point(struct vcpu *v, int stands)
{
	take_interrupts();
	if (likely(!(v->work & WORK_SCHEDULE)))
		return;
	__atomic_and_fetch(&v->work, ~WORK_SCHEDULE, __ATOMIC_ACQ_REL);
	reschedule(v, stands);
	if (v->domain && unlikely(stopped(v)))	/* on the way back it will */
		__atomic_or_fetch(&v->work, WORK_SCHEDULE, __ATOMIC_ACQ_REL);
}

void preempt_point(void)
{
	point(current, STANDS_AT_WORK);
}

bool batch_point(void)
{
	struct vcpu *v = current;

	point(v, STANDS_IN_BATCH);
	return abandoned(v);
}

/* Whoever yields may wait for another CPU's vCPU: where CPUs share something, that CPU goes on now. */
void vcpu_yield(struct vcpu *v)
{
	pause();
	v->yielding = true;
	__atomic_or_fetch(&v->work, WORK_SCHEDULE, __ATOMIC_ACQ_REL);
}

/* Runs once, on the new vCPU's stack, before it enters the guest. */
void vcpu_started(struct vcpu *v)
{
	switched();
	vcpu_timers_start(v);
}

void idle_loop(void)
{
	struct vcpu *v = current;
	struct cpu *c = v->cpu;

	c->slice.fire = slice_over;
	for (;;) {
		if (v->work & WORK_SCHEDULE) {
			__atomic_and_fetch(&v->work, ~WORK_SCHEDULE, __ATOMIC_ACQ_REL);
			reschedule(v, STANDS_AT_EXIT);
		} else if (zero_free_memory()) {
			take_interrupts();
		} else {
			halt_for_interrupt();
		}
	}
}

/* --- waiting and waking ------------------------------------------------------------------------------------------ */

void vcpu_block(struct vcpu *v)
{
	v->blocked = true;
	__atomic_or_fetch(&v->work, WORK_SCHEDULE, __ATOMIC_ACQ_REL);
}

/* Callable from interrupts and by other CPUs; a vCPU still on its way to sleep just stays awake. */
void vcpu_wake(struct vcpu *v)
{
	spin_lock(&sched_lock);
	v->blocked = false;
	sched_join(v);
	sched_unlock();
}

/*
 * What v has to see was stored before: either v finds it on its way to sleep, or v is found blocked here. A vCPU that waits for its
 * turn looks when it comes.
 */
void vcpu_kick(struct vcpu *v)
{
	struct cpu *c;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	c = READ_ONCE(v->cpu);
	if (READ_ONCE(v->blocked))
		vcpu_wake(v);
	else if (v != current && READ_ONCE(c->running) == v)
		send_kick(c);
}

/* Puts a vCPU up: initialised, from now on runnable. */
void vcpu_online(struct vcpu *v)
{
	spin_lock(&sched_lock);
	v->online = true;
	v->blocked = false;
	sched_join(v);
	sched_unlock();
}

/* Goes down on its way back to the guest, or now if it waits there. */
void vcpu_offline(struct vcpu *v)
{
	spin_lock(&sched_lock);
	v->online = false;
	sched_stop(v);
	sched_unlock();
}

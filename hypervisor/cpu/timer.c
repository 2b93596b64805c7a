/* SPDX-License-Identifier: MIT */
/*
 * Timers: a list per CPU, sorted by deadline, and the local APIC's one-shot timer behind it.
 *
 * Invariant, under timers_lock: the local APIC is set to fire no later than the first deadline. It may fire
 * earlier, for a timer that was stopped or moved since: then nothing is due and it is set anew. So moving
 * a deadline ahead, which guests do all the time, costs no device access.
 *
 * A timer is in the list of t->cpu while t->deadline is not 0, which changes under that CPU's lock. `fire` runs without the lock, its
 * timer no longer in the list; it may set it again, to a later time than now. It fires where it was set: one of a vCPU's that
 * has moved on finds it by its domain's event channels, and is the new CPU's when it is next set.
 */
#include <asm.h>
#include <cpu.h>
#include <irq.h>
#include <spinlock.h>
#include <types.h>
#include <vcpu.h>

/* While timers fire: below every deadline, so that none that is set meanwhile touches the local APIC. */
#define FIRING 1

static inline void list_insert(struct cpu *c, struct timer *t)
{
	struct timer **at = &c->timers;

	while (*at && (*at)->deadline <= t->deadline)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
}

static inline void list_remove(struct cpu *c, struct timer *t)
{
	struct timer **at = &c->timers;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->deadline = 0;
}

/* Whether the local APIC has to fire earlier than it is set to; 0 stands for never. */
static inline bool is_earlier(const struct cpu *c, u64 deadline)
{
	return deadline - 1 < c->timer_programmed - 1;
}

/* Another CPU's timer is taken from its list; it may move on between the look and the lock. */
static __attribute__((noinline)) void remove_elsewhere(struct timer *t)
{
	while (READ_ONCE(t->deadline)) {
		struct cpu *c = READ_ONCE(t->cpu);

		spin_lock(&c->timers_lock);
		if (t->deadline && t->cpu == c)
			list_remove(c, t);
		spin_unlock(&c->timers_lock);
	}
}

/* The timer is c's from now on, until another CPU sets it. t->cpu changes under the lock of the CPU that it named. */
static __attribute__((noinline)) void take_over(struct timer *t, struct cpu *c)
{
	struct cpu *old = NULL;

	if (__atomic_compare_exchange_n(&t->cpu, &old, c, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	spin_lock(&old->timers_lock);
	if (t->cpu == old) {
		if (t->deadline)
			list_remove(old, t);
		t->cpu = c;
	}
	spin_unlock(&old->timers_lock);
}

/* True: the local APIC has to fire earlier than it is set to. */
static inline bool put(struct timer *t, struct cpu *c, u64 deadline)
{
	spin_lock(&c->timers_lock);
	while (unlikely(t->cpu != c)) {
		spin_unlock(&c->timers_lock);
		take_over(t, c);
		spin_lock(&c->timers_lock);
	}
	if (t->deadline)
		list_remove(c, t);
	t->deadline = deadline;
	list_insert(c, t);
	spin_unlock(&c->timers_lock);
	return is_earlier(c, deadline);
}

static __attribute__((noinline)) void program_earlier(struct cpu *c, u64 deadline)
{
	c->timer_programmed = deadline;
	timer_program(deadline);
}

static __attribute__((noinline)) void expire_or_program(struct cpu *c, u64 deadline)
{
	if (deadline <= now_ns())
		timers_expire(c);
	else
		program_earlier(c, deadline);
}

void timer_set(struct timer *t, u64 deadline)
{
	struct cpu *c = current->cpu;

	deadline += !deadline;
	if (unlikely(put(t, c, deadline)))
		expire_or_program(c, deadline);
}

void timer_arm(struct timer *t, u64 deadline)
{
	struct cpu *c = current->cpu;

	if (put(t, c, deadline))
		program_earlier(c, deadline);
}

void timer_stop(struct timer *t)
{
	if (t->deadline)
		remove_elsewhere(t);
}

static bool fires_somewhere(const struct timer *t)
{
	for (int i = 0; i < cpu_count; i++)
		if (READ_ONCE(cpus[i]->firing) == t)
			return true;
	return false;
}

/* A `fire` that sets its timer anew has to know that it must not: then this ends. */
void timer_kill(struct timer *t)
{
	do {
		timer_stop(t);
		while (fires_somewhere(t)) {
			handle_flush_request();
			pause();
		}
	} while (READ_ONCE(t->deadline));
}

/* Fires what is due, in order, then sets the local APIC for the first of the rest. Ends, because what fires is set anew to later than `now`. */
void timers_expire(struct cpu *c)
{
	u64 now = now_ns();
	struct timer *t;

	spin_lock(&c->timers_lock);
	c->timer_programmed = FIRING;
	while ((t = c->timers) && t->deadline <= now) {
		c->timers = t->next;
		WRITE_ONCE(c->firing, t);	/* before it looks stopped: timer_kill() finds one or the other */
		__atomic_store_n(&t->deadline, 0, __ATOMIC_RELEASE);
		spin_unlock(&c->timers_lock);
		t->fire(t);
		spin_lock(&c->timers_lock);
	}
	WRITE_ONCE(c->firing, NULL);
	c->timer_programmed = t ? t->deadline : 0;
	spin_unlock(&c->timers_lock);
	if (t)
		timer_program(c->timer_programmed);
}

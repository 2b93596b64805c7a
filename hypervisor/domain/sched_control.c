/* SPDX-License-Identifier: MIT */
/* Stopping domains and vCPUs, ending them, and saying where they may run. */
#include <asm.h>
#include <pvclock.h>
#include "sched_queue.h"

void sched_freeze(void) { spin_lock(&sched_lock); }
void sched_thaw(void) { sched_unlock(); }

/* --- waiting until a vCPU is gone --------------------------------------------------------------------------------- */

#define MOMENT 500	/* looks */

static bool has_left(const struct vcpu *v)
{
	bool out;

	spin_lock(&sched_lock);
	out = is_out(v);
	sched_unlock();
	return out;
}

/* One that runs was sent an interrupt and leaves in a moment: who let others run meanwhile would be back a turn later. */
static void wait_until_out(const struct vcpu *v)
{
	for (int i = 0; !has_left(v); i++) {
		if (i < MOMENT && READ_ONCE(v->cpu->running) == v)
			pause();
		else
			vcpu_yield(current);
		preempt_point();
	}
}

static void wait_until_all_out(struct domain *d)
{
	for (int i = 0; i < d->vcpu_count; i++)
		if (d->vcpu[i])
			wait_until_out(d->vcpu[i]);
}

/* --- pausing --------------------------------------------------------------------------------------------------------- */

static void stop_each(struct domain *d)
{
	for (int i = 0; i < d->vcpu_count; i++)
		if (d->vcpu[i])
			sched_stop(d->vcpu[i]);
}

static void join_each(struct domain *d)
{
	for (int i = 0; i < d->vcpu_count; i++)
		if (d->vcpu[i])
			sched_join(d->vcpu[i]);
}

void domain_pause(struct domain *d)
{
	spin_lock(&sched_lock);
	d->pause_count++;
	stop_each(d);
	sched_unlock();
	wait_until_all_out(d);
}

void domain_stop_vcpus(struct domain *d)
{
	spin_lock(&sched_lock);
	stop_each(d);
	join_each(d);
	sched_unlock();
}

void domain_unpause(struct domain *d)
{
	spin_lock(&sched_lock);
	d->pause_count--;
	join_each(d);
	sched_unlock();
}

void vcpu_pause(struct vcpu *v)
{
	spin_lock(&sched_lock);
	v->pause_count++;
	sched_stop(v);
	sched_unlock();
	wait_until_out(v);
}

void vcpu_unpause(struct vcpu *v)
{
	spin_lock(&sched_lock);
	v->pause_count--;
	sched_join(v);
	sched_unlock();
}

bool vcpu_offline_unless_last(struct vcpu *v)
{
	const struct domain *d = v->domain;
	bool others = false;

	spin_lock(&sched_lock);
	for (int i = 0; i < d->vcpu_count; i++)
		others |= d->vcpu[i] && d->vcpu[i] != v && d->vcpu[i]->online;
	if (others || !v->online) {
		v->online = false;
		sched_stop(v);
	}
	sched_unlock();
	return others || !v->online;
}

/* --- the end ------------------------------------------------------------------------------------------------------------ */

static void kill_timers(struct domain *d)
{
	for (int i = 0; i < d->vcpu_count; i++) {
		struct vcpu *v = d->vcpu[i];

		if (!v)
			continue;
		WRITE_ONCE(v->period, 0);
		timer_kill(&v->singleshot);
		timer_kill(&v->periodic);
		timer_kill(&v->poll);
	}
	for (size_t i = 0; i < ARRAY_SIZE(d->watchdog); i++)
		timer_kill(&d->watchdog[i].timer);
	timer_kill(&d->refill);
}

/* One that stands in a batch joins the queue; one that waits at its exit leaves it. */
void vcpus_retire(struct domain *d)
{
	spin_lock(&sched_lock);
	d->cap = 0;
	stop_each(d);
	join_each(d);
	sched_unlock();
	wait_until_all_out(d);
	kill_timers(d);
}

/* --- where ---------------------------------------------------------------------------------------------------------------- */

void sched_init_vcpu(struct vcpu *v)
{
	v->cpus = v->affinity = ~0ull;
}

static u64 cpus_there(void)
{
	return (1ull << cpu_count) - 1;
}

/* Who runs, waits or has its state where it no longer may has to move. */
static void confine(struct vcpu *v, u64 cpus)
{
	v->cpus = cpus;
	if (is_running(v)) {
		if (!is_allowed(v, v->cpu))
			sched_request(v->cpu);
		return;
	}
	if (v->loaded_on && !is_allowed(v, v->loaded_on))
		sched_request(v->loaded_on);
	else if (v->queued)
		sched_replace(v);
}

int vcpu_set_affinity(struct vcpu *v, u64 mask)
{
	int rc = 0;

	if (!(mask & cpus_there()))
		return -EINVAL;
	spin_lock(&sched_lock);
	if (v->pin_override) {
		rc = -EBUSY;
	} else {
		v->affinity = mask;
		confine(v, mask);
	}
	sched_unlock();
	return rc;
}

u64 vcpu_get_affinity(const struct vcpu *v)
{
	return READ_ONCE(v->affinity);
}

int vcpu_pin_override(struct vcpu *v, int cpu)
{
	int rc = 0;

	if (cpu >= cpu_count)
		return -EINVAL;
	spin_lock(&sched_lock);
	if (v->pin_override == (cpu >= 0)) {
		rc = cpu >= 0 ? -EBUSY : -EINVAL;
	} else {
		v->pin_override = cpu >= 0;
		confine(v, cpu >= 0 ? 1ull << cpu : v->affinity);
	}
	sched_unlock();
	return rc;
}

/* --- figures ---------------------------------------------------------------------------------------------------------------- */

u64 vcpu_run_ns(struct vcpu *v)
{
	u64 ns;

	spin_lock(&sched_lock);
	ns = v->runstate_time[RUN_RUNNING];
	if (v->runstate == RUN_RUNNING)
		ns += now_ns() - v->runstate_entry;
	sched_unlock();
	return ns;
}

u64 cpu_idle_ns(struct cpu *c)
{
	u64 ns;

	spin_lock(&sched_lock);
	ns = c->idle_ns;
	if (c->running == c->idle)
		ns += now_ns() - c->since;
	sched_unlock();
	return ns;
}

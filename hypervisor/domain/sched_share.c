/* SPDX-License-Identifier: MIT */
/*
 * Shares. The weight is the domain's: each of its vCPUs that want to run has an equal part of it, so virtual time advances by
 *
 *     run time * SCHED_WEIGHT_DEFAULT * (the domain's active vCPUs) / weight
 *
 * A cap is a budget of run time for each CAP_PERIOD_NS. When it is used up, the domain is throttled: its vCPUs stop on their way back to
 * the guest until the refill. What was run beyond it is owed, so over time the cap holds exactly. The refill timer is armed
 * while the domain runs; when a period passes in which it did not, the budget is full and the timer rests.
 */
#include "sched_queue.h"

#define SHORTEST_TURN_NS 100000ull

static s64 full_budget(const struct domain *d)
{
	return CAP_PERIOD_NS * d->cap / 100;
}

/* --- what a vCPU has used --------------------------------------------------------------------------------------- */

static void stop_all(struct domain *d)
{
	for (int i = 0; i < d->vcpu_count; i++)
		if (d->vcpu[i])
			sched_stop(d->vcpu[i]);
}

static void join_all(struct domain *d)
{
	for (int i = 0; i < d->vcpu_count; i++)
		if (d->vcpu[i])
			sched_join(d->vcpu[i]);
}

void sched_charge(struct vcpu *v, u64 ns)
{
	struct domain *d = v->domain;

	v->vtime += sched_virtual(v, ns);
	if (likely(!d->cap))
		return;
	d->budget -= ns;
	if (d->budget > 0 || d->throttled)
		return;
	d->throttled = true;
	stop_all(d);
}

u64 sched_quota(struct vcpu *v, struct cpu *c)
{
	struct domain *d = v->domain;

	if (likely(!d->cap))
		return 0;
	if (!d->refilling) {
		d->refilling = true;
		c->refill = d;
	}
	return max(d->budget / (s64)d->active, (s64)SHORTEST_TURN_NS);
}

/* --- the refill --------------------------------------------------------------------------------------------------- */

static void unthrottle(struct domain *d)
{
	d->throttled = false;
	join_all(d);
}

static void refill(struct timer *t)
{
	struct domain *d = container_of(t, struct domain, refill);
	s64 full = full_budget(d);
	bool again;

	spin_lock(&sched_lock);
	again = d->refilling = d->cap && (d->active || d->throttled || d->budget < full);
	d->budget = min(d->budget + full, full);
	if (d->throttled && d->budget > 0)
		unthrottle(d);
	sched_unlock();
	if (again)
		timer_set(t, now_ns() + CAP_PERIOD_NS);
}

/* --- setting ------------------------------------------------------------------------------------------------------- */

void sched_init_domain(struct domain *d)
{
	d->weight = SCHED_WEIGHT_DEFAULT;
	d->refill.fire = refill;
}

int sched_set(struct domain *d, u32 weight, u32 cap)
{
	if (!weight || weight > SCHED_WEIGHT_MAX || cap > 100 * MAX_VCPUS)
		return -EINVAL;
	spin_lock(&sched_lock);
	d->weight = weight;
	d->cap = cap;
	d->budget = full_budget(d);
	if (d->throttled)
		unthrottle(d);
	for (int i = 0; i < d->vcpu_count; i++)	/* a cap's end of turn is set when the turn begins */
		if (d->vcpu[i] && is_running(d->vcpu[i]))
			sched_request(d->vcpu[i]->cpu);
	sched_unlock();
	return 0;
}

void sched_get(const struct domain *d, u32 *weight, u32 *cap)
{
	*weight = READ_ONCE(d->weight);
	*cap = READ_ONCE(d->cap);
}

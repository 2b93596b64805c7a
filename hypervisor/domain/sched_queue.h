/* SPDX-License-Identifier: MIT */
/* What the parts of the scheduler are to each other; all but what says otherwise is under sched_lock. */
#ifndef PARAVANE_SCHED_QUEUE_H
#define PARAVANE_SCHED_QUEUE_H

#include <sched.h>

extern struct spinlock sched_lock;
extern struct vcpu *run_queue;

#define CAP_PERIOD_NS 20000000ull

/* What keeps a vCPU from entering the guest. */
static inline bool stopped(const struct vcpu *v)
{
	const struct domain *d = v->domain;

	return !v->online || v->blocked || v->pause_count || d->pause_count || d->is_shut_down || d->dying || d->throttled;
}

/* Whether a vCPU that does not run may; one of a dying domain that stands in a batch is let on to its end. */
static inline bool may_run(const struct vcpu *v)
{
	if (v->stands == STANDS_AT_WORK)
		return true;
	return v->stands == STANDS_IN_BATCH && v->domain->dying ? true : !stopped(v);
}

static inline bool is_running(const struct vcpu *v)
{
	return v->cpu->running == v;
}

static inline bool is_allowed(const struct vcpu *v, const struct cpu *c)
{
	return v->cpus >> c->id & 1;
}

/* Nothing of v is on any CPU, and nothing will be before it is woken. */
static inline bool is_out(const struct vcpu *v)
{
	return !is_running(v) && !v->queued && !v->loaded_on;
}

/* --- sched.c -------------------------------------------------------------------------------------------------------- */

/* After something that kept v from running has gone: it joins the queue if it may run now. */
void sched_join(struct vcpu *v);
/* After something that keeps v from running has come: it leaves the queue, its CPU, the registers of an idle CPU. */
void sched_stop(struct vcpu *v);
void sched_replace(struct vcpu *v);	/* v, which is in the queue, may run elsewhere than before */
void sched_request(struct cpu *c);	/* c chooses anew, soon */

/* Rare, and apart, so that the registers it needs are not saved by who does not come here. */
void sched_send_kicks(struct cpu *c) __attribute__((cold, noinline));

/* c is this CPU. Those whom sched_request() asked are told only now: they would begin with waiting for the lock. */
static inline void sched_unlock_on(struct cpu *c)
{
	spin_unlock(&sched_lock);
	if (unlikely(c->to_kick))
		sched_send_kicks(c);
}

static inline void sched_unlock(void)
{
	sched_unlock_on(current->cpu);
}

/* --- sched_share.c ---------------------------------------------------------------------------------------------------- */

/* The virtual time of so much running, for one of the domain's active vCPUs. */
static inline u64 sched_virtual(const struct vcpu *v, u64 ns)
{
	return ns * SCHED_WEIGHT_DEFAULT * v->domain->active / v->domain->weight;
}

/* v has run for so long. */
void sched_charge(struct vcpu *v, u64 ns);
/* v is about to run on c: how long at most; 0: as long as it likes. */
u64 sched_quota(struct vcpu *v, struct cpu *c);

/* --- sched_switch.c --------------------------------------------------------------------------------------------------- */

void load_vcpu(struct cpu *c, struct vcpu *next);	/* user state into the registers; what was there is saved */
void unload_vcpu(struct cpu *c);			/* c->loaded is saved; the CPU has nobody's state */

#endif

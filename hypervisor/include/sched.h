/* SPDX-License-Identifier: MIT */
/*
 * Who runs where and for how long, for those who stop domains, end them, or say what share they get.
 *
 * A vCPU is stopped (paused, shut down, put down, blocked) only where it holds nothing: on its way back to the guest, or at a
 * batch_point(). At a preempt_point() it is merely preempted, so what it holds there is let go some time.
 */
#ifndef PARAVANE_SCHED_H
#define PARAVANE_SCHED_H

#include <cpu.h>
#include <domain.h>
#include <types.h>
#include <vcpu.h>

/* --- stopping and ending: callers may be preempted, so they hold no lock ----------------------------------------- */

/*
 * Counted. Paused, no vCPU of d runs, and none has its state in a CPU's registers: all of it is in memory and stays as it is. A
 * vCPU that was in a hypercall has finished it, or stands between two items of a batch. Not for the caller's own domain.
 */
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);
void domain_stop_vcpus(struct domain *d);	/* after is_shut_down was set or cleared: they stop or go on, without waiting */
void vcpu_pause(struct vcpu *v);	/* the same for one vCPU, not the caller */
void vcpu_unpause(struct vcpu *v);

/* VCPUOP_down. False: v is the only one that is up, and stays so. */
bool vcpu_offline_unless_last(struct vcpu *v);

/*
 * d->dying is set. Returns when every vCPU of d has left the hypervisor for good: it never runs again, no CPU has its state, its
 * timers and the domain's do not fire. One that is in a hypercall runs on until its way back, and so lets go of what it holds.
 */
void vcpus_retire(struct domain *d);

/* The domain is dying: a batch may end here, for nobody will see its result. */
static inline bool abandoned(const struct vcpu *v)
{
	return unlikely(READ_ONCE(v->domain->dying));
}

/*
 * preempt_point() for the outer loop of a batch, whose caller holds nothing, no reference to a page table's lock or mutex
 * either: here a vCPU may be stopped as well. True: abandoned(), end the batch.
 */
bool batch_point(void);

/* --- shares -------------------------------------------------------------------------------------------------------- */

enum { SCHED_WEIGHT_DEFAULT = 256, SCHED_WEIGHT_MAX = 65535 };

/* weight: 1 to 65535, of the domain whatever its number of vCPUs; cap: percent of one CPU, 0 none. -EINVAL: out of range. */
int sched_set(struct domain *d, u32 weight, u32 cap);
void sched_get(const struct domain *d, u32 *weight, u32 *cap);

/* The CPUs that v may run on, bit n for CPU n. -EINVAL: none of them is there; -EBUSY: v is bound by SCHEDOP_pin_override. */
int vcpu_set_affinity(struct vcpu *v, u64 mask);
u64 vcpu_get_affinity(const struct vcpu *v);
/* SCHEDOP_pin_override: cpu < 0 ends it. -EINVAL: no such CPU, or not in force; -EBUSY: in force already. */
int vcpu_pin_override(struct vcpu *v, int cpu);

void sched_init_domain(struct domain *d);	/* ordinary share */
void sched_init_vcpu(struct vcpu *v);		/* all CPUs */

/* --- figures ------------------------------------------------------------------------------------------------------- */

u64 vcpu_run_ns(struct vcpu *v);	/* time that it has run */
u64 cpu_idle_ns(struct cpu *c);		/* time that the CPU had nothing to run */

/* While this is held no vCPU starts, stops or changes its runstate. Taken last but the console's. */
void sched_freeze(void);
void sched_thaw(void);

#endif

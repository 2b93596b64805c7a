/* SPDX-License-Identifier: MIT */
/*
 * A domain: memory, vCPUs, event channels, grants. It owns frames (frames.h); everything it
 * holds is reachable from here, so that destroying it returns all.
 */
#ifndef PARAVANE_DOMAIN_H
#define PARAVANE_DOMAIN_H

#include <spinlock.h>
#include <types.h>
#include <vcpu.h>

#define MAX_VCPUS 32	/* those that have a slot in shared_info */

struct evtchn_table;	/* ipc/evtchn.c */
struct fifo;
struct grant_table;	/* ipc/grant.c */

struct domain {
	domid_t id;
	bool privileged;	/* domain 0 */
	u8 shutdown_reason;
	bool is_shut_down;
	bool shutdown_code_fixed;	/* shutdown_reason was given in advance */
	bool dying;		/* for good: being destroyed */

	/* Scheduling (sched.h), under the scheduler's lock. */
	u32 pause_count;
	u32 weight, cap;
	u32 active;		/* vCPUs that run or are queued */
	bool throttled;		/* the cap's budget is used up, until the next refill */
	bool refilling;		/* `refill` is armed */
	s64 budget;		/* ns that are left of this period; below 0: owed by the next */
	struct timer refill;

	struct watchdog {
		struct timer timer;
		struct domain *domain;	/* NULL: not in use */
	} watchdog[2];
	u64 vm_assist;		/* bit n: VMASST_TYPE_n */
	u8 handle[16];

	/* memory; page_lock guards the list and the counts */
	struct spinlock page_lock;
	u32 page_list;		/* first owned frame, links in the frame table; 0: none */
	u64 pages, max_pages;	/* owned now, allowed */
	u32 page_mutex_holder;	/* slot+1 of the vCPU that validates or changes tables; others wait */
	struct spinlock l1_lock;	/* L1 entries are written under it, and L1 tables lose their validity under it */

	struct shared_info *shared_info;	/* hypervisor's mapping */
	mfn_t shared_info_mfn;
	struct evtchn_table *evtchn;
	struct fifo *fifo;	/* NULL: event channels are by the two-level ABI (ipc/evtchn_fifo.c) */
	u32 polling;		/* [a] bit v: vCPU v may be in SCHEDOP_poll */
	struct grant_table *grants;
	mfn_t pirq_eoi_mfn;	/* PHYSDEVOP_pirq_eoi_gmfn: holds a writable reference; 0: none */
	int vcpu_count;
	struct vcpu *vcpu[MAX_VCPUS];
	struct domain *next;
};

extern struct domain *dom0, *domains;	/* domains: the first, others by `next` */

struct domain *domain_create(domid_t id);	/* without memory or vCPUs; NULL: no memory for it */

/* The domain with this id (DOMID_SELF included), or NULL. */
struct domain *domain_find(domid_t id);

/* Ends the running domain for a fault of its own, with one line that says what and where. Takes effect on the way back to the guest. */
void domain_crash(struct domain *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void domain_shutdown(struct domain *d, int reason);

static inline bool vm_assist(const struct domain *d, int type)
{
	return d->vm_assist >> type & 1;
}

#endif

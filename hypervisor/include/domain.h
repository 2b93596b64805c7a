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
#define FIRST_RESERVED_ID 0x7ff0	/* ABI: DOMID_FIRST_RESERVED */
#define NO_SHUTDOWN_REASON 0xffff

struct xen_domctl_createdomain;	/* abi/domctl.h */
struct memory_region;
struct evtchn_table;	/* ipc/evtchn.c */
struct fifo;
struct grant_table;	/* ipc/grant.c */

/*
 * A domain's end. DYING: it gets nothing new, its vCPUs leave, what it has is given up. DEAD: all done, but others refer to
 * frames or grants of it. GONE: domain_find() knows it no more; pages of the hypervisor's that it was lent are still mapped by others.
 * As long as there is a struct domain its id is not given to another.
 */
enum { DOMAIN_ALIVE, DOMAIN_DYING, DOMAIN_DEAD, DOMAIN_GONE };

struct domain {
	domid_t id;
	bool privileged;	/* domain 0 */
	bool control;		/* named by domain 0: may manage others, too */
	bool xenstore;		/* createdomain's XEN_DOMCTL_CDF_xs_domain */
	u8 dying;		/* DOMAIN_* */
	u16 shutdown_reason;	/* SHUTDOWN_*, or NO_SHUTDOWN_REASON */
	bool is_shut_down;
	bool shutdown_code_fixed;	/* shutdown_reason was given in advance */

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
		struct domain *domain;
		bool used;	/* [a] */
	} watchdog[2];
	u64 vm_assist;		/* bit n: VMASST_TYPE_n */
	u8 handle[16];
	u32 misc_flags;		/* of createdomain */
	u32 controller_pauses;	/* XEN_DOMCTL_pausedomain's */
	s64 time_offset;	/* s, added to the wall clock */
	struct domain *next_dead;	/* destroy.c */
	u32 references;		/* of those who work for it across preemption, under domains_lock */

	/* memory; page_lock guards the list and the counts */
	struct spinlock page_lock;
	u32 page_list;		/* first owned frame, links in the frame table; 0: none */
	u64 pages, max_pages;	/* owned now, allowed */
	u32 lent_pages;		/* pages of the hypervisor's that it may map (share_frame_with()) */
	u32 lent_for_grants;	/* of a dead one: those of them that its grant table has */
	struct memory_region *memory_map;	/* XENMEM_set_memory_map's page, or NULL */
	u32 memory_map_count;	/* entries there */
	u32 page_mutex_holder;	/* slot+1 of the vCPU that validates or changes tables; others wait */
	struct spinlock l1_lock;	/* L1 entries are written under it, and L1 tables lose their validity under it */

	struct shared_info *shared_info;	/* hypervisor's mapping */
	mfn_t shared_info_mfn;
	struct evtchn_table *evtchn;
	struct fifo *fifo;	/* NULL: event channels are by the two-level ABI (ipc/evtchn_fifo.c) */
	u32 polling;		/* [a] bit v: vCPU v may be in SCHEDOP_poll */
	struct grant_table *grants;
	mfn_t pirq_eoi_mfn;	/* PHYSDEVOP_pirq_eoi_gmfn: holds a writable reference; 0: none */
	int vcpu_count;		/* one past the highest that exists */
	int max_vcpus;
	struct vcpu *vcpu[MAX_VCPUS];
};

extern struct domain *dom0;
extern struct spinlock domains_lock;	/* the table of domains, and what it says about them */

/*
 * Without memory or vCPUs, and paused unless it is domain 0. *error: -EINVAL, -EOPNOTSUPP: a configuration that no domain can have;
 * -ENOMEM.
 */
struct domain *domain_create(domid_t id, const struct xen_domctl_createdomain *config, int *error);

/*
 * The domain with this id (DOMID_SELF included), or NULL. Dying and dead ones, too. The pointer is good until the next preemption point,
 * unless one holds what keeps the domain: a reference on one of its frames, or one of domain_get().
 */
struct domain *domain_find(domid_t id);

struct domain *domain_lookup(domid_t id);	/* the same, even if it is gone; not DOMID_SELF */

/* The same with a reference, which keeps it until domain_put(). Never DOMID_SELF. */
struct domain *domain_get(domid_t id);
void domain_put(struct domain *d);

domid_t domain_free_id(domid_t wish);	/* the wished one or, 0, the next that is free; 0: none */
struct domain *domain_next(int id);	/* the first whose id is that or higher; good as domain_find()'s */
#define for_each_domain(d) for (struct domain *d = domain_next(0); d; d = domain_next(d->id + 1))

/* For its end; the first under domains_lock: the page to free when nobody looks at the table any more, or NULL. */
void *domain_table_remove(struct domain *d);
void domain_free_parts(struct domain *d);
void domain_wait_for_readers(void);	/* whoever found something in the table before has let go of it */
void forget_virq_handler(const struct domain *d);

/* Ends the running domain for a fault of its own, with one line that says what and where. Takes effect on the way back to the guest. */
void domain_crash(struct domain *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void domain_shutdown(struct domain *d, int reason);
void domain_resume(struct domain *d);	/* after domain_shutdown(), while it is paused */

/* A VIRQ of the machine, to the domain that takes care of it. */
void send_global_virq(int virq);
int set_virq_handler(struct domain *d, u32 virq);	/* 0, -EINVAL */

/* --- domain/destroy.c --------------------------------------------------------------------------- */

/* Gives back all that d holds; 0. -EINVAL: the caller's own. Preemptible. */
int domain_destroy(struct domain *d);
slow_path void domain_let_go(void);	/* something that may have kept a dead one is gone; from any context */
void domains_reap(void);		/* WORK_REAP: those that nothing keeps any more vanish */

/* Those that exist. */
#define VM_ASSIST(name) (1ull << VMASST_TYPE_##name)
#define VM_ASSISTS (VM_ASSIST(4gb_segments) | VM_ASSIST(4gb_segments_notify) | VM_ASSIST(writable_pagetables) | \
		    VM_ASSIST(pae_extended_cr3) | VM_ASSIST(architectural_iopl) | VM_ASSIST(runstate_update_flag) | \
		    VM_ASSIST(m2p_strict))

/*
 * May `by` manage the other domain: build, change, look into, end it? Domain 0 any; one that it has named all that are not such themselves,
 * so that no two wait for each other's end.
 */
static inline bool may_manage(const struct domain *by, const struct domain *other)
{
	return by->privileged || (by->control && !other->privileged && !other->control);
}

static inline bool vm_assist(const struct domain *d, int type)
{
	return d->vm_assist >> type & 1;
}

#endif

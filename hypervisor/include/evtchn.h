/* SPDX-License-Identifier: MIT */
/*
 * Event channels inside the hypervisor. A domain's ports lie in buckets of a page, made as they are needed:
 *
 *     d->evtchn -> struct evtchn_table { bucket[] -> struct evtchn[256] }
 *
 * Locks: `lock` of a domain's table guards the state of its ports; whoever changes both ends of a channel holds both
 * tables' locks, so a port stays bound to its peer while either is held. Only under `binding_lock` (evtchn.c), which is
 * taken before, does anyone hold two. `fifo_lock`, taken inside, guards d->fifo and its queues. The bits that tell the guest
 * are set by atomic operations.
 */
#ifndef PARAVANE_EVTCHN_H
#define PARAVANE_EVTCHN_H

#include <abi/event_channel.h>
#include <domain.h>
#include <spinlock.h>
#include <types.h>
#include <vcpu.h>

/* One port. */
struct evtchn {
	u8 state;		/* EVTCHNSTAT_* */
	u8 vcpu;		/* whom it notifies */
	u16 priority : 4;	/* FIFO: its queue from now on */
	u16 queue : 4, queue_vcpu : 7;	/* FIFO: the queue that it was linked to last */
	u16 deferred : 1;	/* FIFO: raised when it had no event word yet */
	union {
		u32 sends_to;	/* interdomain: the peer's port; ipi: the port itself */
		u32 remote_domid;	/* unbound: who may bind */
		u32 virq;
		u32 pirq;
	};
	struct vcpu *notifies;	/* whom a send on this port notifies: interdomain, the peer's vCPU; ipi, its own; else NULL */
};

#define EVTCHNS_PER_BUCKET (PAGE_SIZE / sizeof(struct evtchn))
#define EVTCHN_BUCKETS 496
#define EVTCHN_MAX_PORTS (EVTCHN_BUCKETS * EVTCHNS_PER_BUCKET)
#define POLL_SEVERAL (~0u)	/* v->poll_port: more than one port, or none */

struct evtchn_table {
	struct spinlock lock, fifo_lock;
	u32 ports;		/* those below have a bucket */
	u32 limit;		/* of the ABI in force and the domain's; 0: it is being destroyed */
	u32 most;		/* the domain's own, whatever the ABI */
	u32 first_free;		/* no port below it is closed */
	u32 open;		/* ports that are not closed */
	u64 full[EVTCHN_BUCKETS / 64 + 1];	/* bit n: no port of bucket n is closed */
	struct fifo *fifo_spare;	/* kept when a reset ends the FIFO ABI */
	struct evtchn *bucket[EVTCHN_BUCKETS];
};

static inline struct evtchn *evtchn_at(struct evtchn_table *t, u32 port)
{
	return &t->bucket[port / EVTCHNS_PER_BUCKET][port % EVTCHNS_PER_BUCKET];
}

static inline struct evtchn *evtchn_lookup(struct evtchn_table *t, u32 port)
{
	return port < t->ports ? evtchn_at(t, port) : NULL;
}

int evtchn_init(struct domain *d);	/* 0 or -ENOMEM; shared_info is there */
void evtchn_set_limit(struct domain *d, u32 highest);	/* the highest port that it may have: before it has any */
/*
 * Closes a dying domain's ports: what they were bound to is unbound, with the dead domain as the one who may bind. Its vCPUs do not run
 * any more; shared_info and their vcpu_info are still there. Preemptible; nothing is left but the empty table, in which others still
 * look as long as they find the domain: that goes with evtchn_free().
 */
void evtchn_destroy(struct domain *d);
void evtchn_free(struct domain *d);

/* Virtual interrupts; nothing happens if the guest has not bound them. From any context that holds no evtchn lock. */
void send_guest_virq(struct domain *d, int virq);	/* per-domain ones */
void send_vcpu_virq(struct vcpu *v, int virq);		/* per-vCPU ones */

/* Physical interrupts, domain 0's; nothing happens if it has not bound them. */
void send_pirq(u32 pirq);
void unmask_pirq(u32 pirq);	/* the port, as EVTCHNOP_unmask does */

/* An upcall has to be delivered before v runs on. */
static inline bool evtchn_upcall_due(const struct vcpu *v)
{
	return READ_ONCE(v->info->evtchn_upcall_pending) && !READ_ONCE(v->info->evtchn_upcall_mask);
}

int evtchn_poll(struct domain *d, u32 port);	/* 1: pending, 0: not, -EINVAL: no such port */
void wake_pollers(struct domain *d, u32 port);	/* an event came: ends SCHEDOP_poll of those that wait for it */
void evtchn_mark_pending(struct vcpu *v);	/* sets evtchn_upcall_pending and makes v look */

/* --- ipc/evtchn_fifo.c: under the table's lock, except the first three ---------------------------------- */

int fifo_init_control(struct domain *d, struct vcpu *v, u64 gfn, u32 offset);	/* preemptible, */
int fifo_expand_array(struct domain *d, u64 gfn);	/* both */
slow_path bool fifo_raise(struct domain *d, u32 port, struct evtchn *e);	/* false: the FIFO ABI has just ended */
bool fifo_is_pending(struct domain *d, u32 port);
slow_path bool fifo_is_linked(struct domain *d, u32 port);
slow_path void fifo_clear_pending(struct domain *d, u32 port);
slow_path bool fifo_unmask(struct domain *d, u32 port);	/* true: it was pending */
void fifo_set_priority(struct domain *d, struct evtchn *e, u32 priority);
void fifo_leave(struct domain *d);		/* back to the two-level ABI: no port is open */

#endif

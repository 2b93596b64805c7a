/* SPDX-License-Identifier: MIT */
/*
 * Event channels: ports, what they are bound to, and the two-level ABI by which a guest sees that they
 * are pending (evtchn.h has the structures and locks, evtchn_fifo.c the other ABI).
 *
 * Invariants, under the table's lock
 *   1. Port a of domain A is interdomain to port b of B if and only if b is interdomain to a of A; then a.notifies is the
 *      vCPU that b names, and the other way about.
 *   2. v->virq_port[q] is p != 0 if and only if port p is bound to virtual interrupt q and was bound on v: vCPU 0 for those of
 *      a domain, else the vCPU that p notifies.
 *   3. A port of domain 0 is bound to pirq q if and only if pirq_port(q) is that port (pirq.c).
 *   4. Port 0 is closed for ever; a closed port notifies vCPU 0 and is not pending.
 */
#include <abi/event_channel.h>
#include <abi/xen.h>
#include <cpu.h>
#include <evtchn.h>
#include <frames.h>
#include <hypercall.h>
#include <pirq.h>
#include <uaccess.h>

static struct spinlock binding_lock;	/* evtchn.h */

/* --- atomic bits in memory that the guest shares ------------------------------------------------------ */

static inline bool test_and_set_bit(void *words, u64 bit)
{
	asm goto("lock btsq %1, %0\n\tjc %l2" : : "m"(*(u64 *)words), "r"(bit) : "memory", "cc" : was_set);
	return false;
was_set:
	return true;
}

static inline bool test_and_clear_bit(void *words, u64 bit)
{
	bool was;

	asm volatile("lock btrq %2, %0" : "+m"(*(u64 *)words), "=@ccc"(was) : "r"(bit) : "memory");
	return was;
}

static inline bool test_bit(const void *words, u64 bit)
{
	bool is;

	asm volatile("btq %2, %1" : "=@ccc"(is) : "m"(*(const u64 *)words), "r"(bit) : "memory");
	return is;
}

/* --- telling the guest ----------------------------------------------------------------------------------- */

/*
 * Whether the upcall is newly pending. A guest clears evtchn_upcall_pending before it looks for what is pending. So if it is
 * found set here, after that was made visible, the guest has yet to look.
 */
static inline bool set_upcall_pending(struct vcpu_info *info)
{
	if (READ_ONCE(info->evtchn_upcall_pending))
		return false;
	WRITE_ONCE(info->evtchn_upcall_pending, 1);
	return true;
}

void evtchn_mark_pending(struct vcpu *v)
{
	if (set_upcall_pending(v->info))
		vcpu_kick(v);
}

/*
 * A bit of `polling` without a poller is stale and goes. But one may begin to poll between the two steps, and miss an event for want of the
 * bit: so whoever is found polling after it has gone is woken, for nothing at the worst.
 */
void wake_pollers(struct domain *d, u32 port)
{
	for (u32 rest = READ_ONCE(d->polling); rest; rest &= rest - 1) {
		struct vcpu *v = d->vcpu[__builtin_ctz(rest)];
		u32 waits_for = READ_ONCE(v->poll_port);

		if (waits_for && waits_for != port && waits_for != POLL_SEVERAL)
			continue;
		__atomic_and_fetch(&d->polling, ~(1u << v->id), __ATOMIC_SEQ_CST);
		if (READ_ONCE(v->poll_port)) {
			WRITE_ONCE(v->poll_port, 0);
			vcpu_wake(v);
		}
	}
}

/* Shows v an unmasked, pending port: whether its upcall is newly pending. */
static inline bool select_2l(struct vcpu *v, u64 port)
{
	struct vcpu_info *info = v->info;

	return !test_and_set_bit(&info->evtchn_pending_sel, port / 64) && set_upcall_pending(info);
}

static slow_path void raise_fifo(struct vcpu *v, u32 port);

static slow_path void wake(struct vcpu *v, u32 port, bool upcall)
{
	if (upcall)
		vcpu_kick(v);
	wake_pollers(v->domain, port);
}

/*
 * The domain may enter the FIFO ABI meanwhile. It does so before it takes what is pending out of the bitmap: so either it takes this
 * event, or the change is seen here.
 */
static inline void raise_2l(struct vcpu *v, u64 port, const struct vcpu *running)
{
	struct shared_info *shared = v->domain->shared_info;

	if (test_and_set_bit(shared->evtchn_pending, port))
		return;
	if (unlikely(READ_ONCE(v->domain->fifo)))
		raise_fifo(v, port);
	else if (!test_bit(shared->evtchn_mask, port) && select_2l(v, port) && unlikely(v != running))
		wake(v, port, true);
	else if (unlikely(READ_ONCE(v->domain->polling)))
		wake(v, port, false);
}

static slow_path void raise_fifo(struct vcpu *v, u32 port)
{
	struct domain *d = v->domain;

	if (!fifo_raise(d, port, evtchn_at(d->evtchn, port)))
		raise_2l(v, port, current);
	else if (READ_ONCE(d->polling))
		wake_pollers(d, port);
}

/* An event on a port of v's domain which notifies v. It stays open while this runs: its table's lock is held, or its peer's. */
static inline void raise(struct vcpu *v, u64 port, const struct vcpu *running)
{
	if (unlikely(v->domain->fifo))
		raise_fifo(v, port);
	else
		raise_2l(v, port, running);
}

int evtchn_poll(struct domain *d, u32 port)
{
	struct evtchn_table *t = d->evtchn;
	int pending = -EINVAL;

	spin_lock(&t->lock);
	if (port < t->ports)
		pending = d->fifo ? fifo_is_pending(d, port) : test_bit(d->shared_info->evtchn_pending, port);
	spin_unlock(&t->lock);
	return pending;
}

/* --- ports: under the table's lock ---------------------------------------------------------------------------- */

static slow_path int bucket_make(struct evtchn_table *t)
{
	u32 i = t->ports / EVTCHNS_PER_BUCKET;

	if (t->ports >= t->limit)
		return -ENOSPC;
	if (!t->bucket[i])
		t->bucket[i] = alloc_page();
	if (!t->bucket[i])
		return -ENOMEM;
	t->ports = min(t->ports + (u32)EVTCHNS_PER_BUCKET, t->limit);
	return 0;
}

#define MOST_WAITING 1024

/* The next port to look at, after a bucket's last or within it. A bucket that was seen from its start is full if there is no other. */
static slow_path u32 next_port(struct evtchn_table *t, u32 port, bool none_closed)
{
	if (++port % EVTCHNS_PER_BUCKET)
		return port;
	if (none_closed)
		t->full[(port - 1) / EVTCHNS_PER_BUCKET / 64] |= 1ull << (port - 1) / EVTCHNS_PER_BUCKET % 64;
	while (port < t->ports && t->full[port / EVTCHNS_PER_BUCKET / 64] >> port / EVTCHNS_PER_BUCKET % 64 & 1)
		port += EVTCHNS_PER_BUCKET;
	return port;
}

/*
 * Opens the lowest closed port: the port, or -ENOSPC, -ENOMEM. One whose event word is still in a FIFO queue waits, and
 * a guest that keeps many waiting gets none. `what` is the state's member of the union.
 */
static inline int port_open(struct domain *d, u8 state, u8 vcpu, u32 what)
{
	struct evtchn_table *t = d->evtchn;
	u32 port = t->first_free, waiting = 0, first = 0;
	struct evtchn *e;
	int error;

	for (;; port = next_port(t, port, !waiting)) {
		if (unlikely(port >= t->ports) && (error = bucket_make(t)))
			return error;
		e = evtchn_at(t, port);
		if (e->state != EVTCHNSTAT_closed)
			continue;
		if (likely(!d->fifo) || !fifo_is_linked(d, port))
			break;
		first = first ? first : port;
		if (++waiting > MOST_WAITING)
			return -ENOSPC;
	}
	t->first_free = first ? first : port + 1;
	t->open++;
	e->state = state;
	e->vcpu = vcpu;
	e->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
	e->virq = what;
	return port;
}

static inline void port_close(struct domain *d, u32 port, struct evtchn *e)
{
	struct evtchn_table *t = d->evtchn;

	e->state = EVTCHNSTAT_closed;
	e->vcpu = 0;
	e->deferred = 0;
	e->notifies = NULL;
	if (unlikely(d->fifo))
		fifo_clear_pending(d, port);
	else
		test_and_clear_bit(d->shared_info->evtchn_pending, port);
	t->first_free = min(t->first_free, port);
	t->full[port / EVTCHNS_PER_BUCKET / 64] &= ~(1ull << port / EVTCHNS_PER_BUCKET % 64);
	t->open--;
}

/* --- whom an operation is about ---------------------------------------------------------------------------------- */

static slow_path struct domain *any_domain(domid_t id)
{
	return domain_find(id);
}

/* Another domain than DOMID_SELF, if the caller may mean it; NULL: domain_refused() says why. */
static slow_path struct domain *other_domain(struct vcpu *v, domid_t id)
{
	struct domain *d = domain_find(id);

	return d && (d == v->domain || may_manage(v->domain, d)) ? d : NULL;
}

static slow_path long domain_refused(domid_t id)
{
	return domain_find(id) ? -EPERM : -ESRCH;
}

static struct vcpu *vcpu_of(struct domain *d, u32 id)
{
	return id < MAX_VCPUS ? d->vcpu[id] : NULL;
}

/* --- send, unmask, status: the frequent ones ---------------------------------------------------------------- */

static inline long send(struct vcpu *v, u64 arg)
{
	struct evtchn_table *t = v->domain->evtchn;
	long result = 0;
	struct evtchn *e;
	u32 port;

	if (unlikely(get_guest_u32(&port, arg)))
		return -EFAULT;
	spin_lock(&t->lock);
	if (unlikely(port >= t->ports))
		result = -EINVAL;
	else if (likely((e = evtchn_at(t, port))->notifies))
		raise(e->notifies, e->sends_to, v);
	else if (e->state != EVTCHNSTAT_unbound)
		result = -EINVAL;
	spin_unlock(&t->lock);
	return result;
}

static slow_path void unmask_fifo(struct domain *d, u32 port)
{
	if (fifo_unmask(d, port))
		fifo_raise(d, port, evtchn_at(d->evtchn, port));
}

static inline void unmask_port(struct domain *d, u32 port, const struct vcpu *running)
{
	struct vcpu *notified;

	if (unlikely(d->fifo)) {
		unmask_fifo(d, port);
	} else if (test_and_clear_bit(d->shared_info->evtchn_mask, port) && test_bit(d->shared_info->evtchn_pending, port)) {
		notified = d->vcpu[evtchn_at(d->evtchn, port)->vcpu];
		if (select_2l(notified, port) && unlikely(notified != running))
			wake(notified, port, true);
	}
}

static __attribute__((noinline)) long unmask(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	struct evtchn_table *t = d->evtchn;
	long result = 0;
	u32 port;

	if (unlikely(get_guest_u32(&port, arg)))
		return -EFAULT;
	spin_lock(&t->lock);
	if (unlikely(port >= t->ports))
		result = -EINVAL;
	else
		unmask_port(d, port, v);
	spin_unlock(&t->lock);
	return result;
}

/* The last word of status's structure. */
static inline u64 describe(const struct evtchn *e)
{
	if (likely(e->state == EVTCHNSTAT_interdomain))
		return e->notifies->domain->id | (u64)e->sends_to << 32;
	return e->state && e->state <= EVTCHNSTAT_virq ? e->virq : 0;	/* all but closed and ipi: one member of the union */
}

static __attribute__((noinline)) long status(struct vcpu *v, u64 arg)
{
	u64 in, state_vcpu, what;
	struct evtchn_table *t;
	struct domain *d = v->domain;
	struct evtchn *e;

	if (unlikely(get_guest_u64(&in, arg)))
		return -EFAULT;
	if (unlikely((domid_t)in != DOMID_SELF) && !(d = other_domain(v, in)))
		return domain_refused(in);
	t = d->evtchn;
	spin_lock(&t->lock);
	if (unlikely(in >> 32 >= t->ports)) {
		spin_unlock(&t->lock);
		return -EINVAL;
	}
	e = evtchn_at(t, in >> 32);
	state_vcpu = e->state | (u64)e->vcpu << 32;
	what = describe(e);
	spin_unlock(&t->lock);
	user_access_begin();
	raw_put_u64(state_vcpu, arg + offsetof(struct evtchn_status, status), fault);
	raw_put_u64(what, arg + offsetof(struct evtchn_status, u), fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* --- making and ending bindings --------------------------------------------------------------------------- */

static bool virq_is_global(u32 virq)
{
	return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

static inline struct evtchn *peer_of(const struct evtchn *e)
{
	return evtchn_at(e->notifies->domain->evtchn, e->sends_to);
}

/* Locks d's table and, if that is another, rd's. */
static inline void lock_both(struct domain *d, struct domain *rd)
{
	spin_lock(&binding_lock);
	spin_lock(&d->evtchn->lock);
	if (unlikely(rd != d))
		spin_lock(&rd->evtchn->lock);
}

static inline void unlock_both(struct domain *d, struct domain *rd)
{
	if (unlikely(rd != d))
		spin_unlock(&rd->evtchn->lock);
	spin_unlock(&d->evtchn->lock);
	spin_unlock(&binding_lock);
}

/* Locks d's table and that of the domain to which the port is bound: the port if it is open, or NULL. */
static inline struct evtchn *lock_channel(struct domain *d, u32 port, struct domain **rd)
{
	struct evtchn *e;

	lock_both(d, d);
	*rd = d;
	e = evtchn_lookup(d->evtchn, port);
	if (!e || e->state == EVTCHNSTAT_closed)
		return NULL;
	if (e->state == EVTCHNSTAT_interdomain && unlikely(e->notifies->domain != d)) {
		*rd = e->notifies->domain;
		spin_lock(&(*rd)->evtchn->lock);
	}
	return e;
}

static slow_path void unbind_interrupt(struct domain *d, const struct evtchn *e)
{
	if (e->state == EVTCHNSTAT_pirq)
		pirq_unbind(e->pirq);
	else
		d->vcpu[virq_is_global(e->virq) ? 0 : e->vcpu]->virq_port[e->virq] = 0;
}

/* Closes a port of d; the other end of its channel is unbound again. -EINVAL: it is not open. */
static __attribute__((noinline)) long close_port(struct domain *d, u32 port)
{
	struct domain *rd;
	struct evtchn *e = lock_channel(d, port, &rd), *peer;

	if (likely(e)) {
		if (e->state == EVTCHNSTAT_interdomain) {
			peer = peer_of(e);
			peer->state = EVTCHNSTAT_unbound;
			peer->notifies = NULL;
			peer->remote_domid = d->id;
		} else if (e->state == EVTCHNSTAT_virq || e->state == EVTCHNSTAT_pirq) {
			unbind_interrupt(d, e);
		}
		port_close(d, port, e);
	}
	unlock_both(d, rd);
	return e ? 0 : -EINVAL;
}

static inline long close(struct vcpu *v, u64 arg)
{
	u32 port;

	return unlikely(get_guest_u32(&port, arg)) ? -EFAULT : close_port(v->domain, port);
}

static slow_path long take_back(struct domain *d, u32 port)
{
	close_port(d, port);
	return -EFAULT;
}

/* Tells the guest its new port; one that it cannot be told of is closed again. */
static inline long give_port(struct domain *d, int port, u64 address)
{
	if (unlikely(port < 0))
		return port;
	return likely(!put_guest_u32(port, address)) ? 0 : take_back(d, port);
}

static __attribute__((noinline)) long alloc_unbound(struct vcpu *v, u64 arg)
{
	domid_t remote;
	struct domain *d = v->domain;
	u64 doms;
	int port;

	if (unlikely(get_guest_u64(&doms, arg)))
		return -EFAULT;
	if (unlikely((domid_t)doms != DOMID_SELF) && !(d = other_domain(v, doms)))
		return domain_refused(doms);
	remote = doms >> 16;
	spin_lock(&d->evtchn->lock);
	port = -ESRCH;
	if (likely(d->evtchn->limit))
		port = port_open(d, EVTCHNSTAT_unbound, 0, remote == DOMID_SELF ? v->domain->id : remote);
	spin_unlock(&d->evtchn->lock);
	return give_port(d, port, arg + offsetof(struct evtchn_alloc_unbound, port));
}

/* Under both locks. The new port is pending because the other side may have sent before. */
static inline int connect(struct domain *d, struct domain *rd, u32 rport)
{
	struct evtchn *l, *r = evtchn_lookup(rd->evtchn, rport);
	int port;

	if (unlikely(!r || r->state != EVTCHNSTAT_unbound || r->remote_domid != d->id))
		return -EINVAL;
	port = port_open(d, EVTCHNSTAT_interdomain, 0, rport);
	if (unlikely(port < 0))
		return port;
	l = evtchn_at(d->evtchn, port);
	l->notifies = rd->vcpu[r->vcpu];
	r->state = EVTCHNSTAT_interdomain;
	r->notifies = d->vcpu[0];
	r->sends_to = port;
	raise(d->vcpu[0], port, current);
	return port;
}

static __attribute__((noinline)) long bind_interdomain(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain, *rd = d;
	u64 dom_port;
	int port;

	if (unlikely(get_guest_u64(&dom_port, arg)))
		return -EFAULT;
	if (unlikely((domid_t)dom_port != DOMID_SELF) && (!(rd = any_domain(dom_port)) || !rd->vcpu[0]))
		return -ESRCH;
	lock_both(d, rd);
	port = connect(d, rd, dom_port >> 32);
	unlock_both(d, rd);
	return give_port(d, port, arg + offsetof(struct evtchn_bind_interdomain, local_port));
}

static long bind_virq(struct domain *d, u64 arg)
{
	struct vcpu *target;
	u64 virq_vcpu;
	u32 virq, id;
	int port;

	if (get_guest_u64(&virq_vcpu, arg))
		return -EFAULT;
	virq = virq_vcpu;
	id = virq_vcpu >> 32;
	if (virq >= NR_VIRQS || (virq_is_global(virq) && id))
		return -EINVAL;
	target = vcpu_of(d, id);
	if (!target)
		return -ENOENT;
	spin_lock(&d->evtchn->lock);
	port = target->virq_port[virq] ? -EEXIST : port_open(d, EVTCHNSTAT_virq, id, virq);
	if (port > 0)
		target->virq_port[virq] = port;
	spin_unlock(&d->evtchn->lock);
	return give_port(d, port, arg + offsetof(struct evtchn_bind_virq, port));
}

static long bind_ipi(struct domain *d, u64 arg)
{
	struct evtchn *e;
	int port;
	u32 id;

	if (get_guest_u32(&id, arg))
		return -EFAULT;
	if (!vcpu_of(d, id))
		return -ENOENT;
	spin_lock(&d->evtchn->lock);
	port = port_open(d, EVTCHNSTAT_ipi, id, 0);
	if (port > 0) {
		e = evtchn_at(d->evtchn, port);
		e->sends_to = port;
		e->notifies = d->vcpu[id];
	}
	spin_unlock(&d->evtchn->lock);
	return give_port(d, port, arg + offsetof(struct evtchn_bind_ipi, port));
}

static long bind_pirq(struct domain *d, u64 arg)
{
	struct evtchn_bind_pirq op;
	int port, error;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!d->privileged)
		return op.pirq < NR_PIRQS ? -EPERM : -EINVAL;
	spin_lock(&d->evtchn->lock);
	port = port_open(d, EVTCHNSTAT_pirq, 0, op.pirq);
	if (port > 0) {
		error = pirq_bind(op.pirq, port, d->vcpu[0]->cpu);
		if (error) {
			port_close(d, port, evtchn_at(d->evtchn, port));
			port = error;
		}
	}
	spin_unlock(&d->evtchn->lock);
	return give_port(d, port, arg + offsetof(struct evtchn_bind_pirq, port));
}

static long bind_vcpu(struct domain *d, u64 arg)
{
	struct domain *rd;
	struct vcpu *target;
	struct evtchn *e;
	u64 port_vcpu;
	bool movable;

	if (get_guest_u64(&port_vcpu, arg))
		return -EFAULT;
	target = vcpu_of(d, port_vcpu >> 32);
	if (!target)
		return -ENOENT;
	e = lock_channel(d, port_vcpu, &rd);
	movable = e && e->state != EVTCHNSTAT_ipi && (e->state != EVTCHNSTAT_virq || virq_is_global(e->virq));
	if (movable) {
		e->vcpu = target->id;
		if (e->state == EVTCHNSTAT_interdomain)
			peer_of(e)->notifies = target;
		else if (e->state == EVTCHNSTAT_pirq)
			pirq_move(e->pirq, target->cpu);
	}
	unlock_both(d, rd);
	return movable ? 0 : -EINVAL;
}

/*
 * Closes all ports of the domain with that id, which may end meanwhile. A port that another vCPU opens meanwhile may survive; then
 * the FIFO ABI stays, too.
 */
static void close_all(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;
	domid_t id = d->id;

	for (u32 port = 1; port < t->ports; port++) {
		if (evtchn_at(t, port)->state != EVTCHNSTAT_closed)
			close_port(d, port);
		if (port % EVTCHNS_PER_BUCKET == 0) {
			preempt_point();
			if (unlikely(domain_find(id) != d))
				return;
		}
	}
	spin_lock(&t->lock);
	if (d->fifo && !t->open)
		fifo_leave(d);
	spin_unlock(&t->lock);
}

static __attribute__((noinline)) long reset(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	struct evtchn_reset op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.dom != DOMID_SELF && !(d = other_domain(v, op.dom)))
		return domain_refused(op.dom);
	if (d != v->domain && !d->controller_pauses)
		return -EINVAL;
	close_all(d);
	return 0;
}

/* --- the FIFO ABI's sub-operations --------------------------------------------------------------------------- */

static long init_control(struct domain *d, u64 arg)
{
	struct evtchn_init_control op;
	struct vcpu *target;
	long result;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	target = vcpu_of(d, op.vcpu);
	if (!target)
		return -ENOENT;
	result = fifo_init_control(d, target, op.control_gfn, op.offset);
	op.link_bits = EVTCHN_FIFO_LINK_BITS;
	return !result && copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : result;
}

static long expand_array(struct domain *d, u64 arg)
{
	u64 gfn;

	return get_guest_u64(&gfn, arg) ? -EFAULT : fifo_expand_array(d, gfn);
}

static long set_priority(struct domain *d, u64 arg)
{
	struct evtchn *e;
	long result = 0;
	u64 port_priority;

	if (get_guest_u64(&port_priority, arg))
		return -EFAULT;
	spin_lock(&d->evtchn->lock);
	e = evtchn_lookup(d->evtchn, port_priority);
	if (e && !d->fifo)
		result = -ENOSYS;
	else if (!e || port_priority >> 32 > EVTCHN_FIFO_PRIORITY_MIN)
		result = -EINVAL;
	else
		fifo_set_priority(d, e, port_priority >> 32);
	spin_unlock(&d->evtchn->lock);
	return result;
}

/* --- dispatch -------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) long other_ops(u32 op, u64 arg, struct domain *d)
{
	switch (op) {
	case EVTCHNOP_bind_virq:
		return bind_virq(d, arg);
	case EVTCHNOP_bind_pirq:
		return bind_pirq(d, arg);
	case EVTCHNOP_bind_ipi:
		return bind_ipi(d, arg);
	case EVTCHNOP_bind_vcpu:
		return bind_vcpu(d, arg);
	case EVTCHNOP_init_control:
		return init_control(d, arg);
	case EVTCHNOP_expand_array:
		return expand_array(d, arg);
	case EVTCHNOP_set_priority:
		return set_priority(d, arg);
	}
	return -ENOSYS;
}

long do_event_channel_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	u32 op = cmd;

	if (likely(op == EVTCHNOP_send))
		return send(v, arg);
	if (op == EVTCHNOP_status)
		return status(v, arg);
	if (op == EVTCHNOP_unmask)
		return unmask(v, arg);
	if (op == EVTCHNOP_close)
		return close(v, arg);
	if (op == EVTCHNOP_alloc_unbound)
		return alloc_unbound(v, arg);
	if (op == EVTCHNOP_bind_interdomain)
		return bind_interdomain(v, arg);
	if (op == EVTCHNOP_reset)
		return reset(v, arg);
	return other_ops(op, arg, v->domain);
}

/* --- for the rest of the hypervisor --------------------------------------------------------------------------- */

void send_vcpu_virq(struct vcpu *v, int virq)
{
	struct evtchn_table *t = v->domain->evtchn;
	u32 port;

	spin_lock(&t->lock);
	port = v->virq_port[virq];
	if (port)
		raise(v->domain->vcpu[evtchn_at(t, port)->vcpu], port, current);
	spin_unlock(&t->lock);
}

void send_pirq(u32 pirq)
{
	struct evtchn_table *t = dom0->evtchn;
	u32 port;

	spin_lock(&t->lock);
	port = pirq_port(pirq);
	if (port)
		raise(dom0->vcpu[evtchn_at(t, port)->vcpu], port, current);
	spin_unlock(&t->lock);
}

void unmask_pirq(u32 pirq)
{
	u32 port;

	spin_lock(&dom0->evtchn->lock);
	port = pirq_port(pirq);
	if (port)
		unmask_port(dom0, port, current);
	spin_unlock(&dom0->evtchn->lock);
}

/* They are bound on vCPU 0, whichever vCPU their port notifies. */
void send_guest_virq(struct domain *d, int virq)
{
	if (d->vcpu[0])
		send_vcpu_virq(d->vcpu[0], virq);
}

int evtchn_init(struct domain *d)
{
	struct evtchn_table *t = alloc_page();

	BUILD_ASSERT(sizeof(*t) <= PAGE_SIZE);
	BUILD_ASSERT(sizeof(struct evtchn) == 16);
	if (!t)
		return -ENOMEM;
	t->most = EVTCHN_MAX_PORTS;
	t->limit = EVTCHN_2L_NR_CHANNELS;
	t->first_free = 1;
	if (bucket_make(t)) {
		free_page(t);
		return -ENOMEM;
	}
	d->evtchn = t;
	return 0;
}

void evtchn_set_limit(struct domain *d, u32 highest)
{
	struct evtchn_table *t = d->evtchn;

	t->most = min(max(highest, 1u), (u32)EVTCHN_MAX_PORTS - 1) + 1;
	t->limit = min(t->limit, t->most);
	t->ports = min(t->ports, t->limit);
}

/* No port opens any more; then those that are open close. Others may bind to one meanwhile, but only until it is its turn. */
void evtchn_destroy(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;

	spin_lock(&t->lock);
	t->most = t->limit = 0;
	spin_unlock(&t->lock);
	for (u32 port = 1; port < t->ports; port++) {
		if (evtchn_at(t, port)->state != EVTCHNSTAT_closed)
			close_port(d, port);
		if (port % EVTCHNS_PER_BUCKET == 0)
			preempt_point();
	}
	spin_lock(&t->lock);
	t->ports = 0;
	if (d->fifo)
		fifo_leave(d);
	spin_unlock(&t->lock);
	for (u32 i = 0; i < EVTCHN_BUCKETS && t->bucket[i]; i++) {
		free_page(t->bucket[i]);
		t->bucket[i] = NULL;
	}
	if (t->fifo_spare)
		free_page(t->fifo_spare);
	t->fifo_spare = NULL;
}

void evtchn_free(struct domain *d)
{
	free_page(d->evtchn);
	d->evtchn = NULL;
}

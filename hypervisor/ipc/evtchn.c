/* SPDX-License-Identifier: MIT */
/*
 * Event channels: ports, what they are bound to, and the two-level ABI by which a guest sees that they
 * are pending (evtchn.h has the structures and locks, evtchn_fifo.c the other ABI).
 *
 * Invariants, under the table's lock
 *   1. Port a of domain A is interdomain to port b of B if and only if b is interdomain to a of A.
 *   2. v->virq_port[q] is p != 0 if and only if port p is bound to virtual interrupt q and was bound on v.
 *   3. Port 0 is closed for ever; a closed port notifies vCPU 0 and is not pending.
 */
#include <abi/event_channel.h>
#include <abi/xen.h>
#include <cpu.h>
#include <evtchn.h>
#include <frames.h>
#include <hypercall.h>
#include <uaccess.h>

#define NR_PIRQS 256

/* --- atomic bits in memory that the guest shares ------------------------------------------------------ */

static inline bool test_and_set_bit(void *words, u64 bit)
{
	bool was;

	asm volatile("lock btsq %2, %0" : "+m"(*(u64 *)words), "=@ccc"(was) : "r"(bit) : "memory");
	return was;
}

static inline bool test_and_clear_bit(void *words, u64 bit)
{
	bool was;

	asm volatile("lock btrq %2, %0" : "+m"(*(u64 *)words), "=@ccc"(was) : "r"(bit) : "memory");
	return was;
}

static inline bool test_bit(const u64 *words, u64 bit)
{
	return READ_ONCE(words[bit / 64]) >> bit % 64 & 1;
}

/* --- telling the guest ----------------------------------------------------------------------------------- */

/*
 * A guest clears evtchn_upcall_pending before it takes evtchn_pending_sel. So if it is found set here, after the
 * selector was, the guest has yet to look.
 */
void evtchn_mark_pending(struct vcpu *v)
{
	struct vcpu_info *info = v->info;

	if (READ_ONCE(info->evtchn_upcall_pending))
		return;
	WRITE_ONCE(info->evtchn_upcall_pending, 1);
	if (unlikely(v != current))
		vcpu_kick(v);
}

/* Ends SCHEDOP_poll of those that wait for the port. A bit of `polling` without a poller is stale and goes. */
static __attribute__((noinline, cold)) void wake_pollers(struct domain *d, u32 port)
{
	struct evtchn_table *t = d->evtchn;

	for (u32 rest = READ_ONCE(t->polling); rest; rest &= rest - 1) {
		struct vcpu *v = d->vcpu[__builtin_ctz(rest)];
		u32 waits_for = READ_ONCE(v->poll_port);

		if (waits_for && waits_for != port && waits_for != POLL_SEVERAL)
			continue;
		__atomic_and_fetch(&t->polling, ~(1u << v->id), __ATOMIC_SEQ_CST);
		if (waits_for) {
			WRITE_ONCE(v->poll_port, 0);
			vcpu_wake(v);
		}
	}
}

static inline void select_2l(struct vcpu *v, u32 port)
{
	if (!test_and_set_bit(&v->info->evtchn_pending_sel, port / 64))
		evtchn_mark_pending(v);
}

static inline void raise_2l(struct domain *d, u32 port, struct evtchn *e)
{
	struct shared_info *shared = d->shared_info;

	if (test_and_set_bit(shared->evtchn_pending, port))
		return;
	if (!test_bit(shared->evtchn_mask, port))
		select_2l(d->vcpu[e->vcpu], port);
	if (unlikely(READ_ONCE(d->evtchn->polling)))
		wake_pollers(d, port);
}

static __attribute__((noinline)) void raise_fifo(struct domain *d, u32 port, struct evtchn *e)
{
	if (!fifo_raise(d, port, e))
		raise_2l(d, port, e);
	else if (unlikely(READ_ONCE(d->evtchn->polling)))
		wake_pollers(d, port);
}

/* The port stays open while this runs: its table's lock is held, or its peer's. */
static inline void raise(struct domain *d, u32 port, struct evtchn *e)
{
	if (unlikely(d->evtchn->fifo))
		raise_fifo(d, port, e);
	else
		raise_2l(d, port, e);
}

static void clear_pending(struct domain *d, u32 port)
{
	if (d->evtchn->fifo)
		fifo_clear_pending(d, port);
	else
		test_and_clear_bit(d->shared_info->evtchn_pending, port);
}

int evtchn_poll(struct domain *d, u32 port)
{
	struct evtchn_table *t = d->evtchn;
	int pending = -EINVAL;

	spin_lock(&t->lock);
	if (port < t->ports)
		pending = t->fifo ? fifo_is_pending(d, port) : test_bit(d->shared_info->evtchn_pending, port);
	spin_unlock(&t->lock);
	return pending;
}

/* --- locks and ports --------------------------------------------------------------------------------------- */

/* Both tables, lower address first; b may equal a or be NULL. */
static void lock_both(struct domain *a, struct domain *b)
{
	struct evtchn_table *x = a->evtchn, *y = b && b != a ? b->evtchn : NULL;

	if (y && y < x)
		spin_lock(&y->lock);
	spin_lock(&x->lock);
	if (y > x)
		spin_lock(&y->lock);
}

static void unlock_both(struct domain *a, struct domain *b)
{
	if (b && b != a)
		spin_unlock(&b->evtchn->lock);
	spin_unlock(&a->evtchn->lock);
}

static struct vcpu *vcpu_of(struct domain *d, u32 id)
{
	return id < MAX_VCPUS ? d->vcpu[id] : NULL;
}

static int bucket_make(struct evtchn_table *t)
{
	u32 i = t->ports / EVTCHNS_PER_BUCKET;

	if (t->ports >= t->limit)
		return -ENOSPC;
	if (!t->bucket[i])
		t->bucket[i] = alloc_page();
	if (!t->bucket[i])
		return -ENOMEM;
	t->ports += EVTCHNS_PER_BUCKET;
	return 0;
}

/* The lowest closed port, still closed; one whose event word is still in a FIFO queue waits. Negative: -ENOSPC, -ENOMEM. */
static int port_find(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;
	bool passed_over = false;

	for (u32 port = t->first_free;; port++) {
		if (port >= t->ports) {
			int error = bucket_make(t);

			if (error)
				return error;
		}
		if (evtchn_lookup(t, port)->state != EVTCHNSTAT_closed)
			continue;
		if (unlikely(t->fifo) && fifo_is_linked(d, port)) {
			passed_over = true;
			continue;
		}
		if (!passed_over)
			t->first_free = port;
		return port;
	}
}

static struct evtchn *port_open(struct domain *d, u32 port, int state, int vcpu)
{
	struct evtchn *e = evtchn_lookup(d->evtchn, port);

	e->vcpu = vcpu;
	e->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
	e->state = state;
	return e;
}

static void port_close(struct domain *d, u32 port, struct evtchn *e)
{
	struct evtchn_table *t = d->evtchn;

	e->state = EVTCHNSTAT_closed;
	e->vcpu = 0;
	e->deferred = 0;
	e->remote = NULL;
	e->virq = 0;
	clear_pending(d, port);
	t->first_free = min(t->first_free, port);
}

/* --- send, unmask, status: the frequent ones ---------------------------------------------------------------- */

static inline int get_port(u32 *port, u64 arg)
{
	u32 word;

	if (unlikely(!guest_address_ok(arg)))
		return -EFAULT;
	user_access_begin();
	raw_get_u32(word, arg, fault);
	user_access_end();
	*port = word;
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* Sending on something else than a channel: an IPI's port notifies itself, nobody listens at an unbound one. */
static __attribute__((noinline)) long send_otherwise(struct domain *d, u32 port)
{
	struct evtchn *e = evtchn_lookup(d->evtchn, port);

	if (!e)
		return -EINVAL;
	if (e->state == EVTCHNSTAT_ipi)
		raise(d, port, e);
	return e->state == EVTCHNSTAT_ipi || e->state == EVTCHNSTAT_unbound ? 0 : -EINVAL;
}

static __attribute__((noinline)) long send(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	struct evtchn_table *t = d->evtchn;
	struct evtchn *e;
	u32 port;
	long result = 0;

	if (unlikely(get_port(&port, arg)))
		return -EFAULT;
	spin_lock(&t->lock);
	if (likely(port < t->ports && (e = evtchn_at(t, port))->state == EVTCHNSTAT_interdomain))
		raise(e->remote, e->remote_port, evtchn_at(e->remote->evtchn, e->remote_port));
	else
		result = send_otherwise(d, port);
	spin_unlock(&t->lock);
	return result;
}

static __attribute__((noinline)) long unmask(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	struct evtchn_table *t = d->evtchn;
	struct shared_info *shared = d->shared_info;
	u32 port;
	long result = 0;

	if (unlikely(get_port(&port, arg)))
		return -EFAULT;
	spin_lock(&t->lock);
	if (unlikely(port >= t->ports)) {
		result = -EINVAL;
	} else if (unlikely(t->fifo)) {
		if (fifo_unmask(d, port))
			fifo_raise(d, port, evtchn_at(t, port));
	} else if (test_and_clear_bit(shared->evtchn_mask, port) && test_bit(shared->evtchn_pending, port)) {
		select_2l(d->vcpu[evtchn_at(t, port)->vcpu], port);
	}
	spin_unlock(&t->lock);
	return result;
}

/* The last word of status's structure; what a port's state does not use stays as it came. */
static inline u64 describe(const struct evtchn *e, u64 came)
{
	if (likely(e->state == EVTCHNSTAT_interdomain))
		return (came & 0xffff0000) | e->remote->id | (u64)e->remote_port << 32;
	if (e->state == EVTCHNSTAT_unbound)
		return (came & ~0xffffull) | e->remote_domid;
	if (e->state == EVTCHNSTAT_virq)
		return (came & ~0xffffffffull) | e->virq;
	return came;
}

static __attribute__((noinline)) long status(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	struct evtchn_table *t;
	struct evtchn *e;
	u64 in, state_vcpu, rest;

	if (unlikely(!guest_address_ok(arg)))
		return -EFAULT;
	user_access_begin();
	raw_get_u64(in, arg, fault);
	raw_get_u64(rest, arg + offsetof(struct evtchn_status, u), fault);
	user_access_end();
	if (unlikely((u16)in != DOMID_SELF && (u16)in != d->id)) {
		if (!(d = domain_find(in)))
			return -ESRCH;
		if (!v->domain->privileged)
			return -EPERM;
	}
	t = d->evtchn;
	spin_lock(&t->lock);
	if (unlikely(in >> 32 >= t->ports)) {
		spin_unlock(&t->lock);
		return -EINVAL;
	}
	e = evtchn_at(t, in >> 32);
	state_vcpu = e->state | (u64)e->vcpu << 32;
	rest = describe(e, rest);
	spin_unlock(&t->lock);
	user_access_begin();
	raw_put_u64(state_vcpu, arg + offsetof(struct evtchn_status, status), fault);
	raw_put_u64(rest, arg + offsetof(struct evtchn_status, u), fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* --- making and ending bindings --------------------------------------------------------------------------- */

/* Under both locks: what the port was bound to forgets it. */
static void unbind(struct domain *d, u32 port, const struct evtchn *e)
{
	if (e->state == EVTCHNSTAT_interdomain) {
		struct evtchn *peer = evtchn_lookup(e->remote->evtchn, e->remote_port);

		peer->state = EVTCHNSTAT_unbound;
		peer->remote = NULL;
		peer->remote_domid = d->id;
	} else if (e->state == EVTCHNSTAT_virq) {
		for (int i = 0; i < d->vcpu_count; i++)
			if (d->vcpu[i] && d->vcpu[i]->virq_port[e->virq] == port)
				d->vcpu[i]->virq_port[e->virq] = 0;
	}
}

/* Closes a port of d, together with its channel. -EINVAL: it is not open. */
static long close(struct domain *d, u32 port)
{
	struct domain *rd = NULL;
	struct evtchn *e;
	bool open;

	for (;;) {
		struct domain *peer;

		lock_both(d, rd);
		e = evtchn_lookup(d->evtchn, port);
		if (!e || e->state != EVTCHNSTAT_interdomain || e->remote == d || e->remote == rd)
			break;
		peer = e->remote;
		unlock_both(d, rd);
		rd = peer;
	}
	open = e && e->state != EVTCHNSTAT_closed;
	if (open) {
		unbind(d, port, e);
		port_close(d, port, e);
	}
	unlock_both(d, rd);
	return open ? 0 : -EINVAL;
}

/* Hands the new port to the guest; one that it cannot be told of is closed again. */
static long give_port(struct domain *d, int port, u64 address)
{
	if (port < 0)
		return port;
	if (likely(!put_guest_u32(port, address)))
		return 0;
	close(d, port);
	return -EFAULT;
}

static long alloc_unbound(struct vcpu *v, u64 arg)
{
	struct evtchn_alloc_unbound op;
	struct domain *d;
	int port;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	d = domain_find(op.dom);
	if (!d)
		return -ESRCH;
	if (d != v->domain && !v->domain->privileged)
		return -EPERM;
	spin_lock(&d->evtchn->lock);
	port = port_find(d);
	if (port >= 0)
		port_open(d, port, EVTCHNSTAT_unbound, 0)->remote_domid =
			op.remote_dom == DOMID_SELF ? v->domain->id : op.remote_dom;
	spin_unlock(&d->evtchn->lock);
	return give_port(d, port, arg + offsetof(struct evtchn_alloc_unbound, port));
}

/* Under both locks. The new port, pending because the other side may have sent before; or -EINVAL, -ENOSPC, -ENOMEM. */
static int connect(struct domain *ld, struct domain *rd, u32 rport)
{
	struct evtchn *l, *r;
	int lport = port_find(ld);

	if (lport < 0)
		return lport;
	r = evtchn_lookup(rd->evtchn, rport);
	if (!r || r->state != EVTCHNSTAT_unbound || r->remote_domid != ld->id)
		return -EINVAL;
	l = port_open(ld, lport, EVTCHNSTAT_interdomain, 0);
	l->remote = rd;
	l->remote_port = rport;
	r->state = EVTCHNSTAT_interdomain;
	r->remote = ld;
	r->remote_port = lport;
	raise(ld, lport, l);
	return lport;
}

static long bind_interdomain(struct vcpu *v, u64 arg)
{
	struct evtchn_bind_interdomain op;
	struct domain *rd;
	int port;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	rd = domain_find(op.remote_dom);
	if (!rd)
		return -ESRCH;
	lock_both(v->domain, rd);
	port = connect(v->domain, rd, op.remote_port);
	unlock_both(v->domain, rd);
	return give_port(v->domain, port, arg + offsetof(struct evtchn_bind_interdomain, local_port));
}

static bool virq_is_global(u32 virq)
{
	return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

static long bind_virq(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	struct evtchn_bind_virq op;
	struct vcpu *target;
	int port;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.virq >= NR_VIRQS || (virq_is_global(op.virq) && op.vcpu))
		return -EINVAL;
	target = vcpu_of(d, op.vcpu);
	if (!target)
		return -ENOENT;
	spin_lock(&d->evtchn->lock);
	port = target->virq_port[op.virq] ? -EEXIST : port_find(d);
	if (port >= 0) {
		port_open(d, port, EVTCHNSTAT_virq, op.vcpu)->virq = op.virq;
		target->virq_port[op.virq] = port;
	}
	spin_unlock(&d->evtchn->lock);
	return give_port(d, port, arg + offsetof(struct evtchn_bind_virq, port));
}

static long bind_ipi(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	struct evtchn_bind_ipi op;
	int port;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!vcpu_of(d, op.vcpu))
		return -ENOENT;
	spin_lock(&d->evtchn->lock);
	port = port_find(d);
	if (port >= 0)
		port_open(d, port, EVTCHNSTAT_ipi, op.vcpu);
	spin_unlock(&d->evtchn->lock);
	return give_port(d, port, arg + offsetof(struct evtchn_bind_ipi, port));
}

/* No domain is given a physical interrupt here. */
static long bind_pirq(u64 arg)
{
	struct evtchn_bind_pirq op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	return op.pirq >= NR_PIRQS ? -EINVAL : -EPERM;
}

static long bind_vcpu(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	struct evtchn_bind_vcpu op;
	struct evtchn *e;
	long result = -EINVAL;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!vcpu_of(d, op.vcpu))
		return -ENOENT;
	spin_lock(&d->evtchn->lock);
	e = evtchn_lookup(d->evtchn, op.port);
	if (e && (e->state == EVTCHNSTAT_unbound || e->state == EVTCHNSTAT_interdomain ||
		  (e->state == EVTCHNSTAT_virq && virq_is_global(e->virq)))) {
		e->vcpu = op.vcpu;
		result = 0;
	}
	spin_unlock(&d->evtchn->lock);
	return result;
}

/* A port that another vCPU opens meanwhile may survive; then the FIFO ABI stays, too. */
static void close_all(struct domain *d, bool preemptible)
{
	struct evtchn_table *t = d->evtchn;
	bool open = false;

	for (u32 port = 1; port < t->ports; port++) {
		if (evtchn_lookup(t, port)->state != EVTCHNSTAT_closed)
			close(d, port);
		if (preemptible && port % EVTCHNS_PER_BUCKET == 0)
			preempt_point();
	}
	spin_lock(&t->lock);
	for (u32 port = 1; port < t->ports && t->fifo; port++)
		open |= evtchn_lookup(t, port)->state != EVTCHNSTAT_closed;
	if (t->fifo && !open)
		fifo_leave(d);
	spin_unlock(&t->lock);
}

static long reset(struct vcpu *v, u64 arg)
{
	struct evtchn_reset op;
	struct domain *d;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	d = domain_find(op.dom);
	if (!d)
		return -ESRCH;
	if (d != v->domain && !v->domain->privileged)
		return -EPERM;
	close_all(d, true);
	return 0;
}

/* --- the FIFO ABI's sub-operations --------------------------------------------------------------------------- */

static long init_control(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	struct evtchn_init_control op;
	struct vcpu *target;
	long result;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	target = vcpu_of(d, op.vcpu);
	if (!target)
		return -ENOENT;
	spin_lock(&d->evtchn->lock);
	result = fifo_init_control(d, target, op.control_gfn, op.offset);
	spin_unlock(&d->evtchn->lock);
	op.link_bits = EVTCHN_FIFO_LINK_BITS;
	if (!result && copy_to_guest(arg, &op, sizeof(op)))
		return -EFAULT;
	return result;
}

static long expand_array(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	u64 gfn;
	long result;

	if (get_guest_u64(&gfn, arg))
		return -EFAULT;
	spin_lock(&d->evtchn->lock);
	result = d->evtchn->fifo ? fifo_expand_array(d, gfn) : -EOPNOTSUPP;
	spin_unlock(&d->evtchn->lock);
	return result;
}

static long set_priority(struct vcpu *v, u64 arg)
{
	struct evtchn_table *t = v->domain->evtchn;
	struct evtchn_set_priority op;
	struct evtchn *e;
	long result = 0;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	spin_lock(&t->lock);
	e = evtchn_lookup(t, op.port);
	if (!e)
		result = -EINVAL;
	else if (!t->fifo)
		result = -ENOSYS;
	else if (op.priority > EVTCHN_FIFO_PRIORITY_MIN)
		result = -EINVAL;
	else
		e->priority = op.priority;
	spin_unlock(&t->lock);
	return result;
}

/* --- dispatch -------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) long other_ops(u32 op, u64 arg, struct vcpu *v)
{
	u32 port;

	switch (op) {
	case EVTCHNOP_close:
		return get_port(&port, arg) ? -EFAULT : close(v->domain, port);
	case EVTCHNOP_bind_interdomain:
		return bind_interdomain(v, arg);
	case EVTCHNOP_bind_virq:
		return bind_virq(v, arg);
	case EVTCHNOP_bind_pirq:
		return bind_pirq(arg);
	case EVTCHNOP_alloc_unbound:
		return alloc_unbound(v, arg);
	case EVTCHNOP_bind_ipi:
		return bind_ipi(v, arg);
	case EVTCHNOP_bind_vcpu:
		return bind_vcpu(v, arg);
	case EVTCHNOP_reset:
		return reset(v, arg);
	case EVTCHNOP_init_control:
		return init_control(v, arg);
	case EVTCHNOP_expand_array:
		return expand_array(v, arg);
	case EVTCHNOP_set_priority:
		return set_priority(v, arg);
	}
	return -ENOSYS;
}

long do_event_channel_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	u32 op = cmd;

	if (likely(op == EVTCHNOP_send))
		return send(v, arg);
	if (op == EVTCHNOP_unmask)
		return unmask(v, arg);
	if (op == EVTCHNOP_status)
		return status(v, arg);
	return other_ops(op, arg, v);
}

/* --- for the rest of the hypervisor --------------------------------------------------------------------------- */

void send_vcpu_virq(struct vcpu *v, int virq)
{
	struct evtchn_table *t = v->domain->evtchn;
	u32 port;

	spin_lock(&t->lock);
	port = v->virq_port[virq];
	if (port)
		raise(v->domain, port, evtchn_lookup(t, port));
	spin_unlock(&t->lock);
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
	t->limit = EVTCHN_2L_NR_CHANNELS;
	t->first_free = 1;
	if (bucket_make(t)) {
		free_page(t);
		return -ENOMEM;
	}
	d->evtchn = t;
	return 0;
}

void evtchn_destroy(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;

	close_all(d, false);
	for (size_t i = 0; i < EVTCHN_BUCKETS && t->bucket[i]; i++)
		free_page(t->bucket[i]);
	if (t->fifo_spare)
		free_page(t->fifo_spare);
	free_page(t);
	d->evtchn = NULL;
}

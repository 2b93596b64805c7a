/* SPDX-License-Identifier: MIT */
/*
 * sched_op: giving up the processor, waiting for events, stopping the domain.
 *
 * Waiting and waking must not miss each other. The waiter says that it waits (`blocked`, `poll_port`), then looks for what it
 * waits for, for an upcall on its way to sleep (sched.c); the waker makes that visible, then looks whether someone waits. Both have a
 * full barrier between the two.
 */
#include <abi/sched.h>
#include <cpu.h>
#include <evtchn.h>
#include <hypercall.h>
#include <sched.h>
#include <uaccess.h>

#define POLL_MAX_PORTS 128
#define NS_PER_S 1000000000ull

/* --- yield, block, poll -------------------------------------------------------------------------------------- */

static long yield(struct vcpu *v)
{
	vcpu_yield(v);
	return 0;
}

static long block(struct vcpu *v)
{
	WRITE_ONCE(v->info->evtchn_upcall_mask, 0);
	if (READ_ONCE(v->info->evtchn_upcall_pending))
		return 0;
	v->poll_port = 0;
	vcpu_block(v);
	return 0;
}

/* 1: one of the ports is pending; 0: none. -EINVAL, -EFAULT. *last is the last port looked at. */
static int poll_ports(struct vcpu *v, const struct sched_poll *poll, u32 *last)
{
	for (u32 i = 0; i < poll->nr_ports; i++) {
		int pending;

		if (get_guest_u32(last, poll->ports + i * sizeof(u32)))
			return -EFAULT;
		pending = evtchn_poll(v->domain, *last);
		if (pending)
			return pending;
	}
	return 0;
}

/* Sleeps, unless an event has come since poll_port was set: then poll_port is 0 again. */
static void poll_sleep(struct vcpu *v, const struct sched_poll *poll, u32 port)
{
	u32 any = POLL_SEVERAL;

	if (poll->nr_ports == 1 && port)
		__atomic_compare_exchange_n(&v->poll_port, &any, port, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	vcpu_block(v);
	if (!READ_ONCE(v->poll_port))
		vcpu_wake(v);
	else if (poll->timeout)
		timer_set(&v->poll, poll->timeout);
}

static long poll(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	struct sched_poll poll;
	u32 port = 0;
	int found;

	if (copy_from_guest(&poll, arg, sizeof(poll)))
		return -EFAULT;
	if (poll.nr_ports > POLL_MAX_PORTS)
		return -EINVAL;
	if (!guest_range_ok(poll.ports, poll.nr_ports * sizeof(u32)))
		return -EFAULT;
	timer_stop(&v->poll);
	v->poll_port = POLL_SEVERAL;
	__atomic_or_fetch(&d->polling, 1u << v->id, __ATOMIC_SEQ_CST);
	found = evtchn_upcall_due(v) ? 1 : poll_ports(v, &poll, &port);
	if (!found) {
		poll_sleep(v, &poll, port);
		return 0;
	}
	__atomic_and_fetch(&d->polling, ~(1u << v->id), __ATOMIC_SEQ_CST);
	v->poll_port = 0;
	return found < 0 ? found : 0;
}

/* --- the end of a domain ----------------------------------------------------------------------------------------- */

/* A reason that was fixed in advance is the one that counts. */
static void shut_down(struct domain *d, u32 reason)
{
	if (d->shutdown_code_fixed)
		reason = d->shutdown_reason;
	domain_shutdown(d, reason);
}

static long remote_shutdown(struct vcpu *v, u64 arg)
{
	struct sched_remote_shutdown op;
	struct domain *d;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	d = op.domain_id == DOMID_SELF ? NULL : domain_find(op.domain_id);
	if (!d)
		return -ESRCH;
	if (!may_manage(v->domain, d))
		return -EPERM;
	shut_down(d, (u8)op.reason);
	return 0;
}

static long shutdown_code(struct domain *d, u32 reason)
{
	if (d->shutdown_code_fixed)
		return -EINVAL;
	d->shutdown_reason = reason;
	d->shutdown_code_fixed = true;
	return 0;
}

/* --- watchdogs ----------------------------------------------------------------------------------------------------- */

static void watchdog_ran_out(struct timer *t)
{
	struct watchdog *w = container_of(t, struct watchdog, timer);

	if (READ_ONCE(w->used) && !w->domain->is_shut_down)
		domain_shutdown(w->domain, SHUTDOWN_watchdog);
}

static void watchdog_start(struct domain *d, u32 i, u32 seconds)
{
	d->watchdog[i].domain = d;
	d->watchdog[i].timer.fire = watchdog_ran_out;
	timer_set(&d->watchdog[i].timer, now_ns() + seconds * NS_PER_S);
}

static long watchdog_new(struct domain *d, u32 seconds)
{
	if (!seconds)
		return -EINVAL;
	for (u32 i = 0; i < ARRAY_SIZE(d->watchdog); i++) {
		if (!__atomic_exchange_n(&d->watchdog[i].used, true, __ATOMIC_ACQ_REL)) {
			watchdog_start(d, i, seconds);
			return i + 1;
		}
	}
	return -ENOSPC;
}

static long watchdog(struct domain *d, u64 arg)
{
	struct sched_watchdog op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.id)
		return watchdog_new(d, op.timeout);
	if (op.id > ARRAY_SIZE(d->watchdog) || !READ_ONCE(d->watchdog[op.id - 1].used))
		return -EINVAL;
	if (op.timeout) {
		watchdog_start(d, op.id - 1, op.timeout);
	} else {
		timer_stop(&d->watchdog[op.id - 1].timer);
		WRITE_ONCE(d->watchdog[op.id - 1].used, false);
	}
	return 0;
}

/* --- binding to a processor ------------------------------------------------------------------------------------------ */

static long pin_override(struct vcpu *v, u64 arg)
{
	struct sched_pin_override op;

	if (!v->domain->privileged)
		return -EPERM;
	if (get_guest_u32((u32 *)&op.pcpu, arg))
		return -EFAULT;
	return vcpu_pin_override(v, op.pcpu);
}

/* --- dispatch ---------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) long other_ops(u32 op, u64 arg, struct vcpu *v)
{
	u32 reason;

	switch (op) {
	case SCHEDOP_poll:
		return poll(v, arg);
	case SCHEDOP_shutdown:
		if (get_guest_u32(&reason, arg))
			return -EFAULT;
		shut_down(v->domain, (u8)reason);
		return 0;
	case SCHEDOP_remote_shutdown:
		return remote_shutdown(v, arg);
	case SCHEDOP_shutdown_code:
		return get_guest_u32(&reason, arg) ? -EFAULT : shutdown_code(v->domain, (u8)reason);
	case SCHEDOP_watchdog:
		return watchdog(v->domain, arg);
	case SCHEDOP_pin_override:
		return pin_override(v, arg);
	}
	return -ENOSYS;
}

long do_sched_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	u32 op = cmd;

	if (op == SCHEDOP_yield)
		return yield(v);
	if (op == SCHEDOP_block)
		return block(v);
	return other_ops(op, arg, v);
}

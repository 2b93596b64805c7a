/* SPDX-License-Identifier: MIT */
/*
 * vcpu_op and set_timer_op: starting and stopping vCPUs, their timers, and the areas that they share with the
 * hypervisor. A vCPU has two guest timers, both of which raise VIRQ_TIMER: a single shot and a periodic one.
 */
#include <abi/vcpu.h>
#include <abi/sched.h>
#include <context.h>
#include <cpu.h>
#include <evtchn.h>
#include <frames.h>
#include <hypercall.h>
#include <pvclock.h>
#include <sched.h>
#include <string.h>
#include <uaccess.h>

#define MS 1000000ull
#define DEFAULT_PERIOD (10 * MS)
#define SHORTEST_PERIOD MS
#define LONGEST_PERIOD (1ull << 62)
#define BITS_OF_SANE_TIMEOUT 50

/* --- timers ------------------------------------------------------------------------------------------------ */

static void singleshot_fired(struct timer *t)
{
	send_vcpu_virq(container_of(t, struct vcpu, singleshot), VIRQ_TIMER);
}

/* Ticks that were missed are one. */
static void periodic_fired(struct timer *t)
{
	struct vcpu *v = container_of(t, struct vcpu, periodic);
	u64 period = READ_ONCE(v->period);

	send_vcpu_virq(v, VIRQ_TIMER);
	if (period)
		timer_set(t, now_ns() + period);
}

static void poll_timed_out(struct timer *t)
{
	struct vcpu *v = container_of(t, struct vcpu, poll);

	if (__atomic_exchange_n(&v->poll_port, 0, __ATOMIC_SEQ_CST))
		vcpu_wake(v);
}

void vcpu_timers_init(struct vcpu *v)
{
	v->singleshot.fire = singleshot_fired;
	v->periodic.fire = periodic_fired;
	v->poll.fire = poll_timed_out;
	v->period = DEFAULT_PERIOD;
}

void vcpu_timers_start(struct vcpu *v)
{
	if (v->period)
		timer_set(&v->periodic, now_ns() + v->period);
}

static long set_periodic(struct vcpu *v, u64 arg)
{
	u64 period;

	if (get_guest_u64(&period, arg))
		return -EFAULT;
	if (period < SHORTEST_PERIOD || period >= LONGEST_PERIOD)
		return -EINVAL;
	v->period = period;
	timer_set(&v->periodic, now_ns() + period);
	return 0;
}

static long stop_periodic(struct vcpu *v)
{
	v->period = 0;
	timer_stop(&v->periodic);
	return 0;
}

static __attribute__((noinline)) long set_singleshot(struct vcpu *v, u64 arg)
{
	u64 timeout;

	if (unlikely(v != current))
		return -EINVAL;
	if (get_guest_u64(&timeout, arg))
		return -EFAULT;
	timer_set(&v->singleshot, timeout);
	return 0;
}

static long stop_singleshot(struct vcpu *v)
{
	if (v != current)
		return -EINVAL;
	timer_stop(&v->singleshot);
	return 0;
}

/* A guest whose clock arithmetic went wrong gets a tick soon rather than never. */
static __attribute__((noinline, cold)) u64 sane_timeout(u64 timeout)
{
	u64 now = now_ns();

	if ((s64)timeout < 0 || (timeout > now && (timeout - now) >> BITS_OF_SANE_TIMEOUT))
		return now + 100 * MS;
	return timeout;
}

long do_set_timer_op(u64 timeout, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	if (!timeout) {
		timer_stop(&v->singleshot);
		return 0;
	}
	if (unlikely(timeout >> BITS_OF_SANE_TIMEOUT))
		timeout = sane_timeout(timeout);
	timer_set(&v->singleshot, timeout);
	return 0;
}

/* --- a vCPU's first state ------------------------------------------------------------------------------------- */

/* Setting the tables may take a while and let others run; none of them comes in between. */
static long initialise_from(struct vcpu *v, struct vcpu_guest_context *c, u64 arg)
{
	int error;

	if (copy_from_guest(c, arg, sizeof(*c)))
		return -EFAULT;
	if (v->initialised || __atomic_exchange_n(&v->claimed, true, __ATOMIC_ACQUIRE))
		return -EEXIST;
	error = vcpu_set_context(v, c);
	if (error) {
		v->claimed = false;
		return error;
	}
	if (c->flags & VGCF_online)
		vcpu_online(v);
	return 0;
}

/* The context is larger than a stack here is; it is read once, into pages of its own. */
static long initialise(struct vcpu *v, u64 arg)
{
	struct vcpu_guest_context *c = alloc_pages(CONTEXT_ORDER);
	long result;

	if (!c)
		return -ENOMEM;
	result = initialise_from(v, c, arg);
	free_pages(c, CONTEXT_ORDER);
	return result;
}

/* --- up and down ------------------------------------------------------------------------------------------------ */

static long up(struct vcpu *v)
{
	if (!v->initialised)
		return -EINVAL;
	if (!v->online)
		vcpu_online(v);
	return 0;
}

static long down(struct vcpu *v)
{
	if (!vcpu_offline_unless_last(v))
		domain_shutdown(v->domain, SHUTDOWN_poweroff);
	return 0;
}

/* --- shared areas -------------------------------------------------------------------------------------------------- */

static long get_runstate(struct vcpu *v, u64 arg)
{
	struct vcpu_runstate_info info;

	runstate_get(v, &info);
	return copy_to_guest(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* An area of another vCPU is filled when that one runs next: its address is one of that one's. */
static long register_runstate_area(struct vcpu *v, u64 arg)
{
	u64 address;

	if (get_guest_u64(&address, arg) || !guest_range_ok(address, sizeof(struct vcpu_runstate_info)))
		return -EFAULT;
	v->runstate_area = address;
	if (v == current && address)
		vcpu_write_runstate_area(v);
	return 0;
}

/* The parameters never change, so the area is complete once it is written. */
static long register_time_area(struct vcpu *v, u64 arg)
{
	u64 address;

	if (get_guest_u64(&address, arg) || !guest_range_ok(address, sizeof(struct vcpu_time_info)))
		return -EFAULT;
	v->time_area = address;
	if (address)
		vcpu_write_time_area(v);
	return 0;
}

/*
 * An event that another CPU raises while the vcpu_info moves may go to the old place; the new one says "look at every port",
 * so none is lost.
 */
static void move_vcpu_info(struct vcpu *v, struct vcpu_info *to)
{
	memcpy(to, v->info, sizeof(*to));
	WRITE_ONCE(v->info, to);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	WRITE_ONCE(to->evtchn_upcall_pending, 1);
	WRITE_ONCE(to->evtchn_pending_sel, ~0ull);
	pvclock_update(v);
}

static long register_vcpu_info(struct vcpu *v, u64 arg)
{
	struct vcpu_register_vcpu_info op;
	mfn_t none = INVALID_MFN;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.offset > PAGE_SIZE - sizeof(struct vcpu_info) || op.offset % 8)
		return -ENXIO;
	if (v->info_mfn != INVALID_MFN || (v != current && v->online))
		return -EINVAL;
	if (get_frame_type(op.mfn, v->domain->id, FRAME_WRITABLE))
		return -EINVAL;
	if (!__atomic_compare_exchange_n(&v->info_mfn, &none, op.mfn, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		put_frame_type(op.mfn);	/* another vCPU was faster */
		return -EINVAL;
	}
	move_vcpu_info(v, mfn_to_virt(op.mfn) + op.offset);
	return 0;
}

static long send_nmi(struct vcpu *v, u64 arg)
{
	if (arg)
		return -EINVAL;
	__atomic_or_fetch(&v->work, WORK_NMI, __ATOMIC_SEQ_CST);
	vcpu_kick(v);
	return 0;
}

/* --- dispatch ------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) long other_ops(u32 op, u64 arg, struct vcpu *v)
{
	switch (op) {
	case VCPUOP_initialise:
		return initialise(v, arg);
	case VCPUOP_up:
		return up(v);
	case VCPUOP_down:
		return down(v);
	case VCPUOP_get_runstate_info:
		return get_runstate(v, arg);
	case VCPUOP_register_runstate_memory_area:
		return register_runstate_area(v, arg);
	case VCPUOP_set_periodic_timer:
		return set_periodic(v, arg);
	case VCPUOP_stop_periodic_timer:
		return stop_periodic(v);
	case VCPUOP_register_vcpu_info:
		return register_vcpu_info(v, arg);
	case VCPUOP_send_nmi:
		return send_nmi(v, arg);
	case VCPUOP_get_physid:	/* no vCPU is bound to a processor for good */
		return -EINVAL;
	case VCPUOP_register_vcpu_time_memory_area:
		return register_time_area(v, arg);
	}
	return -ENOSYS;
}

long do_vcpu_op(u64 cmd, u64 id, u64 arg, u64 a4, u64 a5, struct vcpu *v)
{
	struct vcpu *target;
	u32 op = cmd;

	if (unlikely((u32)id >= MAX_VCPUS || !(target = v->domain->vcpu[(u32)id])))
		return -ENOENT;
	if (op == VCPUOP_set_singleshot_timer)
		return set_singleshot(target, arg);
	if (op == VCPUOP_stop_singleshot_timer)
		return stop_singleshot(target);
	if (op == VCPUOP_is_up)
		return target->online;
	return other_ops(op, arg, target);
}

/* SPDX-License-Identifier: MIT */
/*
 * domctl: what domain 0 may do to other domains. One operation at a time (control_lock()), but for a destruction, which may
 * take long. The domain is held by a reference while the operation works on it.
 */
#include <abi/domctl.h>
#include <abi/sched.h>
#include <boot.h>
#include <context.h>
#include <control.h>
#include <cpu.h>
#include <emulate.h>
#include <evtchn.h>
#include <frames.h>
#include <grant.h>
#include <hypercall.h>
#include <image.h>
#include <pvclock.h>
#include <sched.h>
#include <string.h>
#include <uaccess.h>

#define MAX_FRAME_TYPES 1024
#define MOST_PAUSES 255
enum { TRIGGER_POWER = 3, TRIGGER_SLEEP = 4 };	/* of domains that are not paravirtual */

BUILD_ASSERT(sizeof(struct xen_domctl) == 144);

/* --- one at a time ------------------------------------------------------------------------------------------- */

static u32 control_holder;	/* slot + 1 of the vCPU that is at work; others wait */

/* One who waits can be stopped: the holder may be pausing its domain. */
void control_lock(void)
{
	u32 nobody = 0;

	while (!__atomic_compare_exchange_n(&control_holder, &nobody, current->slot + 1, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		nobody = 0;
		vcpu_yield(current);
		batch_point();
	}
}

void control_unlock(void)
{
	__atomic_store_n(&control_holder, 0, __ATOMIC_RELEASE);
}

/* --- making ---------------------------------------------------------------------------------------------------- */

/* A wished id, or any: 0 or one that is no domain's. */
static int createdomain(struct xen_domctl *op)
{
	domid_t wish = op->domain < FIRST_RESERVED_ID ? op->domain : 0, id = domain_free_id(wish);
	struct domain *d;
	int error;

	if (!id)
		return wish ? -EEXIST : -ENOMEM;
	d = domain_create(id, &op->u.createdomain, &error);
	if (!d)
		return error;
	op->domain = id;
	return 0;
}

static int max_vcpus(struct domain *d, struct xen_domctl *op)
{
	int max = op->u.max_vcpus.max;

	if (d == current->domain || max != d->max_vcpus || d->dying)
		return -EINVAL;
	for (int i = 0; i < max; i++) {
		if (!d->vcpu[i] && !vcpu_create(d, i))
			return -ENOMEM;
		preempt_point();
	}
	return 0;
}

static int max_mem(struct domain *d, struct xen_domctl *op)
{
	u64 pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);

	spin_lock(&d->page_lock);
	d->max_pages = min(pages, 0xffffffffull);
	spin_unlock(&d->page_lock);
	return 0;
}

static int hypercall_init(struct domain *d, struct xen_domctl *op)
{
	mfn_t mfn = op->u.hypercall_init.gmfn;

	if (!get_frame(mfn, d->id))
		return -EINVAL;
	if (!get_writable(mfn)) {
		put_frame(mfn);
		return -EPERM;
	}
	hypercall_page_fill(mfn_to_virt(mfn));
	put_writable(mfn);
	put_frame(mfn);
	return 0;
}

static int setdomainhandle(struct domain *d, struct xen_domctl *op)
{
	memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
	return 0;
}

static int settimeoffset(struct domain *d, struct xen_domctl *op)
{
	d->time_offset = op->u.settimeoffset.time_offset_seconds;
	wallclock_update(d);
	return 0;
}

/* --- running --------------------------------------------------------------------------------------------------- */

static int pausedomain(struct domain *d, struct xen_domctl *op)
{
	if (d == current->domain)
		return -EINVAL;
	if (d->controller_pauses >= MOST_PAUSES)
		return -EOVERFLOW;
	d->controller_pauses++;
	domain_pause(d);
	return 0;
}

static int unpausedomain(struct domain *d, struct xen_domctl *op)
{
	if (!d->controller_pauses)
		return -EINVAL;
	d->controller_pauses--;
	domain_unpause(d);
	return 0;
}

static int resumedomain(struct domain *d, struct xen_domctl *op)
{
	if (d == current->domain)
		return -EINVAL;
	domain_pause(d);
	domain_resume(d);
	domain_unpause(d);
	return 0;
}

static int sendtrigger(struct domain *d, struct xen_domctl *op)
{
	const struct xen_domctl_sendtrigger *s = &op->u.sendtrigger;
	struct vcpu *v = s->vcpu < MAX_VCPUS ? d->vcpu[s->vcpu] : NULL;

	if (s->trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
		return s->trigger == TRIGGER_POWER || s->trigger == TRIGGER_SLEEP ? -EINVAL : -ENOSYS;
	if (!v)
		return -ESRCH;
	__atomic_or_fetch(&v->work, WORK_NMI, __ATOMIC_SEQ_CST);
	vcpu_kick(v);
	return 0;
}

static int set_handler(struct domain *d, struct xen_domctl *op)
{
	return d->dying ? -EINVAL : set_virq_handler(d, op->u.set_virq_handler.virq);
}

/* --- vCPUs ------------------------------------------------------------------------------------------------------- */

static struct vcpu *vcpu_of(struct domain *d, u32 id)
{
	return id < (u32)d->max_vcpus ? d->vcpu[id] : NULL;
}

static void set_online(struct vcpu *v, bool online)
{
	if (online && !v->online)
		vcpu_online(v);
	else if (!online && v->online)
		vcpu_offline(v);
}

static int set_context(struct domain *d, struct vcpu *v, const struct vcpu_guest_context *c)
{
	int error = 0;

	domain_pause(d);
	if (c)
		error = vcpu_set_context(v, c);
	else
		vcpu_drop_tables(v);
	if (!error)
		set_online(v, c && c->flags & VGCF_online);
	domain_unpause(d);
	return error;
}

static int setvcpucontext(struct domain *d, struct xen_domctl *op)
{
	struct vcpu *v = vcpu_of(d, op->u.vcpucontext.vcpu);
	struct vcpu_guest_context *c;
	int error;

	if (d == current->domain || !v || d->dying)
		return -EINVAL;
	if (!op->u.vcpucontext.ctxt)
		return set_context(d, v, NULL);
	c = alloc_pages(CONTEXT_ORDER);
	if (!c)
		return -ENOMEM;
	error = copy_from_guest(c, op->u.vcpucontext.ctxt, sizeof(*c)) ? -EFAULT : set_context(d, v, c);
	free_pages(c, CONTEXT_ORDER);
	return error;
}

/* A vCPU of the caller's domain may wait for this operation to end, and would never be out of its hypercall. */
static int getvcpucontext(struct domain *d, struct xen_domctl *op)
{
	struct vcpu *v = vcpu_of(d, op->u.vcpucontext.vcpu);
	struct vcpu_guest_context *c;
	int error;

	if (d == current->domain || !v || d->dying)
		return -EINVAL;
	if (!v->initialised)
		return -ENODATA;
	c = alloc_pages(CONTEXT_ORDER);
	if (!c)
		return -ENOMEM;
	vcpu_pause(v);
	vcpu_get_context(v, c);
	vcpu_unpause(v);
	error = copy_to_guest(op->u.vcpucontext.ctxt, c, sizeof(*c)) ? -EFAULT : 0;
	free_pages(c, CONTEXT_ORDER);
	return error;
}

static int getvcpuinfo(struct domain *d, struct xen_domctl *op)
{
	struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;
	struct vcpu *v = vcpu_of(d, info->vcpu);

	if (info->vcpu >= (u32)d->max_vcpus)
		return -EINVAL;
	if (!v)
		return -ESRCH;
	info->online = v->online;
	info->blocked = v->blocked;
	info->running = READ_ONCE(v->runstate) == RUN_RUNNING;
	info->cpu_time = vcpu_run_ns(v);
	info->cpu = v->cpu->id;
	return 0;
}

/* --- affinity ---------------------------------------------------------------------------------------------------- */

static int bitmap_get(const struct xenctl_bitmap *b, u64 *mask)
{
	u32 bytes = min(b->nr_bits / 8 + !!(b->nr_bits % 8), 8u);

	*mask = 0;
	if (copy_from_guest(mask, b->bitmap, bytes))
		return -EFAULT;
	if (b->nr_bits < 64)
		*mask &= (1ull << b->nr_bits) - 1;
	return 0;
}

/* What the caller has room for beyond is cleared. */
static int bitmap_put(const struct xenctl_bitmap *b, u64 mask)
{
	u32 bytes = b->nr_bits / 8 + !!(b->nr_bits % 8);

	if (b->nr_bits < 64)
		mask &= (1ull << b->nr_bits) - 1;
	for (u32 i = 0; i < bytes; i += 8, mask = 0) {
		if (copy_to_guest(b->bitmap + i, &mask, min(bytes - i, 8u)))
			return -EFAULT;
		if (i % 4096 == 0)
			preempt_point();
	}
	return 0;
}

static u64 online_cpus(void)
{
	return (1ull << cpu_count) - 1;
}

static int affinity_put(struct vcpu *v, const struct xen_domctl_vcpuaffinity *a, u64 soft_within)
{
	if (a->flags & XEN_VCPUAFFINITY_HARD && bitmap_put(&a->cpumap_hard, vcpu_get_affinity(v) & online_cpus()))
		return -EFAULT;
	if (a->flags & XEN_VCPUAFFINITY_SOFT && bitmap_put(&a->cpumap_soft, v->soft_affinity & soft_within))
		return -EFAULT;
	return 0;
}

static int affinity_set(struct vcpu *v, const struct xen_domctl_vcpuaffinity *a)
{
	u64 hard, soft;
	int error;

	if (a->flags & XEN_VCPUAFFINITY_HARD) {
		if (bitmap_get(&a->cpumap_hard, &hard))
			return -EFAULT;
		if (a->flags & XEN_VCPUAFFINITY_FORCE && v->pin_override)
			vcpu_pin_override(v, -1);
		error = vcpu_set_affinity(v, hard);
		if (error)
			return error;
	}
	if (a->flags & XEN_VCPUAFFINITY_SOFT) {
		if (bitmap_get(&a->cpumap_soft, &soft))
			return -EFAULT;
		v->soft_affinity = soft;
	}
	return affinity_put(v, a, vcpu_get_affinity(v) & online_cpus());
}

static int vcpuaffinity(struct domain *d, struct xen_domctl *op)
{
	const struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
	struct vcpu *v = vcpu_of(d, a->vcpu);

	if (a->vcpu >= (u32)d->max_vcpus)
		return -EINVAL;
	if (!v)
		return -ESRCH;
	if (!(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)) ||
	    (a->flags & XEN_VCPUAFFINITY_HARD && !a->cpumap_hard.bitmap) ||
	    (a->flags & XEN_VCPUAFFINITY_SOFT && !a->cpumap_soft.bitmap))
		return -EINVAL;
	return op->cmd == XEN_DOMCTL_setvcpuaffinity ? affinity_set(v, a) : affinity_put(v, a, online_cpus());
}

/* --- shares ------------------------------------------------------------------------------------------------------ */

#define AS_IT_IS 0xffff		/* of the cap */

static int scheduler_op(struct domain *d, struct xen_domctl *op)
{
	struct xen_domctl_sched_credit2 *c = &op->u.scheduler_op.u.credit2;
	u32 weight, cap;

	if (op->u.scheduler_op.sched_id != XEN_SCHEDULER_CREDIT2 || op->u.scheduler_op.cmd > XEN_DOMCTL_SCHEDOP_getinfo)
		return -EINVAL;
	sched_get(d, &weight, &cap);
	if (op->u.scheduler_op.cmd == XEN_DOMCTL_SCHEDOP_putinfo)
		return sched_set(d, c->weight ? c->weight : weight, c->cap == AS_IT_IS ? cap : c->cap);
	c->weight = weight;
	c->cap = cap;
	return 0;
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

/* Blocked: all vCPUs that are up wait. */
static u32 vcpu_flags(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	u32 flags = XEN_DOMINF_blocked;

	info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
	for (int i = 0; i < d->vcpu_count; i++) {
		struct vcpu *v = d->vcpu[i];

		info->max_vcpu_id = i;
		info->cpu_time += vcpu_run_ns(v);
		if (!v->online)
			continue;
		info->nr_online_vcpus++;
		if (!v->blocked)
			flags &= ~XEN_DOMINF_blocked;
		if (READ_ONCE(v->runstate) == RUN_RUNNING)
			flags |= XEN_DOMINF_running;
	}
	return info->nr_online_vcpus ? flags : 0;
}

void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	memset(info, 0, sizeof(*info));
	info->domain = d->id;
	info->flags = vcpu_flags(d, info) | (u32)d->shutdown_reason << XEN_DOMINF_shutdownshift;
	info->flags |= (d->dying >= DOMAIN_DEAD ? XEN_DOMINF_dying : 0) | (d->is_shut_down ? XEN_DOMINF_shutdown : 0) |
		       (d->controller_pauses ? XEN_DOMINF_paused : 0) | (d->xenstore ? XEN_DOMINF_xs_domain : 0);
	info->tot_pages = d->pages;
	info->max_pages = min(d->max_pages, 0xffffffffull);
	info->shared_info_frame = d->shared_info_mfn;
	memcpy(info->handle, d->handle, sizeof(info->handle));
	info->gpaddr_bits = machine_address_bits();
	info->arch_config.misc_flags = d->misc_flags;
}

/* Of the domain with this id or, as toolstacks use it, the next. */
static int getdomaininfo(struct xen_domctl *op)
{
	struct domain *d = op->domain < FIRST_RESERVED_ID ? domain_next(op->domain) : NULL;

	if (!d)
		return op->domain < FIRST_RESERVED_ID ? -ESRCH : -EINVAL;
	domain_info(d, &op->u.getdomaininfo);
	op->domain = d->id;
	return 0;
}

static u32 frame_type_told(const struct domain *d, mfn_t mfn)
{
	u32 word, type;

	if (!get_frame(mfn, d->id))
		return XEN_DOMCTL_PFINFO_XTAB;
	word = READ_ONCE(mfn_to_frame(mfn)->type);
	type = word >> TYPE_SHIFT;
	if (mfn_to_frame(mfn)->flags & FRAME_SHARED)
		type = XEN_DOMCTL_PFINFO_XTAB;
	else if (type >= FRAME_L1 && type <= FRAME_L4 && word & TYPE_COUNT)
		type = type << XEN_DOMCTL_PFINFO_LTAB_SHIFT | (word & TYPE_PINNED ? XEN_DOMCTL_PFINFO_LPINTAB : 0);
	else
		type = XEN_DOMCTL_PFINFO_NOTAB;
	put_frame(mfn);
	return type;
}

static int getpageframeinfo3(struct domain *d, struct xen_domctl *op)
{
	u64 array = op->u.getpageframeinfo3.array, n = op->u.getpageframeinfo3.num, mfn;

	if (n > MAX_FRAME_TYPES)
		return -E2BIG;
	for (u64 i = 0; i < n; i++, array += 8) {
		if (get_guest_u64(&mfn, array) || put_guest_u64(frame_type_told(d, mfn), array))
			return -EFAULT;
		if (i % 64 == 63)
			preempt_point();
	}
	return 0;
}

/* --- dispatch ----------------------------------------------------------------------------------------------------- */

static const struct operation {
	int (*act)(struct domain *d, struct xen_domctl *op);
	bool answers;		/* in *op */
} operations[] = {
	[XEN_DOMCTL_pausedomain] = { pausedomain, false },
	[XEN_DOMCTL_unpausedomain] = { unpausedomain, false },
	[XEN_DOMCTL_setvcpuaffinity] = { vcpuaffinity, false },
	[XEN_DOMCTL_max_mem] = { max_mem, false },
	[XEN_DOMCTL_setvcpucontext] = { setvcpucontext, false },
	[XEN_DOMCTL_getvcpucontext] = { getvcpucontext, false },
	[XEN_DOMCTL_getvcpuinfo] = { getvcpuinfo, true },
	[XEN_DOMCTL_max_vcpus] = { max_vcpus, false },
	[XEN_DOMCTL_scheduler_op] = { scheduler_op, true },
	[XEN_DOMCTL_setdomainhandle] = { setdomainhandle, false },
	[XEN_DOMCTL_hypercall_init] = { hypercall_init, false },
	[XEN_DOMCTL_settimeoffset] = { settimeoffset, false },
	[XEN_DOMCTL_getvcpuaffinity] = { vcpuaffinity, false },
	[XEN_DOMCTL_resumedomain] = { resumedomain, false },
	[XEN_DOMCTL_sendtrigger] = { sendtrigger, false },
	[XEN_DOMCTL_getpageframeinfo3] = { getpageframeinfo3, false },
	[XEN_DOMCTL_set_virq_handler] = { set_handler, false },
};

static long answer(const struct xen_domctl *op, u64 at)
{
	return copy_to_guest(at, op, sizeof(*op)) ? -EFAULT : 0;
}

/* Those that look for their domain themselves. */
static long without_domain(struct xen_domctl *op, u64 at)
{
	int rc;

	control_lock();
	rc = op->cmd == XEN_DOMCTL_createdomain ? createdomain(op) : getdomaininfo(op);
	control_unlock();
	return rc ? rc : answer(op, at);
}

/* The domain is looked for again under the lock: who waits for that may be stopped for good, and then must hold nothing. */
static long with_domain(struct xen_domctl *op, u64 at)
{
	const struct operation *o = op->cmd < ARRAY_SIZE(operations) ? &operations[op->cmd] : NULL;
	struct domain *d;
	int rc = -ESRCH;

	if (!o || !o->act)
		return -ENOSYS;
	control_lock();
	d = domain_get(op->domain);
	if (d) {
		rc = o->act(d, op);
		domain_put(d);
	}
	control_unlock();
	return !rc && o->answers ? answer(op, at) : rc;
}

static long destroydomain(domid_t id)
{
	struct domain *d = domain_get(id);
	long rc = d ? domain_destroy(d) : -ESRCH;

	if (d)
		domain_put(d);
	return rc;
}

long do_domctl(u64 arg, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	struct xen_domctl op;
	struct domain *d;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
		return -EACCES;
	if (op.cmd == XEN_DOMCTL_createdomain || op.cmd == XEN_DOMCTL_getdomaininfo)
		return v->domain->privileged || v->domain->control ? without_domain(&op, arg) : -EPERM;
	d = domain_find(op.domain);
	if (!d)
		return -ESRCH;
	if (!may_manage(v->domain, d))
		return -EPERM;
	return op.cmd == XEN_DOMCTL_destroydomain ? destroydomain(op.domain) : with_domain(&op, arg);
}

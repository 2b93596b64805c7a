/* SPDX-License-Identifier: MIT */
/* credit and credit2 take the same two numbers in the same places. */
#include <abi/errno.h>

#include "hypercontrol.h"
#include "scheduler.h"

static u32 scheduler_id(void)
{
	struct xen_sysctl op;

	return sysctl(XEN_SYSCTL_sched_id, &op) ? 0 : op.u.sched_id.sched_id;
}

const char *sched_name(void)
{
	switch (scheduler_id()) {
	case XEN_SCHEDULER_CREDIT:
		return "credit";
	case XEN_SCHEDULER_CREDIT2:
		return "credit2";
	default:
		return "unknown";
	}
}

static long scheduler_op(u16 domid, u32 cmd, struct xen_domctl *op)
{
	u32 id = scheduler_id();

	if (id != XEN_SCHEDULER_CREDIT && id != XEN_SCHEDULER_CREDIT2)
		return -EOPNOTSUPP;
	op->u.scheduler_op.sched_id = id;
	op->u.scheduler_op.cmd = cmd;
	return domctl(XEN_DOMCTL_scheduler_op, domid, op);
}

long sched_set(u16 domid, u16 weight, u16 cap)
{
	struct xen_domctl op = { .u.scheduler_op.u.credit = { .weight = weight, .cap = cap } };

	return scheduler_op(domid, XEN_DOMCTL_SCHEDOP_putinfo, &op);
}

long sched_get(u16 domid, u16 *weight, u16 *cap)
{
	struct xen_domctl op = { 0 };
	long err = scheduler_op(domid, XEN_DOMCTL_SCHEDOP_getinfo, &op);

	*weight = op.u.scheduler_op.u.credit.weight;
	*cap = op.u.scheduler_op.u.credit.cap;
	return err;
}

long affinity_set(u16 domid, u32 vcpu, u64 cpus)
{
	struct xen_domctl op = { .u.vcpuaffinity = {
		.vcpu = vcpu, .flags = XEN_VCPUAFFINITY_HARD, .cpumap_hard = { .bitmap = (u64)&cpus, .nr_bits = 64 },
	} };

	return domctl(XEN_DOMCTL_setvcpuaffinity, domid, &op);
}

long affinity_get(u16 domid, u32 vcpu, u64 *hard, u64 *soft)
{
	struct xen_domctl op = { .u.vcpuaffinity = {
		.vcpu = vcpu, .flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT,
		.cpumap_hard = { .bitmap = (u64)hard, .nr_bits = 64 }, .cpumap_soft = { .bitmap = (u64)soft, .nr_bits = 64 },
	} };

	*hard = *soft = 0;
	return domctl(XEN_DOMCTL_getvcpuaffinity, domid, &op);
}

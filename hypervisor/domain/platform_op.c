/* SPDX-License-Identifier: MIT */
/* What domain 0 may ask of the machine: to set the wall clock, and which processors there are. */
#include <abi/platform.h>
#include <cpu.h>
#include <domain.h>
#include <hypercall.h>
#include <pvclock.h>
#include <uaccess.h>

#define NS_PER_S 1000000000ull

u32 wallclock_nsec;

/* The wall clock was `secs` and `nsecs` at `system_time`; guests are told what it was at system time 0. */
static long set_time(struct domain *d, u64 secs, u64 nsecs, u64 system_time)
{
	u64 borrowed = system_time % NS_PER_S > nsecs % NS_PER_S;

	wallclock_at_boot = secs + nsecs / NS_PER_S - system_time / NS_PER_S - borrowed;
	wallclock_nsec = nsecs % NS_PER_S + borrowed * NS_PER_S - system_time % NS_PER_S;
	wallclock_update(d);
	return 0;
}

static void cpu_info(struct xenpf_pcpuinfo *info)
{
	const struct cpu *c = info->xen_cpuid < (u32)cpu_count ? cpus[info->xen_cpuid] : NULL;

	info->max_present = cpu_count - 1;
	info->flags = !c ? XEN_PCPU_FLAGS_INVALID : c->online ? XEN_PCPU_FLAGS_ONLINE : 0;
	info->apic_id = info->acpi_id = c ? c->apic_id : ~0u;
}

long do_platform_op(u64 argument, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	struct xen_platform_op op;

	if (copy_from_guest(&op, argument, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XENPF_INTERFACE_VERSION)
		return -EACCES;
	if (!v->domain->privileged)
		return -EPERM;
	switch (op.cmd) {
	case XENPF_settime32:
		return set_time(v->domain, op.u.settime32.secs, op.u.settime32.nsecs, op.u.settime32.system_time);
	case XENPF_settime64:
		if (op.u.settime64.mbz)
			return -EINVAL;
		return set_time(v->domain, op.u.settime64.secs, op.u.settime64.nsecs, op.u.settime64.system_time);
	case XENPF_get_cpuinfo:
		cpu_info(&op.u.pcpu_info);
		break;
	default:
		return -ENOSYS;
	}
	return copy_to_guest(argument, &op, sizeof(op));
}

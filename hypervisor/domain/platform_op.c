/* SPDX-License-Identifier: MIT */
/* What domain 0 may ask of the machine: to set the wall clock, and which processors there are. */
#include <abi/platform.h>
#include <asm.h>
#include <cpu.h>
#include <domain.h>
#include <hypercall.h>
#include <pvclock.h>
#include <string.h>
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

static struct cpu *processor(u32 number)
{
	return number < (u32)cpu_count ? cpus[number] : NULL;
}

static void cpu_info(struct xenpf_pcpuinfo *info)
{
	const struct cpu *c = processor(info->xen_cpuid);

	info->max_present = cpu_count - 1;
	info->flags = !c ? XEN_PCPU_FLAGS_INVALID : c->online ? XEN_PCPU_FLAGS_ONLINE : 0;
	info->apic_id = info->acpi_id = c ? c->apic_id : ~0u;
}

/* The processors are all of one kind. */
static void cpu_version(struct xenpf_pcpu_version *info)
{
	u32 r[4], family, model;

	info->max_present = cpu_count - 1;
	memset(info->vendor_id, 0, sizeof(info->vendor_id));
	info->family = info->model = info->stepping = 0;
	if (!processor(info->xen_cpuid))
		return;
	cpuid(0, 0, r);
	memcpy(info->vendor_id, &r[1], 4);
	memcpy(info->vendor_id + 4, &r[3], 4);
	memcpy(info->vendor_id + 8, &r[2], 4);
	cpuid(1, 0, r);
	family = r[0] >> 8 & 15;
	model = r[0] >> 4 & 15;
	if (family == 6 || family == 15)
		model |= r[0] >> 12 & 0xf0;
	info->family = family == 15 ? family + (r[0] >> 20 & 0xff) : family;
	info->model = model;
	info->stepping = r[0] & 15;
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
	case XENPF_get_cpu_version:
		cpu_version(&op.u.pcpu_version);
		break;
	default:
		return -ENOSYS;
	}
	return copy_to_guest(argument, &op, sizeof(op));
}

/* SPDX-License-Identifier: MIT */
/* The control hypercalls, and foreign memory as ordinary addresses of the arena. */
#include "../include/hypercall.h"
#include "../include/mm.h"
#include "hypercontrol.h"

long domctl(u32 cmd, u16 domid, struct xen_domctl *op)
{
	op->cmd = cmd;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op->domain = domid;
	return HYPERVISOR_domctl(op);
}

long sysctl(u32 cmd, struct xen_sysctl *op)
{
	op->cmd = cmd;
	op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	return HYPERVISOR_sysctl(op);
}

void *foreign_map(u16 domid, const u64 *mfns, u64 count)
{
	return vmap_foreign(domid, mfns, count, PROT_WRITE);
}

void foreign_unmap(void *va)
{
	vunmap(va);
}

/* SPDX-License-Identifier: MIT */
/* What domain 0 may do to other domains and the machine: control hypercalls and mappings of foreign memory. */
#ifndef CTL_HYPERCONTROL_H
#define CTL_HYPERCONTROL_H

#include <abi/domctl.h>
#include <abi/sysctl.h>

#include "../include/types.h"

/* The interface version is filled in. 0 or a negative errno. */
long domctl(u32 cmd, u16 domid, struct xen_domctl *op);
long sysctl(u32 cmd, struct xen_sysctl *op);

/* The domain's frames at consecutive addresses, writable. NULL: no room, or one of them is not its. */
void *foreign_map(u16 domid, const u64 *mfns, u64 count);
void foreign_unmap(void *va);

#endif

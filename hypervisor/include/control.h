/* SPDX-License-Identifier: MIT */
/* What the control hypercalls share (domain/domctl.c, domain/sysctl.c). */
#ifndef PARAVANE_CONTROL_H
#define PARAVANE_CONTROL_H

#include <abi/domctl.h>
#include <domain.h>

/* Operations that change domains come one after another; the holder may be preempted. */
void control_lock(void);
void control_unlock(void);

void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

#endif

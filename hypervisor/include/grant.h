/* SPDX-License-Identifier: MIT */
/* Grants inside the hypervisor (ipc/grant.c). */
#ifndef PARAVANE_GRANT_H
#define PARAVANE_GRANT_H

#include <abi/grant_table.h>
#include <domain.h>
#include <types.h>
#include <vcpu.h>

int grant_init(struct domain *d);	/* 0 or -ENOMEM */
void grant_destroy(struct domain *d);	/* its mappings of others' grants end; its table goes */

/* The builder grants the page `mfn` of d to `domid` by entry `ref`, before the domain runs. */
void grant_preset(struct domain *d, u32 ref, domid_t domid, mfn_t mfn);

#endif

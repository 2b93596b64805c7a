/* SPDX-License-Identifier: MIT */
/* What mm/pv_mmu.c and mm/mmuext.c share: arguments of both that mean the same. */
#ifndef PARAVANE_MMU_H
#define PARAVANE_MMU_H

#include <types.h>

struct domain;

/* A foreign-domain argument other than DOMID_SELF: 0, -ESRCH no such domain, -EPERM not for this caller. */
int foreign_owner(struct domain *d, u16 id, domid_t *owner);
/* The same with a reference on that domain, for domain_put(), if it is one. */
int get_foreign(struct domain *d, u16 id, domid_t *owner, struct domain **other);
int others_in_mask(struct domain *d, u64 mask_at, bool *self, bool *others);
void flush_tlb_for(bool everything, u64 va, bool others);

#endif

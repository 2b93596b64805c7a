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

#endif

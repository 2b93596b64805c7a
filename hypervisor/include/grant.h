/* SPDX-License-Identifier: MIT */
/* Grants inside the hypervisor (ipc/grant.c), and the page-table entries of grant mappings (mm/grant_pte.c). */
#ifndef PARAVANE_GRANT_H
#define PARAVANE_GRANT_H

#include <abi/grant_table.h>
#include <domain.h>
#include <types.h>
#include <vcpu.h>

int grant_init(struct domain *d);	/* 0 or -ENOMEM */
void grant_destroy(struct domain *d);	/* its mappings of others' grants end; its table goes */

/*
 * The builder presets an entry: the page `mfn` of d, for `domid`. Before the domain runs.
 */
void grant_preset(struct domain *d, u32 ref, domid_t domid, mfn_t mfn);

/*
 * Writes `pte` where v's kernel tables map the linear address `address`, or, with contains_pte, at the machine address
 * `address` within a validated L1 table of v's domain. The references that the new entry holds (a general one and, if writable, a
 * FRAME_WRITABLE one) are the caller's and pass to the entry; those of the entry replaced are dropped. 0 or
 * -EINVAL, then nothing has changed.
 */
int grant_pte_install(struct vcpu *v, u64 address, bool contains_pte, u64 pte);

/*
 * Clears the entry at `address` if it is present, maps `expected` and is writable or not as `writable` says, and drops
 * its references. With `replace_with` not 0 the entry of that linear address moves there instead, references and all.
 * Nothing is flushed. 0 or -EINVAL, then nothing has changed.
 */
int grant_pte_remove(struct vcpu *v, u64 address, bool contains_pte, mfn_t expected, bool writable, u64 replace_with);

/* Translations of `va` in v's domain are gone from every CPU when it returns; ~0: all of them. */
void grant_pte_flush(struct vcpu *v, u64 va);

#endif

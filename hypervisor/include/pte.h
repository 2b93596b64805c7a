/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries as the ABI has them, and the references that a leaf holds: a present L1 entry
 * holds a general reference on its frame, and a writable one if it has RW, unless that is no memory.
 */
#ifndef PARAVANE_PTE_H
#define PARAVANE_PTE_H

#include <abi/mmu.h>
#include <domain.h>
#include <frames.h>

#define PTE_ENTRIES 512
#define PTE_CACHE (PTE_PWT | PTE_PCD | PTE_PAT)
#define PTE_AVAIL_HIGH 0x7ff0000000000000
/* What may differ between two entries without any effect on references. */
#define PTE_SOFT (PTE_USER | PTE_ACCESSED | PTE_DIRTY | PTE_AVAIL | PTE_AVAIL_HIGH | PTE_NX)
#define L1_SOFT (PTE_SOFT | PTE_GLOBAL)

extern u64 l1_refused;	/* bits that an L1 entry of an ordinary domain may not have */

static inline mfn_t pte_mfn(u64 pte) { return pte << 12 >> 24; }

/* Not memory: not counted, and no slot of the frame table may be written. */
static inline bool is_device(mfn_t mfn)
{
	return mfn >= max_mfn || mfn_to_frame(mfn)->owner == OWNER_IO;
}

/* User mappings are global, kernel's are marked; the CPU runs both in ring 3. */
static inline u64 l1_adjust(u64 pte)
{
	if (!(pte & PTE_USER))
		return pte | PTE_USER | PTE_GUEST_KERNEL;
	return pte & PTE_GUEST_KERNEL ? pte : pte | PTE_GLOBAL;
}

int get_l1e_slow(struct domain *d, u64 pte, domid_t owner);
void ldt_page_unmapped(struct domain *d);

/* The references of a present entry in a table of d, for frames of `owner`: 0, -EINVAL (bits), -EPERM (device), -EBUSY (in use). */
static inline int get_l1e(struct domain *d, u64 pte, domid_t owner)
{
	mfn_t mfn = pte_mfn(pte);

	if (unlikely(pte & l1_refused) || unlikely(!get_frame(mfn, owner)))
		return get_l1e_slow(d, pte, owner);
	if (!(pte & PTE_RW) || likely(get_writable(mfn)))
		return 0;
	put_frame(mfn);
	return -EBUSY;
}

static inline void put_l1e(struct domain *d, u64 pte)
{
	mfn_t mfn = pte_mfn(pte);

	if (unlikely(is_device(mfn)))
		return;
	if (pte & PTE_RW)
		put_writable(mfn);
	else if (unlikely(frame_type(mfn_to_frame(mfn)) == FRAME_SEGDESC))
		ldt_page_unmapped(d);
	put_frame(mfn);
}

/* Under d->l1_lock: is this frame an L1 table of d's that counts? It stays one until the lock is released. */
static inline bool is_l1_of(struct domain *d, mfn_t mfn)
{
	struct frame *f = mfn_to_frame(mfn);

	return READ_ONCE(f->type) >> 27 == (FRAME_L1 << 1 | 1) && f->owner == d->id;
}

int set_l1e(struct domain *d, u64 *pte, u64 new, bool keep_ad, domid_t owner);
int change_l1e(struct domain *d, u64 *pte, u64 old, u64 new);
u64 *find_l1e(struct domain *d, maddr_t root, u64 va);

#endif

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
#include <linear.h>

#define PTE_ENTRIES 512
#define PTE_CACHE (PTE_PWT | PTE_PCD | PTE_PAT)
#define PTE_AVAIL_HIGH 0x7ff0000000000000
/* What may differ between two entries without any effect on references. */
#define PTE_SOFT (PTE_USER | PTE_ACCESSED | PTE_DIRTY | PTE_AVAIL | PTE_AVAIL_HIGH | PTE_NX)
#define L1_SOFT (PTE_SOFT | PTE_GLOBAL)

extern u64 l1_refused;	/* bits that an L1 entry of an ordinary domain may not have */
extern u64 l1_hard;	/* bits that may not change without a look at references: all but L1_SOFT, and what the CPU lacks */

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

#define L1E_READONLY 1	/* get_l1e(): the entry is taken without RW */

int get_l1e_slow(struct domain *d, u64 pte, domid_t owner, bool held);
void put_segdesc_l1e(struct domain *d, mfn_t mfn);

/* The references of a present entry in a table of d, for frames of `owner`: 0, -EINVAL (bits), -EPERM (device), -EBUSY (in use), L1E_READONLY. */
static inline int get_l1e(struct domain *d, u64 pte, domid_t owner)
{
	mfn_t mfn = pte_mfn(pte);

	if (unlikely(pte & l1_refused) || unlikely(!get_frame(mfn, owner)))
		return get_l1e_slow(d, pte, owner, false);
	if (pte & PTE_RW && unlikely(!try_get_writable(mfn)))
		return get_l1e_slow(d, pte, owner, true);
	return 0;
}

static inline void put_l1e(struct domain *d, u64 pte)
{
	mfn_t mfn = pte_mfn(pte);

	if (unlikely(is_device(mfn)))
		return;
	if (pte & PTE_RW)
		put_writable(mfn);
	else if (unlikely(frame_type(mfn_to_frame(mfn)) == FRAME_SEGDESC))
		return put_segdesc_l1e(d, mfn);
	put_frame(mfn);
}

/* Under d->l1_lock: is this frame an L1 table of d's that counts? It stays one until the lock is released. */
static inline bool is_l1_of(struct domain *d, mfn_t mfn)
{
	struct frame *f = mfn_to_frame(mfn);

	return READ_ONCE(f->type) >> 27 == (FRAME_L1 << 1 | 1) && f->owner == d->id;
}

/*
 * Under d->l1_lock: the entry that maps va in the tables in CR3, which are d's kernel's, or NULL. Upper tables may change meanwhile,
 * so what they say is only a hint: it counts if it leads to an L1 table of d's.
 */
static inline u64 *find_l1e(struct domain *d, u64 va)
{
	u64 entry;
	mfn_t mfn;

	if (unlikely(!guest_page_ok(va)))
		return NULL;
	entry = linear_l2e(va);
	mfn = pte_mfn(entry);
	if (unlikely(!(entry & PTE_PRESENT) || mfn >= max_mfn || !is_l1_of(d, mfn)))
		return NULL;
	return (u64 *)mfn_to_virt(mfn) + (va >> PAGE_SHIFT & (PTE_ENTRIES - 1));
}

static inline u64 exchange_entry(u64 *pte, u64 new, bool keep_ad)
{
	u64 old;

	if (likely(!keep_ad))
		return __atomic_exchange_n(pte, new, __ATOMIC_SEQ_CST);
	old = READ_ONCE(*pte);
	while (!cas64(pte, &old, new | (old & (PTE_ACCESSED | PTE_DIRTY))))
		;	/* the hardware may set these at any time */
	return old;
}

int replace_l1e(struct domain *d, u64 *pte, u64 new, domid_t owner);
int change_l1e(struct domain *d, u64 *pte, u64 old, u64 new);

/*
 * Under l1_lock: stores *new in a validated L1 table's entry if references stay as they are. False: they change, and nothing
 * is done but that *new has become the entry to store.
 */
static inline bool set_l1e_soft(u64 *pte, u64 *new)
{
	u64 old;

	if (!(*new & PTE_PRESENT))
		return false;
	*new = l1_adjust(*new);
	old = READ_ONCE(*pte);
	return !((old ^ *new) & l1_hard) && likely(cas64(pte, &old, *new));
}

/* Under d->l1_lock; *pte is in a validated L1 table of d. New frames must be `owner`'s. 0 or what get_l1e() says. */
static inline int set_l1e(struct domain *d, u64 *pte, u64 new, domid_t owner)
{
	return set_l1e_soft(pte, &new) ? 0 : replace_l1e(d, pte, new, owner);
}

#endif

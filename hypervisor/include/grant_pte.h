/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries that stand for grant mappings. Whoever puts one in place has taken its references; they are the
 * entry's own from then on, until it is taken away or the guest overwrites it.
 */
#ifndef PARAVANE_GRANT_PTE_H
#define PARAVANE_GRANT_PTE_H

#include <pte.h>

/* Under l1_lock: the entry that maps an address, or that at a machine address. NULL: not in an L1 table of d's. */
static inline u64 *l1e_at(struct domain *d, u64 address, bool is_machine)
{
	if (likely(!is_machine))
		return find_l1e(d, address);
	if (address & 7 || address >> PAGE_SHIFT >= max_mfn || !is_l1_of(d, address >> PAGE_SHIFT))
		return NULL;
	return maddr_to_virt(address);
}

/* Puts a complete entry in place and drops what was there. False: no such place. */
static inline bool give_l1e(struct domain *d, u64 address, bool is_machine, u64 pte)
{
	u64 *place, old = 0;

	spin_lock(&d->l1_lock);
	place = l1e_at(d, address, is_machine);
	if (likely(place))
		old = __atomic_exchange_n(place, pte, __ATOMIC_SEQ_CST);
	if (unlikely(old & PTE_PRESENT))
		put_l1e(d, old);
	spin_unlock(&d->l1_lock);
	return place;
}

/*
 * Takes away the entry there if it maps mfn, writable or not as said; its references are then the caller's to drop. With
 * replace_with, the entry that maps that address moves to its place. False: another entry, or nothing to replace it.
 */
static inline bool take_l1e(struct domain *d, u64 address, bool is_machine, mfn_t mfn, bool writable, u64 replace_with)
{
	u64 *place, *source = NULL, old, instead = 0;
	bool found = false;

	spin_lock(&d->l1_lock);
	place = l1e_at(d, address, is_machine);
	if (likely(place)) {
		old = READ_ONCE(*place);
		found = old & PTE_PRESENT && pte_mfn(old) == mfn && !!(old & PTE_RW) == writable;
	}
	if (unlikely(replace_with)) {
		source = find_l1e(d, replace_with);
		found = found && source && source != place && READ_ONCE(*source) & PTE_PRESENT;
	}
	if (likely(found)) {
		if (unlikely(source))
			instead = __atomic_exchange_n(source, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(place, instead, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&d->l1_lock);
	return found;
}

#endif

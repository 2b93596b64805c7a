/* SPDX-License-Identifier: MIT */
/*
 * Whose each frame is, exactly, but for those that are being zeroed for a domain, which counts them already:
 *
 *   frames in free blocks = what the allocator says is free; none of them is referred to
 *   frames of a domain = those on its list <= its count of pages        pages lent to it = its count of them
 */
#include <console.h>
#include <domain.h>
#include <frames.h>
#include "check.h"

/* Those of a block that were never used are still the hypervisor's. */
static void check_block(mfn_t mfn, u64 n)
{
	for (; n--; mfn++) {
		const struct frame *f = mfn_to_frame(mfn);

		if ((f->count && f->owner != OWNER_XEN && f->owner != OWNER_ZEROED) || f->type & (TYPE_COUNT | TYPE_PINNED) || m2p_table[mfn] != INVALID_PFN)
			panic("check: frame %lx is free and in use: %lx, type word %x, pfn %lx", mfn, f->count_owner, f->type,
			      m2p_table[mfn]);
	}
}

static void check_free(void)
{
	u64 free = 0;

	for (mfn_t mfn = 1; mfn < max_mfn; mfn++) {
		const struct frame *f = mfn_to_frame(mfn);

		if (!(f->flags & FRAME_FREE))
			continue;
		free += 1ul << (f->flags & FRAME_LOW_BITS);
		check_block(mfn, 1ul << (f->flags & FRAME_LOW_BITS));
	}
	if (free != free_page_count())
		panic("check: %lu frames are free, not %lu", free, free_page_count());
}

static void check_list(const struct domain *d, u64 owned)
{
	u64 n = 0;

	for (mfn_t mfn = d->page_list, prev = 0; mfn; prev = mfn, mfn = mfn_to_frame(mfn)->next, n++)
		if (mfn_to_frame(mfn)->owner != d->id || !mfn_to_frame(mfn)->count || mfn_to_frame(mfn)->prev != prev)
			panic("check: frame %lx of owner %x on the list of domain %d", mfn, mfn_to_frame(mfn)->owner, d->id);
	if (n != owned || n > d->pages)
		panic("check: domain %d has %lu frames, %lu on its list, %lu counted", d->id, owned, n, d->pages);
}

static void check_owned(const struct domain *d)
{
	u64 owned = 0, lent = 0;

	for (mfn_t mfn = 1; mfn < max_mfn; mfn++) {
		const struct frame *f = mfn_to_frame(mfn);

		if (f->owner != d->id || !f->count)
			continue;
		owned += !(f->flags & FRAME_SHARED);
		lent += !!(f->flags & FRAME_SHARED);
	}
	check_list(d, owned);
	if (lent != d->lent_pages)
		panic("check: %lu pages are lent to domain %d, not %u", lent, d->id, d->lent_pages);
}

void check_memory(void)
{
	check_free();
	for_each_domain(d)
		check_owned(d);
}

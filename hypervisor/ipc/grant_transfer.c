/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_transfer: a page for good. The receiver asks for one by an entry with GTF_accept_transfer, which the hypervisor commits, then
 * completes with the frame in it. As the ABI has it, the giver loses the page whatever comes of it, unless it was none that
 * could be given: one of its own to which nothing refers.
 */
#include <trace.h>
#include "grant_table.h"

/* The receiver's entry is committed to a page of the giver's. False: it asks for none of its. */
static bool commit(struct domain *d, u32 ref, domid_t giver)
{
	struct grant_table *t = d->grants;
	bool done = false;
	u64 *entry, old;

	spin_lock(&t->lock);
	if (ref < t->entries) {
		entry = entry_of(t, ref);
		old = READ_ONCE(*entry);
		for (int i = 0; i < TRIES && !done && (u32)old == (GTF_accept_transfer | (u32)giver << 16); i++)
			done = cas64(entry, &old, old | GTF_transfer_committed);
	}
	spin_unlock(&t->lock);
	return done;
}

static void complete(struct domain *d, u32 ref, mfn_t mfn)
{
	struct grant_table *t = d->grants;
	u64 *entry;

	spin_lock(&t->lock);
	if (likely(ref < t->entries)) {	/* as it was, but the version may have changed */
		entry = entry_of(t, ref);
		if (t->version == 1)
			__atomic_store_n((u32 *)entry + 1, mfn, __ATOMIC_SEQ_CST);
		else
			__atomic_store_n(entry + 1, mfn, __ATOMIC_SEQ_CST);
		__atomic_or_fetch((u16 *)entry, GTF_transfer_completed, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&t->lock);
}

static int give(struct domain *d, struct domain *to, u32 ref, mfn_t mfn)
{
	if (!to)
		return GNTST_bad_domain;
	if (!commit(to, ref, d->id) || !give_taken_frame(to, mfn))
		return GNTST_general_error;
	complete(to, ref, mfn);
	if (unlikely(trace_mask))
		trace_event(TRC_MEM_PAGE_GRANT_TRANSFER, to->id);
	return GNTST_okay;
}

long grant_transfer(struct vcpu *v, void *arg)
{
	struct gnttab_transfer *op = arg;

	op->status = GNTST_bad_page;
	if (!take_domain_frame(v->domain, op->mfn))
		return 0;
	op->status = give(v->domain, granter(v->domain, op->domid), op->ref, op->mfn);
	if (op->status)
		free_taken_frame(op->mfn);
	return 0;
}

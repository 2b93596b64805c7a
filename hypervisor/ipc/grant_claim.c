/* SPDX-License-Identifier: MIT */
/* Claims of the rarer kinds: entries of version 2, and entries that are in use already (grant_table.h). */
#include "grant_table.h"

/* Of version 1: the guest has changed the entry under the first try. It may do so again, but not for ever. */
slow_path bool commit_again(u64 *entry, u64 *old, domid_t to, bool readonly)
{
	for (int i = 1; i < TRIES && permits(*old, to, readonly); i++)
		if (cas64(entry, old, *old | (readonly ? GTF_reading : IN_USE)))
			return true;
	return false;
}

/*
 * The bits are apart from what was judged, so that must be the same once they are set. Another domain's grant that is passed on
 * can be copied, but not mapped.
 */
static int claim_v2(u64 *entry, u16 *status, struct active *a, domid_t to, bool readonly, enum claim_use use)
{
	u64 head = READ_ONCE(entry[0]), frame = READ_ONCE(entry[1]);
	u32 start = (u16)(head >> 32), end = min(start + (u16)(head >> 48), (u32)PAGE_SIZE);
	bool passed_on = (head & GTF_type_mask) == GTF_transitive && use != TO_MAP;

	if (passed_on && use == TO_COPY)
		return CLAIM_PASSED_ON;
	if (!permits(passed_on ? head ^ GTF_transitive ^ GTF_permit_access : head, to, readonly) || (head & GTF_sub_page && use == TO_MAP))
		return GNTST_general_error;
	__atomic_or_fetch(status, readonly ? GTF_reading : IN_USE, __ATOMIC_SEQ_CST);
	if (READ_ONCE(entry[0]) != head || READ_ONCE(entry[1]) != frame) {
		__atomic_and_fetch(status, ~IN_USE, __ATOMIC_SEQ_CST);
		return GNTST_general_error;
	}
	a->mfn = passed_on ? frame : min(frame, max_mfn);
	a->part = passed_on ? PASSED_ON : head & GTF_sub_page ? start << 16 | end : WHOLE;
	a->through = start;
	return GNTST_okay;
}

/* While an entry is in use by a domain, that needs no permission for more claims but to write. */
static int claim_again(struct grant_table *t, u32 ref, domid_t to, bool readonly, enum claim_use use)
{
	struct active *a = active_of(t, ref);
	u64 *entry = entry_of(t, ref);

	if (a->domid != to)
		return GNTST_bad_domain;
	if ((readonly ? a->claims % A_WRITE : a->claims / A_WRITE) == A_MOST)
		return GNTST_no_space;
	if (use == TO_MAP && a->part != WHOLE)
		return GNTST_general_error;
	if (use == TO_COPY && a->part == PASSED_ON)
		return CLAIM_PASSED_ON;
	if (readonly || a->claims >= A_WRITE)
		return GNTST_okay;
	__atomic_or_fetch(status_of(t, ref), GTF_writing, __ATOMIC_SEQ_CST);
	if (!(READ_ONCE(*entry) & GTF_readonly))
		return GNTST_okay;
	__atomic_and_fetch(status_of(t, ref), ~GTF_writing, __ATOMIC_SEQ_CST);
	return GNTST_general_error;
}

int claim_rarely(struct grant_table *t, u32 ref, domid_t to, bool readonly, enum claim_use use)
{
	if (active_of(t, ref)->claims)
		return claim_again(t, ref, to, readonly, use);
	return claim_v2(entry_of(t, ref), status_of(t, ref), active_of(t, ref), to, readonly, use);
}

/* SPDX-License-Identifier: MIT */
/*
 * A ring of requests and responses between two ends that do not trust each other. All indices count from 0 modulo 2^32; entry
 * number n is in slot n & (entries - 1), which holds a request until its frontend has taken a response from it:
 *
 *	rsp_cons <= rsp_prod <= req_cons <= req_prod <= rsp_cons + entries
 *	   |           |           |           |
 *	   |           |           |           the frontend's, published: requests put
 *	   |           |           the backend's, private: requests taken
 *	   |           the backend's, published: responses put
 *	   the frontend's, private: responses taken
 *
 * Invariant, for ends that keep to it: the frontend owns slots [req_prod, rsp_cons + entries) and [rsp_cons, rsp_prod), the
 * backend the rest. A backend answers in any order, so a response lies in a slot whose request it has taken, perhaps another's.
 *
 * All of the shared page can be stored to by a hostile other end at any time. So our own indices are private and only published
 * there; the other's index is loaded once, judged against our private ones, and kept; a byte of an entry is loaded
 * once, into the caller's memory, where it is judged. An index that breaks the order above breaks the ring for good. What
 * keeps to it and still lies harms only the liar's own requests. The event indices are never judged: they decide
 * only whether the other end hears from us.
 *
 * Barriers. Five orders are needed:
 *
 *	1. put: the entry before the index that publishes it.	The other end must not see the index and then an old entry.
 *	2. get: the index before the entry.			The same, from its side.
 *	3. the backend: a request before its response.		The response overwrites a request's slot, perhaps this one's.
 *	4. the frontend: a response before the next request.	The same: a request goes into a slot whose response was taken.
 *	5. both: our index before the other's event index (push); our event index before the other's index (await).
 *
 * x86 keeps 1 to 4 by itself (stores in order, loads in order, no store before an earlier load), and the compiler keeps them
 * since the loads of an index acquire, the stores that publish are sequentially consistent, and entries are copied by
 * volatile accesses, which it does not exchange. 5 is a store before a load, which x86 does reorder, and is why those stores are XCHG.
 *
 * When to notify. An end that is about to sleep stores into its event index the index that it wants to hear of, and looks at the
 * other's index once more. An end that publishes [old, new) notifies if the event index is in (old, new]: the
 * difference of event to new, modulo 2^32, is less than that of old to new. Of two ends that each store and then look, at least
 * one sees the other's store (5), so either the sleeper sees the new index and stays awake, or the other one sees its
 * event index. A sleeper wants an index above what it has taken and the publisher passes every index once, so exactly one
 * push notifies. While an end is busy it leaves its event index where it is, behind, and hears nothing: a busy ring makes no
 * events. tests/models/ring.pml checks this.
 */
#include "ring.h"

u32 ring_entries(u32 bytes, u32 slot)
{
	u32 n = (bytes - RING_HEADER_SIZE) / slot;

	return 1u << (31 - __builtin_clz(n));
}

void ring_front_init(struct ring_front *r, void *pages, u32 bytes, u32 slot)
{
	*r = (struct ring_front){ .shared = pages, .entries = ring_entries(bytes, slot), .slot = slot };
	*r->shared = (struct ring_header){ .req_event = 1, .rsp_event = 1 };
}

int ring_back_init(struct ring_back *r, void *pages, u32 bytes, u32 slot)
{
	struct ring_header *shared = pages;
	u32 rsp_prod = ring_load(&shared->rsp_prod), req_prod = ring_load(&shared->req_prod);

	*r = (struct ring_back){ .shared = shared, .entries = ring_entries(bytes, slot), .slot = slot, .req_cons = rsp_prod,
				 .req_seen = rsp_prod, .rsp_prod = rsp_prod, .rsp_published = rsp_prod };
	r->broken = req_prod - rsp_prod > r->entries;
	return r->broken ? -EINVAL : 0;
}

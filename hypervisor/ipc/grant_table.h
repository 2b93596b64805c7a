/* SPDX-License-Identifier: MIT */
/*
 * Grants. Each domain has a table of entries that it fills and others use:
 *
 *   shared[] pages  the entries, written by the guest: what it permits         (version 2: status[] pages beside)
 *   active[] pages  for each entry, what is in use of it: frame, user, counts  (private)
 *   tracked[] pages what this domain has mapped of others: handle -> struct mapping
 *
 * Files: grant.c (which operation), grant_table.c (tables and versions), grant_claim.c, grant_map.c, grant_copy.c,
 * grant_transfer.c.
 *
 * Claiming an entry that is not in use reads flags, domid and frame and sets GTF_reading and GTF_writing in one atomic step; the
 * frame that counts is the one in `active`, whatever the guest writes later. Releasing counts down and clears the bits with the
 * last reader or writer.
 *
 * Invariants, under `lock`
 *   1. active.claims of an entry counts readers and writers of it: each a mapping of somebody's, or a copy in progress.
 *   2. A mapping with MAP_HOST stands for a page-table entry of its domain that was made by it. The references on the frame are
 *      the page-table entry's, so a guest that overwrites it loses nothing but the possibility to unmap it.
 *      One with MAP_DEVICE holds references itself. One without either is free, or in the hands of whoever makes or ends it.
 *   3. Pages once made stay until the domain goes, so a version can change while they are mapped.
 *   4. Whoever has a claim finds the granter by its id: a domain with claims on its entries stays known, dead or not (grant.h).
 * Locks of two tables are never held together.
 */
#ifndef PARAVANE_GRANT_TABLE_H
#define PARAVANE_GRANT_TABLE_H

#include <abi/grant_table.h>
#include <abi/xen.h>
#include <asm.h>
#include <cpu.h>
#include <grant.h>
#include <grant_pte.h>
#include <hypercall.h>
#include <sched.h>
#include <string.h>
#include <uaccess.h>

#define MAX_FRAMES 64
#define V1_PER_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define V2_PER_FRAME (PAGE_SIZE / sizeof(union grant_entry_v2))
#define STATUS_PER_FRAME (PAGE_SIZE / sizeof(u16))
#define MAX_STATUS_FRAMES (MAX_FRAMES * V2_PER_FRAME / STATUS_PER_FRAME)
#define ACTIVE_ORDER 1	/* for a frame of version 1 */
#define MAPPINGS_PER_PAGE (PAGE_SIZE / sizeof(struct mapping))
#define MAX_MAPPING_PAGES 256
#define NO_HANDLE (~0u)
#define IN_USE (GTF_reading | GTF_writing)
#define PREEMPT_EVERY 32	/* elements of a list */

struct active {
	u32 mfn;
	u32 part;		/* of the page that may be copied: start << 16 | end, in bytes */
	u32 claims;		/* so many times A_READ and A_WRITE; 0: not in use */
	u16 domid;		/* who uses it */
	u16 through;		/* of one passed on: whose it is; mfn is then the reference there */
};

#define WHOLE PAGE_SIZE
#define PASSED_ON (~0u)		/* GTF_transitive: an empty part, past the page */
#define A_READ 1u
#define A_WRITE 0x10000u
#define A_MOST 0xffffu	/* of each */

enum { MAP_DEVICE = GNTMAP_device_map, MAP_HOST = GNTMAP_host_map, MAP_READONLY = GNTMAP_readonly, MAP_PTE = GNTMAP_contains_pte };
#define MAP_KIND (MAP_DEVICE | MAP_HOST)

struct mapping {
	mfn_t mfn;
	u32 ref;		/* of a free one: the next free handle */
	u16 domid;		/* the granter */
	u8 flags;		/* [a] MAP_* */
};

struct grant_table {
	struct spinlock lock;
	u32 version, frames, entries;
	u32 claims;		/* of all entries, and one of the domain's own until it dies */
	bool ended;		/* the domain dies: no claims any more, and no entries */
	u32 max_frames, max_version, max_mappings;
	u32 mappings, free_mapping;
	u64 *shared[MAX_FRAMES];
	u16 *status[MAX_STATUS_FRAMES];
	struct active *active[MAX_FRAMES];
	struct mapping *tracked[MAX_MAPPING_PAGES];
};

BUILD_ASSERT(sizeof(struct grant_table) <= PAGE_SIZE);
BUILD_ASSERT(sizeof(struct active) * V1_PER_FRAME == PAGE_SIZE << ACTIVE_ORDER && sizeof(struct mapping) == 16);

static inline struct active *active_of(struct grant_table *t, u32 ref)
{
	return &t->active[ref / V1_PER_FRAME][ref % V1_PER_FRAME];
}

/* An entry is one word of version 1 or two of version 2. */
static inline u64 *entry_of(struct grant_table *t, u32 ref)
{
	if (likely(t->version == 1))
		return &t->shared[ref / V1_PER_FRAME][ref % V1_PER_FRAME];
	return &t->shared[ref / V2_PER_FRAME][ref % V2_PER_FRAME * 2];
}

/* Where the hypervisor's bits of an entry are. */
static inline u16 *status_of(struct grant_table *t, u32 ref)
{
	if (likely(t->version == 1))
		return (u16 *)entry_of(t, ref);
	return &t->status[ref / STATUS_PER_FRAME][ref % STATUS_PER_FRAME];
}

static inline struct mapping *mapping_of(struct grant_table *t, u32 handle)
{
	return &t->tracked[handle / MAPPINGS_PER_PAGE][handle % MAPPINGS_PER_PAGE];
}

static slow_path struct domain *other_domain(domid_t id)
{
	return id == DOMID_SELF ? NULL : domain_find(id);
}

/* The granter that an operation names; to map from, DOMID_SELF is none. */
static inline struct domain *granter(struct domain *d, domid_t id)
{
	return likely(id == d->id) ? d : other_domain(id);
}

/* --- claims ------------------------------------------------------------------------------------------------ */

#define TRIES 5

/* What an entry's first word must be, but for the bits left out, to permit `to` an access. */
static inline bool permits(u64 entry, domid_t to, bool readonly)
{
	u32 judged = 0xffff0000 | GTF_type_mask | (readonly ? 0 : GTF_readonly);

	return ((u32)entry & judged) == (GTF_permit_access | (u32)to << 16);
}

slow_path bool commit_again(u64 *entry, u64 *old, domid_t to, bool readonly);

static inline int claim_v1(u64 *entry, struct active *a, domid_t to, bool readonly)
{
	u64 old = READ_ONCE(*entry), saw;

	if (unlikely(!permits(old, to, readonly)))
		return GNTST_general_error;
	if (unlikely(!cas64(entry, &old, old | (readonly ? GTF_reading : IN_USE)))) {
		saw = old;
		if (!commit_again(entry, &saw, to, readonly))
			return GNTST_general_error;
		old = saw;
	}
	a->mfn = old >> 32;
	a->part = WHOLE;
	return GNTST_okay;
}

/* What a claim is for. */
enum claim_use {
	TO_MAP,		/* the whole page, of the granter's own */
	TO_COPY,	/* or a part; one that is passed on is not claimed, but answered by CLAIM_PASSED_ON */
	TO_PASS_ON,	/* or that */
};
#define CLAIM_PASSED_ON 1

/* Of version 2, or in use already; under the lock. */
int claim_rarely(struct grant_table *t, u32 ref, domid_t to, bool readonly, enum claim_use use);

/* A claim: what it gives access to, and where the hypervisor's bits of the entry are. Both stay as long as it does. */
struct claim {
	struct active *what;
	u16 *status;
};

/* A claim on entry `ref` for domain `to`: GNTST_okay, else there is none. */
static inline __attribute__((always_inline)) int
claim(struct grant_table *t, u32 ref, domid_t to, bool readonly, enum claim_use use, struct claim *c)
{
	int status = GNTST_bad_gntref;
	struct active *a;

	spin_lock(&t->lock);
	if (unlikely(ref >= t->entries))
		goto out;
	a = active_of(t, ref);
	if (likely(t->version == 1 && !a->claims)) {
		c->status = (u16 *)entry_of(t, ref);
		status = claim_v1((u64 *)c->status, a, to, readonly);
	} else {
		status = claim_rarely(t, ref, to, readonly, use);
		c->status = status_of(t, ref);
	}
	if (unlikely(status))
		goto out;
	a->domid = to;
	a->claims += readonly ? A_READ : A_WRITE;
	t->claims++;
	c->what = a;
out:
	spin_unlock(&t->lock);
	return status;
}

slow_path void grant_unclaimed(void);	/* the domain is dead, and this was the last claim */

static inline __attribute__((always_inline)) void release(struct grant_table *t, const struct claim *c, bool readonly)
{
	spin_lock(&t->lock);
	if (unlikely(!--t->claims))
		grant_unclaimed();
	c->what->claims -= readonly ? A_READ : A_WRITE;
	if (likely(!c->what->claims))
		__atomic_and_fetch(c->status, ~IN_USE, __ATOMIC_SEQ_CST);
	else if (c->what->claims < A_WRITE)
		__atomic_and_fetch(c->status, ~GTF_writing, __ATOMIC_SEQ_CST);
	spin_unlock(&t->lock);
}

/* The version stays as long as there is a claim, so this needs no lock. */
static inline void release_ref(struct grant_table *t, u32 ref, bool readonly)
{
	struct claim c = { active_of(t, ref), status_of(t, ref) };

	release(t, &c, readonly);
}

/* The references that a use of the frame holds. */
static inline int get_granted(mfn_t mfn, domid_t owner, bool readonly)
{
	if (unlikely(!get_frame(mfn, owner)))
		return GNTST_bad_page;
	if (readonly || likely(get_writable(mfn)))
		return GNTST_okay;
	put_frame(mfn);
	return GNTST_general_error;
}

static inline void put_granted(mfn_t mfn, bool readonly)
{
	if (!readonly)
		put_writable(mfn);
	put_frame(mfn);
}


/* --- the operations: on lists of the guest's, or on one structure that was copied in ----------------------------- */

long grant_map_list(struct domain *d, u64 list, u32 count);
long grant_unmap_list(struct domain *d, u64 list, u32 count);
long grant_replace_list(struct domain *d, u64 list, u32 count);
long grant_copy_list(struct domain *d, u64 list, u32 count);

long grant_setup_table(struct vcpu *v, void *op);
long grant_get_status_frames(struct vcpu *v, void *op);
long grant_query_size(struct vcpu *v, void *op);
long grant_set_version(struct vcpu *v, void *op);
long grant_get_version(struct vcpu *v, void *op);
long grant_transfer(struct vcpu *v, void *op);

bool grant_maps_frame(struct domain *d, mfn_t mfn);	/* one of d's mappings of others' grants shows it; preemptible */
void grant_end_mappings(struct domain *d);		/* all of them; d dies; preemptible */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Grants. Each domain has a table of entries that it fills and others use:
 *
 *   shared[] pages  the entries, written by the guest: what it permits         (version 2: status[] pages beside)
 *   active[] pages  for each entry, what is in use of it: frame, user, counts  (private)
 *   tracked[] pages what this domain has mapped of others: handle -> struct mapping
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
 * Locks of two tables are never held together.
 */
#include <abi/grant_table.h>
#include <abi/xen.h>
#include <asm.h>
#include <cpu.h>
#include <grant.h>
#include <grant_pte.h>
#include <hypercall.h>
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

struct active {
	u32 mfn;
	u32 part;		/* of the page that may be copied: start << 16 | end, in bytes */
	u32 claims;		/* so many times A_READ and A_WRITE; 0: not in use */
	u16 domid;
};

#define WHOLE PAGE_SIZE
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
	u32 claims;		/* of all entries */
	bool ended;		/* the domain dies: no claims any more, and no entries */
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

static slow_path struct domain *other_domain(domid_t id)
{
	return id == DOMID_SELF ? NULL : domain_find(id);
}

/* The granter that an operation names; to map from, DOMID_SELF is none. */
static inline struct domain *granter(struct domain *d, domid_t id)
{
	return likely(id == d->id) ? d : other_domain(id);
}

/* --- claiming an entry ------------------------------------------------------------------------------------ */

#define TRIES 5

/* What an entry's first word must be, but for the bits left out, to permit `to` an access. */
static inline bool permits(u64 entry, domid_t to, bool readonly)
{
	u32 judged = 0xffff0000 | GTF_type_mask | (readonly ? 0 : GTF_readonly);

	return ((u32)entry & judged) == (GTF_permit_access | (u32)to << 16);
}

static inline int claim_v1(u64 *entry, struct active *a, domid_t to, bool readonly)
{
	u64 old = READ_ONCE(*entry);

	for (int i = 0; i < TRIES && likely(permits(old, to, readonly)); i++) {
		if (likely(cas64(entry, &old, old | (readonly ? GTF_reading : IN_USE)))) {
			a->mfn = old >> 32;
			a->part = WHOLE;
			return GNTST_okay;
		}
	}
	return GNTST_general_error;
}

/* The bits are apart from what was judged, so that must be the same once they are set. */
static int claim_v2(u64 *entry, u16 *status, struct active *a, domid_t to, bool readonly, bool whole)
{
	u64 head = READ_ONCE(entry[0]), frame = READ_ONCE(entry[1]);
	u32 start = (u16)(head >> 32), end = min(start + (u16)(head >> 48), (u32)PAGE_SIZE);

	if (!permits(head, to, readonly) || (head & GTF_sub_page && whole))
		return GNTST_general_error;
	__atomic_or_fetch(status, readonly ? GTF_reading : IN_USE, __ATOMIC_SEQ_CST);
	if (READ_ONCE(entry[0]) != head || READ_ONCE(entry[1]) != frame) {
		__atomic_and_fetch(status, ~IN_USE, __ATOMIC_SEQ_CST);
		return GNTST_general_error;
	}
	a->mfn = min(frame, max_mfn);
	a->part = head & GTF_sub_page ? start << 16 | end : WHOLE;
	return GNTST_okay;
}

/* While an entry is in use by a domain, that needs no permission for more claims but to write. */
static int claim_again(struct grant_table *t, u32 ref, domid_t to, bool readonly, bool whole)
{
	struct active *a = active_of(t, ref);
	u64 *entry = entry_of(t, ref);

	if (a->domid != to)
		return GNTST_bad_domain;
	if ((readonly ? a->claims % A_WRITE : a->claims / A_WRITE) == A_MOST)
		return GNTST_no_space;
	if (whole && a->part != WHOLE)
		return GNTST_general_error;
	if (readonly || a->claims >= A_WRITE)
		return GNTST_okay;
	__atomic_or_fetch(status_of(t, ref), GTF_writing, __ATOMIC_SEQ_CST);
	if (!(READ_ONCE(*entry) & GTF_readonly))
		return GNTST_okay;
	__atomic_and_fetch(status_of(t, ref), ~GTF_writing, __ATOMIC_SEQ_CST);
	return GNTST_general_error;
}

static __attribute__((noinline)) int claim_rarely(struct grant_table *t, u32 ref, domid_t to, bool readonly, bool whole)
{
	if (active_of(t, ref)->claims)
		return claim_again(t, ref, to, readonly, whole);
	return claim_v2(entry_of(t, ref), status_of(t, ref), active_of(t, ref), to, readonly, whole);
}

/* A claim: what it gives access to, and where the hypervisor's bits of the entry are. Both stay as long as it does. */
struct claim {
	struct active *what;
	u16 *status;
};

/* A claim on entry `ref` for domain `to`. `whole`: to map, so no part of a page. */
static inline __attribute__((always_inline)) int
claim(struct grant_table *t, u32 ref, domid_t to, bool readonly, bool whole, struct claim *c)
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
		status = claim_rarely(t, ref, to, readonly, whole);
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

static inline __attribute__((always_inline)) void release(struct grant_table *t, const struct claim *c, bool readonly)
{
	spin_lock(&t->lock);
	t->claims--;
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

/* --- handles -------------------------------------------------------------------------------------------------- */

static inline struct mapping *mapping_of(struct grant_table *t, u32 handle)
{
	return &t->tracked[handle / MAPPINGS_PER_PAGE][handle % MAPPINGS_PER_PAGE];
}

static __attribute__((noinline)) bool mappings_grow(struct grant_table *t)
{
	u32 page = t->mappings / MAPPINGS_PER_PAGE;
	struct mapping *m = page < MAX_MAPPING_PAGES ? alloc_page() : NULL;

	if (!m)
		return false;
	for (u32 i = 0; i < MAPPINGS_PER_PAGE; i++)
		m[i].ref = i + 1 < MAPPINGS_PER_PAGE ? t->mappings + i + 1 : NO_HANDLE;
	t->tracked[page] = m;
	t->free_mapping = t->mappings;
	__atomic_store_n(&t->mappings, t->mappings + MAPPINGS_PER_PAGE, __ATOMIC_RELEASE);
	return true;
}

/* A mapping in the making, and its handle. NULL: none left. */
static inline struct mapping *handle_get(struct grant_table *t, u32 *handle)
{
	struct mapping *m = NULL;

	spin_lock(&t->lock);
	if (likely(t->free_mapping != NO_HANDLE) || mappings_grow(t)) {
		*handle = t->free_mapping;
		m = mapping_of(t, *handle);
		t->free_mapping = m->ref;
	}
	spin_unlock(&t->lock);
	return m;
}

static inline void handle_put(struct grant_table *t, u32 handle)
{
	spin_lock(&t->lock);
	mapping_of(t, handle)->ref = t->free_mapping;
	t->free_mapping = handle;
	spin_unlock(&t->lock);
}

/* Takes a mapping out of use: its flags, and it is the caller's to end or to give back by storing them. 0: it was not in use. */
static inline u8 seize(struct mapping *m)
{
	u8 flags = READ_ONCE(m->flags);

	return likely(__atomic_compare_exchange_n(&m->flags, &flags, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) ? flags : 0;
}

/* --- map ---------------------------------------------------------------------------------------------------------- */

static inline u64 pte_for(mfn_t mfn, u32 flags)
{
	u64 pte = mfn << PAGE_SHIFT | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | (flags >> 16 & 7) << 9;

	if (!(flags & GNTMAP_readonly))
		pte |= PTE_RW;
	if (flags & GNTMAP_application_map)
		pte |= PTE_USER;
	return l1_adjust(pte);
}

static inline __attribute__((always_inline)) int map_host(struct domain *d, struct domain *rd, mfn_t mfn, u32 flags, u64 address)
{
	int status = get_granted(mfn, rd->id, flags & MAP_READONLY);

	if (unlikely(status) || likely(give_l1e(d, address, flags & MAP_PTE, pte_for(mfn, flags))))
		return status;
	put_granted(mfn, flags & MAP_READONLY);
	return GNTST_general_error;
}

static __attribute__((noinline)) int map_device(struct domain *d, struct domain *rd, mfn_t mfn, u32 flags, u64 address)
{
	int status = get_granted(mfn, rd->id, flags & MAP_READONLY);

	if (status || !(flags & MAP_HOST))
		return status;
	status = map_host(d, rd, mfn, flags, address);
	if (status)
		put_granted(mfn, flags & MAP_READONLY);
	return status;
}

static inline int map_ref(struct domain *d, u64 address, u32 flags, u32 ref, domid_t dom, u32 *handle, mfn_t *mfn)
{
	struct domain *rd = granter(d, dom);
	struct mapping *m;
	struct claim c;
	int status;

	if (unlikely(!(flags & MAP_KIND)))
		return GNTST_bad_gntref;
	if (unlikely(!rd))
		return GNTST_bad_domain;
	m = handle_get(d->grants, handle);
	if (unlikely(!m))
		return GNTST_no_device_space;
	status = claim(rd->grants, ref, d->id, flags & MAP_READONLY, true, &c);
	if (unlikely(status))
		goto no_claim;
	if (likely(!(flags & MAP_DEVICE)))
		status = map_host(d, rd, c.what->mfn, flags, address);
	else
		status = map_device(d, rd, c.what->mfn, flags, address);
	if (unlikely(status))
		goto no_map;
	m->mfn = *mfn = c.what->mfn;
	m->ref = ref;
	m->domid = rd->id;
	__atomic_store_n(&m->flags, flags & (MAP_KIND | MAP_READONLY | MAP_PTE), __ATOMIC_RELEASE);
	return GNTST_okay;
no_map:
	release(rd->grants, &c, flags & MAP_READONLY);
no_claim:
	handle_put(d->grants, *handle);
	return status;
}

#define PREEMPT_EVERY 32

static __attribute__((noinline)) long map_refs(struct domain *d, u64 list, u32 count)
{
	u64 address, flags_ref, dom;
	int status;

	if (!count)
		return 0;
	for (;; list += sizeof(struct gnttab_map_grant_ref)) {
		u32 handle = NO_HANDLE;
		mfn_t mfn = 0;

		user_access_begin();
		raw_get_u64(address, list, fault);
		raw_get_u64(flags_ref, list + 8, fault);
		raw_get_u64(dom, list + 16, fault);
		user_access_end();
		status = map_ref(d, address, flags_ref, flags_ref >> 32, dom, &handle, &mfn);
		user_access_begin();
		raw_put_u16(status, list + 18, fault);
		if (likely(!status)) {
			raw_put_u32(handle, list + 20, fault);
			raw_put_u64(mfn << PAGE_SHIFT, list + 24, fault);
		}
		user_access_end();
		if (!--count)
			return 0;
		if (count % PREEMPT_EVERY == 0)
			preempt_point();
	}
fault:
	user_access_end();
	return -EFAULT;
}

/* --- unmap -------------------------------------------------------------------------------------------------------- */

/* A mapping in the hands of an operation that ends it. */
struct unmapping {
	struct mapping *m;
	u32 handle;
	u8 flags;		/* the mapping's; 0: there was none */
	u8 ended;		/* MAP_HOST, MAP_DEVICE */
	bool flush;		/* of everything is due first */
};

#define UNMAP_BATCH 16

/*
 * Takes the page-table entry away. The guest may reach its L1 table by other addresses, too, so everything is flushed: here,
 * if it is the only vCPU's and the list's only mapping.
 */
static inline __attribute__((always_inline)) int
unmap_begin(struct domain *d, struct unmapping *u, u64 address, u64 device, u64 replace_with, bool alone)
{
	u->flags = u->ended = 0;
	u->flush = false;
	if (unlikely(u->handle >= __atomic_load_n(&d->grants->mappings, __ATOMIC_ACQUIRE)))
		return GNTST_bad_handle;
	u->m = mapping_of(d->grants, u->handle);
	u->flags = seize(u->m);
	if (unlikely(!u->flags))
		return GNTST_bad_handle;
	if (unlikely(device && (u->flags & MAP_DEVICE)) && device != u->m->mfn << PAGE_SHIFT)
		return GNTST_bad_dev_addr;
	if (likely(address && (u->flags & MAP_HOST))) {
		if (unlikely(!take_l1e(d, address, u->flags & MAP_PTE, u->m->mfn, !(u->flags & MAP_READONLY), replace_with)))
			return GNTST_general_error;
		u->ended = MAP_HOST;
		u->flush = d->vcpu_count > 1 || !alone;
		if (likely(!u->flush))
			flush_tlb_local();
	}
	if (unlikely(device))
		u->ended |= u->flags & MAP_DEVICE;
	return GNTST_okay;
}

/* No CPU can use the entry any more, so the granter may learn that its page is its own again. */
static inline __attribute__((always_inline)) void unmap_end(struct domain *d, const struct unmapping *u)
{
	bool readonly = u->flags & MAP_READONLY;
	struct mapping *m = u->m;
	struct domain *rd;

	if (unlikely((u->ended & MAP_HOST) && readonly))
		put_l1e(d, m->mfn << PAGE_SHIFT);
	else if (likely(u->ended & MAP_HOST))
		put_granted(m->mfn, false);
	if (unlikely(u->ended & MAP_DEVICE))
		put_granted(m->mfn, readonly);
	if (unlikely((u->flags & ~u->ended) & MAP_KIND)) {
		__atomic_store_n(&m->flags, u->flags & ~u->ended, __ATOMIC_RELEASE);
		return;
	}
	rd = granter(d, m->domid);
	if (likely(rd))
		release_ref(rd->grants, m->ref, readonly);
	handle_put(d->grants, u->handle);
}

/* One flush for all that wait for one. */
static __attribute__((noinline)) void flush_and_end(struct domain *d, const struct unmapping *waiting, u32 n)
{
	flush_domain_tlb(d);
	for (u32 i = 0; i < n; i++)
		unmap_end(d, &waiting[i]);
}

/* A batch of a list, whose structures have a second address: of the device's, or of what comes in place. */
static inline __attribute__((always_inline)) long unmap_batch(struct domain *d, u64 *list, u32 *count, bool replace)
{
	struct unmapping waiting[UNMAP_BATCH], u;
	bool alone = *count == 1;
	u64 address, second;
	u32 n_waiting = 0;
	long result = 0;
	int status;

	do {
		user_access_begin();
		raw_get_u64(address, *list, fault);
		raw_get_u64(second, *list + 8, fault);
		raw_get_u32(u.handle, *list + 16, fault);
		user_access_end();
		status = unmap_begin(d, &u, address, replace ? 0 : second, replace ? second : 0, alone);
		if (unlikely(u.flush))
			waiting[n_waiting++] = u;
		else if (likely(u.flags))
			unmap_end(d, &u);
		user_access_begin();
		raw_put_u16(status, *list + 20, fault);
		user_access_end();
		*list += sizeof(struct gnttab_unmap_grant_ref);
	} while (--*count % UNMAP_BATCH);
out:
	if (unlikely(n_waiting))
		flush_and_end(d, waiting, n_waiting);
	return result;
fault:
	user_access_end();
	result = -EFAULT;
	goto out;
}

static inline __attribute__((always_inline)) long unmap_list(struct domain *d, u64 list, u32 count, bool replace)
{
	long result = 0;

	while (count && !result) {
		result = unmap_batch(d, &list, &count, replace);
		if (unlikely(count))
			preempt_point();
	}
	return result;
}

static __attribute__((noinline)) long unmap_refs(struct domain *d, u64 list, u32 count)
{
	return unmap_list(d, list, count, false);
}

static __attribute__((noinline)) long unmap_and_replace(struct domain *d, u64 list, u32 count)
{
	return unmap_list(d, list, count, true);
}

/* --- copy ----------------------------------------------------------------------------------------------------------- */

/* An element of the list: read once. */
struct copy {
	u64 source, source_domid_offset, dest, dest_domid_offset;
	u32 length_flags;
};

#define SOURCE_IS_REF (GNTCOPY_source_gref << 16)	/* of length_flags */
#define DEST_IS_REF (GNTCOPY_dest_gref << 16)

/* A page to copy from or to. */
struct copy_end {
	mfn_t mfn;
	u32 part;		/* as in struct active */
	struct grant_table *t;	/* it was granted by; NULL: it is the caller's own */
	struct claim claim;
};

static inline bool get_copy(struct copy *c, u64 at)
{
	user_access_begin();
	raw_get_u64(c->source, at, fault);
	raw_get_u64(c->source_domid_offset, at + 8, fault);
	raw_get_u64(c->dest, at + 16, fault);
	raw_get_u64(c->dest_domid_offset, at + 24, fault);
	raw_get_u32(c->length_flags, at + 32, fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

static inline bool put_copy_status(u64 at, int status)
{
	user_access_begin();
	raw_put_u16(status, at + 36, fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

static inline bool same_pages(const struct copy *a, const struct copy *b)
{
	return a->source == b->source && a->dest == b->dest && (u16)a->source_domid_offset == (u16)b->source_domid_offset &&
		(u16)a->dest_domid_offset == (u16)b->dest_domid_offset &&
		!((a->length_flags ^ b->length_flags) & (SOURCE_IS_REF | DEST_IS_REF));
}

static inline __attribute__((always_inline)) int
copy_end_get(struct domain *d, struct copy_end *e, u64 name, domid_t domid, bool is_ref, bool readonly)
{
	struct domain *rd = d;
	int status;

	*e = (struct copy_end) { .mfn = name, .part = WHOLE };
	if (is_ref) {
		rd = domid == DOMID_SELF ? d : granter(d, domid);
		if (unlikely(!rd))
			return GNTST_bad_domain;
		e->t = rd->grants;
		status = claim(e->t, name, d->id, readonly, false, &e->claim);
		if (unlikely(status))
			return status;
		e->mfn = e->claim.what->mfn;
		e->part = e->claim.what->part;
	} else if (unlikely(domid != DOMID_SELF)) {
		return GNTST_permission_denied;
	}
	status = get_granted(e->mfn, rd->id, readonly);
	if (unlikely(status) && is_ref)
		release(e->t, &e->claim, readonly);
	return status;
}

static inline void copy_end_put(struct copy_end *e, bool readonly)
{
	put_granted(e->mfn, readonly);
	if (e->t)
		release(e->t, &e->claim, readonly);
}

/* A rep counts as an instruction for each step, so words first. */
static inline void copy_bytes(void *to, const void *from, u32 length)
{
	u64 words = length / 8, rest = length & 7;

	asm volatile("rep movsq" : "+c"(words), "+D"(to), "+S"(from) :: "memory");
	if (unlikely(rest))
		asm volatile("rep movsb" : "+c"(rest), "+D"(to), "+S"(from) :: "memory");
}

static inline bool outside(u32 part, u32 offset, u32 length)
{
	return offset < part >> 16 || offset + length > (u16)part;
}

static inline int copy_data(const struct copy_end *source, const struct copy_end *dest, const struct copy *c)
{
	u32 length = (u16)c->length_flags, from = (u32)c->source_domid_offset >> 16, to = (u32)c->dest_domid_offset >> 16;

	if (unlikely(from + length > PAGE_SIZE || to + length > PAGE_SIZE))
		return GNTST_bad_copy_arg;
	if (unlikely(source->part != WHOLE && outside(source->part, from, length)) ||
	    unlikely(dest->part != WHOLE && outside(dest->part, to, length)))
		return GNTST_general_error;
	copy_bytes(mfn_to_virt(dest->mfn) + to, mfn_to_virt(source->mfn) + from, length);
	return GNTST_okay;
}

/* The first element of the list and those of the next that name the same pages. 0 or -EFAULT. */
static inline long copy_run(struct domain *d, u64 *list, u32 *count)
{
	struct copy_end source, dest;
	struct copy first, c;
	long result = 0;
	int status;

	if (unlikely(!get_copy(&first, *list)))
		return -EFAULT;
	c = first;
	status = copy_end_get(d, &source, first.source, first.source_domid_offset, first.length_flags & SOURCE_IS_REF, true);
	if (unlikely(status))
		goto no_source;
	status = copy_end_get(d, &dest, first.dest, first.dest_domid_offset, first.length_flags & DEST_IS_REF, false);
	if (unlikely(status))
		goto no_dest;
	do {
		status = copy_data(&source, &dest, &c);
		if (unlikely(!put_copy_status(*list, status))) {
			result = -EFAULT;
			break;
		}
		*list += sizeof(struct gnttab_copy);
	} while (--*count % PREEMPT_EVERY && get_copy(&c, *list) && same_pages(&c, &first));
	copy_end_put(&dest, false);
	copy_end_put(&source, true);
	return result;
no_dest:
	copy_end_put(&source, true);
no_source:
	if (!put_copy_status(*list, status))
		return -EFAULT;
	*list += sizeof(struct gnttab_copy);
	--*count;
	return 0;
}

static __attribute__((noinline)) long copy_list(struct domain *d, u64 list, u32 count)
{
	long result = 0;

	while (count && !result) {
		result = copy_run(d, &list, &count);
		if (unlikely(count))
			preempt_point();
	}
	return result;
}

/* --- the table ---------------------------------------------------------------------------------------------------------- */

static u32 status_frames(u32 frames)
{
	return (frames * V2_PER_FRAME + STATUS_PER_FRAME - 1) / STATUS_PER_FRAME;
}

/* A page of the hypervisor's that the domain may map, unless it was made before. */
static bool make_shared(struct domain *d, void *page)
{
	void **p = page;

	if (*p)
		return true;
	*p = alloc_page();
	if (*p)
		share_frame_with(d, *p);
	return *p;
}

/* The status words of so many frames of version 2. */
static bool make_status(struct domain *d, u32 frames)
{
	for (u32 i = 0; i < status_frames(frames); i++)
		if (!make_shared(d, &d->grants->status[i]))
			return false;
	return true;
}

/* All or nothing of one frame; what was made and cannot be used yet stays for the next try. Under the lock, or before the domain is known. */
static bool frame_add(struct domain *d)
{
	struct grant_table *t = d->grants;

	if (t->ended)
		return false;
	if (!t->active[t->frames] && !(t->active[t->frames] = alloc_pages(ACTIVE_ORDER)))
		return false;
	if ((t->version == 2 && !make_status(d, t->frames + 1)) || !make_shared(d, &t->shared[t->frames]))
		return false;
	t->frames++;
	t->entries = t->frames * (t->version == 1 ? V1_PER_FRAME : V2_PER_FRAME);
	return true;
}

/* The domain whose table an operation asks about: GNTST_okay, bad_domain, or permission_denied. */
static int subject(struct vcpu *v, domid_t id, struct domain **d)
{
	*d = domain_find(id);
	if (!*d)
		return GNTST_bad_domain;
	return *d == v->domain || v->domain->privileged ? GNTST_okay : GNTST_permission_denied;
}

static int put_frame_list(u64 list, void *pages, u32 count)
{
	void *const *p = pages;

	for (u32 i = 0; i < count; i++)
		if (put_guest_u64(virt_to_mfn(p[i]), list + i * sizeof(u64)))
			return GNTST_bad_virt_addr;
	return GNTST_okay;
}

static long setup_table(struct vcpu *v, void *arg)
{
	struct gnttab_setup_table *op = arg;
	bool enough = op->nr_frames <= MAX_FRAMES;
	struct domain *d;

	if (enough && !guest_range_ok(op->frame_list, op->nr_frames * sizeof(u64)))
		return -EFAULT;
	op->status = subject(v, op->dom, &d);
	if (op->status)
		return 0;
	spin_lock(&d->grants->lock);
	while (enough && d->grants->frames < op->nr_frames)
		enough = frame_add(d);
	spin_unlock(&d->grants->lock);
	op->status = enough ? put_frame_list(op->frame_list, d->grants->shared, op->nr_frames) : GNTST_general_error;
	return 0;
}

static long get_status_frames(struct vcpu *v, void *arg)
{
	struct gnttab_get_status_frames *op = arg;
	struct domain *d;

	op->status = subject(v, op->dom, &d);
	if (op->status)
		return 0;
	if (op->nr_frames && (d->grants->version != 2 || op->nr_frames > status_frames(d->grants->frames)))
		op->status = GNTST_general_error;
	else
		op->status = put_frame_list(op->frame_list, d->grants->status, op->nr_frames);
	return 0;
}

static long query_size(struct vcpu *v, void *arg)
{
	struct gnttab_query_size *op = arg;
	struct domain *d;

	op->status = subject(v, op->dom, &d);
	if (op->status)
		return 0;
	op->nr_frames = d->grants->frames;
	op->max_nr_frames = MAX_FRAMES;
	return 0;
}

/* --- versions -------------------------------------------------------------------------------------------------------------- */

/* The status frames are part of version 2, so one who still maps them has not left it. */
static bool status_pages_mapped(struct grant_table *t)
{
	for (u32 i = 0; i < status_frames(t->frames); i++)
		if (READ_ONCE(mfn_to_frame(virt_to_mfn(t->status[i]))->count) > 1)
			return true;
	return false;
}

/* Reserved entries are kept if they permit an access, the others are cleared. */
static void convert(struct grant_table *t, u32 version)
{
	u64 head[GNTTAB_NR_RESERVED_ENTRIES], frame[GNTTAB_NR_RESERVED_ENTRIES], *entry;

	for (u32 i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
		entry = entry_of(t, i);
		head[i] = READ_ONCE(entry[0]);
		frame[i] = t->version == 1 ? head[i] >> 32 : READ_ONCE(entry[1]);
		head[i] &= 0xffff0000 | GTF_type_mask | GTF_readonly;
	}
	for (u32 i = 0; i < t->frames; i++)
		memset(t->shared[i], 0, PAGE_SIZE);
	for (u32 i = 0; i < MAX_STATUS_FRAMES && t->status[i]; i++)
		memset(t->status[i], 0, PAGE_SIZE);
	t->version = version;
	t->entries = t->frames * (version == 1 ? V1_PER_FRAME : V2_PER_FRAME);
	for (u32 i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
		entry = entry_of(t, i);
		if ((head[i] & GTF_type_mask) != GTF_permit_access)
			continue;
		entry[0] = version == 1 ? head[i] | frame[i] << 32 : head[i];
		if (version == 2)
			entry[1] = frame[i];
	}
}

static int change_version(struct domain *d, u32 version)
{
	struct grant_table *t = d->grants;

	if (version != 1 && version != 2)
		return -EINVAL;
	if (version == t->version)
		return 0;
	if (t->claims || (version == 1 && status_pages_mapped(t)))
		return -EBUSY;
	if (version == 2 && !make_status(d, t->frames))
		return -ENOMEM;
	convert(t, version);
	return 0;
}

static long set_version(struct vcpu *v, void *arg)
{
	struct grant_table *t = v->domain->grants;
	struct gnttab_set_version *op = arg;
	int result;

	spin_lock(&t->lock);
	result = change_version(v->domain, op->version);
	op->version = t->version;
	spin_unlock(&t->lock);
	return result;
}

static long get_version(struct vcpu *v, void *arg)
{
	struct gnttab_get_version *op = arg;
	struct domain *d;
	int status = subject(v, op->dom, &d);

	if (status)
		return status == GNTST_bad_domain ? -ESRCH : -EPERM;
	op->version = d->grants->version;
	return 0;
}

/* --- the rest of the operations --------------------------------------------------------------------------------------------- */

static void swap_words(u64 *a, u64 *b)
{
	u64 x = READ_ONCE(*a);

	WRITE_ONCE(*a, READ_ONCE(*b));
	WRITE_ONCE(*b, x);
}

static int swap_refs(struct grant_table *t, u32 a, u32 b)
{
	if (a >= t->entries || b >= t->entries)
		return GNTST_bad_gntref;
	if (a == b)
		return GNTST_okay;
	if (active_of(t, a)->claims || active_of(t, b)->claims)
		return GNTST_eagain;
	swap_words(entry_of(t, a), entry_of(t, b));
	if (t->version == 2)	/* the status words of entries not in use are both 0 */
		swap_words(entry_of(t, a) + 1, entry_of(t, b) + 1);
	return GNTST_okay;
}

static long swap_grant_ref(struct vcpu *v, void *arg)
{
	struct gnttab_swap_grant_ref *op = arg;

	spin_lock(&v->domain->grants->lock);
	op->status = swap_refs(v->domain->grants, op->ref_a, op->ref_b);
	spin_unlock(&v->domain->grants->lock);
	return 0;
}

/* Pages do not change hands here: a page of the caller's stays where it is. */
static long transfer(struct vcpu *v, void *arg)
{
	struct gnttab_transfer *op = arg;

	op->status = GNTST_bad_page;
	if (!get_frame(op->mfn, v->domain->id))
		return 0;
	put_frame(op->mfn);
	op->status = granter(v->domain, op->domid) ? GNTST_permission_denied : GNTST_bad_domain;
	return 0;
}

/* Caches are coherent with devices here: what can be done without losing data is done by doing nothing. */
static long cache_flush(struct vcpu *v, void *arg)
{
	const struct gnttab_cache_flush *op = arg;
	mfn_t mfn = op->a.dev_bus_addr >> PAGE_SHIFT;

	if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE || op->offset + op->length > PAGE_SIZE ||
	    (op->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL)))
		return -EINVAL;
	if (!op->length || !op->op)
		return 0;
	if (mfn >= max_mfn)
		return -EINVAL;
	if (!get_frame(mfn, v->domain->id))
		return -EPERM;
	put_frame(mfn);
	return op->op == GNTTAB_CACHE_INVAL ? -EOPNOTSUPP : 0;
}

/* --- dispatch ------------------------------------------------------------------------------------------------------------------ */

enum counting { LIST, ONE, UNCOUNTED };

/* What is done on each structure of a list: 0, its result being in the structure, or the error that ends the call. */
static const struct operation {
	long (*perform)(struct vcpu *v, void *op);
	u8 size;
	u8 counting;		/* how many structures: those counted; the count must be 1; the count does not matter */
	bool writes;		/* the structure is given back */
} operations[] = {
	[GNTTABOP_setup_table] = { setup_table, sizeof(struct gnttab_setup_table), ONE, true },
	[GNTTABOP_transfer] = { transfer, sizeof(struct gnttab_transfer), LIST, true },
	[GNTTABOP_query_size] = { query_size, sizeof(struct gnttab_query_size), ONE, true },
	[GNTTABOP_set_version] = { set_version, sizeof(struct gnttab_set_version), UNCOUNTED, true },
	[GNTTABOP_get_status_frames] = { get_status_frames, sizeof(struct gnttab_get_status_frames), ONE, true },
	[GNTTABOP_get_version] = { get_version, sizeof(struct gnttab_get_version), UNCOUNTED, true },
	[GNTTABOP_swap_grant_ref] = { swap_grant_ref, sizeof(struct gnttab_swap_grant_ref), LIST, true },
	[GNTTABOP_cache_flush] = { cache_flush, sizeof(struct gnttab_cache_flush), LIST, false },
};

static __attribute__((noinline)) long other_op(struct vcpu *v, const struct operation *o, u64 list, u32 count)
{
	u64 op[3];
	long result = 0;

	if (o->counting == ONE && count != 1)
		return -EINVAL;
	if (o->counting == UNCOUNTED)
		count = 1;
	for (u32 i = 1; i <= count && !result; i++, list += o->size) {
		if (copy_from_guest(op, list, o->size))
			return -EFAULT;
		result = o->perform(v, op);
		if (o->writes && copy_to_guest(list, op, o->size))
			return -EFAULT;
		if (i % PREEMPT_EVERY == 0)
			preempt_point();
	}
	return result;
}

/* What follows the first element is reached in ascending order, so checking the first address is enough (uaccess.h). */
long do_grant_table_op(u64 cmd, u64 list, u64 count, u64 a4, u64 a5, struct vcpu *v)
{
	u32 op = cmd;

	if (unlikely((s32)count < 0))
		return -EINVAL;
	if (unlikely(!guest_address_ok(list)))
		return op == GNTTABOP_dump_table || op > GNTTABOP_cache_flush ? -ENOSYS : -EFAULT;
	if (op == GNTTABOP_copy)
		return copy_list(v->domain, list, count);
	if (op == GNTTABOP_map_grant_ref)
		return map_refs(v->domain, list, count);
	if (op == GNTTABOP_unmap_grant_ref)
		return unmap_refs(v->domain, list, count);
	if (op == GNTTABOP_unmap_and_replace)
		return unmap_and_replace(v->domain, list, count);
	return op < ARRAY_SIZE(operations) && operations[op].perform ? other_op(v, &operations[op], list, count) : -ENOSYS;
}

/* --- for the rest of the hypervisor ---------------------------------------------------------------------------------------------- */

int grant_init(struct domain *d)
{
	struct grant_table *t = alloc_page();

	if (!t)
		return -ENOMEM;
	t->version = 1;
	t->free_mapping = NO_HANDLE;
	d->grants = t;
	if (frame_add(d))
		return 0;
	grant_free(d);
	return -ENOMEM;
}

/*
 * The page-table entries are gone already, and their references with them. A domain with claims on its entries stays known, so
 * the granter is found.
 */
static void mapping_drop(const struct mapping *m)
{
	if (m->flags & MAP_DEVICE)
		put_granted(m->mfn, m->flags & MAP_READONLY);
	if (m->flags)
		release_ref(domain_find(m->domid)->grants, m->ref, m->flags & MAP_READONLY);
}

void grant_destroy(struct domain *d)
{
	struct grant_table *t = d->grants;

	spin_lock(&t->lock);
	t->ended = true;
	t->entries = 0;
	spin_unlock(&t->lock);
	for (u32 i = 0; i < t->mappings; i++) {
		mapping_drop(mapping_of(t, i));
		if (i % MAPPINGS_PER_PAGE == MAPPINGS_PER_PAGE - 1) {
			free_page(t->tracked[i / MAPPINGS_PER_PAGE]);
			preempt_point();
		}
	}
	t->mappings = 0;
	t->free_mapping = NO_HANDLE;
}

/* The lock: whoever dropped the last claim has let go of the table. */
bool grant_is_claimed(struct domain *d)
{
	bool claimed;

	spin_lock(&d->grants->lock);
	claimed = d->grants->claims;
	spin_unlock(&d->grants->lock);
	return claimed;
}

void grant_free(struct domain *d)
{
	struct grant_table *t = d->grants;

	for (u32 i = 0; i < MAX_FRAMES && t->shared[i]; i++)
		unshare_frame(d, t->shared[i]);
	for (u32 i = 0; i < MAX_STATUS_FRAMES && t->status[i]; i++)
		unshare_frame(d, t->status[i]);
	for (u32 i = 0; i < ARRAY_SIZE(t->active) && t->active[i]; i++)
		free_pages(t->active[i], ACTIVE_ORDER);
	free_page(t);
	d->grants = NULL;
}

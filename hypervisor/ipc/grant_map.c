/* SPDX-License-Identifier: MIT */
/* Mapping what others grant, and ending that (grant_table.h has mappings and their handles). */
#include <trace.h>
#include "grant_table.h"

/* --- handles -------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) bool mappings_grow(struct grant_table *t)
{
	u32 page = t->mappings / MAPPINGS_PER_PAGE;
	struct mapping *m = t->mappings < t->max_mappings ? alloc_page() : NULL;

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
		return GNTST_no_space;
	status = claim(rd->grants, ref, d->id, flags & MAP_READONLY, TO_MAP, &c);
	if (unlikely(status))
		goto no_claim;
	if (likely(!(flags & MAP_DEVICE)))
		status = map_host(d, rd, c.what->mfn, flags, address);
	else
		status = map_device(d, rd, c.what->mfn, flags, address);
	if (unlikely((u32)status | trace_mask)) {	/* one look for both that are rare */
		if (status)
			goto no_map;
		trace_event(TRC_MEM_PAGE_GRANT_MAP, rd->id);
	}
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

long grant_map_list(struct domain *d, u64 list, u32 count)
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
		if (count % PREEMPT_EVERY == 0 && batch_point())
			return 0;
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
	if (unlikely(((u->flags & ~u->ended) & MAP_KIND) | trace_mask)) {	/* one look for both that are rare */
		if ((u->flags & ~u->ended) & MAP_KIND) {
			__atomic_store_n(&m->flags, u->flags & ~u->ended, __ATOMIC_RELEASE);
			return;
		}
		trace_event(TRC_MEM_PAGE_GRANT_UNMAP, m->domid);
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
		if (unlikely(count) && batch_point())
			break;
	}
	return result;
}

long grant_unmap_list(struct domain *d, u64 list, u32 count)
{
	return unmap_list(d, list, count, false);
}

long grant_replace_list(struct domain *d, u64 list, u32 count)
{
	return unmap_list(d, list, count, true);
}

/* --- all mappings of a domain ------------------------------------------------------------------------------------- */

#define PREEMPT_EVERY_MAPPING 1024

bool grant_maps_frame(struct domain *d, mfn_t mfn)
{
	struct grant_table *t = d->grants;

	for (u32 i = 0; i < __atomic_load_n(&t->mappings, __ATOMIC_ACQUIRE); i++) {
		const struct mapping *m = mapping_of(t, i);

		if (__atomic_load_n(&m->flags, __ATOMIC_ACQUIRE) && m->mfn == mfn)
			return true;
		if (i % PREEMPT_EVERY_MAPPING == PREEMPT_EVERY_MAPPING - 1)
			preempt_point();
	}
	return false;
}

/* The page-table entries are gone already, and their references with them. */
static void mapping_drop(const struct mapping *m)
{
	if (m->flags & MAP_DEVICE)
		put_granted(m->mfn, m->flags & MAP_READONLY);
	if (m->flags)
		release_ref(domain_find(m->domid)->grants, m->ref, m->flags & MAP_READONLY);
}

void grant_end_mappings(struct domain *d)
{
	struct grant_table *t = d->grants;

	t->free_mapping = NO_HANDLE;
	while (t->mappings) {
		t->mappings -= MAPPINGS_PER_PAGE;
		for (u32 i = 0; i < MAPPINGS_PER_PAGE; i++)
			mapping_drop(mapping_of(t, t->mappings + i));
		free_page(t->tracked[t->mappings / MAPPINGS_PER_PAGE]);
		preempt_point();
	}
}

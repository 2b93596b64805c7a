/* SPDX-License-Identifier: MIT */
/*
 * Grants. Each domain has a table of entries that it fills and others use:
 *
 *   shared[] pages  the entries, written by the guest: what it permits         (version 2: status[] pages beside)
 *   active[] pages  for each entry, what is in use of it: frame, user, counts  (private)
 *   tracked[] pages what this domain has mapped of others: handle -> struct mapping
 *
 * Claiming an entry reads it, sets GTF_reading and GTF_writing by compare-and-swap on flags and domid together, reads the
 * frame once and counts; the frame that counts is the one in `active`, whatever the guest writes later.
 * Releasing counts down and clears the bits with the last reader or writer.
 *
 * Invariants, under `lock`
 *   1. active.reads + active.writes of an entry is the number of claims: each a mapping of somebody's, or a copy in progress.
 *   2. A mapping with MAP_HOST stands for a page-table entry of its domain that was made by it. The references on the frame are
 *      the page-table entry's, so a guest that overwrites it loses nothing but the possibility to unmap it.
 *      One with MAP_DEVICE holds references itself.
 *   3. Pages once made stay until the domain goes, so a version can change while they are mapped.
 * Locks of two tables are never held together.
 */
#include <abi/grant_table.h>
#include <abi/xen.h>
#include <asm.h>
#include <cpu.h>
#include <grant.h>
#include <hypercall.h>
#include <pte.h>
#include <string.h>
#include <uaccess.h>

#define MAX_FRAMES 64
#define V1_PER_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define V2_PER_FRAME (PAGE_SIZE / sizeof(union grant_entry_v2))
#define STATUS_PER_FRAME (PAGE_SIZE / sizeof(u16))
#define MAX_STATUS_FRAMES (MAX_FRAMES * V2_PER_FRAME / STATUS_PER_FRAME)
#define ACTIVE_PER_PAGE (PAGE_SIZE / sizeof(struct active))
#define ACTIVE_PAGES (MAX_FRAMES * V1_PER_FRAME / ACTIVE_PER_PAGE)
#define MAPPINGS_PER_PAGE (PAGE_SIZE / sizeof(struct mapping))
#define MAX_MAPPING_PAGES 256
#define NO_HANDLE (~0u)
#define MOST_CLAIMS 0xffff

struct active {
	u64 mfn : 40;
	u64 start : 16;		/* the part of the page that may be copied */
	u16 length;
	u16 domid;
	u16 reads, writes;
};

enum { MAP_DEVICE = GNTMAP_device_map, MAP_HOST = GNTMAP_host_map, MAP_READONLY = GNTMAP_readonly,
       MAP_PTE = GNTMAP_contains_pte, MAP_BUSY = 0x8000 };

struct mapping {
	u64 mfn;
	u32 ref;		/* of a free one: the next free handle */
	u16 domid;		/* the granter */
	u16 flags;		/* MAP_*; 0: free */
};

struct grant_table {
	struct spinlock lock;
	u8 version;
	u32 frames, entries;
	u32 claims;		/* of all entries */
	void *shared[MAX_FRAMES];
	u16 *status[MAX_STATUS_FRAMES];
	struct active *active[ACTIVE_PAGES];
	u32 mapping_pages, free_mapping;
	struct mapping *tracked[MAX_MAPPING_PAGES];
};

static inline struct active *active_of(struct grant_table *t, u32 ref)
{
	return &t->active[ref / ACTIVE_PER_PAGE][ref % ACTIVE_PER_PAGE];
}

static inline struct grant_entry_v1 *entry_v1(struct grant_table *t, u32 ref)
{
	return (struct grant_entry_v1 *)t->shared[ref / V1_PER_FRAME] + ref % V1_PER_FRAME;
}

static inline union grant_entry_v2 *entry_v2(struct grant_table *t, u32 ref)
{
	return (union grant_entry_v2 *)t->shared[ref / V2_PER_FRAME] + ref % V2_PER_FRAME;
}

/* Where the hypervisor's bits of an entry are. */
static inline u16 *status_of(struct grant_table *t, u32 ref)
{
	if (likely(t->version == 1))
		return &entry_v1(t, ref)->flags;
	return &t->status[ref / STATUS_PER_FRAME][ref % STATUS_PER_FRAME];
}

/* The domain that an operation names; DOMID_SELF is the caller where `self` says so. */
static inline struct domain *domain_of(struct vcpu *v, domid_t id, bool self)
{
	if (likely(id == v->domain->id) || (self && id == DOMID_SELF))
		return v->domain;
	return id == DOMID_SELF ? NULL : domain_find(id);
}

/* --- claiming an entry ------------------------------------------------------------------------------------ */

#define TRIES 5

static inline int check_entry(u32 flags_domid, domid_t to, bool readonly, bool in_use)
{
	u32 flags = flags_domid & 0xffff;

	if (unlikely(!in_use && ((flags & GTF_type_mask) != GTF_permit_access || flags_domid >> 16 != to)))
		return GNTST_general_error;
	if (unlikely(!readonly && (flags & GTF_readonly)))
		return GNTST_general_error;
	return GNTST_okay;
}

/* The guest may change the entry at any time; what was checked is what is marked, or it is looked at again. */
static inline int mark_v1(struct grant_table *t, u32 ref, domid_t to, bool readonly, struct active *a)
{
	struct grant_entry_v1 *e = entry_v1(t, ref);
	u32 *word = (u32 *)e, old = READ_ONCE(*word);
	bool in_use = a->reads | a->writes;
	int status;

	for (int i = 0; i < TRIES; i++) {
		status = check_entry(old, to, readonly, in_use);
		if (unlikely(status))
			return status;
		if (likely(__atomic_compare_exchange_n(word, &old, old | GTF_reading | (readonly ? 0 : GTF_writing), false,
						       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))) {
			if (!in_use) {
				a->mfn = READ_ONCE(e->frame);
				a->start = 0;
				a->length = PAGE_SIZE;
			}
			return GNTST_okay;
		}
	}
	return GNTST_general_error;
}

static void clear_marks(struct grant_table *t, u32 ref, const struct active *a)
{
	u16 gone = (a->writes ? 0 : GTF_writing) | (a->writes | a->reads ? 0 : GTF_reading);

	if (gone)
		__atomic_and_fetch(status_of(t, ref), ~gone, __ATOMIC_SEQ_CST);
}

static u64 clip_mfn(u64 mfn)
{
	return mfn < max_mfn ? mfn : max_mfn;	/* nobody's */
}

/* Marks are apart from what was checked, so that is checked again once they are set. */
static __attribute__((noinline)) int mark_v2(struct grant_table *t, u32 ref, domid_t to, bool readonly, bool whole, struct active *a)
{
	union grant_entry_v2 *e = entry_v2(t, ref);
	bool in_use = a->reads | a->writes;
	u32 *word = (u32 *)e, seen = READ_ONCE(*word);
	bool part = seen & GTF_sub_page;
	int status = check_entry(seen, to, readonly, in_use);

	if (status || (!in_use && part && whole))
		return GNTST_general_error;
	__atomic_or_fetch(status_of(t, ref), GTF_reading | (readonly ? 0 : GTF_writing), __ATOMIC_SEQ_CST);
	if (!in_use) {
		a->mfn = clip_mfn(READ_ONCE(e->full_page.frame));
		a->start = part ? READ_ONCE(e->sub_page.page_off) : 0;
		a->length = part ? READ_ONCE(e->sub_page.length) : PAGE_SIZE;
	}
	if (READ_ONCE(*word) == seen)
		return GNTST_okay;
	clear_marks(t, ref, a);
	return GNTST_general_error;
}

/*
 * A claim on rd's entry `ref` for domain `to`; what it gives access to is in *what. `whole`: to map, so no part of a page.
 * While an entry is in use by a domain, more claims of that domain need no permission but to write.
 */
static inline int claim(struct grant_table *t, u32 ref, domid_t to, bool readonly, bool whole, struct active *what)
{
	struct active *a;
	int status = GNTST_okay;

	spin_lock(&t->lock);
	if (unlikely(ref >= t->entries)) {
		spin_unlock(&t->lock);
		return GNTST_bad_gntref;
	}
	a = active_of(t, ref);
	if (unlikely(a->reads | a->writes) && unlikely(a->domid != to || (readonly ? a->reads : a->writes) == MOST_CLAIMS))
		status = a->domid != to ? GNTST_bad_domain : GNTST_no_space;
	else if (unlikely(whole && (a->reads | a->writes) && a->length != PAGE_SIZE))
		status = GNTST_general_error;
	else if (!a->writes && (!readonly || !a->reads))
		status = likely(t->version == 1) ? mark_v1(t, ref, to, readonly, a) : mark_v2(t, ref, to, readonly, whole, a);
	if (likely(!status)) {
		a->domid = to;
		a->reads += readonly;
		a->writes += !readonly;
		t->claims++;
		*what = *a;
	}
	spin_unlock(&t->lock);
	return status;
}

static inline void release(struct grant_table *t, u32 ref, bool readonly)
{
	struct active *a;

	spin_lock(&t->lock);
	a = active_of(t, ref);
	a->reads -= readonly;
	a->writes -= !readonly;
	t->claims--;
	clear_marks(t, ref, a);
	spin_unlock(&t->lock);
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
	u32 first = t->mapping_pages * MAPPINGS_PER_PAGE;
	struct mapping *m;

	if (t->mapping_pages == MAX_MAPPING_PAGES || !(m = alloc_page()))
		return false;
	for (u32 i = 0; i < MAPPINGS_PER_PAGE; i++)
		m[i].ref = i + 1 < MAPPINGS_PER_PAGE ? first + i + 1 : NO_HANDLE;
	t->tracked[t->mapping_pages++] = m;
	t->free_mapping = first;
	return true;
}

/* A handle for the mapping; it is busy until flags without MAP_BUSY are stored. NO_HANDLE: none left. */
static inline u32 handle_get(struct grant_table *t)
{
	u32 handle = NO_HANDLE;

	spin_lock(&t->lock);
	if (likely(t->free_mapping != NO_HANDLE) || mappings_grow(t)) {
		struct mapping *m;

		handle = t->free_mapping;
		m = mapping_of(t, handle);
		t->free_mapping = m->ref;
		m->flags = MAP_BUSY;
	}
	spin_unlock(&t->lock);
	return handle;
}

static inline void handle_put(struct grant_table *t, u32 handle)
{
	struct mapping *m = mapping_of(t, handle);

	spin_lock(&t->lock);
	m->flags = 0;
	m->ref = t->free_mapping;
	t->free_mapping = handle;
	spin_unlock(&t->lock);
}

/* --- map ---------------------------------------------------------------------------------------------------------- */

static inline u64 pte_for(mfn_t mfn, u32 flags)
{
	u64 pte = mfn << PAGE_SHIFT | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | ((u64)(flags >> 16 & 7) << 9);

	if (!(flags & GNTMAP_readonly))
		pte |= PTE_RW;
	if (flags & GNTMAP_application_map)
		pte |= PTE_USER;
	return l1_adjust(pte);
}

/* One way of using a grant: a claim, references, and for a host mapping the page-table entry that takes the references over. */
static inline int map_one_way(struct vcpu *v, struct domain *rd, u32 ref, u32 flags, u64 address, mfn_t *mfn)
{
	struct l1e_place place = { address, flags & GNTMAP_contains_pte };
	bool readonly = flags & GNTMAP_readonly;
	struct active what;
	int status = claim(rd->grants, ref, v->domain->id, readonly, true, &what);

	if (unlikely(status))
		return status;
	*mfn = what.mfn;
	status = get_granted(what.mfn, rd->id, readonly);
	if (likely(!status)) {
		if (!(flags & GNTMAP_host_map) || likely(!mmu_give_l1e(v->domain, place, pte_for(what.mfn, flags))))
			return GNTST_okay;
		status = GNTST_general_error;
		put_granted(what.mfn, readonly);
	}
	release(rd->grants, ref, readonly);
	return status;
}

static inline void unmap_device(struct domain *rd, u32 ref, mfn_t mfn, bool readonly)
{
	put_granted(mfn, readonly);
	release(rd->grants, ref, readonly);
}

static __attribute__((noinline)) int map_device_too(struct vcpu *v, struct domain *rd, u32 ref, u32 flags, u64 address, mfn_t *mfn)
{
	int status = map_one_way(v, rd, ref, flags & ~GNTMAP_host_map, 0, mfn);

	if (status || !(flags & GNTMAP_host_map))
		return status;
	status = map_one_way(v, rd, ref, flags, address, mfn);
	if (status)
		unmap_device(rd, ref, *mfn, flags & GNTMAP_readonly);
	return status;
}

static inline int map_ref(struct vcpu *v, u64 address, u32 flags, u32 ref, domid_t dom, u32 *handle, mfn_t *mfn)
{
	struct grant_table *t = v->domain->grants;
	struct domain *rd = domain_of(v, dom, false);
	struct mapping *m;
	int status;
	u32 h;

	if (unlikely(!(flags & (GNTMAP_host_map | GNTMAP_device_map))))
		return GNTST_bad_gntref;
	if (unlikely(!rd))
		return GNTST_bad_domain;
	h = handle_get(t);
	if (unlikely(h == NO_HANDLE))
		return GNTST_no_device_space;
	if (likely(!(flags & GNTMAP_device_map)))
		status = map_one_way(v, rd, ref, flags, address, mfn);
	else
		status = map_device_too(v, rd, ref, flags, address, mfn);
	if (unlikely(status)) {
		handle_put(t, h);
		return status;
	}
	m = mapping_of(t, h);
	m->mfn = *mfn;
	m->ref = ref;
	m->domid = rd->id;
	WRITE_ONCE(m->flags, flags & (MAP_DEVICE | MAP_HOST | MAP_READONLY | MAP_PTE));
	*handle = h;
	return GNTST_okay;
}

#define PREEMPT_EVERY 32

static __attribute__((noinline)) long map_refs(struct vcpu *v, u64 list, u32 count)
{
	for (u32 i = 0; i < count; i++, list += sizeof(struct gnttab_map_grant_ref)) {
		u64 address, flags_ref, out;
		mfn_t mfn = 0;
		u32 handle;
		int status;

		if (i % PREEMPT_EVERY == PREEMPT_EVERY - 1)
			preempt_point();
		user_access_begin();
		raw_get_u64(address, list, fault);
		raw_get_u64(flags_ref, list + 8, fault);
		raw_get_u64(out, list + 16, fault);
		user_access_end();
		handle = out >> 32;
		status = map_ref(v, address, flags_ref, flags_ref >> 32, out, &handle, &mfn);
		out = (u16)out | (u64)(u16)status << 16 | (u64)handle << 32;
		user_access_begin();
		raw_put_u64(out, list + 16, fault);
		if (likely(!status))
			raw_put_u64(mfn << PAGE_SHIFT, list + 24, fault);
		user_access_end();
	}
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* --- unmap -------------------------------------------------------------------------------------------------------- */

/*
 * In two steps, with one flush between them for a whole batch: the entries go, no CPU can use them any more,
 * and only then may the granter learn that its page is its own again.
 */
struct unmapping {
	struct mapping m;
	u64 handle_status;	/* as in the guest's structure */
	int status;
	u16 parts;		/* MAP_HOST, MAP_DEVICE: what ends; 0: nothing, or it failed */
	bool busy;		/* the handle is marked by us */
};

#define UNMAP_BATCH 16

static inline bool handle_mark(struct grant_table *t, u32 handle, struct mapping *copy)
{
	struct mapping *m;
	bool found = false;

	spin_lock(&t->lock);
	if (likely(handle / MAPPINGS_PER_PAGE < t->mapping_pages)) {
		m = mapping_of(t, handle);
		*copy = *m;
		found = m->flags && !(m->flags & MAP_BUSY);
		if (likely(found))
			m->flags |= MAP_BUSY;
	}
	spin_unlock(&t->lock);
	return found;
}

/* The host mapping's entry goes, or the one of replace_with comes in its place. */
static inline int remove_entry(struct vcpu *v, const struct mapping *m, u64 address, u64 replace_with)
{
	struct l1e_place place = { address, m->flags & MAP_PTE }, source = { replace_with, false };
	bool writable = !(m->flags & MAP_READONLY);
	u64 pte;

	if (likely(!replace_with))
		return mmu_take_l1e(v->domain, place, m->mfn, writable, 0);
	pte = mmu_read_l1e(v, replace_with);
	if (!(pte & PTE_PRESENT) || mmu_take_l1e(v->domain, source, pte_mfn(pte), pte & PTE_RW, 0))
		return -EINVAL;
	if (!mmu_take_l1e(v->domain, place, m->mfn, writable, pte))
		return 0;
	if (mmu_give_l1e(v->domain, source, pte))
		put_l1e(v->domain, pte);
	return -EINVAL;
}

/* First step. Answers whether a flush of everything is due; a single address on the only vCPU is flushed here. */
static inline bool unmap_begin(struct vcpu *v, struct unmapping *u, u64 address, u64 device, u64 replace_with)
{
	u16 parts = 0;

	u->parts = 0;
	u->status = GNTST_okay;
	u->busy = handle_mark(v->domain->grants, u->handle_status, &u->m);
	if (unlikely(!u->busy)) {
		u->status = GNTST_bad_handle;
		return false;
	}
	if (unlikely(device && (u->m.flags & MAP_DEVICE))) {
		parts = MAP_DEVICE;
		if (device != (u64)u->m.mfn << PAGE_SHIFT) {
			u->status = GNTST_bad_dev_addr;
			return false;
		}
	}
	if (likely(address && (u->m.flags & MAP_HOST))) {
		parts |= MAP_HOST;
		if (unlikely(remove_entry(v, &u->m, address, replace_with))) {
			u->status = GNTST_general_error;
			return false;
		}
	}
	u->parts = parts;
	if (unlikely((u->m.flags & MAP_PTE) || replace_with || v->domain->vcpu_count > 1))
		return parts & MAP_HOST;
	if (likely(parts & MAP_HOST))
		flush_tlb_page_local(address);
	return false;
}

static inline void unmap_end(struct vcpu *v, struct unmapping *u)
{
	struct grant_table *t = v->domain->grants;
	u16 rest = u->m.flags & ~u->parts;
	bool readonly = u->m.flags & MAP_READONLY;
	struct domain *rd;

	if (unlikely(!u->busy))
		return;
	rd = domain_of(v, u->m.domid, false);
	if (likely(u->parts & MAP_HOST)) {
		put_l1e(v->domain, u->m.mfn << PAGE_SHIFT | (readonly ? 0 : PTE_RW));
		if (likely(rd))
			release(rd->grants, u->m.ref, readonly);
	}
	if (unlikely(u->parts & MAP_DEVICE)) {
		put_granted(u->m.mfn, readonly);
		if (rd)
			release(rd->grants, u->m.ref, readonly);
	}
	if (likely(!(rest & (MAP_HOST | MAP_DEVICE))))
		handle_put(t, u->handle_status);
	else
		WRITE_ONCE(mapping_of(t, u->handle_status)->flags, rest);
}

/* The structures of unmap_grant_ref and unmap_and_replace differ in the meaning of their second word only. */
static __attribute__((noinline)) long unmap_refs(struct vcpu *v, u64 list, u32 count, bool replace)
{
	struct unmapping batch[UNMAP_BATCH];
	long result = 0;
	u64 address, second, handle_status;

	while (count && !result) {
		u32 n = min(count, (u32)UNMAP_BATCH), i;
		bool flush = false;

		for (i = 0; i < n; i++) {
			user_access_begin();
			raw_get_u64(address, list + i * sizeof(struct gnttab_unmap_grant_ref), fault);
			raw_get_u64(second, list + i * sizeof(struct gnttab_unmap_grant_ref) + 8, fault);
			raw_get_u64(handle_status, list + i * sizeof(struct gnttab_unmap_grant_ref) + 16, fault);
			user_access_end();
			batch[i].handle_status = handle_status;
			flush |= unmap_begin(v, &batch[i], address, replace ? 0 : second, replace ? second : 0);
		}
done:
		if (unlikely(flush))
			flush_domain_tlb(v->domain);
		for (u32 j = 0; j < i; j++, list += sizeof(struct gnttab_unmap_grant_ref)) {
			struct unmapping *u = &batch[j];

			unmap_end(v, u);
			u->handle_status = (u->handle_status & 0xffff0000ffffffff) | (u64)(u16)u->status << 32;
			if (unlikely(put_guest_u64(u->handle_status, list + 16)))
				result = -EFAULT;
		}
		count -= n;
		if (count && !result)
			preempt_point();
		continue;
fault:
		user_access_end();
		result = -EFAULT;
		goto done;
	}
	return result;
}

/* --- copy ----------------------------------------------------------------------------------------------------------- */

/* One end of a copy, kept claimed for the next element of the list, which mostly names the same. */
struct copy_end {
	u64 key;		/* ref or frame, as the guest named it */
	u32 key2;		/* its domid, and whether it is a ref */
	bool claimed, is_ref, readonly;
	u16 start, length;
	struct domain *d;
	mfn_t mfn;
};

#define KEY2(domid, is_ref) ((u32)(domid) | (u32)!!(is_ref) << 16)

static void copy_end_drop(struct copy_end *e)
{
	if (!e->claimed)
		return;
	put_granted(e->mfn, e->readonly);
	if (e->is_ref)
		release(e->d->grants, e->key, e->readonly);
	e->claimed = false;
}

static __attribute__((noinline)) int copy_end_claim(struct vcpu *v, struct copy_end *e, u64 key, u32 key2)
{
	int status;

	copy_end_drop(e);
	e->key = key;
	e->key2 = key2;
	e->is_ref = key2 >> 16;
	if (e->is_ref) {
		struct active what;

		status = claim(e->d->grants, key, v->domain->id, e->readonly, false, &what);
		if (status)
			return status;
		e->mfn = what.mfn;
		e->start = what.start;
		e->length = what.length;
	} else {
		e->mfn = key;
		e->start = 0;
		e->length = PAGE_SIZE;
	}
	status = get_granted(e->mfn, e->d->id, e->readonly);
	e->claimed = !status;
	if (status && e->is_ref)
		release(e->d->grants, key, e->readonly);
	return status;
}

static inline int copy_end_domain(struct vcpu *v, struct copy_end *e, u32 key2)
{
	struct domain *d;

	if (unlikely(!(key2 >> 16) && (domid_t)key2 != DOMID_SELF))
		return GNTST_permission_denied;
	d = domain_of(v, key2, true);
	if (unlikely(!d))
		return GNTST_bad_domain;
	if (e->d != d)
		copy_end_drop(e);
	e->d = d;
	return GNTST_okay;
}

static inline bool same(const struct copy_end *e, u64 key, u32 key2)
{
	return e->claimed && e->key == key && e->key2 == key2;
}

static __attribute__((noinline)) int copy_prepare(struct vcpu *v, struct copy_end *source, u64 key, u32 key2,
						  struct copy_end *dest, u64 dest_key, u32 dest_key2)
{
	int status = copy_end_domain(v, source, key2);

	if (!status)
		status = copy_end_domain(v, dest, dest_key2);
	if (!status && !same(source, key, key2))
		status = copy_end_claim(v, source, key, key2);
	if (!status && !same(dest, dest_key, dest_key2))
		status = copy_end_claim(v, dest, dest_key, dest_key2);
	return status;
}

/* A rep counts as an instruction for each step, so words first. */
static inline void copy_bytes(void *to, const void *from, u32 length)
{
	u64 words = length / 8, rest = length & 7;

	asm volatile("rep movsq" : "+c"(words), "+D"(to), "+S"(from) :: "memory");
	if (rest)
		asm volatile("rep movsb" : "+c"(rest), "+D"(to), "+S"(from) :: "memory");
}

static inline bool outside(const struct copy_end *e, u32 offset, u32 length)
{
	return offset < e->start || offset + length > (u32)e->start + e->length;
}

static inline int copy_data(const struct copy_end *source, u32 from, const struct copy_end *dest, u32 to, u32 length)
{
	if (unlikely(from + length > PAGE_SIZE || to + length > PAGE_SIZE))
		return GNTST_bad_copy_arg;
	if (unlikely(outside(source, from, length) || outside(dest, to, length)))
		return GNTST_general_error;
	copy_bytes(mfn_to_virt(dest->mfn) + to, mfn_to_virt(source->mfn) + from, length);
	return GNTST_okay;
}

static __attribute__((noinline)) long copy_list(struct vcpu *v, u64 list, u32 count)
{
	struct copy_end source = { .readonly = true }, dest = { .readonly = false };

	for (u32 i = 1; i <= count; i++, list += sizeof(struct gnttab_copy)) {
		u64 from, from2, to, to2, rest;
		u32 key2, dest_key2;
		int status = GNTST_okay;

		user_access_begin();
		raw_get_u64(from, list, fault);
		raw_get_u64(from2, list + 8, fault);
		raw_get_u64(to, list + 16, fault);
		raw_get_u64(to2, list + 24, fault);
		raw_get_u64(rest, list + 32, fault);
		user_access_end();
		key2 = KEY2((u16)from2, rest >> 16 & GNTCOPY_source_gref);
		dest_key2 = KEY2((u16)to2, rest >> 16 & GNTCOPY_dest_gref);
		if (!same(&source, from, key2) || !same(&dest, to, dest_key2))
			status = copy_prepare(v, &source, from, key2, &dest, to, dest_key2);
		if (likely(!status))
			status = copy_data(&source, (u32)from2 >> 16, &dest, (u32)to2 >> 16, (u16)rest);
		rest = (rest & 0xffff0000ffffffff) | (u64)(u16)status << 32;
		user_access_begin();
		raw_put_u64(rest, list + 32, fault);
		user_access_end();
		if (unlikely(i % PREEMPT_EVERY == 0)) {
			copy_end_drop(&source);
			copy_end_drop(&dest);
			preempt_point();
		}
	}
	copy_end_drop(&source);
	copy_end_drop(&dest);
	return 0;
fault:
	user_access_end();
	copy_end_drop(&source);
	copy_end_drop(&dest);
	return -EFAULT;
}

/* --- the table ---------------------------------------------------------------------------------------------------------- */

static u32 status_frames(u32 frames)
{
	return (frames * V2_PER_FRAME + STATUS_PER_FRAME - 1) / STATUS_PER_FRAME;
}

/* All or nothing of one frame; what was made and cannot be used yet stays for the next try. Under the lock, or before the domain is known. */
static bool frame_add(struct domain *d)
{
	struct grant_table *t = d->grants;
	u32 first_active = t->frames * (V1_PER_FRAME / ACTIVE_PER_PAGE);

	for (u32 i = first_active; i < first_active + V1_PER_FRAME / ACTIVE_PER_PAGE; i++)
		if (!t->active[i] && !(t->active[i] = alloc_page()))
			return false;
	for (u32 i = 0; t->version == 2 && i < status_frames(t->frames + 1); i++) {
		if (!t->status[i]) {
			t->status[i] = alloc_page();
			if (!t->status[i])
				return false;
			share_frame_with(d, t->status[i]);
		}
	}
	t->shared[t->frames] = alloc_page();
	if (!t->shared[t->frames])
		return false;
	share_frame_with(d, t->shared[t->frames]);
	t->frames++;
	t->entries = t->frames * (t->version == 1 ? V1_PER_FRAME : V2_PER_FRAME);
	return true;
}

static bool put_frame_list(u64 list, void *const *pages, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if (put_guest_u64(virt_to_mfn(pages[i]), list + i * sizeof(u64)))
			return false;
	return true;
}

static long setup_table(struct vcpu *v, u64 arg, u32 count)
{
	struct gnttab_setup_table op;
	struct domain *d;

	if (count != 1)
		return -EINVAL;
	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.nr_frames <= MAX_FRAMES && !guest_range_ok(op.frame_list, op.nr_frames * sizeof(u64)))
		return -EFAULT;
	d = domain_of(v, op.dom, true);
	if (!d) {
		op.status = GNTST_bad_domain;
	} else if (d != v->domain && !v->domain->privileged) {
		op.status = GNTST_permission_denied;
	} else {
		struct grant_table *t = d->grants;
		bool enough = op.nr_frames <= MAX_FRAMES;

		spin_lock(&t->lock);
		while (enough && t->frames < op.nr_frames)
			enough = frame_add(d);
		spin_unlock(&t->lock);
		op.status = !enough ? GNTST_general_error :
			put_frame_list(op.frame_list, t->shared, op.nr_frames) ? GNTST_okay : GNTST_bad_virt_addr;
	}
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

static long get_status_frames(struct vcpu *v, u64 arg, u32 count)
{
	struct gnttab_get_status_frames op;
	struct domain *d;

	if (count != 1)
		return -EINVAL;
	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	d = domain_of(v, op.dom, true);
	if (!d)
		op.status = GNTST_bad_domain;
	else if (d != v->domain && !v->domain->privileged)
		op.status = GNTST_permission_denied;
	else if (op.nr_frames && (d->grants->version != 2 || op.nr_frames > status_frames(d->grants->frames)))
		op.status = GNTST_general_error;
	else
		op.status = put_frame_list(op.frame_list, (void **)d->grants->status, op.nr_frames) ?
			GNTST_okay : GNTST_bad_virt_addr;
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

static long query_size(struct vcpu *v, u64 arg, u32 count)
{
	struct gnttab_query_size op;
	struct domain *d;

	if (count != 1)
		return -EINVAL;
	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	d = domain_of(v, op.dom, true);
	if (!d) {
		op.status = GNTST_bad_domain;
	} else if (d != v->domain && !v->domain->privileged) {
		op.status = GNTST_permission_denied;
	} else {
		op.nr_frames = d->grants->frames;
		op.max_nr_frames = MAX_FRAMES;
		op.status = GNTST_okay;
	}
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

/* --- versions -------------------------------------------------------------------------------------------------------------- */

struct reserved {
	u16 flags, domid;
	u64 frame;
};

static void reserved_take(struct grant_table *t, struct reserved r[GNTTAB_NR_RESERVED_ENTRIES])
{
	for (u32 i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
		if (t->version == 1) {
			struct grant_entry_v1 *e = entry_v1(t, i);

			r[i] = (struct reserved) { READ_ONCE(e->flags), READ_ONCE(e->domid), READ_ONCE(e->frame) };
		} else {
			union grant_entry_v2 *e = entry_v2(t, i);

			r[i] = (struct reserved) { READ_ONCE(e->hdr.flags), READ_ONCE(e->hdr.domid), READ_ONCE(e->full_page.frame) };
		}
	}
}

static void reserved_give(struct grant_table *t, const struct reserved r[GNTTAB_NR_RESERVED_ENTRIES])
{
	for (u32 i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
		u16 flags = r[i].flags & (GTF_type_mask | GTF_readonly);

		if ((flags & GTF_type_mask) != GTF_permit_access)
			continue;
		if (t->version == 1)
			*entry_v1(t, i) = (struct grant_entry_v1) { .flags = flags, .domid = r[i].domid, .frame = r[i].frame };
		else
			*entry_v2(t, i) = (union grant_entry_v2) { .full_page = { .hdr = { flags, r[i].domid }, .frame = r[i].frame } };
	}
}

static bool status_pages_made(struct domain *d)
{
	struct grant_table *t = d->grants;

	for (u32 i = 0; i < status_frames(t->frames); i++) {
		if (t->status[i])
			continue;
		t->status[i] = alloc_page();
		if (!t->status[i])
			return false;
		share_frame_with(d, t->status[i]);
	}
	return true;
}

/* The status frames are part of version 2, so one who still maps them has not left it. */
static bool status_pages_mapped(struct grant_table *t)
{
	for (u32 i = 0; i < status_frames(t->frames); i++)
		if (READ_ONCE(mfn_to_frame(virt_to_mfn(t->status[i]))->count) > 1)
			return true;
	return false;
}

static int change_version(struct domain *d, u32 version)
{
	struct reserved reserved[GNTTAB_NR_RESERVED_ENTRIES];
	struct grant_table *t = d->grants;

	if (version == t->version)
		return 0;
	if (t->claims || (version == 1 && status_pages_mapped(t)))
		return -EBUSY;
	if (version == 2 && !status_pages_made(d))
		return -ENOMEM;
	reserved_take(t, reserved);
	for (u32 i = 0; i < t->frames; i++)
		memset(t->shared[i], 0, PAGE_SIZE);
	for (u32 i = 0; i < MAX_STATUS_FRAMES && t->status[i]; i++)
		memset(t->status[i], 0, PAGE_SIZE);
	t->version = version;
	t->entries = t->frames * (version == 1 ? V1_PER_FRAME : V2_PER_FRAME);
	reserved_give(t, reserved);
	return 0;
}

static long set_version(struct vcpu *v, u64 arg)
{
	struct grant_table *t = v->domain->grants;
	u32 version;
	int result = -EINVAL;

	if (get_guest_u32(&version, arg))
		return -EFAULT;
	if (version == 1 || version == 2) {
		spin_lock(&t->lock);
		result = change_version(v->domain, version);
		spin_unlock(&t->lock);
	}
	return put_guest_u32(t->version, arg) ? -EFAULT : result;
}

static long get_version(struct vcpu *v, u64 arg)
{
	struct gnttab_get_version op;
	struct domain *d;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	d = domain_of(v, op.dom, true);
	if (!d)
		return -ESRCH;
	if (d != v->domain && !v->domain->privileged)
		return -EPERM;
	return put_guest_u32(d->grants->version, arg + offsetof(struct gnttab_get_version, version)) ? -EFAULT : 0;
}

/* --- the rest of the operations --------------------------------------------------------------------------------------------- */

static bool in_use(struct grant_table *t, u32 ref)
{
	return active_of(t, ref)->reads | active_of(t, ref)->writes;
}

static void swap_entries(struct grant_table *t, u32 a, u32 b)
{
	u16 status;

	if (t->version == 1) {
		struct grant_entry_v1 x = *entry_v1(t, a);

		*entry_v1(t, a) = *entry_v1(t, b);
		*entry_v1(t, b) = x;
	} else {
		union grant_entry_v2 x = *entry_v2(t, a);

		*entry_v2(t, a) = *entry_v2(t, b);
		*entry_v2(t, b) = x;
		status = *status_of(t, a);
		*status_of(t, a) = *status_of(t, b);
		*status_of(t, b) = status;
	}
}

static int swap_refs(struct grant_table *t, u32 a, u32 b)
{
	int status = GNTST_okay;

	spin_lock(&t->lock);
	if (a >= t->entries || b >= t->entries)
		status = GNTST_bad_gntref;
	else if (a != b && (in_use(t, a) || in_use(t, b)))
		status = GNTST_eagain;
	else if (a != b)
		swap_entries(t, a, b);
	spin_unlock(&t->lock);
	return status;
}

static long swap_grant_refs(struct vcpu *v, u64 list, u32 count)
{
	struct gnttab_swap_grant_ref op;

	for (u32 i = 1; i <= count; i++, list += sizeof(op)) {
		if (copy_from_guest(&op, list, sizeof(op)))
			return -EFAULT;
		op.status = swap_refs(v->domain->grants, op.ref_a, op.ref_b);
		if (copy_to_guest(list, &op, sizeof(op)))
			return -EFAULT;
		if (i % PREEMPT_EVERY == 0)
			preempt_point();
	}
	return 0;
}

/*
 * Gives a page to the domain whose entry accepts one. Within a domain it stays where it is, and the entry tells which page it
 * was; to other domains no page is given. Nobody may have it mapped.
 */
static int transfer_page(struct vcpu *v, u64 mfn, domid_t domid, u32 ref)
{
	struct domain *d = v->domain, *rd = domain_of(v, domid, false);
	struct grant_table *t = d->grants;
	int status = GNTST_general_error;
	struct grant_entry_v1 *e;
	u32 expected;

	if (!get_frame(mfn, d->id))
		return GNTST_bad_page;
	if (READ_ONCE(mfn_to_frame(mfn)->count) != 2 || !(mfn_to_frame(mfn)->flags & FRAME_ALLOCATED))
		status = GNTST_bad_page;
	put_frame(mfn);
	if (status == GNTST_bad_page)
		return status;
	if (!rd)
		return GNTST_bad_domain;
	if (rd != d)
		return GNTST_permission_denied;
	spin_lock(&t->lock);
	expected = GTF_accept_transfer | (u32)d->id << 16;
	if (t->version == 1 && ref < t->entries) {
		e = entry_v1(t, ref);
		if (__atomic_compare_exchange_n((u32 *)e, &expected, expected | GTF_transfer_committed, false,
						__ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
			m2p_set(mfn, READ_ONCE(e->frame));
			WRITE_ONCE(e->frame, mfn);
			__atomic_or_fetch(&e->flags, GTF_transfer_completed, __ATOMIC_SEQ_CST);
			status = GNTST_okay;
		}
	}
	spin_unlock(&t->lock);
	return status;
}

static long transfer(struct vcpu *v, u64 list, u32 count)
{
	struct gnttab_transfer op;

	for (u32 i = 1; i <= count; i++, list += sizeof(op)) {
		if (copy_from_guest(&op, list, sizeof(op)))
			return -EFAULT;
		op.status = transfer_page(v, op.mfn, op.domid, op.ref);
		if (copy_to_guest(list, &op, sizeof(op)))
			return -EFAULT;
		if (i % PREEMPT_EVERY == 0)
			preempt_point();
	}
	return 0;
}

/* Caches are coherent with devices here: what can be done without losing data is done by doing nothing. */
static int cache_flush_one(struct vcpu *v, const struct gnttab_cache_flush *op)
{
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

static long cache_flush(struct vcpu *v, u64 list, u32 count)
{
	struct gnttab_cache_flush op;

	for (u32 i = 1; i <= count; i++, list += sizeof(op)) {
		int result = copy_from_guest(&op, list, sizeof(op)) ? -EFAULT : cache_flush_one(v, &op);

		if (result)
			return result;
		if (i % PREEMPT_EVERY == 0)
			preempt_point();
	}
	return 0;
}

/* --- dispatch ------------------------------------------------------------------------------------------------------------------ */

static __attribute__((noinline)) long other_ops(u32 op, u64 list, u32 count, struct vcpu *v)
{
	switch (op) {
	case GNTTABOP_setup_table:
		return setup_table(v, list, count);
	case GNTTABOP_transfer:
		return transfer(v, list, count);
	case GNTTABOP_query_size:
		return query_size(v, list, count);
	case GNTTABOP_unmap_and_replace:
		return unmap_refs(v, list, count, true);
	case GNTTABOP_set_version:
		return set_version(v, list);
	case GNTTABOP_get_status_frames:
		return get_status_frames(v, list, count);
	case GNTTABOP_get_version:
		return get_version(v, list);
	case GNTTABOP_swap_grant_ref:
		return swap_grant_refs(v, list, count);
	case GNTTABOP_cache_flush:
		return cache_flush(v, list, count);
	}
	return -ENOSYS;
}

/* What follows the first element is reached in ascending order, so checking the first address is enough (uaccess.h). */
long do_grant_table_op(u64 cmd, u64 list, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	u32 op = cmd, count = a3;

	if (unlikely((s32)count < 0))
		return -EINVAL;
	if (unlikely(!guest_address_ok(list)))
		return op == GNTTABOP_dump_table || op > GNTTABOP_cache_flush ? -ENOSYS : -EFAULT;
	if (op == GNTTABOP_copy)
		return copy_list(v, list, count);
	if (op == GNTTABOP_map_grant_ref)
		return map_refs(v, list, count);
	if (op == GNTTABOP_unmap_grant_ref)
		return unmap_refs(v, list, count, false);
	return other_ops(op, list, count, v);
}

/* --- for the rest of the hypervisor ---------------------------------------------------------------------------------------------- */

int grant_init(struct domain *d)
{
	struct grant_table *t = alloc_page();

	BUILD_ASSERT(sizeof(*t) <= PAGE_SIZE);
	if (!t)
		return -ENOMEM;
	t->version = 1;
	t->free_mapping = NO_HANDLE;
	d->grants = t;
	if (frame_add(d))
		return 0;
	grant_destroy(d);
	return -ENOMEM;
}

/* The page-table entries are gone already, and their references with them. */
static void mapping_drop(struct grant_table *t, struct mapping *m)
{
	struct domain *rd = domain_find(m->domid);
	bool readonly = m->flags & MAP_READONLY;

	if (m->flags & MAP_DEVICE)
		put_granted(m->mfn, readonly);
	if (!rd)
		return;
	if (m->flags & MAP_HOST)
		release(rd->grants, m->ref, readonly);
	if (m->flags & MAP_DEVICE)
		release(rd->grants, m->ref, readonly);
}

void grant_destroy(struct domain *d)
{
	struct grant_table *t = d->grants;

	for (u32 i = 0; i < t->mapping_pages; i++) {
		for (u32 j = 0; j < MAPPINGS_PER_PAGE; j++)
			if (t->tracked[i][j].flags)
				mapping_drop(t, &t->tracked[i][j]);
		free_page(t->tracked[i]);
	}
	for (u32 i = 0; i < MAX_FRAMES && t->shared[i]; i++)
		unshare_frame(d, t->shared[i]);
	for (u32 i = 0; i < MAX_STATUS_FRAMES && t->status[i]; i++)
		unshare_frame(d, t->status[i]);
	for (u32 i = 0; i < ACTIVE_PAGES && t->active[i]; i++)
		free_page(t->active[i]);
	free_page(t);
	d->grants = NULL;
}

void grant_preset(struct domain *d, u32 ref, domid_t domid, mfn_t mfn)
{
	*entry_v1(d->grants, ref) = (struct grant_entry_v1) { GTF_permit_access, domid, mfn };
}

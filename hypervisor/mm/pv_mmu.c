/* SPDX-License-Identifier: MIT */
/*
 * A guest changes its page tables: mmu_update and update_va_mapping.
 *
 * An L1 entry is changed under the domain's l1_lock in three steps: the new entry's references
 * are taken, the entries are exchanged in one atomic step, the old entry's references (of what was really
 * there) are dropped. A table under the lock that is a validated L1 of the domain stays one, so
 * nothing is held for it. Upper entries are changed under the page mutex (frames.c).
 */
#include <abi/xen.h>
#include <asm.h>
#include <console.h>
#include <cpu.h>
#include <hypercall.h>
#include <mmu.h>
#include <pte.h>
#include <sched.h>
#include <uaccess.h>

#define PREEMPT_EVERY 64

/* --- L1 entries ------------------------------------------------------------------------------------------------- */

/* Last in its callers, so that they need no stack. */
static inline int drop_l1e(struct domain *d, u64 old)
{
	if (old & PTE_PRESENT)
		put_l1e(d, old);
	return 0;
}

static __attribute__((noinline, cold)) int replace_l1e_slow(struct domain *d, u64 *pte, u64 new, domid_t owner, bool held)
{
	int rc = get_l1e_slow(d, new, owner, held);

	if (rc == L1E_READONLY) {
		new &= ~(u64)PTE_RW;
		rc = 0;
	}
	return rc ? rc : drop_l1e(d, __atomic_exchange_n(pte, new, __ATOMIC_SEQ_CST));
}

/* As set_l1e(), whatever the entries are. The common case makes no calls. */
__attribute__((noinline)) int replace_l1e(struct domain *d, u64 *pte, u64 new, domid_t owner)
{
	if (new & PTE_PRESENT) {
		mfn_t mfn = pte_mfn(new);

		if (unlikely(new & l1_refused) || unlikely(!get_frame(mfn, owner)))
			return replace_l1e_slow(d, pte, new, owner, false);
		if (new & PTE_RW && unlikely(!try_get_writable(mfn)))
			return replace_l1e_slow(d, pte, new, owner, true);
	}
	return drop_l1e(d, __atomic_exchange_n(pte, new, __ATOMIC_SEQ_CST));
}

/* The same, and unlocks. */
static __attribute__((noinline)) long finish_l1e(struct domain *d, u64 *pte, u64 new, domid_t owner)
{
	int rc = replace_l1e(d, pte, new, owner);

	spin_unlock(&d->l1_lock);
	return rc;
}

/* Makes *new what will be stored, with its references. */
static int prepare_l1e(struct domain *d, u64 *new, domid_t owner)
{
	int rc;

	if (!(*new & PTE_PRESENT))
		return 0;
	*new = l1_adjust(*new);
	rc = get_l1e(d, *new, owner);
	if (rc == L1E_READONLY) {
		*new &= ~(u64)PTE_RW;
		rc = 0;
	}
	return rc;
}

/* set_l1e() such that Accessed and Dirty stay. */
static int set_l1e_keeping_ad(struct domain *d, u64 *pte, u64 new, domid_t owner)
{
	int rc = prepare_l1e(d, &new, owner);

	return rc ? rc : drop_l1e(d, exchange_entry(pte, new, true));
}

/* set_l1e() for a caller whose `new` comes of `old`: -EAGAIN if the entry is that no more. */
int change_l1e(struct domain *d, u64 *pte, u64 old, u64 new)
{
	int rc = prepare_l1e(d, &new, d->id);
	u64 found = old;

	if (rc)
		return rc;
	if (cas64(pte, &found, new))
		return drop_l1e(d, old);
	drop_l1e(d, new);
	return -EAGAIN;
}

u64 mmu_read_l1e(struct vcpu *v, u64 va)
{
	u64 entry = v->kernel_cr3 | PTE_PRESENT;

	if (!guest_page_ok(va))
		return 0;
	for (int shift = 39; shift >= PAGE_SHIFT; shift -= 9) {
		if (!(entry & PTE_PRESENT) || pte_mfn(entry) >= max_mfn)
			return 0;
		raw_get_u64(entry, (u64)mfn_to_virt(pte_mfn(entry)) + (va >> shift & (PTE_ENTRIES - 1)) * 8, fault);
	}
	return entry;
fault:
	return 0;
}

/* --- whose tables, whose frames ----------------------------------------------------------------------------- */

void flush_domain_tlb(struct domain *d)
{
	if (d->vcpu_count > 1 || d != current->domain)
		flush_tlb_of(d);
	else
		flush_tlb_local();
}

/*
 * The domain whose frames a foreign-domain argument names; its id for frames to map in *owner. DOMID_IO stands for device
 * memory, which get_l1e() judges by itself: no ordinary frame is then right.
 */
int foreign_owner(struct domain *d, u16 id, domid_t *owner)
{
	struct domain *other;

	*owner = OWNER_NONE;
	if (id == DOMID_IO)
		return 0;
	if (id == DOMID_XEN) {
		*owner = OWNER_LENT;
		return d->privileged ? 0 : -EPERM;
	}
	other = domain_find(id);
	if (other == d || !other)
		return -ESRCH;
	*owner = id;
	return may_manage(d, other) ? 0 : -EPERM;
}

/* With a reference on the other domain, which *other names; NULL: there is none. */
int get_foreign(struct domain *d, u16 id, domid_t *owner, struct domain **other)
{
	int rc = foreign_owner(d, id, owner);

	*other = NULL;
	if (rc || *owner == OWNER_NONE || *owner == OWNER_LENT)
		return rc;
	*other = domain_get(*owner);
	return *other ? 0 : -ESRCH;
}

/* The table owner's, with a reference, if it is not d. */
static int get_tables_owner(struct domain *d, domid_t id, struct domain **tables)
{
	*tables = d;
	if (id == d->id || id == DOMID_SELF)
		return 0;
	*tables = domain_find(id);
	if (!*tables)
		return -ESRCH;
	if (!may_manage(d, *tables))
		return -EPERM;
	*tables = domain_get(id);
	return *tables ? 0 : -ESRCH;
}

/* --- mmu_update ----------------------------------------------------------------------------------------------- */

/* Takes d's l1_lock if the table at this machine address is a validated L1 of d's. */
static inline bool lock_l1(struct domain *d, maddr_t table)
{
	if (unlikely(table & (PAGE_SIZE - 1) || table >> PAGE_SHIFT >= max_mfn))
		return false;
	spin_lock(&d->l1_lock);
	if (likely(is_l1_of(d, table >> PAGE_SHIFT)))
		return true;
	spin_unlock(&d->l1_lock);
	return false;
}

struct update {
	maddr_t at;
	u64 new;
	bool keep_ad;
	domid_t owner;		/* of frames to map */
};

/* False: not in an L1 table. */
static bool update_l1(struct domain *d, const struct update *u, int *rc)
{
	u64 *pte = maddr_to_virt(u->at);

	if (!lock_l1(d, u->at & PAGE_MASK))
		return false;
	*rc = u->keep_ad ? set_l1e_keeping_ad(d, pte, u->new, u->owner) : set_l1e(d, pte, u->new, u->owner);
	spin_unlock(&d->l1_lock);
	return true;
}

/* Under the page mutex, so a table that is being validated now is seen as what it has become. */
static int update_table(struct domain *d, const struct update *u, bool *flush)
{
	mfn_t mfn = u->at >> PAGE_SHIFT;
	u32 word = READ_ONCE(mfn_to_frame(mfn)->type);
	enum frame_type level = word >> TYPE_SHIFT;
	int rc = -EINVAL;

	if (!(word & TYPE_VALIDATED) || level > FRAME_L4)
		return rc;
	if (level != FRAME_L1)
		return set_upper_entry(d, mfn, level, u->at % PAGE_SIZE / 8, u->new, u->keep_ad, flush);
	update_l1(d, u, &rc);
	return rc;
}

/* Any request: one to an L1 table, an upper table, or memory in which nothing is to be checked. */
static __attribute__((noinline)) int update_any(struct domain *d, u64 ptr, u64 new, domid_t owner, bool *flush)
{
	struct update u = { ptr & ~3ull, new, (ptr & 3) == MMU_PT_UPDATE_PRESERVE_AD, owner };
	mfn_t mfn = ptr >> PAGE_SHIFT;
	int rc = 0;

	if ((ptr & 3) == MMU_MACHPHYS_UPDATE)
		return m2p_set_owned(mfn, new, owner) ? 0 : -EINVAL;
	if (!(ptr & 4) && update_l1(d, &u, &rc))
		return rc;
	if (ptr & 4 || !get_frame(mfn, d->id))
		return -EINVAL;
	if (get_writable(mfn)) {
		exchange_entry(maddr_to_virt(u.at), new, u.keep_ad);
		put_writable(mfn);
	} else {
		page_mutex_lock(d);
		rc = update_table(d, &u, flush);
		page_mutex_unlock(d);
	}
	put_frame(mfn);
	return rc;
}

/* A request's ptr without the entry's index: of plain requests to an L1 table, the table's address. */
#define WHICH_TABLE(ptr) ((ptr) & ~0xff8ull)
#define NO_TABLE 8	/* equals no WHICH_TABLE() */

static inline void unlock_l1(struct domain *d, u64 *table)
{
	if (*table != NO_TABLE)
		spin_unlock(&d->l1_lock);
	*table = NO_TABLE;
}

/* True: end the batch. Where there is a reference on another domain one may not be stopped. */
static bool update_point(struct domain *d, domid_t owner)
{
	if (likely(d == current->domain && owner == d->id))
		return batch_point();
	preempt_point();
	return false;
}

/* The lock is kept from one request to the next while they are for the same L1 table. */
static __attribute__((noinline)) long
update_list(struct domain *d, domid_t owner, u64 requests, u32 count, u64 done_at)
{
	u64 table = NO_TABLE, ptr, new;
	bool flush = false;
	u32 done = 0;
	int rc = 0;

	for (; done < count; requests += sizeof(struct mmu_update)) {
		user_access_begin();
		raw_get_u64(ptr, requests, fault);
		raw_get_u64(new, requests + 8, fault);
		user_access_end();
		if (unlikely(WHICH_TABLE(ptr) != table)) {
			unlock_l1(d, &table);
			if (likely(lock_l1(d, WHICH_TABLE(ptr))))
				table = WHICH_TABLE(ptr);
		}
		if (likely(table != NO_TABLE))
			rc = set_l1e(d, maddr_to_virt(ptr), new, owner);
		else
			rc = update_any(d, ptr, new, owner, &flush);
		if (unlikely(rc))
			break;
		if (unlikely(!(++done % PREEMPT_EVERY))) {
			unlock_l1(d, &table);
			if (update_point(d, owner))
				break;
		}
	}
out:
	unlock_l1(d, &table);
	if (unlikely(flush))
		flush_domain_tlb(d);
	if (done_at)
		put_guest_u32(done, done_at);
	return rc;
fault:
	user_access_end();
	rc = -EFAULT;
	goto out;
}

static __attribute__((noinline)) long
update_foreign(struct domain *d, u64 requests, u32 count, u64 done_at, u64 foreign)
{
	struct domain *tables = d, *frames = NULL;
	u16 table_owner = foreign >> 16;	/* + 1, or 0; bits 15:0 say whose the frames are */
	domid_t owner = d->id;
	long rc = table_owner ? get_tables_owner(d, table_owner - 1, &tables) : 0;

	if (rc)
		return rc;
	if ((u16)foreign != DOMID_SELF)
		rc = get_foreign(d, foreign, &owner, &frames);
	if (!rc)
		rc = update_list(tables, owner, requests, count, done_at);
	if (frames)
		domain_put(frames);
	if (tables != d)
		domain_put(tables);
	return rc;
}

static __attribute__((noinline)) long update_one_elsewhere(struct domain *d, u64 ptr, u64 new)
{
	bool flush = false;
	int rc = update_any(d, ptr, new, d->id, &flush);

	if (flush)
		flush_domain_tlb(d);
	return rc;
}

/* Requests come alone most often, for the caller's own L1 tables and without a count to report. */
long do_mmu_update(u64 requests, u64 count, u64 done_at, u64 foreign, u64 a5, struct vcpu *v)
{
	struct domain *d = v->domain;
	u64 ptr, new;

	if (unlikely(!guest_address_ok(requests)))
		return -EFAULT;
	if (unlikely(foreign != DOMID_SELF))
		return update_foreign(d, requests, count, done_at, foreign);
	if (count != 1 || done_at)
		return (u32)count | done_at ? update_list(d, d->id, requests, count, done_at) : 0;
	user_access_begin();
	raw_get_u64(ptr, requests, fault);
	raw_get_u64(new, requests + 8, fault);
	user_access_end();
	if (unlikely(!lock_l1(d, WHICH_TABLE(ptr))))
		return update_one_elsewhere(d, ptr, new);
	if (!set_l1e_soft(maddr_to_virt(ptr), &new))
		return finish_l1e(d, maddr_to_virt(ptr), new, d->id);
	spin_unlock(&d->l1_lock);
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* --- update_va_mapping ---------------------------------------------------------------------------------------- */

/* The vCPUs of d in a bitmap at a guest address: is there another than the running one? -EFAULT: no bitmap there. */
int others_in_mask(struct domain *d, u64 mask_at, bool *self, bool *others)
{
	u64 mask, known = d->vcpu_count < 64 ? (1ull << d->vcpu_count) - 1 : ~0ull;

	if (get_guest_u64(&mask, mask_at))
		return -EFAULT;
	*self = mask >> current->id & 1;
	*others = mask & known & ~(1ull << current->id);
	return 0;
}

/* Flushes va, or everything, here or on all CPUs that the domain has. */
void flush_tlb_for(bool everything, u64 va, bool others)
{
	if (others)
		flush_tlb_of(current->domain);
	else if (everything)
		flush_tlb_local();
	else
		flush_tlb_page_local(va);
}

static int uvm_flush_others(struct domain *d, u64 va, u64 flags)
{
	u64 whom = flags & ~(u64)UVMF_FLUSHTYPE_MASK;
	bool self = true, others = false;

	if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_FLUSHTYPE_MASK)
		return 0;
	if (whom == UVMF_ALL)
		others = d->vcpu_count > 1;
	else if (whom && others_in_mask(d, whom, &self, &others))
		return -EFAULT;
	if (self || others)
		flush_tlb_for(flags & UVMF_TLB_FLUSH, va, others);
	return 0;
}

/* UVMF_*: bits 1:0 what, the rest whom: 0 this vCPU, 4 all, else a bitmap's address. The error is rc, if there is one already. */
static __attribute__((noinline)) long uvm_flush(u64 va, u64 flags, long rc)
{
	int flush_rc;

	if (flags == UVMF_INVLPG) {
		flush_tlb_page_local(va);
		return rc;
	}
	if (flags == UVMF_TLB_FLUSH) {
		flush_tlb_local();
		return rc;
	}
	flush_rc = uvm_flush_others(current->domain, va, flags);
	return rc ? rc : flush_rc;
}

static __attribute__((noinline)) long
finish_and_flush(struct domain *d, u64 va, u64 new, u64 flags, u64 *pte, domid_t owner)
{
	long rc = replace_l1e(d, pte, new, owner);

	spin_unlock(&d->l1_lock);
	return uvm_flush(va, flags, rc);
}

/* All that is not done here is called last, so the common case needs no stack. */
static inline long update_va(struct domain *d, u64 va, u64 new, u64 flags, domid_t owner)
{
	long rc = 0;
	u64 *pte;

	spin_lock(&d->l1_lock);
	pte = find_l1e(d, va);
	if (unlikely(!pte)) {
		rc = -EINVAL;
	} else if (!set_l1e_soft(pte, &new)) {
		if (flags & UVMF_FLUSHTYPE_MASK)
			return finish_and_flush(d, va, new, flags, pte, owner);
		return finish_l1e(d, pte, new, owner);
	}
	spin_unlock(&d->l1_lock);
	return likely(!(flags & UVMF_FLUSHTYPE_MASK)) ? rc : uvm_flush(va, flags, rc);
}

long do_update_va_mapping(u64 va, u64 new, u64 flags, u64 a4, u64 a5, struct vcpu *v)
{
	return update_va(v->domain, va, new, flags, v->domain->id);
}

long do_update_va_mapping_otherdomain(u64 va, u64 new, u64 flags, u64 id, u64 a5, struct vcpu *v)
{
	domid_t owner = v->domain->id;
	int rc;

	if ((u16)id != DOMID_SELF) {
		rc = foreign_owner(v->domain, id, &owner);
		if (rc)
			return rc;
	}
	return update_va(v->domain, va, new, flags, owner);
}

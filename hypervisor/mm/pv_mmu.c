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
#include <uaccess.h>

#define PREEMPT_EVERY 64

/* --- L1 entries ------------------------------------------------------------------------------------------------- */

static inline u64 exchange_entry(u64 *pte, u64 new, bool keep_ad)
{
	u64 old;

	if (likely(!keep_ad))
		return __atomic_exchange_n(pte, new, __ATOMIC_SEQ_CST);
	old = READ_ONCE(*pte);
	while (!cas64(pte, &old, new | (old & (PTE_ACCESSED | PTE_DIRTY))))
		;
	return old;
}

/* Under d->l1_lock; *pte is in a validated L1 table of d. New frames must be `owner`'s. 0 or what get_l1e() says. */
static inline int set_l1e_inline(struct domain *d, u64 *pte, u64 new, bool keep_ad, domid_t owner)
{
	u64 old;
	int rc;

	if (new & PTE_PRESENT) {
		new = l1_adjust(new);
		old = READ_ONCE(*pte);
		if (!((old ^ new) & ~L1_SOFT) && likely(!keep_ad && !(new & l1_refused)) && likely(cas64(pte, &old, new)))
			return 0;
		rc = get_l1e(d, new, owner);
		if (unlikely(rc))
			return rc;
	}
	old = exchange_entry(pte, new, keep_ad);
	if (old & PTE_PRESENT)
		put_l1e(d, old);
	return 0;
}

int set_l1e(struct domain *d, u64 *pte, u64 new, bool keep_ad, domid_t owner)
{
	return set_l1e_inline(d, pte, new, keep_ad, owner);
}

/* The same for a caller whose `new` comes of `old`: -EAGAIN if the entry is that no more. */
int change_l1e(struct domain *d, u64 *pte, u64 old, u64 new)
{
	u64 found = old;
	int rc = 0;

	if (new & PTE_PRESENT) {
		new = l1_adjust(new);
		rc = get_l1e(d, new, d->id);
		if (rc)
			return rc;
	}
	if (!cas64(pte, &found, new)) {
		old = new;
		rc = -EAGAIN;
	}
	if (old & PTE_PRESENT)
		put_l1e(d, old);
	return rc;
}

/*
 * Under d->l1_lock: the entry that maps va in the tables below `root`, or NULL. Upper tables may change meanwhile,
 * so what they say is only a hint: it counts if it leads to an L1 table of d's.
 */
static inline u64 *find_l1e_inline(struct domain *d, maddr_t root, u64 va)
{
	u64 entry = root | PTE_PRESENT;
	mfn_t mfn;

	if (unlikely(!guest_address_ok(va) || !address_canonical(va)))
		return NULL;
	for (int shift = 39; shift >= 21; shift -= 9) {
		mfn = pte_mfn(entry);
		if (unlikely(mfn >= max_mfn))
			return NULL;
		entry = READ_ONCE(((u64 *)mfn_to_virt(mfn))[va >> shift & (PTE_ENTRIES - 1)]);
		if (unlikely(!(entry & PTE_PRESENT)))
			return NULL;
	}
	mfn = pte_mfn(entry);
	if (unlikely(mfn >= max_mfn || !is_l1_of(d, mfn)))
		return NULL;
	return (u64 *)mfn_to_virt(mfn) + (va >> PAGE_SHIFT & (PTE_ENTRIES - 1));
}

u64 *find_l1e(struct domain *d, maddr_t root, u64 va)
{
	return find_l1e_inline(d, root, va);
}

u64 mmu_read_l1e(struct vcpu *v, u64 va)
{
	struct domain *d = v->domain;
	u64 *pte, entry;

	spin_lock(&d->l1_lock);
	pte = find_l1e(d, v->kernel_cr3, va);
	entry = pte ? READ_ONCE(*pte) : 0;
	spin_unlock(&d->l1_lock);
	return entry;
}

/* --- for grant mappings --------------------------------------------------------------------------------------- */

static u64 *place_l1e(struct domain *d, struct l1e_place at)
{
	if (!at.is_machine)
		return find_l1e(d, current->kernel_cr3, at.address);
	if (at.address & 7 || at.address >> PAGE_SHIFT >= max_mfn || !is_l1_of(d, at.address >> PAGE_SHIFT))
		return NULL;
	return maddr_to_virt(at.address);
}

int mmu_give_l1e(struct domain *d, struct l1e_place at, u64 pte)
{
	u64 *place, old = 0;

	spin_lock(&d->l1_lock);
	place = place_l1e(d, at);
	if (place)
		old = exchange_entry(place, pte, false);
	if (old & PTE_PRESENT)
		put_l1e(d, old);
	spin_unlock(&d->l1_lock);
	return place ? 0 : -EINVAL;
}

int mmu_take_l1e(struct domain *d, struct l1e_place at, mfn_t mfn, bool writable, u64 instead)
{
	u64 *place, old;
	int rc = -EINVAL;

	spin_lock(&d->l1_lock);
	place = place_l1e(d, at);
	if (place) {
		old = READ_ONCE(*place);
		do {	/* the hardware may set A and D meanwhile */
			rc = old & PTE_PRESENT && pte_mfn(old) == mfn && !!(old & PTE_RW) == writable ? 0 : -ENOENT;
		} while (!rc && !cas64(place, &old, instead));
	}
	spin_unlock(&d->l1_lock);
	return rc;
}

/* --- whose tables, whose frames ----------------------------------------------------------------------------- */

void flush_domain_tlb(struct domain *d)
{
	if (d->vcpu_count > 1 || d != current->domain)
		flush_tlb_all_cpus();
	else
		flush_tlb_local();
}

/*
 * The domain whose frames a foreign-domain argument names; its id for frames to map in *owner. DOMID_IO stands for device
 * memory, which get_l1e() judges by itself: no ordinary frame is then right.
 */
int foreign_owner(struct domain *d, u16 id, domid_t *owner)
{
	*owner = OWNER_NONE;
	if (id == DOMID_IO)
		return 0;
	if (id == DOMID_XEN)
		return d->privileged ? 0 : -EPERM;
	if (id == d->id || !domain_find(id))
		return -ESRCH;
	*owner = id;
	return d->privileged ? 0 : -EPERM;
}

/* Bits 15:0 frame owner, 31:16 table owner + 1 or 0. */
static int parse_foreign(struct domain *d, u64 foreign, struct domain **tables, domid_t *frames)
{
	u16 table_owner = foreign >> 16;
	int rc;

	*tables = d;
	*frames = d->id;
	if (table_owner) {
		*tables = domain_find(table_owner - 1);
		if (!*tables)
			return -ESRCH;
		if (*tables != d && !d->privileged)
			return -EPERM;
	}
	if ((u16)foreign == DOMID_SELF)
		return 0;
	rc = foreign_owner(d, foreign, frames);
	return rc;
}

/* --- mmu_update ----------------------------------------------------------------------------------------------- */

static int update_m2p(mfn_t mfn, u64 pfn, domid_t owner)
{
	if (!get_frame(mfn, owner))
		return -EINVAL;
	m2p_set(mfn, pfn);
	put_frame(mfn);
	return 0;
}

/* Under the page mutex, so a table that is being validated now is seen as what it has become. */
static int update_table(struct domain *d, maddr_t at, u64 new, bool keep_ad, domid_t owner, bool *flush)
{
	mfn_t mfn = at >> PAGE_SHIFT;
	u32 word = READ_ONCE(mfn_to_frame(mfn)->type);
	enum frame_type level = word >> TYPE_SHIFT;
	int rc;

	if (!(word & TYPE_VALIDATED) || level > FRAME_L4)
		return -EINVAL;
	if (level != FRAME_L1)
		return set_upper_entry(d, mfn, level, at % PAGE_SIZE / 8, new, keep_ad, flush);
	spin_lock(&d->l1_lock);
	rc = is_l1_of(d, mfn) ? set_l1e(d, maddr_to_virt(at), new, keep_ad, owner) : -EINVAL;
	spin_unlock(&d->l1_lock);
	return rc;
}

/* The frame was no L1 table: an upper table, or memory in which nothing is to be checked. */
static __attribute__((noinline)) int update_other(struct domain *d, maddr_t at, u64 new, bool keep_ad, domid_t owner, bool *flush)
{
	mfn_t mfn = at >> PAGE_SHIFT;
	int rc = 0;

	if (!get_frame(mfn, d->id))
		return -EINVAL;
	if (get_writable(mfn)) {
		exchange_entry(maddr_to_virt(at), new, keep_ad);
		put_writable(mfn);
	} else {
		page_mutex_lock(d);
		rc = update_table(d, at, new, keep_ad, owner, flush);
		page_mutex_unlock(d);
	}
	put_frame(mfn);
	return rc;
}

static inline int update_one(struct domain *d, u64 ptr, u64 new, domid_t owner, bool *flush)
{
	maddr_t at = ptr & ~3ull;
	mfn_t mfn = ptr >> PAGE_SHIFT;
	int rc;

	if (unlikely((ptr & 3) == MMU_MACHPHYS_UPDATE))
		return update_m2p(mfn, new, owner);
	if (unlikely(mfn >= max_mfn || ptr & 4))
		return -EINVAL;
	spin_lock(&d->l1_lock);
	if (likely(is_l1_of(d, mfn))) {
		rc = set_l1e_inline(d, maddr_to_virt(at), new, (ptr & 3) == MMU_PT_UPDATE_PRESERVE_AD, owner);
		spin_unlock(&d->l1_lock);
		return rc;
	}
	spin_unlock(&d->l1_lock);
	return update_other(d, at, new, (ptr & 3) == MMU_PT_UPDATE_PRESERVE_AD, owner, flush);
}

long do_mmu_update(u64 requests, u64 count, u64 done_at, u64 foreign, u64 a5, struct vcpu *v)
{
	struct domain *d = v->domain, *tables = d;
	domid_t owner = d->id;
	bool flush = false;
	u64 ptr, new;
	u32 done;
	int rc = 0;

	if (unlikely(foreign != DOMID_SELF)) {
		rc = parse_foreign(d, foreign, &tables, &owner);
		if (rc)
			return rc;
	}
	count = (u32)count;
	if (unlikely(!guest_address_ok(requests)))
		return -EFAULT;
	for (done = 0; done < count; done++, requests += sizeof(struct mmu_update)) {
		user_access_begin();
		raw_get_u64(ptr, requests, fault);
		raw_get_u64(new, requests + 8, fault);
		user_access_end();
		rc = update_one(tables, ptr, new, owner, &flush);
		if (unlikely(rc))
			break;
		if (unlikely(done % PREEMPT_EVERY == PREEMPT_EVERY - 1))
			preempt_point();
	}
out:
	if (unlikely(flush))
		flush_domain_tlb(tables);
	if (done_at)
		put_guest_u32(done, done_at);
	return rc;
fault:
	user_access_end();
	rc = -EFAULT;
	goto out;
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

/* Flushes va, or everything, here or on all CPUs. */
void flush_tlb_for(struct vcpu *v, bool everything, u64 va, bool others)
{
	if (others)
		flush_tlb_all_cpus();
	else if (everything)
		flush_tlb_local();
	else
		flush_tlb_page_local(va);
}

/* UVMF_*: bits 1:0 what, the rest whom: 0 this vCPU, 4 all, else a bitmap's address. */
static __attribute__((noinline)) int uvm_flush(struct vcpu *v, u64 va, u64 flags)
{
	u64 whom = flags & ~(u64)UVMF_FLUSHTYPE_MASK;
	bool self = true, others = false;

	if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_FLUSHTYPE_MASK)
		return 0;
	if (whom == UVMF_ALL)
		others = v->domain->vcpu_count > 1;
	else if (whom && others_in_mask(v->domain, whom, &self, &others))
		return -EFAULT;
	if (self || others)
		flush_tlb_for(v, flags & UVMF_TLB_FLUSH, va, others);
	return 0;
}

static inline long update_va(struct vcpu *v, u64 va, u64 new, u64 flags, domid_t owner)
{
	struct domain *d = v->domain;
	int rc = -EINVAL, flush_rc;
	u64 *pte;

	spin_lock(&d->l1_lock);
	pte = find_l1e_inline(d, v->kernel_cr3, va);
	if (likely(pte))
		rc = set_l1e_inline(d, pte, new, false, owner);
	spin_unlock(&d->l1_lock);
	if (flags & UVMF_FLUSHTYPE_MASK) {
		flush_rc = uvm_flush(v, va, flags);
		rc = rc ? rc : flush_rc;
	}
	return rc;
}

long do_update_va_mapping(u64 va, u64 new, u64 flags, u64 a4, u64 a5, struct vcpu *v)
{
	return update_va(v, va, new, flags, v->domain->id);
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
	return update_va(v, va, new, flags, owner);
}

/* SPDX-License-Identifier: MIT */
/* mmuext_op: pin and unpin tables, choose roots, flush, and the few things that guests ask of pages as a whole. */
#include <abi/xen.h>
#include <asm.h>
#include <console.h>
#include <cpu.h>
#include <hypercall.h>
#include <mmu.h>
#include <pte.h>
#include <sched.h>
#include <string.h>
#include <uaccess.h>

/* --- roots ---------------------------------------------------------------------------------------------------------- */

int mmu_install_kernel_l4(struct vcpu *v, mfn_t l4)
{
	maddr_t old = v->kernel_cr3;

	if (get_frame_type(l4, v->domain->id, FRAME_L4))
		return -EINVAL;
	v->kernel_cr3 = l4 << PAGE_SHIFT;
	if (old)
		put_frame_type(old >> PAGE_SHIFT);
	return 0;
}

/* Everything cached of the old tables, global or not, goes. */
static __attribute__((noinline)) int load_kernel_l4(struct vcpu *v, mfn_t l4)
{
	maddr_t old = v->kernel_cr3, new = l4 << PAGE_SHIFT;

	if (unlikely(get_frame_type(l4, v->domain->id, FRAME_L4)))
		return -EINVAL;
	if (unlikely(v->ldt_mapped))
		drop_ldt_pages(v);
	v->kernel_cr3 = v->cpu->cr3 = new;
	write_cr3(new);
	v->counters[COUNT_CR3_LOAD]++;
	flush_tlb_local();
	put_frame_type(old >> PAGE_SHIFT);
	return 0;
}

static inline int switch_kernel_l4(struct vcpu *v, mfn_t l4)
{
	if (l4 != v->kernel_cr3 >> PAGE_SHIFT || unlikely(v->ldt_mapped))
		return load_kernel_l4(v, l4);
	flush_tlb_local();
	return 0;
}

int mmu_switch_kernel_l4(struct vcpu *v, mfn_t l4)
{
	return switch_kernel_l4(v, l4);
}

static __attribute__((noinline)) int change_user_l4(struct vcpu *v, mfn_t l4)
{
	maddr_t old = v->user_cr3;

	if (l4 && unlikely(get_frame_type(l4, v->domain->id, FRAME_L4)))
		return -EINVAL;
	v->user_cr3 = l4 << PAGE_SHIFT;
	if (old)
		put_frame_type(old >> PAGE_SHIFT);
	return 0;
}

/* User mode's tables are loaded on the way to user mode, not here. */
int mmu_install_user_l4(struct vcpu *v, mfn_t l4)
{
	return l4 == v->user_cr3 >> PAGE_SHIFT ? 0 : change_user_l4(v, l4);
}

/* --- the end of a domain ------------------------------------------------------------------------------------------ */

/* The frame on d's list after one that the caller has a reference on, which goes, or the first; with a reference. 0: the end. */
static mfn_t next_frame(struct domain *d, mfn_t mfn)
{
	mfn_t next;

	spin_lock(&d->page_lock);
	next = mfn ? mfn_to_frame(mfn)->next : d->page_list;
	while (next && !get_frame(next, d->id))	/* about to leave the list */
		next = mfn_to_frame(next)->next;
	spin_unlock(&d->page_lock);
	if (mfn)
		put_frame(mfn);
	return next;
}

/*
 * Nobody runs in d any more. Pins go first: with them, and the roots that its vCPUs gave up, every table goes. Then each frame
 * is given up; those that others refer to stay until these let go. Nothing joins the list meanwhile.
 */
void mmu_teardown(struct domain *d)
{
	u32 n = 0;

	for (mfn_t mfn = next_frame(d, 0); mfn; mfn = next_frame(d, mfn)) {
		if (mfn_to_frame(mfn)->type & TYPE_PINNED)
			mmu_unpin(d, mfn);
		if (!(++n % 64))
			preempt_point();
	}
	for (mfn_t mfn = next_frame(d, 0); mfn; mfn = next_frame(d, mfn)) {
		release_domain_frame(d, mfn);
		if (!(++n % 64))
			preempt_point();
	}
}

/* --- pages as a whole ------------------------------------------------------------------------------------------------ */

static int clear_page(domid_t owner, mfn_t mfn)
{
	if (get_frame_type(mfn, owner, FRAME_WRITABLE))
		return -EINVAL;
	memset(mfn_to_virt(mfn), 0, PAGE_SIZE);
	put_frame_type(mfn);
	return 0;
}

static int copy_page(domid_t owner, mfn_t to, mfn_t from)
{
	int rc = -EINVAL;

	if (!get_frame(from, owner))
		return rc;
	if (!get_frame_type(to, owner, FRAME_WRITABLE)) {
		memcpy(mfn_to_virt(to), mfn_to_virt(from), PAGE_SIZE);
		put_frame_type(to);
		rc = 0;
	}
	put_frame(from);
	return rc;
}

/* Only who may map devices has caches to care about. */
static int flush_cache(struct domain *d, int refusal)
{
	if (!d->privileged)
		return refusal;
	asm volatile("wbinvd" ::: "memory");
	return 0;
}

/* --- the hypercall --------------------------------------------------------------------------------------------------- */

static int flush_multi(struct vcpu *v, bool everything, u64 va, u64 mask_at)
{
	bool self, others;

	if (others_in_mask(v->domain, mask_at, &self, &others))
		return -EINVAL;
	if (self || others)
		flush_tlb_for(everything, va, others);
	return 0;
}

/* What concerns the caller's own vCPU and translations, less common. */
static int own_op(struct vcpu *v, u32 cmd, u64 arg1, u64 arg2)
{
	bool others = v->domain->vcpu_count > 1;

	switch (cmd) {
	case MMUEXT_TLB_FLUSH_ALL:
		flush_tlb_for(true, 0, others);
		return 0;
	case MMUEXT_INVLPG_ALL:
		flush_tlb_for(false, arg1, others);
		return 0;
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_INVLPG_MULTI:
		return flush_multi(v, cmd == MMUEXT_TLB_FLUSH_MULTI, arg1, arg2);
	case MMUEXT_FLUSH_CACHE:
		return flush_cache(v->domain, -EACCES);
	case MMUEXT_FLUSH_CACHE_GLOBAL:
		return flush_cache(v->domain, -EINVAL);
	case MMUEXT_SET_LDT:
		return set_ldt(v, arg1, arg2);
	}
	return -ENOSYS;
}

static __attribute__((noinline)) int
any_op(struct vcpu *v, struct domain *d, domid_t owner, u32 cmd, u64 arg1, u64 arg2)
{
	switch (cmd) {
	case MMUEXT_PIN_L1_TABLE ... MMUEXT_PIN_L4_TABLE:
		return d ? mmu_pin(d, arg1, FRAME_L1 + cmd) : -EINVAL;
	case MMUEXT_UNPIN_TABLE:
		return d ? mmu_unpin(d, arg1) : -EINVAL;
	case MMUEXT_CLEAR_PAGE:
		return clear_page(owner, arg1);
	case MMUEXT_COPY_PAGE:
		return copy_page(owner, arg1, arg2);
	case MMUEXT_MARK_SUPER:
	case MMUEXT_UNMARK_SUPER:
		return -EOPNOTSUPP;
	}
	return own_op(v, cmd, arg1, arg2);
}

/* Operations of a vCPU on its own tables and translations; what switching processes takes is found first. */
static inline int self_op(struct vcpu *v, u32 cmd, u64 arg1, u64 arg2)
{
	struct domain *d = v->domain;

	if (cmd == MMUEXT_NEW_BASEPTR)
		return switch_kernel_l4(v, arg1);
	if (cmd == MMUEXT_NEW_USER_BASEPTR)
		return arg1 == v->user_cr3 >> PAGE_SHIFT ? 0 : change_user_l4(v, arg1);
	if (cmd == MMUEXT_INVLPG_LOCAL) {
		flush_tlb_page_local(arg1);
	} else if (cmd == MMUEXT_TLB_FLUSH_LOCAL || (cmd == MMUEXT_TLB_FLUSH_ALL && d->vcpu_count == 1)) {
		flush_tlb_local();
	} else {
		return any_op(v, d, d->id, cmd, arg1, arg2);
	}
	return 0;
}

/* Of those that an operation may not be for another domain. */
static bool is_own(u32 cmd)
{
	return cmd == MMUEXT_NEW_BASEPTR || cmd == MMUEXT_NEW_USER_BASEPTR ||
	       (cmd >= MMUEXT_TLB_FLUSH_LOCAL && cmd <= MMUEXT_SET_LDT) || cmd == MMUEXT_FLUSH_CACHE_GLOBAL;
}

static __attribute__((noinline)) int
foreign_op(struct vcpu *v, struct domain *d, domid_t owner, u32 cmd, u64 arg1, u64 arg2)
{
	return is_own(cmd) ? -EPERM : any_op(v, d, owner, cmd, arg1, arg2);
}

/* Inlined for each of its two callers, so that the caller's own list carries no other's domain along. */
static inline __attribute__((always_inline)) long
op_list(struct vcpu *v, struct domain *d, domid_t owner, u64 ops, u32 count, u64 done_at, bool foreign)
{
	u64 cmd, arg1, arg2;
	u32 done = 0;
	int rc = 0;

	for (; done < count; ops += sizeof(struct mmuext_op)) {
		user_access_begin();
		raw_get_u64(cmd, ops, fault);
		raw_get_u64(arg1, ops + 8, fault);
		raw_get_u64(arg2, ops + 16, fault);
		user_access_end();
		rc = foreign ? foreign_op(v, d, owner, cmd, arg1, arg2) : self_op(v, cmd, arg1, arg2);
		if (unlikely(rc))
			break;
		if (likely(++done % 16))
			continue;
		if (foreign)
			preempt_point();	/* not to be stopped here: there is a reference on the other domain */
		else if (batch_point())
			break;
	}
out:
	if (done_at)
		put_guest_u32(done, done_at);
	return rc;
fault:
	user_access_end();
	rc = -EFAULT;
	goto out;
}

static __attribute__((noinline)) long op_foreign(struct vcpu *v, u64 ops, u32 count, u64 done_at, u64 foreign)
{
	struct domain *d;	/* NULL: a reserved one, whose frames are no tables */
	domid_t owner;
	long rc = get_foreign(v->domain, foreign, &owner, &d);

	if (!rc)
		rc = op_list(v, d, owner, ops, count, done_at, true);
	if (d)
		domain_put(d);
	return rc;
}

static __attribute__((noinline)) long op_own(struct vcpu *v, u64 ops, u32 count, u64 done_at)
{
	return op_list(v, v->domain, v->domain->id, ops, count, done_at, false);
}

/* Operations come alone most often, for the caller itself and without a count to report. */
long do_mmuext_op(u64 ops, u64 count, u64 done_at, u64 foreign, u64 a5, struct vcpu *v)
{
	u64 cmd, arg1, arg2;

	if (unlikely(!guest_address_ok(ops)))
		return -EFAULT;
	if (unlikely((u16)foreign != DOMID_SELF))
		return op_foreign(v, ops, count, done_at, foreign);
	if (count != 1 || done_at)
		return (u32)count | done_at ? op_own(v, ops, count, done_at) : 0;
	user_access_begin();
	raw_get_u64(cmd, ops, fault);
	raw_get_u64(arg1, ops + 8, fault);
	raw_get_u64(arg2, ops + 16, fault);
	user_access_end();
	return self_op(v, cmd, arg1, arg2);
fault:
	user_access_end();
	return -EFAULT;
}

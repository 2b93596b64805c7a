/* SPDX-License-Identifier: MIT */
/* grant_table_op: which operation, and the ones that are neither mapping, copying nor about the table. */
#include "grant_table.h"

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

/* A frame of d's, or one that it maps by a grant: 0. -EPERM: nobody's; -EINVAL: another's. */
static int flushable(struct domain *d, mfn_t mfn)
{
	const struct frame *f = mfn_to_frame(mfn);

	if (get_frame(mfn, d->id)) {
		put_frame(mfn);
		return 0;
	}
	if (!READ_ONCE(f->count) || !domain_find(READ_ONCE(f->owner)))
		return -EPERM;
	return grant_maps_frame(d, mfn) ? 0 : -EINVAL;
}

/* Caches are coherent with devices here: what can be done without losing data is done by doing nothing. */
static long cache_flush(struct vcpu *v, void *arg)
{
	const struct gnttab_cache_flush *op = arg;
	mfn_t mfn = op->a.dev_bus_addr >> PAGE_SHIFT;
	int error;

	if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE || op->offset + op->length > PAGE_SIZE ||
	    (op->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL)))
		return -EINVAL;
	if (!op->length || !op->op)
		return 0;
	if (mfn >= max_mfn)
		return -EINVAL;
	error = flushable(v->domain, mfn);
	return !error && op->op == GNTTAB_CACHE_INVAL ? -EOPNOTSUPP : error;
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
	[GNTTABOP_setup_table] = { grant_setup_table, sizeof(struct gnttab_setup_table), ONE, true },
	[GNTTABOP_transfer] = { grant_transfer, sizeof(struct gnttab_transfer), LIST, true },
	[GNTTABOP_query_size] = { grant_query_size, sizeof(struct gnttab_query_size), ONE, true },
	[GNTTABOP_set_version] = { grant_set_version, sizeof(struct gnttab_set_version), UNCOUNTED, true },
	[GNTTABOP_get_status_frames] = { grant_get_status_frames, sizeof(struct gnttab_get_status_frames), ONE, true },
	[GNTTABOP_get_version] = { grant_get_version, sizeof(struct gnttab_get_version), UNCOUNTED, true },
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
		if (i % PREEMPT_EVERY == 0 && batch_point())
			break;
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
		return grant_copy_list(v->domain, list, count);
	if (op == GNTTABOP_map_grant_ref)
		return grant_map_list(v->domain, list, count);
	if (op == GNTTABOP_unmap_grant_ref)
		return grant_unmap_list(v->domain, list, count);
	if (op == GNTTABOP_unmap_and_replace)
		return grant_replace_list(v->domain, list, count);
	return op < ARRAY_SIZE(operations) && operations[op].perform ? other_op(v, &operations[op], list, count) : -ENOSYS;
}


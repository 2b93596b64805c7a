/* SPDX-License-Identifier: MIT */
/* Copying from and to what others grant: a page is claimed once for a run of elements that name it. */
#include "grant_table.h"

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
		status = claim(e->t, name, d->id, readonly, TO_COPY, &e->claim);
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

/* --- grants that are passed on ---------------------------------------------------------------------------------- */

/* A page to copy from or to, perhaps of a grant that another domain passes on. */
struct passed_end {
	struct copy_end end;	/* the granter's own */
	struct grant_table *t;	/* of the domain that passes it on, NULL: none does; */
	struct claim claim;	/* the claim there */
};

static __attribute__((noinline)) int
own_end_get(struct domain *d, struct copy_end *e, u64 name, domid_t domid, bool is_ref, bool readonly)
{
	return copy_end_get(d, e, name, domid, is_ref, readonly);
}

/* What rd passes on, claimed for rd. A domain passes on neither its own grants nor what was passed on to it, so there are no loops. */
static int beyond_get(struct domain *rd, struct copy_end *e, const struct active *what, bool readonly)
{
	int status;

	if (what->part != PASSED_ON)
		return GNTST_eagain;
	if (what->through == rd->id || what->through == DOMID_SELF || !domain_find(what->through))
		return GNTST_general_error;
	status = own_end_get(rd, e, what->mfn, what->through, true, readonly);
	return status == CLAIM_PASSED_ON ? GNTST_general_error : status;
}

static int passed_end_get(struct domain *d, struct passed_end *p, u64 name, domid_t domid, bool is_ref, bool readonly)
{
	int status = own_end_get(d, &p->end, name, domid, is_ref, readonly);
	struct domain *rd;

	p->t = NULL;
	if (status != CLAIM_PASSED_ON)
		return status;
	rd = domain_find(domid);
	status = claim(rd->grants, name, d->id, readonly, TO_PASS_ON, &p->claim);
	if (status)
		return status;
	status = beyond_get(rd, &p->end, p->claim.what, readonly);
	if (status)
		release(rd->grants, &p->claim, readonly);
	p->t = rd->grants;
	return status;
}

static void passed_end_put(struct passed_end *p, bool readonly)
{
	copy_end_put(&p->end, readonly);
	if (p->t)
		release(p->t, &p->claim, readonly);
}

static __attribute__((noinline)) int copy_passed_on(struct domain *d, const struct copy *c)
{
	struct passed_end source, dest;
	int status = passed_end_get(d, &source, c->source, c->source_domid_offset, c->length_flags & SOURCE_IS_REF, true);

	if (status)
		return status;
	status = passed_end_get(d, &dest, c->dest, c->dest_domid_offset, c->length_flags & DEST_IS_REF, false);
	if (!status) {
		status = copy_data(&source.end, &dest.end, c);
		passed_end_put(&dest, false);
	}
	passed_end_put(&source, true);
	return status;
}

/* --- lists ---------------------------------------------------------------------------------------------------------- */

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
	if (unlikely(status == CLAIM_PASSED_ON))
		status = copy_passed_on(d, &first);
	if (!put_copy_status(*list, status))
		return -EFAULT;
	*list += sizeof(struct gnttab_copy);
	--*count;
	return 0;
}

long grant_copy_list(struct domain *d, u64 list, u32 count)
{
	long result = 0;

	while (count && !result) {
		result = copy_run(d, &list, &count);
		if (unlikely(count) && batch_point())
			break;
	}
	return result;
}


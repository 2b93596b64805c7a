/* SPDX-License-Identifier: MIT */
/*
 * Between a request's pieces and our memory. A copy of the hypervisor's stays inside one page on both sides, so it is cut where ours
 * ends; the piece's own page end is the block layer's check.
 *
 * A request's device_data counts its parts (low half) and has its first error (high half).
 */
#include <abi/errno.h>

#include "../../include/hypercall.h"
#include "../../include/lib.h"
#include "../../include/mm.h"
#include "../../include/ops.h"
#include "copy.h"

struct parts {
	u32 open;
	int err;
};

_Static_assert(sizeof(struct parts) == sizeof(void *), "the parts are kept in a pointer's place");

static struct parts *parts_of(struct block_request *r)
{
	return (struct parts *)&r->device_data;
}

void parts_open(struct block_request *r)
{
	*parts_of(r) = (struct parts){ .open = 1 };
}

void parts_add(struct block_request *r)
{
	__atomic_add_fetch(&parts_of(r)->open, 1, __ATOMIC_RELAXED);
}

void parts_close(struct block_request *r, int err)
{
	struct parts *parts = parts_of(r);
	int none = 0;

	if (err)
		__atomic_compare_exchange_n(&parts->err, &none, err, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	if (!__atomic_sub_fetch(&parts->open, 1, __ATOMIC_ACQ_REL))
		r->done(r, parts->err);
}

void copy_run(struct copy_batch *b)
{
	u32 count = b->count;
	long err = count ? HYPERVISOR_grant_table_op(GNTTABOP_copy, b->ops, count) : 0;

	b->count = 0;
	for (u32 i = 0; i < count; i++)
		parts_close(b->requests[i], err || b->ops[i].status ? -EFAULT : 0);
}

static void add_granted(struct copy_batch *b, struct block_request *r, const struct block_piece *p, u32 at, void *ours, u32 length)
{
	struct gnttab_copy *op = &b->ops[b->count];
	bool write = r->op == BLOCK_WRITE;
	struct gnttab_copy_ptr *theirs = write ? &op->source : &op->dest, *own = write ? &op->dest : &op->source;

	parts_add(r);
	b->requests[b->count++] = r;
	theirs->u.ref = p->ref;
	theirs->domid = p->granter;
	theirs->offset = p->offset + at;
	own->u.gmfn = pfn_to_mfn(virt_to_pfn(ours));
	own->domid = DOMID_SELF;
	own->offset = (u64)ours & (PAGE_SIZE - 1);
	op->len = length;
	op->flags = write ? GNTCOPY_source_gref : GNTCOPY_dest_gref;
	if (b->count == COPY_BATCH)
		copy_run(b);
}

static void copy_own(const struct block_request *r, const struct block_piece *p, u32 at, void *ours, u32 length)
{
	char *piece = (char *)p->page + p->offset + at;

	if (r->op == BLOCK_WRITE)
		memcpy(ours, piece, length);
	else
		memcpy(piece, ours, length);
}

void copy_piece(struct copy_batch *b, struct block_request *r, const struct block_piece *p, u32 at, void *ours, u32 length)
{
	char *to = ours;

	if (p->page) {
		copy_own(r, p, at, ours, length);
		return;
	}
	while (length) {
		u32 part = MIN(length, PAGE_SIZE - ((u64)to & (PAGE_SIZE - 1)));

		add_granted(b, r, p, at, to, part);
		at += part;
		to += part;
		length -= part;
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * What memory the backend may reach, page by page. A grant covers a page whole, so only two kinds are ever granted:
 *
 *	lent	the caller's page, when the request covers all of it; granted for the one request
 *	ours	a page of the device's own, zeroed when new, that data are copied to and from. So what else lies in the caller's
 *		page stays private, and beside the data the backend finds only what it has seen before.
 *
 * To a backend that keeps grants mapped (feature-persistent) nothing is lent: our own pages stay granted, writable, from request
 * to request. Nor to one of which the node `trusted` says 0.
 *
 * Invariant: a page that the backend still has mapped is not used for anything else. Ours are the grant table's to free when it
 * lets go; a lent one keeps its request from being done.
 */
#include "../../pvkernel/include/gnttab.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "blkfront.h"

static void push(struct blk_seg **list, struct blk_seg *s)
{
	s->next = *list;
	*list = s;
}

static struct blk_seg *pop(struct blk_seg **list)
{
	struct blk_seg *s = *list;

	if (s)
		*list = s->next;
	return s;
}

/* A segment keeps its reference from use to use. */
static struct blk_seg *seg_new(struct blkfront *b)
{
	struct blk_seg *s = b->nr_segs < BLK_MAX_SEGS ? kmalloc(sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->ref = gnttab_reserve();
	if (s->ref == GRANT_NONE) {
		kfree(s);
		return NULL;
	}
	b->nr_segs++;
	return s;
}

static struct blk_seg *seg_get(struct blkfront *b)
{
	struct blk_seg *s = pop(&b->free_segs);

	return s ? s : seg_new(b);
}

static bool give_page(struct blk_seg *s)
{
	u64 pfn;

	if (s->page)
		return true;
	pfn = page_alloc();
	if (pfn == NO_PAGE)
		return false;
	s->page = memset(pfn_to_virt(pfn), 0, PAGE_SIZE);
	return true;
}

static u64 page_pfn(const void *page)
{
	u64 va = (u64)page;

	return va >= ARENA_BASE && va < ARENA_END ? mfn_to_pfn((*pt_lookup(va) & PTE_ADDR_MASK) >> PAGE_SHIFT) : virt_to_pfn(page);
}

/* Our own page, granted; readonly only where the grant ends with the request. */
static struct blk_seg *own_page(struct blkfront *b, bool readonly)
{
	struct blk_seg *s = seg_get(b);

	if (!s)
		return NULL;
	if (!give_page(s)) {
		push(&b->free_segs, s);
		return NULL;
	}
	if (!s->granted)
		gnttab_allow(s->ref, b->domid, virt_to_pfn(s->page), readonly && !b->persistent);
	s->granted = true;
	return s;
}

static struct blk_seg *lend_page(struct blkfront *b, const struct block_piece *p, bool write)
{
	struct blk_seg *s = seg_get(b);

	if (s) {
		gnttab_allow(s->ref, b->domid, page_pfn(p->page), write);
		s->lent = true;
	}
	return s;
}

struct blk_seg *seg_lend(struct blkfront *b, const struct block_piece *p, bool write)
{
	struct blk_seg *s;

	if (b->lend && p->length == PAGE_SIZE)
		return lend_page(b, p, write);
	s = own_page(b, write);
	if (s && write)
		memcpy((char *)s->page + p->offset, (char *)p->page + p->offset, p->length);
	return s;
}

struct blk_seg *seg_table(struct blkfront *b)
{
	return own_page(b, true);
}

/* A page of ours goes back whence it came, or to the grant table, to be freed when the backend lets go. */
static void seg_free(struct blkfront *b, struct blk_seg *s)
{
	if (s->granted)
		gnttab_end_page(s->ref, virt_to_pfn(s->page));
	else {
		gnttab_release(s->ref);
		if (s->page)
			page_free(virt_to_pfn(s->page));
	}
	kfree(s);
	b->nr_segs--;
}

bool seg_take_back(struct blkfront *b, struct blk_track *t, struct blk_seg *s)
{
	bool let_go = (b->persistent && !s->lent) || gnttab_revoke(s->ref);

	if (!let_go && s->lent)
		push(&t->held, s);
	else if (!let_go)
		seg_free(b, s);
	if (!let_go)
		return false;
	s->granted = b->persistent && !s->lent;
	s->lent = false;
	push(&b->free_segs, s);
	return true;
}

bool track_let_go(struct blkfront *b, struct blk_track *t)
{
	struct blk_seg *all = t->held;

	t->held = NULL;
	for (struct blk_seg *s = pop(&all); s; s = pop(&all)) {
		if (!gnttab_revoke(s->ref)) {
			push(&t->held, s);
			continue;
		}
		s->lent = false;
		push(&b->free_segs, s);
	}
	return !t->held;
}

/* Whoever comes next may be another domain, so our pages, with what is in them, go back. */
void segs_forget(struct blkfront *b)
{
	for (struct blk_seg *s = pop(&b->free_segs); s; s = pop(&b->free_segs))
		seg_free(b, s);
}

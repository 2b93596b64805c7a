/* SPDX-License-Identifier: MIT */
/*
 * The physical allocator: a buddy system over pfns.
 *
 *	pages[pfn]	state FREE with an order: head of a free block of 2^order, linked in free[order]
 *			anything else: inside a block, in use, or no memory
 *
 * Invariant: a free block of order n starts at a multiple of 2^n, and its buddy (pfn ^ 2^n) is not
 * the head of a free block of the same order, for the two would be one block. pfn 0 is never free, so
 * it ends the links.
 */
#include "lib.h"
#include "mm.h"
#include "ops.h"

enum { STATE_NONE, STATE_FREE, STATE_USED };

struct page {
	u32 next, prev;			/* links of free[order], as pfns */
	u8 order;
	u8 state;
	u16 note;			/* see page_note() */
};

static struct page *pages;
static u32 free_head[MAX_ORDER + 1];
static u64 nr_free, nr_total;

static void link_block(u64 pfn, unsigned int order)
{
	u32 next = free_head[order];

	pages[pfn] = (struct page){ .next = next, .order = order, .state = STATE_FREE };
	if (next)
		pages[next].prev = pfn;
	free_head[order] = pfn;
}

static void unlink_block(u64 pfn)
{
	struct page *p = &pages[pfn];

	if (p->next)
		pages[p->next].prev = p->prev;
	if (p->prev)
		pages[p->prev].next = p->next;
	else
		free_head[p->order] = p->next;
	p->state = STATE_NONE;
}

u64 page_alloc_order(unsigned int order)
{
	bool irq = irq_save();
	unsigned int o = order;
	u64 pfn = NO_PAGE;

	while (o <= MAX_ORDER && !free_head[o])
		o++;
	if (o <= MAX_ORDER) {
		pfn = free_head[o];
		unlink_block(pfn);
		while (o > order) {
			o--;
			link_block(pfn + (1ul << o), o);
		}
		pages[pfn] = (struct page){ .order = order, .state = STATE_USED };
		nr_free -= 1ul << order;
	}
	irq_restore(irq);
	return pfn;
}

static bool is_free_block(u64 pfn, unsigned int order)
{
	return pfn && pfn < boot.nr_pages && pages[pfn].state == STATE_FREE && pages[pfn].order == order;
}

static void insert_block(u64 pfn, unsigned int order)
{
	nr_free += 1ul << order;
	while (order < MAX_ORDER && is_free_block(pfn ^ (1ul << order), order)) {
		unlink_block(pfn ^ (1ul << order));
		pages[pfn].state = STATE_NONE;
		pfn &= ~(1ul << order);
		order++;
	}
	link_block(pfn, order);
}

void page_free_order(u64 pfn, unsigned int order)
{
	bool irq = irq_save();

	ASSERT(pfn && pfn < boot.nr_pages && pages[pfn].state == STATE_USED && pages[pfn].order == order);
	insert_block(pfn, order);
	irq_restore(irq);
}

u64 pages_free(void)
{
	return nr_free;
}

u16 *page_note(u64 pfn)
{
	return &pages[pfn].note;
}

u64 pages_total(void)
{
	return nr_total;
}

u64 page_take_out(void)
{
	u64 pfn = page_alloc();
	bool irq = irq_save();

	if (pfn != NO_PAGE) {
		pages[pfn].state = STATE_NONE;
		nr_total--;
	}
	irq_restore(irq);
	return pfn;
}

void page_put_in(u64 pfn)
{
	bool irq = irq_save();

	ASSERT(pfn && pfn < boot.nr_pages && pages[pfn].state == STATE_NONE);
	nr_total++;
	insert_block(pfn, 0);
	irq_restore(irq);
}

/* A range in the largest aligned blocks that it holds. */
static void add_range(u64 first, u64 end)
{
	first = MAX(first, 1);
	end = MIN(end, boot.nr_pages);
	while (first < end) {
		unsigned int order = 0;

		while (order < MAX_ORDER && !(first & (1ul << order)) && first + (2ul << order) <= end)
			order++;
		insert_block(first, order);
		first += 1ul << order;
	}
}

/* A table with an entry for each pfn, out of the first range that has room; the direct map reaches it. */
static void *take_table(size_t entry_size)
{
	u64 need = PAGE_ALIGN_UP(boot.nr_pages * entry_size) >> PAGE_SHIFT;

	for (unsigned int i = 0; i < boot.nr_free; i++) {
		struct ram_range *r = &boot.free[i];

		r->first = MAX(r->first, 1);
		if (r->first + need <= r->end) {
			void *table = pfn_to_virt(r->first);

			r->first += need;
			return table;
		}
	}
	panic("no room for a table of %lu frames", boot.nr_pages);
}

void phys_init(void)
{
	if (boot.ram_pages < boot.nr_pages)
		p2m_move(take_table(sizeof(u64)), boot.nr_pages);
	pages = take_table(sizeof(*pages));
	memset(pages, 0, boot.nr_pages * sizeof(*pages));
	nr_total = boot.ram_pages;
	for (unsigned int i = 0; i < boot.nr_free; i++)
		add_range(boot.free[i].first, boot.free[i].end);
}

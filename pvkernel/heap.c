/* SPDX-License-Identifier: MIT */
/*
 * The heap. Small objects come from pages cut into equal pieces of a power of two, 16 to 2048 bytes;
 * the page's note holds the class (the power), and a free piece's first word links to the next.
 * Anything larger is a block of frames whose note is LARGE + its order.
 */
#include "lib.h"
#include "mm.h"
#include "ops.h"

#define MIN_CLASS 4
#define MAX_CLASS 11
#define LARGE 64

struct piece {
	struct piece *next;
};

static struct piece *pieces[MAX_CLASS + 1];
static u64 bytes_used;

static unsigned int log2_up(u64 n)
{
	unsigned int k = 0;

	while (1ul << k < n)
		k++;
	return k;
}

static bool refill(unsigned int class)
{
	u64 pfn = page_alloc();
	char *page = pfn_to_virt(pfn);

	if (pfn == NO_PAGE)
		return false;
	*page_note(pfn) = class;
	for (u64 at = 0; at < PAGE_SIZE; at += 1ul << class) {
		struct piece *p = (struct piece *)(page + at);

		p->next = pieces[class];
		pieces[class] = p;
	}
	return true;
}

static void *small_alloc(unsigned int class)
{
	struct piece *p;

	if (!pieces[class] && !refill(class))
		return NULL;
	p = pieces[class];
	pieces[class] = p->next;
	return p;
}

static void *large_alloc(unsigned int order)
{
	u64 pfn = order <= MAX_ORDER ? page_alloc_order(order) : NO_PAGE;

	if (pfn == NO_PAGE)
		return NULL;
	*page_note(pfn) = LARGE + order;
	return pfn_to_virt(pfn);
}

void *kmalloc(size_t size)
{
	unsigned int class = MAX(log2_up(size), MIN_CLASS);
	bool irq = irq_save();
	void *p = class <= MAX_CLASS ? small_alloc(class) : large_alloc(MAX(class, PAGE_SHIFT) - PAGE_SHIFT);

	if (p)
		bytes_used += 1ul << MAX(class, class > MAX_CLASS ? PAGE_SHIFT : 0);
	irq_restore(irq);
	return p ? memset(p, 0, size) : NULL;
}

void kfree(void *p)
{
	bool irq = irq_save();

	if (p) {
		u64 pfn = virt_to_pfn(p);
		unsigned int note = *page_note(pfn);

		if (note >= LARGE) {
			bytes_used -= PAGE_SIZE << (note - LARGE);
			page_free_order(pfn, note - LARGE);
		} else {
			struct piece *piece = p;

			bytes_used -= 1ul << note;
			piece->next = pieces[note];
			pieces[note] = piece;
		}
	}
	irq_restore(irq);
}

u64 heap_used(void)
{
	return bytes_used;
}

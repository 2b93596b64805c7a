/* SPDX-License-Identifier: MIT */
/*
 * The heap. Small objects come from pages cut into equal pieces of a power of two, 16 to 2048 bytes;
 * the page's note holds the class (the power) and how many pieces are in use, and free pieces are in a list
 * of their class. A page without any in use goes back, unless its pieces are all that the class has free.
 * Anything larger is a block of frames whose note is LARGE + its order.
 */
#include "lib.h"
#include "mm.h"
#include "ops.h"

#define MIN_CLASS 4
#define MAX_CLASS 11
#define LARGE 0x8000
#define ONE_USED 16		/* in a note; the class is below */

struct piece {
	struct piece *next, **from;	/* from: what points to this one */
};

static struct piece *pieces[MAX_CLASS + 1];
static u64 nr_pieces[MAX_CLASS + 1];
static u64 bytes_used;

static unsigned int log2_up(u64 n)
{
	return n > 1 ? 64 - __builtin_clzl(n - 1) : 0;
}

static void put_piece(struct piece *p, unsigned int class)
{
	p->next = pieces[class];
	p->from = &pieces[class];
	if (p->next)
		p->next->from = &p->next;
	pieces[class] = p;
	nr_pieces[class]++;
}

static void take_piece(struct piece *p, unsigned int class)
{
	*p->from = p->next;
	if (p->next)
		p->next->from = p->from;
	nr_pieces[class]--;
}

static bool refill(unsigned int class)
{
	u64 pfn = page_alloc();
	char *page = pfn_to_virt(pfn);

	if (pfn == NO_PAGE)
		return false;
	*page_note(pfn) = class;
	for (u64 at = 0; at < PAGE_SIZE; at += 1ul << class)
		put_piece((struct piece *)(page + at), class);
	return true;
}

static void give_back(u64 pfn, unsigned int class)
{
	char *page = pfn_to_virt(pfn);

	for (u64 at = 0; at < PAGE_SIZE; at += 1ul << class)
		take_piece((struct piece *)(page + at), class);
	page_free_order(pfn, 0);
}

static void *small_alloc(unsigned int class)
{
	struct piece *p;

	if (!pieces[class] && !refill(class))
		return NULL;
	p = pieces[class];
	take_piece(p, class);
	*page_note(virt_to_pfn(p)) += ONE_USED;
	return p;
}

static void small_free(void *p, u64 pfn)
{
	u16 *note = page_note(pfn);
	unsigned int class = *note % ONE_USED;

	*note -= ONE_USED;
	put_piece(p, class);
	if (*note == class && nr_pieces[class] > PAGE_SIZE >> class)
		give_back(pfn, class);
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
			bytes_used -= 1ul << note % ONE_USED;
			small_free(p, pfn);
		}
	}
	irq_restore(irq);
}

u64 heap_used(void)
{
	return bytes_used;
}

/* SPDX-License-Identifier: MIT */
/*
 * The arena: kernel addresses handed out by the page. Areas are kept in order of address; each has an
 * unmapped page before and after it, so that running off an end faults. Next fit: a search begins behind the area made last. An
 * area is found again by a table hashed by its address, so none of this grows with their number.
 */
#include <abi/xen.h>

#include "lib.h"
#include "mm.h"
#include "ops.h"

#define BUCKETS 256

struct area {
	struct list node;
	struct area *next;	/* in its bucket */
	u64 va, pages;
};

static struct list areas = LIST_INIT(areas);
static struct list *last = &areas;	/* the area made last, or the head */
static struct area *buckets[BUCKETS];
static u64 used_pages;

static struct area **bucket_of(u64 va)
{
	return &buckets[(va >> PAGE_SHIFT) % BUCKETS];
}

/* Where what follows an area, or the arena, may begin: behind a guard page. */
static u64 end_of(const struct list *node)
{
	const struct area *a = list_entry(node, struct area, node);

	return node == &areas ? ARENA_BASE + PAGE_SIZE : a->va + ((a->pages + 1) << PAGE_SHIFT);
}

/* The first area or head from `node` on behind which there is such a gap; NULL: none before the arena's end. */
static struct list *gap_from(struct list *node, u64 need)
{
	for (;; node = node->next) {
		const struct list *next = node->next;
		u64 limit = next == &areas ? ARENA_END : list_entry(next, struct area, node)->va;

		if (end_of(node) + need <= limit)
			return node;
		if (next == &areas)
			return NULL;
	}
}

static struct area *area_new(u64 pages)
{
	struct area *area = kmalloc(sizeof(*area));
	u64 need = (pages + 1) << PAGE_SHIFT;
	struct list *before;

	if (!area)
		return NULL;
	before = gap_from(last, need);
	if (!before)
		before = gap_from(&areas, need);
	if (!before) {
		kfree(area);
		return NULL;
	}
	area->va = end_of(before);
	area->pages = pages;
	list_insert_before(before->next, &area->node);
	area->next = *bucket_of(area->va);
	*bucket_of(area->va) = area;
	last = &area->node;
	used_pages += pages;
	return area;
}

static void area_delete(struct area *area)
{
	struct area **at = bucket_of(area->va);

	while (*at != area)
		at = &(*at)->next;
	*at = area->next;
	if (last == &area->node)
		last = area->node.prev;
	used_pages -= area->pages;
	list_remove(&area->node);
	kfree(area);
}

/* The area that starts at va, or in whose first page it lies. */
static struct area *area_find(u64 va)
{
	struct area *a = *bucket_of(va);

	while (a && a->va != (va & PAGE_MASK))
		a = a->next;
	if (!a)
		panic("%lx is not the start of an area of the arena", va);
	return a;
}

static void *map_area(const u64 *ptes, u64 count, u16 owner)
{
	bool irq = irq_save();
	struct area *area = area_new(count);

	if (area && !pt_map_owned(area->va, ptes, count, owner)) {
		area_delete(area);
		area = NULL;
	}
	irq_restore(irq);
	return area ? (void *)area->va : NULL;
}

void *vmap_foreign(u16 owner, const u64 *mfns, u64 count, u64 prot)
{
	u64 *ptes = kmalloc(count * sizeof(*ptes));
	void *va;

	if (!ptes)
		return NULL;
	for (u64 i = 0; i < count; i++)
		ptes[i] = make_pte(mfns[i], prot);
	va = map_area(ptes, count, owner);
	kfree(ptes);
	return va;
}

void *vmap_mfns(const u64 *mfns, u64 count, u64 prot)
{
	return vmap_foreign(DOMID_SELF, mfns, count, prot);
}

void *vmap_maddr(u64 maddr, u64 size, u64 prot)
{
	u64 offset = maddr & (PAGE_SIZE - 1);
	u64 count = PAGE_ALIGN_UP(offset + size) >> PAGE_SHIFT;
	u64 *mfns = kmalloc(count * sizeof(*mfns));
	char *va;

	if (!mfns)
		return NULL;
	for (u64 i = 0; i < count; i++)
		mfns[i] = (maddr >> PAGE_SHIFT) + i;
	va = vmap_mfns(mfns, count, prot);
	kfree(mfns);
	return va ? va + offset : NULL;
}

void vunmap(void *va)
{
	bool irq = irq_save();
	struct area *area = area_find((u64)va);

	pt_unmap(area->va, area->pages);
	area_delete(area);
	irq_restore(irq);
}

void *vmap_reserve(u64 count)
{
	bool irq = irq_save();
	struct area *area = area_new(count);

	if (area && !pt_reserve(area->va, count)) {
		area_delete(area);
		area = NULL;
	}
	irq_restore(irq);
	return area ? (void *)area->va : NULL;
}

void vmap_release(void *va)
{
	bool irq = irq_save();
	struct area *area = area_find((u64)va);

	pt_unreserve(area->va, area->pages);
	area_delete(area);
	irq_restore(irq);
}

void *vmalloc(u64 size)
{
	u64 count = PAGE_ALIGN_UP(size) >> PAGE_SHIFT, got = 0;
	u64 *ptes = kmalloc(count * sizeof(*ptes));
	void *va = NULL;

	for (; ptes && got < count; got++) {
		u64 pfn = page_alloc();

		if (pfn == NO_PAGE)
			break;
		ptes[got] = make_pte(pfn_to_mfn(pfn), PROT_WRITE);
	}
	if (ptes && got == count)
		va = map_area(ptes, count, DOMID_SELF);
	while (!va && got)
		page_free(mfn_to_pfn((ptes[--got] & PTE_ADDR_MASK) >> PAGE_SHIFT));
	kfree(ptes);
	return va;
}

/* Frames may be reused only when no mapping is left, so: collect, unmap, free; a batch at a time. */
#define BATCH 64

static void free_batch(u64 va, u64 count)
{
	u64 pfns[BATCH];

	for (u64 i = 0; i < count; i++)
		pfns[i] = mfn_to_pfn((*pt_lookup(va + (i << PAGE_SHIFT)) & PTE_ADDR_MASK) >> PAGE_SHIFT);
	pt_unmap(va, count);
	while (count)
		page_free(pfns[--count]);
}

void vfree(void *va)
{
	bool irq = irq_save();
	struct area *area = area_find((u64)va);

	for (u64 done = 0; done < area->pages; done += BATCH)
		free_batch(area->va + (done << PAGE_SHIFT), MIN(BATCH, area->pages - done));
	area_delete(area);
	irq_restore(irq);
}

u64 arena_used(void)
{
	return used_pages;
}

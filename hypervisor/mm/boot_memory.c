/* SPDX-License-Identifier: MIT */
/*
 * RAM as ranges. `ram`: all that firmware says is RAM and nothing else, for ever. `unused`: what
 * of it nobody has yet; early allocations are cut from the top of its highest range below
 * 4 GiB, which is what the first page tables map.
 */
#include <boot.h>
#include <boot_memory.h>
#include <console.h>
#include <frames.h>
#include <pagetable.h>
#include <sections.h>

#define EARLY_LIMIT (4ul << 30)
#define LARGE_PAGE (2ul << 20)
#define E820_RAM 1

struct range_list ram;
static struct range_list unused;

/* --- lists of ranges ------------------------------------------------------------------------------------------ */

static void insert_at(struct range_list *l, int at, struct range r)
{
	if (l->count == MAX_RANGES) {
		log_warning("memory map too fragmented: %016lx to %016lx left out", r.start, r.end);
		return;
	}
	for (int i = l->count++; i > at; i--)
		l->range[i] = l->range[i - 1];
	l->range[at] = r;
}

static void delete_at(struct range_list *l, int at)
{
	l->count--;
	for (int i = at; i < l->count; i++)
		l->range[i] = l->range[i + 1];
}

static void range_remove(struct range_list *l, maddr_t start, maddr_t end)
{
	for (int i = 0; i < l->count; i++) {
		struct range *r = &l->range[i], rest = { end, r->end };

		if (start >= r->end || end <= r->start)
			continue;
		if (rest.start < rest.end)
			insert_at(l, i + 1, rest);
		if (r->start < start)
			r->end = start;
		else
			delete_at(l, i--);
	}
}

/* Overlaps are resolved by removing first; neighbours stay apart, which costs nothing. */
static void range_add(struct range_list *l, maddr_t start, maddr_t end)
{
	int at = 0;

	if (start >= end)
		return;
	range_remove(l, start, end);
	while (at < l->count && l->range[at].start < start)
		at++;
	insert_at(l, at, (struct range){ start, end });
}

/* --- the two lists -------------------------------------------------------------------------------------------- */

/* What is both RAM and something else is something else. */
static void read_map(void)
{
	const maddr_t limit = DIRECTMAP_END - DIRECTMAP_START;

	for (int i = 0; i < machine_map_count; i++) {
		struct memory_region *m = &machine_map[i];

		if (m->type == E820_RAM)
			range_add(&ram, ROUND_UP(m->start, PAGE_SIZE), min((m->start + m->size) & PAGE_MASK, limit));
	}
	for (int i = 0; i < machine_map_count; i++) {
		struct memory_region *m = &machine_map[i];

		if (m->type != E820_RAM)
			range_remove(&ram, m->start & PAGE_MASK, ROUND_UP(m->start + m->size, PAGE_SIZE));
	}
}

void boot_memory_init(void)
{
	read_map();
	if (!ram.count)
		panic("the loader reports no memory");
	unused = ram;
	range_remove(&unused, 0, PAGE_SIZE);
	range_remove(&unused, TRAMPOLINE, TRAMPOLINE + PAGE_SIZE);
	range_remove(&unused, LOAD_ADDRESS, image_to_maddr(image_end));
	for (int i = 0; i < boot_module_count; i++)
		range_remove(&unused, boot_modules[i].start, ROUND_UP(boot_modules[i].end, PAGE_SIZE));
}

static maddr_t take(u64 size)
{
	for (int i = unused.count - 1; i >= 0; i--) {
		struct range *r = &unused.range[i];
		maddr_t end = min(r->end, EARLY_LIMIT) & ~(size - 1);

		if (end >= size && end - size >= r->start && end - size) {
			range_remove(&unused, end - size, end);
			return end - size;
		}
	}
	return 0;
}

maddr_t boot_alloc_page(void)
{
	maddr_t m = take(PAGE_SIZE);

	if (!m)
		panic("not enough memory to start");
	return m;
}

maddr_t boot_alloc_large_page(void)
{
	return take(LARGE_PAGE);
}

void boot_memory_hand_over(void)
{
	u64 pages = 0;

	for (int i = 0; i < unused.count; i++) {
		struct range *r = &unused.range[i];

		alloc_init_range(r->start >> PAGE_SHIFT, r->end >> PAGE_SHIFT);
		pages += (r->end - r->start) >> PAGE_SHIFT;
	}
	unused.count = 0;
	log_info("memory: %lu MiB free", pages >> (20 - PAGE_SHIFT));
}

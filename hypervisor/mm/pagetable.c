/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own page tables: layout.h's picture made of entries.
 *
 * Invariants: nothing is both writable and executable, in any view of it; only slot 256, the
 * guests' view of the machine-to-phys table, lets guests in, to read. Slots 256 and 257 share
 * their tables: what differs is the two L4 entries' rights.
 *
 * The frame table and the machine-to-phys table are backed by memory where there is RAM. Elsewhere below
 * max_mfn they show read-only pages full of entries that say "no RAM". 512 frames fill three
 * pages of the frame table, so three pages serve for any hole.
 */
#include <abi/xen.h>
#include <asm.h>
#include <boot.h>
#include <boot_memory.h>
#include <console.h>
#include <cpu.h>
#include <frames.h>
#include <irq.h>
#include <pagetable.h>
#include <sections.h>
#include <spinlock.h>
#include <string.h>

#define ENTRIES 512
#define FRAME_HOLE_PAGES 3
BUILD_ASSERT(FRAME_HOLE_PAGES * PAGE_SIZE == 512 * sizeof(struct frame));

enum { LEVEL_4K = 1, LEVEL_2M = 2, LEVEL_1G = 3 };

u64 *hv_l4;
maddr_t hv_l4_maddr;
mfn_t max_mfn;

static bool allocator_ready;
static struct spinlock tables_lock;	/* creation of tables; outside the allocator's */
static u64 usable_flags = ~0ull;	/* without PTE_NX where the CPU has none */
static maddr_t frame_hole[FRAME_HOLE_PAGES], m2p_hole;

/* --- entries ----------------------------------------------------------------------------------------------------- */

static u64 level_size(int level)
{
	return 1ul << (12 + 9 * (level - 1));
}

static u64 *entry_in(u64 *table, u64 va, int level)
{
	return &table[va / level_size(level) % ENTRIES];
}

/* The page's contents are undefined during boot, when zeroing all of it would be the boot's longest part. */
static maddr_t new_table(void)
{
	void *page = allocator_ready ? alloc_page() : maddr_to_virt(boot_alloc_page());

	if (page && !allocator_ready)
		memset(page, 0, PAGE_SIZE);
	return page ? virt_to_maddr(page) : 0;
}

/* The entry that maps va at a level, its tables made as needed; NULL: no memory. */
static u64 *make_entry(u64 va, int level)
{
	u64 rights = PTE_PRESENT | PTE_RW | PTE_ACCESSED | PTE_DIRTY;
	u64 *table = hv_l4;

	if (va < M2P_WRITABLE_START)
		rights |= PTE_USER;
	for (int l = 4; l > level; l--) {
		u64 *entry = entry_in(table, va, l);
		maddr_t m;

		if (!(*entry & PTE_PRESENT)) {
			m = new_table();
			if (!m)
				return NULL;
			*entry = m | rights;
		}
		table = maddr_to_virt(*entry & PTE_ADDR_MASK);
	}
	return entry_in(table, va, level);
}

static int map_at(u64 va, maddr_t m, u64 flags, int level)
{
	u64 *entry;

	spin_lock(&tables_lock);
	entry = make_entry(va, level);
	if (entry)
		WRITE_ONCE(*entry, (m | flags | (level == LEVEL_4K ? 0 : PTE_PSE)) & usable_flags);
	spin_unlock(&tables_lock);
	return entry ? 0 : -ENOMEM;
}

int map_hv_page(u64 va, maddr_t m, u64 flags)
{
	int error = map_at(va, m, flags, LEVEL_4K);

	invlpg(va);
	return error;
}

u64 *hv_l1e(u64 va)
{
	u64 *table = hv_l4;

	for (int l = 4; l > LEVEL_4K; l--) {
		u64 *entry = entry_in(table, va, l);

		if ((*entry & (PTE_PRESENT | PTE_PSE)) != PTE_PRESENT)
			return NULL;
		table = maddr_to_virt(*entry & PTE_ADDR_MASK);
	}
	return entry_in(table, va, LEVEL_4K);
}

void unmap_hv_page(u64 va)
{
	u64 *entry = hv_l1e(va);

	if (entry)
		WRITE_ONCE(*entry, 0);
	invlpg(va);
}

void *detach_hv_table(u64 va)
{
	u64 *table = hv_l4, *entry = NULL;

	for (int l = 4; l > LEVEL_4K; l--) {
		entry = entry_in(table, va, l);
		if ((*entry & (PTE_PRESENT | PTE_PSE)) != PTE_PRESENT)
			return NULL;
		table = maddr_to_virt(*entry & PTE_ADDR_MASK);
	}
	WRITE_ONCE(*entry, 0);
	return table;
}

void *map_device(maddr_t m, size_t bytes)
{
	static u64 next = MMIO_START;
	u64 va = next, offset = m % PAGE_SIZE;

	next += ROUND_UP(offset + bytes, PAGE_SIZE);
	for (u64 done = 0; done < offset + bytes; done += PAGE_SIZE)
		if (map_hv_page(va + done, (m & PAGE_MASK) + done, HV_RW | HV_UNCACHED))
			return NULL;
	return (void *)(va + offset);
}

/* --- memory one to one, and the image ------------------------------------------------------------------------------ */

static int largest_level(maddr_t m, maddr_t end)
{
	for (int level = cpu_has.page1gb ? LEVEL_1G : LEVEL_2M; level > LEVEL_4K; level--)
		if (!(m % level_size(level)) && end - m >= level_size(level))
			return level;
	return LEVEL_4K;
}

static void map_direct(maddr_t m, maddr_t end, u64 flags)
{
	while (m < end) {
		int level = largest_level(m, end);

		map_at(DIRECTMAP_START + m, m, flags, level);
		m += level_size(level);
	}
}

/* Read-only where the image is. */
static void map_ram(const struct range *r)
{
	maddr_t from = image_to_maddr(image_text_start), to = image_to_maddr(image_rodata_end);

	if (from < r->start || to > r->end) {
		map_direct(r->start, r->end, HV_RW);
		return;
	}
	map_direct(r->start, from, HV_RW);
	map_direct(from, to, HV_RO);
	map_direct(to, r->end, HV_RW);
}

static void map_image(const char *start, const char *end, u64 flags)
{
	for (u64 va = (u64)start; va < (u64)end; va += PAGE_SIZE)
		if (va != (u64)boot_guard)
			map_at(va, image_to_maddr((void *)va), flags, LEVEL_4K);
}

/* --- tables with an entry for each frame --------------------------------------------------------------------------- */

struct frame_indexed {
	u64 base, entry_size, flags;
	const maddr_t *hole;
	int hole_pages;
};

/* The pages of the table that describe a range, less those that belong to the range before. */
static struct range table_part(const struct frame_indexed *t, int i)
{
	struct range part = {
		(t->base + (ram.range[i].start >> PAGE_SHIFT) * t->entry_size) & PAGE_MASK,
		ROUND_UP(t->base + (ram.range[i].end >> PAGE_SHIFT) * t->entry_size, PAGE_SIZE),
	};

	if (i > 0)
		part.start = max(part.start, table_part(t, i - 1).end);
	return part;
}

static void map_table(const struct frame_indexed *t)
{
	u64 va = t->base;

	for (int i = 0; i < ram.count; i++) {
		struct range part = table_part(t, i);

		for (; va < part.start; va += PAGE_SIZE)
			map_at(va, t->hole[(va - t->base) / PAGE_SIZE % t->hole_pages], t->flags & ~PTE_RW, LEVEL_4K);
		while (va < part.end) {
			bool fits = !(va % level_size(LEVEL_2M)) && part.end - va >= level_size(LEVEL_2M);
			maddr_t m = fits ? boot_alloc_large_page() : 0;

			map_at(va, m ? m : boot_alloc_page(), t->flags, m ? LEVEL_2M : LEVEL_4K);
			va += level_size(m ? LEVEL_2M : LEVEL_4K);
		}
	}
}

static const struct frame_indexed frames_by_mfn = {
	FRAME_TABLE_START, sizeof(struct frame), HV_RW, frame_hole, FRAME_HOLE_PAGES,
};
static const struct frame_indexed pfns_by_mfn = { M2P_START, sizeof(u64), HV_RW | PTE_USER, &m2p_hole, 1 };

static void make_hole_pages(void)
{
	const struct frame no_ram = { .count = 1, .owner = OWNER_IO };
	int word = 0;

	for (int i = 0; i < FRAME_HOLE_PAGES; i++) {
		u64 *page = maddr_to_virt(frame_hole[i] = boot_alloc_page());

		for (int j = 0; j < ENTRIES; j++, word++)
			page[j] = word % 3 ? 0 : no_ram.count_owner;
	}
	m2p_hole = boot_alloc_page();
	memset(maddr_to_virt(m2p_hole), 0xff, PAGE_SIZE);
}

/* All RAM starts as the hypervisor's own. Frames without RAM that share the first or last page with RAM are as in the holes. */
static void fill_tables(int i)
{
	struct range frames = table_part(&frames_by_mfn, i), pfns = table_part(&pfns_by_mfn, i);
	const u64 edges[] = { frames.start, frames.end - PAGE_SIZE };
	const struct frame ours = { .count = 1, .owner = OWNER_XEN };

	for (size_t e = 0; e < ARRAY_SIZE(edges) && frames.start < frames.end; e++)
		memcpy((void *)edges[e],
		       maddr_to_virt(frame_hole[(edges[e] - FRAME_TABLE_START) / PAGE_SIZE % FRAME_HOLE_PAGES]),
		       PAGE_SIZE);
	memset((void *)(pfns.start - M2P_START + M2P_WRITABLE_START), 0xff, pfns.end - pfns.start);
	for (struct frame *f = mfn_to_frame(ram.range[i].start >> PAGE_SHIFT),
	     *end = mfn_to_frame(ram.range[i].end >> PAGE_SHIFT); f < end; f++)
		*f = ours;
}

/* --- boot ---------------------------------------------------------------------------------------------------------- */

/* The L4 entries of all slots, for they are copied into every guest's L4. */
static void make_l3s(void)
{
	for (int slot = HV_FIRST_SLOT; slot <= HV_LAST_SLOT; slot++)
		if (slot != HV_FIRST_SLOT + 1 && slot != LINEAR_SLOT)
			make_entry(HV_START + (slot - HV_FIRST_SLOT) * level_size(4), LEVEL_1G);
	hv_l4[HV_FIRST_SLOT + 1] = hv_l4[HV_FIRST_SLOT] & ~(u64)PTE_USER;
	hv_l4[HV_FIRST_SLOT] &= ~(u64)PTE_RW;
}

void pagetable_load(void)
{
	write_cr3(hv_l4_maddr);	/* the first page tables have no global entries */
}

void pagetable_init(void)
{
	if (!cpu_has.nx)
		usable_flags = ~PTE_NX;
	max_mfn = ram.range[ram.count - 1].end >> PAGE_SHIFT;
	hv_l4_maddr = new_table();
	hv_l4 = maddr_to_virt(hv_l4_maddr);
	make_l3s();
	make_hole_pages();
	for (int i = 0; i < ram.count; i++)
		map_ram(&ram.range[i]);
	map_image(image_text_start, image_text_end, HV_RX);
	map_image(image_text_end, image_rodata_end, HV_RO);
	map_image(image_rodata_end, image_end, HV_RW);
	map_table(&frames_by_mfn);
	map_table(&pfns_by_mfn);
	pagetable_load();

	for (int i = 0; i < ram.count; i++)
		fill_tables(i);
	allocator_ready = true;
	boot_memory_hand_over();
}

void release_boot_memory(void)
{
	for (u64 va = (u64)image_kept_end; va < (u64)image_end; va += PAGE_SIZE)
		unmap_hv_page(va);
	flush_tlb_all_cpus();
	alloc_init_range(LOAD_ADDRESS >> PAGE_SHIFT, image_to_maddr(image_text_start) >> PAGE_SHIFT);
	alloc_init_range(image_to_maddr(image_kept_end) >> PAGE_SHIFT, image_to_maddr(image_end) >> PAGE_SHIFT);
}

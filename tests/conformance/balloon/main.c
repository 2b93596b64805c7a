/* SPDX-License-Identifier: MIT */
/* Frames that are given up while another domain still uses them: they stay what they are until the last use ends, and nobody gets them before. */
#include "domain.h"
#include "grants.h"
#include <abi/memory.h>

#define FRAMES 16
#define MORE 32

static uint16_t id;
static uint64_t frames[FRAMES];
static struct grant_entry_v1 *theirs;
static uint8_t *window;

static int64_t decrease(uint64_t mfn)
{
	struct xen_memory_reservation op = {.extent_start = (uint64_t)&mfn, .nr_extents = 1, .domid = id};

	return hypercall(memory_op, XENMEM_decrease_reservation, &op);
}

static uint64_t tot_pages(void)
{
	return domain_info(id).tot_pages;
}

/* The domain gets MORE pages and gives them back; false if the frame was among them. */
static bool nobody_gets(uint64_t mfn)
{
	static uint64_t more[MORE];
	bool ok = true;

	if (domain_populate(id, more, MORE) != MORE)
		return false;
	for (int i = 0; i < MORE; i++)
		ok &= more[i] != mfn && decrease(more[i]) == 1;
	return ok;
}

static void mapped_by_domain_0(uint64_t mfn)
{
	volatile uint8_t *view = view_of(mfn, id);
	uint64_t pages = tot_pages(), before;

	view[5] = 0x42;
	before = free_pages();
	check_eq("BALLOON-1", decrease(mfn), 1, "decrease_reservation of a frame that domain 0 has mapped is done");
	check("BALLOON-2", free_pages() == before && tot_pages() == pages, "it is not free yet, and counts as the domain's");
	check("BALLOON-3", nobody_gets(mfn) && view[5] == 0x42, "nobody gets it, and its contents stay");
	check("BALLOON-4", decrease(mfn) == 1 && tot_pages() == pages && view[5] == 0x42, "to give it up once more is done, and changes nothing");
	unmap_other((void *)view);
	check("BALLOON-5", free_pages() == before + 1 && tot_pages() == pages - 1, "unmapped it is free");
	check("BALLOON-6", map_other(window, mfn, PTE_DATA, id) < 0, "and can no longer be mapped as the domain's");
	map_page(window, 0);
}

static void grant(uint32_t ref, uint64_t mfn)
{
	theirs[ref].domid = 0;
	theirs[ref].frame = (uint32_t)mfn;
	barrier();
	*(volatile uint16_t *)&theirs[ref].flags = GTF_permit_access;
}

static void mapped_by_grant(uint64_t mfn)
{
	uint64_t pages = tot_pages(), before;
	uint32_t handle;

	grant(0, mfn);
	check_eq("BALLOON-7", grant_map((uint64_t)window, GNTMAP_host_map, 0, id, &handle), GNTST_okay, "a grant of the domain's is mapped");
	*(volatile uint8_t *)window = 0x24;
	before = free_pages();
	check("BALLOON-8", decrease(mfn) == 1 && free_pages() == before && tot_pages() == pages,
	      "its frame given up is not free yet, and counts as the domain's");
	check("BALLOON-9", nobody_gets(mfn) && *(volatile uint8_t *)window == 0x24, "nobody gets it, and its contents stay");
	check_eq("BALLOON-10", grant_unmap((uint64_t)window, handle), GNTST_okay, "it can be unmapped");
	check("BALLOON-11", free_pages() == before + 1 && tot_pages() == pages - 1, "then it is free");
	check("BALLOON-12", grant_map((uint64_t)window, GNTMAP_host_map, 0, id, NULL) < 0, "the grant leads to nothing any more");
	check_eq("BALLOON-13", theirs[0].flags & (GTF_reading | GTF_writing), 0, "and is not in use");
}

static void granted_alone(uint64_t mfn)
{
	uint64_t before = free_pages();

	grant(1, mfn);
	check("BALLOON-14", decrease(mfn) == 1 && free_pages() == before + 1, "a frame that is granted and not mapped is free at once");
	check("BALLOON-15", grant_map((uint64_t)window, GNTMAP_host_map, 1, id, NULL) < 0, "its grant cannot be mapped");
}

/* frames[n] a table of level 1 that maps another. */
static void pinned(uint64_t mfn, uint64_t child)
{
	uint64_t *table = view_of(mfn, id), before;

	table[0] = child << PAGE_SHIFT | PTE_TABLE;
	unmap_other(table);
	if (mmuext_other(MMUEXT_PIN_L1_TABLE, mfn, id))
		bail("no pinning");
	before = free_pages();
	check("BALLOON-16", decrease(child) == 1 && free_pages() == before, "a frame that a pinned table maps is not free yet");
	check("BALLOON-17", nobody_gets(child), "and nobody gets it");
	check_eq("BALLOON-18", decrease(mfn), 1, "decrease_reservation of a pinned table is done");
	check("BALLOON-19", map_other(window, mfn, PTE_DATA, id) < 0, "it cannot be mapped writable");
	map_page(window, 0);
	check("BALLOON-20", nobody_gets(mfn) && nobody_gets(child), "nobody gets it or what it maps");
}

static void one_domain(void)
{
	uint64_t list[1] = {0};
	struct gnttab_setup_table op;

	id = (uint16_t)create_empty(1);
	op = (struct gnttab_setup_table){.dom = id, .nr_frames = 1, .frame_list = (uint64_t)list};
	domain_max_vcpus(id, 1);
	domain_max_mem(id, 1024);
	domain_populate(id, frames, FRAMES);
	if (grant_op(GNTTABOP_setup_table, &op) || op.status)
		bail("no grant table");
	theirs = view_of(list[0], id);
	mapped_by_domain_0(frames[0]);
	mapped_by_grant(frames[1]);
	granted_alone(frames[2]);
	pinned(frames[3], frames[4]);
	unmap_other(theirs);
	domain_destroy(id);
}

/* The first one makes the hypervisor keep a page for domain 0's handles. */
void test_main(void)
{
	uint64_t before;

	window = page_alloc();
	map_page(window, 0);
	one_domain();
	before = free_pages();
	one_domain();
	check_eq("BALLOON-21", free_pages(), before, "all is free when the domain is destroyed");
}

/* SPDX-License-Identifier: MIT */
/* How much memory a domain may have, and giving it some. */
#include "domain.h"
#include <abi/memory.h>

static uint64_t frames[64];

static uint64_t tot_pages(uint16_t id)
{
	return domain_info(id).tot_pages;
}

static int64_t decrease(uint16_t id, uint64_t *mfns, uint64_t count)
{
	struct xen_memory_reservation op = {.extent_start = (uint64_t)mfns, .nr_extents = count, .domid = id};

	return hypercall(memory_op, XENMEM_decrease_reservation, &op);
}

static int64_t reservation(unsigned int cmd, uint16_t id)
{
	struct xen_memory_domain op = {.domid = id};

	return hypercall(memory_op, cmd, &op);
}

static void limits(uint16_t id)
{
	int64_t r = domain_max_mem(id, 64 * 4);

	check("DOMCTL-MAXMEM-1", r == 0 && domain_info(id).max_pages == 64,
	      "max_memkb is the limit in KiB, a page is 4 of them");
	domain_max_mem(id, 4 * 10 + 3);
	check_eq("DOMCTL-MAXMEM-2", domain_info(id).max_pages, 10, "a part of a page does not count");
	check_eq("DOMCTL-MAXMEM-3", domain_populate(id, frames, 16), 10,
		 "populate_physmap stops at the limit and tells how many came");
	check_eq("DOMCTL-MAXMEM-4", tot_pages(id), 10, "tot_pages counts what the domain owns");
	r = domain_max_mem(id, 4 * 4);
	check("DOMCTL-MAXMEM-5", r == 0 && domain_info(id).max_pages == 4 && tot_pages(id) == 10,
	      "a limit below what the domain has is set, and takes nothing away");
	check_eq("DOMCTL-MAXMEM-6", domain_populate(id, frames + 32, 1), 0, "then nothing more can be had");
	check_eq("DOMCTL-MAXMEM-7", decrease(id, frames, 8), 8,
		 "decrease_reservation by domain 0 takes the domain's frames back");
	check_eq("DOMCTL-MAXMEM-8", tot_pages(id), 2, "and tot_pages is less by that number");
	check_eq("DOMCTL-MAXMEM-9", domain_populate(id, frames, 8), 2,
		 "below the limit pages can be had again");
	r = domain_max_mem(id, ~0UL);
	check("DOMCTL-MAXMEM-10", r == 0 && domain_info(id).max_pages >= 0x7fffffff,
	      "a limit above all memory is set");
	domain_max_mem(id, 1024);
}

static void asked_elsewhere(uint16_t id)
{
	check_eq("DOMCTL-MAXMEM-11", reservation(XENMEM_current_reservation, id), tot_pages(id),
		 "current_reservation of the domain is tot_pages");
	check_eq("DOMCTL-MAXMEM-12", reservation(XENMEM_maximum_reservation, id), domain_info(id).max_pages,
		 "maximum_reservation of the domain is max_pages");
	check_eq("DOMCTL-MAXMEM-13", reservation(XENMEM_current_reservation, 77), -ESRCH,
		 "current_reservation of a domain that does not exist fails with -ESRCH");
}

static void pages(uint16_t id)
{
	uint64_t before = free_pages(), had = tot_pages(id);
	struct xen_memory_reservation op = {
		.extent_start = (uint64_t)frames, .nr_extents = 2, .extent_order = 2, .domid = id};
	bool distinct = true;
	int64_t r;

	frames[0] = 100, frames[1] = 104;
	r = hypercall(memory_op, XENMEM_populate_physmap, &op);
	check("DOMCTL-POPULATE-1", r == 2 && tot_pages(id) == had + 8,
	      "extents of order 2 are four pages each");
	check("DOMCTL-POPULATE-2", frames[0] % 4 == 0 && frames[1] % 4 == 0 && frames[0] != frames[1],
	      "the first frame of each is told, aligned to its size");
	check("DOMCTL-POPULATE-3",
	      m2p(frames[0]) == 100 && m2p(frames[0] + 3) == 103 && m2p(frames[1] + 1) == 105,
	      "the m2p of each frame is the pfn given, counted up");
	check_eq("DOMCTL-POPULATE-4", before - free_pages(), 8, "free_pages is less by that number");
	check_eq("DOMCTL-POPULATE-5", decrease(id, &op.extent_start, 1), 0,
		 "decrease_reservation of a number that is no frame of the domain takes nothing");
	frames[0] = mfn_of(frames);
	check_eq("DOMCTL-POPULATE-6", decrease(id, frames, 1), 0, "of a frame of domain 0 neither");
	op.domid = 77;
	check_eq("DOMCTL-POPULATE-7", hypercall(memory_op, XENMEM_populate_physmap, &op), 0,
		 "populate_physmap of a domain that does not exist does nothing: 0");
	r = domain_populate(id, frames, 16);
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < i; j++)
			distinct = distinct && frames[i] != frames[j];
	check("DOMCTL-POPULATE-8", r == 16 && distinct, "every page is a frame of its own");
}

static bool is_zero(uint64_t mfn, uint16_t id)
{
	uint64_t *view = view_of(mfn, id);
	bool zero = view;

	for (unsigned int i = 0; zero && i < 512; i++)
		zero = !view[i];
	if (view)
		unmap_other(view);
	return zero;
}

/* Write to all, destroy, and look at what another domain gets. */
static void no_leak(void)
{
	int64_t a = create_empty(1), b;
	bool zero = true;

	domain_max_mem((uint16_t)a, 64 * 4);
	domain_populate((uint16_t)a, frames, 64);
	for (int i = 0; i < 64; i++) {
		void *view = view_of(frames[i], (uint16_t)a);

		memset(view, 0x5a, PAGE_SIZE);
		unmap_other(view);
	}
	domain_destroy((uint16_t)a);
	b = create_empty(1);
	domain_max_mem((uint16_t)b, 64 * 4);
	domain_populate((uint16_t)b, frames, 64);
	for (int i = 0; i < 64; i++)
		zero = zero && is_zero(frames[i], (uint16_t)b);
	check("DOMCTL-POPULATE-9", zero, "the pages of a destroyed domain are zero when another gets them");
	domain_destroy((uint16_t)b);
}

void test_main(void)
{
	uint16_t id = (uint16_t)create_empty(1);

	check_eq("DOMCTL-MAXMEM-14", domain_populate(id, frames, 1), 0,
		 "before max_mem a domain gets no page");
	limits(id);
	asked_elsewhere(id);
	pages(id);
	domain_destroy(id);
	no_leak();
}

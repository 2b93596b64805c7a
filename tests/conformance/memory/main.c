/* SPDX-License-Identifier: MIT */
/* memory_op: giving pages back and getting others; how many there are. */
#include "guest.h"
#include <abi/memory.h>

#define NO_DOMAIN 99

static int64_t reserve(unsigned int cmd, uint64_t *list, uint64_t count, uint32_t order, uint16_t dom)
{
	struct xen_memory_reservation op = {
		.extent_start = (uint64_t)list,
		.nr_extents = count,
		.extent_order = order,
		.domid = dom,
	};

	return hypercall(memory_op, cmd, &op);
}

static int64_t give(uint64_t mfn)
{
	return reserve(XENMEM_decrease_reservation, &mfn, 1, 0, DOMID_SELF);
}

/* A new page for pfn; its frame, or 0. */
static uint64_t take(uint64_t pfn)
{
	return reserve(XENMEM_populate_physmap, &pfn, 1, 0, DOMID_SELF) == 1 ? pfn : 0;
}

static int64_t count(unsigned int cmd, uint16_t dom)
{
	struct xen_memory_domain op = { .domid = dom };

	return hypercall(memory_op, cmd, &op);
}

static uint64_t pfn_of(const void *page)
{
	return ((uint64_t)page - VIRT_BASE) >> PAGE_SHIFT;
}

static uint64_t highest_mfn(void)
{
	uint64_t highest = 0;

	for (uint64_t pfn = 0; pfn < start_info->nr_pages; pfn++)
		if (p2m()[pfn] > highest)
			highest = p2m()[pfn];
	return highest;
}

static void counts(void)
{
	check_eq("MEM-18", count(XENMEM_current_reservation, DOMID_SELF), start_info->nr_pages,
		 "the reservation is nr_pages at the start");
	check("MEM-19",
	      count(XENMEM_maximum_reservation, DOMID_SELF) >=
		      count(XENMEM_current_reservation, DOMID_SELF),
	      "the most is not less");
	check("MEM-20",
	      count(XENMEM_current_reservation, NO_DOMAIN) == -ESRCH &&
		      count(XENMEM_maximum_reservation, NO_DOMAIN) == -ESRCH,
	      "a domain that does not exist");
	check_eq("MEM-21", count(XENMEM_current_reservation, 0), start_info->nr_pages,
		 "the own domain by its number");
	check("MEM-17", hypercall(memory_op, XENMEM_maximum_ram_page, 0) > (int64_t)highest_mfn(),
	      "maximum_ram_page is above all frames");
}

/* One page on its way out and in. */
static void exchange_one(void)
{
	uint64_t *page = page_alloc(), mfn = mfn_of(page), new;
	int64_t before = count(XENMEM_current_reservation, DOMID_SELF), between;
	bool zero = true;
	int64_t r;

	*page = 0x1234;
	r = give(mfn);
	check("MEM-9", r == 1 && *(volatile uint64_t *)page == 0x1234,
	      "a page that is still mapped can be given up; the mapping stays good");
	map_page(page, 0);
	map_back(page_alloc());
	between = count(XENMEM_current_reservation, DOMID_SELF);
	page = page_alloc();
	mfn = mfn_of(page);
	map_page(page, 0);
	r = give(mfn);
	check("MEM-3", r == 1 && m2p(mfn) == ~0UL,
	      "an unmapped page is given up; its m2p entry is all ones");
	check("MEM-4", map_frame(page, mfn, PTE_DATA) < 0, "it can no longer be mapped");
	new = take(pfn_of(page));
	check("MEM-5", new &&m2p(new) == pfn_of(page), "a page is got for a pfn; its m2p entry is that");
	r = map_frame(page, new, PTE_DATA);
	for (int i = 0; i < 512 && r == 0; i++)
		zero = zero && page[i] == 0;
	check("MEM-6", r == 0 && zero, "it can be mapped and is zero");
	check("MEM-14",
	      between == before - 1 && count(XENMEM_current_reservation, DOMID_SELF) == between,
	      "the reservation counts both");
}

static void refused(void)
{
	uint64_t *page = page_alloc(), list[3],
		 hypervisor = *entry_of((void *)MACH2PHYS_VIRT_START, 4) >> PAGE_SHIFT & 0xffffffffff;
	uint64_t pfn = pfn_of(page);

	check("MEM-7", give(0xffffffffff) == 0 && give(hypervisor) == 0,
	      "frames that are not the domain's");
	list[0] = mfn_of(page);
	list[1] = 0xffffffffff;
	list[2] = mfn_of(page_alloc());
	map_page(page, 0);
	check_eq("MEM-10", reserve(XENMEM_decrease_reservation, list, 3, 0, DOMID_SELF), 1,
		 "a bad frame in a list: those before it are done");
	check_eq("MEM-8", reserve(XENMEM_populate_physmap, &pfn, 0, 0, DOMID_SELF), 0, "no extents");
	check("MEM-12",
	      reserve(XENMEM_populate_physmap, &pfn, 1, 0, NO_DOMAIN) == 0 &&
		      reserve(XENMEM_increase_reservation, &pfn, 1, 0, NO_DOMAIN) == 0 &&
		      reserve(XENMEM_decrease_reservation, list, 1, 0, NO_DOMAIN) == 0,
	      "a domain that does not exist gets nothing");
	check("MEM-13",
	      reserve(XENMEM_populate_physmap, &pfn, 1, 40, DOMID_SELF) == 0 &&
		      reserve(XENMEM_populate_physmap, &pfn, 1, ~0U, DOMID_SELF) == 0,
	      "orders that are too large");
}

static void increase(void)
{
	uint64_t frame = 0;
	int64_t r = reserve(XENMEM_increase_reservation, &frame, 1, 0, DOMID_SELF);

	check("MEM-11", r == 1 && frame && m2p(frame) == ~0UL,
	      "increase_reservation gives a frame without pfn");
	give(frame);
}

static void for_ever(void)
{
	int64_t before = count(XENMEM_current_reservation, DOMID_SELF);
	void *page = page_alloc();
	uint64_t mfn = mfn_of(page);
	bool good = true;

	map_page(page, 0);
	for (int i = 0; i < 100 && good; i++) {
		good = give(mfn) == 1;
		mfn = take(pfn_of(page));
		good = good && mfn;
	}
	check("MEM-15", good && count(XENMEM_current_reservation, DOMID_SELF) == before,
	      "a hundred rounds of giving and taking");
	map_frame(page, mfn, PTE_DATA);
}

static uint16_t exchange_domain = DOMID_SELF;
static uint32_t exchange_order;

static int64_t exchange(uint64_t *in, uint64_t ins, uint64_t *out, uint64_t outs, uint64_t *done)
{
	struct xen_memory_exchange op = {
		.in = { .extent_start = (uint64_t)in,
			.nr_extents = ins,
			.extent_order = exchange_order,
			.domid = exchange_domain },
		.out = { .extent_start = (uint64_t)out,
			 .nr_extents = outs,
			 .extent_order = exchange_order,
			 .domid = exchange_domain },
	};
	int64_t r = hypercall(memory_op, XENMEM_exchange, &op);

	*done = op.nr_exchanged;
	return r;
}

static void exchanges(void)
{
	void *page = page_alloc();
	uint64_t in[2] = { mfn_of(page), 0 }, out[2] = { pfn_of(page), 0 }, done;
	int64_t r;

	check_eq("MEM-34", exchange(in, 1, out, 1, &done), -EINVAL, "a page that is mapped");
	map_page(page, 0);
	exchange_order = 40;
	check_eq("MEM-36", exchange(in, 1, out, 1, &done), -EPERM, "an order that is too large");
	exchange_order = 0;
	exchange_domain = NO_DOMAIN;
	check_eq("MEM-35", exchange(in, 1, out, 1, &done), -ESRCH, "a domain that does not exist");
	exchange_domain = DOMID_SELF;
	check_eq("MEM-31", exchange(in, 1, out, 2, &done), -EINVAL, "sizes that differ");
	r = exchange(in, 1, out, 1, &done);
	check("MEM-30", r == 0 && done == 1 && m2p(out[0]) == pfn_of(page), "one page for another");
	map_frame(page, out[0], PTE_DATA);
	in[0] = 0xffffffffff;
	out[0] = pfn_of(page);
	check_eq("MEM-32", exchange(in, 1, out, 1, &done), -EINVAL, "a frame that is not the domain's");
}

void test_main(void)
{
	static const unsigned int with_structure[] = { 3, 4, 9, 10, 12 };
	bool all = true;

	check_eq("MEM-1", hypercall(memory_op, 63, 0), -ENOSYS, "an unknown sub-operation");
	for (size_t i = 0; i < ARRAY_SIZE(with_structure); i++)
		all = all && hypercall(memory_op, with_structure[i], UNMAPPED) == -EFAULT;
	check("MEM-2", all, "an unmapped structure is -EFAULT");
	counts();
	exchange_one();
	refused();
	increase();
	for_ever();
	exchanges();
}

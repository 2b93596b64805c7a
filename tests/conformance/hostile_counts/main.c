/* SPDX-License-Identifier: MIT */
/* Lists that claim to be longer than memory. What is there is done, what is not is -EFAULT. */
#include "guest.h"
#include <abi/grant_table.h>
#include <abi/memory.h>

/* The last bytes of a page before a hole, filled with copies of one element. */
static void *fill(void *page, const void *element, size_t size, unsigned int n)
{
	uint8_t *start = (uint8_t *)page + PAGE_SIZE - n * size;

	for (unsigned int i = 0; i < n; i++)
		memcpy(start + i * size, element, size);
	return start;
}

static void mmu_lists(void *page)
{
	struct mmu_update update = { entry_maddr(page, 1), *entry_of(page, 1) };
	struct mmuext_op flush = { .cmd = MMUEXT_INVLPG_LOCAL };
	uint32_t done = 0;
	int64_t r;

	r = hypercall(mmu_update, fill(page, &update, sizeof(update), 2), 0x100000, &done, DOMID_SELF);
	check("SAFE-10", r == -EFAULT && done == 2,
	      "mmu_update of 2^20 requests, of which two are there");
	done = 0;
	r = hypercall(mmuext_op, fill(page, &flush, sizeof(flush), 2), 0x100000, &done, DOMID_SELF);
	check("SAFE-11", r == -EFAULT && done == 2, "mmuext_op, the same");
	check("SAFE-24",
	      hypercall(mmu_update, fill(page, &update, sizeof(update), 2), 0x7fffffff, 0, DOMID_SELF) ==
			      -EFAULT &&
		      hypercall(mmuext_op, fill(page, &flush, sizeof(flush), 2), 0x7fffffff, 0,
				DOMID_SELF) == -EFAULT,
	      "2^31 - 1 requests, more than the address space has room for");
}

static void other_lists(void *page)
{
	struct multicall_entry call = { .op = __HYPERVISOR_xen_version };
	struct gnttab_copy copy = { .flags = GNTCOPY_source_gref, .source.domid = 99 };
	struct xen_memory_reservation op = { .extent_start = (uint64_t)page,
					     .nr_extents = 1UL << 60,
					     .domid = DOMID_SELF };

	check_eq("SAFE-12", hypercall(multicall, fill(page, &call, sizeof(call), 2), 0xffffffff),
		 -EFAULT, "multicall of 2^32 - 1 entries");
	check_eq(
		"SAFE-13",
		hypercall(grant_table_op, GNTTABOP_copy, fill(page, &copy, sizeof(copy), 2), 0x7fffffff),
		-EFAULT, "grant copy of 2^31 - 1 elements");
	check_eq("SAFE-14", hypercall(memory_op, XENMEM_decrease_reservation, &op), 0,
		 "decrease_reservation of 2^60 extents");
	op.nr_extents = ~0UL;
	check_eq("SAFE-14", hypercall(memory_op, XENMEM_populate_physmap, &op), 0,
		 "populate_physmap of 2^64 - 1 extents");
}

/* Addresses whose end wraps around, or lies in the hypervisor's range. */
static void wrapping(void)
{
	struct mmu_update *list = (struct mmu_update *)(HYPERVISOR_VIRT_START - 0x800000000000 - 8);

	check_eq("SAFE-15", hypercall(mmu_update, list, 1, 0, DOMID_SELF), -EFAULT,
		 "a list across the end of the lower half");
	check_eq("SAFE-16", hypercall(mmu_update, -8UL, 2, 0, DOMID_SELF), -EFAULT,
		 "a list around the end of the address space");
	check_eq("SAFE-17", hypercall(multicall, HYPERVISOR_VIRT_END - 32, 1), -EFAULT,
		 "a list across the end of the hypervisor's range");
}

void test_main(void)
{
	void *page = page_before_hole();

	mmu_lists(page);
	other_lists(page);
	wrapping();
}

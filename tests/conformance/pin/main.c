/* SPDX-License-Identifier: MIT */
/*
 * Pinning: a page becomes a page table of a level while nothing maps it read-write, and stays one
 * until it is unpinned, whatever refers to it.
 */
#include "guest.h"

static uint64_t entry_for(const void *page, uint64_t flags)
{
	return mfn_of(page) << PAGE_SHIFT | flags;
}

static void one_table(void)
{
	uint64_t *table = page_alloc(), *data = page_alloc();

	table[5] = entry_for(data, PTE_PRESENT | PTE_RW);
	table[6] = 0xdead000;
	check_eq("PIN-1", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0), -EINVAL,
		 "a page that is mapped read-write");
	make_readonly(table);
	check_eq("PIN-2", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0), 0,
		 "mapped read-only it becomes an L1");
	check("PIN-3",
	      (table[5] & PTE_ADDR_MASK) == mfn_of(data) << PAGE_SHIFT && (table[5] & PTE_GUEST_KERNEL),
	      "its entries are validated");
	check_eq("PIN-4", table[6], 0xdead000, "non-present entries stay as they are");
	check_eq("PIN-5", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0), -EINVAL, "pinned twice");
	check_eq("PIN-6", mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(table), 0), -EINVAL,
		 "pinned at another level");
	check_eq("PIN-7", map_frame(table, mfn_of(table), PTE_DATA), -EBUSY,
		 "a page table cannot be mapped read-write");
	check_eq("PIN-8", attempt_write(table, mfn_of(table) << PAGE_SHIFT | PTE_DATA).vector, VECTOR_PF,
		 "a store to it that would make it writable faults");
	check_eq("PIN-9", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table), 0), 0, "it is unpinned");
	check_eq("PIN-10", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table), 0), -EINVAL, "unpinned twice");
	map_back(table);
	check_eq("PIN-11", attempt_write(table, 0).vector, NO_TRAP, "and is ordinary memory again");
}

static void refused_tables(void)
{
	uint64_t *table = page_alloc();
	void *spare = page_alloc();

	check_eq("PIN-12", mmuext(MMUEXT_PIN_L1_TABLE, ~0UL, 0), -EINVAL, "a frame that is not there");
	check_eq("PIN-13", mmuext(MMUEXT_UNPIN_TABLE, ~0UL, 0), -EINVAL, "cannot be unpinned either");
	check_eq("PIN-14",
		 mmuext(MMUEXT_PIN_L1_TABLE,
			*entry_of((void *)MACH2PHYS_VIRT_START, 4) >> PAGE_SHIFT & 0xffffffffff, 0),
		 -EINVAL, "a frame of the hypervisor");
	check_eq("PIN-15", mmuext(MMUEXT_PIN_L1_TABLE, start_info->shared_info >> PAGE_SHIFT, 0),
		 -EINVAL, "shared_info");
	check_eq("PIN-16", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(spare), 0), -EINVAL,
		 "an ordinary page cannot be unpinned");
	table[0] = boot_l4_mfn() << PAGE_SHIFT | PTE_DATA;
	make_readonly(table);
	check_eq("PIN-17", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0), -EBUSY,
		 "an entry that maps a page table read-write");
	map_back(table);
	table[0] = mfn_of(table) << PAGE_SHIFT | PTE_DATA;
	make_readonly(table);
	check_eq("PIN-18", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0), -EBUSY,
		 "an entry that maps the table itself read-write");
	map_back(table);
	table[0] = 0x8000000000UL << PAGE_SHIFT | PTE_PRESENT;
	make_readonly(table);
	check_eq("PIN-19", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0), -EPERM,
		 "an entry of a frame beyond the machine");
	map_back(table);
	table[0] = entry_for(spare, PTE_DATA);
	table[1] = boot_l4_mfn() << PAGE_SHIFT | PTE_DATA;
	make_readonly(table);
	mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0);
	map_back(table);
	table[0] = table[1] = 0;
	make_readonly(spare);
	check_eq("PIN-20", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(spare), 0), 0,
		 "a validation that fails half-way gives back what it had taken");
	mmuext(MMUEXT_UNPIN_TABLE, mfn_of(spare), 0);
	map_back(spare);
}

/* A whole tree: pinning the L4 validates what hangs below. */
static void tree(void)
{
	uint64_t *l4 = page_alloc(), *l3 = page_alloc(), *l2 = page_alloc(), *l1 = page_alloc(),
		 *data = page_alloc();

	l1[0] = entry_for(data, PTE_DATA);
	l2[0] = entry_for(l1, PTE_TABLE);
	l3[0] = entry_for(l2, PTE_TABLE);
	l4[0] = entry_for(l3, PTE_TABLE);
	l4[HYPERVISOR_FIRST_L4_SLOT] = 0x123456789001;
	make_readonly(l1);
	make_readonly(l2);
	make_readonly(l3);
	check_eq("PIN-21", mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(l4), 0), -EINVAL,
		 "an L4 mapped read-write");
	make_readonly(l4);
	check_eq("PIN-22", mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(l4), 0), 0,
		 "an L4 with its tree; what stands in the reserved slots does not matter");
	check("PIN-23", l4[HYPERVISOR_FIRST_L4_SLOT] != 0x123456789001,
	      "those have been filled by the hypervisor");
	check_eq("PIN-24", map_frame(l1, mfn_of(l1), PTE_DATA), -EBUSY,
		 "the tables below are page tables now");
	check_eq("PIN-25", mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(l2), 0), 0,
		 "a table in use can be pinned at its level too");
	check_eq("PIN-26", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l4), 0), 0, "the L4 is unpinned");
	map_back(l4);
	map_back(l3);
	check_eq("PIN-27", map_frame(l2, mfn_of(l2), PTE_DATA), -EBUSY, "the L2 is held by its own pin");
	check_eq("PIN-28", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l2), 0), 0, "and let go with it");
	map_back(l2);
	map_back(l1);
	check_eq("PIN-29", attempt_write(l1, 0).vector, NO_TRAP,
		 "nothing of the tree is a page table any more");
}

/* Wrong levels inside a tree. */
static void wrong_levels(void)
{
	uint64_t *l2 = page_alloc(), *l1 = page_alloc();

	make_readonly(l1);
	mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1), 0);
	l2[0] = entry_for(l1, PTE_TABLE);
	make_readonly(l2);
	check_eq("PIN-30", mmuext(MMUEXT_PIN_L3_TABLE, mfn_of(l2), 0), -EINVAL,
		 "an L3 whose entry names an L1");
	check_eq("PIN-31", mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(l2), 0), 0, "as L2 it is good");
	check_eq("PIN-32", mmu_update_one(mfn_of(l2) << PAGE_SHIFT | 8, entry_for(l2, PTE_TABLE)),
		 -EINVAL, "an L2 entry that names the L2 itself, read-write");
	mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l2), 0);
	mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l1), 0);
	map_back(l2);
	map_back(l1);
}

void test_main(void)
{
	one_table();
	refused_tables();
	tree();
	wrong_levels();
}

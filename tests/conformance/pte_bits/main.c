/* SPDX-License-Identifier: MIT */
/*
 * Which bits a leaf entry may have and what the hypervisor makes of them. A leaf without User is
 * the guest kernel's: it gets User, because everything runs in ring 3, and bit 52 to tell. A leaf
 * with User may get Global. Neither is promised to read back exactly, so only what a guest can
 * rely on is judged.
 */
#include "guest.h"

#define KEPT (PTE_ADDR_MASK | PTE_PRESENT | PTE_RW | PTE_ACCESSED | PTE_DIRTY | PTE_AVAIL | PTE_NX)

static void *page;

static bool accepted(uint64_t flags)
{
	return map_frame(page, mfn_of(page), flags) == 0;
}

/* The stored entry has the bits asked for, of those that are kept. */
static bool reads_back(uint64_t flags)
{
	uint64_t pte = *entry_of(page, 1);

	return (pte & KEPT) == ((mfn_of(page) << PAGE_SHIFT | flags) & KEPT);
}

static void accepted_bits(void)
{
	check("PTE-1", accepted(PTE_PRESENT | PTE_RW) && reads_back(PTE_PRESENT | PTE_RW),
	      "Present, Read/Write");
	check("PTE-2", accepted(PTE_PRESENT) && reads_back(PTE_PRESENT), "Present");
	check("PTE-3",
	      accepted(PTE_PRESENT | PTE_RW | PTE_USER) && reads_back(PTE_PRESENT | PTE_RW | PTE_USER),
	      "User");
	check("PTE-4", accepted(PTE_PRESENT | PTE_RW | PTE_USER | PTE_GLOBAL), "Global");
	check("PTE-5",
	      accepted(PTE_PRESENT | PTE_RW | PTE_AVAIL) && reads_back(PTE_PRESENT | PTE_RW | PTE_AVAIL),
	      "the three available bits are the guest's");
	check("PTE-6", accepted(PTE_DATA) && reads_back(PTE_DATA), "Accessed, Dirty");
	check("PTE-7", accepted(PTE_DATA | PTE_NX) && reads_back(PTE_DATA | PTE_NX), "No-execute");
	check("PTE-8", accepted(PTE_DATA | 0x7fUL << 52) && (*entry_of(page, 1) >> 53 & 0x3f) == 0x3f,
	      "bits 53 to 58 are the guest's");
}

static void kernel_and_user(void)
{
	accepted(PTE_PRESENT | PTE_RW);
	check("PTE-9", (*entry_of(page, 1) & PTE_GUEST_KERNEL) != 0,
	      "a leaf without User reads back with bit 52");
	accepted(PTE_PRESENT | PTE_RW | PTE_USER);
	check("PTE-10", (*entry_of(page, 1) & PTE_GUEST_KERNEL) == 0, "a leaf with User does not");
	accepted(PTE_PRESENT | PTE_RW | PTE_GUEST_KERNEL);
	check("PTE-11", reads_back(PTE_PRESENT | PTE_RW),
	      "an entry that was read back can be written again");
}

/* The frame of the boot L4: it may be mapped, but never so that it could be written. */
static void refused_bits(void)
{
	uint64_t before;

	accepted(PTE_DATA);
	before = *entry_of(page, 1);
	check_eq("PTE-12", map_frame(page, mfn_of(page), PTE_PRESENT | 1UL << 51), -EPERM,
		 "an address bit beyond the machine's");
	check_eq("PTE-13", *entry_of(page, 1), before, "leaves the entry as it was");
}

/* A large page in an L2 entry would bypass the frame table. */
static void large_pages(void)
{
	void *spare = page_alloc();
	uint64_t l2 = entry_maddr((void *)(VIRT_BASE + (300UL << 21)), 2);

	check_eq("PTE-14",
		 mmu_update_one(l2, (mfn_of(spare) & ~511UL) << PAGE_SHIFT | PTE_TABLE | PTE_PSE),
		 -EINVAL, "PSE in an L2 entry");
	l2 = entry_maddr((void *)(1UL << 39), 4);
	check_eq("PTE-15", mmu_update_one(l2, mfn_of(spare) << PAGE_SHIFT | PTE_TABLE | PTE_PSE),
		 -EINVAL, "PSE in an L4 entry");
}

static void not_executable(void)
{
	uint8_t *code = page;
	uint64_t (*function)(uint64_t) = (uint64_t(*)(uint64_t))(uint64_t)page;

	accepted(PTE_DATA);
	code[0] = 0xc3;
	check_eq("PTE-16", attempt(function, 0).vector, NO_TRAP, "a page without No-execute runs");
	accepted(PTE_DATA | PTE_NX);
	check_eq("PTE-17", attempt(function, 0).vector, VECTOR_PF, "a page with it faults");
	accepted(PTE_DATA);
}

void test_main(void)
{
	page = page_alloc();
	accepted_bits();
	kernel_and_user();
	refused_bits();
	large_pages();
	not_executable();
}

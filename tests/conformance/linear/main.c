/* SPDX-License-Identifier: MIT */
/*
 * Recursive page tables: an L4 entry may name an L4 read-only, so that a guest can read its own
 * tables; read-write it may not, and chains of such entries do not nest.
 */
#include "guest.h"

#define SLOT 0x80UL

static uint64_t l4_entry(uint64_t l4, uint64_t slot)
{
	return (l4 << PAGE_SHIFT) + slot * 8;
}

static void own_root(void)
{
	uint64_t at = l4_entry(boot_l4_mfn(), SLOT), self = boot_l4_mfn() << PAGE_SHIFT;
	/* The address at which the recursive slot shows the L4 itself. */
	uint64_t *window = (uint64_t *)(SLOT << 39 | SLOT << 30 | SLOT << 21 | SLOT << 12);
	struct attempt a;

	check_eq("LINEAR-1", mmu_update_one(at, self | PTE_TABLE), -EINVAL,
		 "an L4 entry that names its L4 read-write");
	check_eq("LINEAR-2", mmu_update_one(at, self | PTE_PRESENT | PTE_USER | PTE_ACCESSED), 0,
		 "read-only it may");
	a = attempt_read(window + 511);
	check("LINEAR-3", a.vector == NO_TRAP && a.value == ((uint64_t *)start_info->pt_base)[511],
	      "and the L4 is then readable through it");
	check_eq("LINEAR-4", attempt_write(window, 0).vector, VECTOR_PF, "but not writable");
	check_eq("LINEAR-5", mmu_update_one(at, 0), 0, "the entry is taken away");
}

/* The same among L2s and L3s that are not the root. */
static void lower_levels(void)
{
	uint64_t *l2 = page_alloc(), *l3 = page_alloc();
	uint64_t l2_mfn = mfn_of(l2), l3_mfn = mfn_of(l3);

	make_readonly(l2);
	make_readonly(l3);
	mmuext(MMUEXT_PIN_L2_TABLE, l2_mfn, 0);
	mmuext(MMUEXT_PIN_L3_TABLE, l3_mfn, 0);
	check_eq("LINEAR-6", mmu_update_one(l3_mfn << PAGE_SHIFT, l3_mfn << PAGE_SHIFT | PTE_TABLE),
		 -EINVAL, "an L3 entry that names its L3 read-write");
	check_eq("LINEAR-7", mmu_update_one(l2_mfn << PAGE_SHIFT, l2_mfn << PAGE_SHIFT | PTE_TABLE),
		 -EINVAL, "an L2 entry that names its L2 read-write");
	check("LINEAR-8",
	      mmuext(MMUEXT_UNPIN_TABLE, l2_mfn, 0) == 0 && mmuext(MMUEXT_UNPIN_TABLE, l3_mfn, 0) == 0,
	      "both are still sound");
	map_back(l2);
	map_back(l3);
}

/* A second L4 that names the first, which names itself: a chain of two is one too many. */
static void chains(void)
{
	uint64_t *a = page_alloc(), *b = page_alloc(), *c = page_alloc();

	make_readonly(a);
	make_readonly(b);
	make_readonly(c);
	mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(a), 0);
	mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(b), 0);
	mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(c), 0);
	check_eq(
		"LINEAR-9",
		mmu_update_one(l4_entry(mfn_of(b), 0), mfn_of(a) << PAGE_SHIFT | PTE_PRESENT | PTE_USER),
		0, "an L4 may name another L4 read-only");
	check_eq(
		"LINEAR-10",
		mmu_update_one(l4_entry(mfn_of(c), 0), mfn_of(b) << PAGE_SHIFT | PTE_PRESENT | PTE_USER),
		-EINVAL, "but not one that names a third");
	check_eq(
		"LINEAR-11",
		mmu_update_one(l4_entry(mfn_of(a), 0), mfn_of(c) << PAGE_SHIFT | PTE_PRESENT | PTE_USER),
		-EINVAL, "nor may one that is named name a third");
	check_eq("LINEAR-12", mmu_update_one(l4_entry(mfn_of(b), 0), 0), 0, "the entry is taken away");
	check_eq(
		"LINEAR-13",
		mmu_update_one(l4_entry(mfn_of(a), 0), mfn_of(c) << PAGE_SHIFT | PTE_PRESENT | PTE_USER),
		0, "and the named one may then name");
	mmu_update_one(l4_entry(mfn_of(a), 0), 0);
	mmuext(MMUEXT_UNPIN_TABLE, mfn_of(a), 0);
	mmuext(MMUEXT_UNPIN_TABLE, mfn_of(b), 0);
	mmuext(MMUEXT_UNPIN_TABLE, mfn_of(c), 0);
	map_back(a);
	map_back(b);
	map_back(c);
	check("LINEAR-14",
	      attempt_write(a, 0).vector == NO_TRAP && attempt_write(b, 0).vector == NO_TRAP,
	      "afterwards all are ordinary memory");
}

void test_main(void)
{
	own_root();
	lower_levels();
	chains();
}

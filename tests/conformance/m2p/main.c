/* SPDX-License-Identifier: MIT */
/*
 * The machine-to-physical table: one word for each machine frame, read-only at the begin of the
 * reserved range; a guest changes the words of its own frames by MMU_MACHPHYS_UPDATE.
 */
#include "guest.h"
#include <abi/memory.h>

static uint64_t pfn_of(const void *page)
{
	return ((uint64_t)page - VIRT_BASE) >> PAGE_SHIFT;
}

static int64_t machphys(uint64_t mfn, uint64_t pfn)
{
	return mmu_update_one(mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, pfn);
}

void test_main(void)
{
	void *page = page_alloc();
	uint64_t mfn = mfn_of(page);
	struct xen_machphys_mapping map = { 0 };
	struct attempt a;

	check_eq("M2P-1", m2p(mfn), pfn_of(page), "the word of one's own frame is its pfn");
	a = attempt_write((void *)(MACH2PHYS_VIRT_START + mfn * 8), 1);
	check("M2P-2", a.vector == VECTOR_PF && (a.regs.error_code & ~1UL) == 2,
	      "a store to the table is a page fault");
	check_eq("M2P-3", machphys(mfn, 0x12345), 0, "MMU_MACHPHYS_UPDATE of one's own frame");
	check_eq("M2P-4", m2p(mfn), 0x12345, "changes its word");
	check_eq("M2P-5", machphys(mfn, pfn_of(page)), 0, "and back");
	check_eq("M2P-6",
		 machphys(*entry_of((void *)MACH2PHYS_VIRT_START, 4) >> PAGE_SHIFT & 0xffffffffff, 1),
		 -EINVAL, "a frame of the hypervisor");
	check_eq("M2P-7", machphys(0xffffffffff, 1), -EINVAL, "a frame beyond the machine");
	check_eq("M2P-8", m2p(start_info->shared_info >> PAGE_SHIFT), -1,
		 "the word of shared_info is all ones");
	check_eq("M2P-9", hypercall(memory_op, XENMEM_machphys_mapping, &map), 0,
		 "XENMEM_machphys_mapping says where the table is");
	check("M2P-10", map.v_start == MACH2PHYS_VIRT_START && map.v_end == MACH2PHYS_VIRT_END,
	      "at the ABI's addresses");
	check("M2P-11", map.max_mfn >= mfn && map.max_mfn <= MACH2PHYS_NR_ENTRIES - 1,
	      "max_mfn covers the guest's frames");
	check_eq("M2P-12", hypercall(memory_op, XENMEM_machphys_mapping, UNMAPPED), -EFAULT,
		 "an unmapped argument");
	a = run_user((uint64_t(*)(uint64_t))m2p, mfn);
	check("M2P-13", a.vector == 0x80 && a.value == pfn_of(page),
	      "user mode on the kernel's root reads the table too");
}

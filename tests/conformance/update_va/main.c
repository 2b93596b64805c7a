/* SPDX-License-Identifier: MIT */
/*
 * update_va_mapping: one leaf entry of the current root, named by the address that it maps.
 */
#include "guest.h"

static int64_t update(uint64_t va, uint64_t pte, uint64_t flags)
{
	return hypercall(update_va_mapping, va, pte, flags);
}

static uint64_t pte_for(const void *page, uint64_t flags)
{
	return mfn_of(page) << PAGE_SHIFT | flags;
}

static void ordinary(void)
{
	uint64_t *page = page_alloc(), *other = page_alloc();

	*page = 1;
	*other = 2;
	check_eq("UVM-1", update((uint64_t)page, pte_for(other, PTE_DATA), UVMF_INVLPG), 0,
		 "another frame is mapped");
	check_eq("UVM-2", *(volatile uint64_t *)page, 2, "UVMF_INVLPG: and seen at once");
	check_eq("UVM-3", update((uint64_t)page, pte_for(page, PTE_DATA), UVMF_TLB_FLUSH), 0,
		 "the first frame again");
	check_eq("UVM-4", *(volatile uint64_t *)page, 1, "UVMF_TLB_FLUSH: and seen at once");
	check_eq("UVM-5", update((uint64_t)page, 0xdeadbeef000, UVMF_INVLPG), 0,
		 "a non-present entry may hold anything");
	check_eq("UVM-6", *entry_of(page, 1), 0xdeadbeef000, "and is stored as it is");
	check_eq("UVM-7", attempt_read(page).vector, VECTOR_PF, "the address then faults");
	check_eq("UVM-8", update((uint64_t)page + 0x123, pte_for(page, PTE_DATA), UVMF_INVLPG), 0,
		 "the address need not be aligned");
	check_eq("UVM-9", *(volatile uint64_t *)page, 1, "the page it lies in is meant");
}

static void flush_kinds(void)
{
	uint64_t *page = page_alloc(), mask = 1;
	uint64_t va = (uint64_t)page, pte = pte_for(page, PTE_DATA);

	check_eq("UVM-10", update(va, pte, UVMF_NONE), 0, "UVMF_NONE");
	check_eq("UVM-11", update(va, pte, UVMF_TLB_FLUSH | UVMF_ALL), 0, "UVMF_TLB_FLUSH on all vCPUs");
	check_eq("UVM-12", update(va, pte, UVMF_INVLPG | UVMF_ALL), 0, "UVMF_INVLPG on all vCPUs");
	check_eq("UVM-13", update(va, pte, UVMF_TLB_FLUSH | (uint64_t)&mask), 0,
		 "UVMF_TLB_FLUSH on a bitmap of vCPUs");
	check_eq("UVM-14", update(va, pte, UVMF_INVLPG | (uint64_t)&mask), 0,
		 "UVMF_INVLPG on a bitmap of vCPUs");
	check_eq("UVM-15", update(va, pte, 3), 0, "flush type 3 flushes nothing");
	check_eq("UVM-16", update(va, pte, UVMF_INVLPG | (UNMAPPED + 0x1000)), -EFAULT,
		 "an unmapped bitmap");
	check_eq("UVM-16", update(va, pte, UVMF_INVLPG | MACH2PHYS_VIRT_START), -EFAULT,
		 "a bitmap in the hypervisor's range");
}

static void addresses(void)
{
	void *page = page_alloc();
	uint64_t pte = pte_for(page, PTE_DATA);

	check_eq("UVM-17", update(HYPERVISOR_VIRT_START, pte, 0), -EINVAL,
		 "the begin of the hypervisor's range");
	check_eq("UVM-18", update(HYPERVISOR_VIRT_END - PAGE_SIZE, pte, 0), -EINVAL, "its end");
	check_eq("UVM-19", update(NON_CANONICAL, pte, 0), -EINVAL, "a non-canonical address");
	check_eq("UVM-20", update(UNMAPPED, pte, 0), -EINVAL, "an address without an L1 table");
}

static void frames(void)
{
	void *page = page_alloc();
	uint64_t va = (uint64_t)page, before = *entry_of(page, 1);

	check_eq("UVM-21", update(va, 0x8000000000UL << PAGE_SHIFT | PTE_DATA, 0), -EPERM,
		 "a frame beyond the machine");
	check_eq("UVM-22", update(va, boot_l4_mfn() << PAGE_SHIFT | PTE_DATA, 0), -EBUSY,
		 "a page table cannot be mapped read-write");
	check_eq("UVM-23", *entry_of(page, 1), before, "a refused update leaves the entry as it was");
	check_eq("UVM-24", update(va, boot_l4_mfn() << PAGE_SHIFT | PTE_PRESENT, UVMF_INVLPG), 0,
		 "but read-only it can");
	check_eq("UVM-25", *(volatile uint64_t *)(va + 511 * 8) & PTE_PRESENT, 1,
		 "and is then readable");
	check_eq("UVM-26", update(va, start_info->shared_info | PTE_DATA, UVMF_INVLPG), 0,
		 "shared_info can be mapped read-write");
	check("UVM-27",
	      update(va, (*entry_of((void *)MACH2PHYS_VIRT_START, 4) & PTE_ADDR_MASK) | PTE_DATA, 0) < 0,
	      "a table of the hypervisor cannot be mapped");
	map_back(page);
}

static void other_domain(void)
{
	void *page = page_alloc();
	uint64_t va = (uint64_t)page, pte = pte_for(page, PTE_DATA);

	check_eq("UVM-28", hypercall(update_va_mapping_otherdomain, va, pte, UVMF_INVLPG, DOMID_SELF), 0,
		 "update_va_mapping_otherdomain with one's own frames");
	check_eq("UVM-29", hypercall(update_va_mapping_otherdomain, va, pte, UVMF_INVLPG, 99), -ESRCH,
		 "a domain that is not there");
}

void test_main(void)
{
	ordinary();
	flush_kinds();
	addresses();
	frames();
	other_domain();
}

/* SPDX-License-Identifier: MIT */
/* What is left of the rules of page tables: device memory, upper levels, aliases, domain ids. */
#include "guest.h"

#define LOCAL_APIC 0xfee00UL

static uint64_t maddr(const void *page)
{
	return mfn_of(page) << PAGE_SHIFT;
}

static void domain_zero(void)
{
	void *page = page_alloc();
	bool all;

	all = map_frame(page, mfn_of(page), PTE_DATA | PTE_PWT) == 0 &&
	      map_frame(page, mfn_of(page), PTE_DATA | PTE_PCD) == 0 &&
	      map_frame(page, mfn_of(page), PTE_DATA | PTE_PCD | PTE_PWT) == 0;
	check("PTE-40", all && map_frame(page, mfn_of(page), PTE_DATA | PTE_PAT) == 0,
	      "domain 0 may choose how memory is cached");
	map_back(page);
	check_eq("UVM-40", map_frame(page, LOCAL_APIC, PTE_DATA | PTE_PCD), -EPERM,
		 "the local APIC is the hypervisor's");
	check("MMUEXT-60",
	      mmuext(MMUEXT_FLUSH_CACHE, 0, 0) == 0 && mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0) == 0,
	      "domain 0 may flush the caches");
}

static void upper_entry(void)
{
	uint64_t *l2 = page_alloc();
	void *l1 = page_alloc();

	make_readonly(l1);
	l2[0] = maddr(l1) | PTE_PRESENT | PTE_RW | PTE_ACCESSED;
	make_readonly(l2);
	check("PTE-41", mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(l2), 0) == 0 && (l2[0] & PTE_USER),
	      "an L2 entry without User gets it");
	mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l2), 0);
}

static void aliases(void)
{
	volatile uint64_t *first = page_alloc(), *second = page_alloc();
	void *two = (void *)(uint64_t)second;

	map_frame(two, mfn_of((void *)(uint64_t)first), PTE_DATA);
	first[5] = 0x55;
	second[6] = 0x66;
	check("UVM-41", second[5] == 0x55 && first[6] == 0x66, "one frame at two addresses");
	map_back(two);
}

static void own_id(void)
{
	void *page = page_alloc();
	struct mmu_update update = { entry_maddr(page, 1), maddr(page) | PTE_DATA };

	check_eq("MMU-40", hypercall(mmu_update, &update, 1, 0, 0), -ESRCH,
		 "mmu_update: the own domain is DOMID_SELF only");
	check_eq("UVM-42", hypercall(update_va_mapping_otherdomain, page, maddr(page) | PTE_DATA, 0, 0),
		 -ESRCH, "update_va_mapping_otherdomain: the same");
}

void test_main(void)
{
	domain_zero();
	upper_entry();
	aliases();
	own_id();
}

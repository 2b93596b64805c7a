/* SPDX-License-Identifier: MIT */
/*
 * mmu_update: a list of entries to write, each named by its machine address. Work stops at the
 * first that is refused, and done says how many came before it.
 */
#include "guest.h"

static uint32_t done;

static int64_t update(struct mmu_update *list, uint64_t count, uint64_t fd)
{
	done = 0x55;
	return hypercall(mmu_update, list, count, &done, fd);
}

static uint64_t maddr_of(const void *address)
{
	return mfn_of(address) << PAGE_SHIFT | ((uint64_t)address & (PAGE_SIZE - 1));
}

static void leaves(void)
{
	uint64_t *page = page_alloc(), *other = page_alloc();
	uint64_t slot = entry_maddr(page, 1);
	struct mmu_update list[2] = {
		{ slot, mfn_of(other) << PAGE_SHIFT | PTE_DATA },
		{ slot, mfn_of(page) << PAGE_SHIFT | PTE_DATA },
	};

	*page = 1;
	*other = 2;
	check("MMU-1", update(list, 1, DOMID_SELF) == 0 && done == 1, "a leaf entry is written");
	mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)page, 0);
	check_eq("MMU-2", *(volatile uint64_t *)page, 2, "after a flush the new frame is seen");
	check("MMU-3", update(list, 2, DOMID_SELF) == 0 && done == 2,
	      "a list is worked through in order");
	mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)page, 0);
	check_eq("MMU-4", *(volatile uint64_t *)page, 1, "the last entry of the list counts");
	check("MMU-5", update(list, 0, DOMID_SELF) == 0 && done == 0, "an empty list is no error");
	check_eq("MMU-6", hypercall(mmu_update, list, 2, 0, DOMID_SELF), 0, "done may be absent");
	list[1].ptr |= MMU_PT_UPDATE_NO_TRANSLATE;
	check_eq("MMU-7", update(list, 2, DOMID_SELF), 0,
		 "MMU_PT_UPDATE_NO_TRANSLATE is the same for a PV guest");
}

/* Accessed and Dirty of the old entry survive MMU_PT_UPDATE_PRESERVE_AD. */
static void preserve_ad(void)
{
	uint64_t *page = page_alloc();
	uint64_t slot = entry_maddr(page, 1), base = mfn_of(page) << PAGE_SHIFT | PTE_PRESENT | PTE_RW;

	mmu_update_one(slot, base | PTE_ACCESSED | PTE_DIRTY);
	check_eq("MMU-8", mmu_update_one(slot | MMU_PT_UPDATE_PRESERVE_AD, base), 0,
		 "MMU_PT_UPDATE_PRESERVE_AD is accepted");
	check_eq("MMU-9", *entry_of(page, 1) & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED | PTE_DIRTY,
		 "and keeps Accessed and Dirty");
	mmu_update_one(slot, base);
	check_eq("MMU-10", *entry_of(page, 1) & PTE_DIRTY, 0, "MMU_NORMAL_PT_UPDATE does not");
}

static void partial(void)
{
	uint64_t *page = page_alloc();
	uint64_t slot = entry_maddr(page, 1), good = mfn_of(page) << PAGE_SHIFT | PTE_DATA;
	struct mmu_update list[3] = { { slot, good },
				      { slot, boot_l4_mfn() << PAGE_SHIFT | PTE_DATA },
				      { slot, 0 } };

	check("MMU-11", update(list, 3, DOMID_SELF) == -EBUSY && done == 1,
	      "a refused entry ends the list; done counts those before");
	check_eq("MMU-12", *(volatile uint64_t *)page, 0, "those after it are not looked at");
	list[1].ptr = slot | 4;
	list[1].val = good;
	check("MMU-13", update(list, 2, DOMID_SELF) < 0 && done == 1,
	      "an address that is not a multiple of 8");
}

static void plain_frames(void)
{
	uint64_t *page = page_alloc();

	check_eq("MMU-14", mmu_update_one(maddr_of(page + 3), 0x1122334455667788), 0,
		 "a frame that is no page table");
	check_eq("MMU-15", page[3], 0x1122334455667788, "is simply written");
}

static void upper_levels(void)
{
	void *page = page_alloc();
	uint64_t va = 400UL << 30, l4 = entry_maddr((void *)(0xa5UL << 39), 4);

	(void)va;
	check("MMU-16", mmu_update_one(l4, mfn_of(page) << PAGE_SHIFT | PTE_TABLE) < 0,
	      "a page that is mapped read-write cannot become an L3");
	make_readonly(page);
	check_eq("MMU-17", mmu_update_one(l4, mfn_of(page) << PAGE_SHIFT | PTE_TABLE), 0,
		 "mapped read-only it can");
	check_eq("MMU-18", map_frame(page, mfn_of(page), PTE_DATA), -EBUSY,
		 "and then cannot be mapped read-write");
	check_eq("MMU-19", mmu_update_one(l4, 0), 0, "the entry is taken away");
	map_back(page);
	check_eq("MMU-20", attempt_write(page, 1).vector, NO_TRAP,
		 "and the page is ordinary memory again");
}

static void hypervisor_slots(void)
{
	uint64_t l4 = boot_l4_mfn() << PAGE_SHIFT;
	bool all = true;

	for (unsigned int slot = HYPERVISOR_FIRST_L4_SLOT;
	     slot < HYPERVISOR_FIRST_L4_SLOT + HYPERVISOR_NR_L4_SLOTS; slot++)
		all = all && mmu_update_one(l4 | slot * 8, 0) < 0;
	check("MMU-21", all, "the hypervisor's slots of an L4 cannot be written, not even cleared");
}

static void domains(void)
{
	uint64_t *page = page_alloc();
	uint64_t slot = entry_maddr(page, 1);
	struct mmu_update list[1] = { { slot, mfn_of(page) << PAGE_SHIFT | PTE_DATA } };

	check_eq("MMU-22", update(list, 1, 99), -ESRCH, "frames of a domain that is not there");
	check_eq("MMU-23", update(list, 1, DOMID_SELF | (100UL << 16)), -ESRCH,
		 "tables of a domain that is not there");
	check_eq("MMU-24", update(list, 1, DOMID_INVALID), -ESRCH, "frames of DOMID_INVALID");
}

static void hostile(void)
{
	int64_t r;
	struct mmu_update list[1];

	list[0] = (struct mmu_update){ 0xfffffffffffff000, 0 };
	check_eq("MMU-25", update(list, 1, DOMID_SELF), -EINVAL,
		 "an entry in a frame beyond the machine");
	list[0].ptr = *entry_of((void *)MACH2PHYS_VIRT_START, 4) & PTE_ADDR_MASK;
	check_eq("MMU-26", update(list, 1, DOMID_SELF), -EINVAL,
		 "an entry in a frame of the hypervisor");
	list[0] = (struct mmu_update){
		start_info->shared_info + offsetof(struct shared_info, arch.p2m_vaddr), 0x1234
	};
	r = update(list, 1, DOMID_SELF);
	check("MMU-27", r <= 0 && shared_info->arch.p2m_vaddr == (r ? 0 : 0x1234),
	      "an entry in shared_info: stored as in plain memory, or refused");
	check_eq("MMU-28", update((void *)UNMAPPED, 1, DOMID_SELF), -EFAULT, "an unmapped list");
	check_eq("MMU-29", update((void *)(MACH2PHYS_VIRT_START), 1, DOMID_SELF), -EFAULT,
		 "a list in the hypervisor's range");
	check_eq("MMU-30", update((void *)NON_CANONICAL, 1, DOMID_SELF), -EFAULT,
		 "a non-canonical list");
	list[0] = (struct mmu_update){ entry_maddr(list, 1), *entry_of(list, 1) };
	check_eq("MMU-31", hypercall(mmu_update, list, 1, UNMAPPED, DOMID_SELF), 0,
		 "an unmapped done is passed over");
	check("MMU-32",
	      update((void *)((char *)page_before_hole() + PAGE_SIZE - 8), 1, DOMID_SELF) == -EFAULT &&
		      done == 0,
	      "a list that runs into an unmapped page");
}

void test_main(void)
{
	leaves();
	preserve_ad();
	partial();
	plain_frames();
	upper_levels();
	hypervisor_slots();
	domains();
	hostile();
}

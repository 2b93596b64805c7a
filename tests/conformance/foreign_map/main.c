/* SPDX-License-Identifier: MIT */
/* Domain 0 maps, writes, and pins what belongs to another domain, and is refused what does not. */
#include "domain.h"

#define NOBODY 77

static uint64_t frames[16];
static uint16_t id;
static uint8_t *page;

static int64_t by_mmu_update(void *address, uint64_t mfn, uint64_t flags, uint32_t foreign)
{
	return mmu_update_other(entry_maddr(address, 1), mfn << PAGE_SHIFT | flags, foreign);
}

static void mapping(void)
{
	uint8_t *second = page_alloc();

	check_eq("FOREIGN-MAP-1", map_other(page, frames[0], PTE_DATA, id), 0,
		 "update_va_mapping_otherdomain maps a frame of another domain");
	page[0] = 0x42;
	check_eq("FOREIGN-MAP-2", by_mmu_update(second, frames[0], PTE_DATA, id), 0,
		 "mmu_update with the domain's id as foreigndom does the same");
	mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)second, 0);
	check_eq("FOREIGN-MAP-3", *(volatile uint8_t *)second, 0x42, "both are the same memory");
	check_eq("FOREIGN-MAP-4", map_other(second, frames[1], PTE_PRESENT | PTE_ACCESSED, id), 0,
		 "a mapping may be read-only");
	check_eq("FOREIGN-MAP-5", attempt_write(second, 1).vector, VECTOR_PF, "and then cannot be written");
	check("FOREIGN-MAP-6", map_frame(second, frames[0], PTE_DATA) < 0,
	      "without the domain's id a frame of another domain cannot be mapped");
	check_eq("FOREIGN-MAP-7", map_other(second, mfn_of(second), PTE_DATA, id) < 0, 1,
		 "with the id of a domain that does not own the frame neither");
	check_eq("FOREIGN-MAP-8", map_other(second, frames[0], PTE_DATA, NOBODY), -ESRCH,
		 "a domain that does not exist fails with -ESRCH");
	check_eq("FOREIGN-MAP-9", by_mmu_update(second, frames[0], PTE_DATA, NOBODY), -ESRCH,
		 "by mmu_update too");
	check_eq("FOREIGN-MAP-10", map_other(second, 0xffffffffff, PTE_DATA, id) < 0, 1,
		 "a frame that does not exist cannot be mapped");
	check_eq("FOREIGN-MAP-11", map_other(second, mfn_of(second), PTE_DATA, 0), -ESRCH,
		 "its own id is refused: -ESRCH");
	check_eq("FOREIGN-MAP-12", map_other(second, mfn_of(second), PTE_DATA, DOMID_SELF), 0,
		 "DOMID_SELF is the caller");
	map_back(second);
	page_free(second);
}

static void m2p_entries(void)
{
	uint64_t ptr = frames[2] << PAGE_SHIFT | MMU_MACHPHYS_UPDATE;

	check("FOREIGN-M2P-1", mmu_update_other(ptr, 4711, id) == 0 && m2p(frames[2]) == 4711,
	      "MMU_MACHPHYS_UPDATE with the domain's id sets the m2p of its frame");
	check("FOREIGN-M2P-2", mmu_update_other(ptr, 5, DOMID_SELF) < 0 && m2p(frames[2]) == 4711,
	      "without the id it fails and changes nothing");
	check("FOREIGN-M2P-3", mmu_update_other(mfn_of(page) << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 5, id) < 0,
	      "for a frame that is not the domain's it fails");
	check_eq("FOREIGN-M2P-4", mmu_update_other(ptr, 5, NOBODY), -ESRCH,
		 "for a domain that does not exist it fails with -ESRCH");
	check_eq("FOREIGN-M2P-5", mmu_update_other(ptr, 6, 0x7fff), -ESRCH,
		 "for DOMID_IDLE it fails with -ESRCH");
}

/* frames[3] a table of level 1 whose first entry is frames[4]. */
static void set_table(uint64_t entry)
{
	uint64_t *table = view_of(frames[3], id);

	memset(table, 0, PAGE_SIZE);
	table[0] = entry;
	unmap_other(table);
}

static void tables(void)
{
	uint64_t *table, entry = frames[4] << PAGE_SHIFT | PTE_TABLE;

	set_table(entry);
	check("FOREIGN-PIN-1", mmuext_other(MMUEXT_PIN_L1_TABLE, frames[3], id) == 0,
	      "domain 0 pins a table of the domain");
	check("FOREIGN-PIN-2", map_other(page, frames[3], PTE_DATA, id) < 0,
	      "a table cannot be mapped writable");
	check_eq("FOREIGN-PIN-3", map_other(page, frames[3], PTE_PRESENT | PTE_ACCESSED, id), 0,
		 "but read-only");
	table = (uint64_t *)page;
	check_eq("FOREIGN-PIN-4", table[0] & ~(PTE_GLOBAL | PTE_GUEST_KERNEL), entry,
		 "its entry is as it was written, but for PTE_GLOBAL");
	check_eq("FOREIGN-PIN-5",
		 mmu_update_other(frames[3] << PAGE_SHIFT, 0, (uint32_t)id | ((uint32_t)id + 1) << 16), 0,
		 "mmu_update changes an entry with the domain plus 1 in the upper half of foreigndom");
	check_eq("FOREIGN-PIN-6", *(volatile uint64_t *)table, 0, "then it is changed");
	check("FOREIGN-PIN-7", mmu_update_other(frames[3] << PAGE_SHIFT, entry, id) < 0,
	      "with the lower half alone a table of the domain is not to be changed");
	check_eq("FOREIGN-PIN-8", mmuext_other(MMUEXT_UNPIN_TABLE, frames[3], id), 0, "domain 0 unpins it");
	check_eq("FOREIGN-PIN-9", mmuext_other(MMUEXT_UNPIN_TABLE, frames[3], id), -EINVAL,
		 "unpinning it once more fails with -EINVAL");
	check_eq("FOREIGN-PIN-10", map_other(page, frames[3], PTE_DATA, id), 0,
		 "then it can be mapped writable again");
	check("FOREIGN-PIN-11", mmuext_other(MMUEXT_PIN_L1_TABLE, frames[3], id) < 0,
	      "what is mapped writable cannot be pinned");
	map_back(page);
	set_table(mfn_of(page) << PAGE_SHIFT | PTE_TABLE);
	check("FOREIGN-PIN-12", mmuext_other(MMUEXT_PIN_L1_TABLE, frames[3], id) < 0,
	      "a table with a frame of domain 0 cannot be pinned for the domain");
	set_table(0xfffffffffUL << PAGE_SHIFT | PTE_TABLE);
	check("FOREIGN-PIN-13", mmuext_other(MMUEXT_PIN_L1_TABLE, frames[3], id) < 0,
	      "a table with a frame that does not exist neither");
	check("FOREIGN-PIN-14", mmuext_other(MMUEXT_PIN_L1_TABLE, mfn_of(page), id) < 0,
	      "a frame of domain 0 cannot be pinned for the domain");
	check_eq("FOREIGN-PIN-15", mmuext_other(MMUEXT_PIN_L1_TABLE, frames[3], NOBODY), -ESRCH,
		 "for a domain that does not exist it fails with -ESRCH");
	set_table(0);
}

static void contents(void)
{
	struct mmuext_op op = {.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = frames[5]};
	uint64_t *view = view_of(frames[5], id);
	int64_t r;

	view[7] = 7;
	r = hypercall(mmuext_op, &op, 1, 0, id);
	check("FOREIGN-PAGE-1", r == 0 && view[7] == 0, "MMUEXT_CLEAR_PAGE clears a page of the domain");
	view[7] = 8;
	op = (struct mmuext_op){.cmd = MMUEXT_COPY_PAGE, .arg1.mfn = frames[6], .arg2.src_mfn = frames[5]};
	r = hypercall(mmuext_op, &op, 1, 0, id);
	unmap_other(view);
	view = view_of(frames[6], id);
	check("FOREIGN-PAGE-2", r == 0 && view[7] == 8, "MMUEXT_COPY_PAGE copies between two of its pages");
	unmap_other(view);
	op.arg2.src_mfn = mfn_of(page);
	check("FOREIGN-PAGE-3", hypercall(mmuext_op, &op, 1, 0, id) < 0,
	      "a source that is not the domain's is refused");
}

void test_main(void)
{
	uint64_t before = free_pages();

	id = (uint16_t)create_empty(1);
	domain_max_vcpus(id, 1);
	domain_max_mem(id, 1024);
	domain_populate(id, frames, 16);
	page = page_alloc();
	mapping();
	map_back(page);
	m2p_entries();
	tables();
	contents();
	domain_destroy(id);
	check_eq("FOREIGN-MAP-13", free_pages(), before,
		 "no reference is left: the domain's memory is free when it is destroyed");
}

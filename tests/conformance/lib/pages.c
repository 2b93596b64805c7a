/* SPDX-License-Identifier: MIT */
/*
 * The guest's memory. Boot mapping: va = VIRT_BASE + pfn * 4096, so p2m and m2p translate both
 * ways between addresses and frames, and the boot page tables can be walked as ordinary
 * (read-only) memory. Spare pages live in bss; a page that a test has given away or retyped
 * must be put back before it is freed.
 */
#include "guest.h"

#define POOL_PAGES 512

static uint8_t pool[POOL_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static bool taken[POOL_PAGES];

void *page_alloc(void)
{
	for (unsigned int i = 0; i < POOL_PAGES; i++) {
		if (taken[i])
			continue;
		taken[i] = true;
		return memset(pool[i], 0, PAGE_SIZE);
	}
	bail("no spare page left");
}

void page_free(void *page)
{
	taken[((uint8_t *)page - pool[0]) / PAGE_SIZE] = false;
}

bool page_is_spare(const void *page)
{
	return (const uint8_t *)page >= pool[0] && (const uint8_t *)page < pool[POOL_PAGES];
}

void page_free_all(void)
{
	memset(taken, 0, sizeof(taken));
}

/* Two neighbours, the second unmapped. */
void *page_before_hole(void)
{
	for (unsigned int i = 0; i + 1 < POOL_PAGES; i++) {
		if (taken[i] || taken[i + 1])
			continue;
		taken[i] = taken[i + 1] = true;
		if (map_page(pool[i + 1], 0))
			bail("cannot unmap a page");
		return memset(pool[i], 0, PAGE_SIZE);
	}
	bail("no two spare pages left");
}

uint64_t *p2m(void)
{
	return (uint64_t *)start_info->mfn_list;
}

uint64_t m2p(uint64_t mfn)
{
	return ((uint64_t *)MACH2PHYS_VIRT_START)[mfn];
}

uint64_t mfn_of(const void *address)
{
	return p2m()[((uint64_t)address - VIRT_BASE) >> PAGE_SHIFT];
}

void *va_of_mfn(uint64_t mfn)
{
	return (void *)(VIRT_BASE + (m2p(mfn) << PAGE_SHIFT));
}

uint64_t *entry_of(const void *address, int level)
{
	uint64_t *table = (uint64_t *)start_info->pt_base;
	uint64_t *entry;

	for (int i = 4;; i--) {
		entry = &table[(uint64_t)address >> (PAGE_SHIFT + 9 * (i - 1)) & 511];
		if (i == level)
			return entry;
		if (!(*entry & PTE_PRESENT))
			return NULL;
		table = va_of_mfn((*entry & PTE_ADDR_MASK) >> PAGE_SHIFT);
	}
}

uint64_t entry_maddr(const void *address, int level)
{
	uint64_t *entry = entry_of(address, level);

	return mfn_of(entry) << PAGE_SHIFT | ((uint64_t)entry & (PAGE_SIZE - 1));
}

int64_t map_page(void *address, uint64_t pte)
{
	return hypercall(update_va_mapping, address, pte, UVMF_INVLPG | UVMF_LOCAL);
}

int64_t map_frame(void *address, uint64_t mfn, uint64_t flags)
{
	return map_page(address, mfn << PAGE_SHIFT | flags);
}

void map_back(void *address)
{
	if (map_frame(address, mfn_of(address), PTE_DATA))
		bail("cannot map page %p read-write", address);
}

void make_readonly(void *address)
{
	if (map_frame(address, mfn_of(address), PTE_PRESENT | PTE_ACCESSED))
		bail("cannot map page %p read-only", address);
}

int64_t mmuext(uint32_t cmd, uint64_t mfn, uint64_t arg2)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = mfn, .arg2.src_mfn = arg2 };

	return hypercall(mmuext_op, &op, 1, 0, DOMID_SELF);
}

int64_t mmu_update_one(uint64_t ptr, uint64_t val)
{
	struct mmu_update update = { .ptr = ptr, .val = val };

	return hypercall(mmu_update, &update, 1, 0, DOMID_SELF);
}

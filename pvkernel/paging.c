/* SPDX-License-Identifier: MIT */
/*
 * Page tables that somebody else checks. Under a hypervisor a frame is a page table or it is
 * writable, never both, so every table goes through the same life:
 *
 *	1. a free frame, writable in the direct map: fill it
 *	2. made read-only in every mapping
 *	3. hung into an entry one level up; from now on it is validated, and changed by cpu->set_ptes
 *	4. taken out again, made writable, given back
 *
 * Natively nobody checks, and step 2 is left out. A table of the arena counts its present entries in
 * page_note(), so that it can go when the last one does; tables of the direct map and of the boot
 * address space stay for ever and are not counted.
 */
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"

#define PT_ENTRIES 512
#define VIRT_PAGES (1ul << 18)	/* of VIRT_BASE's GiB */

/* A page of the image whose own frame is given up: any frame may be mapped here while booting. */
static char window[PAGE_SIZE] __attribute__((aligned(4096)));

static u64 root;			/* pfn of the L4 */
static bool direct_map_ready;

static u64 boot_pt_first, boot_pt_end;	/* pfns of the loader's tables */
static u64 pool_first, pool_end;	/* pfns that the direct map's tables are made of */

static unsigned int pt_index(u64 va, unsigned int level)
{
	return va >> (PAGE_SHIFT + 9 * (level - 1)) & (PT_ENTRIES - 1);
}

/* Before the direct map only the loader's tables are looked at, and the image's mapping has those. */
static u64 *table_of(u64 pfn)
{
	return direct_map_ready ? pfn_to_virt(pfn) : (u64 *)(VIRT_BASE + (pfn << PAGE_SHIFT));
}

static u64 *entry_child(u64 entry)
{
	if (!(entry & PTE_PRESENT) || (entry & PTE_PSE))
		return NULL;
	return table_of(mfn_to_pfn((entry & PTE_ADDR_MASK) >> PAGE_SHIFT));
}

u64 *pt_lookup(u64 va)
{
	u64 *table = table_of(root);

	for (unsigned int level = 4; level > 1; level--) {
		table = entry_child(READ_ONCE(table[pt_index(va, level)]));
		if (!table)
			return NULL;
	}
	return &table[pt_index(va, 1)];
}

u64 root_pfn(void)
{
	return root;
}

u64 virt_to_maddr(const void *va)
{
	return pfn_to_mfn(virt_to_pfn(va)) << PAGE_SHIFT | ((u64)va & (PAGE_SIZE - 1));
}

/* --- building the direct map --- */

static bool is_boot_table(u64 pfn)
{
	return (pfn >= boot_pt_first && pfn < boot_pt_end) || (pfn >= pool_first && pfn < pool_end);
}

static bool is_image_constant(u64 pfn)
{
	return pfn >= virt_to_pfn(image_start) && pfn < virt_to_pfn(image_rodata_end);
}

static u64 *window_open(u64 pfn)
{
	if (boot.native)
		return (u64 *)(VIRT_BASE + (pfn << PAGE_SHIFT));
	if (HYPERVISOR_update_va_mapping((u64)window, make_pte(pfn_to_mfn(pfn), PROT_WRITE), UVMF_INVLPG))
		panic("cannot map frame %lu to make a page table of it", pfn);
	return (u64 *)window;
}

static void window_close(void)
{
	if (!boot.native)
		HYPERVISOR_update_va_mapping((u64)window, 0, UVMF_INVLPG);
}

/* How a page table may be mapped while it is one. */
static u64 table_prot(void)
{
	return boot.native ? PROT_WRITE : PROT_READ;
}

static u64 direct_pte(u64 pfn)
{
	u64 mfn = pfn_to_mfn(pfn);

	if (mfn == INVALID_MFN)
		return 0;
	if (is_boot_table(pfn))
		return make_pte(mfn, table_prot());
	return make_pte(mfn, is_image_constant(pfn) ? PROT_READ : PROT_WRITE);
}

/*
 * The tables of a level are numbered; number k of level n is frame pool[n] + k, and its entries are
 * the tables, or the frames, 512 k to 512 k + 511 of the level below.
 */
static u64 pool[4], pool_count[4];

static void fill_table(unsigned int level, u64 k)
{
	u64 *table = window_open(pool[level] + k);

	for (unsigned int i = 0; i < PT_ENTRIES; i++) {
		u64 child = k * PT_ENTRIES + i;

		if (child >= pool_count[level - 1])
			table[i] = 0;
		else if (level == 1)
			table[i] = direct_pte(child);
		else
			table[i] = make_pte(pfn_to_mfn(pool[level - 1] + child), PROT_TABLE);
	}
	window_close();
}

/* Takes frames for the tables from the first range with room. Natively they must be below 1 GiB. */
static void reserve_pool(u64 need)
{
	for (unsigned int i = 0; i < boot.nr_free; i++) {
		struct ram_range *r = &boot.free[i];
		u64 first = MAX(r->first, 1);

		if (first + need <= r->end && (!boot.native || first + need <= VIRT_PAGES)) {
			pool_first = first;
			pool_end = r->first = first + need;
			return;
		}
	}
	panic("no %lu free frames for the page tables of %lu", need, boot.nr_pages);
}

/* Tables bottom up, then one entry in the root makes the hypervisor check them all. */
static void build_direct_map(void)
{
	struct pte_update hook;
	u64 need = 0;

	pool_count[0] = boot.nr_pages;
	for (unsigned int level = 1; level <= 3; level++) {
		pool_count[level] = (pool_count[level - 1] + PT_ENTRIES - 1) / PT_ENTRIES;
		need += pool_count[level];
	}
	ASSERT(pool_count[3] == 1);
	reserve_pool(need);
	for (unsigned int level = 1; level <= 3; level++) {
		pool[level] = level == 1 ? pool_first : pool[level - 1] + pool_count[level - 1];
		for (u64 k = 0; k < pool_count[level]; k++)
			fill_table(level, k);
	}
	hook.ptr = table_of(root) + pt_index(DIRECT_BASE, 4);
	hook.val = make_pte(pfn_to_mfn(pool[3]), PROT_TABLE);
	cpu->set_ptes(4, &hook, 1);
	direct_map_ready = true;
}

/*
 * The loader maps more than the image. A second, writable mapping would keep a frame from ever
 * becoming a page table, so the free ones lose it.
 */
static void unmap_boot_aliases(void)
{
	for (unsigned int i = 0; i < boot.nr_free; i++) {
		for (u64 pfn = boot.free[i].first; pfn < MIN(boot.free[i].end, VIRT_PAGES); pfn++) {
			u64 va = VIRT_BASE + (pfn << PAGE_SHIFT);
			u64 *pte = pt_lookup(va);

			if (!pte)
				break;
			if (*pte & PTE_PRESENT)
				HYPERVISOR_update_va_mapping(va, 0, UVMF_INVLPG);
		}
	}
}

/* Text may not be written and data may not be executed, by us either. */
static void protect_image(void)
{
	for (char *va = image_start; va < image_end; va += PAGE_SIZE) {
		u64 pte = *pt_lookup((u64)va);

		if (!(pte & PTE_PRESENT))
			continue;
		if (va < image_rodata_end)
			pte &= ~(u64)PTE_RW;
		if (va >= image_text_end)
			pte |= pte_nx;
		if (HYPERVISOR_update_va_mapping((u64)va, pte, UVMF_INVLPG))
			panic("cannot protect the page at %p", va);
	}
}

/* The same natively: the first 2 MiB, image included, in small pages, and nothing at address 0. */
static void protect_native_image(void)
{
	extern u64 native_l4[], native_l2[], native_l1[];

	ASSERT((u64)image_end - VIRT_BASE <= PT_ENTRIES * PAGE_SIZE);
	for (u64 pfn = 0; pfn < PT_ENTRIES; pfn++) {
		char *va = (char *)(VIRT_BASE + (pfn << PAGE_SHIFT));
		bool text = va >= image_start && va < image_text_end;

		native_l1[pfn] = make_pte(pfn, text ? PROT_EXEC : is_image_constant(pfn) ? PROT_READ : PROT_WRITE);
	}
	native_l2[0] = make_pte(virt_to_pfn(native_l1), PROT_TABLE);
	for (unsigned int i = 1; i < PT_ENTRIES; i++)
		native_l2[i] |= pte_nx;
	native_l4[0] = 0;
	cpu->flush_tlb();
}

void paging_init(void)
{
	if (boot.native) {
		root = cpu->read_cr3() >> PAGE_SHIFT;
		protect_native_image();
	} else {
		boot_pt_first = virt_to_pfn((void *)boot.start_info->pt_base);
		boot_pt_end = boot_pt_first + boot.start_info->nr_pt_frames;
		root = boot_pt_first;
		unmap_boot_aliases();
		protect_image();
	}
	build_direct_map();
}

/* --- tables of the arena --- */

void page_protect(u64 pfn, u64 prot)
{
	cpu->set_va((u64)pfn_to_virt(pfn), make_pte(pfn_to_mfn(pfn), prot), FLUSH_PAGE);
}

u64 pt_new_table(void)
{
	u64 pfn = page_alloc();

	if (pfn != NO_PAGE) {
		memset(pfn_to_virt(pfn), 0, PAGE_SIZE);
		page_protect(pfn, table_prot());
	}
	return pfn;
}

void pt_free_table(u64 pfn)
{
	page_protect(pfn, PROT_WRITE);
	page_free(pfn);
}

static bool is_root(const u64 *table)
{
	return virt_to_pfn(table) == root;
}

static void set_entry(unsigned int level, u64 *entry, u64 val)
{
	struct pte_update u = { entry, val };

	if (!is_root((u64 *)((u64)entry & PAGE_MASK)))
		*page_note(virt_to_pfn(entry)) += !!(val & PTE_PRESENT) - !!(*entry & PTE_PRESENT);
	cpu->set_ptes(level, &u, 1);
}

/* The L1 table of an arena address, made if need be; NULL when memory is out. */
static u64 *arena_table(u64 va)
{
	u64 *table = pfn_to_virt(root);

	for (unsigned int level = 4; level > 1; level--) {
		u64 *entry = &table[pt_index(va, level)];

		if (!(*entry & PTE_PRESENT)) {
			u64 pfn = pt_new_table();

			if (pfn == NO_PAGE)
				return NULL;
			set_entry(level, entry, make_pte(pfn_to_mfn(pfn), PROT_TABLE));
		}
		table = entry_child(*entry);
	}
	return table;
}

/* Takes out the tables on the way to va that have no entry left, from the lowest up. */
static void prune(u64 va, unsigned int level, u64 *table)
{
	u64 *entry = &table[pt_index(va, level)];
	u64 *child = entry_child(*entry);

	if (!child)
		return;
	if (level > 2)
		prune(va, level - 1, child);
	if (*page_note(virt_to_pfn(child)) == 0) {
		set_entry(level, entry, 0);
		cpu->flush_tlb();
		pt_free_table(virt_to_pfn(child));
	}
}

/* Entries are written in runs that stay within one table, so that one request can carry them. */
#define RUN 32

/* Frames of another domain are asked for in its name, and the hypervisor may refuse them. */
static bool store_run(const struct pte_update *list, unsigned int n, u16 owner)
{
	struct mmu_update req[RUN];

	if (owner == DOMID_SELF) {
		cpu->set_ptes(1, list, n);
		return true;
	}
	for (unsigned int i = 0; i < n; i++)
		req[i] = (struct mmu_update){ virt_to_maddr(list[i].ptr), list[i].val };
	return !HYPERVISOR_mmu_update(req, n, NULL, owner);
}

static unsigned int present_in(const u64 *entries, unsigned int n)
{
	unsigned int present = 0;

	while (n--)
		present += entries[n] & PTE_PRESENT;
	return present;
}

static u64 run_length(u64 va, u64 left)
{
	return MIN(MIN(left, RUN), PT_ENTRIES - pt_index(va, 1));
}

/* False: refused, and any of them may have been stored. */
static bool set_run(u64 va, u64 *table, const u64 *ptes, u64 n, u16 owner)
{
	struct pte_update list[RUN];
	u64 *first = &table[pt_index(va, 1)];
	unsigned int before = present_in(first, n);
	bool stored;

	for (unsigned int i = 0; i < n; i++)
		list[i] = (struct pte_update){ first + i, ptes ? ptes[i] : 0 };
	stored = store_run(list, n, owner);
	*page_note(virt_to_pfn(table)) += present_in(first, n) - before;
	return stored;
}

bool pt_map_owned(u64 va, const u64 *ptes, u64 count, u16 owner)
{
	for (u64 done = 0, n; done < count; done += n) {
		u64 at = va + (done << PAGE_SHIFT), *table = arena_table(at);

		n = run_length(at, count - done);
		if (!table || !set_run(at, table, ptes + done, n, owner)) {
			pt_unmap(va, done + (table ? n : 0));
			prune(at, 4, pfn_to_virt(root));
			return false;
		}
	}
	return true;
}

void pt_unmap(u64 va, u64 count)
{
	for (u64 done = 0, n; done < count; done += n) {
		u64 at = va + (done << PAGE_SHIFT), *pte = pt_lookup(at);

		ASSERT(pte);
		n = run_length(at, count - done);
		set_run(at, (u64 *)((u64)pte & PAGE_MASK), NULL, n, DOMID_SELF);
	}
	cpu->flush_tlb();
	for (u64 done = 0; done < count; done++) {
		u64 at = va + (done << PAGE_SHIFT);

		if (done == count - 1 || pt_index(at, 1) == PT_ENTRIES - 1)
			prune(at, 4, pfn_to_virt(root));
	}
}

/* To the end of va's table, or of what is left. */
static u64 in_table(u64 va, u64 left)
{
	return MIN(left, PT_ENTRIES - pt_index(va, 1));
}

/* A reserved entry counts as present, so that its table stays whoever fills it. */
bool pt_reserve(u64 va, u64 count)
{
	for (u64 done = 0, n; done < count; done += n) {
		u64 at = va + (done << PAGE_SHIFT), *table = arena_table(at);

		n = in_table(at, count - done);
		if (!table) {
			pt_unreserve(va, done);
			prune(at, 4, pfn_to_virt(root));
			return false;
		}
		*page_note(virt_to_pfn(table)) += n;
	}
	return true;
}

void pt_unreserve(u64 va, u64 count)
{
	for (u64 done = 0, n; done < count; done += n) {
		u64 at = va + (done << PAGE_SHIFT), *pte = pt_lookup(at);

		ASSERT(pte);
		n = in_table(at, count - done);
		*page_note(virt_to_pfn(pte)) -= n;
		prune(at, 4, pfn_to_virt(root));
	}
}

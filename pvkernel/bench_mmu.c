/* SPDX-License-Identifier: MIT */
/*
 * Bench: page-table updates. 64 pages of one L1 table, each with a frame of its own and a second one to swap it
 * with; every loop leaves the entries as it found them.
 */
#include <abi/mmu.h>

#include "bench.h"
#include "boot.h"
#include "hypercall.h"
#include "insn.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"

#define PAGES 64

static u64 *area, area_va;		/* what vmalloc gave; 64 pages in it that share an L1 */
static u64 entry[PAGES], other[PAGES];	/* the entries, and those of the second frames */

static void area_begin(void)
{
	area = vmalloc(2 * PAGES * PAGE_SIZE);
	ASSERT(area);
	area_va = ((u64)area + PAGES * PAGE_SIZE - 1) & ~(PAGES * PAGE_SIZE - 1);
	for (int i = 0; i < PAGES; i++) {
		u64 pfn = page_alloc();

		ASSERT(pfn != NO_PAGE);
		entry[i] = *pt_lookup(area_va + i * PAGE_SIZE) | PTE_DIRTY | PTE_ACCESSED;
		other[i] = make_pte(pfn_to_mfn(pfn), PROT_WRITE);
		cpu->set_va(area_va + i * PAGE_SIZE, entry[i], FLUSH_PAGE);
	}
}

static void area_end(void)
{
	for (int i = 0; i < PAGES; i++)
		page_free(mfn_to_pfn((other[i] & PTE_ADDR_MASK) >> PAGE_SHIFT));
	vfree(area);
}

/* The two values that page i has in turn; the second is the one that it keeps. */
static u64 swap_value(int i, int turn) { return turn ? entry[i] : other[i]; }
static u64 map_value(int i, int turn) { return turn ? entry[i] : 0; }
static u64 flag_value(int i, int turn) { return turn ? entry[i] : entry[i] & ~(u64)PTE_DIRTY; }
static u64 same_value(int i, int turn) { return entry[i]; }

static void requests(u64 *arg, u64 (*value)(int, int))
{
	for (int turn = 0; turn < 2; turn++) {
		struct mmu_update *req = bench_page();

		for (int i = 0; i < PAGES; i++)
			req[i] = (struct mmu_update){ virt_to_maddr(pt_lookup(area_va + i * PAGE_SIZE)), value(i, turn) };
		arg[turn] = (u64)req;
	}
}

static void mmu_swap(u64 *arg) { requests(arg, swap_value); }
static void mmu_map(u64 *arg) { requests(arg, map_value); }
static void mmu_flags(u64 *arg) { requests(arg, flag_value); }
static void mmu_same(u64 *arg) { requests(arg, same_value); }

/* For update_va_mapping the address; for a plain store the entry's, and for invlpg the address in arg[3]. */
static void one_page(u64 *arg, u64 (*value)(int, int), u64 flags)
{
	arg[0] = boot.native ? (u64)pt_lookup(area_va) : area_va;
	arg[1] = value(0, 0);
	arg[2] = value(0, 1);
	arg[3] = boot.native ? area_va : flags;
}

static void uvm_swap(u64 *arg) { one_page(arg, swap_value, UVMF_NONE); }
static void uvm_map(u64 *arg) { one_page(arg, map_value, UVMF_NONE); }
static void uvm_flags(u64 *arg) { one_page(arg, flag_value, UVMF_NONE); }
static void uvm_swap_invlpg(u64 *arg) { one_page(arg, swap_value, UVMF_INVLPG); }
static void uvm_map_invlpg(u64 *arg) { one_page(arg, map_value, UVMF_INVLPG); }
static void uvm_swap_flush(u64 *arg) { one_page(arg, swap_value, UVMF_TLB_FLUSH); }

static void store(u64 *arg, u64 (*value)(int, int))
{
	one_page(arg, value, 0);
	arg[0] = (u64)pt_lookup(area_va);
}

static void store_swap(u64 *arg) { store(arg, swap_value); }
static void store_map(u64 *arg) { store(arg, map_value); }
static void store_flags(u64 *arg) { store(arg, flag_value); }

/* --- pinning --- */

static u64 pinned_mfn;

/* Requests to pin a table and to unpin it, in the order first, second. */
static void pin_requests(u64 *arg, void *table, unsigned int level, bool unpin_first)
{
	struct mmuext_op *op = bench_page();
	u64 pfn = virt_to_pfn(table);

	pinned_mfn = pfn_to_mfn(pfn);
	page_protect(pfn, PROT_READ);
	op[0] = (struct mmuext_op){ .cmd = MMUEXT_PIN_L1_TABLE + level - 1, .arg1.mfn = pinned_mfn };
	op[1] = (struct mmuext_op){ .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = pinned_mfn };
	arg[0] = (u64)&op[unpin_first];
	arg[1] = (u64)&op[!unpin_first];
	if (unpin_first)
		bench_check("pin", HYPERVISOR_mmuext_op(&op[0], 1, NULL, DOMID_SELF));
}

static void unpin(void)
{
	struct mmuext_op op = { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = pinned_mfn };

	bench_check("unpin", HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF));
}

static void *full_l1(void)
{
	u64 *table = bench_page();

	for (int i = 0; i < 512; i++)
		table[i] = entry[i % PAGES];
	return table;
}

/* A root that knows the image and the direct map. */
static void *root_copy(void)
{
	u64 *copy = bench_page();

	memcpy(copy, pfn_to_virt(root_pfn()), PAGE_SIZE);
	memset(copy + 256, 0, 16 * sizeof(*copy));
	copy[ARENA_BASE >> 39 & 511] = 0;
	return copy;
}

static void pin_empty(u64 *arg) { pin_requests(arg, bench_page(), 1, false); }
static void unpin_empty(u64 *arg) { pin_requests(arg, bench_page(), 1, true); }
static void pin_full(u64 *arg) { pin_requests(arg, full_l1(), 1, false); }
static void unpin_full(u64 *arg) { pin_requests(arg, full_l1(), 1, true); }
static void pin_root(u64 *arg) { pin_requests(arg, root_copy(), 4, false); }
static void unpin_root(u64 *arg) { pin_requests(arg, root_copy(), 4, true); }

static const struct bench tables[] = {
	{ .name = "mmu_update_0", loop_mmu_update_0, NULL, 1, mmu_same },
	{ .name = "mmu_update_1_swap", loop_mmu_update_1, NULL, 2, mmu_swap },
	{ .name = "mmu_update_1_mapunmap_each", loop_mmu_update_1, NULL, 2, mmu_map },
	{ .name = "mmu_update_1_flags", loop_mmu_update_1, NULL, 2, mmu_flags },
	{ .name = "mmu_update_1_same", loop_mmu_update_1, NULL, 2, mmu_same },
	{ .name = "mmu_update_64_swap_per_pte", loop_mmu_update_64, NULL, 128, mmu_swap, NULL, 10 },
	{ .name = "mmu_update_64_mapunmap_per_pte", loop_mmu_update_64, NULL, 128, mmu_map, NULL, 10 },
	{ .name = "mmu_update_64_flags_per_pte", loop_mmu_update_64, NULL, 128, mmu_flags, NULL, 10 },
	{ .name = "uvm_swap", loop_uvm, loop_store_two, 2, uvm_swap },
	{ .name = "uvm_mapunmap_each", loop_uvm, loop_store_two, 2, uvm_map },
	{ .name = "uvm_flags", loop_uvm, loop_store_two, 2, uvm_flags },
	{ .name = "uvm_swap_invlpg", loop_uvm, loop_store_two_invlpg, 2, uvm_swap_invlpg },
	{ .name = "uvm_mapunmap_invlpg_each", loop_uvm, loop_store_two_invlpg, 2, uvm_map_invlpg },
	{ .name = "uvm_swap_tlbflush", loop_uvm, loop_store_two_flush, 2, uvm_swap_flush },
	{ .name = "ptwr_swap", loop_store_two, loop_store_two, 2, store_swap },
	{ .name = "ptwr_mapunmap_each", loop_store_zero_one, loop_store_zero_one, 2, store_map },
	{ .name = "ptwr_flags", loop_store_two, loop_store_two, 2, store_flags },
	{ .name = "pin_l1_empty", loop_only_mmuext, NULL, 1, pin_empty, NULL, 10, loop_only_empty },
	{ .name = "unpin_l1_empty", loop_only_mmuext, NULL, 1, unpin_empty, unpin, 10, loop_only_empty },
	{ .name = "pin_l1_512", loop_only_mmuext, NULL, 1, pin_full, NULL, 20, loop_only_empty },
	{ .name = "unpin_l1_512", loop_only_mmuext, NULL, 1, unpin_full, unpin, 20, loop_only_empty },
	{ .name = "pin_l4", loop_only_mmuext, NULL, 1, pin_root, NULL, 10, loop_only_empty },
	{ .name = "unpin_l4", loop_only_mmuext, NULL, 1, unpin_root, unpin, 10, loop_only_empty },
};

const struct bench_group bench_mmu = { .title = "-- page tables", tables, ARRAY_SIZE(tables), area_begin, area_end };

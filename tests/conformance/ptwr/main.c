/* SPDX-License-Identifier: MIT */
/*
 * Writable page tables: with the assist on, a store of the guest kernel to an L1 that is mapped
 * read-only is checked and carried out as if it had been an mmu_update.
 */
#include "guest.h"

static uint64_t *table;

INSTRUCTION(store_zero, "movq $0, (%0)")
INSTRUCTION(store_byte, "movb $0, 1(%0)")
INSTRUCTION(store_dword, "movl $0, (%0)")
INSTRUCTION(lock_bts, "lock btsq $9, (%0)")
INSTRUCTION(lock_btr, "lock btrq $9, (%0)")
INSTRUCTION(lock_and_byte, "lock andb $0xfd, (%0)")
INSTRUCTION(exchange, "xor %%ebx, %%ebx; xchg %%rbx, (%0); mov %%rbx, %0")
INSTRUCTION(store_16_bytes, "movdqu %%xmm0, (%0)")

static uint64_t compare_exchange(uint64_t address)
{
	uint64_t *p = (uint64_t *)address;
	uint64_t old = *p;

	return __atomic_compare_exchange_n(p, &old, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static uint64_t rep_stos(uint64_t address)
{
	uint64_t count = 4;

	__asm__ volatile("rep stosq" : "+D"(address), "+c"(count) : "a"(0UL) : "memory");
	return count;
}

static uint64_t entry_for(const void *page, uint64_t flags)
{
	return mfn_of(page) << PAGE_SHIFT | flags;
}

/* Put a good entry into slot n by mmu_update and return where it can be read and stored to. */
static uint64_t slot_with(int n, const void *page, uint64_t flags)
{
	mmu_update_one((mfn_of(table) << PAGE_SHIFT) + (uint64_t)n * 8, entry_for(page, flags));
	return (uint64_t)&table[n];
}

static void without_assist(void)
{
	struct attempt a = attempt(store_zero, (uint64_t)table);

	check("PTWR-1", a.vector == VECTOR_PF && a.regs.error_code == 3 && a.cr2 == (uint64_t)table,
	      "without the assist a store is a page fault");
}

static void stores(void)
{
	void *data = page_alloc();
	uint64_t at = slot_with(1, data, PTE_DATA);
	struct attempt a;

	check_eq("PTWR-2", hypercall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0,
		 "the assist is turned on");
	check("PTWR-3", attempt(store_zero, at).vector == NO_TRAP && table[1] == 0,
	      "a store of 8 bytes takes effect");
	check("PTWR-4",
	      attempt_write((void *)at, entry_for(data, PTE_DATA)).vector == NO_TRAP &&
		      (table[1] & PTE_ADDR_MASK) == mfn_of(data) << PAGE_SHIFT &&
		      (table[1] & PTE_GUEST_KERNEL),
	      "a good entry is stored as mmu_update would");
	check("PTWR-5", attempt(lock_bts, at).vector == NO_TRAP && (table[1] & 0x200), "lock bts");
	check("PTWR-6", attempt(lock_btr, at).vector == NO_TRAP && !(table[1] & 0x200), "lock btr");
	check("PTWR-7", attempt(lock_and_byte, at).vector == NO_TRAP && !(table[1] & PTE_RW),
	      "lock and of one byte");
	a = attempt(exchange, at);
	check("PTWR-8", a.vector == NO_TRAP && (a.value & PTE_PRESENT) && table[1] == 0,
	      "xchg gives the old entry");
	slot_with(1, data, PTE_DATA);
	a = attempt(compare_exchange, at);
	check("PTWR-9", a.vector == NO_TRAP && a.value == 1 && table[1] == 0, "lock cmpxchg");
	a = attempt(rep_stos, (uint64_t)&table[8]);
	check("PTWR-10", a.vector == NO_TRAP && a.value == 0, "rep stos over several entries");
	slot_with(1, data, PTE_DATA | PTE_AVAIL);
	check("PTWR-11", attempt(store_byte, at).vector == NO_TRAP && !(table[1] & 0xff00),
	      "a store of one byte");
	mmu_update_one((mfn_of(table) << PAGE_SHIFT) + 16, 0x1234567800000000);
	check("PTWR-12",
	      attempt(store_dword, (uint64_t)&table[2]).vector == NO_TRAP &&
		      table[2] == 0x1234567800000000,
	      "a store of four bytes leaves the others");
}

static void refused_stores(void)
{
	void *data = page_alloc();
	uint64_t at = slot_with(1, data, PTE_DATA);
	struct attempt a = attempt_write((void *)at, boot_l4_mfn() << PAGE_SHIFT | PTE_DATA);

	check("PTWR-13", a.vector == VECTOR_PF && a.regs.error_code == 3,
	      "an entry that would map a page table read-write: #PF");
	check_eq("PTWR-14", table[1] & PTE_ADDR_MASK, mfn_of(data) << PAGE_SHIFT,
		 "and the old entry stays");
	a = attempt_write((void *)at, 0x8000000000UL << PAGE_SHIFT | PTE_DATA);
	check("PTWR-15", a.vector == VECTOR_PF && a.regs.error_code == 3,
	      "an entry of a frame beyond the machine: #PF");
	check_eq("PTWR-16", attempt(store_16_bytes, at).vector, VECTOR_PF, "a store of 16 bytes: #PF");
	check_eq("PTWR-17", attempt(store_zero, at + 4).vector, VECTOR_PF,
		 "a store across two entries: #PF");
	check_eq("PTWR-18", attempt(store_zero, start_info->pt_base + 8).vector, VECTOR_PF,
		 "a store to an L4: #PF");
	check_eq("PTWR-19", run_user(store_zero, at).vector, VECTOR_PF, "a store of user mode: #PF");
}

static void assist_off(void)
{
	hypercall(vm_assist, VMASST_CMD_disable, VMASST_TYPE_writable_pagetables);
	check_eq("PTWR-20", attempt(store_zero, (uint64_t)table).vector, VECTOR_PF,
		 "with the assist off again: #PF");
}

void test_main(void)
{
	table = page_alloc();
	make_readonly(table);
	if (mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0))
		bail("no L1 to store to");
	without_assist();
	stores();
	refused_stores();
	assist_off();
}

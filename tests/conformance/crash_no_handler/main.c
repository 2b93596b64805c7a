/* SPDX-License-Identifier: MIT */
/* An exception that has no handler ends the domain. */
#include "guest.h"

/* Address 0 has code that ends the domain in another way, so that jumping there does not look right. */
static void not_here(void)
{
	finish();
}

static void map_address_0(void)
{
	uint64_t *l3 = page_alloc(), *l2 = page_alloc(), *l1 = page_alloc();
	uint8_t *code = page_alloc();
	uint64_t target = (uint64_t)not_here;

	code[0] = 0x48;
	code[1] = 0xb8;
	memcpy(code + 2, &target, 8);
	code[10] = 0xff;
	code[11] = 0xe0;
	l1[0] = mfn_of(code) << PAGE_SHIFT | PTE_PRESENT | PTE_USER;
	l2[0] = mfn_of(l1) << PAGE_SHIFT | PTE_TABLE;
	l3[0] = mfn_of(l2) << PAGE_SHIFT | PTE_TABLE;
	make_readonly(l1);
	make_readonly(l2);
	make_readonly(l3);
	if (mmu_update_one(entry_maddr(NULL, 4), mfn_of(l3) << PAGE_SHIFT | PTE_TABLE))
		bail("address 0 cannot be mapped");
}

void test_main(void)
{
	map_address_0();
	check_eq("TRAP-33", hypercall(set_trap_table, 0), 0, "NULL takes all handlers away");
	ending("TRAP-34", "crash", "an exception without a handler");
	__asm__ volatile("ud2");
}

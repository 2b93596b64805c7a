/* SPDX-License-Identifier: MIT */
/* update_descriptor: one descriptor in a page of them, and the LDT, whose pages are checked when used.
 */
#include "guest.h"

#define CODE_DPL0 0x00af9a000000ffffUL
#define INTERRUPT_GATE 0x00008e0000000000UL
#define DATA_AT(base) (0x0040f20000000fffUL | ((base)&0xffffff) << 16 | ((base) >> 24 & 0xff) << 56)
#define NOT_PRESENT 0x0000720000000000UL
/* A call gate, DPL 3, to selector 0xe008. */
#define GATE_TO_HYPERVISOR (0x0000ec0000000000UL | 0xe008UL << 16)
#define SELECTOR(n) ((n)*8 | 3)

static uint64_t *gdt;

static uint64_t maddr_of(const void *p)
{
	return mfn_of(p) << PAGE_SHIFT | ((uint64_t)p & (PAGE_SIZE - 1));
}

static int64_t update(uint64_t maddr, uint64_t descriptor)
{
	return hypercall(update_descriptor, maddr, descriptor);
}

static uint64_t load_fs(uint64_t selector)
{
	uint64_t value;

	__asm__ volatile("mov %1, %%fs; mov %%fs:0, %0" : "=r"(value) : "r"(selector));
	return value;
}

static void in_use(void)
{
	uint64_t mfn = mfn_of(gdt);
	struct attempt a;

	make_readonly(gdt);
	if (hypercall(set_gdt, &mfn, 16))
		bail("no GDT");
	check("DESC-1", update(maddr_of(gdt + 9), CODE_DPL0) == 0 && (gdt[9] >> 45 & 3) == 3,
	      "a code descriptor with DPL 0 is stored with DPL 3");
	check("DESC-2",
	      update(maddr_of(gdt + 9), INTERRUPT_GATE) == -EINVAL && (gdt[9] >> 40 & 0x1f) == 0x1a,
	      "an interrupt gate is refused");
	check_eq("DESC-7", update(maddr_of(gdt + 9), GATE_TO_HYPERVISOR), -EINVAL,
		 "so is a call gate into the hypervisor");
	check("DESC-8", update(maddr_of(gdt + 10), NOT_PRESENT) == 0 && gdt[10] == NOT_PRESENT,
	      "one that is not present is stored as it is");
	a = attempt(load_fs, SELECTOR(10));
	check("DESC-10", a.vector == VECTOR_NP && a.regs.error_code == 10 * 8, "loading it is #NP");
	update(maddr_of(gdt + 11), DATA_AT(0x123000UL));
	attempt(load_fs, SELECTOR(11));
	update(maddr_of(gdt + 11), DATA_AT(0x456000UL));
	a = attempt(load_fs, SELECTOR(11));
	check("DESC-9", a.vector == VECTOR_PF && a.cr2 == 0x456000,
	      "the next load uses the new descriptor");
}

static void elsewhere(void)
{
	uint64_t *page = page_alloc(), l4 = *(uint64_t *)start_info->pt_base;

	check("DESC-5",
	      update(maddr_of(page + 2), CODE_DPL0) == 0 &&
		      (page[2] | 3UL << 45) == (CODE_DPL0 | 3UL << 45),
	      "an ordinary page is written as well");
	check_eq("DESC-3", update(maddr_of(page) + 4, CODE_DPL0), -EINVAL,
		 "an address that is not a multiple of 8");
	check_eq("DESC-4", update(0xffffffffffffff8, CODE_DPL0), -EINVAL, "a frame that does not exist");
	check("DESC-6",
	      update(boot_l4_mfn() << PAGE_SHIFT, 0) == -EINVAL &&
		      *(uint64_t *)start_info->pt_base == l4,
	      "a page table");
}

static void ldt(void)
{
	uint64_t *page = page_alloc();
	struct attempt a;

	page[1] = DATA_AT(0x789000UL);
	make_readonly(page);
	mmuext(MMUEXT_SET_LDT, (uint64_t)page, 16);
	a = attempt(load_fs, SELECTOR(1) | 4);
	check("MMUEXT-61", a.vector == VECTOR_PF && a.cr2 == 0x789000,
	      "a selector of the LDT can be loaded (vector %d cr2 %lx)", a.vector, a.cr2);
	a = attempt(load_fs, SELECTOR(16) | 4);
	check("DESC-11", a.vector == VECTOR_GP && a.regs.error_code == (16 * 8 | 4),
	      "a selector beyond the LDT's entries is #GP (vector %d)", a.vector);
	check("MMUEXT-62",
	      map_frame(page, mfn_of(page), PTE_DATA) == -EBUSY && mmuext(MMUEXT_SET_LDT, 0, 0) == 0 &&
		      map_frame(page, mfn_of(page), PTE_DATA) == 0,
	      "a page in use cannot be mapped read-write until the LDT goes");
}

void test_main(void)
{
	gdt = page_alloc();
	in_use();
	elsewhere();
	ldt();
}

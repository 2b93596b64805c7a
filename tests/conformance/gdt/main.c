/* SPDX-License-Identifier: MIT */
/* The guest's GDT: pages of descriptors, checked when they are given, read-only while in use. */
#include "guest.h"

#define DATA 0x00cff2000000ffffUL /* DPL 3, base 0 */
#define DATA_AT(base) (0x0040f20000000fffUL | ((base)&0xffffff) << 16 | ((base) >> 24 & 0xff) << 56)
#define CODE_DPL0 0x00af9a000000ffffUL
#define INTERRUPT_GATE 0x00008e0000000000UL
#define TSS 0x0000890000000067UL
#define SELECTOR(n) ((n)*8 | 3)

static uint64_t *gdt;

static int64_t set(const uint64_t *frames, uint64_t entries)
{
	return hypercall(set_gdt, frames, entries);
}

static int64_t set_one(uint64_t mfn, uint64_t entries)
{
	return set(&mfn, entries);
}

static uint64_t load_fs(uint64_t selector)
{
	uint64_t value;

	__asm__ volatile("mov %1, %%fs; mov %%fs:0, %0" : "=r"(value) : "r"(selector));
	return value;
}

static bool refused_with(uint64_t descriptor)
{
	uint64_t *page = page_alloc();
	bool refused;

	page[1] = descriptor;
	make_readonly(page);
	refused = set_one(mfn_of(page), 2) == -EINVAL;
	map_back(page);
	return refused;
}

/* A word below 4 GiB that a descriptor's base can name: the lowest pages of the boot mapping cannot. */
static void contents(void)
{
	struct attempt a = attempt(load_fs, SELECTOR(1));

	check_eq("GDT-9", gdt[2] & 0x60f80000000000UL,
		 (CODE_DPL0 & 0x60980000000000UL) | 0x600000000000UL,
		 "a code descriptor with DPL 0 has DPL 3 now");
	check("GDT-8", a.vector == VECTOR_PF && a.cr2 == 0x123000,
	      "a selector can be loaded and has its base (vector %d cr2 %lx)", a.vector, a.cr2);
}

static void refusals(void)
{
	static uint64_t many[16];
	struct attempt a;

	check_eq("GDT-3", set(many, FIRST_RESERVED_GDT_ENTRY + 1), -EINVAL,
		 "more than 7168 descriptors");
	check_eq("GDT-5", set((uint64_t *)UNMAPPED, 2), -EFAULT, "an unmapped list");
	check_eq("GDT-6", set_one(0xffffffffff, 2), -EINVAL, "a frame that does not exist");
	check("GDT-7", refused_with(INTERRUPT_GATE) && refused_with(TSS), "a system descriptor");
	check_eq("GDT-13", set_one(boot_l4_mfn(), 2), -EINVAL, "a page table");
	a = attempt(load_fs, SELECTOR(1));
	check("GDT-12", a.vector == VECTOR_PF && a.cr2 == 0x123000,
	      "after all that the old GDT is still in force");
	check("GDT-11", attempt(load_fs, FLAT_RING3_DS32).vector == VECTOR_PF,
	      "the flat selectors are there as well");
}

void test_main(void)
{
	gdt = page_alloc();
	gdt[1] = DATA_AT(0x123000UL);
	gdt[2] = CODE_DPL0;
	check_eq("GDT-2", set_one(mfn_of(gdt), 3), -EINVAL, "a page that is mapped read-write");
	make_readonly(gdt);
	check_eq("GDT-1", set_one(mfn_of(gdt), 3), 0, "mapped read-only it is good");
	check_eq("GDT-4", map_frame(gdt, mfn_of(gdt), PTE_DATA), -EBUSY,
		 "in use it cannot be mapped read-write");
	contents();
	refusals();
	__asm__ volatile("mov %0, %%fs" : : "r"(0));
	check("GDT-10", set(NULL, 0) == 0 && map_frame(gdt, mfn_of(gdt), PTE_DATA) == 0,
	      "without entries the GDT goes, its page is free");
}

/* SPDX-License-Identifier: MIT */
/*
 * Instructions that need ring 0, tried by the guest kernel in ring 3: done for the vCPU, or #GP.
 */
#include "guest.h"

INSTRUCTION(read_cr0, "mov %%cr0, %0")
INSTRUCTION(write_cr0, "mov %0, %%cr0")
INSTRUCTION(read_cr2, "mov %%cr2, %0")
INSTRUCTION(write_cr2, "mov %0, %%cr2")
INSTRUCTION(read_cr3, "mov %%cr3, %0")
INSTRUCTION(write_cr3, "mov %0, %%cr3")
INSTRUCTION(read_cr4, "mov %%cr4, %0")
INSTRUCTION(write_cr4, "mov %0, %%cr4")
INSTRUCTION(read_cr8, "mov %%cr8, %0")
INSTRUCTION(write_cr8, "mov %0, %%cr8")
INSTRUCTION(hlt, "hlt")
INSTRUCTION(invd, "invd")
INSTRUCTION(wbinvd, "wbinvd")
INSTRUCTION(swapgs, "swapgs")
INSTRUCTION(rdpmc, "xor %%ecx, %%ecx; rdpmc")
INSTRUCTION(xsetbv, "xor %%ecx, %%ecx; xor %%edx, %%edx; mov $1, %%eax; xsetbv")
INSTRUCTION(invlpg, "invlpg (%%rsp)")
INSTRUCTION(lgdt, "lgdt (%0)")
INSTRUCTION(lidt, "lidt (%0)")
INSTRUCTION(ltr, "xor %%ebx, %%ebx; ltr %%bx")
INSTRUCTION(lldt, "xor %%ebx, %%ebx; lldt %%bx")
INSTRUCTION(lmsw, "mov $1, %%ebx; lmsw %%bx")
INSTRUCTION(sysret, "mov $0x200, %%r11d; sysretq")
INSTRUCTION(
	pushf_popf,
	"pushfq; pop %0; mov %0, %%rbx; and $~0x200, %%rbx; push %%rbx; popfq; pushfq; pop %%rbx; and %%rbx, %0")
INSTRUCTION(rdfsbase, "rdfsbase %0")
INSTRUCTION(rdtsc, "rdtsc; shl $32, %%rdx; or %%rdx, %0")

static uint64_t value_of(uint64_t (*function)(uint64_t))
{
	return attempt(function, 0).value;
}

static bool is_gp(uint64_t (*function)(uint64_t), uint64_t argument)
{
	struct attempt a = attempt(function, argument);

	return a.vector == VECTOR_GP && a.regs.error_code == 0;
}

static bool is_done(uint64_t (*function)(uint64_t), uint64_t argument)
{
	return attempt(function, argument).vector == NO_TRAP;
}

static void cr0_and_cr2(void)
{
	uint64_t cr0 = value_of(read_cr0);

	check_eq("PRIV-1", cr0, 0x80050033, "CR0");
	check("PRIV-4", is_gp(write_cr0, cr0 ^ 0x10000) && value_of(read_cr0) == cr0,
	      "WP cannot be changed");
	check("PRIV-5", is_done(write_cr0, cr0), "the same value can be written");
	check("PRIV-6", is_done(write_cr2, 0x123456789) && value_of(read_cr2) == 0x123456789,
	      "CR2 can be written");
}

static void cr3(void)
{
	uint64_t root = boot_l4_mfn() << PAGE_SHIFT;

	check_eq("PRIV-2", value_of(read_cr3), root, "CR3 is the machine address of the root");
	check("PRIV-7", is_done(write_cr3, root), "it can be written back");
	check("PRIV-8",
	      is_gp(write_cr3, mfn_of(page_alloc()) << PAGE_SHIFT) && value_of(read_cr3) == root,
	      "a data page cannot be the root");
}

#define CR4_FSGSBASE 0x10000UL
#define CR4_TSD 0x4UL
#define CR4_DE 0x8UL
#define CR4_FORBIDDEN (1UL << 13 | 1UL << 17 | 1UL << 20 | 1UL << 21)

/* A processor without RDFSBASE keeps the bit clear, and the instruction #UD. */
static void fsgsbase(uint64_t cr4)
{
	bool refused = attempt(rdfsbase, 0).vector == VECTOR_UD;

	attempt(write_cr4, cr4 | CR4_FSGSBASE);
	check("PRIV-29", refused && is_done(rdfsbase, 0) == !!(value_of(read_cr4) & CR4_FSGSBASE),
	      "RDFSBASE works when CR4.FSGSBASE is set");
	attempt(write_cr4, cr4);
}

static void cr4(void)
{
	uint64_t value = value_of(read_cr4);

	check_eq("PRIV-3", value, 0x660, "CR4 at the start");
	check("PRIV-9", is_done(write_cr4, value), "the same value can be written");
	check("PRIV-10",
	      is_done(write_cr4, value | CR4_DE | CR4_TSD) &&
		      value_of(read_cr4) == (value | CR4_DE | CR4_TSD) && is_done(write_cr4, value) &&
		      value_of(read_cr4) == value,
	      "DE and TSD can be set and cleared");
	attempt(write_cr4, value | CR4_FORBIDDEN);
	check_eq("PRIV-11", value_of(read_cr4) & CR4_FORBIDDEN, 0,
		 "VMXE, PCIDE, SMEP and SMAP cannot be set");
	check("PRIV-30", is_done(write_cr4, 0) && value_of(read_cr4) == value,
	      "what a guest may not change stays set");
	fsgsbase(value);
}

static void refused(void)
{
	static uint64_t descriptor[2];
	struct attempt a = attempt(hlt, 0);

	check("PRIV-12", a.vector == VECTOR_GP && a.regs.error_code == 0, "HLT");
	check("PRIV-25", *(uint8_t *)a.regs.rip == 0xf4, "the frame has the instruction's own address");
	check("PRIV-13", is_gp(lgdt, (uint64_t)descriptor), "LGDT");
	check("PRIV-14", is_gp(lidt, (uint64_t)descriptor), "LIDT");
	check("PRIV-15", is_gp(ltr, 0) && is_gp(lldt, 0), "LTR and LLDT");
	check("PRIV-16", is_gp(invlpg, 0), "INVLPG");
	check("PRIV-17", is_gp(invd, 0), "INVD");
	check("PRIV-18", is_gp(swapgs, 0), "SWAPGS");
	check("PRIV-19", is_gp(rdpmc, 0), "RDPMC");
	check("PRIV-20", is_gp(read_cr8, 0) && is_gp(write_cr8, 0), "CR8, read and written");
	check("PRIV-26", is_gp(lmsw, 0), "LMSW");
	check("PRIV-27", is_gp(sysret, 0), "SYSRET");
	check_eq("PRIV-22", attempt(xsetbv, 0).vector, VECTOR_UD,
		 "XSETBV while CR4.OSXSAVE is clear is #UD");
}

/* MOV from CR0 of which one byte lies on one page and two on the next. */
static bool across_pages(void)
{
	uint8_t *two = (uint8_t *)page_before_hole() + 2 * PAGE_SIZE, *code = two + PAGE_SIZE - 1;
	static const uint8_t bytes[] = { 0x0f, 0x20, 0xc0, 0xc3 };

	memcpy(code, bytes, sizeof(bytes));
	return value_of((uint64_t(*)(uint64_t))(uint64_t)code) == value_of(read_cr0);
}

static void unprivileged(void)
{
	uint64_t first, second, third;

	check("PRIV-21", is_done(wbinvd, 0), "WBINVD is done");
	check_eq("PRIV-23", value_of(pushf_popf) & 0x200, 0x200,
		 "IF reads set, and POPF does not clear it");
	first = value_of(rdtsc);
	second = run_user(rdtsc, 0).value;
	third = value_of(rdtsc);
	check("PRIV-24", first && first <= second && second <= third, "RDTSC in kernel and user mode");
	check("PRIV-28", across_pages(), "an instruction across two pages is done");
}

void test_main(void)
{
	cr0_and_cr2();
	cr3();
	cr4();
	refused();
	unprivileged();
}

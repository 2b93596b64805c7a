/* SPDX-License-Identifier: MIT */
/*
 * What each exception of the guest kernel brings: vector, error code, and for a page fault the
 * address, in vcpu_info and through MOV from CR2.
 */
#include "guest.h"

static uint64_t read_cr2(uint64_t unused)
{
	uint64_t value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static uint64_t execute(uint64_t address)
{
	((void (*)(void))address)();
	return 0;
}

static void page_faults(void)
{
	void *page = page_alloc();
	struct attempt a = attempt_read((void *)UNMAPPED);

	check("EXC-1", a.vector == VECTOR_PF && a.regs.error_code == 0,
	      "read of an unmapped address: #PF, error code 0");
	check_eq("EXC-2", a.cr2, UNMAPPED, "the address is in vcpu_info");
	check_eq("EXC-3", attempt(read_cr2, 0).value, UNMAPPED, "and MOV from CR2 gives it");
	a = attempt_write((void *)(UNMAPPED + 8), 1);
	check("EXC-4", a.vector == VECTOR_PF && a.regs.error_code == 2,
	      "write to an unmapped address: error code 2");
	make_readonly(page);
	a = attempt_write(page, 1);
	check("EXC-5", a.vector == VECTOR_PF && a.regs.error_code == 3 && a.cr2 == (uint64_t)page,
	      "write to a read-only page: error code 3");
	map_frame(page, mfn_of(page), PTE_DATA | PTE_NX);
	a = attempt(execute, (uint64_t)page);
	check("EXC-6", a.vector == VECTOR_PF && a.regs.error_code == 0x11,
	      "fetch from a no-execute page: error code 0x11");
	map_back(page);
	a = attempt_read((void *)(HYPERVISOR_VIRT_START + 0x30000000000));
	check("EXC-7", a.vector == VECTOR_PF && (a.regs.error_code & ~1UL) == 0,
	      "read of the hypervisor's range: #PF to the guest, without the user bit");
	check_eq("EXC-8", a.cr2, HYPERVISOR_VIRT_START + 0x30000000000, "with its address");
	a = attempt_read((void *)NON_CANONICAL);
	check("EXC-9", a.vector == VECTOR_GP && a.regs.error_code == 0,
	      "a non-canonical address: #GP, error code 0");
}

static uint64_t user_read(uint64_t address)
{
	return *(volatile uint64_t *)address;
}

static uint64_t user_write(uint64_t address)
{
	*(volatile uint64_t *)address = 1;
	return 0;
}

static void user_page_faults(void)
{
	void *page = page_alloc();
	struct attempt a = run_user(user_read, UNMAPPED);

	check("EXC-10", a.vector == VECTOR_PF && a.regs.error_code == 4 && a.cr2 == UNMAPPED,
	      "user read of an unmapped address: error code 4");
	make_readonly(page);
	a = run_user(user_write, (uint64_t)page);
	check("EXC-11", a.vector == VECTOR_PF && a.regs.error_code == 7,
	      "user write to a read-only page: error code 7");
	map_back(page);
	a = run_user(user_write, MACH2PHYS_VIRT_START);
	check("EXC-12", a.vector == VECTOR_PF && (a.regs.error_code & ~1UL) == 6,
	      "user write to the m2p: #PF with the user bit");
}

static uint64_t divide(uint64_t divisor)
{
	uint64_t result;

	__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; div %1"
			 : "=&a"(result)
			 : "r"(divisor)
			 : "rdx");
	return result;
}

static uint64_t ud2(uint64_t unused)
{
	__asm__ volatile("ud2");
	return 0;
}

static uint64_t load_ds(uint64_t selector)
{
	__asm__ volatile("mov %0, %%ds" : : "r"(selector));
	return 0;
}

static uint64_t load_ss(uint64_t selector)
{
	__asm__ volatile("mov %%ss, %%ebx; mov %0, %%ss; mov %%ebx, %%ss" : : "r"(selector) : "rbx");
	return 0;
}

static uint64_t step(uint64_t unused)
{
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop" : : : "memory", "cc");
	return 0;
}

static uint64_t x87_error(uint64_t unused)
{
	uint16_t control = 0x37b;

	__asm__ volatile("fninit; fldcw %0; fldz; fld1; fdivp; fwait" : : "m"(control));
	return 0;
}

static void others(void)
{
	struct attempt a = attempt(divide, 0);

	check_eq("EXC-13", a.vector, VECTOR_DE, "division by 0: #DE");
	check_eq("EXC-14", attempt(ud2, 0).vector, VECTOR_UD, "ud2: #UD");
	a = attempt(load_ds, 0x8 | 3);
	check("EXC-15", a.vector == VECTOR_GP && a.regs.error_code == 8,
	      "a selector outside the guest's GDT: #GP with it as error code");
	a = attempt(load_ss, 0);
	check("EXC-16", a.vector == VECTOR_GP && a.regs.error_code == 0, "null into ss: #GP");
	a = attempt(step, 0);
	check("EXC-17", a.vector == VECTOR_DB && (a.regs.rflags & 0x100),
	      "TF: #DB after one instruction");
	check_eq("EXC-18", attempt(x87_error, 0).vector, VECTOR_MF, "an unmasked x87 exception: #MF");
	__asm__ volatile("fninit");
}

void test_main(void)
{
	page_faults();
	user_page_faults();
	others();
}

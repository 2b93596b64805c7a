/* SPDX-License-Identifier: MIT */
/* RDMSR and WRMSR of the guest kernel: the few registers that a vCPU has, #GP for the others. */
#include "guest.h"

#define EFER 0xc0000080
#define FS_BASE 0xc0000100
#define GS_BASE 0xc0000101
#define KERNEL_GS_BASE 0xc0000102

static uint64_t upper_halves;

static uint64_t read_msr(uint64_t msr)
{
	uint64_t rax = ~0UL, rdx = ~0UL;

	__asm__ volatile("rdmsr" : "+a"(rax), "+d"(rdx) : "c"(msr));
	upper_halves = rax >> 32 | rdx >> 32;
	return rdx << 32 | (rax & 0xffffffff);
}

static uint64_t value_to_write, dirty;

static uint64_t write_msr(uint64_t msr)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((value_to_write & 0xffffffff) | dirty),
			   "d"(value_to_write >> 32 | dirty)
			 : "memory");
	return 0;
}

static bool read_faults(uint32_t msr)
{
	return attempt(read_msr, msr).vector == VECTOR_GP;
}

static bool write_faults(uint32_t msr, uint64_t value)
{
	value_to_write = value;
	return attempt(write_msr, msr).vector == VECTOR_GP;
}

static bool written_and_read(uint32_t msr, uint64_t value)
{
	return !write_faults(msr, value) && attempt(read_msr, msr).value == value;
}

/* A base that is not canonical is refused and the old one stays. */
static bool refuses_noncanonical(uint32_t msr)
{
	return written_and_read(msr, 0x1000) && write_faults(msr, NON_CANONICAL) &&
	       attempt(read_msr, msr).value == 0x1000 && !write_faults(msr, 0);
}

static bool has_rdtscp(void)
{
	uint32_t eax = 0x80000001, ebx, ecx = 0, edx;

	__asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; cpuid"
			 : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return edx >> 27 & 1;
}

static bool is_intel(void)
{
	uint32_t eax = 0, ebx, ecx = 0, edx;

	__asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; cpuid"
			 : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return ecx == 0x6c65746e;
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

void test_main(void)
{
	struct attempt a = attempt(read_msr, EFER);
	uint64_t efer = a.value, before;
	bool reads = true, writes = true;

	check("MSR-1", read_faults(0x12345) && write_faults(0x12345, 0), "an MSR that does not exist");
	check("MSR-2", a.vector == NO_TRAP && (efer & 0xd01) == 0xd01, "EFER has SCE, LME, LMA and NXE");
	check_eq("MSR-12", upper_halves, 0, "RDMSR clears the upper halves");
	check("MSR-3", !write_faults(EFER, efer), "EFER can be written with its own value");
	for (uint32_t msr = 0xc0000081; msr <= 0xc0000084; msr++) {
		reads = reads && read_faults(msr);
		writes = writes && write_faults(msr, 0);
	}
	check("MSR-4", reads, "the SYSCALL MSRs cannot be read");
	check("MSR-5", writes, "nor written");
	check("MSR-6",
	      written_and_read(FS_BASE, 0x7000) && written_and_read(KERNEL_GS_BASE, 0x9000) &&
		      written_and_read(GS_BASE, 0x8000),
	      "the bases can be written and read back");
	check("MSR-7",
	      refuses_noncanonical(FS_BASE) && refuses_noncanonical(KERNEL_GS_BASE) &&
		      refuses_noncanonical(GS_BASE),
	      "a base that is not canonical is #GP and changes nothing");
	check_eq("MSR-8", attempt(read_msr, 0x277).value, 0x0000050100070406, "PAT");
	before = tsc();
	a = attempt(read_msr, 0x10);
	check("MSR-9", a.vector == NO_TRAP && a.value >= before, "the TSC");
	a = attempt(read_msr, 0x1b);
	check("MSR-10", a.vector == NO_TRAP && (a.value & 0x800) && write_faults(0x1b, a.value),
	      "APIC_BASE, read-only");
	check("MSR-11", read_faults(0x174) && read_faults(0x175) && read_faults(0x176),
	      "the SYSENTER MSRs cannot be read");
	check("MSR-16", !read_faults(0x8b) && write_faults(0x8b, 0) == !is_intel() && write_faults(0x8b, 1),
	      "the microcode revision");
	check("MSR-13", read_faults(0x802) && write_faults(0x802, 0), "the x2APIC's MSRs");
	check("MSR-15",
	      !has_rdtscp() ||
		      (written_and_read(0xc0000103, 0x1234) && write_faults(0xc0000103, 1UL << 32)),
	      "TSC_AUX, where there is one");
	dirty = 0xffffffff00000000;
	check("MSR-14", written_and_read(FS_BASE, 0x123000), "WRMSR takes the low halves");
	dirty = 0;
	write_faults(FS_BASE, 0);
}

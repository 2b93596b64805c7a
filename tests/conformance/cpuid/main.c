/* SPDX-License-Identifier: MIT */
/* CPUID by the forced-emulation prefix: the hypervisor's leaves, and what it shows of the processor. */
#include "guest.h"

struct leaf {
	uint64_t rax, rbx, rcx, rdx;
};

static struct leaf result;

/* leaf in the low half, subleaf in the high half of the argument; high halves of registers set before.
 */
static uint64_t forced(uint64_t arg)
{
	uint64_t rax = (arg & 0xffffffff) | 0xffffffff00000000, rbx = ~0UL,
		 rcx = arg >> 32 | 0xffffffff00000000, rdx = ~0UL;

	__asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; cpuid"
			 : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx));
	result = (struct leaf){ rax, rbx, rcx, rdx };
	return 42;
}

static struct leaf cpuid(uint32_t leaf, uint32_t subleaf)
{
	forced((uint64_t)subleaf << 32 | leaf);
	return result;
}

static bool bits(uint64_t value, uint64_t set, uint64_t clear)
{
	return (value & set) == set && (value & clear) == 0;
}

#define BIT(n) (1UL << (n))

static void own_leaves(void)
{
	struct leaf l = cpuid(XEN_CPUID_FIRST_LEAF, 0);

	check("CPUID-1",
	      l.rbx == XEN_CPUID_SIGNATURE_EBX && l.rcx == XEN_CPUID_SIGNATURE_ECX &&
		      l.rdx == XEN_CPUID_SIGNATURE_EDX && l.rax >= XEN_CPUID_FIRST_LEAF + 5,
	      "the signature, and at least five more leaves");
	l = cpuid(XEN_CPUID_FIRST_LEAF + 1, 0);
	check("CPUID-2", l.rax == 0x40011 && (l.rbx | l.rcx | l.rdx) == 0, "version 4.17");
	l = cpuid(XEN_CPUID_FIRST_LEAF + 2, 0);
	check("CPUID-3",
	      l.rax == 1 && l.rbx == 0x40000000 && (l.rcx & XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD),
	      "one hypercall page, its MSR, PRESERVE_AD");
	check("CPUID-4", cpuid(XEN_CPUID_FIRST_LEAF + 3, 2).rax > 0, "the frequency of the TSC");
	l = cpuid(XEN_CPUID_FIRST_LEAF + 5, 0);
	check("CPUID-5", (l.rbx & 0xff) >= 20 && (l.rbx & 0xff) <= 52,
	      "the width of machine addresses (%lu)", l.rbx & 0xff);
}

static void features(void)
{
	struct leaf l = cpuid(1, 0);

	check("CPUID-8", bits(l.rcx, BIT(31), BIT(5) | BIT(17) | BIT(21) | BIT(3)),
	      "leaf 1 ecx: HYPERVISOR, not VMX, PCID, x2APIC, MONITOR");
	check("CPUID-9",
	      bits(l.rdx,
		   BIT(0) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(9) | BIT(15) | BIT(24) | BIT(25) |
			   BIT(26),
		   BIT(1) | BIT(3) | BIT(13) | BIT(17)),
	      "leaf 1 edx: FPU to SSE2, not VME, PSE, PGE, PSE-36");
	l = cpuid(7, 0);
	check("CPUID-10",
	      bits(l.rbx, 0, BIT(7) | BIT(20) | BIT(10)) && bits(l.rcx, 0, BIT(2) | BIT(3) | BIT(16)),
	      "leaf 7: not SMEP, SMAP, INVPCID, UMIP, PKU, LA57");
	l = cpuid(0x80000001, 0);
	check("CPUID-11", bits(l.rdx, BIT(29) | BIT(20) | BIT(11), 0) && bits(l.rcx, 0, BIT(2)),
	      "leaf 0x80000001: LM, NX, SYSCALL, not SVM");
	check("CPUID-14", bits(l.rdx, 0, BIT(26)), "nor large pages of 1 GiB");
	check("CPUID-13", (result.rax | result.rbx | result.rcx | result.rdx) >> 32 == 0,
	      "the upper halves are clear");
}

extern char wrong_prefix[];

static uint64_t other_instruction(uint64_t unused)
{
	__asm__ volatile("wrong_prefix: .byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; nop");
	return 0;
}

void test_main(void)
{
	struct attempt a;

	own_leaves();
	features();
	check_eq("CPUID-6", attempt(forced, 0).value, 42, "execution goes on behind the seven bytes");
	result.rbx = 0;
	a = run_user(forced, XEN_CPUID_FIRST_LEAF);
	check("CPUID-7", a.vector == 0x80 && result.rbx == XEN_CPUID_SIGNATURE_EBX,
	      "the prefix works in user mode (vector %d)", a.vector);
	a = attempt(other_instruction, 0);
	check("CPUID-12", a.vector == VECTOR_UD && a.regs.rip == (uint64_t)wrong_prefix,
	      "before another instruction it is #UD");
}

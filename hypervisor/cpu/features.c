/* SPDX-License-Identifier: MIT */
/*
 * What the CPUs can, and which of it is switched on. Found on the first CPU; the others are taken
 * to be the same.
 */
#include <asm.h>
#include <boot.h>
#include <console.h>
#include <cpu.h>
#include <irq.h>
#include <sections.h>
#include <string.h>

enum { EAX, EBX, ECX, EDX };

#define EFER_SCE (1 << 0)
#define EFER_NXE (1 << 11)
#define MSR_HWCR 0xc0010015
#define HWCR_CPUID_USER_DIS 35
#define XCR0_OFFERED 0x7	/* x87, SSE, AVX: what the features that guests are shown need (emulate/cpuid.c) */
#define MIN_XSAVE 576
#define PAT_OF_ABI 0x0000050100070406	/* guests read it and rely on it; its first four entries are those after reset */

struct cpu_features cpu_has;
static u64 cr4;

static u32 leaf(u32 number, u32 sub, int reg)
{
	u32 r[4], top[4];

	cpuid(number & 0x80000000, 0, top);
	if (number > top[EAX])
		return 0;
	cpuid(number, sub, r);
	return r[reg];
}

static bool bit(u32 word, int n)
{
	return word >> n & 1;
}

static void choose_cr4(void)
{
	cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_DE | (bit(leaf(1, 0, EDX), 7) ? CR4_MCE : 0) |
	      (cpu_has.pge ? CR4_PGE : 0) | (cpu_has.umip ? CR4_UMIP : 0) | (cpu_has.smep ? CR4_SMEP : 0) |
	      (cpu_has.smap ? CR4_SMAP : 0) | (cpu_has.fsgsbase ? CR4_FSGSBASE : 0) | (cpu_has.xsave ? CR4_OSXSAVE : 0);
}

/* Without SMAP its instructions are undefined, so the sites become three-byte nops. */
static void patch_smap_sites(void)
{
	static const u8 nop[3] = { 0x0f, 0x1f, 0x00 };

	for (const s32 *site = smap_sites_start; site < smap_sites_end; site++)
		memcpy((u8 *)site + *site, nop, sizeof(nop));
}

void features_init(void)
{
	u32 ecx1 = leaf(1, 0, ECX), edx1 = leaf(1, 0, EDX), ebx7 = leaf(7, 0, EBX), edx_amd = leaf(0x80000001, 0, EDX);

	cpu_has.intel = leaf(0, 0, ECX) == 0x6c65746e;	/* "ntel" */
	cpu_has.amd = leaf(0, 0, ECX) == 0x444d4163;	/* "cAMD" */
	cpu_has.pge = bit(edx1, 13);
	cpu_has.x2apic = bit(ecx1, 21);
	cpu_has.xsave = bit(ecx1, 26);
	cpu_has.fsgsbase = bit(ebx7, 0);
	cpu_has.smep = bit(ebx7, 7);
	cpu_has.smap = bit(ebx7, 20) && options.smap;
	cpu_has.umip = bit(leaf(7, 0, ECX), 2);
	cpu_has.nx = bit(edx_amd, 20);
	cpu_has.page1gb = bit(edx_amd, 26);
	cpu_has.rdtscp = bit(edx_amd, 27);
	if (cpu_has.intel && (leaf(1, 0, EAX) >> 8 & 15) == 6)
		cpu_has.cpuid_faulting = bit(rdmsr(MSR_PLATFORM_INFO) >> 31, 0);
	else
		cpu_has.cpuid_faulting = bit(leaf(0x80000021, 0, EAX), 17);
	if (cpu_has.xsave)
		cpu_has.xcr0 = leaf(0xd, 0, EAX) & XCR0_OFFERED;
	choose_cr4();
	if (!cpu_has.smap)
		patch_smap_sites();
}

/* CPUID in ring 3 faults from now on, so that guests see what they are shown by the plain instruction too. */
static void cpuid_faulting_on(void)
{
	if (cpu_has.intel)
		wrmsr(MSR_MISC_FEATURES, rdmsr(MSR_MISC_FEATURES) | 1);
	else
		wrmsr(MSR_HWCR, rdmsr(MSR_HWCR) | 1ul << HWCR_CPUID_USER_DIS);
}

void features_init_cpu(void)
{
	write_cr0(CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_MP | 1 /* PE */ | 1 << 4 /* ET */);
	wrmsr(MSR_PAT, PAT_OF_ABI);
	if (cpu_has.cpuid_faulting)
		cpuid_faulting_on();
	write_cr4(cr4);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | (cpu_has.nx ? EFER_NXE : 0));
	if (cpu_has.xsave) {
		set_xcr0(cpu_has.xcr0);
		cpu_has.xsave_size = max(leaf(0xd, 0, EBX), (u32)MIN_XSAVE);
	}
}

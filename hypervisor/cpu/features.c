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
#define MSR_PLATFORM_INFO 0xce
#define MSR_MISC_FEATURES 0x140
#define MSR_HWCR 0xc0010015
#define HWCR_CPUID_USER_DIS 35
#define XCR0_OFFERED 0x7	/* x87, SSE, AVX: what the features that guests are shown need (emulate/cpuid.c) */
#define MIN_XSAVE 576
#define MSR_PAT 0x277
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

static bool vendor_is(const char *name)
{
	u32 r[4];

	cpuid(0, 0, r);
	return !memcmp(&r[EBX], name, 4) && !memcmp(&r[EDX], name + 4, 4) && !memcmp(&r[ECX], name + 8, 4);
}

static void choose_cr4(void)
{
	cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_DE;
	if (bit(leaf(1, 0, EDX), 7))
		cr4 |= CR4_MCE;
	if (cpu_has.pge)
		cr4 |= CR4_PGE;
	if (cpu_has.umip)
		cr4 |= CR4_UMIP;
	if (cpu_has.smep)
		cr4 |= CR4_SMEP;
	if (cpu_has.smap)
		cr4 |= CR4_SMAP;
	if (cpu_has.fsgsbase)
		cr4 |= CR4_FSGSBASE;
	if (cpu_has.xsave)
		cr4 |= CR4_OSXSAVE;
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

	cpu_has.pge = bit(edx1, 13);
	cpu_has.x2apic = bit(ecx1, 21);
	cpu_has.xsave = bit(ecx1, 26);
	cpu_has.fsgsbase = bit(ebx7, 0);
	cpu_has.smep = bit(ebx7, 7);
	cpu_has.smap = bit(ebx7, 20) && options.smap;
	cpu_has.umip = bit(leaf(7, 0, ECX), 2);
	cpu_has.nx = bit(edx_amd, 20);
	cpu_has.page1gb = bit(edx_amd, 26);
	cpu_has.syscall_compat = !vendor_is("GenuineIntel");
	if (vendor_is("GenuineIntel") && (leaf(1, 0, EAX) >> 8 & 15) == 6)
		cpu_has.cpuid_faulting = bit(rdmsr(MSR_PLATFORM_INFO) >> 31, 0);
	else
		cpu_has.cpuid_faulting = bit(leaf(0x80000021, 0, EAX), 17);
	if (cpu_has.xsave) {
		cpu_has.xsaveopt = bit(leaf(0xd, 1, EAX), 0);
		cpu_has.xcr0 = leaf(0xd, 0, EAX) & XCR0_OFFERED;
	}
	choose_cr4();
	if (!cpu_has.smap)
		patch_smap_sites();
}

static void write_xcr0(u64 x)
{
	asm volatile("xsetbv" :: "c"(0), "a"((u32)x), "d"((u32)(x >> 32)));
}

/* CPUID in ring 3 faults from now on, so that guests see what they are shown by the plain instruction too. */
static void cpuid_faulting_on(void)
{
	if (vendor_is("GenuineIntel"))
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
		write_xcr0(cpu_has.xcr0);
		cpu_has.xsave_size = max(leaf(0xd, 0, EBX), (u32)MIN_XSAVE);
	}
}

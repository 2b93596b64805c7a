/* SPDX-License-Identifier: MIT */
/*
 * CPUID as guests see it: three tables of leaves, filled once from the CPU's own through lists of the
 * features that a paravirtual guest can use. A feature not listed is hidden, so that a new CPU shows
 * nothing that nobody has thought about. Few leaves depend on who asks; those are completed when asked.
 */
#include <abi/arch-x86_64.h>
#include <asm.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <frames.h>
#include <vcpu.h>
#include <version.h>

enum { EAX, EBX, ECX, EDX };

#define BASIC_LEAVES 14
#define EXTENDED_FIRST 0x80000000
#define EXTENDED_LEAVES 0x22
#define XEN_LEAVES (XEN_CPUID_MAX_NUM_LEAVES + 1)

#define BIT(n) (1u << (n))
#define FEATURE1C_OSXSAVE BIT(27)
#define FEATURE1C_HYPERVISOR BIT(31)
#define FEATURE1D_SEP BIT(11)
#define FEATURE_MTRR BIT(12)	/* in leaf 1 and in 0x80000001 */

/* SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND */
#define SHOWN_1C 0x76d83203
/* FPU DE TSC MSR PAE MCE CX8 APIC MCA CMOV PAT CLFLUSH ACPI MMX FXSR SSE SSE2 SS HTT */
#define SHOWN_1D 0x1fc9c3f5
/*
 * FSGSBASE BMI1 AVX2 BMI2 RDSEED ADX CLFLUSHOPT CLWB SHA. Not ERMS, nor FSRM in EDX: kernels then clear and copy pages byte by byte,
 * which an emulated CPU does in 4096 steps and by the quadword in 512.
 */
#define SHOWN_7B 0x218c0129
/* GFNI VAES VPCLMUL */
#define SHOWN_7C 0x00000700
#define SHOWN_7D 0
/* XSAVEOPT XSAVEC XGETBV1 */
#define SHOWN_D1A 0x00000007
/* LAHF CMP_LEGACY ABM SSE4A MISALIGN PREFETCH XOP FMA4 TBM */
#define SHOWN_E1C 0x002109e3
/* as 1D where AMD repeats it, and SYSCALL NX MMXEXT RDTSCP LM 3DNOWEXT 3DNOW */
#define SHOWN_E1D 0xe9d1cbf5
/* CLZERO XSAVEERPTR WBNOINVD */
#define SHOWN_E8B 0x00000205

static u32 basic[BASIC_LEAVES][4];
static u32 extended[EXTENDED_LEAVES][4];
static u32 hypervisor[XEN_LEAVES][4] = {
	{ XEN_CPUID_FIRST_LEAF + XEN_CPUID_MAX_NUM_LEAVES, XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX,
	  XEN_CPUID_SIGNATURE_EDX },
	{ VERSION_NUMBER },
	{ 1, XEN_CPUID_FIRST_LEAF, XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD },	/* one MSR, at that number */
};
static bool mtrr;

static void mask(u32 *leaf, u32 b, u32 c, u32 d)
{
	leaf[EBX] &= b;
	leaf[ECX] &= c;
	leaf[EDX] &= d;
}

static void init_basic(void)
{
	for (unsigned leaf = 0; leaf < BASIC_LEAVES; leaf++)
		if (leaf < 3 || leaf == 7 || leaf == 0xd)
			cpuid(leaf, 0, basic[leaf]);
	basic[0][EAX] = min(basic[0][EAX], BASIC_LEAVES - 1u);
	mtrr = basic[1][EDX] & FEATURE_MTRR;
	mask(basic[1], 0x00ffff00, SHOWN_1C, cpu_has.amd ? SHOWN_1D : SHOWN_1D | FEATURE1D_SEP);
	basic[1][ECX] |= FEATURE1C_HYPERVISOR;
	basic[7][EAX] = 0;
	mask(basic[7], SHOWN_7B, SHOWN_7C, SHOWN_7D);
	basic[0xd][EAX] = cpu_has.xcr0;
	basic[0xd][ECX] = cpu_has.xsave_size;
	basic[0xd][EDX] = 0;
}

static void init_extended(void)
{
	u32 last;

	cpuid(EXTENDED_FIRST, 0, extended[0]);
	last = min(extended[0][EAX], EXTENDED_FIRST + EXTENDED_LEAVES - 1);
	extended[0][EAX] = last;
	for (u32 leaf = EXTENDED_FIRST + 1; leaf <= min(last, EXTENDED_FIRST + 8u); leaf++)
		cpuid(leaf, 0, extended[leaf - EXTENDED_FIRST]);
	mask(extended[1], ~0u, SHOWN_E1C, SHOWN_E1D);
	if (!cpu_has.nx)
		extended[1][EDX] &= ~BIT(20);
	mask(extended[7], 0, 0, BIT(8));	/* the TSC's rate is constant */
	extended[7][EAX] = 0;
	extended[8][EAX] = (extended[8][EAX] & 0xff) | 48 << 8;
	mask(extended[8], SHOWN_E8B, ~0u, 0);
}

/* The rate is known only after calibration. */
static void init_hypervisor(void)
{
	unsigned width = PAGE_SHIFT;

	while (max_mfn >> (width - PAGE_SHIFT))
		width++;
	hypervisor[3][EAX] = cpu_has.rdtscp ? BIT(2) : 0;
	hypervisor[5][EBX] = width & XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK;
}

void cpuid_init(void)
{
	init_basic();
	init_extended();
	init_hypervisor();
}

/* The kernel sees the hardware's OSXSAVE, by which guests learn that the hypervisor switches the state. */
static void complete_leaf1(const struct vcpu *v, u32 out[4])
{
	out[EBX] |= (u32)v->id * 2 << 24;
	if (cpu_has.xsave && (v->kernel_mode || v->cr4 & CR4_OSXSAVE))
		out[ECX] |= FEATURE1C_OSXSAVE;
	if (mtrr && v->domain->privileged && v->kernel_mode)
		out[EDX] |= FEATURE_MTRR;
}

static void complete_xstate(const struct vcpu *v, u32 subleaf, u32 out[4])
{
	u32 raw[4];

	if (subleaf == 0) {
		cpuid(0xd, 0, raw);	/* the size for the XCR0 in use */
		out[EBX] = cpu_has.xsave ? raw[EBX] : 0;
		return;
	}
	out[EAX] = out[EBX] = out[ECX] = out[EDX] = 0;
	if (!cpu_has.xsave)
		return;
	cpuid(0xd, subleaf, raw);
	if (subleaf == 1) {
		out[EAX] = raw[EAX] & SHOWN_D1A;
	} else if (subleaf < 63 && cpu_has.xcr0 >> subleaf & 1) {
		out[EAX] = raw[EAX];
		out[EBX] = raw[EBX];
	}
}

static void complete_time(u32 subleaf, u32 out[4])
{
	if (subleaf == 0)
		return;
	out[EAX] = subleaf == 2 ? tsc_khz : 0;
	out[EBX] = out[EDX] = 0;
	out[ECX] = 0;
	if (subleaf == 1) {
		out[ECX] = tsc_mul;
		out[EDX] = tsc_shift;
	}
}

static __attribute__((noinline)) void complete(const struct vcpu *v, u32 leaf, u32 subleaf, u32 out[4])
{
	switch (leaf) {
	case 1:
		complete_leaf1(v, out);
		break;
	case 4:		/* caches; Intel's */
		cpuid(leaf, subleaf, out);
		out[EAX] &= 0x3fff;	/* without who shares them */
		break;
	case 7:
		if (subleaf)
			out[EAX] = out[EBX] = out[ECX] = out[EDX] = 0;
		break;
	case 0xd:
		complete_xstate(v, subleaf, out);
		break;
	case EXTENDED_FIRST + 1:
		if (cpu_has.amd && mtrr && v->domain->privileged && v->kernel_mode)
			out[EDX] |= FEATURE_MTRR;
		break;
	case XEN_CPUID_FIRST_LEAF + 3:
		complete_time(subleaf, out);
		break;
	}
}

/* Bit n: basic leaf n has to be completed. */
#define BASIC_VARIES (BIT(1) | BIT(4) | BIT(7) | BIT(0xd))

static inline void copy_leaf(const u32 from[4], u32 out[4])
{
	out[EAX] = from[EAX];
	out[EBX] = from[EBX];
	out[ECX] = from[ECX];
	out[EDX] = from[EDX];
}

void guest_cpuid(struct vcpu *v, u32 leaf, u32 subleaf, u32 out[4])
{
	u32 varies = 0;

	if (leaf < BASIC_LEAVES) {
		copy_leaf(basic[leaf], out);
		varies = BASIC_VARIES >> leaf & 1;
	} else if (leaf - XEN_CPUID_FIRST_LEAF < XEN_LEAVES) {
		copy_leaf(hypervisor[leaf - XEN_CPUID_FIRST_LEAF], out);
		varies = leaf == XEN_CPUID_FIRST_LEAF + 3;
	} else if (leaf - EXTENDED_FIRST < EXTENDED_LEAVES) {
		copy_leaf(extended[leaf - EXTENDED_FIRST], out);
		varies = leaf == EXTENDED_FIRST + 1;
	} else {
		out[EAX] = out[EBX] = out[ECX] = out[EDX] = 0;
	}
	if (unlikely(varies))
		complete(v, leaf, subleaf, out);
}

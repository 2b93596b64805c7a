/* SPDX-License-Identifier: MIT */
/*
 * RDMSR and WRMSR by policy. What is not named here does not exist for a guest. Three registers are really the
 * guest's (the segment bases, loaded now) and one more is switched with it (TSC_AUX); others show a constant or
 * what the CPU says; writes that would change a register that a guest must not change are refused or dropped,
 * as the ABI's users expect.
 */
#include <asm.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <frames.h>
#include <hypercall.h>
#include <uaccess.h>
#include <vcpu.h>

#define MSR_TSC 0x10
#define MSR_UCODE_REVISION 0x8b
#define MSR_MISC_ENABLE 0x1a0
#define MSR_DE_CFG 0xc0011029
#define MSR_MC0 0x400
#define MSR_MC_LAST 0x47f

#define EFER_SHOWN 0xd01ul	/* SCE LME LMA NXE */
#define APIC_BASE_X2APIC (1ul << 10)
/* BTS, PEBS and xTPR are said to be absent, and so are performance monitoring and MONITOR. */
#define MISC_ENABLE_SET 0x801800ul
#define MISC_ENABLE_CLEAR 0x40080ul
#define MCG_CAP_BANKS 2

/* How a register that is not in a switch below behaves. */
enum policy {
	READS_CPU_TAKES_0,	/* what the CPU has; Intel's kernels write 0 before they read, any other write is #GP */
	READS_CPU,	/* what the CPU has; a write of something else is #GP, of the same too */
	READS_CPU_DROPS,	/* the same, but writes are dropped */
	READS_VALUE,	/* a constant; writes are #GP */
	READS_VALUE_DROPS,	/* a constant; writes are dropped */
	READS_VALUE_SAME,	/* a constant; it may be written back */
};

static const struct {
	u32 first, last;
	u8 policy;
	bool amd;
	u16 value;
} policies[] = {
	{ 0x0, 0x1, READS_VALUE, false, 0 },			/* P5's machine-check registers */
	{ MSR_UCODE_REVISION, MSR_UCODE_REVISION, READS_CPU_TAKES_0, false, 0 },
	{ MSR_PLATFORM_INFO, MSR_PLATFORM_INFO, READS_VALUE, false, 0 },
	{ MSR_MISC_FEATURES, MSR_MISC_FEATURES, READS_VALUE_SAME, false, 0 },
	{ 0x179, 0x179, READS_VALUE_DROPS, false, MCG_CAP_BANKS },
	{ 0x17a, 0x17b, READS_VALUE_DROPS, false, 0 },		/* MCG_STATUS, MCG_CTL */
	{ MSR_PAT, MSR_PAT, READS_CPU, false, 0 },
	{ 0x280, 0x29f, READS_VALUE_DROPS, false, 0 },		/* machine-check thresholds */
	{ 0x345, 0x345, READS_VALUE, false, 0 },		/* PERF_CAPABILITIES */
	{ 0x40000000, 0x40000000, READS_VALUE, false, 0 },	/* the hypercall page's */
	{ 0xc0010000, 0xc0010007, READS_VALUE_DROPS, true, 0 },	/* performance counters */
	{ 0xc0010015, 0xc0010015, READS_VALUE_DROPS, true, 0 },	/* HWCR */
	{ 0xc001001f, 0xc001001f, READS_VALUE_DROPS, true, 0 },	/* NB_CFG */
	{ 0xc0010061, 0xc001006b, READS_VALUE_DROPS, true, 0 },	/* P-states */
	{ 0xc0010200, 0xc001020b, READS_VALUE_DROPS, true, 0 },	/* performance counters */
	{ MSR_DE_CFG, MSR_DE_CFG, READS_CPU_DROPS, true, 0 },
};

/* RDMSR of what the CPU may not have. */
static bool rdmsr_safe(u32 n, u64 *value)
{
	u32 low, high;

	asm goto("1: rdmsr\n" EXTABLE("1b", "%l3") : "=a"(low), "=d"(high) : "c"(n) :: absent);
	*value = (u64)high << 32 | low;
	return true;
absent:
	return false;
}

static int find_policy(u32 n)
{
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		if (n >= policies[i].first && n <= policies[i].last)
			return policies[i].amd && !cpu_has.amd ? -1 : (int)i;
	return -1;
}

/* --- segment bases -------------------------------------------------------------------------------------- */

static inline bool write_base(u32 msr, u64 base)
{
	if (unlikely(!address_canonical(base)))
		return false;
	wrmsr(msr, base);
	return true;
}

/*
 * A selector for the user's GS: loaded while the user's base is the active one, so that it replaces that and not the
 * kernel's. A selector that cannot be loaded becomes null.
 */
static void load_user_gs(u16 selector)
{
	swapgs();
	asm goto("1: mov %0, %%gs\n" EXTABLE("1b", "%l1") :: "r"((u32)selector) :: refused);
	swapgs();
	return;
refused:
	asm volatile("mov %0, %%gs" :: "r"(0));
	swapgs();
}

long do_set_segment_base(u64 which, u64 base, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	static const u32 msr[] = {
		[SEGBASE_FS] = MSR_FS_BASE, [SEGBASE_GS_USER] = MSR_KERNEL_GS_BASE, [SEGBASE_GS_KERNEL] = MSR_GS_BASE,
	};

	if (likely(which < ARRAY_SIZE(msr)))
		return likely(write_base(msr[which], base)) ? 0 : -EINVAL;
	if (which != SEGBASE_GS_USER_SEL)
		return -EINVAL;
	segdesc_prepare(v, base);
	load_user_gs(base);
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------ */

static u64 misc_enable(void)
{
	u64 value = 0;

	rdmsr_safe(MSR_MISC_ENABLE, &value);
	return (value | MISC_ENABLE_SET) & ~MISC_ENABLE_CLEAR;
}

/* The machine-check banks: two, without errors. */
static u64 read_bank(u32 n)
{
	return (n & 3) == 0 && n < MSR_MC0 + 4 * MCG_CAP_BANKS ? ~0ull : 0;
}

static __attribute__((noinline)) bool read_by_policy(struct vcpu *v, u32 n, u64 *value)
{
	int i = find_policy(n);

	if (i >= 0 && policies[i].policy <= READS_CPU_DROPS)
		return rdmsr_safe(n, value);
	if (i >= 0) {
		*value = policies[i].value;
		return true;
	}
	/* Without a handler the #GP would be the guest's end: a register that the CPU has reads as 0. */
	if (!v->trap_address[13] && rdmsr_safe(n, value)) {
		*value = 0;
		return true;
	}
	return false;
}

bool guest_rdmsr(struct vcpu *v, u32 n, u64 *value)
{
	switch (n) {
	case MSR_FS_BASE: case MSR_GS_BASE: case MSR_KERNEL_GS_BASE:
		*value = rdmsr(n);
		return true;
	case MSR_EFER:
		*value = rdmsr(n) & EFER_SHOWN;
		return true;
	case MSR_APIC_BASE:
		*value = rdmsr(n) & ~APIC_BASE_X2APIC;
		return true;
	case MSR_TSC:
		*value = rdtsc();
		return true;
	case MSR_TSC_AUX:
		*value = v->tsc_aux;
		return true;
	case MSR_MISC_ENABLE:
		*value = misc_enable();
		return true;
	case MSR_MC0 ... MSR_MC_LAST:
		*value = read_bank(n);
		return true;
	default:
		return read_by_policy(v, n, value);
	}
}

/* --- writing ------------------------------------------------------------------------------------------------ */

static bool write_tsc_aux(struct vcpu *v, u64 value)
{
	if (value >> 32 || !cpu_has.rdtscp)
		return false;
	v->tsc_aux = value;
	wrmsr(MSR_TSC_AUX, value);
	return true;
}

static __attribute__((noinline)) bool write_by_policy(u32 n, u64 value)
{
	int i = find_policy(n);

	if (i < 0)
		return false;
	switch (policies[i].policy) {
	case READS_CPU_DROPS: case READS_VALUE_DROPS: return true;
	case READS_VALUE_SAME: return value == policies[i].value;
	case READS_CPU_TAKES_0: return cpu_has.intel && !value;
	default: return false;
	}
}

bool guest_wrmsr(struct vcpu *v, u32 n, u64 value)
{
	switch (n) {
	case MSR_FS_BASE: case MSR_GS_BASE: case MSR_KERNEL_GS_BASE:
		return write_base(n, value);
	case MSR_EFER:	/* may be written back */
		return value == (rdmsr(n) & EFER_SHOWN);
	case MSR_TSC_AUX:
		return write_tsc_aux(v, value);
	case MSR_MISC_ENABLE:
		return true;
	case MSR_MC0 ... MSR_MC_LAST:	/* a bank's errors may be cleared, not made up */
		return (n & 3) == 0 || !value || n >= MSR_MC0 + 4 * MCG_CAP_BANKS;
	default:
		return write_by_policy(n, value);
	}
}

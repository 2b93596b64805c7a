/* SPDX-License-Identifier: MIT */
/* cpu=native, and the bare instructions that cpu=trap shares with it. */
#include "insn.h"
#include "lib.h"
#include "mm.h"
#include "native.h"
#include "ops.h"
#include "ops_pv.h"

void bare_set_ptes(unsigned int level, const struct pte_update *list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		WRITE_ONCE(*list[i].ptr, list[i].val);
}

/* Through cpu->, because a hypervisor may interpret one and refuse the other. */
void bare_set_va(u64 va, u64 pte, unsigned int flush)
{
	u64 *entry = pt_lookup(va);

	ASSERT(entry);
	WRITE_ONCE(*entry, pte);
	if (flush == FLUSH_PAGE)
		cpu->invlpg(va);
	else if (flush == FLUSH_ALL)
		cpu->flush_tlb();
}

void bare_write_cr3(u64 maddr)
{
	write_cr3(maddr);
}

u64 bare_read_cr3(void)
{
	return read_cr3();
}

void bare_invlpg(u64 va)
{
	__asm__ volatile("invlpg (%0)" :: "r"(va) : "memory");
}

void bare_flush_tlb(void)
{
	write_cr3(read_cr3());
}

u64 bare_read_cr2(void)
{
	return read_cr2();
}

void bare_set_fs_base(u64 base)
{
	wrmsr(MSR_FS_BASE, base);
}

void bare_set_gs_base(u64 base)
{
	wrmsr(MSR_GS_BASE, base);
}

void bare_set_ts(bool set)
{
	if (set)
		write_cr0(read_cr0() | CR0_TS);
	else
		clts();
}

void bare_set_dr(unsigned int n, u64 val)
{
	switch (n) {
	case 0: write_dr0(val); break;
	case 1: write_dr1(val); break;
	case 2: write_dr2(val); break;
	case 3: write_dr3(val); break;
	case 6: write_dr6(val); break;
	case 7: write_dr7(val); break;
	}
}

u64 bare_get_dr(unsigned int n)
{
	switch (n) {
	case 0: return read_dr0();
	case 1: return read_dr1();
	case 2: return read_dr2();
	case 3: return read_dr3();
	case 6: return read_dr6();
	case 7: return read_dr7();
	}
	return 0;
}

static void native_irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static void native_irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static bool native_irq_enabled(void)
{
	u64 flags;

	__asm__ volatile("pushfq; pop %0" : "=r"(flags));
	return flags & X86_EFLAGS_IF;
}

/* The instruction after STI still runs undisturbed: no interrupt is lost between the two. */
static void native_halt(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

static void native_pin_table(unsigned int level, u64 pfn)
{
}

static void native_unpin_table(u64 pfn)
{
}

static void native_switch_context(const struct cpu_context *next)
{
	native_set_kernel_sp(next->kernel_sp);
	wrmsr(MSR_FS_BASE, next->fs_base);
}

static int native_prepare_exit(struct regs *regs)
{
	return 1;
}

const struct cpu_ops ops_native = {
	.name = "native",
	.irq_enable = native_irq_enable,
	.irq_disable = native_irq_disable,
	.irq_enabled = native_irq_enabled,
	.halt = native_halt,
	.set_ptes = bare_set_ptes,
	.set_va = bare_set_va,
	.pin_table = native_pin_table,
	.unpin_table = native_unpin_table,
	.write_cr3 = bare_write_cr3,
	.read_cr3 = bare_read_cr3,
	.invlpg = bare_invlpg,
	.flush_tlb = bare_flush_tlb,
	.read_cr2 = bare_read_cr2,
	.switch_context = native_switch_context,
	.set_fs_base = bare_set_fs_base,
	.set_gs_base = bare_set_gs_base,
	.set_ts = bare_set_ts,
	.set_dr = bare_set_dr,
	.get_dr = bare_get_dr,
	.cpuid = cpuid_plain,
	.set_timer = native_set_timer,
	.stop = native_stop,
	.prepare_exit = native_prepare_exit,
};

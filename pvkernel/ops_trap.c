/* SPDX-License-Identifier: MIT */
/*
 * cpu=trap. The table starts as cpu=hypercall's. Each candidate below is an operation that could be
 * the bare instruction: it is tried once under a fixup, and takes its places in the table if the
 * hypervisor interpreted it. What it refuses stays the hypercall, and ops_describe() says so.
 */
#include <abi/arch-x86_64.h>
#include <abi/physdev.h>
#include <abi/xen.h>

#include "boot.h"
#include "hypercall.h"
#include "insn.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "ops_pv.h"
#include "time.h"
#include "traps.h"

struct cpu_ops ops_trap;

struct candidate {
	const char *instruction, *hypercall;
	bool (*try)(void);		/* executes it without effect; false: refused, or no use */
	void (*install)(void);
	bool works;
};

static bool try_cr3(void)
{
	u64 ok = 0, v;

	__asm__ volatile(SAFE_BEGIN "mov %%cr3, %[v]" SAFE_END : [ok] "+r"(ok), [v] "=r"(v));
	if (!ok)
		return false;
	ok = 0;
	__asm__ volatile(SAFE_BEGIN "mov %[v], %%cr3" SAFE_END : [ok] "+r"(ok) : [v] "r"(v) : "memory");
	return ok && v >> PAGE_SHIFT == pfn_to_mfn(root_pfn());
}

static void install_cr3(void)
{
	ops_trap.write_cr3 = bare_write_cr3;
	ops_trap.read_cr3 = bare_read_cr3;
	ops_trap.flush_tlb = bare_flush_tlb;
}

static bool try_cr2(void)
{
	u64 ok = 0, v;

	__asm__ volatile(SAFE_BEGIN "mov %%cr2, %[v]" SAFE_END : [ok] "+r"(ok), [v] "=r"(v));
	return ok;
}

static void install_cr2(void)
{
	ops_trap.read_cr2 = bare_read_cr2;
}

static bool try_invlpg(void)
{
	u64 ok = 0;

	__asm__ volatile(SAFE_BEGIN "invlpg (%[va])" SAFE_END : [ok] "+r"(ok) : [va] "r"(DIRECT_BASE) : "memory");
	return ok;
}

static void install_invlpg(void)
{
	ops_trap.invlpg = bare_invlpg;
}

/* The entry that maps the first frame gets the value that it has. */
static bool try_pte_store(void)
{
	u64 *entry = pt_lookup((u64)pfn_to_virt(1)), ok = 0;

	if (HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables))
		return false;
	__asm__ volatile(SAFE_BEGIN "mov %[v], (%[p])" SAFE_END
			 : [ok] "+r"(ok) : [v] "r"(*entry), [p] "r"(entry) : "memory");
	return ok;
}

/* Only L1 tables may be written in place. */
static void trap_set_ptes(unsigned int level, const struct pte_update *list, unsigned int count)
{
	if (level == 1)
		bare_set_ptes(level, list, count);
	else
		pv_set_ptes(level, list, count);
}

static void install_pte_store(void)
{
	ops_trap.set_ptes = trap_set_ptes;
	ops_trap.set_va = bare_set_va;
}

static bool try_segment_base(void)
{
	u32 lo, hi;
	u64 ok = 0;

	__asm__ volatile(SAFE_BEGIN "rdmsr" SAFE_END : [ok] "+r"(ok), "=a"(lo), "=d"(hi) : "c"(MSR_FS_BASE));
	if (!ok)
		return false;
	ok = 0;
	__asm__ volatile(SAFE_BEGIN "wrmsr" SAFE_END : [ok] "+r"(ok) : "a"(lo), "d"(hi), "c"(MSR_FS_BASE));
	return ok;
}

/* There is no instruction for the first half. */
static void trap_switch_context(const struct cpu_context *next)
{
	HYPERVISOR_stack_switch(FLAT_KERNEL_SS, next->kernel_sp);
	wrmsr(MSR_FS_BASE, next->fs_base);
}

static void install_segment_base(void)
{
	ops_trap.set_fs_base = bare_set_fs_base;
	ops_trap.set_gs_base = bare_set_gs_base;
	ops_trap.switch_context = trap_switch_context;
}

static bool try_ts(void)
{
	u64 ok = 0, v;

	__asm__ volatile(SAFE_BEGIN "clts" SAFE_END : [ok] "+r"(ok) :: "memory");
	if (!ok)
		return false;
	ok = 0;
	__asm__ volatile(SAFE_BEGIN "mov %%cr0, %[v]" SAFE_END : [ok] "+r"(ok), [v] "=r"(v));
	if (!ok)
		return false;
	ok = 0;
	__asm__ volatile(SAFE_BEGIN "mov %[v], %%cr0" SAFE_END : [ok] "+r"(ok) : [v] "r"(v) : "memory");
	return ok;
}

static void install_ts(void)
{
	ops_trap.set_ts = bare_set_ts;
}

static bool try_dr(void)
{
	u64 ok = 0, v;

	__asm__ volatile(SAFE_BEGIN "mov %%dr7, %[v]" SAFE_END : [ok] "+r"(ok), [v] "=r"(v));
	if (!ok)
		return false;
	ok = 0;
	__asm__ volatile(SAFE_BEGIN "mov %[v], %%dr0" SAFE_END : [ok] "+r"(ok) : [v] "r"(0ul) : "memory");
	return ok;
}

static void install_dr(void)
{
	ops_trap.set_dr = bare_set_dr;
	ops_trap.get_dr = bare_get_dr;
}

/* Interpreted is not enough: CLI must also set the virtual flag, or it protects nothing. */
static bool try_cli(void)
{
	struct physdev_set_iopl iopl = { 1 };
	u64 ok = 0;
	bool masked;

	if (HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl))
		return false;
	pv_irq_enable();
	__asm__ volatile(SAFE_BEGIN "cli" SAFE_END : [ok] "+r"(ok) :: "memory");
	masked = !pv_irq_enabled();
	pv_irq_disable();
	return ok && masked;
}

static void trap_irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static void trap_irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static void install_cli(void)
{
	ops_trap.irq_enable = trap_irq_enable;
	ops_trap.irq_disable = trap_irq_disable;
}

/* Executed with upcalls masked, as SCHEDOP_block may be; a timer ends it if it really waits. */
static bool try_hlt(void)
{
	u64 ok = 0;

	pv_irq_disable();
	pv_set_timer(now() + 1000000);
	__asm__ volatile(SAFE_BEGIN "hlt" SAFE_END : [ok] "+r"(ok) :: "memory");
	pv_irq_disable();
	return ok;
}

static void trap_halt(void)
{
	__asm__ volatile("hlt" ::: "memory");
	cpu->irq_enable();
}

static void install_hlt(void)
{
	ops_trap.halt = trap_halt;
}

/* To the next instruction, on the same stack. */
static bool try_iretq(void)
{
	u64 ok = 0, t;

	__asm__ volatile("mov %%rsp, %[t]\n\t"
			 "push %[ss]\n\tpush %[t]\n\tpushfq\n\tpush %[cs]\n\tpush $3f\n"
			 "1:\tiretq\n"
			 "3:\tmov $1, %[ok]\n"
			 "2:\tmov %[t], %%rsp\n\t" FIXUP(1b, 2b)
			 : [ok] "+r"(ok), [t] "=&r"(t)
			 : [ss] "i"(FLAT_KERNEL_SS), [cs] "i"(FLAT_KERNEL_CS) : "memory");
	return ok;
}

/*
 * A real iretq cannot change the virtual interrupt flag, so that is done first, and what comes in
 * between simply nests. If an upcall is due already, the iret hypercall delivers it in order.
 */
static int trap_prepare_exit(struct regs *regs)
{
	regs->cs = (u16)regs->cs;
	if (regs->rflags & X86_EFLAGS_IF) {
		WRITE_ONCE(vcpu_info->evtchn_upcall_mask, 0);
		barrier();
		if (READ_ONCE(vcpu_info->evtchn_upcall_pending)) {
			WRITE_ONCE(vcpu_info->evtchn_upcall_mask, 1);
			return 0;
		}
	}
	regs->cs |= 3;
	regs->ss |= 3;
	return 1;
}

static void install_iretq(void)
{
	ops_trap.prepare_exit = trap_prepare_exit;
}

static struct candidate candidates[] = {
	{ "MOV CR3", "mmuext_op NEW_BASEPTR", try_cr3, install_cr3, false },
	{ "MOV from CR2", "vcpu_info.arch.cr2", try_cr2, install_cr2, false },
	{ "INVLPG", "mmuext_op INVLPG_LOCAL", try_invlpg, install_invlpg, false },
	{ "store to an L1 table", "mmu_update", try_pte_store, install_pte_store, false },
	{ "WRMSR FS_BASE, GS_BASE", "set_segment_base", try_segment_base, install_segment_base, false },
	{ "CLTS, MOV CR0", "fpu_taskswitch", try_ts, install_ts, false },
	{ "MOV DR", "set_debugreg", try_dr, install_dr, false },
	{ "CLI, STI", "evtchn_upcall_mask", try_cli, install_cli, false },
	{ "HLT", "sched_op block", try_hlt, install_hlt, false },
	{ "IRETQ", "iret", try_iretq, install_iretq, false },
};

void ops_trap_init(void)
{
	ops_trap = ops_hypercall;
	ops_trap.name = "trap";
}

void ops_probe(void)
{
	bool irq = irq_save();

	if (!boot.native) {
		for (unsigned int i = 0; i < ARRAY_SIZE(candidates); i++) {
			candidates[i].works = candidates[i].try();
			if (candidates[i].works)
				candidates[i].install();
		}
	}
	irq_restore(irq);
}

void ops_describe(void)
{
	if (cpu != &ops_trap) {
		printf("cpu=%s\n", cpu->name);
		return;
	}
	printf("cpu=trap: interpreted by the hypervisor:");
	for (unsigned int i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (candidates[i].works)
			printf(" %s;", candidates[i].instruction);
	}
	printf("\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (!candidates[i].works)
			printf("cpu=trap: %s does not do it here, %s instead\n",
			       candidates[i].instruction, candidates[i].hypercall);
	}
	printf("cpu=trap: pinning, L2 to L4 entries, stack_switch, timers: no instruction, by hypercall\n");
}

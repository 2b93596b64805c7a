/* SPDX-License-Identifier: MIT */
/*
 * cpu=hypercall. The virtual interrupt flag is a byte shared with the hypervisor: clear means that
 * upcalls may come. Whoever clears it must look whether one has come meanwhile, since the hypervisor
 * looks only when it is entered.
 */
#include <abi/mmu.h>
#include <abi/sched.h>
#include <abi/vcpu.h>

#include "boot.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "ops_pv.h"
#include "traps.h"

_Static_assert(offsetof(struct vcpu_info, evtchn_upcall_mask) == offsetof(struct vcpu_info, evtchn_upcall_pending) + 1, "irq_flags");

void pv_irq_enable(void)
{
	barrier();
	WRITE_ONCE(vcpu_info->evtchn_upcall_mask, 0);
	barrier();
	if (READ_ONCE(vcpu_info->evtchn_upcall_pending))
		HYPERVISOR_xen_version(0, NULL);
}

void pv_irq_disable(void)
{
	WRITE_ONCE(vcpu_info->evtchn_upcall_mask, 1);
	barrier();
}

bool pv_irq_enabled(void)
{
	return !READ_ONCE(vcpu_info->evtchn_upcall_mask);
}

void pv_halt(void)
{
	HYPERVISOR_sched_op(SCHEDOP_block, NULL);
	pv_irq_enable();
}

/* Requests that fail are errors of ours: the tables would not be what we think they are. */
#define MMU_BATCH 32

void pv_set_ptes(unsigned int level, const struct pte_update *list, unsigned int count)
{
	struct mmu_update req[MMU_BATCH];

	while (count) {
		unsigned int n = MIN(count, MMU_BATCH);
		long err;

		for (unsigned int i = 0; i < n; i++)
			req[i] = (struct mmu_update){ virt_to_maddr(list[i].ptr), list[i].val };
		err = HYPERVISOR_mmu_update(req, n, NULL, DOMID_SELF);
		if (err)
			panic("mmu_update of %u level %u entries: %ld", n, level, err);
		list += n;
		count -= n;
	}
}

static void hc_set_va(u64 va, u64 pte, unsigned int flush)
{
	static const u64 flags[] = {
		[FLUSH_NONE] = UVMF_NONE, [FLUSH_PAGE] = UVMF_INVLPG, [FLUSH_ALL] = UVMF_TLB_FLUSH,
	};
	long err = HYPERVISOR_update_va_mapping(va, pte, flags[flush]);

	if (err)
		panic("update_va_mapping of %lx to %lx: %ld", va, pte, err);
}

static void mmuext(unsigned int cmd, u64 arg)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.linear_addr = arg };
	long err = HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);

	if (err)
		panic("mmuext_op %u with %lx: %ld", cmd, arg, err);
}

void pv_pin_table(unsigned int level, u64 pfn)
{
	mmuext(MMUEXT_PIN_L1_TABLE + level - 1, pfn_to_mfn(pfn));
}

void pv_unpin_table(u64 pfn)
{
	mmuext(MMUEXT_UNPIN_TABLE, pfn_to_mfn(pfn));
}

void pv_write_cr3(u64 maddr)
{
	mmuext(MMUEXT_NEW_BASEPTR, maddr >> PAGE_SHIFT);
}

static u64 hc_read_cr3(void)
{
	return pfn_to_mfn(root_pfn()) << PAGE_SHIFT;
}

void pv_invlpg(u64 va)
{
	mmuext(MMUEXT_INVLPG_LOCAL, va);
}

void pv_flush_tlb(void)
{
	mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
}

static u64 hc_read_cr2(void)
{
	return vcpu_info->arch.cr2;
}

static void add_call(struct multicall_entry *e, u64 op, u64 a1, u64 a2)
{
	*e = (struct multicall_entry){ .op = op, .args = { a1, a2 } };
}

/* The whole switch is one entry into the hypervisor. */
static void hc_switch_context(const struct cpu_context *next)
{
	struct multicall_entry list[2];

	add_call(&list[0], __HYPERVISOR_stack_switch, FLAT_KERNEL_SS, next->kernel_sp);
	add_call(&list[1], __HYPERVISOR_set_segment_base, SEGBASE_FS, next->fs_base);
	if (HYPERVISOR_multicall(list, 2) || list[0].result || list[1].result)
		panic("context switch: %ld, %ld", (long)list[0].result, (long)list[1].result);
}

static void hc_set_fs_base(u64 base)
{
	HYPERVISOR_set_segment_base(SEGBASE_FS, base);
}

static void hc_set_gs_base(u64 base)
{
	HYPERVISOR_set_segment_base(SEGBASE_GS_KERNEL, base);
}

static void hc_set_ts(bool set)
{
	HYPERVISOR_fpu_taskswitch(set);
}

static void hc_set_dr(unsigned int n, u64 val)
{
	HYPERVISOR_set_debugreg(n, val);
}

static u64 hc_get_dr(unsigned int n)
{
	return HYPERVISOR_get_debugreg(n);
}

/* The ABI's own way to CPUID: the prefix makes the hypervisor answer instead of the processor. */
void pv_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
	__asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n\tcpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(subleaf));
}

void pv_set_timer(u64 deadline)
{
	struct vcpu_set_singleshot_timer t = { .timeout_abs_ns = deadline };

	if (deadline)
		HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, 0, &t);
	else
		HYPERVISOR_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
}

void pv_stop(unsigned int how)
{
	static const u32 reason[] = {
		[STOP_POWEROFF] = SHUTDOWN_poweroff, [STOP_REBOOT] = SHUTDOWN_reboot,
		[STOP_CRASH] = SHUTDOWN_crash,
	};
	struct sched_shutdown arg = { reason[how] };

	HYPERVISOR_sched_op(SCHEDOP_shutdown, &arg);
}

/* The upper half of the cs slot carried the mask; IF in rflags has the same news. */
static int hc_prepare_exit(struct regs *regs)
{
	regs->cs = (u16)regs->cs;
	return 0;
}

const struct cpu_ops ops_hypercall = {
	.name = "hypercall",
	.irq_enable = pv_irq_enable,
	.irq_disable = pv_irq_disable,
	.irq_enabled = pv_irq_enabled,
	.halt = pv_halt,
	.set_ptes = pv_set_ptes,
	.set_va = hc_set_va,
	.pin_table = pv_pin_table,
	.unpin_table = pv_unpin_table,
	.write_cr3 = pv_write_cr3,
	.read_cr3 = hc_read_cr3,
	.invlpg = pv_invlpg,
	.flush_tlb = pv_flush_tlb,
	.read_cr2 = hc_read_cr2,
	.switch_context = hc_switch_context,
	.set_fs_base = hc_set_fs_base,
	.set_gs_base = hc_set_gs_base,
	.set_ts = hc_set_ts,
	.set_dr = hc_set_dr,
	.get_dr = hc_get_dr,
	.cpuid = pv_cpuid,
	.set_timer = pv_set_timer,
	.stop = pv_stop,
	.prepare_exit = hc_prepare_exit,
};

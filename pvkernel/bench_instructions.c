/* SPDX-License-Identifier: MIT */
/* Bench: privileged instructions, which trap and are interpreted in ring 3; exceptions to a handler and back. */
#include <abi/callback.h>

#include "bench.h"
#include "boot.h"
#include "hypercall.h"
#include "insn.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "traps.h"

#define CR4_OSXSAVE (1ul << 18)

extern char handle_step2[], handle_error_step4[], handle_error_step1[], handle_return[], handle_native_step2[],
	handle_native_error_step4[], handle_native_error_step1[], handle_native_return[], handle_return_iretq[],
	handle_step2_iretq[], handle_syscall[], handle_user_exit[], handle_demand_map[], syscall_entry[],
	bench_kernel_stack_end[];

/* rcx, rax and rdx before the first round. */
#define REGISTERS(name, c, a, d) \
	static void name(u64 *arg) \
	{ \
		arg[0] = (c); \
		arg[1] = (a); \
		arg[2] = (d); \
	}
REGISTERS(leaf_0, 0, 0, 0)
REGISTERS(leaf_xen, 0, 0x40000000, 0)
REGISTERS(msr_efer, MSR_EFER, 0, 0)
REGISTERS(msr_apicbase, 0x1b, 0, 0)
REGISTERS(msr_gsbase, MSR_GS_BASE, 0, 0)
REGISTERS(msr_fsbase, MSR_FS_BASE, 0, 0)
REGISTERS(cr3_now, 0, read_cr3(), 0)
REGISTERS(cr4_now, 0, read_cr4(), 0)
REGISTERS(ts_toggle, read_cr0() | CR0_TS, read_cr0() & ~CR0_TS, 0)
REGISTERS(port_3fd, 0, 0, 0x3fd)

static u64 saved_fs, saved_gs;

static void zero_gsbase(u64 *arg)
{
	saved_fs = rdmsr(MSR_FS_BASE);
	saved_gs = rdmsr(MSR_GS_BASE);
	msr_gsbase(arg);
}

static void zero_fsbase(u64 *arg)
{
	zero_gsbase(arg);
	msr_fsbase(arg);
}

static void restore_bases(void)
{
	cpu->set_fs_base(saved_fs);
	cpu->set_gs_base(saved_gs);
}

static void xcr0_now(u64 *arg)
{
	u32 low, high;

	write_cr4(read_cr4() | CR4_OSXSAVE);
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	arg[0] = 0;
	arg[1] = low;
	arg[2] = high;
}

static void no_osxsave(void)
{
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
}

static const struct bench instructions[] = {
	{ .name = "pi_cpuid_fep", loop_cpuid_fep, loop_cpuid, 1, leaf_0 },
	{ .name = "pi_cpuid_fep_xenleaf", loop_cpuid_fep, NULL, 1, leaf_xen },
	{ .name = "pi_rdmsr_efer", loop_rdmsr, loop_rdmsr, 1, msr_efer },
	{ .name = "pi_rdmsr_apicbase", loop_rdmsr, loop_rdmsr, 1, msr_apicbase },
	{ .name = "pi_rdmsr_gsbase", loop_rdmsr, loop_rdmsr, 1, msr_gsbase },
	{ .name = "pi_wrmsr_gsbase", loop_wrmsr, loop_wrmsr, 1, zero_gsbase, restore_bases },
	{ .name = "pi_wrmsr_fsbase", loop_wrmsr, loop_wrmsr, 1, zero_fsbase, restore_bases },
	{ .name = "pi_mov_from_cr0", loop_read_cr0, loop_read_cr0, 1 },
	{ .name = "pi_mov_from_cr2", loop_read_cr2, loop_read_cr2, 1 },
	{ .name = "pi_mov_from_cr3", loop_read_cr3, loop_read_cr3, 1 },
	{ .name = "pi_mov_from_cr4", loop_read_cr4, loop_read_cr4, 1 },
	{ .name = "pi_mov_to_cr3_same", loop_write_cr3, loop_write_cr3, 1, cr3_now },
	{ .name = "pi_mov_to_cr4_same", loop_write_cr4, loop_write_cr4, 1, cr4_now },
	{ .name = "pi_clts", loop_clts, loop_clts, 1 },
	{ .name = "pi_mov_to_cr0_ts_toggle_each", loop_write_cr0_two, loop_write_cr0_two, 2, ts_toggle },
	{ .name = "pi_inb_3fd_denied", loop_in_dx, loop_in_dx, 1, port_3fd },
	{ .name = "pi_inb_61_pit", loop_in_61, loop_in_61, 1 },
	{ .name = "pi_inb_80_passthru", loop_in_80, loop_in_80, 1 },
	{ .name = "pi_outb_80_passthru", loop_out_80, loop_out_80, 1 },
	{ .name = "pi_wbinvd", loop_wbinvd, loop_wbinvd, 1 },
	{ .name = "pi_mov_from_dr7", loop_read_dr7, loop_read_dr7, 1 },
	{ .name = "pi_mov_to_dr0", loop_write_dr0, loop_write_dr0, 1 },
	{ .name = "pi_xsetbv_same", loop_xsetbv, loop_xsetbv, 1, xcr0_now, no_osxsave },
	{ .name = "pi_cli_sti_each", loop_cli_sti, NULL, 2 },
};

const struct bench_group bench_instructions = { .title = "-- instructions that trap", instructions, ARRAY_SIZE(instructions) };

/* --- exceptions ---------------------------------------------------------------------------------------------- */

/* Reads fault there; in no table. */
#define NOWHERE 0x10000000000ul

#define HANDLED(name, vector, pv, native) \
	static void name(u64 *arg) \
	{ \
		bench_handler(vector, pv, native); \
		arg[0] = NOWHERE; \
	}
HANDLED(ud2_hiret, X86_TRAP_UD, handle_step2, handle_native_step2)
HANDLED(ud2_iretq, X86_TRAP_UD, handle_step2_iretq, handle_native_step2)
HANDLED(pf_hiret, X86_TRAP_PF, handle_error_step4, handle_native_error_step4)
HANDLED(gp_hiret, X86_TRAP_GP, handle_error_step1, NULL)
HANDLED(int3_hiret, X86_TRAP_BP, handle_return, handle_native_return)
HANDLED(int80_hiret, 0x80, handle_return, NULL)
HANDLED(int80_iretq, 0x80, handle_return_iretq, NULL)

/* Xen takes the vector from the #GP's error code, which QEMU 7.2 gets wrong: there it arrives as 0x42. */
static void int21_hiret(u64 *arg)
{
	bench_handler(0x21, handle_return, handle_native_return);
	if (!boot.native)
		bench_handler(0x42, handle_return, NULL);
}

static void readonly_write(u64 *arg)
{
	void *page = bench_page();

	pf_hiret(arg);
	page_protect(virt_to_pfn(page), PROT_READ);
	arg[0] = (u64)page;
}

static void demand(u64 *arg)
{
	bench_handler(X86_TRAP_PF, handle_demand_map, NULL);
	arg[0] = (u64)vmalloc(PAGE_SIZE);
	ASSERT(arg[0]);
	arg[1] = *pt_lookup(arg[0]);
	bench_check("unmap", HYPERVISOR_update_va_mapping(arg[0], 0, UVMF_INVLPG));
}

/* --- from user mode: same root, same pages, a stack of its own for the kernel --- */

static void user_begin(u64 *arg)
{
	struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = pfn_to_mfn(root_pfn()) };

	bench_check("user root", HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF));
	bench_check("stack", HYPERVISOR_stack_switch(FLAT_KERNEL_SS, (u64)bench_kernel_stack_end));
	bench_handler(X86_TRAP_BP, handle_user_exit, NULL);
	arg[0] = NOWHERE;
}

static void user_end(void)
{
	struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR };

	bench_handlers_end();
	bench_check("no user root", HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF));
}

static void register_syscall(const char *entry)
{
	struct callback_register cb = { .type = CALLBACKTYPE_syscall, .flags = CALLBACKF_mask_events, .address = (u64)entry };

	bench_check("syscall callback", HYPERVISOR_callback_op(CALLBACKOP_register, &cb));
}

static void user_syscall(u64 *arg)
{
	user_begin(arg);
	register_syscall(handle_syscall);
}

static void user_syscall_end(void)
{
	register_syscall(syscall_entry);
	user_end();
}

#define USER_HANDLED(name, vector, handler) \
	static void name(u64 *arg) \
	{ \
		user_begin(arg); \
		bench_handler(vector, handler, NULL); \
	}
USER_HANDLED(user_int80, 0x80, handle_return)
USER_HANDLED(user_ud2, X86_TRAP_UD, handle_step2)
USER_HANDLED(user_pf, X86_TRAP_PF, handle_error_step4)

static const struct bench exceptions[] = {
	{ .name = "ex_ud2_hiret", loop_ud2, loop_ud2, 1, ud2_hiret, bench_handlers_end },
	{ .name = "ex_ud2_iretq", loop_ud2, loop_ud2, 1, ud2_iretq, bench_handlers_end },
	{ .name = "ex_pf_notpresent_hiret", loop_read_r12, loop_read_r12, 1, pf_hiret, bench_handlers_end },
	{ .name = "ex_pf_readonly_write_hiret", loop_write_r12, NULL, 1, readonly_write, bench_handlers_end },
	{ .name = "ex_pf_demand_map_uvm", loop_only_demand, NULL, 1, demand, bench_handlers_end, 0, loop_only_empty },
	{ .name = "ex_gp_hlt_kernel_hiret", loop_hlt, NULL, 1, gp_hiret, bench_handlers_end },
	{ .name = "ex_int3_kernel_hiret", loop_int3, loop_int3, 1, int3_hiret, bench_handlers_end },
	{ .name = "ex_int80_kernel_hiret", loop_int80, NULL, 1, int80_hiret, bench_handlers_end },
	{ .name = "ex_int80_kernel_iretq", loop_int80, NULL, 1, int80_iretq, bench_handlers_end },
	{ .name = "ex_int21_emulated_kernel_hiret", loop_int21, loop_int21, 1, int21_hiret, bench_handlers_end },
	{ .name = "user_syscall_roundtrip", loop_user_syscall, NULL, 1, user_syscall, user_syscall_end, 0, loop_user_empty },
	{ .name = "user_int80_roundtrip", loop_user_int80, NULL, 1, user_int80, user_end, 0, loop_user_empty },
	{ .name = "user_ud2_roundtrip", loop_user_ud2, NULL, 1, user_ud2, user_end, 0, loop_user_empty },
	{ .name = "user_pf_notpresent_roundtrip", loop_user_read, NULL, 1, user_pf, user_end, 0, loop_user_empty },
};

const struct bench_group bench_exceptions = { .title = "-- exceptions", exceptions, ARRAY_SIZE(exceptions) };

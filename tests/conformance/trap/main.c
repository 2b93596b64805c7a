/* SPDX-License-Identifier: MIT */
/*
 * The frame that a guest kernel's handler finds, and set_trap_table, which says where handlers are.
 *
 *	rcx, r11, [error code], rip, cs | saved mask << 32, rflags, rsp, ss
 */
#include "guest.h"

extern char trap_site[], after_int3[];

static uint64_t undefined(uint64_t stack_out)
{
	__asm__ volatile("mov %%rsp, (%0); .globl trap_site; trap_site: ud2"
			 :
			 : "r"(stack_out)
			 : "memory");
	return 0;
}

static void kernel_frame(void)
{
	uint64_t rsp;
	struct attempt a = attempt(undefined, (uint64_t)&rsp);

	check("TRAP-1", a.vector == VECTOR_UD && a.regs.rip == (uint64_t)trap_site,
	      "rip is that of the faulting instruction");
	check_eq("TRAP-2", a.regs.cs, FLAT_KERNEL_CS64 & ~3, "from kernel mode cs has RPL 0");
	check_eq("TRAP-3", a.regs.ss, FLAT_KERNEL_SS, "ss is as it was");
	check_eq("TRAP-4", a.regs.rsp, rsp, "rsp is as it was");
	check("TRAP-5", a.handler_cs == FLAT_KERNEL_CS64 && a.handler_ss == FLAT_KERNEL_SS,
	      "the handler runs with the flat selectors (cs %x ss %x)", a.handler_cs, a.handler_ss);
}

/* The mask byte of before the trap, in the frame; IF of the frame is its opposite. */
static void masks(void)
{
	struct trap_info masking[2] = { { VECTOR_UD, 3 | TI_MASK_EVENTS, USER_CS,
					  trap_stub(VECTOR_UD) } };
	uint64_t rsp;
	struct attempt a;

	mask_upcalls(true);
	a = attempt(undefined, (uint64_t)&rsp);
	check("TRAP-6", a.regs.saved_mask == 1 && !(a.regs.rflags & 0x200),
	      "masked: the frame has mask 1 and IF 0");
	mask_upcalls(false);
	a = attempt(undefined, (uint64_t)&rsp);
	check("TRAP-7", a.regs.saved_mask == 0 && (a.regs.rflags & 0x200),
	      "unmasked: the frame has mask 0 and IF 1");
	check_eq("TRAP-8", a.mask_in_handler, 0, "without TI_MASK_EVENTS the mask byte stays");
	hypercall(set_trap_table, masking);
	a = attempt(undefined, (uint64_t)&rsp);
	check_eq("TRAP-9", a.mask_in_handler, 1,
		 "with TI_MASK_EVENTS the handler starts with upcalls masked");
	check_eq("TRAP-10", vcpu_info->evtchn_upcall_mask, 0, "and iret restores the mask from IF");
	masking[0].flags = 3;
	hypercall(set_trap_table, masking);
	mask_upcalls(true);
}

/* rcx and r11 are in the frame, every other register is in itself. */
static struct regs at_trap;

static bool keep_registers(struct regs *regs)
{
	at_trap = *regs;
	regs->rip += 2;
	return true;
}

static void registers(void)
{
	trap_hook = keep_registers;
	__asm__ volatile(
		"mov $0x11, %%ecx; mov $0x12, %%r11d; mov $0x13, %%edx; mov $0x14, %%r15d; mov $0x15, %%eax; ud2"
		:
		:
		: "rax", "rcx", "rdx", "r11", "r15", "memory");
	trap_hook = NULL;
	check("TRAP-11", at_trap.rcx == 0x11 && at_trap.r11 == 0x12, "the frame has rcx and r11");
	check("TRAP-12", at_trap.rdx == 0x13 && at_trap.r15 == 0x14 && at_trap.rax == 0x15,
	      "other registers are untouched");
}

/* The stack is rounded down to 16 before the frame is pushed. */
static uint64_t handler_rsp;

static bool keep_stack(struct regs *regs)
{
	handler_rsp = (uint64_t)&regs->rip - 8;
	regs->rip += 2;
	return true;
}

static void alignment(void)
{
	trap_hook = keep_stack;
	__asm__ volatile(
		"push %%rax; push %%rax; mov %%rsp, %%rbx; and $-16, %%rsp; sub $8, %%rsp; ud2; mov %%rbx, %%rsp; pop %%rax; pop %%rax"
		:
		:
		: "rbx", "memory");
	trap_hook = NULL;
	/* Without an error code the stub has pushed one, so rip is where the hypervisor put it: 5 words
	 * below a multiple of 16. */
	check_eq("TRAP-13", (handler_rsp + 8 + 5 * 8) & 15, 0,
		 "rsp is rounded down to 16 before the frame is pushed");
}

static uint64_t flags_before_trap(uint64_t flags)
{
	__asm__ volatile("push %0; popfq; ud2" : : "r"(flags) : "memory", "cc");
	return 0;
}

/* AC and NT are in the frame and off in the handler. DF is left for the handler to clear. */
static void flags(void)
{
	struct attempt a = attempt(flags_before_trap, 0x44202);

	check_eq("TRAP-14", a.regs.rflags & 0x44000, 0x44000, "the frame has AC and NT as they were");
	check_eq("TRAP-15", a.handler_rflags & 0x44100, 0, "the handler runs with AC, NT and TF clear");
	check_eq("TRAP-16", a.handler_rflags & 0x200, 0x200, "the real IF stays set");
}

static uint64_t int_80(uint64_t unused)
{
	__asm__ volatile("int $0x80");
	return 0;
}

static uint64_t int_21(uint64_t unused)
{
	__asm__ volatile("int $0x21");
	return 0;
}

static uint64_t breakpoint(uint64_t unused)
{
	__asm__ volatile("int3; .globl after_int3; after_int3: nop");
	return 7;
}

static void register_21(uint8_t flags)
{
	struct trap_info entry[2] = { { 0x21, flags, USER_CS, trap_stub(0x21) } };

	hypercall(set_trap_table, entry);
}

/* The privilege of a software interrupt: guest user mode counts as 3, the guest kernel as 1. */
static void software(void)
{
	struct attempt a = attempt(int_80, 0);

	check("TRAP-17", a.vector == 0x80 && *(uint8_t *)(a.regs.rip - 2) == 0xcd,
	      "int 0x80: rip is behind the instruction");
	a = attempt(breakpoint, 0);
	check("TRAP-18", a.vector == VECTOR_BP && a.regs.rip == (uint64_t)after_int3,
	      "int3: rip is behind the instruction");
	a = attempt(int_21, 0);
	check("TRAP-19", a.vector == 0x21 && *(uint8_t *)(a.regs.rip - 2) == 0xcd,
	      "int 0x21: the same (vector %d)", a.vector);
	register_21(0);
	a = attempt(int_21, 0);
	check("TRAP-20", a.vector == VECTOR_GP && *(uint8_t *)a.regs.rip == 0xcd,
	      "int 0x21 with DPL 0: #GP at the instruction (vector %d)", a.vector);
	check_eq("TRAP-21", a.regs.error_code, 0x21 * 8 + 2, "its error code names the vector");
	register_21(1);
	check_eq("TRAP-22", attempt(int_21, 0).vector, 0x21, "DPL 1 is enough for the guest kernel");
	check_eq("TRAP-23", run_user(int_21, 0).vector, VECTOR_GP, "and not for guest user mode");
	register_21(3);
	check_eq("TRAP-24", run_user(int_21, 0).vector, 0x21, "DPL 3 is");
}

/* Only what is listed changes; a list ends at address 0; no list clears the table. */
static void table(void)
{
	struct trap_info list[3] = {
		{ VECTOR_UD, 3, USER_CS, trap_stub(0x55) },
		{ VECTOR_UD, 3, 0, trap_stub(VECTOR_UD) },
	};
	uint64_t rsp;

	check_eq("TRAP-25", hypercall(set_trap_table, list), 0,
		 "a vector may come twice; cs is not looked at");
	check_eq("TRAP-26", attempt(undefined, (uint64_t)&rsp).vector, VECTOR_UD,
		 "and the last one counts");
	check_eq("TRAP-27", hypercall(set_trap_table, UNMAPPED), -EFAULT, "an unmapped list");
	check_eq("TRAP-28", hypercall(set_trap_table, MACH2PHYS_VIRT_START), -EFAULT,
		 "a list in the hypervisor's range");
	list[0].address = NON_CANONICAL;
	check_eq("TRAP-29", hypercall(set_trap_table, list), -EINVAL, "a non-canonical handler");
	check_eq("TRAP-30", attempt(undefined, (uint64_t)&rsp).vector, VECTOR_UD, "is not registered");
}

void test_main(void)
{
	kernel_frame();
	masks();
	registers();
	alignment();
	flags();
	software();
	table();
}

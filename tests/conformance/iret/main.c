/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_iret takes a whole frame from the stack and continues there: rax, r11, rcx, flags,
 * rip, cs, rflags, rsp, ss. RPL of cs chooses the mode, IF the upcall mask.
 */
#include "guest.h"

/* State right after an iret, kept by landing code. */
struct {
	uint64_t rax, rcx, r11, rsp, rflags;
	uint16_t cs, ss;
} landed;
extern char landing[];

/* Where the frames of this test point to: note the state, go back to the stack of before. */
__asm__(".text\n"
	"landing: mov %rax, landed; mov %rcx, landed+8; mov %r11, landed+16; mov %rsp, landed+24\n"
	"lea landing_stack_top, %rsp; pushfq; popq landed+32; mov %cs, landed+40; mov %ss, landed+42\n"
	"mov landing_back, %rsp; pop %rbp; ret\n"
	"enter: push %rbp; mov %rsp, landing_back\n"
	"push 64(%rdi); push 56(%rdi); push 48(%rdi); push 40(%rdi); push 32(%rdi)\n"
	"push 24(%rdi); push 16(%rdi); push 8(%rdi); push 0(%rdi)\n"
	"mov $23, %eax; syscall; ud2\n"
	".bss\nlanding_back: .quad 0\n.balign 16\n.skip 256\nlanding_stack_top:\n.text");
void enter(const struct iret_context *frame);

static struct iret_context kernel_frame(void)
{
	return (struct iret_context){
		.rax = 0xa1,
		.r11 = 0xb2,
		.rcx = 0xc3,
		.rip = (uint64_t)landing,
		.cs = KERNEL_CS,
		.rflags = 0x2,
		.rsp = 0xd4d4,
		.ss = USER_SS,
	};
}

static void to_kernel(void)
{
	struct iret_context f = kernel_frame();

	enter(&f);
	check("IRET-1", landed.rax == 0xa1 && landed.r11 == 0xb2 && landed.rcx == 0xc3,
	      "rax, r11 and rcx come from the frame");
	check_eq("IRET-2", landed.rsp, 0xd4d4, "rsp comes from the frame, whatever it points to");
	check("IRET-3", landed.cs == FLAT_KERNEL_CS64 && landed.ss == USER_SS,
	      "cs with RPL 0 runs with RPL 3, in guest kernel mode");
	f.flags = VGCF_in_syscall;
	enter(&f);
	check("IRET-4", landed.rax == 0xa1 && landed.rsp == 0xd4d4,
	      "VGCF_in_syscall: the same, but for rcx and r11");
}

static void flags(void)
{
	struct iret_context f = kernel_frame();

	f.rflags = 0x202;
	enter(&f);
	check_eq("IRET-5", vcpu_info->evtchn_upcall_mask, 0, "IF set: upcalls are unmasked");
	f.rflags = 0x2;
	enter(&f);
	check_eq("IRET-6", vcpu_info->evtchn_upcall_mask, 1, "IF clear: upcalls are masked");
	check_eq("IRET-7", landed.rflags & 0x200, 0x200, "the processor's IF stays set");
	f.rflags = 0x3002;
	enter(&f);
	check_eq("IRET-8", landed.rflags & 0x3000, 0, "IOPL of the frame does not reach the processor");
	f.rflags = 0x2 | 0x8d5;
	enter(&f);
	check_eq("IRET-9", landed.rflags & 0x8d5, 0x8d5, "arithmetic flags come from the frame");
	f.rflags = 0x2 | 0x20000 | 0x100000 | 0x80000;
	enter(&f);
	check_eq("IRET-10", landed.rflags & 0x20000, 0, "VM of the frame does not reach the processor");
}

/* A pending event is delivered by the iret that unmasks, before the first instruction of the target. */
static void pending_event(void)
{
	struct iret_context f = kernel_frame();
	unsigned int before = upcalls;

	mask_upcalls(true);
	vcpu_info->evtchn_upcall_pending = 1;
	f.rflags = 0x202;
	f.rsp = (uint64_t)page_alloc() + PAGE_SIZE;
	enter(&f);
	mask_upcalls(true);
	check("IRET-11", upcalls == before + 1 && upcall_regs.rip == (uint64_t)landing,
	      "a pending event is delivered at the target of the iret that unmasks");
}

static uint64_t iret_here(uint64_t frame)
{
	__asm__ volatile("mov %0, %%rsp; mov $23, %%eax; syscall" : : "r"(frame) : "memory");
	return 0;
}

/* Frames that the processor refuses: the fault is the target's, in guest kernel mode. */
static void bad_targets(void)
{
	struct iret_context f = kernel_frame();
	struct attempt a;

	f.rsp = (uint64_t)page_alloc() + PAGE_SIZE;
	f.rip = UNMAPPED;
	a = attempt(iret_here, (uint64_t)&f);
	check("IRET-12", a.vector == VECTOR_PF && a.regs.rip == UNMAPPED && a.cr2 == UNMAPPED,
	      "an unmapped rip faults there");
	f.rip = NON_CANONICAL;
	a = attempt(iret_here, (uint64_t)&f);
	check("IRET-13", a.vector == VECTOR_GP || a.vector == TRAP_FAILSAFE,
	      "a non-canonical rip is #GP or the failsafe callback (vector %d)", a.vector);
	f.rip = (uint64_t)landing;
	f.cs = 0x8;
	a = attempt(iret_here, (uint64_t)&f);
	check("IRET-14", a.vector == VECTOR_GP || a.vector == TRAP_FAILSAFE,
	      "cs outside the guest's GDT: #GP or failsafe (vector %d)", a.vector);
	f.cs = 0xe008;
	a = attempt(iret_here, (uint64_t)&f);
	check("IRET-15", a.vector == VECTOR_GP || a.vector == TRAP_FAILSAFE,
	      "cs of the hypervisor: #GP or failsafe (vector %d)", a.vector);
	f.cs = KERNEL_CS;
	f.ss = 0xe010;
	a = attempt(iret_here, (uint64_t)&f);
	check("IRET-16", a.vector == VECTOR_GP || a.vector == VECTOR_SS || a.vector == TRAP_FAILSAFE,
	      "ss of the hypervisor: an exception or failsafe (vector %d)", a.vector);
}

static uint64_t user_code(uint64_t argument)
{
	return argument + 1;
}

static uint64_t user_flags(uint64_t unused)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	return flags;
}

static uint64_t user_iret(uint64_t unused)
{
	uint64_t rax = __HYPERVISOR_iret;

	__asm__ volatile("syscall" : "+a"(rax) : : "rcx", "r11", "memory");
	return 0;
}

static void to_user(void)
{
	struct user_frame f = user_frame_for(user_code);
	struct attempt a = run_user_frame(&f, 41);

	check("IRET-17", a.vector == 0x80 && a.value == 42,
	      "cs with RPL 3 continues in guest user mode");
	check_eq("IRET-18", a.regs.cs, USER_CS, "which the next trap's frame shows");
	f.rip = (uint64_t)user_flags;
	f.rflags = 0x3202;
	a = run_user_frame(&f, 0);
	check_eq("IRET-19", a.value & 0x3000, 0, "user mode gets no IOPL either");
	a = run_user(user_iret, 0);
	check_eq("IRET-20", a.vector, TRAP_SYSCALL,
		 "user mode itself has no hypercalls: SYSCALL goes to the guest kernel");
}

/* A real IRETQ works between flat selectors, without the hypervisor. */
static uint64_t real_iretq(uint64_t unused)
{
	uint64_t value;

	__asm__ volatile(
		"mov %%rsp, %%rbx; mov %%ss, %%eax; push %%rax; push %%rbx; pushfq; mov %%cs, %%eax; push %%rax; push $1f; iretq; 1: mov $5, %0"
		: "=r"(value)
		:
		: "rax", "rbx", "memory", "cc");
	return value;
}

void test_main(void)
{
	struct attempt a;

	to_kernel();
	flags();
	pending_event();
	bad_targets();
	to_user();
	a = attempt(real_iretq, 0);
	check("IRET-21", a.vector == NO_TRAP && a.value == 5,
	      "IRETQ works between the flat selectors (vector %d)", a.vector);
}

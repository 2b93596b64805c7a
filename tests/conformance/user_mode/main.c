/* SPDX-License-Identifier: MIT */
/*
 * Guest user mode: it runs on its own root with its own GS base, and everything that it may ask
 * for goes to the guest kernel: SYSCALL to the callback, INT to the trap table, the rest as #GP.
 */
#include "guest.h"
#include <abi/callback.h>

extern char after_syscall[];
static bool (*const no_hook)(struct regs *regs);

static uint64_t do_syscall(uint64_t nr)
{
	__asm__ volatile("syscall; .globl after_syscall; after_syscall: nop"
			 : "+a"(nr)
			 : "D"(0x77UL)
			 : "rcx", "r11", "memory");
	return nr + 1;
}

static void syscall_entry(void)
{
	struct attempt a = run_user(do_syscall, 123);

	check_eq("USER-1", a.vector, TRAP_SYSCALL, "SYSCALL in user mode enters the syscall callback");
	check("USER-2", a.regs.rax == 123 && a.regs.rdi == 0x77, "with the registers as they were");
	check_eq("USER-3", a.regs.rip, (uint64_t)after_syscall, "rip is behind the instruction");
	check("USER-4", a.regs.rcx == a.regs.rip && ((a.regs.r11 ^ a.regs.rflags) & ~0x200UL) == 0,
	      "rcx is rip, r11 is rflags but for IF, which the mask decides");
	check("USER-5", a.regs.cs == FLAT_USER_CS64 && a.regs.ss == FLAT_USER_SS64,
	      "cs and ss are the flat user selectors");
	check_eq("USER-6", a.mask_in_handler, 1, "upcalls are masked, as CALLBACKF_mask_events asks");
}

/* A system call that returns: the hook answers, iret with VGCF_in_syscall goes on in user mode. */
static bool answer(struct regs *regs)
{
	if (regs->vector != TRAP_SYSCALL)
		return false;
	regs->rax = regs->rax * 2;
	return true;
}

static void syscall_return(void)
{
	struct attempt a;

	trap_hook = answer;
	a = run_user(do_syscall, 21);
	check("USER-7", a.vector == 0x80 && a.value == 43,
	      "iret returns the callback's answer to user mode");
	iret_flags = VGCF_in_syscall;
	a = run_user(do_syscall, 21);
	check("USER-8", a.vector == 0x80 && a.value == 43, "with VGCF_in_syscall as well");
	iret_flags = 0;
	trap_hook = no_hook;
}

static void without_mask(void)
{
	struct callback_register op = { .type = CALLBACKTYPE_syscall,
					.address = (uint64_t)callback_syscall };
	struct attempt a;

	hypercall(callback_op, CALLBACKOP_register, &op);
	mask_upcalls(false);
	a = run_user(do_syscall, 1);
	mask_upcalls(true);
	check("USER-9", a.vector == TRAP_SYSCALL && a.mask_in_handler == 0,
	      "without CALLBACKF_mask_events the mask byte stays");
}

INSTRUCTION(user_hlt, "hlt")
INSTRUCTION(user_cli, "cli")
INSTRUCTION(user_rdmsr, "mov $0xc0000101, %%ecx; rdmsr")
INSTRUCTION(user_mov_cr0, "mov %%cr0, %%rax")
INSTRUCTION(user_in, "mov $0x80, %%edx; in %%dx, %%al")
INSTRUCTION(user_invlpg, "invlpg (%%rsp)")

static void privileged(void)
{
	static uint64_t (*const tries[])(uint64_t) = {
		user_hlt, user_cli, user_rdmsr, user_mov_cr0, user_in, user_invlpg,
	};
	bool all = true;

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		struct attempt a = run_user(tries[i], 0);

		all = all && a.vector == VECTOR_GP && a.regs.error_code == 0 && a.regs.cs == USER_CS;
		if (a.vector != VECTOR_GP)
			note("instruction %lu gave vector %d", i, a.vector);
	}
	check("USER-10", all, "privileged instructions of user mode are #GP to the guest kernel");
}

/* The handler of an entry from user mode runs on the stack given by stack_switch. */
static uint64_t handler_stack;

static bool keep_stack(struct regs *regs)
{
	handler_stack = (uint64_t)(regs + 1);
	return false;
}

static void kernel_stack(void)
{
	uint8_t *stack = page_alloc();

	trap_hook = keep_stack;
	check_eq("STACK-1", hypercall(stack_switch, USER_SS, stack + PAGE_SIZE), 0,
		 "stack_switch takes ss and rsp");
	run_user(do_syscall, 1);
	check("STACK-2", handler_stack == (uint64_t)stack + PAGE_SIZE,
	      "an entry from user mode starts there");
	check_eq("STACK-3", hypercall(stack_switch, USER_SS & ~3, stack + PAGE_SIZE - 8), 0,
		 "RPL of ss need not be 3");
	run_user(do_syscall, 1);
	check("STACK-4", handler_stack == (uint64_t)stack + PAGE_SIZE - 16, "rsp is rounded down to 16");
	hypercall(stack_switch, USER_SS, trap_stack_top);
	trap_hook = no_hook;
}

static uint64_t user_gs(uint64_t unused)
{
	uint64_t value;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
	return value;
}

/* Each mode has a GS base; crossing exchanges them. */
static void gs_bases(void)
{
	static uint64_t kernel_word = 0x1111, user_word = 0x2222;
	struct attempt a;

	check_eq("SEG-1", hypercall(set_segment_base, SEGBASE_GS_KERNEL, &kernel_word), 0,
		 "GS base of the running mode is set");
	check_eq("SEG-2", user_gs(0), 0x1111, "and in use at once");
	check_eq("SEG-3", hypercall(set_segment_base, SEGBASE_GS_USER, &user_word), 0,
		 "GS base of user mode is set");
	check_eq("SEG-4", user_gs(0), 0x1111, "and does not change kernel mode's");
	a = run_user(user_gs, 0);
	check("SEG-5", a.vector == 0x80 && a.value == 0x2222, "user mode finds its own GS base");
	check_eq("SEG-6", user_gs(0), 0x1111, "and kernel mode its own after that");
	hypercall(set_segment_base, SEGBASE_GS_KERNEL, 0);
	hypercall(set_segment_base, SEGBASE_GS_USER, 0);
}

/* A root of its own: an address that only one of the two maps. */
static uint64_t user_word(uint64_t address)
{
	return *(volatile uint64_t *)address;
}

static void own_root(void)
{
	uint64_t *root = page_alloc(), *l3 = page_alloc(), *l2 = page_alloc(), *l1 = page_alloc(),
		 *data = page_alloc();
	uint64_t va = 0x123UL << 12;
	struct attempt a;

	*data = 0x5555;
	l1[va >> 12 & 511] = mfn_of(data) << PAGE_SHIFT | PTE_PRESENT | PTE_USER;
	l2[va >> 21 & 511] = mfn_of(l1) << PAGE_SHIFT | PTE_TABLE;
	l3[va >> 30 & 511] = mfn_of(l2) << PAGE_SHIFT | PTE_TABLE;
	root[511] = *entry_of((void *)VIRT_BASE, 4);
	root[va >> 39 & 511] = mfn_of(l3) << PAGE_SHIFT | PTE_TABLE;
	make_readonly(l1);
	make_readonly(l2);
	make_readonly(l3);
	make_readonly(root);
	check_eq("USER-11", mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(root), 0), 0,
		 "user mode gets a root of its own");
	a = run_user(user_word, va);
	check("USER-12", a.vector == 0x80 && a.value == 0x5555, "user mode runs on it");
	a = attempt_read((void *)va);
	check("USER-13", a.vector == VECTOR_PF, "kernel mode does not");
	check_eq("USER-14", mmuext(MMUEXT_NEW_USER_BASEPTR, boot_l4_mfn(), 0), 0,
		 "it may be the kernel's root");
	a = run_user(user_word, (uint64_t)data);
	check("USER-15", a.vector == 0x80 && a.value == 0x5555,
	      "and user mode then sees the same mappings");
	map_back(root);
	check("USER-16", attempt_write(root, 0).vector == NO_TRAP,
	      "a root given up can be mapped read-write again");
}

void test_main(void)
{
	syscall_entry();
	syscall_return();
	without_mask();
	privileged();
	kernel_stack();
	gs_bases();
	own_root();
}

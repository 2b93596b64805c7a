/* SPDX-License-Identifier: MIT */
/*
 * Returns to addresses that are not canonical. SYSCALL as the last instruction of the lower half
 * leaves such an address in rcx, and SYSRET would fault on it in ring 0.
 */
#include "guest.h"

#define LAST_PAGE 0x00007ffffffff000UL
#define END 0x0000800000000000UL

/* Map a page of code as the last of the lower half, of the kernel's root, which is the user's too. */
static void map_last_page(const void *code)
{
	uint64_t *l3 = page_alloc(), *l2 = page_alloc(), *l1 = page_alloc();

	l1[511] = mfn_of(code) << PAGE_SHIFT | PTE_PRESENT | PTE_USER;
	l2[511] = mfn_of(l1) << PAGE_SHIFT | PTE_TABLE;
	l3[511] = mfn_of(l2) << PAGE_SHIFT | PTE_TABLE;
	make_readonly(l1);
	make_readonly(l2);
	make_readonly(l3);
	if (mmu_update_one(entry_maddr((void *)LAST_PAGE, 4), mfn_of(l3) << PAGE_SHIFT | PTE_TABLE))
		bail("the last page cannot be mapped");
}

static uint64_t call_with_rax_17(uint64_t address)
{
	__asm__ volatile("mov $17, %%eax; xor %%edi, %%edi; xor %%esi, %%esi; jmp *%0"
			 :
			 : "r"(address)
			 : "rax", "rdi", "rsi");
	return 0;
}

static bool is_refused(struct attempt a)
{
	return a.vector == VECTOR_GP || a.vector == TRAP_FAILSAFE;
}

static bool resume(struct regs *regs)
{
	return regs->vector == TRAP_SYSCALL;
}

static uint64_t iret_to(uint64_t frame)
{
	__asm__ volatile("mov %0, %%rsp; mov $23, %%eax; syscall" : : "r"(frame) : "memory");
	return 0;
}

void test_main(void)
{
	uint8_t *code = page_alloc();
	struct iret_context frame = {
		.flags = VGCF_in_syscall, .rip = END, .cs = KERNEL_CS, .rflags = 2, .ss = USER_SS
	};
	static uint8_t stack[4096];
	struct user_frame user = user_frame_for((uint64_t(*)(uint64_t))END);
	struct attempt a;

	memset(code, 0x90, PAGE_SIZE);
	code[PAGE_SIZE - 2] = 0x0f;
	code[PAGE_SIZE - 1] = 0x05;
	map_last_page(code);
	a = attempt(call_with_rax_17, END - 2);
	check("SAFE-18", is_refused(a) || a.vector == VECTOR_PF,
	      "a hypercall at the very end of the lower half: an exception behind it (vector %d)",
	      a.vector);
	trap_hook = resume;
	a = run_user((uint64_t(*)(uint64_t))(END - 2), 0);
	check("SAFE-19", is_refused(a), "a system call there: the return is #GP or failsafe (vector %d)",
	      a.vector);
	iret_flags = VGCF_in_syscall;
	a = run_user((uint64_t(*)(uint64_t))(END - 2), 0);
	iret_flags = 0;
	trap_hook = NULL;
	check("SAFE-20", is_refused(a), "with VGCF_in_syscall as well (vector %d)", a.vector);
	frame.rsp = (uint64_t)stack + sizeof(stack);
	a = attempt(iret_to, (uint64_t)&frame);
	check("SAFE-21", is_refused(a), "iret to the kernel with VGCF_in_syscall (vector %d)", a.vector);
	user.flags = VGCF_in_syscall;
	a = run_user_frame(&user, 0);
	check("SAFE-22", is_refused(a), "iret to user mode with VGCF_in_syscall (vector %d)", a.vector);
	frame.rip = (uint64_t)code;
	frame.rsp = NON_CANONICAL;
	code[0] = 0x0f;
	code[1] = 0x0b;
	ending("SAFE-23", "crash", "an exception on a stack that is not canonical");
	attempt(iret_to, (uint64_t)&frame);
}

/* SPDX-License-Identifier: MIT */
/* Traps inside handlers, and single steps over hypercalls. */
#include "guest.h"

static unsigned int depth, faults;
static uint64_t inner_rsp, outer_rsp, handler_frame;

/* The handler of a ud2 makes another one, twice. */
static bool nest(struct regs *regs)
{
	if (regs->vector != VECTOR_UD)
		return false;
	faults++;
	if (depth < 2) {
		depth++;
		outer_rsp = (uint64_t)regs;
		__asm__ volatile("ud2");
	} else {
		inner_rsp = (uint64_t)regs;
		handler_frame = regs->rsp;
	}
	regs->rip += 2;
	return true;
}

static unsigned int steps;

static bool step(struct regs *regs)
{
	if (regs->vector != VECTOR_DB)
		return false;
	steps++;
	regs->rflags &= ~0x100UL;
	return true;
}

extern char stepped_call[], stepped_end[];
static uint64_t step_rip;

static bool step_once(struct regs *regs)
{
	if (regs->vector != VECTOR_DB)
		return false;
	step_rip = regs->rip;
	if (regs->rip >= (uint64_t)stepped_call && regs->rip <= (uint64_t)stepped_end)
		steps++;
	if (regs->rip >= (uint64_t)stepped_end)
		regs->rflags &= ~0x100UL;
	return true;
}

void test_main(void)
{
	trap_hook = nest;
	__asm__ volatile("ud2" : : : "memory");
	trap_hook = NULL;
	check("EXC-19", faults == 3 && inner_rsp < outer_rsp,
	      "a fault in a handler is delivered on top of the first frame");
	check("STACK-5", handler_frame < outer_rsp && handler_frame > inner_rsp,
	      "an entry from kernel mode stays on the current stack");
	trap_hook = step;
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop" : : : "memory", "cc");
	steps = 0;
	trap_hook = step_once;
	__asm__ volatile(
		"mov $17, %%eax; xor %%edi, %%edi; xor %%esi, %%esi; pushfq; orq $0x100, (%%rsp); popfq\n"
		"syscall; stepped_call: nop; stepped_end: nop; nop"
		:
		:
		: "rax", "rcx", "rdi", "rsi", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
	trap_hook = NULL;
	check("EXC-20", steps >= 1 && step_rip >= (uint64_t)stepped_call,
	      "a hypercall under TF is followed by #DB");
}

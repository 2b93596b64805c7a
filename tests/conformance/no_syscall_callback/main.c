/* SPDX-License-Identifier: MIT */
/* SYSCALL of user mode while no syscall callback is registered. */
#include "guest.h"

extern char the_syscall[];

static uint64_t do_syscall(uint64_t nr)
{
	__asm__ volatile("the_syscall: syscall" : "+a"(nr) : : "rcx", "r11", "memory");
	return nr;
}

void test_main(void)
{
	struct attempt a;

	hypercall(set_callbacks, callback_event, callback_failsafe, 0);
	a = run_user(do_syscall, 1);
	check("USER-17", a.vector == VECTOR_UD && a.regs.rip == (uint64_t)the_syscall,
	      "it is #UD at the instruction (vector %d)", a.vector);
}

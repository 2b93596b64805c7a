/* SPDX-License-Identifier: MIT */
/* Debug registers, by hypercall and by MOV, and the traps that they make. */
#include "guest.h"

static int64_t set(unsigned int n, uint64_t value)
{
	return hypercall(set_debugreg, n, value);
}

static int64_t get(unsigned int n)
{
	return hypercall(get_debugreg, n);
}

static void values(void)
{
	uint64_t address = (uint64_t)page_alloc();
	bool all = true, hypervisor = true, bad = true;

	check("DR-10", get(6) == 0xffff0ff0 && get(7) == 0x400, "DR6 and DR7 at the start");
	for (unsigned int n = 0; n < 4; n++) {
		all = all && set(n, address + n) == 0 && get(n) == (int64_t)(address + n);
		hypervisor = hypervisor && set(n, HYPERVISOR_VIRT_START + 0x1000) == -EPERM;
		bad = bad && set(n, NON_CANONICAL) == -EPERM;
	}
	check("DR-1", all, "DR0 to DR3 take addresses of the guest");
	check("DR-2", hypervisor, "not of the hypervisor");
	check("DR-7", bad, "nor any that is not canonical");
	check("DR-9", get(0) == (int64_t)address && get(3) == (int64_t)address + 3,
	      "a refused value changes nothing");
	check_eq("DR-3", set(7, 0x2400), -EPERM, "GD in DR7");
	check("DR-4", set(6, 1UL << 32) == -EINVAL && set(7, 1UL << 63) == -EINVAL,
	      "the upper halves of DR6 and DR7");
	check("DR-5", set(8, 0) == -ENODEV && set(1000, 0) == -ENODEV, "registers above 7");
	check("DR-11", get(8) == -ENODEV && get(1000) == -ENODEV, "reading registers above 7");
	check("DR-6", get(4) == get(6) && get(5) == get(7) && set(5, 0x400) == 0, "4 and 5 are 6 and 7");
	check_eq("DR-8", set(7, 0x400 | 2 << 16 | 3), -EPERM, "an I/O breakpoint");
}

static uint64_t moves(uint64_t address)
{
	uint64_t d0, d1, d2, d3, d6, d7;

	__asm__ volatile(
		"mov %6, %%dr0; mov %6, %%dr1; mov %6, %%dr2; mov %6, %%dr3\n"
		"mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3; mov %%dr6, %4; mov %%dr7, %5\n"
		"mov %4, %%dr6; mov %5, %%dr7"
		: "=&r"(d0), "=&r"(d1), "=&r"(d2), "=&r"(d3), "=&r"(d6), "=&r"(d7)
		: "r"(address));
	return d0 == address && d1 == address && d2 == address && d3 == address &&
	       d6 == (uint64_t)get(6) && d7 == (uint64_t)get(7);
}

extern char breakpoint_here[];

static uint64_t run_over(uint64_t unused)
{
	__asm__ volatile("nop; breakpoint_here: nop");
	return 0;
}

static uint64_t watched;

static uint64_t store(uint64_t value)
{
	__asm__ volatile("mov %1, %0; .globl behind_store; behind_store: nop"
			 : "=m"(watched)
			 : "r"(value));
	return 0;
}
extern char behind_store[];

static void breakpoints(void)
{
	struct attempt a;

	set(6, 0xffff0ff0);
	set(0, (uint64_t)breakpoint_here);
	set(7, 0x400 | 3);
	a = attempt(run_over, 0);
	check("DR-13", a.vector == VECTOR_DB && a.regs.rip == (uint64_t)breakpoint_here && (get(6) & 1),
	      "an instruction breakpoint");
	set(7, 0x400);
	set(6, 0xffff0ff0);
	set(1, (uint64_t)&watched);
	set(7, 0x400 | 0xc | 0xd << 20);
	a = attempt(store, 5);
	set(7, 0x400);
	check("DR-14",
	      a.vector == VECTOR_DB && a.regs.rip == (uint64_t)behind_store && watched == 5 &&
		      (get(6) & 2),
	      "a write watchpoint");
}

void test_main(void)
{
	values();
	check("DR-12", attempt(moves, (uint64_t)&watched).value == 1, "MOV to and from debug registers");
	breakpoints();
}

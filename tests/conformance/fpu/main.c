/* SPDX-License-Identifier: MIT */
/* TS, by fpu_taskswitch and by CR0: the next floating-point instruction traps, and nothing is lost. */
#include "guest.h"

#define CR0_TS 8UL

INSTRUCTION(read_cr0, "mov %%cr0, %0")
INSTRUCTION(write_cr0, "mov %0, %%cr0")
INSTRUCTION(clts, "clts")
INSTRUCTION(sse, "movd %%eax, %%xmm1")

extern char x87_here[];

static uint64_t x87(uint64_t unused)
{
	__asm__ volatile("x87_here: fnop");
	return 7;
}

static uint64_t ts(void)
{
	return attempt(read_cr0, 0).value & CR0_TS;
}

static void traps(void)
{
	struct attempt a;
	int64_t r = hypercall(fpu_taskswitch, 1);

	check("FPU-1", r == 0 && ts(), "fpu_taskswitch(1) sets TS");
	a = attempt(x87, 0);
	check("FPU-2", a.vector == VECTOR_NM && a.regs.rip == (uint64_t)x87_here,
	      "an x87 instruction is #NM");
	check("FPU-4", !ts() && attempt(x87, 0).value == 7,
	      "TS is then clear, and the instruction works");
	hypercall(fpu_taskswitch, 1);
	check_eq("FPU-3", attempt(sse, 0).vector, VECTOR_NM, "an SSE instruction is #NM");
	hypercall(fpu_taskswitch, 1);
	r = hypercall(fpu_taskswitch, 0);
	check("FPU-5", r == 0 && !ts() && attempt(x87, 0).vector == NO_TRAP,
	      "fpu_taskswitch(0) clears TS");
	hypercall(fpu_taskswitch, 1);
	check("FPU-6", attempt(clts, 0).vector == NO_TRAP && !ts(), "CLTS clears TS");
	attempt(write_cr0, 0x80050033 | CR0_TS);
	check("FPU-7", ts() && attempt(write_cr0, 0x80050033).vector == NO_TRAP && !ts(),
	      "MOV to CR0 sets and clears TS");
}

/* Registers set, TS set, a trap on the way, registers read back. */
static bool handled;

static bool on_nm(struct regs *regs)
{
	handled = regs->vector == VECTOR_NM;
	return handled;
}

static void contents(void)
{
	static uint8_t before[512] __attribute__((aligned(16))), after[512] __attribute__((aligned(16)));

	__asm__ volatile("fninit; fldpi; fld1; fxsave %0" : "=m"(before));
	for (unsigned int i = 0; i < 256; i++)
		before[160 + i] = (uint8_t)(i * 3 + 5);
	__asm__ volatile("fxrstor %0" : : "m"(before));
	hypercall(fpu_taskswitch, 1);
	trap_hook = on_nm;
	__asm__ volatile("fxsave %0; fninit" : "=m"(after) : : "memory");
	trap_hook = NULL;
	check("FPU-8", handled && memcmp(before + 32, after + 32, 384) == 0,
	      "registers survive TS and its trap");
}

void test_main(void)
{
	traps();
	contents();
}

/* SPDX-License-Identifier: MIT */
/* Ways to die, each on purpose: to see what is printed, and that nobody else dies with us. */
#include "boot.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "shell.h"

static void crash_ud(void)
{
	__asm__ volatile("ud2");
}

static void crash_divide(void)
{
	volatile int zero = 0;

	__asm__ volatile("idivl %0" :: "m"(zero), "a"(1), "d"(0));
}

static void crash_read(void)
{
	(void)*(volatile u64 *)ARENA_END;
}

static void crash_gp(void)
{
	(void)*(volatile u64 *)0x8000000000000000;
}

static void crash_text(void)
{
	*(volatile u64 *)image_start = 0;
}

static void crash_data(void)
{
	static u8 ret = 0xc3;

	((void (*)(void))&ret)();
}

/* A page table in use, by its address in the direct map. */
static void crash_table(void)
{
	*(volatile u64 *)pfn_to_virt(root_pfn()) = 0;
}

/* Each call leaves a frame; the guard page below the stack ends it. */
static u64 crash_stack_depth(u64 depth)
{
	volatile u64 space[64];

	space[0] = depth;
	if (!space[0])
		return 0;
	return crash_stack_depth(depth + 1) + space[0];
}

static void crash_stack(void)
{
	crash_stack_depth(1);
}

static void crash_panic(void)
{
	panic("as asked");
}

static void crash_hypervisor(void)
{
	*(volatile u64 *)HYPERVISOR_VIRT_START = 0;
}

/* No exception can be delivered: no stack. */
static void crash_triple(void)
{
	__asm__ volatile("mov %0, %%rsp; ud2" :: "r"(0x1000ul));
}

static void crash_loop(void)
{
	cpu->irq_disable();
	for (;;)
		barrier();
}

static void crash_silent(void)
{
	cpu->stop(STOP_CRASH);
}

static const struct {
	const char *name;
	void (*fn)(void);
	const char *what;
} ways[] = {
	{ "ud", crash_ud, "an undefined instruction" },
	{ "divide", crash_divide, "a division by zero" },
	{ "read", crash_read, "a read where nothing is mapped" },
	{ "gp", crash_gp, "a non-canonical address" },
	{ "text", crash_text, "a write to the kernel's text" },
	{ "data", crash_data, "a call into data" },
	{ "table", crash_table, "a write to the root page table" },
	{ "stack", crash_stack, "recursion until the guard page" },
	{ "panic", crash_panic, "the kernel's own decision" },
	{ "hypervisor", crash_hypervisor, "a write to the hypervisor's addresses" },
	{ "triple", crash_triple, "an exception without a stack to deliver it on" },
	{ "loop", crash_loop, "a loop with events masked, which only the outside ends" },
	{ "silent", crash_silent, "the end without a word" },
};

static int cmd_crash(int argc, char **argv)
{
	for (unsigned int i = 0; argc > 1 && i < ARRAY_SIZE(ways); i++) {
		if (!strcmp(argv[1], ways[i].name)) {
			printf("crash: %s\n", ways[i].what);
			ways[i].fn();
			printf("crash: survived\n");
			return 1;
		}
	}
	printf("usage: crash WAY\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++)
		printf("  %-10s %s\n", ways[i].name, ways[i].what);
	return argc > 1;
}
COMMAND(crash, cmd_crash, "WAY: ends this kernel by a mistake; without WAY lists them");

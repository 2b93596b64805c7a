/* SPDX-License-Identifier: MIT */
/* set_trap_table: what a list does not name stays as it is. (trap/ has the rest.) */
#include "guest.h"

INSTRUCTION(ud2, "ud2")

static uint64_t divide(uint64_t unused)
{
	__asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; mov $1, %%eax; div %%ecx"
			 :
			 :
			 : "rax", "rcx", "rdx");
	return 0;
}

void test_main(void)
{
	struct trap_info list[2] = { { VECTOR_DE, 3, USER_CS, trap_stub(0x55) } }, empty[1] = { { 0 } };
	int64_t r = hypercall(set_trap_table, empty);

	check("TRAP-32",
	      r == 0 && attempt(ud2, 0).vector == VECTOR_UD && attempt(divide, 0).vector == VECTOR_DE,
	      "an empty list changes nothing");
	hypercall(set_trap_table, list);
	check("TRAP-31", attempt(divide, 0).vector == 0x55 && attempt(ud2, 0).vector == VECTOR_UD,
	      "a list changes only what it names");
}

/* SPDX-License-Identifier: MIT */
/* An exception whose frame cannot be written ends the domain. */
#include "guest.h"

void test_main(void)
{
	ending("TRAP-35", "crash", "an exception frame that cannot be written");
	__asm__ volatile("mov %0, %%rsp; ud2" : : "r"(UNMAPPED + PAGE_SIZE));
}

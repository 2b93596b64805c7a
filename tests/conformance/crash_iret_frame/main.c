/* SPDX-License-Identifier: MIT */
/* An iret whose frame cannot be read ends the domain. */
#include "guest.h"

void test_main(void)
{
	ending("IRET-23", "crash", "an iret frame that cannot be read");
	__asm__ volatile("mov %0, %%rsp; mov $23, %%eax; syscall"
			 :
			 : "r"(UNMAPPED)
			 : "rax", "rcx", "r11");
}

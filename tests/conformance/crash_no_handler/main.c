/* SPDX-License-Identifier: MIT */
/* An exception that has no handler ends the domain. */
#include "guest.h"

void test_main(void)
{
	check_eq("TRAP-33", hypercall(set_trap_table, 0), 0, "NULL takes all handlers away");
	ending("TRAP-34", "crash", "an exception without a handler");
	__asm__ volatile("ud2");
}

/* SPDX-License-Identifier: MIT */
/* A return to user mode, when there is no user root, ends the domain. */
#include "guest.h"

static uint64_t user_code(uint64_t argument)
{
	return argument;
}

void test_main(void)
{
	mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0);
	ending("IRET-22", "crash", "a return to user mode without a user root");
	run_user(user_code, 0);
}

/* SPDX-License-Identifier: MIT */
/* The hypervisor's types.h on the host, whose compiler keeps floating-point registers, too. */
#include_next <types.h>
#undef slow_path
#define slow_path __attribute__((noinline))

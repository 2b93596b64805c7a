/* SPDX-License-Identifier: MIT */
/*
 * xen_version says which hypervisor this is. Numbers come back in rax, strings and structures
 * through a pointer, and a pointer that cannot be written gives -EFAULT and nothing else.
 */
#include "guest.h"

static char buffer[2048] __attribute__((aligned(8)));

void test_main(void)
{
	check_eq("VERSION-1", hypercall(xen_version, XENVER_version, 0), 0x40011, "XENVER_version is 4.17");
	check_eq("VERSION-2", hypercall(xen_version, XENVER_extraversion, buffer), 0, "extraversion is given");
	check_eq("VERSION-3", hypercall(xen_version, XENVER_extraversion, UNMAPPED), -EFAULT,
		 "extraversion to an unmapped address");
}

/* SPDX-License-Identifier: MIT */
/* platform_op: processors and the wall clock, for domain 0. */
#include "guest.h"
#include <abi/platform.h>

static struct xen_platform_op op;

static int64_t call(uint32_t cmd)
{
	op.cmd = cmd;
	op.interface_version = XENPF_INTERFACE_VERSION;
	return hypercall(platform_op, &op);
}

/* Wall-clock seconds at system time now. */
static uint64_t wall_clock(void)
{
	uint64_t at_boot = (uint64_t)shared_info->wc_sec_hi << 32 | shared_info->wc_sec;

	return at_boot + (shared_info->wc_nsec + system_time()) / 1000000000;
}

static bool close_to(uint64_t a, uint64_t b)
{
	return a - b + 2 <= 4;
}

static void clocks(void)
{
	uint64_t before = wall_clock(), later = before + 1000000;

	op.u.settime64.secs = later;
	op.u.settime64.nsecs = 0;
	op.u.settime64.mbz = 1;
	op.u.settime64.system_time = system_time();
	check("PLATFORM-6", call(XENPF_settime64) == -EINVAL && close_to(wall_clock(), before),
	      "settime64 with mbz set");
	op.u.settime64.mbz = 0;
	op.u.settime64.system_time = system_time();
	check("PLATFORM-7", call(XENPF_settime64) == 0 && close_to(wall_clock(), later),
	      "settime64 sets the wall clock");
	op.u.settime32.secs = (uint32_t)before;
	op.u.settime32.nsecs = 0;
	op.u.settime32.system_time = system_time();
	check("PLATFORM-8", call(XENPF_settime32) == 0 && close_to(wall_clock(), before),
	      "settime32 does too");
}

void test_main(void)
{
	op.cmd = XENPF_get_cpuinfo;
	op.interface_version = XENPF_INTERFACE_VERSION ^ 1;
	check_eq("PLATFORM-1", hypercall(platform_op, &op), -EACCES, "another interface version");
	check_eq("PLATFORM-2", hypercall(platform_op, UNMAPPED), -EFAULT, "an unmapped structure");
	check_eq("PLATFORM-3", call(9999), -ENOSYS, "an unknown command");
	op.u.pcpu_info.xen_cpuid = 0;
	check("PLATFORM-4",
	      call(XENPF_get_cpuinfo) == 0 && (op.u.pcpu_info.flags & XEN_PCPU_FLAGS_ONLINE),
	      "processor 0 is online");
	op.u.pcpu_info.xen_cpuid = 5000;
	check("PLATFORM-5",
	      call(XENPF_get_cpuinfo) == 0 && (op.u.pcpu_info.flags & XEN_PCPU_FLAGS_INVALID),
	      "processor 5000 does not exist");
	clocks();
}

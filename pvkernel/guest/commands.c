/* SPDX-License-Identifier: MIT */
/* The commands that mean something else in domain 0: what this machine is, how to end it. */
#include <abi/features.h>
#include <abi/version.h>

#include "../include/boot.h"
#include "../include/gnttab.h"
#include "../include/hypercall.h"
#include "../include/insn.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/ops.h"
#include "../include/shell.h"
#include "../include/time.h"

static void print_hypervisor(void)
{
	char extra[XEN_EXTRAVERSION_LEN] = "", caps[XEN_CAPABILITIES_INFO_LEN] = "";
	struct xen_feature_info features = { 0 };
	long version = HYPERVISOR_xen_version(XENVER_version, NULL);
	u32 id[4];
	char name[13] = "";

	HYPERVISOR_xen_version(XENVER_extraversion, extra);
	HYPERVISOR_xen_version(XENVER_capabilities, caps);
	HYPERVISOR_xen_version(XENVER_get_features, &features);
	cpu->cpuid(XEN_CPUID_FIRST_LEAF, 0, id);
	memcpy(name, id + 1, 12);
	printf("hypervisor   %s, version %ld.%ld%.16s\n", name, version >> 16, version & 0xffff, extra);
	printf("capabilities %.80s\n", caps);
	printf("features     %08x\n", features.submap);
	printf("domain       %s, flags %x\n", boot.initial_domain ? "0" : "guest", boot.start_info->flags);
	printf("grants       %u references free\n", gnttab_free_refs());
}

static int cmd_info(int argc, char **argv)
{
	u32 id[4];
	char vendor[13] = "";

	if (boot.native)
		printf("hypervisor   none\n");
	else
		print_hypervisor();
	cpu->cpuid(0, 0, id);
	memcpy(vendor, &id[1], 4);
	memcpy(vendor + 4, &id[3], 4);
	memcpy(vendor + 8, &id[2], 4);
	printf("processor    %s, ring %lu, cr0 %lx, cr4 %lx\n", vendor, boot.native ? 0ul : 3ul,
	       read_cr0(), read_cr4());
	printf("memory       %lu MiB, %lu free\n", pages_total() >> 8, pages_free() >> 8);
	printf("up           %lu ms\n", now() / NSEC_PER_MSEC);
	ops_describe();
	return 0;
}
COMMAND(info, cmd_info, "hypervisor, processor, memory, how privileged operations are done");

static int cmd_shutdown(int argc, char **argv)
{
	cpu->stop(STOP_POWEROFF);
	return 1;
}
COMMAND(shutdown, cmd_shutdown, "powers off");

static int cmd_reboot(int argc, char **argv)
{
	cpu->stop(STOP_REBOOT);
	return 1;
}
COMMAND(reboot, cmd_reboot, "resets the machine");

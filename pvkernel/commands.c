/* SPDX-License-Identifier: MIT */
/* The small commands: what this machine is, what time it is, how to end it. */
#include <abi/features.h>
#include <abi/version.h>

#include "boot.h"
#include "console.h"
#include "evtchn.h"
#include "gnttab.h"
#include "hypercall.h"
#include "insn.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "sched.h"
#include "shell.h"
#include "time.h"

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
	printf("memory       %lu MiB, %lu free\n", boot.nr_pages >> 8, pages_free() >> 8);
	printf("up           %lu ms\n", now() / NSEC_PER_MSEC);
	ops_describe();
	return 0;
}
COMMAND(info, cmd_info, "hypervisor, processor, memory, how privileged operations are done");

static int cmd_mem(int argc, char **argv)
{
	printf("frames       %lu, %lu free\n", boot.nr_pages, pages_free());
	printf("heap         %lu bytes used\n", heap_used());
	printf("arena        %lu pages mapped at %lx\n", arena_used(), ARENA_BASE);
	printf("root table   pfn %lu, mfn %lu\n", root_pfn(), pfn_to_mfn(root_pfn()));
	for (unsigned int i = 0; i < boot.nr_free; i++)
		printf("free at boot %lu to %lu\n", boot.free[i].first, boot.free[i].end);
	return 0;
}
COMMAND(mem, cmd_mem, "frames, heap and arena");

static int cmd_sleep(int argc, char **argv)
{
	u64 ms = 1000, t = now();

	if (argc > 1 && !parse_u64(argv[1], &ms)) {
		printf("usage: sleep [MILLISECONDS]\n");
		return 1;
	}
	thread_sleep(ms * NSEC_PER_MSEC);
	printf("slept %lu us\n", (now() - t) / 1000);
	return 0;
}
COMMAND(sleep, cmd_sleep, "[MILLISECONDS]: waits, one second if not told");

static int cmd_ps(int argc, char **argv)
{
	thread_list();
	return 0;
}
COMMAND(ps, cmd_ps, "the threads");

static void count_thread(void *arg)
{
	u64 *rounds = arg, end = now() + 100 * NSEC_PER_MSEC;

	while (now() < end)
		++*rounds;
}

/* Nobody yields: that both get on shows that the timer preempts. */
static int cmd_threads(int argc, char **argv)
{
	u64 rounds[2] = { 0 };
	struct thread *t[2];

	for (int i = 0; i < 2; i++)
		t[i] = thread_create("counter", count_thread, &rounds[i]);
	for (int i = 0; i < 2; i++) {
		if (!t[i])
			panic("no memory for a thread");
		thread_join(t[i]);
	}
	printf("two busy threads for 100 ms: %lu and %lu rounds\n", rounds[0], rounds[1]);
	return !(rounds[0] && rounds[1]);
}
COMMAND(threads, cmd_threads, "two busy threads share the CPU by preemption");

static int cmd_date(int argc, char **argv)
{
	struct date d = date_of(wall_clock());

	printf("%04u-%02u-%02u %02u:%02u:%02u UTC, up %lu.%03lu s\n", d.year, d.month, d.day, d.hour,
	       d.minute, d.second, now() / NSEC_PER_SEC, now() / NSEC_PER_MSEC % 1000);
	return 0;
}
COMMAND(date, cmd_date, "wall clock and time since boot");

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

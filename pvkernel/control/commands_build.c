/* SPDX-License-Identifier: MIT */
/*
 * `build`: a domain from files alone, without configuration, xenstore and console. It runs until it ends, two seconds at
 * most; what it wrote into its console ring is shown, then it is destroyed. For trying images.
 */
#include <abi/event_channel.h>

#include "../include/hypercall.h"
#include "../include/insn.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"
#include "builder.h"
#include "domains.h"
#include "hypercontrol.h"
#include "ramdisk.h"

/* Offsets in the console's ring page. */
#define RING_OUT 1024
#define RING_OUT_SIZE 2048
#define RING_OUT_PROD 3084

#define RUN_NS (2 * NSEC_PER_SEC)
#define POLL_NS (20 * NSEC_PER_MSEC)

static long create(u64 pages, u16 *domid, u32 ports[2])
{
	struct xen_domctl op = { .u.createdomain = {
		.max_vcpus = 1, .max_evtchn_port = 1023, .max_grant_frames = -1, .max_maptrack_frames = -1, .grant_opts = 2,
	} };
	long err = domctl(XEN_DOMCTL_createdomain, 0, &op);

	if (err)
		return err;
	*domid = op.domain;
	op.u.max_vcpus.max = 1;
	err = domctl(XEN_DOMCTL_max_vcpus, *domid, &op);
	op.u.max_mem.max_memkb = pages << 2;
	if (!err)
		err = domctl(XEN_DOMCTL_max_mem, *domid, &op);
	for (int i = 0; i < 2 && !err; i++) {
		struct evtchn_alloc_unbound unbound = { .dom = *domid, .remote_dom = 0 };

		err = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &unbound);
		ports[i] = unbound.port;
	}
	return err;
}

static void show_ring(u16 domid, u64 mfn)
{
	char *ring = foreign_map(domid, &mfn, 1);
	u32 end;

	if (!ring)
		return;
	end = READ_ONCE(*(u32 *)(ring + RING_OUT_PROD));
	for (u32 at = end > RING_OUT_SIZE ? end - RING_OUT_SIZE : 0; at != end; at++)
		printf("%c", ring[RING_OUT + at % RING_OUT_SIZE]);
	printf("\n");
	foreign_unmap(ring);
}

/* Until it ends, or the time is over. */
static long watch(u16 domid, struct xen_domctl_getdomaininfo *info)
{
	u64 end = now() + RUN_NS;
	struct xen_domctl op;
	long err;

	do {
		thread_sleep(POLL_NS);
		err = domctl(XEN_DOMCTL_getdomaininfo, domid, &op);
		*info = op.u.getdomaininfo;
	} while (!err && !(info->flags & XEN_DOMINF_shutdown) && now() < end);
	return err;
}

static int try_build(u16 domid, const struct build_request *request)
{
	struct xen_domctl_getdomaininfo info = { .flags = 0 };
	struct build_result result;
	struct xen_domctl op;
	char error[160];
	u64 start = rdtsc();
	long err;

	domains_lock();
	err = build_domain(domid, request, &result, error, sizeof(error));
	domains_unlock();
	if (err) {
		printf("build: %s\n", error);
		return 1;
	}
	printf("build: domain %u, %lu ticks\n", domid, rdtsc() - start);
	err = domctl(XEN_DOMCTL_unpausedomain, domid, &op);
	if (!err)
		err = watch(domid, &info);
	show_ring(domid, result.console_mfn);
	if (!err && info.flags & XEN_DOMINF_shutdown)
		printf("build: it ended, reason %u, after %lu us\n",
		       info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask, info.cpu_time / 1000);
	else if (!err)
		printf("build: it runs, %lu us so far\n", info.cpu_time / 1000);
	return err != 0;
}

static int cmd_build(int argc, char **argv)
{
	const struct ramdisk_file *kernel = argc > 2 ? ramdisk_find(argv[1]) : NULL;
	const struct ramdisk_file *ramdisk = argc > 4 ? ramdisk_find(argv[4]) : NULL;
	struct build_request request = { .cmdline = argc > 3 ? argv[3] : "" };
	struct xen_domctl op;
	u32 ports[2] = { 0 };
	u16 domid = 0;
	u64 mib;
	long err;

	if (!kernel || !parse_u64(argv[2], &mib) || (argc > 4 && !ramdisk)) {
		printf("usage: build FILE MIB [ARGUMENTS [RAMDISK]], files of domain 0's ramdisk\n");
		return 1;
	}
	request.kernel = kernel->data;
	request.kernel_size = kernel->size;
	request.ramdisk = ramdisk ? ramdisk->data : NULL;
	request.ramdisk_size = ramdisk ? ramdisk->size : 0;
	request.pages = request.max_pages = mib << 8;
	err = create(request.pages, &domid, ports);
	request.store_port = ports[0];
	request.console_port = ports[1];
	if (err)
		printf("build: the hypervisor makes no domain: error %ld\n", err);
	else
		err = try_build(domid, &request);
	if (domid)
		domctl(XEN_DOMCTL_destroydomain, domid, &op);
	return err != 0;
}
COMMAND(build, cmd_build,
	"FILE MIB [ARGUMENTS [RAMDISK]]: runs a kernel in a domain, two seconds at most, shows what it printed");

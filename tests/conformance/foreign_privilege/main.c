/* SPDX-License-Identifier: MIT */
/*
 * What a domain without privilege may not do. It runs in a second domain and tries each call that could touch
 * another domain or the machine; domain 0 afterwards looks whether anything has changed.
 */
#include "domain.h"
#include "pci.h"
#include "grants.h"
#include <abi/memory.h>
#include <abi/platform.h>

#define NO_SUCH 77

static uint16_t own_id;
static uint64_t victim_frame; /* of domain 0 */
static char text[1100];
static uint8_t *page;

static int64_t domctl_version(uint32_t cmd, uint16_t id, uint32_t version)
{
	struct xen_domctl op = {.cmd = cmd, .domain = id, .interface_version = version};

	return hypercall(domctl, &op);
}

static const uint32_t domctls[] = {
	XEN_DOMCTL_destroydomain,    XEN_DOMCTL_pausedomain,	 XEN_DOMCTL_unpausedomain,
	XEN_DOMCTL_getdomaininfo,    XEN_DOMCTL_setvcpuaffinity, XEN_DOMCTL_max_mem,
	XEN_DOMCTL_setvcpucontext,   XEN_DOMCTL_getvcpucontext,	 XEN_DOMCTL_getvcpuinfo,
	XEN_DOMCTL_max_vcpus,	     XEN_DOMCTL_scheduler_op,	 XEN_DOMCTL_setdomainhandle,
	XEN_DOMCTL_hypercall_init,   XEN_DOMCTL_settimeoffset,	 XEN_DOMCTL_getvcpuaffinity,
	XEN_DOMCTL_resumedomain,     XEN_DOMCTL_sendtrigger,	 XEN_DOMCTL_getpageframeinfo3,
	XEN_DOMCTL_set_virq_handler,
};

static unsigned int allowed_domctls(uint16_t id)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(domctls); i++)
		n += domctl_simple(domctls[i], id) != -EPERM;
	return n;
}

static void control(void)
{
	static const uint32_t sysctls[] = {
		XEN_SYSCTL_readconsole, XEN_SYSCTL_tbuf_op,	      XEN_SYSCTL_physinfo,
		XEN_SYSCTL_sched_id,	XEN_SYSCTL_getdomaininfolist, XEN_SYSCTL_debug_keys,
		XEN_SYSCTL_getcpuinfo,	XEN_SYSCTL_availheap,	      XEN_SYSCTL_cputopoinfo};
	struct xen_sysctl op = {0};
	unsigned int n = 0;

	check_eq("UNPRIV-DOMCTL-1", allowed_domctls(0), 0, "every domctl on domain 0 fails with -EPERM");
	check_eq("UNPRIV-DOMCTL-2", allowed_domctls(own_id), 0, "every domctl on itself fails with -EPERM");
	check_eq("UNPRIV-DOMCTL-3",
		 domctl_with(XEN_DOMCTL_createdomain, 0, .u.createdomain = createdomain_arguments()), -EPERM,
		 "createdomain fails with -EPERM");
	check_eq("UNPRIV-DOMCTL-4", domctl_version(XEN_DOMCTL_pausedomain, 0, 1), -EACCES,
		 "domctl with another interface version fails with -EACCES");
	check_eq("UNPRIV-DOMCTL-5", hypercall(domctl, UNMAPPED), -EFAULT,
		 "domctl with an unmapped structure fails with -EFAULT");
	check_eq("UNPRIV-DOMCTL-6", domctl_simple(XEN_DOMCTL_pausedomain, NO_SUCH), -ESRCH,
		 "domctl on a domain that does not exist fails with -ESRCH");
	check("UNPRIV-DOMCTL-7", domctl_simple(XEN_DOMCTL_getdomaininfo, NO_SUCH) < 0,
	      "getdomaininfo of a domain that does not exist fails");
	check_eq("UNPRIV-DOMCTL-8", domctl_simple(9999, own_id), -EPERM,
		 "domctl with an unknown cmd fails with -EPERM");
	check_eq("UNPRIV-SYSCTL-4", sysctl(9999, &op), -EPERM,
		 "sysctl with an unknown cmd fails with -EPERM");
	for (unsigned int i = 0; i < ARRAY_SIZE(sysctls); i++)
		n += sysctl(sysctls[i], &op) != -EPERM;
	check_eq("UNPRIV-SYSCTL-1", n, 0, "every sysctl fails with -EPERM");
	check_eq("UNPRIV-SYSCTL-2", hypercall(sysctl, UNMAPPED), -EFAULT,
		 "sysctl with an unmapped structure fails with -EFAULT");
	op.interface_version = 1;
	check_eq("UNPRIV-SYSCTL-3", hypercall(sysctl, &op), -EACCES,
		 "sysctl with another interface version fails with -EACCES");
}

static int64_t platform(uint32_t cmd)
{
	struct xen_platform_op op = {.cmd = cmd, .interface_version = XENPF_INTERFACE_VERSION};

	return hypercall(platform_op, &op);
}

static void machine(void)
{
	check_eq("UNPRIV-PLATFORM-1", platform(XENPF_settime64), -EPERM,
		 "platform_op settime64 fails with -EPERM");
	check_eq("UNPRIV-PLATFORM-2", platform(XENPF_get_cpuinfo), -EPERM,
		 "platform_op get_cpuinfo fails with -EPERM");
	check_eq("UNPRIV-PLATFORM-3", platform(9999), -EPERM,
		 "platform_op with an unknown cmd fails with -EPERM");
	check_eq("UNPRIV-CONSOLE-1", hypercall(console_io, CONSOLEIO_write, 2, "x\n"), -EPERM,
		 "console_io write fails with -EPERM");
	check_eq("UNPRIV-CONSOLE-2", hypercall(console_io, CONSOLEIO_read, 2, text), -EPERM,
		 "console_io read fails with -EPERM");
	check("UNPRIV-VERSION-1",
	      hypercall(xen_version, XENVER_commandline, text) == 0 && !strcmp(text, "<denied>"),
	      "xen_version commandline gives <denied>");
	check_eq("UNPRIV-VERSION-2", hypercall(xen_version, XENVER_build_id, 0), -EPERM,
		 "xen_version build_id fails with -EPERM");
	check("UNPRIV-VERSION-3", hypercall(xen_version, XENVER_version, 0) == (4 << 16 | 17),
	      "xen_version version is served");
	check("UNPRIV-VERSION-4",
	      hypercall(xen_version, XENVER_extraversion, text) == 0 && strcmp(text, "<denied>"),
	      "xen_version extraversion is served");
}

static int64_t frames_of(unsigned int cmd, uint16_t id, uint64_t frame)
{
	struct xen_memory_reservation op = {.extent_start = (uint64_t)&frame, .nr_extents = 1, .domid = id};

	return hypercall(memory_op, cmd, &op);
}

static int64_t of_domain(unsigned int cmd, uint16_t id)
{
	struct xen_memory_domain op = {.domid = id};

	return hypercall(memory_op, cmd, &op);
}

static void memory(void)
{
	struct xen_memory_map map = {.nr_entries = 4, .buffer = (uint64_t)text};

	check_eq("UNPRIV-MEMORY-1", of_domain(XENMEM_current_reservation, 0), -EPERM,
		 "current_reservation of domain 0 fails with -EPERM");
	check_eq("UNPRIV-MEMORY-2", of_domain(XENMEM_maximum_reservation, 0), -EPERM,
		 "maximum_reservation of domain 0 fails with -EPERM");
	check("UNPRIV-MEMORY-3",
	      of_domain(XENMEM_current_reservation, DOMID_SELF) > 0 &&
		      of_domain(XENMEM_current_reservation, own_id) ==
			      of_domain(XENMEM_current_reservation, DOMID_SELF),
	      "current_reservation of itself is served, by its own id too");
	check("UNPRIV-MEMORY-4", frames_of(XENMEM_populate_physmap, 0, 5) <= 0,
	      "populate_physmap for domain 0 gives nothing");
	check("UNPRIV-MEMORY-5", frames_of(XENMEM_decrease_reservation, 0, victim_frame) <= 0,
	      "decrease_reservation for domain 0 takes nothing");
	check_eq("UNPRIV-MEMORY-6", frames_of(XENMEM_decrease_reservation, DOMID_SELF, victim_frame), 0,
		 "decrease_reservation for itself of a frame of domain 0 takes nothing");
	check_eq("UNPRIV-MEMORY-7", hypercall(memory_op, XENMEM_machine_memory_map, &map), -EPERM,
		 "machine_memory_map fails with -EPERM");
}

static int64_t map_it(uint64_t mfn, uint64_t flags)
{
	return map_frame(page, mfn, flags);
}

static void tables(void)
{
	uint64_t entry = entry_maddr(page, 1), other = victim_frame << PAGE_SHIFT;

	check("UNPRIV-MMU-1", map_it(victim_frame, PTE_DATA) < 0, "a frame of domain 0 cannot be mapped");
	check("UNPRIV-MMU-2", map_it(victim_frame, PTE_PRESENT | PTE_ACCESSED) < 0, "nor mapped read-only");
	check("UNPRIV-MMU-3", map_it(0xfee00, PTE_DATA) < 0, "device memory cannot be mapped");
	check("UNPRIV-MMU-4", map_it(0xb8, PTE_DATA) < 0, "memory below 1 MiB cannot be mapped");
	check_eq("UNPRIV-MMU-5", map_other(page, victim_frame, PTE_DATA, 0), -EPERM,
		 "update_va_mapping_otherdomain of domain 0 fails with -EPERM");
	check_eq("UNPRIV-MMU-6", mmu_update_other(entry, other | PTE_DATA, 0), -EPERM,
		 "mmu_update with domain 0's frames fails with -EPERM");
	check_eq("UNPRIV-MMU-7", mmu_update_other(entry, other | PTE_DATA, 1u << 16 | own_id) < 0, 1,
		 "mmu_update of domain 0's tables fails");
	check_eq("UNPRIV-MMU-8", mmu_update_other(other | MMU_MACHPHYS_UPDATE, 1, DOMID_SELF) < 0, 1,
		 "the m2p of a frame of domain 0 cannot be set");
	check_eq("UNPRIV-MMU-9", mmu_update_other(other | MMU_MACHPHYS_UPDATE, 1, 0), -EPERM,
		 "with domain 0 as foreign domain it fails with -EPERM");
	check_eq("UNPRIV-MMU-10", mmuext_other(MMUEXT_PIN_L1_TABLE, victim_frame, 0), -EPERM,
		 "mmuext_op with domain 0 fails with -EPERM");
	check("UNPRIV-MMU-11", mmuext(MMUEXT_PIN_L1_TABLE, victim_frame, 0) < 0,
	      "pinning a frame of domain 0 fails");
	check("UNPRIV-MMU-12", mmuext(MMUEXT_CLEAR_PAGE, victim_frame, 0) < 0,
	      "clearing a frame of domain 0 fails");
	check("UNPRIV-MMU-13", mmuext(MMUEXT_COPY_PAGE, mfn_of(page), victim_frame) < 0,
	      "copying from a frame of domain 0 fails");
	check("UNPRIV-MMU-14", mmuext(MMUEXT_NEW_BASEPTR, victim_frame, 0) < 0,
	      "a frame of domain 0 is no root");
	check("UNPRIV-MMU-15", mmuext(MMUEXT_UNPIN_TABLE, victim_frame, 0) < 0,
	      "unpinning a frame of domain 0 fails");
	check("UNPRIV-MMU-16",
	      map_other(page, mfn_of(page), PTE_DATA, DOMID_XEN) < 0 &&
		      map_other(page, 0xfee00, PTE_DATA, DOMID_IO) < 0,
	      "DOMID_XEN and DOMID_IO are no foreign domains for it");
}

static int64_t setup(uint16_t id)
{
	uint64_t frame;
	struct gnttab_setup_table op = {
		.dom = id, .nr_frames = 1, .frame_list = (uint64_t)&frame, .status = 99};

	grant_op(GNTTABOP_setup_table, &op);
	return op.status;
}

static int64_t query(uint16_t id)
{
	struct gnttab_query_size op = {.dom = id, .status = 99};

	grant_op(GNTTABOP_query_size, &op);
	return op.status;
}

static void events_and_grants(void)
{
	struct evtchn_status status = {.dom = 0, .port = 1};
	struct evtchn_reset reset = {.dom = 0};
	struct evtchn_bind_interdomain bind = {.remote_dom = 0, .remote_port = 1};
	struct evtchn_bind_pirq pirq = {.pirq = 4};
	struct sched_remote_shutdown stop = {.domain_id = 0, .reason = SHUTDOWN_crash};

	check_eq("UNPRIV-EVENT-1", evtchn_alloc_unbound(0, own_id), -EPERM,
		 "alloc_unbound in domain 0 fails with -EPERM");
	check_eq("UNPRIV-EVENT-2", hypercall(event_channel_op, EVTCHNOP_status, &status), -EPERM,
		 "the status of a port of domain 0 fails with -EPERM");
	check_eq("UNPRIV-EVENT-3", hypercall(event_channel_op, EVTCHNOP_reset, &reset), -EPERM,
		 "resetting domain 0's ports fails with -EPERM");
	check_eq("UNPRIV-EVENT-4", hypercall(event_channel_op, EVTCHNOP_bind_interdomain, &bind), -EINVAL,
		 "binding to a port of domain 0 that is not offered fails with -EINVAL");
	check("UNPRIV-EVENT-5", hypercall(event_channel_op, EVTCHNOP_bind_pirq, &pirq) < 0,
	      "binding an interrupt fails");
	check("UNPRIV-EVENT-6", hypercall(sched_op, SCHEDOP_remote_shutdown, &stop) == -EPERM,
	      "remote_shutdown of domain 0 fails with -EPERM");
	check_eq("UNPRIV-GRANT-1", setup(0), GNTST_permission_denied,
		 "setup_table for domain 0 has status permission_denied");
	check_eq("UNPRIV-GRANT-2", query(0), GNTST_permission_denied,
		 "query_size of domain 0 has status permission_denied");
	check_eq("UNPRIV-GRANT-3", query(DOMID_SELF), GNTST_okay, "query_size of itself is served");
	check("UNPRIV-GRANT-4", grant_map((uint64_t)page, GNTMAP_host_map, 20, 0, NULL) < 0,
	      "mapping what domain 0 does not grant fails");
}

INSTRUCTION(in_port, "mov $0x3fd, %%dx; in %%dx, %%al")
INSTRUCTION(out_port, "mov $0x80, %%dx; out %%al, %%dx")
INSTRUCTION(halt_now, "hlt")
INSTRUCTION(write_msr, "mov $0xc0000082, %%ecx; xor %%edx, %%edx; wrmsr")
INSTRUCTION(load_idt, "sub $16, %%rsp; lidt (%%rsp); add $16, %%rsp")

static int64_t set_iopl(uint32_t level)
{
	struct physdev_set_iopl op = {.iopl = level};

	return hypercall(physdev_op, PHYSDEVOP_set_iopl, &op);
}

static void hardware(void)
{
	struct attempt in;
	struct physdev_apic apic = {.apic_physbase = 0xfec00000};
	struct physdev_setup_gsi gsi = {.gsi = 20, .triggering = 1, .polarity = 1};

	check_eq("UNPRIV-IO-1", attempt(in_port, 0).vector, VECTOR_GP, "reading an I/O port raises #GP");
	check_eq("UNPRIV-IO-2", attempt(out_port, 0).vector, VECTOR_GP, "writing an I/O port raises #GP");
	set_iopl(3);
	in = attempt(in_port, 0);
	check("UNPRIV-IO-3", in.vector == NO_TRAP && (in.value & 0xff) == 0xff,
	      "with IOPL 3 reading an I/O port gives ones");
	check_eq("UNPRIV-IO-8", attempt(out_port, 0).vector, NO_TRAP,
		 "with IOPL 3 writing one has no effect");
	set_iopl(0);
	check_eq("UNPRIV-IO-4", attempt(load_idt, 0).vector, VECTOR_GP, "lidt raises #GP");
	check("UNPRIV-IO-5", hypercall(physdev_op, PHYSDEVOP_apic_read, &apic) < 0,
	      "physdev_op apic_read fails");
	check("UNPRIV-IO-6", hypercall(physdev_op, PHYSDEVOP_apic_write, &apic) < 0,
	      "physdev_op apic_write fails");
	check("UNPRIV-IO-10", map_pirq(MAP_PIRQ_TYPE_GSI, 9, 9, 0, 0, 0) == -EPERM && map_pirq(MAP_PIRQ_TYPE_MSI, -1, -1, 8, 0, 0) == -EPERM &&
	      unmap_pirq(9) < 0 && eoi_pirq(9) == -EINVAL, "mapping an interrupt fails with -EPERM, unmapping and eoi fail");
	check("UNPRIV-IO-11", hypercall(physdev_op, PHYSDEVOP_setup_gsi, &gsi) == -EPERM && hypercall(physdev_op, PHYSDEVOP_pci_device_add, &apic) == -EPERM &&
	      hypercall(physdev_op, PHYSDEVOP_pci_device_remove, &apic) == -EPERM && hypercall(physdev_op, PHYSDEVOP_prepare_msix, &apic) == -EPERM,
	      "setup_gsi and calls about PCI functions fail with -EPERM");
	check_eq("UNPRIV-IO-7", attempt(halt_now, 0).vector, VECTOR_GP, "hlt raises #GP");
	check_eq("UNPRIV-IO-9", attempt(write_msr, 0).vector, VECTOR_GP, "wrmsr of LSTAR raises #GP");
}

static void unprivileged(uint64_t id)
{
	own_id = (uint16_t)id;
	page = page_alloc();
	control();
	machine();
	memory();
	tables();
	events_and_grants();
	hardware();
}

void test_main(void)
{
	uint64_t *mine = page_alloc(), pages = domain_info(0).tot_pages, before = free_pages();
	uint32_t seconds = shared_info->wc_sec;
	struct domain *d;

	mine[0] = 0x600d;
	victim_frame = mfn_of(mine);
	d = make_domain(1);
	check_eq("UNPRIV-1", run_code(d, unprivileged, d->id), SHUTDOWN_poweroff,
		 "a domain without privilege survives all its attempts");
	destroy_domain(d);
	check("UNPRIV-2", mine[0] == 0x600d && m2p(victim_frame) == ((uint64_t)mine - VIRT_BASE) / PAGE_SIZE,
	      "the page of domain 0 that it tried to take is untouched");
	check("UNPRIV-3",
	      domain_info(0).tot_pages == pages && free_pages() == before && shared_info->wc_sec == seconds,
	      "domain 0 has its memory and its clock");
}

/* SPDX-License-Identifier: MIT */
/* The limits that a domain is made with, and its own memory: what it gets and where it ends. */
#include "domain.h"
#include "grants.h"
#include <abi/memory.h>

static uint64_t numbers[64];

static unsigned int ports(void)
{
	unsigned int n = 0;

	while (n < 5000 && evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF) > 0)
		n++;
	return n;
}

static int setup(uint32_t frames)
{
	struct gnttab_setup_table op = {
		.dom = DOMID_SELF, .nr_frames = frames, .frame_list = (uint64_t)numbers, .status = 99};

	grant_op(GNTTABOP_setup_table, &op);
	return op.status;
}

static void limited(uint64_t id)
{
	struct gnttab_query_size size = {.dom = DOMID_SELF};
	struct gnttab_set_version version = {.version = 2};
	struct evtchn_bind_virq timer = {.virq = VIRQ_TIMER};

	(void)id;
	check_eq("LIMIT-1", ports(), 31, "with max_evtchn_port 31 a domain has 31 ports");
	check_eq("LIMIT-2", evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF), -ENOSPC,
		 "the next port fails with -ENOSPC");
	check_eq("LIMIT-3", hypercall(event_channel_op, EVTCHNOP_bind_virq, &timer), -ENOSPC,
		 "of whatever sort it is");
	evtchn_close(7);
	check_eq("LIMIT-4", evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF), 7,
		 "a port that is closed can be had again");
	grant_op(GNTTABOP_query_size, &size);
	check_eq("LIMIT-5", size.max_nr_frames, 2, "with max_grant_frames 2 query_size tells 2 as the most");
	check_eq("LIMIT-6", setup(2), GNTST_okay, "setup_table of 2 frames succeeds");
	check_eq("LIMIT-7", setup(3), GNTST_general_error,
		 "setup_table of 3 frames has status general_error");
	check_eq("LIMIT-8", hypercall(grant_table_op, GNTTABOP_set_version, &version, 1), -ENOSYS,
		 "with grant_opts 1 set_version 2 fails with -ENOSYS");
}

static int64_t memory(unsigned int cmd, uint64_t *frames, uint64_t count, uint32_t order)
{
	struct xen_memory_reservation op = {.extent_start = (uint64_t)frames,
					    .nr_extents = count,
					    .extent_order = order,
					    .domid = DOMID_SELF};

	return hypercall(memory_op, cmd, &op);
}

static int64_t reservation(unsigned int cmd)
{
	struct xen_memory_domain op = {.domid = DOMID_SELF};

	return hypercall(memory_op, cmd, &op);
}

/* It has max_pages - 10 pages. */
static void balloons(uint64_t pages)
{
	uint64_t gone, pfn;
	void *page = page_alloc();
	int64_t now = reservation(XENMEM_current_reservation);

	check_eq("LIMIT-9", now, pages, "current_reservation is what domain 0 gave");
	check_eq("LIMIT-10", reservation(XENMEM_maximum_reservation), pages + 10,
		 "maximum_reservation is what domain 0 set");
	for (int i = 0; i < 20; i++)
		numbers[i] = 5000 + (uint64_t)i;
	check_eq("LIMIT-11", memory(XENMEM_populate_physmap, numbers, 20, 0), 10,
		 "it can populate as many pages as are missing to the limit");
	check("LIMIT-12", m2p(numbers[0]) == 5000 && m2p(numbers[9]) == 5009, "their m2p is the pfn it gave");
	check_eq("LIMIT-13", memory(XENMEM_increase_reservation, numbers + 20, 1, 0), 0,
		 "increase_reservation at the limit gives nothing");
	check_eq("LIMIT-14", memory(XENMEM_decrease_reservation, numbers, 10, 0), 10,
		 "it can give them back");
	gone = mfn_of(page), pfn = ((uint64_t)page - VIRT_BASE) / PAGE_SIZE;
	numbers[0] = gone;
	check("LIMIT-15",
	      memory(XENMEM_decrease_reservation, numbers, 1, 0) == 1 &&
		      reservation(XENMEM_current_reservation) == (int64_t)pages,
	      "a page that is given back while it is mapped counts until it is unmapped");
	map_page(page, 0);
	check("LIMIT-16", reservation(XENMEM_current_reservation) < (int64_t)pages, "unmapped it is gone");
	numbers[0] = pfn;
	check_eq("LIMIT-17", memory(XENMEM_populate_physmap, numbers, 1, 0), 1,
		 "another frame can be had in its place");
	check_eq("LIMIT-18", map_frame(page, numbers[0], PTE_DATA), 0, "and mapped there");
	check_eq("LIMIT-19", memory(XENMEM_populate_physmap, numbers, 1, 20), 0,
		 "an extent that is larger than the limit is not given");
}

static void clock(uint64_t seconds)
{
	uint64_t begin = system_time();
	struct vcpu_register_vcpu_info place = {.mfn = 0};
	struct vcpu_info *moved = page_alloc();
	int64_t port;

	check_eq("LIMIT-20", shared_info->wc_sec, seconds,
		 "the wall clock has the offset that domain 0 set before it started");
	sleep_for(3000000);
	check("LIMIT-21", system_time() - begin >= 3000000,
	      "a timeout of SCHEDOP_poll passes in a domain that is not domain 0");
	place.mfn = mfn_of(moved);
	check_eq("LIMIT-22", hypercall(vcpu_op, VCPUOP_register_vcpu_info, 0, &place), 0,
		 "it registers a place for its vcpu_info");
	vcpu_info = moved;
	check("LIMIT-23", moved->time.version && moved->time.tsc_to_system_mul && moved->evtchn_upcall_mask,
	      "which has the clock and the mask then");
	port = evtchn_bind_ipi(0);
	port_mask((uint32_t)port, false);
	evtchn_send((uint32_t)port);
	check("LIMIT-24", moved->evtchn_upcall_pending == 1, "an event sets upcall_pending there");
	deliver_events();
	check_eq("LIMIT-25", event_count[port], 1, "and is delivered");
	check_eq("LIMIT-26", hypercall(vcpu_op, VCPUOP_register_vcpu_info, 0, &place), -EINVAL,
		 "a second registration fails with -EINVAL");
}

void test_main(void)
{
	struct xen_domctl_createdomain arguments = createdomain_arguments();
	uint64_t before = free_pages();
	struct domain *d;

	arguments.max_evtchn_port = 31;
	arguments.max_grant_frames = 2;
	createdomain_other = &arguments;
	d = make_domain(1);
	run_code(d, limited, d->id);
	destroy_domain(d);
	createdomain_other = NULL;
	d = make_domain(1);
	domain_max_mem(d->id, (d->nr_pages + 10) * 4);
	run_code(d, balloons, d->nr_pages);
	destroy_domain(d);
	d = make_domain(1);
	domctl_with(XEN_DOMCTL_settimeoffset, d->id, .u.settimeoffset.time_offset_seconds = 7200);
	run_code(d, clock, shared_info->wc_sec + 7200);
	destroy_domain(d);
	check_eq("LIMIT-27", free_pages(), before,
		 "what its balloon has moved is free again when it is destroyed");
}

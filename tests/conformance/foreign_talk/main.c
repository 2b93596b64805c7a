/* SPDX-License-Identifier: MIT */
/* Two running domains: events both ways, a grant, what the second finds in its shared_info and start_info. */
#include "domain.h"
#include "grants.h"

static struct domain *d;
static volatile uint32_t ready, stop, port, woken, own_id;
static volatile int64_t bound, sent;
static volatile uint32_t seen, at_bind;
static uint8_t *granted;

static void connect(uint64_t remote_port)
{
	struct evtchn_bind_interdomain bind = {.remote_dom = 0, .remote_port = (uint32_t)remote_port};

	bound = hypercall(event_channel_op, EVTCHNOP_bind_interdomain, &bind);
	port = bind.local_port;
	sent = evtchn_send(port);
	port_mask(port, false);
	deliver_events();
	at_bind = event_count[port];
	ready = 1;
	while (!stop) {
		hypercall(sched_op, SCHEDOP_block);
		woken = event_count[port] - at_bind;
	}
}

static void events(void)
{
	int64_t local;
	volatile uint32_t *wakes;

	d = make_domain(1);
	local = evtchn_alloc_unbound(DOMID_SELF, d->id);
	start_code(d, connect, (uint64_t)local);
	check("TWO-EVENT-1", wait_for(in_guest(d, &ready)) && *in_guest(d, &bound) == 0,
	      "a domain binds to a port that domain 0 offers it");
	check("TWO-EVENT-2", *in_guest(d, &sent) == 0 && port_pending((uint32_t)local),
	      "its event is pending at domain 0");
	wakes = (volatile uint32_t *)in_guest(d, &woken);
	sleep_for(5000000);
	check("TWO-EVENT-3", (domain_info(d->id).flags & XEN_DOMINF_blocked) != 0,
	      "while it waits in SCHEDOP_block it is told as blocked");
	evtchn_send((uint32_t)local);
	check("TWO-EVENT-4", wait_for(wakes) == 1, "an event of domain 0 wakes it, once");
	domctl_simple(XEN_DOMCTL_pausedomain, d->id);
	evtchn_send((uint32_t)local);
	sleep_for(5000000);
	check("TWO-EVENT-5", *wakes == 1 && d->shared->evtchn_pending[0] >> *in_guest(d, &port) & 1,
	      "while it is paused an event stays pending");
	domctl_simple(XEN_DOMCTL_unpausedomain, d->id);
	for (uint64_t end = system_time() + 1000000000; *wakes != 2 && system_time() < end;)
		sleep_for(1000000);
	check_eq("TWO-EVENT-6", *wakes, 2, "when it is unpaused the event arrives");
	*in_guest(d, &stop) = 1;
	evtchn_send((uint32_t)local);
	check_eq("TWO-EVENT-7", wait_shutdown(d), SHUTDOWN_poweroff, "and it goes on");
	destroy_domain(d);
	check_eq("TWO-EVENT-8", evtchn_close((uint32_t)local), 0,
		 "the port of domain 0 can be closed when the other domain is gone");
}

static void grants(uint64_t to)
{
	struct grant_entry_v1 *table = grant_table_map();

	granted = page_alloc();
	granted[9] = 99;
	grant_page(table, 30, (uint16_t)to, granted, GTF_permit_access);
	ready = 1;
	while (!stop)
		sleep_for(200000);
	seen = granted[10];
	check_eq("TWO-GRANT-1", table[30].flags & (GTF_reading | GTF_writing), 0,
		 "when domain 0 has unmapped it, the entry of the granter has neither flag");
}

static void granting(void)
{
	uint8_t *window = page_alloc();
	uint32_t handle;
	int status;

	d = make_domain(1);
	start_code(d, grants, 0);
	wait_for(in_guest(d, &ready));
	status = grant_map((uint64_t)window, GNTMAP_host_map, 30, d->id, &handle);
	check("TWO-GRANT-2", status == GNTST_okay && window[9] == 99,
	      "domain 0 maps a page that the domain grants it");
	window[10] = 77;
	check_eq("TWO-GRANT-3", grant_map((uint64_t)window, GNTMAP_host_map, 31, d->id, NULL),
		 GNTST_general_error, "an entry that grants nothing is not mapped");
	check_eq("TWO-GRANT-4", grant_unmap((uint64_t)window, handle), GNTST_okay, "and unmaps it");
	map_back(window);
	*in_guest(d, &stop) = 1;
	wait_shutdown(d);
	check_eq("TWO-GRANT-5", *in_guest(d, &seen), 77, "the granter sees what domain 0 wrote");
	destroy_domain(d);
}

/* A grant mapped when the granter is destroyed. */
static void granter_dies(void)
{
	uint64_t before = free_pages();
	uint8_t *window = page_alloc();
	uint32_t handle;

	d = make_domain(1);
	start_code(d, grants, 0);
	wait_for(in_guest(d, &ready));
	grant_map((uint64_t)window, GNTMAP_host_map, 30, d->id, &handle);
	for (uint64_t pfn = 0; pfn < d->nr_pages; pfn++)
		if (d->view[pfn]) {
			unmap_other(d->view[pfn]);
			d->view[pfn] = NULL;
		}
	unmap_other(d->shared);
	d->shared = NULL;
	domctl_simple(XEN_DOMCTL_destroydomain, d->id);
	sleep_for(20000000);
	check_eq("TWO-GRANT-6", window[9], 99,
		 "a page that is mapped by its grant stays when the granter is destroyed");
	check_eq("TWO-GRANT-7", grant_unmap((uint64_t)window, handle), GNTST_okay, "it can be unmapped then");
	sleep_for(20000000);
	map_back(window);
	page_free(window);
	check_eq("TWO-GRANT-8", free_pages(), before, "and then all memory of the granter is free");
	d->made = false;
}

/* It maps what domain 0 grants, and never unmaps it. */
static void maps_and_stops(uint64_t ref)
{
	uint8_t *window = page_alloc();
	struct gnttab_copy copy = {.source = {.u.ref = (uint32_t)ref, .domid = 0},
				   .dest = {.u.gmfn = mfn_of(page_alloc()), .domid = DOMID_SELF},
				   .len = 8,
				   .flags = GNTCOPY_source_gref,
				   .status = 99};

	map_page(window, 0);
	check_eq("TWO-GRANT-9", grant_map((uint64_t)window, GNTMAP_host_map, (uint32_t)ref, 0, NULL),
		 GNTST_okay, "a domain maps a page that domain 0 grants it");
	check_eq("TWO-GRANT-10", *(volatile uint8_t *)window, 0x31, "and reads it");
	*(volatile uint8_t *)(window + 1) = 0x32;
	check("TWO-GRANT-11", grant_op(GNTTABOP_copy, &copy) == 0 && copy.status == GNTST_okay,
	      "and copies from it");
	check("TWO-GRANT-12",
	      grant_map((uint64_t)page_alloc(), GNTMAP_host_map, (uint32_t)ref + 1, 0, NULL) < 0,
	      "a page that domain 0 grants to another is not mapped");
	check("TWO-GRANT-13",
	      grant_map((uint64_t)page_alloc(), GNTMAP_host_map, (uint32_t)ref + 2, 0, NULL) < 0,
	      "a page granted read-only is not mapped writable");
	hypercall(set_trap_table, 0);
	__asm__ volatile("ud2");
}

static void mapper_dies(void)
{
	struct grant_entry_v1 *table = grant_table_map();
	uint8_t *mine = page_alloc();
	struct evtchn_status status = {.dom = DOMID_SELF};
	int reason;

	d = make_domain(1);
	mine[0] = 0x31;
	grant_page(table, 40, d->id, mine, GTF_permit_access);
	grant_page(table, 41, (uint16_t)(d->id + 1), mine, GTF_permit_access);
	grant_page(table, 42, d->id, mine, GTF_permit_access | GTF_readonly);
	status.port = (uint32_t)evtchn_alloc_unbound(DOMID_SELF, d->id);
	reason = run_code(d, maps_and_stops, 40);
	check("TWO-GRANT-14",
	      reason == SHUTDOWN_crash && mine[1] == 0x32 &&
		      (table[40].flags & (GTF_reading | GTF_writing)) == (GTF_reading | GTF_writing),
	      "while the domain that crashed is there its mapping is");
	destroy_domain(d);
	check_eq("TWO-GRANT-15", table[40].flags & (GTF_reading | GTF_writing), 0,
		 "when it is destroyed the entry is free to be changed");
	check("TWO-EVENT-9",
	      hypercall(event_channel_op, EVTCHNOP_status, &status) == 0 &&
		      status.status == EVTCHNSTAT_unbound,
	      "a port that was offered to it stays unbound");
	table[40].flags = table[41].flags = table[42].flags = 0;
	evtchn_close(status.port);
}

static void binds_and_stops(uint64_t remote_port)
{
	struct evtchn_bind_interdomain bind = {.remote_dom = 0, .remote_port = (uint32_t)remote_port};

	hypercall(event_channel_op, EVTCHNOP_bind_interdomain, &bind);
}

static void binder_dies(void)
{
	struct evtchn_status status = {.dom = DOMID_SELF};

	d = make_domain(1);
	status.port = (uint32_t)evtchn_alloc_unbound(DOMID_SELF, d->id);
	run_code(d, binds_and_stops, status.port);
	hypercall(event_channel_op, EVTCHNOP_status, &status);
	check("TWO-EVENT-10", status.status == EVTCHNSTAT_interdomain && status.u.interdomain.dom == d->id,
	      "a port that a domain has bound to is told as interdomain, with its id");
	destroy_domain(d);
	hypercall(event_channel_op, EVTCHNOP_status, &status);
	check_eq("TWO-EVENT-11", status.status, EVTCHNSTAT_unbound,
		 "when that domain is gone the port is unbound");
	check("TWO-EVENT-12", evtchn_send(status.port) == -EINVAL || evtchn_send(status.port) == 0,
	      "sending on it does no harm");
	evtchn_close(status.port);
}

static void looks_around(uint64_t expected_id)
{
	uint32_t r[4];

	check("TWO-START-1", shared_info->wc_sec != 0, "a running domain has a wall clock");
	check("TWO-START-2", system_time() > 0 && vcpu_info->time.tsc_to_system_mul, "and a clock");
	check_eq("TWO-START-3", hypercall(xen_version, XENVER_get_features, 0), -EFAULT,
		 "xen_version is served");
	check_eq("TWO-START-4", evtchn_alloc_unbound((uint16_t)expected_id, 0) > 0, 1,
		 "it may name itself by its id");
	__asm__ volatile("ud2; .byte 0x78, 0x65, 0x6e; cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "0"(0x40000000), "2"(0));
	check_eq("TWO-START-5", r[1], XEN_CPUID_SIGNATURE_EBX, "emulated cpuid gives the signature");
	__asm__ volatile("pushfq; popq %0" : "=r"(*(uint64_t *)r));
	check_eq("TWO-START-6", r[0] & 0x3200, 0x200, "IF is set, IOPL is 0");
}

void test_main(void)
{
	events();
	granting();
	granter_dies();
	mapper_dies();
	binder_dies();
	d = make_domain(1);
	run_code(d, looks_around, d->id);
	destroy_domain(d);
}

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
	struct evtchn_bind_interdomain bind = { .remote_dom = 0, .remote_port = (uint32_t)remote_port };

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
	check("TWO-EVENT-1", wait_for(in_guest(d, &ready)) && *in_guest(d, &bound) == 0, "a domain binds to a port that domain 0 offers it");
	check("TWO-EVENT-2", *in_guest(d, &sent) == 0 && port_pending((uint32_t)local), "its event is pending at domain 0");
	wakes = (volatile uint32_t *)in_guest(d, &woken);
	sleep_for(5000000);
	check("TWO-EVENT-3", (domain_info(d->id).flags & XEN_DOMINF_blocked) != 0, "while it waits in SCHEDOP_block it is told as blocked");
	evtchn_send((uint32_t)local);
	check("TWO-EVENT-4", wait_for(wakes) == 1, "an event of domain 0 wakes it, once");
	domctl_simple(XEN_DOMCTL_pausedomain, d->id);
	evtchn_send((uint32_t)local);
	sleep_for(5000000);
	check("TWO-EVENT-5", *wakes == 1 && d->shared->evtchn_pending[0] >> *in_guest(d, &port) & 1, "while it is paused an event stays pending");
	domctl_simple(XEN_DOMCTL_unpausedomain, d->id);
	for (uint64_t end = system_time() + 1000000000; *wakes != 2 && system_time() < end;)
		sleep_for(1000000);
	check_eq("TWO-EVENT-6", *wakes, 2, "when it is unpaused the event arrives");
	*in_guest(d, &stop) = 1;
	evtchn_send((uint32_t)local);
	check_eq("TWO-EVENT-7", wait_shutdown(d), SHUTDOWN_poweroff, "and it goes on");
	destroy_domain(d);
	check_eq("TWO-EVENT-8", evtchn_close((uint32_t)local), 0, "the port of domain 0 can be closed when the other domain is gone");
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
	check_eq("TWO-GRANT-1", table[30].flags & (GTF_reading | GTF_writing), 0, "when domain 0 has unmapped it, the entry of the granter has neither flag");
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
	check("TWO-GRANT-2", status == GNTST_okay && window[9] == 99, "domain 0 maps a page that the domain grants it");
	window[10] = 77;
	check_eq("TWO-GRANT-3", grant_map((uint64_t)window, GNTMAP_host_map, 31, d->id, NULL), GNTST_general_error,
		 "an entry that grants nothing is not mapped");
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
	check_eq("TWO-GRANT-6", window[9], 99, "a page that is mapped by its grant stays when the granter is destroyed");
	check_eq("TWO-GRANT-7", grant_unmap((uint64_t)window, handle), GNTST_okay, "it can be unmapped then");
	sleep_for(20000000);
	map_back(window);
	page_free(window);
	check_eq("TWO-GRANT-8", free_pages(), before, "and then all memory of the granter is free");
	d->made = false;
}

static void looks_around(uint64_t expected_id)
{
	uint32_t r[4];

	check("TWO-START-1", shared_info->wc_sec != 0, "a running domain has a wall clock");
	check("TWO-START-2", system_time() > 0 && vcpu_info->time.tsc_to_system_mul, "and a clock");
	check_eq("TWO-START-3", hypercall(xen_version, XENVER_get_features, 0), -EFAULT, "xen_version is served");
	check_eq("TWO-START-4", evtchn_alloc_unbound((uint16_t)expected_id, 0) > 0, 1, "it may name itself by its id");
	__asm__ volatile("ud2; .byte 0x78, 0x65, 0x6e; cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "0"(0x40000000), "2"(0));
	check_eq("TWO-START-5", r[1], XEN_CPUID_SIGNATURE_EBX, "emulated cpuid gives the signature");
	__asm__ volatile("pushfq; popq %0" : "=r"(*(uint64_t *)r));
	check_eq("TWO-START-6", r[0] & 0x3200, 0x200, "IF is set, IOPL is 0");
}

void test_main(void)
{
	events();
	granting();
	granter_dies();
	d = make_domain(1);
	run_code(d, looks_around, d->id);
	destroy_domain(d);
}

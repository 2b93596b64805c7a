/* SPDX-License-Identifier: MIT */
/*
 * Two domains on two CPUs. The second grants a page and takes the grant back, again and again, and between puts a page that it
 * does not grant into the entry, while domain 0 maps and copies by it. Then events to and fro, each sent when the last has come: one that is
 * lost would be waited for in vain.
 */
#include "domain.h"
#include "grants.h"

#define REF 30
#define ROUNDS 300
#define OPEN 0xaa
#define SECRET 0x55

static volatile uint32_t ready, stop, turns, port;

static void poll_for(uint32_t p)
{
	struct sched_poll op = { .ports = (uint64_t)&p, .nr_ports = 1, .timeout = system_time() + 2000000000 };

	while (!port_pending(p) && system_time() < op.timeout)
		hypercall(sched_op, SCHEDOP_poll, &op);
}

/* In the second domain. The flags are taken back only while nobody uses the entry. */
static void granter(uint64_t remote_port)
{
	struct evtchn_bind_interdomain bind = { .remote_dom = 0, .remote_port = (uint32_t)remote_port };
	struct grant_entry_v1 *table = grant_table_map();
	uint8_t *open = page_alloc(), *secret = page_alloc();

	memset(open, OPEN, PAGE_SIZE);
	memset(secret, SECRET, PAGE_SIZE);
	hypercall(event_channel_op, EVTCHNOP_bind_interdomain, &bind);
	port = bind.local_port;
	port_clear(port);
	ready = 1;
	while (!stop) {
		uint16_t flags = GTF_permit_access;

		grant_page(table, REF, 0, open, GTF_permit_access);
		for (volatile int i = 0; i < 50; i++)
			;
		while (!__atomic_compare_exchange_n(&table[REF].flags, &flags, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) && !stop)
			flags = GTF_permit_access;
		table[REF].frame = (uint32_t)mfn_of(secret);
		turns++;
	}
	ready = 2;
	grant_page(table, REF, 0, open, GTF_permit_access);
	for (int i = 0; i < ROUNDS; i++) {
		poll_for(port);
		port_clear(port);
		evtchn_send(port);
	}
	ready = 3;
}

static bool expected(int status)
{
	return status == GNTST_okay || status == GNTST_general_error;
}

static void race(struct domain *d, uint8_t *window, uint8_t *to)
{
	uint32_t tries = 0, wrong = 0, leaks = 0, copies = 0, maps = 0, handle;
	volatile uint32_t *taken = (volatile uint32_t *)in_guest(d, &turns);

	for (uint64_t end = system_time() + 100000000; system_time() < end;) {
		int status = grant_copy(to, 256, REF, d->id);

		tries++;
		wrong += !expected(status);
		copies += status == GNTST_okay;
		leaks += status == GNTST_okay && to[255] != OPEN;
		status = grant_map((uint64_t)window, GNTMAP_host_map | GNTMAP_readonly, REF, d->id, &handle);
		wrong += !expected(status);
		if (status)
			continue;
		maps++;
		leaks += window[0] != OPEN;
		wrong += grant_unmap((uint64_t)window, handle) != GNTST_okay;
	}
	note("%u tries, %u copies, %u mappings, %u times taken back", tries, copies, maps, *taken);
	check_eq("GNT-RACE-1", wrong, 0, "a grant that comes and goes is there, or it is not");
	check_eq("GNT-RACE-2", leaks, 0, "a page that was not granted is never seen");
	check("GNT-RACE-3", *taken > 0 && copies > 0, "a grant that is used again and again can be taken back");
}

void test_main(void)
{
	uint8_t *window = page_alloc(), *to = page_alloc();
	uint32_t local, handle, lost = 0;
	volatile uint32_t *is_ready;
	struct domain *d;

	map_page(window, 0);
	d = make_domain(1);
	local = (uint32_t)evtchn_alloc_unbound(DOMID_SELF, d->id);
	start_code(d, granter, local);
	is_ready = (volatile uint32_t *)in_guest(d, &ready);
	if (wait_for(is_ready) != 1)
		bail("the second domain does not run");
	port_clear(local);
	race(d, window, to);
	*in_guest(d, &stop) = 1;
	for (int i = 0; i < ROUNDS && !lost; i++) {
		evtchn_send(local);
		poll_for(local);
		lost += !port_pending(local);
		port_clear(local);
	}
	check_eq("EVTCHN-RACE-1", lost, 0, "of %d events to and fro none is lost", ROUNDS);
	check("GNT-RACE-4", grant_map((uint64_t)window, GNTMAP_host_map, REF, d->id, &handle) == GNTST_okay, "one that stays can be mapped");
	grant_unmap((uint64_t)window, handle);
	evtchn_close(local);
	destroy_domain(d);
}

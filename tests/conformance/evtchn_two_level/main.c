/* SPDX-License-Identifier: MIT */
/*
 * How an event travels in shared_info: pending bit, then, if not masked, the selector bit of its
 * word, then upcall_pending. Upcalls stay masked here, so that every step can be looked at.
 */
#include "guest.h"

static void quiet(void)
{
	vcpu_info->evtchn_upcall_pending = 0;
	vcpu_info->evtchn_pending_sel = 0;
	for (int i = 0; i < 64; i++)
		shared_info->evtchn_pending[i] = 0;
}

static int64_t unmask(uint32_t port)
{
	struct evtchn_unmask op = { .port = port };

	return hypercall(event_channel_op, EVTCHNOP_unmask, &op);
}

static void raise(uint32_t port)
{
	quiet();
	evtchn_send(port);
	check("EVTCHN-2L-1",
	      port_pending(port) && vcpu_info->evtchn_pending_sel == 1 &&
		      vcpu_info->evtchn_upcall_pending == 1,
	      "unmasked: pending, selector, upcall_pending");
	vcpu_info->evtchn_pending_sel = 0;
	vcpu_info->evtchn_upcall_pending = 0;
	evtchn_send(port);
	check("EVTCHN-2L-3", vcpu_info->evtchn_pending_sel == 0 && vcpu_info->evtchn_upcall_pending == 0,
	      "pending already: nothing more");
	quiet();
	port_mask(port, true);
	evtchn_send(port);
	check("EVTCHN-2L-2",
	      port_pending(port) && vcpu_info->evtchn_pending_sel == 0 &&
		      vcpu_info->evtchn_upcall_pending == 0,
	      "masked: only pending");
	port_mask(port, false);
	quiet();
	evtchn_send(port);
	hypercall(xen_version, 0);
	hypercall(sched_op, SCHEDOP_yield, 0);
	check("EVTCHN-2L-6", vcpu_info->evtchn_upcall_pending == 1,
	      "upcall_pending stays until the guest clears it");
}

static void unmasking(uint32_t port)
{
	quiet();
	port_mask(port, true);
	check("EVTCHN-UNMASK-1",
	      unmask(port) == 0 && !(shared_info->evtchn_mask[port / 64] >> (port % 64) & 1) &&
		      vcpu_info->evtchn_pending_sel == 0 && vcpu_info->evtchn_upcall_pending == 0,
	      "not pending: the mask bit only");
	port_mask(port, true);
	evtchn_send(port);
	check("EVTCHN-UNMASK-2",
	      unmask(port) == 0 && vcpu_info->evtchn_pending_sel == 1 &&
		      vcpu_info->evtchn_upcall_pending == 1,
	      "pending: as a fresh event");
	check("EVTCHN-UNMASK-4", port_pending(port), "the pending bit stays");
	vcpu_info->evtchn_pending_sel = 0;
	vcpu_info->evtchn_upcall_pending = 0;
	unmask(port);
	check("EVTCHN-UNMASK-5",
	      vcpu_info->evtchn_pending_sel == 0 && vcpu_info->evtchn_upcall_pending == 0,
	      "a port that is not masked raises nothing");
	check("EVTCHN-UNMASK-3", unmask(4096) == -EINVAL && unmask(~0U) == -EINVAL,
	      "ports out of range");
}

/* Ports until one is in the second word. */
static void second_word(void)
{
	int64_t port;

	do
		port = evtchn_bind_ipi(0);
	while (port > 0 && port < 64);
	quiet();
	evtchn_send((uint32_t)port);
	check("EVTCHN-2L-5",
	      port == 64 && vcpu_info->evtchn_pending_sel == 2 && shared_info->evtchn_pending[1] == 1,
	      "port 64 is bit 0 of word 1");
}

/* Two sends, one event; delivered once the mask byte is cleared. */
static void coalescing(uint32_t port)
{
	quiet();
	event_count[port] = 0;
	evtchn_send(port);
	evtchn_send(port);
	deliver_events();
	mask_upcalls(true);
	check_eq("EVTCHN-SEND-7", event_count[port], 1,
		 "two sends before the guest looks are one event");
}

void test_main(void)
{
	bool clear = true;
	uint32_t port;

	for (int i = 0; i < 64; i++)
		clear = clear && shared_info->evtchn_mask[i] == 0;
	check("EVTCHN-2L-4", clear, "evtchn_mask is all zero at the start");
	port = (uint32_t)evtchn_bind_ipi(0);
	raise(port);
	unmasking(port);
	coalescing(port);
	second_word();
}

/* SPDX-License-Identifier: MIT */
/* EVTCHNOP_reset closes every port of a domain. And the FIFO ABI's calls while the two-level ABI is in
 * force. */
#include "guest.h"

static int64_t reset(uint16_t dom)
{
	struct evtchn_reset op = { .dom = dom };

	return hypercall(event_channel_op, EVTCHNOP_reset, &op);
}

static uint32_t status(uint32_t port)
{
	struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

	return hypercall(event_channel_op, EVTCHNOP_status, &op) ? 0x99 : op.status;
}

static void fifo_calls(void)
{
	struct evtchn_expand_array expand = { .array_gfn = mfn_of(page_alloc()) };
	struct evtchn_set_priority priority = { .port = (uint32_t)evtchn_bind_ipi(0), .priority = 3 };

	check_eq("FIFO-2L-1", hypercall(event_channel_op, EVTCHNOP_expand_array, &expand), -EOPNOTSUPP,
		 "expand_array is refused");
	check_eq("FIFO-2L-2", hypercall(event_channel_op, EVTCHNOP_set_priority, &priority), -ENOSYS,
		 "set_priority is refused");
	evtchn_close(priority.port);
}

void test_main(void)
{
	int64_t first = evtchn_bind_ipi(0), virq = evtchn_bind_virq(VIRQ_DEBUG, 0),
		unbound = evtchn_alloc_unbound(DOMID_SELF, 7);
	bool closed = true, quiet = true;

	fifo_calls();
	evtchn_send((uint32_t)first);
	check_eq("EVTCHN-RESET-3", reset(99), -ESRCH, "a domain that does not exist");
	closed = reset(DOMID_SELF) == 0 && virq > 0 && unbound > 0;
	for (uint32_t port = 1; port < 64; port++)
		closed = closed && status(port) == EVTCHNSTAT_closed;
	check("EVTCHN-RESET-1", closed, "every port is closed");
	for (int i = 0; i < 64; i++)
		quiet = quiet && shared_info->evtchn_pending[i] == 0;
	check("EVTCHN-RESET-4", quiet, "no port is pending");
	check("EVTCHN-RESET-2", evtchn_bind_virq(VIRQ_DEBUG, 0) == 1 && evtchn_bind_ipi(0) == 2,
	      "ports are given from the lowest, virtual interrupts are free again");
}

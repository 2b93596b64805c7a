/* SPDX-License-Identifier: MIT */
/* Binding virtual and physical interrupts to ports. */
#include "guest.h"

static struct evtchn_status status(uint32_t port)
{
	struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

	hypercall(event_channel_op, EVTCHNOP_status, &op);
	return op;
}

static int64_t bind_pirq(uint32_t pirq)
{
	struct evtchn_bind_pirq op = { .pirq = pirq };

	return hypercall(event_channel_op, EVTCHNOP_bind_pirq, &op);
}

static bool immovable(uint32_t virq)
{
	int64_t port = evtchn_bind_virq(virq, 0);
	struct evtchn_bind_vcpu op = { .port = (uint32_t)port, .vcpu = 0 };

	return port > 0 && hypercall(event_channel_op, EVTCHNOP_bind_vcpu, &op) == -EINVAL &&
	       evtchn_close((uint32_t)port) == 0;
}

void test_main(void)
{
	int64_t timer = evtchn_bind_virq(VIRQ_TIMER, 0), again, next;
	struct evtchn_status s = status((uint32_t)timer);

	check("EVTCHN-VIRQ-1",
	      timer > 0 && s.status == EVTCHNSTAT_virq && s.u.virq == VIRQ_TIMER && s.vcpu == 0,
	      "VIRQ_TIMER on vCPU 0");
	check_eq("EVTCHN-VIRQ-2", evtchn_bind_virq(VIRQ_TIMER, 0), -EEXIST, "a second time");
	check("EVTCHN-VIRQ-3",
	      evtchn_bind_virq(NR_VIRQS, 0) == -EINVAL && evtchn_bind_virq(~0U, 0) == -EINVAL,
	      "virqs out of range");
	check_eq("EVTCHN-VIRQ-4", evtchn_bind_virq(VIRQ_DEBUG, 1000), -ENOENT,
		 "a vCPU that does not exist");
	check_eq("EVTCHN-VIRQ-5", evtchn_bind_virq(VIRQ_DOM_EXC, 1), -EINVAL,
		 "a per-domain one on vCPU 1");
	next = evtchn_bind_virq(VIRQ_DOM_EXC, 0);
	check("EVTCHN-VIRQ-6", next > 0, "a per-domain one on vCPU 0");
	check_eq("EVTCHN-VIRQ-9", next, timer + 1, "refused calls have used up no port");
	evtchn_close((uint32_t)timer);
	again = evtchn_bind_virq(VIRQ_TIMER, 0);
	check_eq("EVTCHN-VIRQ-7", again, timer, "closed, it can be bound again");
	check("EVTCHN-VIRQ-8", immovable(VIRQ_DEBUG) && immovable(VIRQ_XENPMU),
	      "VIRQ_DEBUG and VIRQ_XENPMU are per vCPU");
	check("EVTCHN-PIRQ-1", bind_pirq(0x7fffffff) == -EINVAL && bind_pirq(~0U) == -EINVAL,
	      "pirqs out of range");
	next = evtchn_bind_ipi(0);
	check_eq("EVTCHN-PIRQ-2", next, again + 2, "refused calls have used up no port");
}

/* SPDX-License-Identifier: MIT */
/* Physical interrupts: a pirq names the port that is bound to it, and no other port is bound to one. */
#include <console.h>
#include <evtchn.h>
#include <pirq.h>
#include "check.h"

void check_pirqs(void)
{
	struct evtchn_table *t = dom0 ? dom0->evtchn : NULL;
	u32 bound = 0, ports = 0;

	for (u32 n = 0; t && n < NR_PIRQS; n++) {
		u32 port = pirq_port(n);
		const struct evtchn *e = port ? evtchn_lookup(t, port) : NULL;

		if (port && (!e || e->state != EVTCHNSTAT_pirq || e->pirq != n))
			panic("check: pirq %u names port %u, which is not bound to it", n, port);
		bound += port != 0;
	}
	for (u32 port = 0; t && port < t->ports; port++)
		ports += evtchn_at(t, port)->state == EVTCHNSTAT_pirq;
	if (ports != bound)
		panic("check: %u ports are bound to pirqs, %u pirqs to ports", ports, bound);
}

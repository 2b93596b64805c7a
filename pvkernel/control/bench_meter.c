/* SPDX-License-Identifier: MIT */
/*
 * What all domains together have done so far, for tools/bench, which subtracts two of these lines:
 *
 *	meter cpu NS [cr3 N flush N fault N hypercall N upcall N switch N]
 *
 * cpu is the time that domains have run; the counters are the hypervisor's, which other hypervisors do not have. Of a domain that has
 * gone nothing is left in them.
 */
#include "../include/exits.h"
#include "../include/hypercall.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/shell.h"
#include "control.h"
#include "domains.h"

static const struct {
	const char *name;
	u32 counter;
} columns[] = {
	{ "cr3", PARAVANE_COUNT_cr3_loads }, { "flush", PARAVANE_COUNT_tlb_flushes }, { "fault", PARAVANE_COUNT_page_faults },
	{ "hypercall", PARAVANE_COUNT_hypercalls }, { "upcall", PARAVANE_COUNT_upcalls }, { "bounced", PARAVANE_COUNT_bounced },
	{ "mode", PARAVANE_COUNT_switches },
};

static int cmd_meter(int argc, char **argv)
{
	u64 sum[PARAVANE_COUNTERS] = { 0 }, count[PARAVANE_COUNTERS], cpu = 0;
	struct xen_domctl_getdomaininfo *list;
	int n = domains_list(&list);
	bool counted = n > 0;

	for (int i = 0; i < n; i++) {
		cpu += list[i].cpu_time;
		if (hypercall3(__HYPERVISOR_paravane_op, PARAVANE_domain_counters, list[i].domain, (u64)count) < 0)
			counted = false;
		for (u32 j = 0; counted && j < PARAVANE_COUNTERS; j++)
			sum[j] += count[j];
	}
	if (n < 0)
		return 1;
	kfree(list);
	printf("meter cpu %lu", cpu);
	for (u32 i = 0; counted && i < ARRAY_SIZE(columns); i++)
		printf(" %s %lu", columns[i].name, sum[columns[i].counter]);
	printf("\n");
	return 0;
}
COMMAND(meter, cmd_meter, "what all domains together have done so far: CPU time, and the hypervisor's counters");

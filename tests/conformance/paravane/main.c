/* SPDX-License-Identifier: MIT */
/* paravane_op: Paravane's counters. Any other hypervisor has no such call, which is an answer too. */
#include "guest.h"
#include <abi/paravane.h>

static uint64_t counters[PARAVANE_COUNTERS];

static int64_t read_counters(uint64_t where)
{
	return hypercall_nr(__HYPERVISOR_paravane_op, PARAVANE_read_counters, where);
}

void test_main(void)
{
	int64_t r = read_counters((uint64_t)counters);
	bool here = r != -ENOSYS;
	uint64_t before;

	check("PARAVANE-1", !here || r == PARAVANE_COUNTERS, "the counters, or -ENOSYS elsewhere (%ld)",
	      r);
	check_eq("PARAVANE-2", hypercall_nr(__HYPERVISOR_paravane_op, 99, counters), -ENOSYS,
		 "an unknown sub-operation");
	check_eq("PARAVANE-3", read_counters(UNMAPPED), here ? -EFAULT : -ENOSYS,
		 "a buffer that cannot be written");
	read_counters((uint64_t)counters);
	before = counters[PARAVANE_COUNT_hypercalls];
	hypercall(xen_version, 0);
	read_counters((uint64_t)counters);
	check_eq("PARAVANE-4", counters[PARAVANE_COUNT_hypercalls] - before, here ? 2 : 0,
		 "each hypercall counts, the asking one too");
	read_counters((uint64_t)counters);
	before = counters[PARAVANE_COUNT_hypercalls];
	r = hypercall_nr(__HYPERVISOR_paravane_op, PARAVANE_domain_counters, 0, counters);
	check("PARAVANE-18", here ? r == PARAVANE_COUNTERS && counters[PARAVANE_COUNT_hypercalls] == before + 1 : r == -ENOSYS,
	      "domain 0's counters by domain 0 (%ld)", r);
	check_eq("PARAVANE-19", hypercall_nr(__HYPERVISOR_paravane_op, PARAVANE_domain_counters, 3, counters), here ? -ESRCH : -ENOSYS,
		 "those of a domain that is not there");
}

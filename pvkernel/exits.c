/* SPDX-License-Identifier: MIT */
/* The hypervisor's counters for this domain; Xen has no such call, and a bare machine no such exits. */
#include "boot.h"
#include "exits.h"
#include "hypercall.h"
#include "lib.h"
#include "shell.h"

bool exits_read(u64 count[PARAVANE_COUNTERS])
{
	memset(count, 0, PARAVANE_COUNTERS * sizeof(*count));
	return !boot.native &&
	       hypercall2(__HYPERVISOR_paravane_op, PARAVANE_read_counters, (u64)count) >= 0;
}

static const char *const names[PARAVANE_COUNTERS] = {
	[PARAVANE_COUNT_hypercalls] = "hypercalls",
	[PARAVANE_COUNT_interpreted] = "privileged instructions interpreted",
	[PARAVANE_COUNT_pt_emulated] = "stores to page tables done",
	[PARAVANE_COUNT_bounced] = "exceptions handed to this kernel",
	[PARAVANE_COUNT_interrupts] = "interrupts of the machine",
	[PARAVANE_COUNT_upcalls] = "event upcalls",
	[PARAVANE_COUNT_cr3_loads] = "loads of CR3",
	[PARAVANE_COUNT_tlb_flushes] = "flushes of the TLB",
	[PARAVANE_COUNT_page_faults] = "page faults",
	[PARAVANE_COUNT_gp_faults] = "general protection faults",
	[PARAVANE_COUNT_switches] = "switches between the guest's modes",
};

const char *exits_name(unsigned int counter)
{
	return names[counter];
}

static int cmd_exits(int argc, char **argv)
{
	u64 count[PARAVANE_COUNTERS];

	if (!exits_read(count)) {
		printf(boot.native ? "there is no hypervisor here\n" : "this hypervisor does not tell\n");
		return 0;
	}
	for (unsigned int i = 0; i < PARAVANE_COUNTERS; i++) {
		if (names[i])
			printf("%12lu %s\n", count[i], names[i]);
	}
	return 0;
}
COMMAND(exits, cmd_exits, "what this domain's exits to the hypervisor went to");

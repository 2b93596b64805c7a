/* SPDX-License-Identifier: MIT */
/* Which table of privileged operations is in force. */
#include "boot.h"
#include "lib.h"
#include "ops.h"

const struct cpu_ops *cpu = &ops_hypercall;
u8 *irq_flags;

bool ops_select(const char *name)
{
	const struct cpu_ops *choice[] = { &ops_hypercall, &ops_trap, &ops_native };

	for (unsigned int i = 0; i < ARRAY_SIZE(choice); i++) {
		if (!strcmp(name, choice[i]->name) && (choice[i] == &ops_native) == boot.native) {
			cpu = choice[i];
			irq_flags = cpu == &ops_hypercall ? &vcpu_info->evtchn_upcall_pending : NULL;
			return true;
		}
	}
	return false;
}

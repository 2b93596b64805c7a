/* SPDX-License-Identifier: MIT */
/* Which table of privileged operations is in force. */
#include "boot.h"
#include "lib.h"
#include "ops.h"

const struct cpu_ops *cpu = &ops_hypercall;

bool ops_select(const char *name)
{
	const struct cpu_ops *choice[] = { &ops_hypercall, &ops_trap, &ops_native };

	for (unsigned int i = 0; i < ARRAY_SIZE(choice); i++) {
		if (!strcmp(name, choice[i]->name) && (choice[i] == &ops_native) == boot.native) {
			cpu = choice[i];
			return true;
		}
	}
	return false;
}

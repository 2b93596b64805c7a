/* SPDX-License-Identifier: MIT */
/* What this domain's exits to the hypervisor went to. */
#ifndef PVK_EXITS_H
#define PVK_EXITS_H

#include <abi/paravane.h>

#include "types.h"

/* Fills count[], indexed by PARAVANE_COUNT_*; words beyond what the hypervisor has are 0. False: it does not tell. */
bool exits_read(u64 count[PARAVANE_COUNTERS]);
const char *exits_name(unsigned int counter);	/* in words, of a PARAVANE_COUNT_*; NULL: a counter without meaning */

#endif

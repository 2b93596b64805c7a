/* SPDX-License-Identifier: MIT */
/* The machine's memory and what guests should have of it. KiB everywhere. */
#ifndef CTL_MEMORY_H
#define CTL_MEMORY_H

#include "../include/types.h"

#define MEMORY_OVERHEAD 128		/* of a domain beyond its memory, and of the hypervisor for it: less than this */

u64 memory_free(void);			/* that nobody has */
/* Its limit, then its target. 0 or a negative errno: -ESRCH it is gone or was not created here. */
long memory_set_target(u16 domid, u64 kib);
/* What the domain was created for; the node in xenstore may be the guest's to write on other toolstacks, this is not. False as -ESRCH above. */
bool memory_bounds(u16 domid, u64 *min, u64 *max, u64 *created);
u64 memory_of_restarting(void);		/* of guests that have ended and will start again soon */

#endif

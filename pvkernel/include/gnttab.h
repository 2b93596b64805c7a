/* SPDX-License-Identifier: MIT */
/* Granting our frames to other domains. */
#ifndef PVK_GNTTAB_H
#define PVK_GNTTAB_H

#include "types.h"

#define GRANT_NONE 0

bool gnttab_init(void);		/* false: no grant table here */
u32 gnttab_grant(u16 domid, u64 pfn, bool readonly);	/* reference, or GRANT_NONE */
bool gnttab_end(u32 ref);	/* false: still mapped by the other domain */
u32 gnttab_free_refs(void);

#endif

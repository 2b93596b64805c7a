/* SPDX-License-Identifier: MIT */
/* Granting our frames to other domains, and mapping theirs. */
#ifndef PVK_GNTTAB_H
#define PVK_GNTTAB_H

#include "types.h"

#define GRANT_NONE 0

bool gnttab_init(void);		/* false: no grant table here */
u32 gnttab_grant(u16 domid, u64 pfn, bool readonly);	/* reference, or GRANT_NONE */
bool gnttab_end(u32 ref);	/* false: still mapped by the other domain */
u32 gnttab_free_refs(void);

/* Another domain's page here. */
struct grant_mapping {
	void *va;
	u64 own_pte;		/* of the page that was at va before, and will be again */
	u32 handle;
};

bool gnttab_map(u16 domid, u32 ref, bool readonly, struct grant_mapping *m);	/* false: refused, or no memory */
void gnttab_unmap(struct grant_mapping *m);

#endif

/* SPDX-License-Identifier: MIT */
/* Granting our frames to other domains, and mapping and copying theirs. */
#ifndef PVK_GNTTAB_H
#define PVK_GNTTAB_H

#include <abi/grant_table.h>

#include "types.h"

#define GRANT_NONE 0

bool gnttab_init(void);		/* false: no grant table here */

/* --- our pages: for threads and interrupt handlers ------------------------------------------------------------ */

u32 gnttab_grant(u16 domid, u64 pfn, bool readonly);	/* reference, or GRANT_NONE */
bool gnttab_end(u32 ref);	/* false: still mapped by the other domain */
void gnttab_end_page(u32 ref, u64 pfn);	/* ends it and frees the page, at once or when the other domain lets go of it */
u32 gnttab_free_refs(void);	/* in the table as it is; it grows on demand */
u32 gnttab_deferred(void);	/* pages that gnttab_end_page() still waits for */

/* The same in two steps, for who keeps references and uses each again and again: nothing is searched or locked. */
u32 gnttab_reserve(void);	/* GRANT_NONE: none left */
void gnttab_release(u32 ref);	/* revoked, or never allowed */
void gnttab_allow(u32 ref, u16 domid, u64 pfn, bool readonly);
bool gnttab_revoke(u32 ref);	/* false: still mapped by the other domain, and still allowed */

/* --- others' pages: for threads; interrupt handlers where it says so ------------------------------------------ */

/*
 * As the hypercalls of the same names; each element has its status, and one that says GNTST_eagain is tried again for a while.
 * 0, or -EIO: not all have status GNTST_okay. In interrupt handlers nothing is tried again.
 */
int gnttab_copy(struct gnttab_copy *ops, u32 count);
int gnttab_map_batch(struct gnttab_map_grant_ref *ops, u32 count);	/* with GNTMAP_device_map alone: only dev_bus_addr */
void gnttab_unmap_batch(struct gnttab_unmap_grant_ref *ops, u32 count);	/* what was mapped: it cannot fail */

/* Pages at consecutive addresses, all or none: NULL: refused, or no memory. */
void *gnttab_map_pages(u16 domid, const u32 *refs, u32 count, bool readonly, u32 *handles);
void gnttab_unmap_pages(void *va, const u32 *handles, u32 count);

/* One page. */
struct grant_mapping {
	void *va;
	u32 handle;
};

bool gnttab_map(u16 domid, u32 ref, bool readonly, struct grant_mapping *m);	/* false: refused, or no memory */
void gnttab_unmap(struct grant_mapping *m);

#endif

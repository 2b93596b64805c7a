/* SPDX-License-Identifier: MIT */
/* Rings as people see them: what each driver's are at, for the command `rings` and the page /live. */
#ifndef PVK_RINGS_H
#define PVK_RINGS_H

#include "list.h"
#include "types.h"

struct ring_view {
	char name[48];			/* "eth0 tx 0" */
	u32 entries;
	u32 requests, responses;	/* this end's own indices: what it has put, and taken, since the ring was made */
	u64 held_off;			/* times that events without cause made this end stop listening for a while */
};

/* read() fills at most max views, with interrupts disabled, and says how many. */
struct ring_source {
	struct list node;
	u32 (*read)(struct ring_view *views, u32 max);
};

void rings_add(struct ring_source *s);		/* for ever; again: nothing */
u32 rings_read(struct ring_view *views, u32 max);

#endif

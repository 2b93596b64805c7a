/* SPDX-License-Identifier: MIT */
/* What backends that lie have in common: nodes, a thread for each connection, the mode that says how they lie. */
#ifndef HOSTILE_EVIL_H
#define HOSTILE_EVIL_H

#include "../../../drivers/backend/xenbus_back.h"
#include "../../../pvkernel/include/sched.h"
#include "../../../ring-buffers/ring.h"

struct evil {
	struct backend *back;
	char mode[32];
	struct ring_mapping pages[2];
	struct ring_back ring[2];	/* a disk's; a vif's tx and rx */
	int port;
	volatile bool stop;
	struct thread *thread;
};

u64 evil_random(void);
bool evil_is(const struct evil *e, const char *mode);
struct evil *evil_probe(struct backend *b);
int evil_connect(struct evil *e, u32 which, const char *ref, u32 count, u32 slot);	/* maps a ring; ref is its key */
/* Of connect() the end: binds event-channel and starts the thread, or, on an error then or before, puts all away. */
int evil_start(struct evil *e, int err, void (*fn)(void *evil));
void evil_disconnect(struct backend *b);
void evil_remove(struct backend *b);
void evil_send(struct evil *e, u32 times);
void evil_flap(struct evil *e);		/* our own state, quickly and in any order, but not for ever */

/* A page of the guest's that is kept mapped: what is in it must not change once it was answered. */
#define EVIL_KEPT 16
void evil_keep(struct evil *e, u32 ref);
bool evil_keeps_more(void);
void evil_judge_kept(struct evil *e);	/* waits, says whether they are as they were, and lets go */

extern const struct backend_driver evil_vbd, evil_vif;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The guest's half of a block device. blkfront.c is the device to xenbus and to the block layer, blkfront_ring.c
 * requests and answers, blkfront_segs.c the memory that the backend may reach. All of it is guarded by disabled interrupts.
 *
 * A block request goes to the backend as one or more parts, each an entry of a ring and a slot here that remembers it. It is
 *
 *	waiting		in `waiting`, in the order of submission; the first of them may have some of its parts with the backend
 *	started		in `started`, in the order of submission: all parts have been put
 *	stuck		in `stuck`: ended, but its memory is still the backend's; done() comes when it has let go
 *
 * Invariant: what is neither in one of the lists nor done was never submitted. A backend that goes takes all slots with it, and
 * then `started` is put in front of `waiting` again, so that everything unanswered goes to the next one in its first order.
 *
 * A flush goes when nothing is unanswered, so it covers every write that was submitted before it, also after a replay.
 */
#ifndef FRONTEND_BLKFRONT_H
#define FRONTEND_BLKFRONT_H

#include <abi/blkif.h>

#include "../../pvkernel/include/block.h"
#include "../../pvkernel/include/time.h"
#include "../../ring-buffers/ring.h"
#include "xenbus_front.h"

#define BLK_MAX_PIECES 256		/* of a block request: a MiB */
#define BLK_MAX_RINGS 4
#define BLK_MAX_RING_ORDER 4
#define BLK_MAX_SEGS 2048		/* pages that a device has with its backend at a time */

/* A page that the backend may reach: of the caller's memory (lent), or our own that is copied from and to. */
struct blk_seg {
	struct blk_seg *next;
	void *page;		/* ours; NULL until first needed */
	u32 ref;		/* its own, always */
	bool granted;		/* ref allows `page` */
	bool lent;		/* ref allows the caller's */
};

/* A block request on its way. */
struct blk_track {
	struct list node;	/* in stuck */
	struct block_request *r;
	struct blk_seg *held;	/* lent and not let go */
	u64 sector;		/* of the next piece to put */
	u32 next;		/* the next piece to put; a flush or discard is one piece */
	u32 unanswered;		/* parts */
	int err;		/* the first */
	u64 done[BLK_MAX_PIECES / 64];	/* pieces that the backend has answered well */
};

/* A part. */
struct blk_slot {
	struct blk_track *t;	/* NULL: free */
	struct blk_seg *segs, *table;	/* of pieces [first, first + nr), in order; NULL or an indirect request's */
	u32 generation;		/* counts uses, so that an old id is not this one's */
	u32 next_free;
	u16 first, nr;
	u8 op;
};

struct blkfront;

struct blk_ring {
	struct blkfront *b;
	struct ring_front ring;
	void *pages;
	u32 refs[1 << BLK_MAX_RING_ORDER];
	int port;
	u32 spurious;		/* events in a row that brought no answer */
	struct timer deaf;	/* the port is masked until then */
	struct blk_slot *slots;	/* as many as entries */
	u32 first_free;		/* of slots; the number of slots: none */
};

struct blkfront {
	struct list node;
	struct frontend *f;	/* not once it is removed */
	struct block_device dev;
	u16 domid, handle;
	bool registered, removed, connected;
	bool broken;		/* the backend broke the protocol: nothing goes to it any more */
	bool persistent, lend, flush_op, barrier_op, discard_op, discard_secure;
	u32 max_segs;		/* of a part */
	u32 ring_order, nr_rings, next_ring;
	struct blk_ring rings[BLK_MAX_RINGS];
	struct list waiting, started, stuck;
	u32 unanswered;		/* parts */
	struct blk_seg *free_segs;
	u32 nr_segs;
	struct blk_track *free_tracks;
	u64 nr_requests, nr_parts, nr_events, nr_notifications, nr_replayed, nr_held_off;
};

/* --- blkfront_segs.c --- */

/* A piece becomes the backend's to read or write: NULL when there is nothing to grant it by now. */
struct blk_seg *seg_lend(struct blkfront *b, const struct block_piece *p, bool write);
struct blk_seg *seg_table(struct blkfront *b);	/* a page for a table of segments */
bool seg_take_back(struct blkfront *b, struct blk_track *t, struct blk_seg *s);	/* false: the backend still has it */
void segs_forget(struct blkfront *b);		/* the backend is gone: none of our pages is granted any more */
bool track_let_go(struct blkfront *b, struct blk_track *t);	/* nothing of its memory is held */

/* --- blkfront_ring.c --- */

int ring_open(struct blkfront *b, struct blk_ring *q);	/* pages, slots, channel */
void ring_abandon(struct blk_ring *q);		/* its parts are taken back, and not done */
void ring_close(struct blk_ring *q);		/* the same, and all that ring_open() made */
void blk_pump(struct blkfront *b);		/* puts what can be put */
void blk_push(struct blkfront *b);		/* lets the backend see it */
void blk_finish(struct blkfront *b, struct blk_track *t, int err);
void blk_rewind(struct blkfront *b);		/* rings are closed: everything unanswered waits again */
void blk_end_all(struct blkfront *b, int err);

/* --- blkfront.c --- */

void blkfront_init(void);
void blk_broken(struct blkfront *b, const char *what);	/* the end of the device; from anywhere */
void blk_retry_later(void);			/* something is stuck */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Domain 0's half of a block device, between its files: blkback_request.c says what a request asks for, blkback_queue.c does it,
 * blkback_rate.c and blkback_share.c say when, blkback.c connects and disconnects, blkback_commands.c tells. What a request costs is in docs/block.md.
 */
#ifndef BACKEND_BLKBACK_H
#define BACKEND_BLKBACK_H

#include <abi/blkif.h>

#include "../../pvkernel/include/block.h"
#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/sched.h"
#include "../../pvkernel/include/time.h"
#include "../../ring-buffers/ring.h"
#include "xenbus_back.h"

#define BLKBACK_SEGMENTS 256u		/* of a request, at most; so they are all in one indirect page */
#define BLKBACK_QUEUES 4u
#define BLKBACK_RING_ORDER 4u		/* 16 pages a ring, at most */
#define BLKBACK_SLOTS 64u		/* requests of a device that are under way at once */

/* --- blkback_request.c --- */

union blkback_ring_request {
	struct blkif_request rw;
	struct blkif_request_discard discard;
	struct blkif_request_indirect indirect;
};

/* What the device allows, and what is expected of its requests. */
struct blkback_rules {
	u64 sectors;
	u16 handle, domid;
	bool readonly, can_flush, can_discard;
};

/* Done in this order, each after the one before has succeeded. */
#define STEP_FLUSH_BEFORE 1
#define STEP_TRANSFER 2
#define STEP_FLUSH_AFTER 4

struct blkback_job {
	u64 id;
	u64 sector, sectors;
	u32 indirect_ref;	/* where the segments are, if `indirect` */
	u16 nr_segments;
	u8 operation;		/* of the response */
	u8 steps;
	enum block_op op;	/* of STEP_TRANSFER */
	bool indirect, alone;	/* alone: what came before is done first, what comes after waits */
};

/* BLKIF_RSP_OKAY, or the status of the answer, whose id and operation are in the job in any case. q is our copy. */
int blkback_check(const union blkback_ring_request *q, const struct blkback_rules *rules, struct blkback_job *job);
/* The pieces of a job with segments, and its `sectors`; the same statuses. Segments are our copy. */
int blkback_pieces(const struct blkif_request_segment *segments, const struct blkback_rules *rules, struct blkback_job *job,
		   struct block_piece *pieces);

/* --- blkback_rate.c --- */

/* A bucket that fills at `per_second`; 0: no limit. Who takes while it is not empty may overdraw it. */
struct rate {
	u64 per_second;
	s64 tokens;
	u64 filled_at;
};

void rate_init(struct rate *r, u64 per_second, u64 t);
u64 rate_wait(struct rate *r, u64 t);	/* ns until it is not empty; 0: it is not */
static inline void rate_take(struct rate *r, u64 n)
{
	if (r->per_second)
		r->tokens -= n;
}

/* --- blkback_queue.c --- */

struct vbd;
struct share;

struct blkback_queue {
	struct vbd *vbd;
	struct ring_mapping pages;
	struct ring_back ring;
	int port;		/* ours; -1: none */
	u32 events;		/* since it last had a request for us */
};

/* A request from the moment it is taken to the moment its response is put. */
struct blkback_slot {
	struct block_request block;	/* by its node in vbd->unused or vbd->finished, when it is not with the device */
	struct vbd *vbd;
	struct blkback_queue *queue;
	struct blkback_job job;
	u64 started;		/* when the disk got it; 0: that does not matter */
	int err;
	struct block_piece pieces[BLKBACK_SEGMENTS];
};

struct blkback_counts {
	u64 requests[4];	/* by enum block_op */
	u64 sectors[2];		/* read, written */
	u64 errors;		/* answers other than BLKIF_RSP_OKAY */
	u64 waits;		/* for the rates' sake */
	u64 turns;		/* that ended since others want theirs */
	u64 rounds;		/* of the thread */
	u64 notifications;
	u64 floods;		/* times that a port was deaf for a while */
};

struct vbd {
	struct list node;		/* of all, in blkback.c */
	struct backend *back;
	u32 devid;			/* back's, which may be gone before us */
	struct block_device *disk;
	struct blkback_rules rules;
	bool shared;			/* mode w!: others may write it, too */
	u64 bytes_per_second, requests_per_second;	/* 0: as much as there is */
	char target[128];
	u32 nr_queues, first_queue;	/* first_queue: whose turn it is to be looked at first */
	struct blkback_queue queues[BLKBACK_QUEUES];
	struct thread *thread;
	struct wait_queue wake;
	bool poked;			/* something has happened since the last round began */
	bool stopping, broken;
	bool told_failure;		/* a person knows that the disk fails */
	struct list unused;		/* slots */
	u32 nr_slots, in_flight;
	u64 bytes_in_flight;
	struct list finished;		/* slots that the device is done with; guarded by disabled interrupts */
	struct blkback_slot *held;	/* to be alone: begins when it is the only one */
	bool alone;			/* one that is alone has been taken: no other is */
	void *scratch;			/* a page for indirect segments */
	struct share *share;		/* of the disk; NULL: it answers at once, there is nothing to share */
	struct list share_node;
	bool shares;			/* with others */
	bool waiting;			/* for its turn in that */
	u64 tag;
	struct rate bytes, requests;
	struct timer timer, deaf;	/* the rates allow something again; ports hear again */
	struct blkback_counts counts;
};

void blkback_prepare(struct vbd *v);	/* a new one, before any of its ports has a handler */
int blkback_start(struct vbd *v);	/* the thread, with queues that have rings and ports; 0, -ENOMEM */
void blkback_stop(struct vbd *v);	/* waits until the device is done with all that was taken. Idempotent. */
void blkback_event(void *queue);	/* a port's handler */
void blkback_poke(struct vbd *v);	/* a round, soon. Interrupts are disabled. */
bool blkback_round(struct vbd *v);	/* of the thread, but for its sleep. False: there was nothing to do */

/* --- blkback_share.c: of a device that shares --- */

int share_join(struct vbd *v);		/* 0, -ENOMEM. Its tag and who waits are the share's until share_leave(), which is idempotent. */
void share_leave(struct vbd *v);
bool share_ask(struct vbd *v);		/* it has a request: may that be handed over? No: it is waiting, and poked in time. */
void share_take(struct vbd *v, u64 cost);	/* it was */
void share_done(struct vbd *v, u64 started);	/* the disk is done with what it got at that time. Interrupts are disabled. */
void share_pass(struct vbd *v);		/* at the end of a round: if somebody else may now, he hears of it */

/* --- blkback.c --- */

void blkback_init(void);

#endif

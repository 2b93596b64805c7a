/* SPDX-License-Identifier: MIT */
/*
 * Fair shares of a disk that works on its own, between the devices on it: which of them may hand over a request now.
 *
 * A disk that keeps requests for longer than LATE_NS has too many: `depth`, how many it gets from all devices together, is halved, and
 * grows by one again when as many were in time. The rest wait in their rings. So whoever comes with a single request finds little
 * before it, however many requests others have; and a disk that is not what keeps them waiting is not kept waiting either.
 *
 * The next is the device with the smallest tag, which counts the bytes that it has handed over: all that always have a request in
 * their ring get equally many. One that wanted nothing for a while starts again at the tag of the last request of all; nothing is
 * saved up. (Start-time fair queueing, with a depth by congestion control.)
 *
 * A device that is refused is `waiting` until it looks again; after each round of any of them, and what that has finished, the one whose
 * turn it is is poked. There is always such a round to come: a device waits for a request under way, or for one that waits.
 *
 * The threads of a disk's devices are on one CPU; disabled interrupts guard all this.
 */
#include <abi/errno.h>

#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "blkback.h"

#define LATE_NS (2 * NSEC_PER_MSEC)
#define MIN_DEPTH 2u
#define MAX_DEPTH 256u

struct share {
	struct list node;		/* of all */
	struct block_device *disk;	/* the lowest, which is below the devices' own */
	struct list members;
	u64 time;			/* the tag of the last request, at its start */
	u32 depth;
	bool full;			/* somebody was refused for that */
	u32 in_time;			/* requests since the depth has changed */
	u64 cut_at;			/* when it became less */
};

static struct list shares = LIST_INIT(shares);

static bool has_room(const struct share *s)
{
	u32 requests = 0;

	list_for_each(node, &s->members)
		requests += list_entry(node, struct vbd, share_node)->in_flight;
	return requests < s->depth;
}

/* NULL: nobody waits. */
static struct vbd *first_waiting(const struct share *s)
{
	struct vbd *first = NULL;

	list_for_each(node, &s->members) {
		struct vbd *v = list_entry(node, struct vbd, share_node);

		if (v->waiting && (!first || v->tag < first->tag))
			first = v;
	}
	return first;
}

bool share_ask(struct vbd *v)
{
	struct share *s = v->share;
	bool irq = irq_save(), room = has_room(s);
	const struct vbd *first = first_waiting(s);

	v->tag = MAX(v->tag, s->time);
	s->full |= !room;
	v->waiting = !room || (first && first->tag < v->tag);
	irq_restore(irq);
	return !v->waiting;
}

void share_take(struct vbd *v, u64 cost)
{
	struct share *s = v->share;
	bool irq = irq_save();

	s->time = MAX(s->time, v->tag);
	v->tag += cost;
	irq_restore(irq);
}

/* What was handed over before the last cut says nothing about it. */
void share_done(struct vbd *v, u64 started)
{
	struct share *s = v->share;
	u64 t = now();

	if (started < s->cut_at)
		return;
	if (t - started > LATE_NS) {
		s->depth = MAX(s->depth / 2, MIN_DEPTH);
		s->cut_at = t;
		s->in_time = 0;
	} else if (s->full && ++s->in_time >= s->depth) {
		s->depth = MIN(s->depth + 1, MAX_DEPTH);
		s->in_time = 0;
		s->full = false;
	}
}

/* Interrupts are disabled. */
static void pass(const struct share *s)
{
	struct vbd *first = first_waiting(s);

	if (first && has_room(s))
		blkback_poke(first);
}

void share_pass(struct vbd *v)
{
	bool irq = irq_save();

	pass(v->share);
	irq_restore(irq);
}

/* --- joining and leaving: by the one thread of the type --- */

static struct share *find_share(struct block_device *disk)
{
	struct share *s;

	list_for_each(node, &shares) {
		s = list_entry(node, struct share, node);
		if (s->disk == disk)
			return s;
	}
	s = kmalloc(sizeof(*s));
	if (!s)
		return NULL;
	s->disk = disk;
	s->depth = MAX_DEPTH;
	list_init(&s->members);
	list_insert_before(&shares, &s->node);
	return s;
}

static void tell_members(const struct share *s)
{
	bool crowd = s->members.next != s->members.prev;

	list_for_each(node, &s->members)
		list_entry(node, struct vbd, share_node)->shares = crowd;
}

int share_join(struct vbd *v)
{
	struct block_device *disk = block_bottom(v->disk);
	struct share *s;
	bool irq;

	if (disk->immediate)
		return 0;
	s = find_share(disk);
	if (!s)
		return -ENOMEM;
	irq = irq_save();
	v->share = s;
	v->tag = 0;
	v->waiting = false;
	list_insert_before(&s->members, &v->share_node);
	tell_members(s);
	irq_restore(irq);
	return 0;
}

void share_leave(struct vbd *v)
{
	struct share *s = v->share;
	bool irq;

	if (!s)
		return;
	irq = irq_save();
	list_remove(&v->share_node);
	v->share = NULL;
	v->shares = false;
	tell_members(s);
	pass(s);
	irq_restore(irq);
	if (!list_empty(&s->members))
		return;
	list_remove(&s->node);
	kfree(s);
}

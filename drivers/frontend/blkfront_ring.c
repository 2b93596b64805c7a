/* SPDX-License-Identifier: MIT */
/*
 * Requests and answers. A request's id is its slot's number and, above it, how often the slot has been used; an answer counts when
 * it names a slot in use by its present id, with the operation that was asked for and a status that exists. Anything else
 * is a backend that lies or is mad, and the end of the device (blk_broken). The answer is copied before it is looked at.
 */
#include <abi/errno.h>

#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/gnttab.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "blkfront.h"

#define SPURIOUS_MAX 16			/* events in a row without an answer, before they are not listened to for HOLD_OFF */
#define HOLD_OFF NSEC_PER_MSEC
#define SEG_SECTORS(p) ((p)->length >> SECTOR_SHIFT)

/* A response fits wherever a request does. */
_Static_assert(sizeof(struct blkif_request) >= sizeof(struct blkif_response), "slots are as large as requests");

static bool has_pieces(const struct block_request *r)
{
	return r->op == BLOCK_READ || r->op == BLOCK_WRITE;
}

static u32 piece_count(const struct block_request *r)
{
	return has_pieces(r) ? r->nr_pieces : 1;
}

static bool piece_done(const struct blk_track *t, u32 i)
{
	return t->done[i / 64] >> i % 64 & 1;
}

/* --- slots ------------------------------------------------------------------------------------------- */

static struct blk_slot *slot_get(struct blk_ring *q)
{
	struct blk_slot *s = &q->slots[q->first_free];

	q->first_free = s->next_free;
	s->generation++;
	s->segs = s->table = NULL;
	s->nr = 0;
	return s;
}

static void slot_put(struct blk_ring *q, struct blk_slot *s)
{
	s->t = NULL;
	s->next_free = q->first_free;
	q->first_free = s - q->slots;
}

static u64 slot_id(const struct blk_ring *q, const struct blk_slot *s)
{
	return (u64)s->generation << 32 | (u64)(s - q->slots);
}

static bool take_back_list(struct blkfront *b, struct blk_track *t, struct blk_seg *s)
{
	bool all = true;

	for (struct blk_seg *next; s; s = next) {
		next = s->next;
		all &= seg_take_back(b, t, s);
	}
	return all;
}

/* The part is with the backend no more; false: its memory still is. */
static bool slot_end(struct blk_ring *q, struct blk_slot *s)
{
	struct blkfront *b = q->b;
	bool all = take_back_list(b, s->t, s->segs);

	if (s->table)
		all &= seg_take_back(b, s->t, s->table);
	s->t->unanswered--;
	b->unanswered--;
	slot_put(q, s);
	return all;
}

/* --- the life of a request ----------------------------------------------------------------------------- */

static struct blk_track *track_get(struct blkfront *b, struct block_request *r)
{
	struct blk_track *t = b->free_tracks;

	if (t)
		b->free_tracks = (struct blk_track *)t->r;
	else
		t = kmalloc(sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct blk_track){ .r = r, .sector = r->sector };
	list_init(&t->node);
	r->device_data = t;
	return t;
}

static void track_put(struct blkfront *b, struct blk_track *t)
{
	t->r = (struct block_request *)b->free_tracks;
	b->free_tracks = t;
}

/* The request, in whichever list it is, ends with err; later if memory of its is still the backend's. */
void blk_finish(struct blkfront *b, struct blk_track *t, int err)
{
	struct block_request *r = t->r;

	list_remove(&r->node);
	list_remove(&t->node);
	t->err = err;
	if (t->held && !track_let_go(b, t)) {
		list_insert_before(&b->stuck, &t->node);
		blk_retry_later();
		return;
	}
	track_put(b, t);
	r->done(r, err);
}

void blk_end_all(struct blkfront *b, int err)
{
	struct list *const lists[] = { &b->started, &b->waiting };

	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++) {
		while (!list_empty(lists[i])) {
			struct block_request *r = list_entry(lists[i]->next, struct block_request, node);

			if (r->device_data) {
				blk_finish(b, r->device_data, err);
				continue;
			}
			list_remove(&r->node);
			r->done(r, err);
		}
	}
}

static void rewind_one(struct blkfront *b, struct blk_track *t)
{
	if (t->err) {
		blk_finish(b, t, t->err);
		return;
	}
	t->next = 0;
	t->sector = t->r->sector;
	b->nr_replayed++;
}

void blk_rewind(struct blkfront *b)
{
	while (!list_empty(&b->started)) {
		struct list *last = b->started.prev;

		list_remove(last);
		list_insert_before(b->waiting.next, last);
	}
	for (struct list *node = b->waiting.next, *next; node != &b->waiting; node = next) {
		struct block_request *r = list_entry(node, struct block_request, node);

		next = node->next;
		if (r->device_data)
			rewind_one(b, r->device_data);
	}
}

/* --- putting ----------------------------------------------------------------------------------------- */

/* Pieces that are done already are passed over. */
static void skip_done(struct blk_track *t)
{
	while (t->next < piece_count(t->r) && piece_done(t, t->next)) {
		if (has_pieces(t->r))
			t->sector += SEG_SECTORS(&t->r->pieces[t->next]);
		t->next++;
	}
}

/* As many of the next pieces as one part can have, or as there is memory and grants for; how many. */
static u32 lend_pieces(struct blkfront *b, struct blk_track *t, struct blk_slot *s)
{
	struct blk_seg **tail = &s->segs;
	u32 limit = MIN(s->table ? b->max_segs : BLKIF_MAX_SEGMENTS_PER_REQUEST, t->r->nr_pieces - t->next);

	while (s->nr < limit && !piece_done(t, t->next + s->nr)) {
		struct blk_seg *seg = seg_lend(b, &t->r->pieces[t->next + s->nr], t->r->op == BLOCK_WRITE);

		if (!seg)
			break;
		*tail = seg;
		seg->next = NULL;
		tail = &seg->next;
		s->nr++;
	}
	return s->nr;
}

static struct blkif_request_segment segment(const struct block_piece *p, const struct blk_seg *s)
{
	u32 first = p->offset >> SECTOR_SHIFT;

	return (struct blkif_request_segment){ .gref = s->ref, .first_sect = first, .last_sect = first + SEG_SECTORS(p) - 1 };
}

static void put_direct(struct blk_ring *q, struct blk_track *t, struct blk_slot *s)
{
	struct blkif_request req = { .operation = s->op, .nr_segments = s->nr, .handle = q->b->handle, .id = slot_id(q, s),
				     .sector_number = t->sector };
	struct blk_seg *seg = s->segs;

	for (u32 i = 0; i < s->nr; i++, seg = seg->next)
		req.seg[i] = segment(&t->r->pieces[s->first + i], seg);
	ring_put_request(&q->ring, &req, sizeof(req));
}

static void put_indirect(struct blk_ring *q, struct blk_track *t, struct blk_slot *s)
{
	struct blkif_request_indirect req = { .operation = BLKIF_OP_INDIRECT, .indirect_op = s->op, .nr_segments = s->nr,
					      .id = slot_id(q, s), .sector_number = t->sector, .handle = q->b->handle,
					      .indirect_grefs = { s->table->ref } };
	struct blkif_request_segment *table = s->table->page;
	struct blk_seg *seg = s->segs;

	for (u32 i = 0; i < s->nr; i++, seg = seg->next)
		table[i] = segment(&t->r->pieces[s->first + i], seg);
	ring_put_request(&q->ring, &req, sizeof(req));
}

static void put_discard(struct blk_ring *q, struct blk_track *t, struct blk_slot *s)
{
	struct blkif_request_discard req = { .operation = BLKIF_OP_DISCARD, .handle = q->b->handle, .id = slot_id(q, s),
					     .sector_number = t->r->sector, .nr_sectors = t->r->sectors };

	ring_put_request(&q->ring, &req, sizeof(req));
}

static u8 operation(const struct blkfront *b, const struct block_request *r)
{
	switch (r->op) {
	case BLOCK_READ:
		return BLKIF_OP_READ;
	case BLOCK_WRITE:
		return BLKIF_OP_WRITE;
	case BLOCK_DISCARD:
		return BLKIF_OP_DISCARD;
	default:
		return b->flush_op ? BLKIF_OP_FLUSH_DISKCACHE : BLKIF_OP_WRITE_BARRIER;
	}
}

/* The slot's segments are back as if it had never been. */
static void unput(struct blk_ring *q, struct blk_track *t, struct blk_slot *s)
{
	take_back_list(q->b, t, s->segs);
	slot_put(q, s);
}

/* One page of segments is enough for all pieces that a request has. Without one it is 11 pieces at a time. */
_Static_assert(BLK_MAX_PIECES <= BLKIF_SEGMENTS_PER_PAGE, "one table");

static bool put_data(struct blk_ring *q, struct blk_track *t, struct blk_slot *s)
{
	if (MIN(q->b->max_segs, t->r->nr_pieces - t->next) > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		s->table = seg_table(q->b);
	lend_pieces(q->b, t, s);
	if (s->nr > BLKIF_MAX_SEGMENTS_PER_REQUEST) {
		put_indirect(q, t, s);
		return true;
	}
	if (s->table)
		seg_take_back(q->b, t, s->table);
	s->table = NULL;
	if (s->nr)
		put_direct(q, t, s);
	return s->nr;
}

static bool put_slot(struct blk_ring *q, struct blk_track *t, struct blk_slot *s)
{
	if (has_pieces(t->r))
		return put_data(q, t, s);
	s->nr = 1;
	if (t->r->op == BLOCK_DISCARD)
		put_discard(q, t, s);
	else {
		s->nr = 0;
		put_direct(q, t, s);
		s->nr = 1;
	}
	return true;
}

/* The next part of the request into the ring; false: not by now. */
static bool put_part(struct blk_ring *q, struct blk_track *t)
{
	struct blk_slot *s = slot_get(q);

	s->first = t->next;
	s->op = operation(q->b, t->r);
	if (!put_slot(q, t, s)) {
		unput(q, t, s);
		return false;
	}
	s->t = t;
	t->unanswered++;
	q->b->unanswered++;
	q->b->nr_parts++;
	for (u32 i = 0; i < s->nr && has_pieces(t->r); i++)
		t->sector += SEG_SECTORS(&t->r->pieces[s->first + i]);
	t->next += s->nr;
	return true;
}

static struct blk_ring *ring_with_room(struct blkfront *b)
{
	for (u32 i = 0; i < b->nr_rings; i++) {
		struct blk_ring *q = &b->rings[b->next_ring++ % b->nr_rings];

		if (ring_front_room(&q->ring))
			return q;
	}
	return NULL;
}

/* What this backend, perhaps another than the one before, cannot do: 1, or how it ends at once. */
static int possible(const struct blkfront *b, const struct block_request *r)
{
	if (r->op == BLOCK_FLUSH && !b->flush_op && !b->barrier_op)
		return 0;	/* it holds nothing back */
	if (r->op == BLOCK_DISCARD && !b->discard_op)
		return -EOPNOTSUPP;
	return 1;
}

/* All parts of a request. False: there is more to put, later. */
static bool put_request(struct blkfront *b, struct blk_track *t)
{
	int verdict = possible(b, t->r);

	if (t->r->op == BLOCK_FLUSH && b->unanswered)
		return false;
	if (verdict <= 0) {
		blk_finish(b, t, verdict);
		return true;
	}
	for (skip_done(t); t->next < piece_count(t->r); skip_done(t)) {
		struct blk_ring *q = ring_with_room(b);

		if (!q || !put_part(q, t))
			return false;
	}
	list_remove(&t->r->node);
	list_insert_before(&b->started, &t->r->node);
	return true;
}

void blk_pump(struct blkfront *b)
{
	while (b->connected && !b->broken && !list_empty(&b->waiting)) {
		struct block_request *r = list_entry(b->waiting.next, struct block_request, node);
		struct blk_track *t = r->device_data ? r->device_data : track_get(b, r);

		if (t && put_request(b, t))
			continue;
		if (b->unanswered)
			return;		/* an answer brings us back */
		if (!t) {
			list_remove(&r->node);
			r->done(r, -ENOMEM);
			continue;
		}
		blk_finish(b, t, -ENOMEM);
	}
}

void blk_push(struct blkfront *b)
{
	for (u32 i = 0; i < b->nr_rings; i++) {
		struct blk_ring *q = &b->rings[i];

		if (ring_push_requests(&q->ring)) {
			b->nr_notifications++;
			evtchn_send(q->port);
		}
	}
}

/* --- answers ----------------------------------------------------------------------------------------- */

static const char *judge(const struct blk_ring *q, const struct blkif_response *rsp)
{
	const struct blk_slot *s = &q->slots[(u32)rsp->id % q->ring.entries];

	if (!s->t || rsp->id != slot_id(q, s))
		return "an answer to no request";
	if (rsp->operation != s->op && !(rsp->operation == BLKIF_OP_INDIRECT && s->nr > BLKIF_MAX_SEGMENTS_PER_REQUEST))
		return "an answer to another operation";
	if (rsp->status > BLKIF_RSP_OKAY || rsp->status < BLKIF_RSP_EOPNOTSUPP)
		return "a status that does not exist";
	return NULL;
}

static void copy_read(const struct blk_track *t, const struct blk_slot *s)
{
	const struct blk_seg *seg = s->segs;

	for (u32 i = s->first; seg; i++, seg = seg->next) {
		const struct block_piece *p = &t->r->pieces[i];

		if (!seg->lent)
			memcpy((char *)p->page + p->offset, (char *)seg->page + p->offset, p->length);
	}
}

static void mark_done(struct blk_track *t, const struct blk_slot *s)
{
	for (u32 i = s->first; i < s->first + s->nr; i++)
		t->done[i / 64] |= 1ul << i % 64;
}

/* The backend has offered what it then refuses: not asked again. A flush that cannot be is of a device that keeps nothing back. */
static int unsupported(struct blkfront *b, const struct blk_slot *s)
{
	switch (s->op) {
	case BLKIF_OP_FLUSH_DISKCACHE:
		b->flush_op = false;
		break;
	case BLKIF_OP_WRITE_BARRIER:
		b->barrier_op = false;
		break;
	case BLKIF_OP_DISCARD:
		b->discard_op = b->dev.can_discard = false;
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
	b->dev.can_flush = b->flush_op || b->barrier_op;
	return -EOPNOTSUPP;
}

static int result(struct blkfront *b, const struct blk_slot *s, int status)
{
	return status == BLKIF_RSP_OKAY ? 0 : status == BLKIF_RSP_EOPNOTSUPP ? unsupported(b, s) : -EIO;
}

static bool answered(struct blk_ring *q, struct blk_slot *s, int status)
{
	struct blk_track *t = s->t;
	int err = result(q->b, s, status);
	bool let_go;

	if (err) {
		t->err = t->err ? t->err : err;
	} else {
		if (s->op == BLKIF_OP_READ)
			copy_read(t, s);
		mark_done(t, s);
	}
	let_go = slot_end(q, s);
	if (!t->unanswered && (t->err || t->next == piece_count(t->r)))
		blk_finish(q->b, t, t->err);
	return let_go;
}

static bool take_answers(struct blk_ring *q)
{
	struct blkif_response rsp;
	int got;

	while ((got = ring_get_response(&q->ring, &rsp, sizeof(rsp))) > 0) {
		const char *wrong = judge(q, &rsp);

		if (!wrong && !answered(q, &q->slots[(u32)rsp.id], rsp.status))
			wrong = "memory kept after its request was answered";
		if (wrong) {
			blk_broken(q->b, wrong);
			return false;
		}
	}
	if (got < 0)
		blk_broken(q->b, "an impossible index");
	return !got;
}

/* How many answers are worth an event: a quarter of those that are to come, so that a deep queue is woken seldom. */
static u32 answers_wanted(const struct blk_ring *q)
{
	return MAX((q->ring.req_published - q->ring.rsp_cons) / 4, 1u);
}

static void hear_again(void *arg)
{
	struct blk_ring *q = arg;

	evtchn_unmask(q->port);
}

/* A backend that sends events for nothing is heard a thousand times a second, until it has an answer. */
static void hold_off(struct blk_ring *q)
{
	if (q->spurious++ < SPURIOUS_MAX)
		return;
	q->b->nr_held_off++;
	evtchn_mask(q->port);
	timer_add(&q->deaf, now() + HOLD_OFF);
}

static void event(void *arg)
{
	struct blk_ring *q = arg;
	struct blkfront *b = q->b;

	b->nr_events++;
	if (!b->connected || b->broken || !ring_responses(&q->ring)) {
		hold_off(q);
		return;
	}
	q->spurious = 0;
	do {
		if (!take_answers(q))
			return;
	} while (ring_await_responses(&q->ring, answers_wanted(q)));
	blk_pump(b);
	blk_push(b);
}

/* --- rings ------------------------------------------------------------------------------------------- */

static int make_slots(struct blk_ring *q)
{
	q->slots = kmalloc(q->ring.entries * sizeof(*q->slots));
	if (!q->slots)
		return -ENOMEM;
	for (u32 i = 0; i < q->ring.entries; i++)
		q->slots[i].next_free = i + 1;
	q->first_free = 0;
	return 0;
}

int ring_open(struct blkfront *b, struct blk_ring *q)
{
	int err;

	*q = (struct blk_ring){ .b = b, .deaf = { .fn = hear_again, .arg = q } };
	q->pages = front_ring_create(b->f, b->ring_order, q->refs);
	if (!q->pages)
		return -ENOMEM;
	ring_front_init(&q->ring, q->pages, PAGE_SIZE << b->ring_order, sizeof(struct blkif_request));
	err = make_slots(q);
	if (!err) {
		q->port = evtchn_alloc_unbound(b->domid, event, q);
		err = MIN(q->port, 0);
	}
	if (err) {
		kfree(q->slots);
		front_ring_destroy(q->pages, b->ring_order, q->refs);
	}
	return err;
}

void ring_abandon(struct blk_ring *q)
{
	for (u32 i = 0; i < q->ring.entries; i++) {
		if (q->slots[i].t)
			slot_end(q, &q->slots[i]);
	}
}

void ring_close(struct blk_ring *q)
{
	timer_cancel(&q->deaf);
	evtchn_close(q->port);
	ring_abandon(q);
	kfree(q->slots);
	front_ring_destroy(q->pages, q->b->ring_order, q->refs);
}

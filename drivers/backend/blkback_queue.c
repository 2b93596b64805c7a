/* SPDX-License-Identifier: MIT */
/*
 * Requests from their rings to the disk, responses back. Each device has one thread, which alone touches its queues and slots;
 * interrupt handlers only put slots into `finished` and wake it. It works in rounds: take what the limits allow, submit it, start the
 * disk once, put the responses of all that has finished, notify once. A RAM disk finishes within
 * block_kick(), so a request costs one wake-up; one that the hardware works on costs two.
 *
 *	       take              start              done               answer
 *	ring -------> [held] ----------> the disk -------> finished -------> ring, slot to `unused`
 *	                ^  to be alone                        |
 *	                                   ^------------------'  a step is left (flush, data, flush)
 *
 * Invariant: in_flight counts the slots between take and answer, so each request that was taken gets exactly one response,
 * and the rings may be unmapped when it is 0.
 *
 * Fair shares. The disk's threads take turns (the scheduler is round robin), and a turn ends after TURN bytes: that is the share
 * of each in a disk that finishes at once. For one that works on its own, see blkback_share.c. Rates come on top of that.
 */
#include <abi/errno.h>
#include <abi/xen.h>

#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "blkback.h"

#define TURN (256 * 1024u)
#define REQUEST_COST 4096u		/* bytes of a turn that a request takes at least */
#define WINDOW (8 * 1024 * 1024ul)
#define FLOOD 64u			/* events without a request, after which a port is deaf */
#define DEAF_NS (2 * NSEC_PER_MSEC)	/* for so long */

/* Interrupts are disabled. */
static void wake(struct vbd *v)
{
	if (!list_empty(&v->wake.waiters))
		wake_up(&v->wake);
}

void blkback_poke(struct vbd *v)
{
	v->poked = true;
	wake(v);
}

static void timer_over(void *arg)
{
	blkback_poke(arg);
}

/* --- slots --- */

static struct blkback_slot *new_slot(struct vbd *v)
{
	struct blkback_slot *s = v->nr_slots < BLKBACK_SLOTS ? kmalloc(sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->vbd = v;
	v->nr_slots++;
	list_insert_before(&v->unused, &s->block.node);
	return s;
}

/* Stays in `unused` until something has been taken for it. The last one used is the first again: its memory is in the cache. */
static struct blkback_slot *find_slot(struct vbd *v)
{
	return list_empty(&v->unused) ? new_slot(v) : list_entry(v->unused.next, struct blkback_slot, block.node);
}

static void free_slots(struct vbd *v)
{
	while (!list_empty(&v->unused)) {
		struct blkback_slot *s = list_entry(v->unused.next, struct blkback_slot, block.node);

		list_remove(&s->block.node);
		kfree(s);
	}
	v->nr_slots = 0;
}

static u64 bytes_of(const struct blkback_slot *s)
{
	return s->job.op == BLOCK_DISCARD ? 0 : s->job.sectors * BLKIF_SECTOR_SIZE;
}

static void count_in(struct vbd *v, const struct blkback_slot *s)
{
	v->in_flight++;
	v->bytes_in_flight += bytes_of(s);
}

static void count_out(struct vbd *v, const struct blkback_slot *s)
{
	v->in_flight--;
	v->bytes_in_flight -= bytes_of(s);
}

/* --- responses --- */

static void respond(struct vbd *v, struct blkback_queue *q, const struct blkback_job *job, int status)
{
	union {
		struct blkif_response r;
		u64 words[2];
	} answer = { .words = { 0 } };		/* the padding is the frontend's to read, too */

	answer.r.id = job->id;
	answer.r.operation = job->operation;
	answer.r.status = status;
	if (status != BLKIF_RSP_OKAY)
		v->counts.errors++;
	ring_put_response(&q->ring, &answer, sizeof(answer));
}

static void push(struct vbd *v)
{
	for (u32 i = 0; i < v->nr_queues; i++) {
		struct blkback_queue *q = &v->queues[i];

		if (!ring_push_responses(&q->ring))
			continue;
		evtchn_send(q->port);
		v->counts.notifications++;
	}
}

static int status_of(int err)
{
	if (err == -EOPNOTSUPP)
		return BLKIF_RSP_EOPNOTSUPP;
	return err ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
}

/* --- to the disk --- */

/* By the disk, in any context: the same thread, an interrupt handler. */
static void block_done(struct block_request *r, int err)
{
	struct blkback_slot *s = CONTAINER_OF(r, struct blkback_slot, block);
	struct vbd *v = s->vbd;
	bool irq = irq_save();

	s->err = err;
	if (s->started && v->shares)
		share_done(v, s->started);
	list_insert_before(&v->finished, &r->node);
	wake(v);
	irq_restore(irq);
}

/* The next of its steps; it has one. */
static void submit_step(struct blkback_slot *s)
{
	struct blkback_job *job = &s->job;
	u8 step = job->steps & -job->steps;
	struct block_request *r = &s->block;

	job->steps &= ~step;
	r->op = step == STEP_TRANSFER ? job->op : BLOCK_FLUSH;
	r->sector = step == STEP_TRANSFER ? job->sector : 0;
	r->sectors = step == STEP_TRANSFER ? job->sectors : 0;
	r->nr_pieces = step == STEP_TRANSFER ? job->nr_segments : 0;
	r->pieces = s->pieces;
	r->done = block_done;
	r->owner = s->vbd;
	s->started = s->vbd->shares && step == STEP_TRANSFER ? now() : 0;
	s->vbd->counts.requests[r->op]++;
	block_submit(s->vbd->disk, r);
}

/* The segments of an indirect request: its page may change under us, so we copy, and all checks are on the copy. */
static int copy_segments(struct vbd *v, const struct blkback_job *job)
{
	struct gnttab_copy op = {
		.source = { .u.ref = job->indirect_ref, .domid = v->rules.domid },
		.dest = { .u.gmfn = pfn_to_mfn(virt_to_pfn(v->scratch)), .domid = DOMID_SELF },
		.len = job->nr_segments * sizeof(struct blkif_request_segment), .flags = GNTCOPY_source_gref,
	};

	return gnttab_copy(&op, 1) ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
}

/* Our copy of a request, into a slot; else the status of its answer. */
static int prepare(struct vbd *v, const union blkback_ring_request *q, struct blkback_slot *s)
{
	const struct blkif_request_segment *segments = q->rw.seg;
	int status = blkback_check(q, &v->rules, &s->job);

	if (!status && s->job.indirect) {
		segments = v->scratch;
		status = copy_segments(v, &s->job);
	}
	if (!status && s->job.nr_segments)
		status = blkback_pieces(segments, &v->rules, &s->job, s->pieces);
	return status;
}

static void begin(struct vbd *v, struct blkback_slot *s)
{
	count_in(v, s);
	rate_take(&v->requests, 1);
	rate_take(&v->bytes, bytes_of(s));
	if (s->job.alone) {
		v->alone = true;
		v->held = s;
	} else {
		submit_step(s);
	}
}

/* --- taking --- */

static bool may_take(struct vbd *v)
{
	return !v->stopping && !v->broken && !v->alone && v->bytes_in_flight < WINDOW && find_slot(v) && (!v->shares || share_ask(v));
}

/* A line for a person, and the end of this attachment; nobody else is hurt. */
static void ring_broken(struct vbd *v)
{
	v->broken = true;
	back_error(v->back, -EIO, "the frontend's ring has impossible indices");
	backend_close(v->back, 0);
}

/* One request of the queue. False: there is none. *bytes grows by what it costs. */
static bool take(struct vbd *v, struct blkback_queue *q, u64 *bytes)
{
	union blkback_ring_request request;
	struct blkback_slot *s = find_slot(v);
	int n = ring_get_request(&q->ring, &request, sizeof(request)), status;
	u64 cost;

	if (n < 0)
		ring_broken(v);
	if (n <= 0)
		return false;
	q->events = 0;
	s->queue = q;
	status = prepare(v, &request, s);
	cost = status ? REQUEST_COST : MAX(bytes_of(s), REQUEST_COST);
	*bytes += cost;
	if (status) {
		respond(v, q, &s->job, status);
		return true;
	}
	if (v->shares)
		share_take(v, cost);
	list_remove(&s->block.node);
	begin(v, s);
	return true;
}

/* When they say no, the timer wakes us. */
static bool ask_rates(struct vbd *v)
{
	u64 t, wait;

	t = now();
	wait = MAX(rate_wait(&v->requests, t), rate_wait(&v->bytes, t));
	if (!wait)
		return true;
	v->counts.waits++;
	timer_add(&v->timer, t + wait);
	return false;
}

static bool rates_allow(struct vbd *v)
{
	return !(v->requests.per_second | v->bytes.per_second) || ask_rates(v);
}

/* All queues, beginning with another one each time. False: there was nothing to take, or nothing may be. */
static bool take_turn(struct vbd *v)
{
	bool any = false;
	u64 bytes = 0;

	for (u32 i = 0; i < v->nr_queues; i++) {
		struct blkback_queue *q = &v->queues[(v->first_queue + i) % v->nr_queues];

		while (bytes < TURN && ring_requests(&q->ring) && may_take(v) && rates_allow(v) && take(v, q, &bytes))
			any = true;
	}
	if (!any)
		return false;
	v->first_queue = (v->first_queue + 1) % v->nr_queues;
	if (bytes >= TURN)
		v->counts.turns++;
	return true;
}

/* --- what the disk is done with --- */

/* NULL: none. What comes after we have looked is seen before the thread sleeps. */
static struct blkback_slot *take_finished(struct vbd *v)
{
	struct blkback_slot *s;
	bool irq;

	if (list_empty(&v->finished))
		return NULL;
	irq = irq_save();
	s = list_entry(v->finished.next, struct blkback_slot, block.node);
	list_remove(&s->block.node);
	irq_restore(irq);
	return s;
}

/* One line for each connection: a disk that fails does so again and again, and `errors` counts. */
static void tell_failure(struct vbd *v, int err)
{
	if (v->told_failure || err != -EIO)
		return;
	v->told_failure = true;
	back_error(v->back, err, "the disk failed a request of the guest");
}

static void complete(struct vbd *v, struct blkback_slot *s)
{
	tell_failure(v, s->err);
	respond(v, s->queue, &s->job, status_of(s->err));
	if (!s->err && (s->job.op == BLOCK_READ || s->job.op == BLOCK_WRITE))
		v->counts.sectors[s->job.op] += s->job.sectors;
	if (s->job.alone)
		v->alone = false;
	count_out(v, s);
	list_insert_before(v->unused.next, &s->block.node);
}

/* True: something was finished, and perhaps something was submitted. */
static bool finish(struct vbd *v, bool *submitted)
{
	struct blkback_slot *s;
	bool any = false;

	while ((s = take_finished(v))) {
		any = true;
		if (s->err || !s->job.steps) {
			complete(v, s);
		} else {
			submit_step(s);
			*submitted = true;
		}
	}
	if (v->held && v->in_flight == 1) {
		s = v->held;
		v->held = NULL;
		submit_step(s);
		*submitted = true;
	}
	return any || *submitted;
}

/* --- the thread --- */

bool blkback_round(struct vbd *v)
{
	bool submitted, busy;

	v->poked = v->waiting = false;
	submitted = busy = take_turn(v);
	if (submitted)
		block_kick(v->disk);
	submitted = false;
	busy |= finish(v, &submitted);
	if (submitted)
		block_kick(v->disk);
	push(v);
	if (v->shares)
		share_pass(v);
	v->counts.rounds++;
	return busy;
}

/* Whoever floods us gets through FLOOD times in DEAF_NS, and a request in the ring meanwhile waits for no longer than that. */
void blkback_event(void *queue)
{
	struct blkback_queue *q = queue;
	struct vbd *v = q->vbd;

	if (++q->events == FLOOD) {
		evtchn_mask(q->port);
		v->counts.floods++;
		timer_add(&v->deaf, now() + DEAF_NS);
	}
	blkback_poke(v);
}

static void hear(void *arg)
{
	struct vbd *v = arg;

	for (u32 i = 0; i < v->nr_queues; i++) {
		if (v->queues[i].events < FLOOD)
			continue;
		v->queues[i].events = 0;
		evtchn_unmask(v->queues[i].port);
	}
}

/* True: there are requests after all. While nothing may be taken nobody has to tell us of any. */
static bool await(struct vbd *v)
{
	bool there = false;

	if (v->broken || v->stopping)
		return false;
	for (u32 i = 0; i < v->nr_queues; i++)
		there |= ring_await_requests(&v->queues[i].ring, 1);
	return there && may_take(v) && rates_allow(v);
}

static void sleep_until_poked(struct vbd *v)
{
	bool irq = irq_save();

	/* Told to stop just before the round took back the poke that came with it: then there is nobody to wake us. */
	if (!v->poked && list_empty(&v->finished) && (!v->stopping || v->in_flight))
		wait_on(&v->wake);
	irq_restore(irq);
}

/* After a round it asks to hear of more, and if there is more already, a round costs less than an event. */
static void blkback_thread(void *arg)
{
	struct vbd *v = arg;

	while (!v->stopping || v->in_flight) {
		u64 turns = v->counts.turns;

		blkback_round(v);
		if (v->counts.turns != turns)
			thread_yield();
		else if (!await(v))
			sleep_until_poked(v);
	}
}

/* Frees what blkback_start() has made, of which some may be missing. */
static void undo_start(struct vbd *v)
{
	share_leave(v);
	free_slots(v);
	if (v->scratch)
		page_free(virt_to_pfn(v->scratch));
	v->scratch = NULL;
	v->thread = NULL;
}

void blkback_prepare(struct vbd *v)
{
	list_init(&v->unused);
	list_init(&v->finished);
	list_init(&v->wake.waiters);
	v->timer = (struct timer){ .fn = timer_over, .arg = v };
	v->deaf = (struct timer){ .fn = hear, .arg = v };
}

/* With its first slot: whoever has nothing in flight can always take something. */
int blkback_start(struct vbd *v)
{
	u64 pfn = page_alloc();

	v->scratch = pfn == NO_PAGE ? NULL : pfn_to_virt(pfn);
	v->stopping = v->broken = v->alone = v->told_failure = false;
	if (v->scratch && new_slot(v) && !share_join(v))
		v->thread = thread_create("blkback", blkback_thread, v);
	if (v->thread)
		return 0;
	undo_start(v);
	return -ENOMEM;
}

void blkback_stop(struct vbd *v)
{
	bool irq;

	if (!v->thread)
		return;
	irq = irq_save();
	v->stopping = true;
	blkback_poke(v);
	irq_restore(irq);
	thread_join(v->thread);
	timer_cancel(&v->timer);
	timer_cancel(&v->deaf);
	undo_start(v);
}

/* SPDX-License-Identifier: MIT */
/*
 * The FIFO ABI of event channels: a 32-bit word per port in pages of the guest's, and for each vCPU 16 queues
 * of pending events, one a priority, linked through the words.
 *
 *     control block:  ready | head[16]          words:  PENDING MASKED LINKED BUSY  LINK
 *                             head[p] -> word -> word -> ... -> word at tail[p] (private), LINK 0
 *
 * The guest takes events at the head while the hypervisor appends at the tail. Both change a word by compare-and-swap; a
 * word is in a queue while its LINKED bit is set, which the hypervisor sets and the guest clears. All of it is memory that the guest may
 * scribble on: a wrong link loses the guest its own events and nothing else, and every loop here is bounded.
 *
 * fifo_lock guards `tail`, the changes of d->fifo, and while that is there an open port's bit-fields of struct
 * evtchn. Pages that hold words and control blocks keep a writable type reference as long as the FIFO ABI is in force.
 */
#include <abi/event_channel.h>
#include <evtchn.h>
#include <frames.h>
#include <string.h>

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(u32))
#define MAX_WORD_PAGES (EVTCHN_MAX_PORTS / WORDS_PER_PAGE)
#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define BUSY (1u << EVTCHN_FIFO_BUSY)
#define LINK EVTCHN_FIFO_LINK_MASK

struct fifo {
	u32 *words[MAX_WORD_PAGES];	/* those present come first */
	u32 word_pages;
	struct evtchn_fifo_control_block *control[MAX_VCPUS];	/* NULL: the vCPU gets no events yet */
	u32 tail[MAX_VCPUS][EVTCHN_FIFO_MAX_QUEUES];	/* port; 0: the queue is empty */
};
BUILD_ASSERT(sizeof(struct fifo) <= PAGE_SIZE);

static u32 *word_of(const struct fifo *f, u32 port)
{
	return port / WORDS_PER_PAGE < f->word_pages ? &f->words[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE] : NULL;
}

/* --- queues --------------------------------------------------------------------------------------------- */

#define PATIENCE 4

/*
 * Appends `port` after the tail's word. False: the guest has taken that word out, so the queue is empty. BUSY asks a guest that
 * keeps changing the word to wait; one that does not is not waited for.
 */
static bool append(u32 *tail, u32 port)
{
	u32 old = READ_ONCE(*tail);

	for (int tries = 0; tries < 3 * PATIENCE; tries++) {
		if (!(old & LINKED))
			return false;
		if (tries == PATIENCE)
			old = __atomic_or_fetch(tail, BUSY, __ATOMIC_SEQ_CST);
		if (__atomic_compare_exchange_n(tail, &old, (old & ~(BUSY | LINK)) | port, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	}
	__atomic_and_fetch(tail, ~BUSY, __ATOMIC_SEQ_CST);
	return false;
}

/* Under fifo_lock; the word is not LINKED. Returns whether the vCPU has to be told. */
static bool enqueue(struct fifo *f, u32 port, u32 *word, struct evtchn *e)
{
	struct evtchn_fifo_control_block *control = f->control[e->vcpu];
	u32 *tail = &f->tail[e->vcpu][e->priority], *last, *old_tail = &f->tail[e->queue_vcpu][e->queue];

	/* It was the tail of another queue, which the guest has emptied: that queue must not grow from here. */
	if (*old_tail == port)
		*old_tail = 0;
	e->queue_vcpu = e->vcpu;
	e->queue = e->priority;
	__atomic_and_fetch(word, ~LINK, __ATOMIC_SEQ_CST);
	last = *tail ? word_of(f, *tail) : NULL;
	if (!last || !append(last, port)) {
		WRITE_ONCE(control->head[e->priority], port);
		*tail = port;
		return !(__atomic_fetch_or(&control->ready, 1u << e->priority, __ATOMIC_SEQ_CST) & 1u << e->priority);
	}
	*tail = port;
	return false;
}

/* Under fifo_lock. A port that has no word yet, or whose vCPU has no queues, is raised when it gets them. */
static bool raise_locked(struct fifo *f, u32 port, struct evtchn *e)
{
	u32 *word = word_of(f, port);
	u32 was;

	if (!word || !f->control[e->vcpu]) {
		e->deferred = 1;
		return false;
	}
	was = __atomic_fetch_or(word, PENDING, __ATOMIC_SEQ_CST);
	if (was & (MASKED | LINKED) || __atomic_fetch_or(word, LINKED, __ATOMIC_SEQ_CST) & LINKED)
		return false;
	return enqueue(f, port, word, e);
}

bool fifo_raise(struct domain *d, u32 port, struct evtchn *e)
{
	struct evtchn_table *t = d->evtchn;
	struct fifo *f;
	bool tell = false;

	spin_lock(&t->fifo_lock);
	f = d->fifo;
	if (f)
		tell = raise_locked(f, port, e);
	spin_unlock(&t->fifo_lock);
	if (tell)
		evtchn_mark_pending(d->vcpu[e->vcpu]);
	return f;
}

/* Under the table's lock: raises what waited for its word or its vCPU's queues, of the ports from `port` to `end`. */
static void raise_deferred(struct domain *d, u32 port, u32 end)
{
	struct evtchn_table *t = d->evtchn;

	for (end = min(end, t->ports); port < end; port++) {
		struct evtchn *e = evtchn_at(t, port);

		if (!e->deferred)
			continue;
		spin_lock(&t->fifo_lock);
		e->deferred = 0;
		spin_unlock(&t->fifo_lock);
		fifo_raise(d, port, e);
		wake_pollers(d, port);
	}
}

/* Of all ports, for the caller's own domain. What another vCPU changes meanwhile is none of it. */
static void raise_all_deferred(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;

	for (u32 port = 0; port < READ_ONCE(t->ports); port += EVTCHNS_PER_BUCKET) {
		spin_lock(&t->lock);
		if (d->fifo)
			raise_deferred(d, port, port + EVTCHNS_PER_BUCKET);
		spin_unlock(&t->lock);
		preempt_point();
	}
}

/* --- a port's bits ------------------------------------------------------------------------------------------ */

static u32 word_value(struct domain *d, u32 port)
{
	u32 *word = word_of(d->fifo, port);

	return word ? READ_ONCE(*word) : 0;
}

bool fifo_is_pending(struct domain *d, u32 port)
{
	return word_value(d, port) & PENDING;
}

bool fifo_is_linked(struct domain *d, u32 port)
{
	return word_value(d, port) & LINKED;
}

static u32 clear_bit(struct domain *d, u32 port, u32 bit)
{
	u32 *word = word_of(d->fifo, port);

	return word ? __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) : 0;
}

void fifo_clear_pending(struct domain *d, u32 port)
{
	clear_bit(d, port, PENDING);
}

bool fifo_unmask(struct domain *d, u32 port)
{
	return clear_bit(d, port, MASKED) & PENDING;
}

/* The queue that the port's next event goes to. */
void fifo_set_priority(struct domain *d, struct evtchn *e, u32 priority)
{
	spin_lock(&d->evtchn->fifo_lock);
	e->priority = priority;
	spin_unlock(&d->evtchn->fifo_lock);
}

/* --- setting up ------------------------------------------------------------------------------------------------ */

static void *map_page(struct domain *d, u64 gfn)
{
	return get_frame_type(gfn, d->id, FRAME_WRITABLE) ? NULL : mfn_to_virt(gfn);
}

static void unmap_page(const void *p)
{
	put_frame_type(virt_to_mfn(p));
}

/* What is pending in the two-level bitmap is taken out of it, and will be when its words are there. */
static void take_bitmap(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;

	for (u32 i = 0; i < EVTCHN_2L_NR_CHANNELS / 64; i++) {
		u64 pending = __atomic_exchange_n(&d->shared_info->evtchn_pending[i], 0, __ATOMIC_SEQ_CST);

		for (; pending; pending &= pending - 1) {
			struct evtchn *e = evtchn_lookup(t, i * 64 + __builtin_ctzll(pending));

			spin_lock(&t->fifo_lock);
			if (e)
				e->deferred = e->state != EVTCHNSTAT_closed;
			spin_unlock(&t->fifo_lock);
		}
	}
}

/* The domain enters the FIFO ABI, first for all who raise events (raise_2l()). */
static int enter(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;
	struct fifo *f = t->fifo_spare ? t->fifo_spare : alloc_page();

	if (!f)
		return -ENOMEM;
	t->fifo_spare = f;
	t->limit = t->most;
	spin_lock(&t->fifo_lock);
	d->fifo = f;
	spin_unlock(&t->fifo_lock);
	take_bitmap(d);
	return 0;
}

static int add_control(struct domain *d, struct vcpu *v, char *page, u32 offset)
{
	int error;

	if (d->fifo && d->fifo->control[v->id])
		return -EINVAL;
	error = d->fifo ? 0 : enter(d);
	if (!error)
		d->fifo->control[v->id] = (struct evtchn_fifo_control_block *)(page + offset);
	return error;
}

/* Gives v its queues. -EINVAL: it has them, the block leaves the page or is unaligned, or the frame cannot be written. -ENOMEM. */
int fifo_init_control(struct domain *d, struct vcpu *v, u64 gfn, u32 offset)
{
	char *page;
	int error;

	if (offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || offset % 8)
		return -EINVAL;
	page = map_page(d, gfn);
	if (!page)
		return -EINVAL;
	spin_lock(&d->evtchn->lock);
	error = add_control(d, v, page, offset);
	spin_unlock(&d->evtchn->lock);
	if (error)
		unmap_page(page);
	else
		raise_all_deferred(d);
	return error;
}

static int add_words(struct domain *d, u32 *page)
{
	struct fifo *f = d->fifo;
	u32 first;

	if (!f)
		return -EOPNOTSUPP;
	if (f->word_pages == MAX_WORD_PAGES)
		return -ENOSPC;
	first = f->word_pages * WORDS_PER_PAGE;
	f->words[f->word_pages] = page;
	WRITE_ONCE(f->word_pages, f->word_pages + 1);
	raise_deferred(d, first, first + WORDS_PER_PAGE);
	return 0;
}

/* Adds words for 1024 more ports. -EOPNOTSUPP: the two-level ABI. -EINVAL: the frame cannot be written. -ENOSPC: there is a word for every port. */
int fifo_expand_array(struct domain *d, u64 gfn)
{
	u32 *page = READ_ONCE(d->fifo) ? map_page(d, gfn) : NULL;
	int error;

	if (!page)
		return d->fifo ? -EINVAL : -EOPNOTSUPP;
	spin_lock(&d->evtchn->lock);
	error = add_words(d, page);
	spin_unlock(&d->evtchn->lock);
	if (error)
		unmap_page(page);
	return error;
}

void fifo_leave(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;
	struct fifo *f = d->fifo;

	spin_lock(&t->fifo_lock);
	d->fifo = NULL;
	spin_unlock(&t->fifo_lock);
	t->limit = min((u32)EVTCHN_2L_NR_CHANNELS, t->most);
	t->ports = t->ports < t->limit ? t->ports : t->limit;
	for (u32 i = 0; i < f->word_pages; i++)
		unmap_page(f->words[i]);
	for (int i = 0; i < MAX_VCPUS; i++)
		if (f->control[i])
			unmap_page((void *)((u64)f->control[i] & PAGE_MASK));
	memset(f, 0, sizeof(*f));
	/* A selector bit from before would keep the next event of its word from raising an upcall. */
	memset(d->shared_info->evtchn_pending, 0, sizeof(d->shared_info->evtchn_pending));
	for (int i = 0; i < d->vcpu_count; i++)
		if (d->vcpu[i])
			WRITE_ONCE(d->vcpu[i]->info->evtchn_pending_sel, 0);
}

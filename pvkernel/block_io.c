/* SPDX-License-Identifier: MIT */
/*
 * Block I/O that waits. A transfer is cut into requests of at most the device's pieces, a page each; all of a batch are under way at
 * once. Memory whose address is no multiple of a sector has pieces that would cross pages inside a sector: it goes through a
 * page of our own, a request at a time.
 */
#include <abi/errno.h>

#include "block.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "sched.h"

#define BATCH_PAGES 256u
#define FEW_PIECES 8u

/* Requests that somebody waits for. */
struct waiter {
	struct wait_queue queue;
	u32 left;
	int err;		/* the first */
};

static void request_done(struct block_request *r, int err)
{
	struct waiter *w = r->owner;
	bool irq = irq_save();

	if (err && !w->err)
		w->err = err;
	if (!--w->left)
		wake_up(&w->queue);
	irq_restore(irq);
}

/* The requests of one call, `left` of them, each submitted; nobody else knows the waiter. */
static int wait_for(struct block_device *d, struct waiter *w)
{
	bool irq;

	block_kick(d);
	irq = irq_save();
	while (w->left)
		wait_on(&w->queue);
	irq_restore(irq);
	return w->err;
}

/* As much of [buf, buf + bytes) as `max` pieces hold; the bytes. */
static u64 fill_pieces(struct block_piece *p, u32 max, u32 *count, u8 *buf, u64 bytes)
{
	u64 done = 0;

	for (*count = 0; done < bytes && *count < max; p++, ++*count) {
		u64 at = (u64)buf + done, offset = at & (PAGE_SIZE - 1);

		*p = (struct block_piece){ .page = (void *)(at - offset), .offset = offset,
					   .length = MIN(PAGE_SIZE - offset, bytes - done) };
		done += p->length;
	}
	return done;
}

static u64 align_down(const struct block_device *d, u64 bytes)
{
	return bytes - bytes % MAX(d->sector_size, SECTOR_SIZE);
}

/* One request for what fits; its bytes, 0 if the device's own sectors do not fit into so few pieces. */
static u64 submit_one(struct block_device *d, struct waiter *w, struct block_request *r, u64 sector, u8 *buf, u64 bytes)
{
	u32 max = d->max_pieces;
	u64 whole = align_down(d, fill_pieces(r->pieces, max, &r->nr_pieces, buf, bytes));

	if (!whole)
		return 0;
	fill_pieces(r->pieces, max, &r->nr_pieces, buf, whole);
	r->sector = sector;
	r->sectors = whole >> SECTOR_SHIFT;
	r->done = request_done;
	r->owner = w;
	w->left++;
	block_submit(d, r);
	return whole;
}

/* The pieces of a batch: on the stack when they are few. `left` starts at 1 so that nobody is woken before all are under way. */
struct batch {
	struct block_request *requests;
	struct block_piece *pieces;
};

static int run_batch(struct block_device *d, enum block_op op, u64 sector, u8 *buf, u64 bytes, struct batch *b)
{
	struct waiter w = { .queue = WAIT_QUEUE_INIT(w.queue), .left = 1 };
	struct block_request *r = b->requests;
	struct block_piece *p = b->pieces;

	for (u64 done = 0, some; done < bytes; done += some, p += r->nr_pieces, r++) {
		*r = (struct block_request){ .op = op, .pieces = p };
		some = submit_one(d, &w, r, sector + (done >> SECTOR_SHIFT), buf + done, bytes - done);
		if (!some) {
			w.err = -EINVAL;
			break;
		}
	}
	request_done(&(struct block_request){ .owner = &w }, 0);
	return wait_for(d, &w);
}

/* One request's worth at a time, through a page. */
static int io_bounced(struct block_device *d, enum block_op op, u64 sector, u8 *buf, u64 bytes)
{
	u8 *page = kmalloc(PAGE_SIZE);
	struct block_request r;
	struct block_piece piece;
	struct batch b = { &r, &piece };
	int err = page ? 0 : -ENOMEM;

	for (u64 done = 0, some; !err && done < bytes; done += some) {
		some = MIN(PAGE_SIZE, bytes - done);
		if (op == BLOCK_WRITE)
			memcpy(page, buf + done, some);
		err = run_batch(d, op, sector + (done >> SECTOR_SHIFT), page, some, &b);
		if (!err && op == BLOCK_READ)
			memcpy(buf + done, page, some);
	}
	kfree(page);
	return err;
}

static int io_few(struct block_device *d, enum block_op op, u64 sector, u8 *buf, u64 bytes)
{
	struct block_request r;
	struct block_piece pieces[FEW_PIECES];
	struct batch b = { &r, pieces };

	return run_batch(d, op, sector, buf, bytes, &b);
}

/* At most as many requests as pages: each has a page at least, whatever the device's limit is. */
static int io_many(struct block_device *d, enum block_op op, u64 sector, u8 *buf, u64 bytes)
{
	u64 pages = MIN(BATCH_PAGES, (bytes >> PAGE_SHIFT) + 2), most = align_down(d, (pages - 1) << PAGE_SHIFT);
	struct batch b = { kmalloc(pages * sizeof(*b.requests)), kmalloc(2 * pages * sizeof(*b.pieces)) };
	int err = b.requests && b.pieces ? 0 : -ENOMEM;

	for (u64 done = 0, some; !err && done < bytes; done += some) {
		some = MIN(most, bytes - done);
		err = run_batch(d, op, sector + (done >> SECTOR_SHIFT), buf + done, some, &b);
	}
	kfree(b.requests);
	kfree(b.pieces);
	return err;
}

static int io_without_data(struct block_device *d, enum block_op op, u64 sector, u64 sectors)
{
	struct waiter w = { .queue = WAIT_QUEUE_INIT(w.queue), .left = 1 };
	struct block_request r = { .op = op, .sector = sector, .sectors = sectors, .done = request_done, .owner = &w };

	block_submit(d, &r);
	return wait_for(d, &w);
}

int block_io(struct block_device *d, enum block_op op, u64 sector, void *buf, size_t bytes)
{
	u64 offset = (u64)buf & (PAGE_SIZE - 1);

	if (op == BLOCK_FLUSH)
		return block_flush(d);
	if (!bytes || bytes % MAX(d->sector_size, SECTOR_SIZE) || sector > ~0ul >> SECTOR_SHIFT)
		return -EINVAL;
	if (op == BLOCK_DISCARD)
		return io_without_data(d, op, sector, bytes >> SECTOR_SHIFT);
	if (offset % SECTOR_SIZE)
		return io_bounced(d, op, sector, buf, bytes);
	if (offset + bytes <= MIN(d->max_pieces, FEW_PIECES) << PAGE_SHIFT)
		return io_few(d, op, sector, buf, bytes);
	return io_many(d, op, sector, buf, bytes);
}

int block_flush(struct block_device *d)
{
	return d->can_flush ? io_without_data(d, BLOCK_FLUSH, 0, 0) : 0;
}

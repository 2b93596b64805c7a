/* SPDX-License-Identifier: MIT */
/*
 * The frontend of block devices: to xenbus a driver of type "vbd", to the block layer the devices xvda, xvdb, ...
 *
 * A device stays registered while its backend is away (restarted, or not yet come again) and takes requests all that time; they go
 * when the next backend is Connected. It ends when its node does (-ENODEV), or when the backend breaks the protocol (-EIO): then
 * nothing goes to that backend any more, and no other is accepted in its place. Its partitions are xvda1, ..., and end with it.
 *
 * Options of the command line, for experiments: blk_segments (pages in one part, 256), blk_order (of the ring's pages, 2), blk_rings
 * (rings, 1: more than one is of use only with several processors), blk_persistent (0: not even if the backend wants it).
 */
#include <abi/errno.h>

#include "../../pvkernel/include/boot.h"
#include "../../pvkernel/include/cmdline.h"
#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "../../pvkernel/include/partition.h"
#include "../../pvkernel/include/rings.h"
#include "../../pvkernel/include/sched.h"
#include "../../pvkernel/include/shell.h"
#include "../../pvkernel/include/time.h"
#include "blkfront.h"

#define RETRY_EVERY NSEC_PER_SEC
#define XVD_MAJOR 202
#define EXTENDED (1u << 28)

static struct list devices = LIST_INIT(devices);

static u32 option(const char *key, u32 otherwise, u32 max)
{
	char text[16];
	u64 value;

	if (!cmdline_get(boot.cmdline, key, text, sizeof(text)) || !parse_u64(text, &value))
		return otherwise;
	return MIN(value, max);
}

/* --- what the backend does not let go ------------------------------------------------------------------ */

static void retry_stuck(void *unused);
static struct timer retry_timer = { .fn = retry_stuck };

void blk_retry_later(void)
{
	if (!retry_timer.armed)
		timer_add(&retry_timer, now() + RETRY_EVERY);
}

/* blk_finish() puts in stuck again what still is. */
static void retry_stuck(void *unused)
{
	list_for_each(node, &devices) {
		struct blkfront *b = list_entry(node, struct blkfront, node);
		struct list *last = b->stuck.prev;

		while (!list_empty(&b->stuck)) {
			struct list *first = b->stuck.next;
			struct blk_track *t = list_entry(first, struct blk_track, node);

			blk_finish(b, t, t->err);
			if (first == last)
				break;
		}
	}
}

/* --- the end ------------------------------------------------------------------------------------------- */

static void close_rings(struct blkfront *b)
{
	b->connected = false;
	for (u32 i = 0; i < b->nr_rings; i++)
		ring_close(&b->rings[i]);
	b->nr_rings = 0;
	segs_forget(b);
}

/* The rings stay until disconnected(), since this may be the handler of one of their events; nothing looks at them any more. */
void blk_broken(struct blkfront *b, const char *what)
{
	if (b->broken)
		return;
	b->broken = true;
	printf("%s: the backend, domain %u, gave %s: stopped\n", b->dev.name, b->domid, what);
	for (u32 i = 0; i < b->nr_rings; i++)
		ring_abandon(&b->rings[i]);
	blk_end_all(b, -EIO);
	frontend_close(b->f, -EIO);
}

/* --- the block layer's side ---------------------------------------------------------------------------- */

static bool foreign(const struct block_request *r)
{
	for (u32 i = 0; i < r->nr_pieces; i++) {
		if (!r->pieces[i].page)
			return true;
	}
	return false;
}

static void submit(struct block_device *d, struct block_request *r)
{
	struct blkfront *b = d->data;
	bool data = r->op == BLOCK_READ || r->op == BLOCK_WRITE;
	int err = b->broken ? -EIO : b->removed ? -ENODEV : data && foreign(r) ? -EFAULT : 0;
	bool irq;

	if (err) {
		r->done(r, err);
		return;
	}
	irq = irq_save();
	b->nr_requests++;
	r->device_data = NULL;
	list_insert_before(&b->waiting, &r->node);
	blk_pump(b);
	irq_restore(irq);
}

static void kick(struct block_device *d)
{
	bool irq = irq_save();

	blk_push(d->data);
	irq_restore(irq);
}

static void free_device(struct blkfront *b)
{
	bool irq = irq_save();

	list_remove(&b->node);
	irq_restore(irq);
	while (b->free_tracks) {
		struct blk_track *t = b->free_tracks;

		b->free_tracks = (struct blk_track *)t->r;
		kfree(t);
	}
	kfree(b);
}

static void release(struct block_device *d)
{
	free_device(d->data);
}

static const struct block_ops ops = { .submit = submit, .kick = kick, .release = release };

/* --- names ----------------------------------------------------------------------------------------------- */

static u32 letters(char *to, u32 disk)
{
	u32 n = disk >= 26 ? letters(to, disk / 26 - 1) : 0;

	to[n] = 'a' + disk % 26;
	return n + 1;
}

/* By the numbers of disks: 202 << 8 | disk << 4 | partition, and 1 << 28 | disk << 8 | partition. */
static void name_device(char *name, size_t size, u32 number)
{
	u32 disk = number >> 4 & 15, part = number & 15, n = 3;

	if (number & EXTENDED) {
		disk = number >> 8 & 0xfffff;
		part = number & 255;
	} else if (number >> 8 != XVD_MAJOR) {
		snprintf(name, size, "vbd%u", number);
		return;
	}
	memcpy(name, "xvd", 3);
	n += letters(name + n, disk);
	if (part)
		snprintf(name + n, size - n, "%u", part);
}

/* --- xenbus' side ---------------------------------------------------------------------------------------- */

static u32 view_all(struct ring_view *views, u32 max)
{
	u32 n = 0;

	list_for_each(node, &devices) {
		const struct blkfront *b = list_entry(node, struct blkfront, node);

		for (u32 i = 0; i < b->nr_rings && n < max; i++, n++) {
			const struct ring_front *r = &b->rings[i].ring;

			views[n] = (struct ring_view){ .entries = r->entries, .requests = r->req_prod, .responses = r->rsp_cons };
			snprintf(views[n].name, sizeof(views[n].name), "%s %u", b->dev.name, i);
		}
	}
	return n;
}

static struct ring_source rings = { .read = view_all };

static struct blkfront *new_device(struct frontend *f)
{
	struct blkfront *b = kmalloc(sizeof(*b));
	const char *number = f->path;
	u64 devid;
	bool irq;

	if (!b)
		return NULL;
	for (const char *p = f->path; *p; p++)
		number = *p == '/' ? p + 1 : number;
	if (!parse_u64(number, &devid) || devid >> 29) {
		kfree(b);
		return NULL;
	}
	*b = (struct blkfront){ .f = f, .domid = f->backend_id, .handle = devid };
	list_init(&b->waiting);
	list_init(&b->started);
	list_init(&b->stuck);
	name_device(b->dev.name, sizeof(b->dev.name), devid);
	b->dev.ops = &ops;
	b->dev.data = b;
	b->dev.max_pieces = BLK_MAX_PIECES;
	irq = irq_save();
	list_insert_before(&devices, &b->node);
	rings_add(&rings);
	irq_restore(irq);
	return b;
}

static int write_ring_keys(struct frontend *f, u32 tx, const struct blk_ring *q, u32 order, const char *prefix)
{
	char key[48];
	int err = 0;

	for (u32 i = 0; !err && i < 1u << order; i++) {
		snprintf(key, sizeof(key), order ? "%sring-ref%u" : "%sring-ref", prefix, i);
		err = front_write(f, tx, key, "%u", q->refs[i]);
	}
	snprintf(key, sizeof(key), "%sevent-channel", prefix);
	return err ? err : front_write(f, tx, key, "%u", (u32)q->port);
}

/* One ring has its keys in the directory itself, several each in a directory of its own. */
static int write_keys(struct blkfront *b, u32 tx)
{
	struct frontend *f = b->f;
	char prefix[24] = "";
	int err = front_write(f, tx, "protocol", "x86_64-abi");

	if (!err && b->persistent)
		err = front_write(f, tx, "feature-persistent", "1");
	if (!err && b->ring_order)
		err = front_write(f, tx, "ring-page-order", "%u", b->ring_order);
	if (!err && b->nr_rings > 1)
		err = front_write(f, tx, "multi-queue-num-queues", "%u", b->nr_rings);
	for (u32 i = 0; !err && i < b->nr_rings; i++) {
		if (b->nr_rings > 1)
			snprintf(prefix, sizeof(prefix), "queue-%u/", i);
		err = write_ring_keys(f, tx, &b->rings[i], b->ring_order, prefix);
	}
	return err;
}

static int open_rings(struct blkfront *b)
{
	u64 rings = MIN(front_read_u64(b->f, "multi-queue-max-queues", 1), option("blk_rings", 1, BLK_MAX_RINGS));
	int err = 0;

	b->ring_order = MIN(front_read_u64(b->f, "max-ring-page-order", 0), option("blk_order", 2, BLK_MAX_RING_ORDER));
	while (!err && b->nr_rings < MAX(rings, 1ul)) {
		err = ring_open(b, &b->rings[b->nr_rings]);
		b->nr_rings += !err;
	}
	return b->nr_rings ? 0 : err;
}

static int publish(struct frontend *f, u32 tx)
{
	struct blkfront *b = f->data ? f->data : new_device(f);
	bool irq;
	int err;

	if (!b)
		return -ENOMEM;
	f->data = b;
	if (b->broken)
		return -EIO;
	b->persistent = option("blk_persistent", 1, 1);
	err = open_rings(b);
	err = err ? err : write_keys(b, tx);
	if (err) {
		irq = irq_save();
		close_rings(b);
		irq_restore(irq);
	}
	return err;
}

static u32 parts_limit(struct blkfront *b)
{
	u64 offered = front_read_u64(b->f, "feature-max-indirect-segments", 0);

	return MAX(MIN(offered, option("blk_segments", BLK_MAX_PIECES, BLK_MAX_PIECES)), (u64)BLKIF_MAX_SEGMENTS_PER_REQUEST);
}

/* Also of a backend that has come anew, and may be able to do something else than the one before. */
static int read_features(struct blkfront *b)
{
	struct frontend *f = b->f;
	struct block_device *d = &b->dev;
	u64 sectors = front_read_u64(f, "sectors", 0), size = front_read_u64(f, "sector-size", SECTOR_SIZE);
	char trusted[4] = "1";

	if (!sectors || sectors >> 55 || size < SECTOR_SIZE || size > PAGE_SIZE || size & (size - 1))
		return -EINVAL;
	d->sectors = sectors;
	d->sector_size = size;
	d->physical_size = front_read_u64(f, "physical-sector-size", size);
	d->readonly = front_read_u64(f, "info", 0) & VDISK_READONLY;
	b->flush_op = front_read_u64(f, "feature-flush-cache", 0);
	b->barrier_op = front_read_u64(f, "feature-barrier", 0);
	b->discard_op = front_read_u64(f, "feature-discard", 0);
	d->can_flush = b->flush_op || b->barrier_op;
	d->can_discard = b->discard_op;
	b->max_segs = parts_limit(b);
	b->persistent = b->persistent && front_read_u64(f, "feature-persistent", 0);
	front_read_own(f, "trusted", trusted, sizeof(trusted));
	b->lend = !b->persistent && strcmp(trusted, "0");
	return 0;
}

static void say(const struct blkfront *b)
{
	printf("%s: %lu sectors, backend %u%s, %u rings of %u, %u segments%s%s%s\n", b->dev.name, b->dev.sectors, b->domid,
	       b->dev.readonly ? ", read-only" : "", b->nr_rings, b->rings[0].ring.entries, b->max_segs,
	       b->persistent ? ", persistent grants" : "", b->flush_op ? ", flush" : b->barrier_op ? ", barrier" : "",
	       b->discard_op ? ", discard" : "");
}

static void scan(void *device)
{
	partitions_scan(device);
	block_put(device);
}

/* By a thread of its own: should the backend go while it reads, it is ours to connect to the next. */
static void begin_scan(struct block_device *d)
{
	struct thread *t = thread_create("partitions", scan, block_hold(d));

	if (t) {
		thread_detach(t);
		return;
	}
	printf("%s: no memory to look for partitions\n", d->name);
	d->scanned = true;
	block_put(d);
}

static int connected(struct frontend *f)
{
	struct blkfront *b = f->data;
	int err = read_features(b);
	bool irq, first = !b->registered;

	if (!err && first)
		err = block_register(&b->dev);
	if (err)
		return err;
	b->registered = true;
	say(b);
	irq = irq_save();
	b->connected = true;
	blk_pump(b);
	blk_push(b);
	irq_restore(irq);
	if (first)
		begin_scan(&b->dev);
	return 0;
}

static void changed(struct frontend *f)
{
	struct blkfront *b = f->data;
	u64 sectors = front_read_u64(f, "sectors", 0);

	if (!sectors || sectors >> 55 || sectors == b->dev.sectors)
		return;
	b->dev.sectors = sectors;
	printf("%s: now %lu sectors\n", b->dev.name, sectors);
}

static void disconnected(struct frontend *f)
{
	struct blkfront *b = f->data;
	bool irq = irq_save();

	close_rings(b);
	blk_rewind(b);
	irq_restore(irq);
}

static void removed(struct frontend *f)
{
	struct blkfront *b = f->data;
	bool irq;

	if (!b)
		return;
	f->data = NULL;
	irq = irq_save();
	b->removed = true;
	blk_end_all(b, -ENODEV);
	irq_restore(irq);
	if (!b->registered) {
		free_device(b);
		return;
	}
	block_hold(&b->dev);
	block_unregister(&b->dev);
	partitions_unregister(&b->dev);
	block_put(&b->dev);
}

static const struct frontend_driver driver = {
	.type = "vbd",
	.publish = publish,
	.published_state = XenbusStateInitialised,
	.connected = connected,
	.changed = changed,
	.disconnected = disconnected,
	.removed = removed,
};

void blkfront_init(void)
{
	frontend_register(&driver);
}

static int cmd_vbd(int argc, char **argv)
{
	printf("%-8s %8s %8s %8s %8s %8s %8s\n", "NAME", "REQUESTS", "PARTS", "EVENTS", "NOTIFIED", "REPLAYED", "PAGES");
	list_for_each(node, &devices) {
		const struct blkfront *b = list_entry(node, struct blkfront, node);

		printf("%-8s %8lu %8lu %8lu %8lu %8lu %8u%s\n", b->dev.name, b->nr_requests, b->nr_parts, b->nr_events, b->nr_notifications,
		       b->nr_replayed, b->nr_segs, b->broken ? " stopped" : b->removed ? " removed" : b->connected ? "" : " without backend");
	}
	return 0;
}
COMMAND(vbd, cmd_vbd, "our disks' frontends: requests, parts of them, events from and to the backend, replayed ones, pages in use");

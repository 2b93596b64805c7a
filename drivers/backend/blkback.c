/* SPDX-License-Identifier: MIT */
/*
 * Block devices of guests, connecting and disconnecting.
 *
 *	probe		params, mode, rate, iops of our node -> an open disk, the features that we offer
 *	connect		the frontend's rings and ports -> queues, the thread; the disk's properties
 *	disconnect	the thread ends when the disk has finished what was taken; ports, rings
 *	remove		the disk, unless its node is still there: then we begin anew, and the next probe() finds it parked
 *
 * All four are called by the one thread of the type. A disk that somebody may write is nobody else's, unless the mode is `w!`.
 */
#include <abi/errno.h>

#include "../../pvkernel/control/disks/disk.h"
#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "blkback.h"

#define PROTOCOL "x86_64-abi"
#define VALUE_MAX 32

static struct list vbds = LIST_INIT(vbds), parked = LIST_INIT(parked);	/* this thread's */

/* --- probe --- */

static bool in_use(const struct vbd *v)
{
	list_for_each(node, &vbds) {
		const struct vbd *other = list_entry(node, struct vbd, node);

		if (other->disk == v->disk && !(other->shared && v->shared) && !(other->rules.readonly && v->rules.readonly))
			return true;
	}
	return false;
}

static int read_mode(struct vbd *v)
{
	char mode[VALUE_MAX];
	int n = back_read(v->back, "mode", mode, sizeof(mode));

	if (n < 1 || (mode[0] != 'r' && mode[0] != 'w')) {
		back_error(v->back, -EINVAL, "mode is neither r nor w");
		return -EINVAL;
	}
	v->rules.readonly = mode[0] == 'r';
	v->shared = mode[1] == '!';
	return 0;
}

static bool node_is_there(const struct vbd *v)
{
	char path[64], target[sizeof(v->target)];

	snprintf(path, sizeof(path), "backend/vbd/%u/%u/params", v->rules.domid, v->devid);
	return xs_read(XS_NO_TX, path, target, sizeof(target)) >= 0 && !strcmp(target, v->target);
}

/* A disk that lives in memory ends with its last reference, which must not be when a backend begins anew. Others' are let go. */
static struct block_device *take_parked(const struct vbd *v)
{
	struct block_device *disk = NULL;

	for (struct list *at = parked.next, *next; at != &parked; at = next) {
		struct vbd *old = list_entry(at, struct vbd, node);
		bool same = v && old->rules.domid == v->rules.domid && old->devid == v->devid && !strcmp(old->target, v->target);

		next = at->next;
		if (!same && node_is_there(old))
			continue;
		list_remove(at);
		if (same)
			disk = old->disk;
		else
			block_put(old->disk);
		kfree(old);
	}
	return disk;
}

static int open_disk(struct vbd *v)
{
	char error[160];
	int err = back_read(v->back, "params", v->target, sizeof(v->target));

	if (err < 0) {
		back_error(v->back, err, "no params: which disk?");
		return err;
	}
	v->disk = take_parked(v);
	if (!v->disk)
		v->disk = disk_open(v->target, v->rules.readonly, error, sizeof(error));
	if (!v->disk) {
		back_error(v->back, -ENODEV, "%s", error);
		return -ENODEV;
	}
	if (v->disk->readonly)
		v->rules.readonly = true;
	if (in_use(v)) {
		back_error(v->back, -EBUSY, "%s is in use; mode w! shares it", v->target);
		block_put(v->disk);
		return -EBUSY;
	}
	return 0;
}

static void set_rules(struct vbd *v)
{
	struct blkback_rules *rules = &v->rules;

	rules->sectors = v->disk->sectors;
	rules->handle = v->devid;
	rules->can_flush = v->disk->can_flush;
	rules->can_discard = v->disk->can_discard && back_read_u64(v->back, "discard-enable", 1);
}

/* Grant copy leaves nothing for persistent grants to save, and they cost the frontend a copy; who asks gets them. */
static int offer(struct vbd *v)
{
	const struct {
		const char *key;
		u64 value;
	} features[] = {
		{ "feature-flush-cache", v->rules.can_flush },
		{ "feature-barrier", v->rules.can_flush },
		{ "feature-discard", v->rules.can_discard },
		{ "discard-granularity", v->disk->physical_size },
		{ "discard-alignment", 0 },
		{ "discard-secure", 0 },
		{ "feature-persistent", back_read_u64(v->back, "persistent", 0) != 0 },
		{ "feature-max-indirect-segments", MIN(BLKBACK_SEGMENTS, v->disk->max_pieces) },
		{ "max-ring-page-order", BLKBACK_RING_ORDER },
		{ "multi-queue-max-queues", BLKBACK_QUEUES },
	};
	int err = 0;

	for (u32 i = 0; i < ARRAY_SIZE(features) && !err; i++)
		err = back_write(v->back, XS_NO_TX, features[i].key, "%lu", features[i].value);
	return err;
}

static void free_vbd(struct vbd *v)
{
	list_remove(&v->node);
	block_put(v->disk);
	kfree(v);
}

static int probe(struct backend *b)
{
	struct vbd *v = kmalloc(sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	v->back = b;
	v->rules.domid = b->domid;
	v->devid = b->devid;
	blkback_prepare(v);
	for (u32 i = 0; i < ARRAY_SIZE(v->queues); i++)
		v->queues[i] = (struct blkback_queue){ .vbd = v, .port = -1 };
	err = read_mode(v);
	if (!err)
		err = open_disk(v);
	if (err) {
		kfree(v);
		return err;
	}
	set_rules(v);
	v->bytes_per_second = back_read_u64(b, "rate", 0);
	v->requests_per_second = back_read_u64(b, "iops", 0);
	list_insert_before(&vbds, &v->node);
	err = offer(v);
	if (err) {
		back_error(b, err, "our features cannot be written");
		free_vbd(v);
		return err;
	}
	b->data = v;
	return 0;
}

static void remove(struct backend *b)
{
	struct vbd *v = b->data;

	b->data = NULL;
	if (!v)
		return;
	if (node_is_there(v)) {
		list_remove(&v->node);
		list_insert_before(&parked, &v->node);
	} else {
		free_vbd(v);
	}
	take_parked(NULL);
}

/* --- connect --- */

static int front_number(struct backend *b, const char *prefix, const char *key, u64 max, u64 *value)
{
	char path[VALUE_MAX + 32];

	snprintf(path, sizeof(path), "%s%s", prefix, key);
	return back_read_front_u64(b, path, max, value);
}

/* An absent key leaves *value as it is. */
static int front_option(struct backend *b, const char *key, u64 max, u64 *value)
{
	int err = back_read_front_u64(b, key, max, value);

	return err == -ENOENT ? 0 : err;
}

/* One page may be named with a number or without. */
static int read_refs(struct backend *b, const char *prefix, u32 count, u32 *refs)
{
	char key[VALUE_MAX];
	u64 ref;
	int err = 0;

	if (count == 1 && !front_number(b, prefix, "ring-ref", ~0u, &ref)) {
		refs[0] = ref;
		return 0;
	}
	for (u32 i = 0; i < count && !err; i++) {
		snprintf(key, sizeof(key), "ring-ref%u", i);
		err = front_number(b, prefix, key, ~0u, &ref);
		refs[i] = ref;
	}
	return err;
}

static void close_queue(struct blkback_queue *q)
{
	if (q->port >= 0)
		evtchn_close(q->port);
	if (q->pages.pages)
		back_ring_unmap(&q->pages);
	*q = (struct blkback_queue){ .vbd = q->vbd, .port = -1 };
}

static int map_ring(struct backend *b, struct blkback_queue *q, const u32 *refs, u32 count)
{
	int err = back_ring_map(b, refs, count, &q->pages);

	if (err) {
		q->pages.pages = NULL;
		back_error(b, err, "the frontend's ring of %u pages cannot be mapped", count);
		return err;
	}
	err = ring_back_init(&q->ring, q->pages.pages, count * PAGE_SIZE, sizeof(union blkback_ring_request));
	if (err)
		back_error(b, err, "the frontend's ring has impossible indices");
	return err;
}

/* On failure the caller closes what is open. */
static int open_queue(struct vbd *v, struct blkback_queue *q, const char *prefix, u32 pages)
{
	struct backend *b = v->back;
	u32 refs[1 << BLKBACK_RING_ORDER];
	u64 port;
	int err = read_refs(b, prefix, pages, refs);

	if (!err)
		err = front_number(b, prefix, "event-channel", ~0u, &port);
	if (err) {
		back_error(b, err, "%sring-ref or event-channel of the frontend", prefix);
		return err;
	}
	err = map_ring(b, q, refs, pages);
	if (err)
		return err;
	q->port = evtchn_bind_interdomain(b->domid, port, blkback_event, q);
	if (q->port >= 0)
		return 0;
	err = q->port;
	back_error(b, err, "the frontend's event channel %lu", port);
	return err;
}

static int check_protocol(struct backend *b)
{
	char protocol[VALUE_MAX];
	int n = back_read_front(b, "protocol", protocol, sizeof(protocol));

	if (n == -ENOENT || (n >= 0 && !strcmp(protocol, PROTOCOL)))
		return 0;
	back_error(b, -EOPNOTSUPP, "the frontend's protocol is not %s", PROTOCOL);
	return -EOPNOTSUPP;
}

static void close_queues(struct vbd *v)
{
	for (u32 i = 0; i < ARRAY_SIZE(v->queues); i++)
		close_queue(&v->queues[i]);
	v->nr_queues = 0;
}

static int open_queues(struct vbd *v)
{
	struct backend *b = v->back;
	char prefix[VALUE_MAX] = "";
	u64 order = 0, queues = 1;
	int err = front_option(b, "ring-page-order", BLKBACK_RING_ORDER, &order);

	if (!err)
		err = front_option(b, "multi-queue-num-queues", BLKBACK_QUEUES, &queues);
	if (err || !queues) {
		back_error(b, -EINVAL, "the frontend wants more pages or queues than we offered");
		return -EINVAL;
	}
	for (; v->nr_queues < queues && !err; v->nr_queues++) {
		if (queues > 1)
			snprintf(prefix, sizeof(prefix), "queue-%u/", v->nr_queues);
		err = open_queue(v, &v->queues[v->nr_queues], prefix, 1u << order);
	}
	return err;
}

static u32 info(struct vbd *v)
{
	char type[VALUE_MAX];
	u32 bits = v->rules.readonly ? VDISK_READONLY : 0;

	if (back_read(v->back, "device-type", type, sizeof(type)) >= 0 && !strcmp(type, "cdrom"))
		bits |= VDISK_CDROM;
	if (back_read_u64(v->back, "removable", 0))
		bits |= VDISK_REMOVABLE;
	return bits;
}

static int publish(struct vbd *v)
{
	struct backend *b = v->back;
	int err = back_write(b, XS_NO_TX, "sectors", "%lu", v->rules.sectors);

	if (!err)
		err = back_write(b, XS_NO_TX, "info", "%u", info(v));
	if (!err)
		err = back_write(b, XS_NO_TX, "sector-size", "%u", v->disk->sector_size);
	if (!err)
		err = back_write(b, XS_NO_TX, "physical-sector-size", "%u", v->disk->physical_size);
	if (err)
		back_error(b, err, "the disk's properties cannot be written");
	return err;
}

/* Ports that told us something before the thread was there are heard of by its first round. */
static int connect(struct backend *b)
{
	struct vbd *v = b->data;
	int err = check_protocol(b);

	if (err)
		return err;
	v->rules.sectors = v->disk->sectors;
	rate_init(&v->bytes, v->bytes_per_second, now());
	rate_init(&v->requests, v->requests_per_second, now());
	err = open_queues(v);
	if (!err)
		err = publish(v);
	if (!err)
		err = blkback_start(v);
	if (err)
		close_queues(v);
	return err;
}

static void disconnect(struct backend *b)
{
	struct vbd *v = b->data;

	if (!v)
		return;
	blkback_stop(v);
	close_queues(v);
}

/* --- */

static const struct backend_driver blkback = {
	.type = "vbd", .probe = probe, .connect = connect, .disconnect = disconnect, .remove = remove,
};

void blkback_init(void)
{
	backend_register(&blkback);
}

/* SPDX-License-Identifier: MIT */
/*
 * Block devices: disks of any kind by their names, and requests to them.
 *
 * A request's data are pieces of memory, each within one page: our own, or, in domain 0, a page that a guest grants, which a
 * device copies or lets the hardware reach without its ever being mapped. Sectors are 512 bytes everywhere;
 * a device whose own are larger refuses with -EINVAL what is not aligned to them.
 */
#ifndef PVK_BLOCK_H
#define PVK_BLOCK_H

#include "list.h"
#include "types.h"

#define SECTOR_SHIFT 9
#define SECTOR_SIZE 512u

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD };

/* Bytes [offset, offset + length) of a page, length a multiple of the sector. */
struct block_piece {
	void *page;		/* ours, at its start; NULL: granted by `granter` as `ref` */
	u32 ref;
	u16 granter;
	u16 offset, length;
};

struct block_request {
	struct list node;	/* the device's while the request is with it */
	enum block_op op;
	u64 sector, sectors;	/* of a read or write: the sum of the pieces. A device may change sector. */
	struct block_piece *pieces;	/* the caller's, until done */
	u32 nr_pieces;
	/*
	 * Called once, perhaps by block_submit() itself, perhaps by an interrupt handler: it does not wait. err: 0, -EIO the device failed,
	 * -EROFS, -EINVAL out of range, -EOPNOTSUPP, -EFAULT a granted page could not be reached, -ENODEV the device is gone.
	 */
	void (*done)(struct block_request *r, int err);
	void *owner;		/* the caller's */
	void *device_data;	/* the device's */
};

struct block_device;

struct block_ops {
	void (*submit)(struct block_device *d, struct block_request *r);	/* checked: within range, op allowed */
	void (*kick)(struct block_device *d);	/* starts what was submitted; may be NULL */
	void (*release)(struct block_device *d);	/* the last reference is gone; may be NULL */
};

struct block_device {
	struct list node;
	char name[32];
	u64 sectors;
	u32 sector_size, physical_size;	/* the device's own, bytes */
	bool readonly, can_flush, can_discard;
	bool immediate;		/* requests are done by the end of block_kick(): it has no queue to share */
	u32 max_pieces;		/* in one request */
	const struct block_ops *ops;
	void *data;
	u32 references;		/* under the block layer's lock; the registry has one */
	struct block_device *below;	/* of a partition or an overlay: the one that it is a part or a view of, which it holds; else NULL */
	bool gone;		/* unregistered: new requests end with -ENODEV */
	bool scanned;		/* what partitions it has are registered, too */
};

int block_register(struct block_device *d);	/* -EEXIST: the name is taken */
void block_unregister(struct block_device *d);	/* no more found by name; requests under way end */
struct block_device *block_get(const char *name);	/* NULL: none */
struct block_device *block_hold(struct block_device *d);
void block_put(struct block_device *d);

/* The last one below it, perhaps itself; no reference. */
static inline struct block_device *block_bottom(struct block_device *d)
{
	while (d->below)
		d = d->below;
	return d;
}

struct block_device *block_next(struct block_device *d);	/* the one behind d, whose reference it takes; NULL: the first; for lists */

/* Submits; a request that is wrong is done at once. Then block_kick(), once for as many as were submitted. For threads. */
void block_submit(struct block_device *d, struct block_request *r);
void block_kick(struct block_device *d);

/* The same, waiting for the end; buf is our memory, any alignment and length of whole sectors. */
int block_io(struct block_device *d, enum block_op op, u64 sector, void *buf, size_t bytes);
int block_flush(struct block_device *d);	/* 0 also for a device that keeps nothing back (can_flush is false) */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The block layer: the registry, devices in the order in which they came, and the one gate before a device. Guarded by
 * disabled interrupts. Invariant: what a device's submit() sees is within its range, allowed, in whole sectors of the device's
 * own, its pieces each inside one page and their sum what the request says; so no device checks that again.
 *
 * The registry holds a reference to what is in it. A device that is gone is in the registry no more and gets no new request;
 * its owner ends those under way, and the last block_put() calls release().
 */
#include <abi/errno.h>

#include "block.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "shell.h"

static struct list devices = LIST_INIT(devices);

static struct block_device *find(const char *name)
{
	list_for_each(node, &devices) {
		struct block_device *d = list_entry(node, struct block_device, node);

		if (!strcmp(d->name, name))
			return d;
	}
	return NULL;
}

int block_register(struct block_device *d)
{
	bool irq = irq_save();
	int err = find(d->name) ? -EEXIST : 0;

	if (!err) {
		d->references = 1;
		d->gone = false;
		list_insert_before(&devices, &d->node);
	}
	irq_restore(irq);
	return err;
}

void block_unregister(struct block_device *d)
{
	bool irq = irq_save();
	bool was = d->gone;

	d->gone = true;
	list_remove(&d->node);
	irq_restore(irq);
	if (!was)
		block_put(d);
}

struct block_device *block_hold(struct block_device *d)
{
	__atomic_add_fetch(&d->references, 1, __ATOMIC_RELAXED);
	return d;
}

struct block_device *block_get(const char *name)
{
	bool irq = irq_save();
	struct block_device *d = find(name);

	if (d)
		block_hold(d);
	irq_restore(irq);
	return d;
}

void block_put(struct block_device *d)
{
	if (!__atomic_sub_fetch(&d->references, 1, __ATOMIC_ACQ_REL) && d->ops->release)
		d->ops->release(d);
}

struct block_device *block_next(struct block_device *d)
{
	bool irq = irq_save();
	struct list *node = d ? d->node.next : devices.next;
	struct block_device *next = node == &devices || (d && d->gone) ? NULL : block_hold(list_entry(node, struct block_device, node));

	irq_restore(irq);
	if (d)
		block_put(d);
	return next;
}

static bool piece_ok(const struct block_piece *p)
{
	return p->length && !(p->offset % SECTOR_SIZE) && !(p->length % SECTOR_SIZE) && p->offset + p->length <= PAGE_SIZE;
}

static int check_pieces(const struct block_device *d, const struct block_request *r)
{
	u64 bytes = 0;

	if (!r->nr_pieces || r->nr_pieces > d->max_pieces)
		return -EINVAL;
	for (u32 i = 0; i < r->nr_pieces; i++) {
		if (!piece_ok(&r->pieces[i]))
			return -EINVAL;
		bytes += r->pieces[i].length;
	}
	return bytes == r->sectors << SECTOR_SHIFT ? 0 : -EINVAL;
}

static int check_range(const struct block_device *d, const struct block_request *r)
{
	u64 own = MAX(d->sector_size, SECTOR_SIZE) >> SECTOR_SHIFT;

	if (!r->sectors || r->sectors > d->sectors || r->sector > d->sectors - r->sectors)
		return -EINVAL;
	return r->sector % own || r->sectors % own ? -EINVAL : 0;
}

static int check(const struct block_device *d, const struct block_request *r)
{
	int err;

	if (d->gone)
		return -ENODEV;
	if (r->op == BLOCK_FLUSH)
		return d->can_flush ? 0 : -EOPNOTSUPP;
	if (r->op != BLOCK_READ && d->readonly)
		return -EROFS;
	if (r->op == BLOCK_DISCARD && !d->can_discard)
		return -EOPNOTSUPP;
	err = check_range(d, r);
	return err || r->op == BLOCK_DISCARD ? err : check_pieces(d, r);
}

void block_submit(struct block_device *d, struct block_request *r)
{
	int err = check(d, r);

	if (err)
		r->done(r, err);
	else
		d->ops->submit(d, r);
}

void block_kick(struct block_device *d)
{
	if (d->ops->kick)
		d->ops->kick(d);
}

static int cmd_lsblk(int argc, char **argv)
{
	printf("%-16s %12s %6s %s\n", "NAME", "SECTORS", "OWN", "CAN");
	for (struct block_device *d = block_next(NULL); d; d = block_next(d))
		printf("%-16s %12lu %6u read%s%s%s\n", d->name, d->sectors, d->sector_size, d->readonly ? "" : " write",
		       d->can_flush ? " flush" : "", d->can_discard ? " discard" : "");
	return 0;
}
COMMAND(lsblk, cmd_lsblk, "block devices: name, sectors of 512 bytes, own sector size, what they can");

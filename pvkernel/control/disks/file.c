/* SPDX-License-Identifier: MIT */
/*
 * Disks that are files of domain 0's ramdisk, in place: sector n is bytes 512 n to 512 n + 511 of the file, wherever these lie in
 * memory. What is left of a last sector that is not whole is no part of the disk. One device for a file, for ever.
 */
#include "../../include/boot.h"
#include "../../include/lib.h"
#include "../../include/mm.h"
#include "../../include/mutex.h"
#include "../../include/partition.h"
#include "../ramdisk.h"
#include "copy.h"
#include "disk.h"

#define MAX_PIECES 256u

struct file_disk {
	struct block_device device;
	struct file_disk *next;
	struct mutex lock;
	char *data;
	struct copy_batch batch;
};

static struct file_disk *disks;
static struct mutex opening = MUTEX_INIT(opening);

static void file_submit(struct block_device *d, struct block_request *r)
{
	struct file_disk *f = d->data;
	char *at = f->data + (r->sector << SECTOR_SHIFT);

	mutex_lock(&f->lock);
	parts_open(r);
	for (u32 i = 0; r->op != BLOCK_FLUSH && i < r->nr_pieces; i++) {
		copy_piece(&f->batch, r, &r->pieces[i], 0, at, r->pieces[i].length);
		at += r->pieces[i].length;
	}
	parts_close(r, 0);
	mutex_unlock(&f->lock);
}

static void file_kick(struct block_device *d)
{
	struct file_disk *f = d->data;

	mutex_lock(&f->lock);
	copy_run(&f->batch);
	mutex_unlock(&f->lock);
}

static const struct block_ops file_ops = { .submit = file_submit, .kick = file_kick };

static struct file_disk *file_disk_new(const struct ramdisk_file *file)
{
	static u32 made;
	struct file_disk *f = kmalloc(sizeof(*f));

	if (!f)
		return NULL;
	list_init(&f->lock.waiters.waiters);
	f->data = (char *)file->data;
	f->device = (struct block_device){ .sectors = file->size >> SECTOR_SHIFT, .sector_size = SECTOR_SIZE, .physical_size = SECTOR_SIZE,
					   .can_flush = true, .immediate = true, .max_pieces = MAX_PIECES, .ops = &file_ops, .data = f };
	snprintf(f->device.name, sizeof(f->device.name), "file%u", made++);
	if (block_register(&f->device)) {
		kfree(f);
		return NULL;
	}
	f->next = disks;
	disks = f;
	return f;
}

struct block_device *disk_file(const char *path)
{
	const struct ramdisk_file *file = ramdisk_find(path);
	struct file_disk *f;

	if (!file || file->size < SECTOR_SIZE)
		return NULL;
	mutex_lock(&opening);
	for (f = disks; f && f->data != file->data; f = f->next)
		;
	if (!f) {
		f = file_disk_new(file);
		if (f)
			partitions_scan(&f->device);
	}
	mutex_unlock(&opening);
	return f ? block_hold(&f->device) : NULL;
}

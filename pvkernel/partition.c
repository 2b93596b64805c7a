/* SPDX-License-Identifier: MIT */
/*
 * Partitions: devices that are a range of another, which they hold. A request goes on as it is, its sector moved; what the gate
 * of the block layer checked against the partition's size is therefore within the disk's, too.
 *
 * Invariant: when a disk is gone, and nobody scans it any more, none of its partitions is registered.
 */
#include <abi/errno.h>

#include "gpt.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "partition.h"

struct partition_device {
	struct block_device device;
	u64 start;		/* sectors of 512 */
	char label[GPT_NAME];
};

static void partition_submit(struct block_device *d, struct block_request *r)
{
	struct partition_device *p = d->data;

	r->sector += p->start;
	block_submit(d->below, r);
}

static void partition_kick(struct block_device *d)
{
	block_kick(d->below);
}

static void partition_release(struct block_device *d)
{
	struct partition_device *p = d->data;

	block_put(d->below);
	kfree(p);
}

static const struct block_ops partition_ops = { partition_submit, partition_kick, partition_release };

/* A disk whose name ends with a digit has a p before the number. */
static void partition_name(char *name, size_t size, const char *disk, u32 number)
{
	size_t len = strlen(disk);
	bool digit = len && disk[len - 1] >= '0' && disk[len - 1] <= '9';

	snprintf(name, size, "%s%s%u", disk, digit ? "p" : "", number);
}

/* -ENODEV: its disk is gone meanwhile, and the list of those to go with it was perhaps made already. */
static int register_partition(struct partition_device *p)
{
	bool irq = irq_save();
	int err = p->device.below->gone ? -ENODEV : block_register(&p->device);

	irq_restore(irq);
	return err;
}

static void add_partition(struct block_device *disk, u32 number, const struct partition *found)
{
	struct partition_device *p = kmalloc(sizeof(*p));
	u32 shift = __builtin_ctz(disk->sector_size >> SECTOR_SHIFT);
	int err;

	if (!p) {
		printf("%s: no memory for partition %u\n", disk->name, number);
		return;
	}
	p->device = *disk;
	p->device.sectors = found->count << shift;
	p->device.scanned = true;
	p->device.ops = &partition_ops;
	p->device.data = p;
	p->device.below = block_hold(disk);
	p->start = found->first << shift;
	memcpy(p->label, found->name, sizeof(p->label));
	partition_name(p->device.name, sizeof(p->device.name), disk->name, number);
	err = register_partition(p);
	if (err) {
		printf("%s: %s\n", p->device.name, err == -EEXIST ? "there is a device of this name already" : "its disk is gone");
		partition_release(&p->device);
		return;
	}
	printf("%s: %lu sectors%s%s\n", p->device.name, p->device.sectors, *p->label ? ", " : "", p->label);
}

static u8 *read_blocks(struct block_device *d, u64 block, u64 bytes)
{
	u64 whole = (bytes + d->sector_size - 1) / d->sector_size * d->sector_size;
	u8 *data = kmalloc(whole);
	int err = data ? block_io(d, BLOCK_READ, block * (d->sector_size >> SECTOR_SHIFT), data, whole) : -ENOMEM;

	if (err) {
		printf("%s: block %lu of the partition table: error %d\n", d->name, block, err);
		kfree(data);
		return NULL;
	}
	return data;
}

/* The table of the header in block `at`: NULL if either is damaged. */
static u8 *read_gpt(struct block_device *d, u64 at, u64 blocks, struct gpt *gpt)
{
	u8 *header = read_blocks(d, at, d->sector_size), *table = NULL;
	u64 size;

	if (header && gpt_header(header, d->sector_size, at, blocks, gpt)) {
		size = (u64)gpt->nr_entries * gpt->entry_size;
		table = read_blocks(d, gpt->entries_at, size);
		if (table && crc32_of(0, table, size) != gpt->entries_crc) {
			kfree(table);
			table = NULL;
		}
	}
	kfree(header);
	return table;
}

static bool scan_gpt(struct block_device *d, u64 blocks)
{
	struct gpt gpt;
	struct partition p;
	u8 *table = read_gpt(d, 1, blocks, &gpt);

	if (!table) {
		table = read_gpt(d, blocks - 1, blocks, &gpt);
		if (table)
			printf("%s: the partition table is damaged, its backup is used\n", d->name);
	}
	if (!table)
		return false;
	for (u32 n = 0; n < gpt.nr_entries; n++) {
		if (gpt_entry(&gpt, table, n, &p))
			add_partition(d, n + 1, &p);
	}
	kfree(table);
	return true;
}

static void scan_mbr(struct block_device *d, const u8 *mbr, u64 blocks)
{
	struct partition p;

	for (u32 n = 0; n < 4; n++) {
		if (mbr_entry(mbr, blocks, n, &p))
			add_partition(d, n + 1, &p);
	}
}

static void scan(struct block_device *d, const u8 *mbr, u64 blocks)
{
	if (mbr_protects_gpt(mbr)) {
		if (!scan_gpt(d, blocks))
			printf("%s: both partition tables are damaged\n", d->name);
	} else if (mbr_valid(mbr)) {
		scan_mbr(d, mbr, blocks);
	}
}

void partitions_scan(struct block_device *d)
{
	u64 blocks = d->sectors / (d->sector_size >> SECTOR_SHIFT);
	u8 *mbr = blocks > 2 ? read_blocks(d, 0, d->sector_size) : NULL;

	if (mbr)
		scan(d, mbr, blocks);
	kfree(mbr);
	d->scanned = true;
}

void partitions_unregister(struct block_device *d)
{
	for (struct block_device *p = block_next(NULL), *next; p; p = next) {
		next = block_next(block_hold(p));
		if (p->ops == &partition_ops && p->below == d)
			block_unregister(p);
		block_put(p);
	}
}

struct block_device *partition_by_label(const char *label)
{
	struct block_device *found = NULL;
	bool several = false;

	for (struct block_device *d = block_next(NULL); d; d = block_next(d)) {
		struct partition_device *p = d->data;

		if (d->ops != &partition_ops || strcmp(p->label, label))
			continue;
		several = found;
		if (!found)
			found = block_hold(d);
	}
	if (several) {
		block_put(found);
		return NULL;
	}
	return found;
}

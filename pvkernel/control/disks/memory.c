/* SPDX-License-Identifier: MIT */
/*
 * Disks whose data are pages of ours, allocated when they are first written: the RAM disk, and the overlay, which shows another
 * disk through the sectors that were never written.
 *
 *	pages[n]	sectors 8 n to 8 n + 7, NULL: none of them was written
 *	written[n]	a bit per sector; a RAM disk needs none, for what was not written is zero
 *
 * Data go straight between these pages and the request's pieces. A sector of an overlay is in `pages` or in the base, and the base
 * never changes below it; so reads of the base that are under way do not wait for writes here.
 *
 * A write that needs a page more than the disk's limit, or than domain 0 can spare, ends with -EIO; a person hears of the first.
 */
#include <abi/errno.h>

#include "../../include/lib.h"
#include "../../include/mm.h"
#include "../../include/mutex.h"
#include "../../include/ops.h"
#include "copy.h"
#include "disk.h"

#define PAGE_SECTORS (PAGE_SIZE / SECTOR_SIZE)
#define MAX_PIECES 256u
#define RESERVE_PART 16

struct memory_disk {
	struct block_device device;
	struct mutex lock;
	u64 nr_pages;
	void **pages;
	u8 *written;
	u64 used, limit;		/* pages that there are, and may be */
	bool told;			/* that there was no page for a write */
	struct block_device *base;	/* NULL: a RAM disk */
	bool base_submitted;		/* needs a kick */
	struct copy_batch batch;
};

/* A run of sectors that the base has, read for a request of ours. */
struct base_read {
	struct block_request request;
	struct block_request *parent;
	struct block_piece piece;
};

static char zero_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static struct memory_disk *disk_of(struct block_device *d)
{
	return d->data;
}

/* A guest that writes may not take the last of domain 0's memory: a part of it is for others. */
static bool memory_left(void)
{
	return pages_free() > boot.nr_pages / RESERVE_PART;
}

static void tell_full(struct memory_disk *m)
{
	if (m->told)
		return;
	m->told = true;
	printf("disk %s: no page is left for a write after %lu KiB: %s; such writes fail\n", m->device.name, m->used * (PAGE_SIZE / 1024),
	       m->used < m->limit ? "domain 0 has no more" : "that is its limit");
}

/* The page of sector s, made if there is none; NULL: no memory. */
static char *page_to_write(struct memory_disk *m, u64 s)
{
	void **page = &m->pages[s / PAGE_SECTORS];

	if (*page)
		return *page;
	if (m->used < m->limit && memory_left())
		*page = kmalloc(PAGE_SIZE);
	if (*page)
		m->used++;
	else
		tell_full(m);
	return *page;
}

/* The first sectors from s, at most `most`, that are all of one kind: here or in the base. */
static u32 run_of(const struct memory_disk *m, u64 s, u32 most, bool *here)
{
	u32 written, n = 1;

	most = MIN(most, PAGE_SECTORS - s % PAGE_SECTORS);
	*here = !m->base;
	if (*here)
		return most;
	written = m->written[s / PAGE_SECTORS] >> s % PAGE_SECTORS;
	*here = written & 1;
	while (n < most && (written >> n & 1) == *here)
		n++;
	return n;
}

static void base_done(struct block_request *r, int err)
{
	struct base_read *b = r->owner;

	parts_close(b->parent, err);
	kfree(b);
}

static void read_base(struct memory_disk *m, struct block_request *r, const struct block_piece *p, u32 at, u64 sector, u32 sectors)
{
	struct base_read *b = kmalloc(sizeof(*b));

	parts_add(r);
	if (!b) {
		parts_close(r, -EIO);
		return;
	}
	b->parent = r;
	b->piece = *p;
	b->piece.offset += at;
	b->piece.length = sectors << SECTOR_SHIFT;
	b->request = (struct block_request){ .op = BLOCK_READ, .sector = sector, .sectors = sectors, .pieces = &b->piece, .nr_pieces = 1,
					     .done = base_done, .owner = b };
	m->base_submitted = true;
	block_submit(m->base, &b->request);
}

static void read_piece(struct memory_disk *m, struct block_request *r, const struct block_piece *p, u64 sector)
{
	u32 sectors = p->length >> SECTOR_SHIFT, n;

	for (u32 i = 0; i < sectors; i += n) {
		u64 s = sector + i;
		char *page = m->pages[s / PAGE_SECTORS];
		bool here;

		n = run_of(m, s, sectors - i, &here);
		if (here)
			copy_piece(&m->batch, r, p, i << SECTOR_SHIFT, (page ? page : zero_page) + (s % PAGE_SECTORS << SECTOR_SHIFT),
				   n << SECTOR_SHIFT);
		else
			read_base(m, r, p, i << SECTOR_SHIFT, s, n);
	}
}

/* The page's end ends a run; the base does not matter to a write. */
static int write_piece(struct memory_disk *m, struct block_request *r, const struct block_piece *p, u64 sector)
{
	u32 sectors = p->length >> SECTOR_SHIFT, n;

	for (u32 i = 0; i < sectors; i += n) {
		u64 s = sector + i;
		char *page = page_to_write(m, s);

		if (!page)
			return -EIO;
		n = MIN(sectors - i, PAGE_SECTORS - s % PAGE_SECTORS);
		copy_piece(&m->batch, r, p, i << SECTOR_SHIFT, page + (s % PAGE_SECTORS << SECTOR_SHIFT), n << SECTOR_SHIFT);
		if (m->base)
			m->written[s / PAGE_SECTORS] |= ((1u << n) - 1) << s % PAGE_SECTORS;
	}
	return 0;
}

/* What was copied before must be there before the page goes. */
static void discard(struct memory_disk *m, u64 sector, u64 sectors)
{
	copy_run(&m->batch);
	for (u64 s = sector, n; s < sector + sectors; s += n) {
		void **page = &m->pages[s / PAGE_SECTORS];

		n = MIN(sector + sectors - s, PAGE_SECTORS - s % PAGE_SECTORS);
		if (*page && n == PAGE_SECTORS) {
			kfree(*page);
			*page = NULL;
			m->used--;
		} else if (*page) {
			memset(*page + (s % PAGE_SECTORS << SECTOR_SHIFT), 0, n << SECTOR_SHIFT);
		}
	}
}

static int act(struct memory_disk *m, struct block_request *r)
{
	u64 sector = r->sector;
	int err = 0;

	if (r->op == BLOCK_DISCARD)
		discard(m, sector, r->sectors);
	if (r->op == BLOCK_DISCARD || r->op == BLOCK_FLUSH)
		return 0;
	for (u32 i = 0; i < r->nr_pieces && !err; i++) {
		if (r->op == BLOCK_READ)
			read_piece(m, r, &r->pieces[i], sector);
		else
			err = write_piece(m, r, &r->pieces[i], sector);
		sector += r->pieces[i].length >> SECTOR_SHIFT;
	}
	return err;
}

static void memory_submit(struct block_device *d, struct block_request *r)
{
	struct memory_disk *m = disk_of(d);
	int err;

	mutex_lock(&m->lock);
	parts_open(r);
	err = act(m, r);
	parts_close(r, err);
	mutex_unlock(&m->lock);
}

static void memory_kick(struct block_device *d)
{
	struct memory_disk *m = disk_of(d);
	bool base;

	mutex_lock(&m->lock);
	copy_run(&m->batch);
	base = m->base_submitted;
	m->base_submitted = false;
	mutex_unlock(&m->lock);
	if (base)
		block_kick(m->base);
}

static void memory_release(struct block_device *d)
{
	struct memory_disk *m = disk_of(d);

	for (u64 i = 0; m->pages && i < m->nr_pages; i++)
		kfree(m->pages[i]);
	if (m->pages)
		vfree(m->pages);
	if (m->written)
		vfree(m->written);
	if (m->base)
		block_put(m->base);
	kfree(m);
}

static const struct block_ops memory_ops = { memory_submit, memory_kick, memory_release };

static void *vzalloc(u64 bytes)
{
	void *p = vmalloc(bytes);

	return p ? memset(p, 0, bytes) : NULL;
}

static struct memory_disk *memory_disk_new(u64 sectors)
{
	struct memory_disk *m = kmalloc(sizeof(*m));

	if (!m)
		return NULL;
	list_init(&m->lock.waiters.waiters);
	m->nr_pages = (sectors + PAGE_SECTORS - 1) / PAGE_SECTORS;
	m->limit = ~0ul;
	m->pages = vzalloc(m->nr_pages * sizeof(*m->pages));
	m->device = (struct block_device){ .sectors = sectors, .sector_size = SECTOR_SIZE, .physical_size = PAGE_SIZE, .can_flush = true,
					   .immediate = true, .max_pieces = MAX_PIECES, .ops = &memory_ops, .data = m };
	return m;
}

/* Nobody finds it by name; it ends with the reference that the caller gets. */
static struct block_device *private_disk(struct memory_disk *m, bool whole)
{
	if (!whole) {
		memory_release(&m->device);
		return NULL;
	}
	m->device.references = 1;
	return &m->device;
}

static struct block_device *registered_disk(struct memory_disk *m, const char *name)
{
	snprintf(m->device.name, sizeof(m->device.name), "%s", name);
	if (!m->pages || block_register(&m->device)) {
		memory_release(&m->device);
		return NULL;
	}
	return block_hold(&m->device);
}

struct block_device *disk_ram(const char *name, u64 bytes)
{
	struct memory_disk *m = bytes < SECTOR_SIZE ? NULL : memory_disk_new(bytes >> SECTOR_SHIFT);

	if (!m)
		return NULL;
	m->device.can_discard = true;
	if (name)
		return registered_disk(m, name);
	snprintf(m->device.name, sizeof(m->device.name), "ram");
	return private_disk(m, m->pages);
}

struct block_device *disk_overlay(struct block_device *base, u64 limit)
{
	struct memory_disk *m = memory_disk_new(base->sectors);

	if (!m)
		return NULL;
	m->base = m->device.below = block_hold(base);
	m->limit = limit / PAGE_SIZE;
	m->written = vzalloc(m->nr_pages);
	m->device.sector_size = base->sector_size;
	snprintf(m->device.name, sizeof(m->device.name), "overlay of %.20s", base->name);
	return private_disk(m, m->pages && m->written);
}

/* It never shrinks: what the block layer's gate has let in is in range for ever. */
int disk_grow(struct block_device *d, u64 bytes)
{
	struct memory_disk *m = disk_of(d);
	u64 sectors = bytes >> SECTOR_SHIFT, nr_pages = (sectors + PAGE_SECTORS - 1) / PAGE_SECTORS;
	void **pages, **old;

	if (d->ops != &memory_ops || m->base)
		return -EOPNOTSUPP;
	if (sectors < d->sectors)
		return -EINVAL;
	pages = vzalloc(nr_pages * sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	mutex_lock(&m->lock);
	old = m->pages;
	memcpy(pages, old, m->nr_pages * sizeof(*pages));
	m->pages = pages;
	m->nr_pages = nr_pages;
	d->sectors = sectors;
	mutex_unlock(&m->lock);
	vfree(old);
	return 0;
}

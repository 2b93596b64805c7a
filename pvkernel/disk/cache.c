/* SPDX-License-Identifier: MIT */
/*
 * Pages of a disk in memory: a table by hash, and a list by age, the youngest last. A page holds all its sectors; the disk's last
 * one may have fewer. It is clean (as the disk), or dirty (newer). Guarded by one mutex, held during I/O too, so that what is being
 * written is not changed meanwhile.
 *
 * Reading ahead: a miss just behind what was read last takes twice as many pages as the time before, up to 32, in one request.
 * Writing back: all dirty pages together, in the order of the disk, neighbours in one request; at a flush, or when the
 * oldest page is dirty and its place is needed. A page is clean when the disk has answered well, and dirty still when not. Then
 * each flush tries again, and so does who needs its place; that one takes it in any case. So a disk that refuses writes does not
 * fill the cache for ever, and what is lost with the place is told: by the next write or flush, and by a line.
 */
#include <abi/errno.h>

#include "../include/cache.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/mutex.h"
#include "../include/ops.h"

#define BUCKETS 512
#define MAX_AHEAD 32
#define MAX_RUN 64		/* pages in a request */
#define PAGE_SECTORS (PAGE_SIZE / SECTOR_SIZE)

struct page {
	struct list age;
	struct page *next;	/* in its bucket */
	u64 number;
	char *data;
	bool used, dirty;
	int err;		/* why it is dirty still: how its last write ended */
};

struct run {			/* a request of consecutive pages */
	struct block_request r;
	struct block_piece pieces[MAX_RUN];
	struct wait_queue ended;
	bool done;
	int err;
};

struct cache {
	struct block_device *device;
	struct mutex lock;
	struct page *buckets[BUCKETS];
	struct list pages;	/* the oldest first */
	struct page *all;
	struct page **sorted;	/* room for all, while writing back */
	u32 count, dirty;
	u64 last, ahead;	/* the page behind what was read last, and how many were */
	int error;		/* why a page was lost, until a flush has told it */
	struct run run;
	struct cache_counts counts;
};

/* --- pages ----------------------------------------------------------------------------------------------- */

static struct page **bucket(struct cache *c, u64 number)
{
	return &c->buckets[number % BUCKETS];
}

static struct page *find(struct cache *c, u64 number)
{
	struct page *p = *bucket(c, number);

	while (p && p->number != number)
		p = p->next;
	return p;
}

static void unhash(struct cache *c, struct page *p)
{
	struct page **at = bucket(c, p->number);

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->used = false;
}

static void hash(struct cache *c, struct page *p, u64 number)
{
	p->number = number;
	p->next = *bucket(c, number);
	*bucket(c, number) = p;
	p->used = true;
	p->dirty = false;
}

static void touch(struct cache *c, struct page *p)
{
	list_remove(&p->age);
	list_insert_before(&c->pages, &p->age);
}

static u64 disk_pages(const struct cache *c)
{
	return (c->device->sectors + PAGE_SECTORS - 1) / PAGE_SECTORS;
}

static u32 page_bytes(const struct cache *c, u64 number)
{
	return MIN(c->device->sectors - number * PAGE_SECTORS, PAGE_SECTORS) << SECTOR_SHIFT;
}

/* --- requests of consecutive pages ------------------------------------------------------------------------ */

static void run_done(struct block_request *r, int err)
{
	struct run *run = r->owner;
	bool irq = irq_save();

	run->err = err;
	run->done = true;
	wake_up(&run->ended);
	irq_restore(irq);
}

static int transfer(struct cache *c, enum block_op op, struct page *const *pages, u32 count)
{
	struct run *run = &c->run;
	u64 bytes = 0;
	bool irq;

	for (u32 i = 0; i < count; i++) {
		run->pieces[i] = (struct block_piece){ .page = pages[i]->data, .length = page_bytes(c, pages[i]->number) };
		bytes += run->pieces[i].length;
	}
	run->ended = (struct wait_queue)WAIT_QUEUE_INIT(run->ended);
	run->done = false;
	run->r = (struct block_request){ .op = op, .sector = pages[0]->number * PAGE_SECTORS, .sectors = bytes >> SECTOR_SHIFT,
					 .pieces = run->pieces, .nr_pieces = count, .done = run_done, .owner = run };
	block_submit(c->device, &run->r);
	block_kick(c->device);
	irq = irq_save();
	while (!run->done)
		wait_on(&run->ended);
	irq_restore(irq);
	return run->err;
}

static u32 run_limit(const struct cache *c)
{
	return MIN(c->device->max_pieces, MAX_RUN);
}

/* --- writing back ------------------------------------------------------------------------------------------ */

/* A heap's sort, by number. */
static void sift(struct page **pages, u32 at, u32 count)
{
	for (u32 child = 2 * at + 1; child < count; at = child, child = 2 * at + 1) {
		struct page *p = pages[at];

		if (child + 1 < count && pages[child]->number < pages[child + 1]->number)
			child++;
		if (p->number >= pages[child]->number)
			return;
		pages[at] = pages[child];
		pages[child] = p;
	}
}

static void sort(struct page **pages, u32 count)
{
	for (u32 i = count / 2; i--;)
		sift(pages, i, count);
	for (u32 i = count; i-- > 1;) {
		struct page *p = pages[0];

		pages[0] = pages[i];
		pages[i] = p;
		sift(pages, 0, i);
	}
}

static u32 collect_dirty(struct cache *c, bool refused)
{
	u32 n = 0;

	for (u32 i = 0; i < c->count; i++) {
		if (c->all[i].dirty && (refused || !c->all[i].err))
			c->sorted[n++] = &c->all[i];
	}
	sort(c->sorted, n);
	return n;
}

static int write_pages(struct cache *c, struct page *const *pages, u32 count)
{
	int err = transfer(c, BLOCK_WRITE, pages, count);

	for (u32 i = 0; i < count; i++) {
		pages[i]->dirty = err;
		pages[i]->err = err;
	}
	if (!err) {
		c->dirty -= count;
		c->counts.written_back += count;
	}
	return err;
}

/* A page that the disk refuses does not keep its neighbours from being written. */
static int write_run(struct cache *c, struct page *const *pages, u32 count)
{
	int first = write_pages(c, pages, count);

	if (!first || count == 1)
		return first;
	first = 0;
	for (u32 i = 0; i < count; i++) {
		int err = write_pages(c, pages + i, 1);

		first = first ? first : err;
	}
	return first;
}

/* All that can be, even if some cannot; the first error. refused: also those whose last write failed. */
static int write_back(struct cache *c, bool refused)
{
	u32 n = c->dirty ? collect_dirty(c, refused) : 0, run;
	int first = 0;

	for (u32 i = 0; i < n; i += run) {
		int err;

		for (run = 1; run < run_limit(c) && i + run < n && c->sorted[i + run]->number == c->sorted[i]->number + run; run++)
			;
		err = write_run(c, c->sorted + i, run);
		first = first ? first : err;
	}
	return first;
}

/* --- reading ------------------------------------------------------------------------------------------------ */

static void lose(struct cache *c, struct page *p)
{
	if (!c->error)
		printf("%s: a write of page %lu failed (%d), and its place is needed: what was written is lost\n", c->device->name, p->number, p->err);
	c->error = c->error ? c->error : p->err;
	p->dirty = false;
	c->dirty--;
	c->counts.lost++;
}

/* The oldest page, free for another number. */
static struct page *reuse(struct cache *c)
{
	struct page *p = list_entry(c->pages.next, struct page, age);

	if (p->dirty) {
		p->err = 0;
		write_back(c, false);
	}
	if (p->dirty)
		lose(c, p);
	if (p->used)
		unhash(c, p);
	touch(c, p);
	return p;
}

static u64 window(struct cache *c, u64 number)
{
	u64 ahead = number == c->last ? MIN(c->ahead * 2, MAX_AHEAD) : 1;

	return MIN(MAX(ahead, 1ul), MIN(disk_pages(c) - number, run_limit(c)));
}

/* Pages from number on, until one is there; they are in the table when the read went well. */
static int fill(struct cache *c, u64 number)
{
	struct page *pages[MAX_AHEAD];
	u64 wanted = window(c, number), n = 0;
	int err = 0;

	for (; n < wanted && !find(c, number + n); n++) {
		pages[n] = reuse(c);
		hash(c, pages[n], number + n);
	}
	if (n)
		err = transfer(c, BLOCK_READ, pages, n);
	for (u64 i = 0; err && i < n; i++)
		unhash(c, pages[i]);
	c->ahead = n;
	c->last = number + n;
	c->counts.misses++;
	c->counts.read_ahead += n ? n - 1 : 0;
	return err;
}

static int get(struct cache *c, u64 number, struct page **p)
{
	int err = 0;

	*p = find(c, number);
	if (*p) {
		c->counts.hits++;
	} else {
		err = fill(c, number);
		*p = err ? NULL : find(c, number);
	}
	if (*p)
		touch(c, *p);
	return err;
}

/* To be written whole: what the disk has of it does not matter. */
static struct page *get_blank(struct cache *c, u64 number)
{
	struct page *p = find(c, number);

	if (p) {
		touch(c, p);
		return p;
	}
	p = reuse(c);
	hash(c, p, number);
	return p;
}

/* --- the outside --------------------------------------------------------------------------------------------- */

static bool inside(const struct cache *c, u64 offset, size_t bytes)
{
	u64 end = c->device->sectors << SECTOR_SHIFT;

	return offset <= end && bytes <= end - offset;
}

int cache_read(struct cache *c, u64 offset, void *buf, size_t bytes)
{
	int err = inside(c, offset, bytes) ? 0 : -EINVAL;
	struct page *p;
	u64 n;

	mutex_lock(&c->lock);
	for (char *to = buf; !err && bytes; to += n, offset += n, bytes -= n) {
		n = MIN(bytes, PAGE_SIZE - offset % PAGE_SIZE);
		err = get(c, offset / PAGE_SIZE, &p);
		if (!err)
			memcpy(to, p->data + offset % PAGE_SIZE, n);
	}
	mutex_unlock(&c->lock);
	return err;
}

int cache_write(struct cache *c, u64 offset, const void *buf, size_t bytes)
{
	int err = c->device->readonly ? -EROFS : inside(c, offset, bytes) ? 0 : -EINVAL;
	struct page *p;
	u64 n;

	mutex_lock(&c->lock);
	err = err ? err : c->error;
	for (const char *from = buf; !err && bytes; from += n, offset += n, bytes -= n) {
		u64 number = offset / PAGE_SIZE;

		n = MIN(bytes, PAGE_SIZE - offset % PAGE_SIZE);
		if (n == page_bytes(c, number))
			p = get_blank(c, number);
		else
			err = get(c, number, &p);
		if (err)
			break;
		memcpy(p->data + offset % PAGE_SIZE, from, n);
		c->dirty += !p->dirty;
		p->dirty = true;
	}
	mutex_unlock(&c->lock);
	return err;
}

int cache_flush(struct cache *c)
{
	int err;

	mutex_lock(&c->lock);
	err = write_back(c, true);
	err = err ? err : c->error;
	c->error = 0;
	err = err ? err : block_flush(c->device);
	mutex_unlock(&c->lock);
	return err;
}

void cache_forget(struct cache *c)
{
	mutex_lock(&c->lock);
	for (u32 i = 0; i < c->count; i++) {
		if (c->all[i].used && !c->all[i].dirty)
			unhash(c, &c->all[i]);
	}
	mutex_unlock(&c->lock);
}

struct cache_counts cache_counts(const struct cache *c)
{
	return c->counts;
}

static bool give_pages(struct cache *c, u32 count)
{
	for (; c->count < count; c->count++) {
		struct page *p = &c->all[c->count];
		u64 pfn = page_alloc();

		if (pfn == NO_PAGE)
			return false;
		p->data = pfn_to_virt(pfn);
		list_init(&p->age);
		list_insert_before(&c->pages, &p->age);
	}
	return true;
}

struct cache *cache_create(struct block_device *d, u32 pages)
{
	struct cache *c = kmalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->device = block_hold(d);
	c->lock = (struct mutex)MUTEX_INIT(c->lock);
	list_init(&c->pages);
	pages = MAX(pages, 2u * MAX_AHEAD);
	c->all = kmalloc(pages * sizeof(*c->all));
	c->sorted = kmalloc(pages * sizeof(*c->sorted));
	if (c->all && c->sorted && give_pages(c, pages))
		return c;
	cache_destroy(c);
	return NULL;
}

void cache_destroy(struct cache *c)
{
	for (u32 i = 0; i < c->count; i++)
		page_free(virt_to_pfn(c->all[i].data));
	kfree(c->all);
	kfree(c->sorted);
	block_put(c->device);
	kfree(c);
}

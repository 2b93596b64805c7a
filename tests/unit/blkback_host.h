/* SPDX-License-Identifier: MIT */
/*
 * blkback's requests, rates and queues on the host, with a pretended hypervisor, disk and frontend. The pretended disk checks all that a
 * disk is promised, and finishes requests when it is told to. What includes this is one program.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PVK_OPS_H
#define PVK_SCHED_H
#define PVK_MM_H
#define PVK_LIB_H
#define PVK_TIME_H
#include <abi/errno.h>
#include <abi/grant_table.h>
#include <abi/xen.h>

#include "../../pvkernel/include/gnttab.h"
#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/types.h"

#define NSEC_PER_SEC 1000000000ul
#define NSEC_PER_MSEC 1000000ul
#define PAGE_SIZE 4096ul
#define PAGE_SHIFT 12
#define NO_PAGE 0ul
#define DOMID_GUEST 7
#define DEVID 51712
#define DISK_SECTORS 4096u
#define PAGES 300u			/* that the guest grants: reference n is page n */
#define RING_PAGES 2u

struct thread { int unused; };
struct wait_queue { struct list waiters; };
struct timer { struct list node; u64 when; void (*fn)(void *arg); void *arg; bool armed; };

static u64 clock_ns = 1;
static bool no_memory;

static u64 now(void) { return clock_ns; }
static bool irq_save(void) { return true; }
static void irq_restore(bool was) { }
static void wake_up(struct wait_queue *q) { }
static void wait_on(struct wait_queue *q) { }
static void thread_yield(void) { }
static void thread_join(struct thread *t) { }
static struct thread the_thread;
static struct thread *thread_create(const char *name, void (*fn)(void *), void *arg) { return no_memory ? NULL : &the_thread; }
static void timer_cancel(struct timer *t) { t->armed = false; }
static void timer_add(struct timer *t, u64 when) { t->when = when; t->armed = true; }
static void *kmalloc(size_t size) { return no_memory ? NULL : calloc(1, size); }
static void kfree(void *p) { free(p); }
static u64 page_alloc(void) { return no_memory ? NO_PAGE : (u64)aligned_alloc(PAGE_SIZE, PAGE_SIZE) >> PAGE_SHIFT; }
static void *pfn_to_virt(u64 pfn) { return (void *)(pfn << PAGE_SHIFT); }
static u64 virt_to_pfn(const void *va) { return (u64)va >> PAGE_SHIFT; }
static u64 pfn_to_mfn(u64 pfn) { return pfn; }
static void page_free(u64 pfn) { free(pfn_to_virt(pfn)); }

static u8 guest_pages[PAGES][PAGE_SIZE];

/* Of the copies only those of indirect segments are blkback's own. */
int gnttab_copy(struct gnttab_copy *op, u32 count)
{
	assert(count == 1 && op->flags == GNTCOPY_source_gref && op->source.domid == DOMID_GUEST);
	assert(op->source.offset + op->len <= PAGE_SIZE && op->dest.offset + op->len <= PAGE_SIZE && op->len);
	if (op->source.u.ref >= PAGES)
		return -EIO;
	memcpy((u8 *)pfn_to_virt(op->dest.u.gmfn) + op->dest.offset, guest_pages[op->source.u.ref] + op->source.offset, op->len);
	return 0;
}

#include "../../drivers/backend/blkback_rate.c"
#include "../../drivers/backend/blkback_request.c"
#include "../../drivers/backend/blkback_queue.c"
#include "../../drivers/backend/blkback_share.c"
#include "../../ring-buffers/ring.c"

/* --- the disk --- */

static struct disk {
	u8 data[DISK_SECTORS * SECTOR_SIZE];
	struct list submitted;
	u32 waiting, kicks;
	bool slow;			/* finishes by disk_finish() only */
	int fail;			/* of the next to be finished */
	char log[256];			/* R W F D, in order of their end */
} disk;

static void move(struct block_request *r)
{
	u64 at = r->sector * SECTOR_SIZE;

	for (u32 i = 0; i < r->nr_pieces; i++) {
		struct block_piece *p = &r->pieces[i];
		u8 *page = guest_pages[p->ref];

		if (r->op == BLOCK_READ)
			memcpy(page + p->offset, disk.data + at, p->length);
		else
			memcpy(disk.data + at, page + p->offset, p->length);
		at += p->length;
	}
}

/* What blkback may hand over: nothing else gets this far. */
static int judge(const struct block_request *r)
{
	u64 sectors = 0;
	int err = 0;

	assert(r->op == BLOCK_FLUSH || (r->sectors && r->sector < DISK_SECTORS && r->sectors <= DISK_SECTORS - r->sector));
	assert(r->op == BLOCK_READ || r->op == BLOCK_WRITE ? r->nr_pieces && r->nr_pieces <= BLKBACK_SEGMENTS : !r->nr_pieces);
	for (u32 i = 0; i < r->nr_pieces; i++) {
		const struct block_piece *p = &r->pieces[i];

		assert(!p->page && p->granter == DOMID_GUEST && p->length && p->length % SECTOR_SIZE == 0);
		assert(p->offset % SECTOR_SIZE == 0 && p->offset + p->length <= PAGE_SIZE);
		sectors += p->length / SECTOR_SIZE;
		if (p->ref >= PAGES)
			err = -EFAULT;
	}
	assert(r->op == BLOCK_FLUSH || r->op == BLOCK_DISCARD || sectors == r->sectors);
	return err;
}

/* The one that came first; false: there is none. */
static bool disk_finish(void)
{
	struct block_request *r;
	int err;

	if (list_empty(&disk.submitted))
		return false;
	r = list_entry(disk.submitted.next, struct block_request, node);
	list_remove(&r->node);
	disk.waiting--;
	err = disk.fail ? disk.fail : judge(r);
	disk.fail = 0;
	if (!err)
		move(r);
	if (strlen(disk.log) < sizeof(disk.log) - 1)
		disk.log[strlen(disk.log)] = "RWFD"[r->op];
	r->done(r, err);
	return true;
}

void block_submit(struct block_device *d, struct block_request *r)
{
	judge(r);
	list_insert_before(&disk.submitted, &r->node);
	disk.waiting++;
}

void block_kick(struct block_device *d)
{
	disk.kicks++;
	while (!disk.slow && disk_finish())
		;
}

/* --- the rest of the kernel --- */

static u32 notified, masked;
static bool closed;

int evtchn_send(u32 port) { notified++; return 0; }
void evtchn_mask(u32 port) { masked |= 1u << port; }
void evtchn_unmask(u32 port) { masked &= ~(1u << port); }
void backend_close(struct backend *b, int err) { closed = true; }
void back_error(struct backend *b, int err, const char *format, ...) { }

/* --- a device with its frontend --- */

static struct block_device device = { .sectors = DISK_SECTORS, .sector_size = 512, .max_pieces = BLKBACK_SEGMENTS };
static struct backend back = { .domid = DOMID_GUEST, .devid = DEVID };
static struct vbd vbd;
static u8 ring_pages[BLKBACK_QUEUES][RING_PAGES * PAGE_SIZE] __attribute__((aligned(64)));
static struct ring_front front[BLKBACK_QUEUES];

static inline void host_begin(u32 queues)
{
	memset(&disk, 0, sizeof(disk));
	list_init(&disk.submitted);
	notified = masked = 0;
	closed = false;
	vbd = (struct vbd){ .back = &back, .disk = &device, .nr_queues = queues, .rules = {
		.sectors = DISK_SECTORS, .handle = (u16)DEVID, .domid = DOMID_GUEST, .can_flush = true, .can_discard = true,
	} };
	blkback_prepare(&vbd);
	for (u32 i = 0; i < queues; i++) {
		ring_front_init(&front[i], ring_pages[i], sizeof(ring_pages[i]), sizeof(union blkback_ring_request));
		vbd.queues[i] = (struct blkback_queue){ .vbd = &vbd, .port = i };
		ring_back_init(&vbd.queues[i].ring, ring_pages[i], sizeof(ring_pages[i]), sizeof(union blkback_ring_request));
	}
	if (blkback_start(&vbd))
		abort();
}

static inline void host_run(void)
{
	while (blkback_round(&vbd))
		;
}

/* As the thread ends: when all that was taken is answered. */
static inline void host_end(void)
{
	vbd.stopping = true;
	disk.slow = false;
	while (vbd.in_flight) {
		while (disk_finish())
			;
		blkback_round(&vbd);
	}
	blkback_stop(&vbd);
	assert(!vbd.share && !vbd.bytes_in_flight && !vbd.held);
}

/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/disk/cache.c on the host, over a disk in memory whose requests fail on demand. Before it: DISK_SECTORS. Its names `find` and
 * `bucket` are not taken from others that a test includes.
 */
#ifndef CACHE_HOST_H
#define CACHE_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of the kernel's headers. */
#define PVK_LIB_H
#define PVK_MM_H
#define PVK_MUTEX_H
#define PVK_OPS_H
#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/types.h"

#define PAGE_SIZE 4096ul
#define NO_PAGE 0ul
#define WAIT_QUEUE_INIT(q) { 0 }
#define MUTEX_INIT(m) { 0 }

struct wait_queue { int unused; };
struct mutex { int locked; };

static bool irq_save(void) { return true; }
static void irq_restore(bool was) { }
static void mutex_lock(struct mutex *m) { assert_int_equal(m->locked++, 0); }
static void mutex_unlock(struct mutex *m) { m->locked--; }
static void wait_on(struct wait_queue *q) { fail(); }
static void wake_up(struct wait_queue *q) { }
static u64 page_alloc(void) { return (u64)aligned_alloc(PAGE_SIZE, PAGE_SIZE) >> 12; }
static void page_free(u64 pfn) { free((void *)(pfn << 12)); }
static void *pfn_to_virt(u64 pfn) { return (void *)(pfn << 12); }
static u64 virt_to_pfn(const void *va) { return (u64)va >> 12; }
static void *kmalloc(size_t size) { return calloc(1, size); }
static void kfree(void *p) { free(p); }

#define printf(...) ((void)0)
#define find cache_find
#define bucket cache_bucket
#include "../../pvkernel/disk/cache.c"
#undef find
#undef bucket
#undef printf

#define DISK_BYTES ((u64)DISK_SECTORS * SECTOR_SIZE)

static u8 disk[DISK_BYTES];
static u32 requests;
static u32 fail_one_in;			/* of all requests; 0: none */
static u64 bad_first, bad_sectors;	/* writes that touch these fail */
static struct block_device disk_device = { .name = "xvda", .sectors = DISK_SECTORS, .max_pieces = 16, .scanned = true };

struct block_device *block_hold(struct block_device *d) { return d; }
void block_put(struct block_device *d) { }
void block_kick(struct block_device *d) { }

static bool fails(const struct block_request *r)
{
	bool bad = bad_sectors && r->op == BLOCK_WRITE && r->sector < bad_first + bad_sectors && r->sector + r->sectors > bad_first;

	return bad || (fail_one_in && rand() % fail_one_in == 0);
}

void block_submit(struct block_device *d, struct block_request *r)
{
	u8 *at = disk + r->sector * SECTOR_SIZE, *from = at;

	requests++;
	assert_true(r->nr_pieces <= d->max_pieces && r->sector + r->sectors <= d->sectors);
	if (fails(r)) {
		r->done(r, -EIO);
		return;
	}
	for (u32 i = 0; i < r->nr_pieces; i++) {
		u8 *page = (u8 *)r->pieces[i].page + r->pieces[i].offset;

		memcpy(r->op == BLOCK_READ ? page : at, r->op == BLOCK_READ ? at : page, r->pieces[i].length);
		at += r->pieces[i].length;
	}
	assert_int_equal(at - from, r->sectors * SECTOR_SIZE);
	r->done(r, 0);
}

#endif

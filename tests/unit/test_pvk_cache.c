/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/disk/cache.c over a disk in memory, against a model: what is read is what was written last, whatever was evicted between;
 * after a flush the disk is the model; a disk that fails loses nothing; reading in order takes few requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PVK_MM_H
#define PVK_OPS_H
#define PVK_LIB_H
#define PVK_MUTEX_H
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

#include "../../pvkernel/disk/cache.c"

#define SECTORS 1999u			/* the last page is not whole */
#define BYTES (SECTORS * SECTOR_SIZE)

static u8 disk[BYTES], stable[BYTES], model[BYTES];
static u32 requests, fail_one_in;

struct block_device *block_hold(struct block_device *d) { return d; }
void block_put(struct block_device *d) { }
void block_kick(struct block_device *d) { }

int block_flush(struct block_device *d)
{
	memcpy(stable, disk, BYTES);
	return 0;
}

void block_submit(struct block_device *d, struct block_request *r)
{
	u8 *at = disk + r->sector * SECTOR_SIZE;
	u64 bytes = 0;

	requests++;
	assert_true(r->nr_pieces <= d->max_pieces && r->sector + r->sectors <= SECTORS);
	if (fail_one_in && rand() % fail_one_in == 0) {
		r->done(r, -EIO);
		return;
	}
	for (u32 i = 0; i < r->nr_pieces; i++) {
		u8 *page = (u8 *)r->pieces[i].page + r->pieces[i].offset;

		memcpy(r->op == BLOCK_READ ? page : at + bytes, r->op == BLOCK_READ ? at + bytes : page, r->pieces[i].length);
		bytes += r->pieces[i].length;
	}
	assert_int_equal(bytes, r->sectors * SECTOR_SIZE);
	r->done(r, 0);
}

static struct block_device device = { .sectors = SECTORS, .max_pieces = 11 };

static void step(struct cache *c)
{
	static u8 buf[BYTES];
	u64 offset = rand() % BYTES, most = rand() % 4 ? 3000 : 100000, length = rand() % MIN(BYTES - offset + 1, most);
	int err;

	if (rand() % 2) {
		err = cache_read(c, offset, buf, length);
		assert_true(!err || fail_one_in);
		if (!err)
			assert_memory_equal(buf, model + offset, length);
		return;
	}
	for (u64 i = 0; i < length; i++)
		buf[i] = rand();
	err = cache_write(c, offset, buf, length);
	assert_true(!err || fail_one_in);
	if (!err)
		memcpy(model + offset, buf, length);
	else	/* part of it may be there: what, the cache says */
		for (fail_one_in = 0; cache_read(c, offset, model + offset, length); )
			fail();
}

static void random_steps(u32 failing)
{
	struct cache *c = cache_create(&device, 64);

	assert_non_null(c);
	memcpy(model, disk, BYTES);
	for (u32 i = 0; i < 20000; i++) {
		fail_one_in = failing;
		step(c);
		if (rand() % 50)
			continue;
		if (!cache_flush(c))
			assert_memory_equal(stable, model, BYTES);
		else
			assert_true(failing);
	}
	fail_one_in = 0;
	assert_int_equal(cache_flush(c), 0);
	assert_memory_equal(stable, model, BYTES);
	cache_destroy(c);
}

static void test_random(void **state)
{
	random_steps(0);
}

static void test_failing(void **state)
{
	random_steps(20);
}

static void test_ahead(void **state)
{
	struct cache *c = cache_create(&device, 256);
	static u8 buf[PAGE_SIZE];

	requests = 0;
	device.max_pieces = 256;
	for (u32 at = 0; at + PAGE_SIZE <= BYTES; at += PAGE_SIZE) {
		assert_int_equal(cache_read(c, at, buf, PAGE_SIZE), 0);
		assert_memory_equal(buf, model + at, PAGE_SIZE);
	}
	assert_true(requests <= 6 + 249 / 32);	/* 1 2 4 8 16, then 32 at a time */
	requests = 0;
	for (u32 at = 0; at + PAGE_SIZE <= BYTES; at += PAGE_SIZE)
		assert_int_equal(cache_write(c, at, buf, PAGE_SIZE), 0);
	assert_int_equal(requests, 0);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(requests, 4);		/* 249 pages, 64 in a request */
	assert_int_equal(cache_read(c, BYTES, buf, 1), -EINVAL);
	assert_int_equal(cache_write(c, ~0ul, buf, 2), -EINVAL);
	device.readonly = true;
	assert_int_equal(cache_write(c, 0, buf, 1), -EROFS);
	device.readonly = false;
	cache_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_failing),
		cmocka_unit_test(test_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

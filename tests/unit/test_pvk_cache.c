/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/disk/cache.c against a model: what is read is what was written last, whatever was evicted between; after a flush
 * the disk is the model; of a disk that fails nothing is lost but what a write or a flush says; one that refuses writes does not keep
 * others from being served; reading in order takes few requests.
 */
#define DISK_SECTORS 1999u	/* the last page is not whole */
#include "cache_host.h"

#define BYTES DISK_BYTES
#define PAGES 64u		/* of the cache, the fewest there may be */

static u8 stable[BYTES], model[BYTES];

int block_flush(struct block_device *d)
{
	memcpy(stable, disk, BYTES);
	return 0;
}

/* What of it is there the cache says. */
static void look_again(struct cache *c, u64 offset, u64 length)
{
	fail_one_in = 0;
	assert_int_equal(cache_read(c, offset, model + offset, length), 0);
}

static void step(struct cache *c, u32 failing)
{
	static u8 buf[BYTES];
	u64 offset = rand() % BYTES, most = rand() % 4 ? 3000 : 100000, length = rand() % MIN(BYTES - offset + 1, most);
	u64 lost = cache_counts(c).lost;
	int err;

	for (u64 i = 0; i < length; i++)
		buf[i] = rand();
	if (rand() % 2) {
		err = cache_read(c, offset, buf, length);
		if (!err && lost == cache_counts(c).lost)
			assert_memory_equal(buf, model + offset, length);
	} else {
		err = cache_write(c, offset, buf, length);
		if (!err)
			memcpy(model + offset, buf, length);
		else
			look_again(c, offset, length);
	}
	assert_true(!err || failing);
}

static void flush(struct cache *c, bool lost)
{
	int err = cache_flush(c);

	assert_true(!err || fail_one_in || lost);
	assert_true(err || !lost);
	if (!err)
		assert_memory_equal(stable, model, BYTES);
}

static void random_steps(u32 failing)
{
	struct cache *c = cache_create(&disk_device, PAGES);
	u64 told = 0;

	assert_non_null(c);
	memcpy(model, disk, BYTES);
	for (u32 i = 0; i < 20000; i++) {
		u64 lost = cache_counts(c).lost;

		fail_one_in = failing;
		step(c, failing);
		if (cache_counts(c).lost != lost)
			look_again(c, 0, BYTES);
		fail_one_in = failing;
		if (rand() % 50)
			continue;
		flush(c, cache_counts(c).lost != told);
		told = cache_counts(c).lost;
	}
	fail_one_in = 0;
	flush(c, cache_counts(c).lost != told);
	flush(c, false);
	assert_true(!told == !failing);
	cache_destroy(c);
}

static void test_random(void **state)
{
	random_steps(0);
}

static void test_failing(void **state)
{
	random_steps(5);
}

static void write_page(struct cache *c, u32 page, u8 byte, int expected)
{
	u8 buf[PAGE_SIZE];

	memset(buf, byte, PAGE_SIZE);
	assert_int_equal(cache_write(c, page * PAGE_SIZE, buf, PAGE_SIZE), expected);
}

static u8 read_page(struct cache *c, u32 page)
{
	u8 buf[PAGE_SIZE];

	assert_int_equal(cache_read(c, page * PAGE_SIZE, buf, PAGE_SIZE), 0);
	return buf[0];
}

/* Pages 10 to 99 are refused: as many as fill the cache, and more. */
static void refuse(void)
{
	memset(disk, 0, BYTES);
	bad_first = 10 * PAGE_SECTORS;
	bad_sectors = 90 * PAGE_SECTORS;
}

/* Those that it takes are written, though they are in one request with those that it does not; these are kept while there is place. */
static void test_refused(void **state)
{
	struct cache *c = cache_create(&disk_device, PAGES);

	refuse();
	for (u32 page = 5; page < 15; page++)
		write_page(c, page, page, 0);
	assert_int_equal(cache_flush(c), -EIO);
	assert_int_equal(cache_flush(c), -EIO);
	for (u32 page = 5; page < 15; page++) {
		assert_int_equal(disk[page * PAGE_SIZE], page < 10 ? page : 0);
		assert_int_equal(read_page(c, page), page);
	}
	bad_sectors = 0;
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(disk[14 * PAGE_SIZE], 14);
	assert_int_equal(cache_counts(c).lost, 0);
	cache_destroy(c);
}

/* More than there is place for: the oldest are lost, which is told, and the cache serves others as before. */
static void test_full_of_refused(void **state)
{
	struct cache *c = cache_create(&disk_device, PAGES);

	refuse();
	for (u32 page = 10; page < 10 + PAGES; page++)
		write_page(c, page, page, 0);
	requests = 0;
	for (u32 page = 150; page < 150 + 20; page++)
		assert_int_equal(read_page(c, page), 0);
	assert_true(cache_counts(c).lost >= 20 && cache_counts(c).lost < 52);
	assert_true(requests < 3 * PAGES);
	write_page(c, 200, 1, -EIO);
	assert_int_equal(read_page(c, 10), 0);
	assert_int_equal(read_page(c, 9 + PAGES), 9 + PAGES);
	bad_sectors = 0;
	assert_int_equal(cache_flush(c), -EIO);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(disk[(9 + PAGES) * PAGE_SIZE], 9 + PAGES);
	write_page(c, 200, 1, 0);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(disk[200 * PAGE_SIZE], 1);
	cache_destroy(c);
}

static void test_ahead(void **state)
{
	struct cache *c = cache_create(&disk_device, 256);
	static u8 buf[PAGE_SIZE];

	requests = 0;
	disk_device.max_pieces = 256;
	for (u32 at = 0; at + PAGE_SIZE <= BYTES; at += PAGE_SIZE) {
		assert_int_equal(cache_read(c, at, buf, PAGE_SIZE), 0);
		assert_memory_equal(buf, disk + at, PAGE_SIZE);
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
	disk_device.readonly = true;
	assert_int_equal(cache_write(c, 0, buf, 1), -EROFS);
	disk_device.readonly = false;
	cache_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_failing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_full_of_refused),
		cmocka_unit_test(test_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

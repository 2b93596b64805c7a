/* SPDX-License-Identifier: MIT */
/*
 * A write-back cache over a block device, for byte ranges of any alignment. For threads, of which any number may call; one at a
 * time is served. What is written is on the disk after cache_flush(), and before it only perhaps. Who reads or writes the
 * device past the cache does not see what is in it.
 */
#ifndef PVK_CACHE_H
#define PVK_CACHE_H

#include "block.h"
#include "types.h"

struct cache;

struct cache_counts {
	u64 hits, misses, read_ahead, written_back;	/* pages */
	u64 lost;	/* that the disk refused until their place was needed */
};

struct cache *cache_create(struct block_device *d, u32 pages);	/* holds d; NULL: no memory. At least 64 pages */
void cache_destroy(struct cache *c);	/* what was not flushed is lost */

/*
 * Errors: of the device; -EINVAL: beyond its end; -EROFS. What the device refuses stays in the cache and is tried again, by each flush and
 * when its place is needed; flushes fail for as long. If its place is needed and the device refuses it still, then it is lost: reads
 * find what the device has, and so say all writes until the next flush, and that flush, once, by the device's error.
 */
int cache_read(struct cache *c, u64 offset, void *buf, size_t bytes);
int cache_write(struct cache *c, u64 offset, const void *buf, size_t bytes);
int cache_flush(struct cache *c);
void cache_forget(struct cache *c);	/* clean pages are read anew */
struct cache_counts cache_counts(const struct cache *c);

#endif

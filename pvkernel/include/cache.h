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
};

struct cache *cache_create(struct block_device *d, u32 pages);	/* holds d; NULL: no memory. At least 64 pages */
void cache_destroy(struct cache *c);	/* what was not flushed is lost */

/* Errors: of the device; -EINVAL: beyond its end; -ENOMEM. */
int cache_read(struct cache *c, u64 offset, void *buf, size_t bytes);
int cache_write(struct cache *c, u64 offset, const void *buf, size_t bytes);
int cache_flush(struct cache *c);	/* after an error what was not written is still in the cache, and tried again by the next */
void cache_forget(struct cache *c);	/* clean pages are read anew */
struct cache_counts cache_counts(const struct cache *c);

#endif

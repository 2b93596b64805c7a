/* SPDX-License-Identifier: MIT */
/*
 * What libext2fs wants of its surroundings: an io_manager, here the cache over a block device, and a few functions that elsewhere come
 * from an operating system. Block numbers count in the channel's block size; a negative count is one of bytes.
 */
#include <errno.h>

#include <ext2fs/ext2fs.h>
#include <ext2fs/ext2fsP.h>

#include "ext_io.h"
#include "lib.h"
#include "libc.h"

#define CACHE_PAGES 512u		/* 2 MiB */

struct ext_channel {
	struct struct_io_channel io;	/* first: it is what the library has */
	struct cache *cache;
};

struct cache *ext_io_cache(io_channel channel)
{
	return ((struct ext_channel *)channel)->cache;
}

static errcode_t io_open(const char *name, int flags, io_channel *channel)
{
	struct block_device *d = block_get(name);
	struct ext_channel *c = d ? calloc(1, sizeof(*c)) : NULL;

	if (c)
		c->cache = cache_create(d, CACHE_PAGES);
	if (d)
		block_put(d);
	if (!c || !c->cache) {
		free(c);
		return d ? ENOMEM : ENODEV;
	}
	c->io = (struct struct_io_channel){ .magic = EXT2_ET_MAGIC_IO_CHANNEL, .manager = ext_io_manager, .name = "disk", .block_size = 1024,
					    .refcount = 1 };
	*channel = &c->io;
	return 0;
}

static errcode_t io_close(io_channel channel)
{
	if (--channel->refcount > 0)
		return 0;
	cache_destroy(ext_io_cache(channel));
	free(channel);
	return 0;
}

static errcode_t io_set_block_size(io_channel channel, int size)
{
	channel->block_size = size;
	return 0;
}

static size_t io_bytes(io_channel channel, int count)
{
	return count < 0 ? -(s64)count : (s64)count * channel->block_size;
}

static errcode_t io_read64(io_channel channel, unsigned long long block, int count, void *data)
{
	return -cache_read(ext_io_cache(channel), block * channel->block_size, data, io_bytes(channel, count));
}

static errcode_t io_write64(io_channel channel, unsigned long long block, int count, const void *data)
{
	return -cache_write(ext_io_cache(channel), block * channel->block_size, data, io_bytes(channel, count));
}

static errcode_t io_read(io_channel channel, unsigned long block, int count, void *data)
{
	return io_read64(channel, block, count, data);
}

static errcode_t io_write(io_channel channel, unsigned long block, int count, const void *data)
{
	return io_write64(channel, block, count, data);
}

static errcode_t io_write_bytes(io_channel channel, unsigned long offset, int count, const void *data)
{
	return -cache_write(ext_io_cache(channel), offset, data, count);
}

static errcode_t io_flush(io_channel channel)
{
	return -cache_flush(ext_io_cache(channel));
}

static struct struct_io_manager manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "cache",
	.open = io_open,
	.close = io_close,
	.set_blksize = io_set_block_size,
	.read_blk = io_read,
	.write_blk = io_write,
	.flush = io_flush,
	.write_byte = io_write_bytes,
	.read_blk64 = io_read64,
	.write_blk64 = io_write64,
};

io_manager ext_io_manager = &manager;

int ext_errno(errcode_t err)
{
	switch (err) {
	case 0 ... 255:
		return -(int)err;
	case EXT2_ET_NO_MEMORY:
		return -ENOMEM;
	case EXT2_ET_FILE_NOT_FOUND:
		return -ENOENT;
	case EXT2_ET_NO_DIRECTORY:
		return -ENOTDIR;
	case EXT2_ET_DIR_EXISTS:
	case EXT2_ET_FILE_EXISTS:
		return -EEXIST;
	case EXT2_ET_BLOCK_ALLOC_FAIL:
	case EXT2_ET_INODE_ALLOC_FAIL:
	case EXT2_ET_FILE_TOO_BIG:
		return -ENOSPC;
	case EXT2_ET_RO_FILSYS:
	case EXT2_ET_FILE_RO:
		return -EROFS;
	}
	return -EIO;
}

/* --- what the library calls -------------------------------------------------------------------------------------- */

/* Its complaints about what is on a disk. */
void com_err(const char *who, long code, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt ? fmt : "", ap);
	va_end(ap);
	printf("filesystem: %s: %s (%ld)\n", who ? who : "libext2fs", text, code);
}

int *__errno_location(void)
{
	static int number;	/* the library sets it, under the filesystem's lock, and nobody else */

	return &number;
}

/* There is no environment. */
char *getenv(const char *name)
{
	return NULL;
}

/* Nobody watches its progress. */
void ext2fs_numeric_progress_init(ext2_filsys fs, struct ext2fs_numeric_progress_struct *progress, const char *label, __u64 max)
{
}

void ext2fs_numeric_progress_update(ext2_filsys fs, struct ext2fs_numeric_progress_struct *progress, __u64 value)
{
}

void ext2fs_numeric_progress_close(ext2_filsys fs, struct ext2fs_numeric_progress_struct *progress, const char *message)
{
}

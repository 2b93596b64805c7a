/* SPDX-License-Identifier: MIT */
/* What domain 0 has in place of a filesystem: the files of its ramdisk, to be read. */
#include <abi/errno.h>

#include "../include/fs.h"
#include "../include/lib.h"
#include "ramdisk.h"

int fs_open(const char *path, u32 flags, struct fs_file **f)
{
	const struct ramdisk_file *file;

	while (*path == '/')
		path++;
	file = ramdisk_find(path);
	if (flags)
		return -EROFS;
	if (!file)
		return -ENOENT;
	*f = (struct fs_file *)file;
	return 0;
}

s64 fs_read(struct fs_file *f, u64 offset, void *buf, size_t size)
{
	const struct ramdisk_file *file = (const struct ramdisk_file *)f;
	u64 n = offset < file->size ? MIN(size, file->size - offset) : 0;

	memcpy(buf, (const char *)file->data + offset, n);
	return n;
}

s64 fs_write(struct fs_file *f, u64 offset, const void *buf, size_t size)
{
	return -EROFS;
}

u64 fs_size(struct fs_file *f)
{
	return ((const struct ramdisk_file *)f)->size;
}

int fs_close(struct fs_file *f)
{
	return 0;
}

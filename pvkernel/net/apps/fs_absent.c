/* SPDX-License-Identifier: MIT */
/* For an image without a filesystem: there are no files. */
#include <abi/errno.h>

#include "fs.h"

__attribute__((weak)) int fs_open(const char *path, u32 flags, struct fs_file **f)
{
	return -ENODEV;
}

__attribute__((weak)) s64 fs_read(struct fs_file *f, u64 offset, void *buf, size_t size)
{
	return -ENODEV;
}

__attribute__((weak)) s64 fs_write(struct fs_file *f, u64 offset, const void *buf, size_t size)
{
	return -ENODEV;
}

__attribute__((weak)) u64 fs_size(struct fs_file *f)
{
	return 0;
}

__attribute__((weak)) int fs_close(struct fs_file *f)
{
	return -ENODEV;
}

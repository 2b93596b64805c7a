/* SPDX-License-Identifier: MIT */
/* libext2fs' way to a disk, through our cache. */
#ifndef PVK_EXT_IO_H
#define PVK_EXT_IO_H

#include <ext2fs/ext2fs.h>

#include "cache.h"

extern io_manager ext_io_manager;	/* its open() takes the name of a block device */
struct cache *ext_io_cache(io_channel channel);
int ext_errno(errcode_t err);		/* 0 or a negative errno */

#endif

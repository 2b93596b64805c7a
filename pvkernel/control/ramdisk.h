/* SPDX-License-Identifier: MIT */
/* Domain 0's ramdisk: a cpio archive (newc) that the loader left in memory, read in place. */
#ifndef CTL_RAMDISK_H
#define CTL_RAMDISK_H

#include "../include/types.h"

struct ramdisk_file {
	const char *name;		/* without a leading "/" or "./" */
	const void *data;
	u64 size;
};

void ramdisk_init(void);		/* a damaged archive: what comes before the damage, and a line that says where */
const struct ramdisk_file *ramdisk_find(const char *path);	/* NULL: none */
const struct ramdisk_file *ramdisk_next(const struct ramdisk_file *f);	/* NULL: the first; the last's next is NULL */

#endif

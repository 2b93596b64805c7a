/* SPDX-License-Identifier: MIT */
/* Reading a cpio archive (the "newc" form, magic 070701 or 070702) where it lies. */
#ifndef CTL_CPIO_H
#define CTL_CPIO_H

#include "ramdisk.h"

struct cpio {
	const char *start, *at, *end;
	const char *error;		/* what was expected at `at`; NULL after a good end */
};

static inline void cpio_open(struct cpio *c, const void *data, u64 size)
{
	*c = (struct cpio){ .start = data, .at = data, .end = (const char *)data + size };
}

/* The next regular file. False: no more, by the trailer, by the end of the data, or by damage: then error says what was expected. */
bool cpio_next(struct cpio *c, struct ramdisk_file *f);

#endif

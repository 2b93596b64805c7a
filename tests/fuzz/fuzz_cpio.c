/* SPDX-License-Identifier: MIT */
/* Any bytes as domain 0's ramdisk: what is handed out lies within them, and the reader comes to an end. */
#include <stdlib.h>
#include <string.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "../../pvkernel/control/cpio.c"

#define CHECK(c) do { if (!(c)) __builtin_trap(); } while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *start = (const char *)data, *last = start;
	struct ramdisk_file f;
	struct cpio c;

	cpio_open(&c, data, size);
	while (cpio_next(&c, &f)) {
		size_t length = strlen(f.name);

		CHECK(f.name > last && f.name + length < start + size);
		CHECK(length && *f.name != '/' && strncmp(f.name, "./", 2));
		CHECK((const char *)f.data > f.name + length && (const char *)f.data + f.size <= start + size);
		last = (const char *)f.data + f.size - (f.size > 0);
	}
	CHECK(c.at >= start && c.at <= start + size);
	CHECK(!cpio_next(&c, &f));
	return 0;
}

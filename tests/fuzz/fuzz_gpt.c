/* SPDX-License-Identifier: MIT */
/*
 * Any blocks as a disk's first three, the checksums made right so that what is behind them is reached: each partition lies on the disk,
 * the table that the header describes, too, and a name ends.
 */
#include <stdlib.h>
#include <string.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "../../pvkernel/gpt.c"

#define CHECK(c) do { if (!(c)) __builtin_trap(); } while (0)
#define BLOCK 512u
#define BLOCKS 100000u

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check(const struct partition *p)
{
	CHECK(p->first < BLOCKS && p->count && p->count <= BLOCKS - p->first);
	CHECK(memchr(p->name, 0, sizeof(p->name)));
}

static void check_gpt(const struct gpt *gpt, const u8 *entries, size_t bytes)
{
	u64 table = (u64)gpt->nr_entries * gpt->entry_size;
	u8 *whole = calloc(1, table);
	struct partition p;

	CHECK(gpt->entries_at + (table + BLOCK - 1) / BLOCK <= BLOCKS);
	memcpy(whole, entries, bytes < table ? bytes : table);
	for (u32 n = 0; n < gpt->nr_entries; n++) {
		if (gpt_entry(gpt, whole, n, &p)) {
			check(&p);
			CHECK(p.first >= gpt->first && p.first + p.count - 1 <= gpt->last);
		}
	}
	free(whole);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 header[BLOCK], mbr[BLOCK];
	struct partition p;
	struct gpt gpt;
	u32 length;

	if (size < 2 * BLOCK)
		return 0;
	memcpy(mbr, data, BLOCK);
	memcpy(header, data + BLOCK, BLOCK);
	mbr_protects_gpt(mbr);
	for (u32 n = 0; n < 4; n++) {
		if (mbr_entry(mbr, BLOCKS, n, &p))
			check(&p);
	}
	length = header[12] | header[13] << 8 | header[14] << 16 | (u32)header[15] << 24;
	memset(header + 16, 0, 4);
	length = length <= BLOCK ? crc32_of(0, header, length) : 0;
	memcpy(header + 16, &length, 4);
	if (gpt_header(header, BLOCK, 1, BLOCKS, &gpt))
		check_gpt(&gpt, data + 2 * BLOCK, size - 2 * BLOCK);
	return 0;
}

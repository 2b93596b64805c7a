/* SPDX-License-Identifier: MIT */
/* A disk with a GPT, for tests of who reads it. Included behind gpt.c. */
#ifndef GPT_MAKER_H
#define GPT_MAKER_H

#include <string.h>

#define BLOCK 512u
#define BLOCKS 256u
#define TABLE_BLOCKS 32u

static u8 disk[BLOCKS * BLOCK];

static void store32(u8 *p, u32 v)
{
	memcpy(p, &v, 4);
}

static void store64(u8 *p, u64 v)
{
	memcpy(p, &v, 8);
}

static void make_entry(u8 *table, u32 n, u64 first, u64 last, const char *name)
{
	u8 *e = table + 128 * n;

	memset(e, 0xaf, 16);
	store64(e + 32, first);
	store64(e + 40, last);
	for (u32 i = 0; name[i]; i++)
		e[56 + 2 * i] = name[i];
}

static void seal_header(u8 *h, const u8 *table)
{
	store32(h + 88, crc32_of(0, table, 128 * 128));
	store32(h + 16, 0);
	store32(h + 16, crc32_of(0, h, 92));
}

static void make_header(u64 at, u64 other, u64 entries)
{
	u8 *h = disk + at * BLOCK;

	memcpy(h, "EFI PART", 8);
	store32(h + 8, 0x10000);
	store32(h + 12, 92);
	store64(h + 24, at);
	store64(h + 32, other);
	store64(h + 40, 34);
	store64(h + 48, BLOCKS - 34);
	store64(h + 72, entries);
	store32(h + 80, 128);
	store32(h + 84, 128);
	seal_header(h, disk + entries * BLOCK);
}

static void make_disk(void)
{
	memset(disk, 0, sizeof(disk));
	disk[510] = 0x55;
	disk[511] = 0xaa;
	disk[446 + 4] = 0xee;
	store32(disk + 446 + 8, 1);
	store32(disk + 446 + 12, BLOCKS - 1);
	make_entry(disk + 2 * BLOCK, 0, 40, 99, "root");
	make_entry(disk + 2 * BLOCK, 3, 100, BLOCKS - 34, "data");
	memcpy(disk + (BLOCKS - 1 - TABLE_BLOCKS) * BLOCK, disk + 2 * BLOCK, TABLE_BLOCKS * BLOCK);
	make_header(1, BLOCKS - 1, 2);
	make_header(BLOCKS - 1, 1, BLOCKS - 1 - TABLE_BLOCKS);
}

#endif

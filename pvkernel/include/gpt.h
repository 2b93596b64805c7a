/* SPDX-License-Identifier: MIT */
/* Partition tables, read out of bytes that anybody may have written. */
#ifndef PVK_GPT_H
#define PVK_GPT_H

#include "types.h"

#define GPT_MAX_ENTRIES 1024u
#define GPT_MAX_ENTRY_SIZE 4096u
#define GPT_NAME 109		/* 36 UTF-16 units as UTF-8, and a NUL */

struct gpt {
	u64 first, last;	/* blocks that partitions may have */
	u64 entries_at;		/* the block of the first entry */
	u32 nr_entries, entry_size;
	u32 entries_crc;
};

/* First block and blocks, in the device's own sectors. */
struct partition {
	u64 first, count;
	u8 type;		/* MBR: its byte */
	char name[GPT_NAME];	/* GPT: "" if it has none */
};

u32 crc32_of(u32 crc, const void *data, size_t size);	/* of CRC-32/ISO-HDLC; begin with 0 */

/* The header in the block `at` of a disk of `blocks`. False: none, damaged, or of another version. */
bool gpt_header(const u8 *block, u32 block_size, u64 at, u64 blocks, struct gpt *gpt);
/* Entry n of the table, which has nr_entries * entry_size bytes. False: unused, or outside of what is allowed. */
bool gpt_entry(const struct gpt *gpt, const u8 *table, u32 n, struct partition *p);

bool mbr_valid(const u8 *block);	/* has the signature */
bool mbr_protects_gpt(const u8 *block);
bool mbr_entry(const u8 *block, u64 blocks, u32 n, struct partition *p);	/* n: 0 to 3; false: unused, extended, or beyond the disk */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * GPT (UEFI specification, chapter 5) and the four primary partitions of an MBR:
 *
 *	GPT header	0 "EFI PART" | 8 revision | 12 header size | 16 header's CRC | 24 own block | 32 the other's | 40 first and
 *			48 last block for partitions | 56 disk's id | 72 entries' block | 80 their number | 84 size | 88 CRC
 *	GPT entry	0 type's id (0: unused) | 16 own id | 32 first and 40 last block | 48 attributes | 56 name, 36 UTF-16 units
 *	MBR		446 four entries of 16: 4 type, 8 first block, 12 blocks | 510 signature 0x55 0xaa
 *
 * A partition that is handed out lies on the disk and, in a GPT, where the header allows partitions.
 */
#include "lib.h"
#include "gpt.h"

#define HEADER_SIZE 92u
#define ENTRY_SIZE 128u
#define REVISION 0x00010000u
#define NAME_UNITS 36u
#define MBR_ENTRIES 446u
#define TYPE_PROTECTIVE 0xee

static u32 le32(const u8 *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

static u64 le64(const u8 *p)
{
	return le32(p) | (u64)le32(p + 4) << 32;
}

u32 crc32_of(u32 crc, const void *data, size_t size)
{
	const u8 *p = data;

	crc = ~crc;
	while (size--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* The CRC is that of the header with this field zero. */
static bool header_crc_holds(const u8 *block, u32 size)
{
	static const u8 zero[4];
	u32 crc = crc32_of(0, block, 16);

	crc = crc32_of(crc, zero, 4);
	return crc32_of(crc, block + 20, size - 20) == le32(block + 16);
}

/* The entries lie on the disk and off the header. */
static bool entries_fit(const struct gpt *gpt, u32 block_size, u64 blocks)
{
	u64 table = ((u64)gpt->nr_entries * gpt->entry_size + block_size - 1) / block_size;

	return gpt->nr_entries && gpt->nr_entries <= GPT_MAX_ENTRIES && gpt->entry_size >= ENTRY_SIZE &&
	       gpt->entry_size <= GPT_MAX_ENTRY_SIZE && !(gpt->entry_size % 8) && gpt->entries_at > 1 && table <= blocks &&
	       gpt->entries_at <= blocks - table;
}

bool gpt_header(const u8 *block, u32 block_size, u64 at, u64 blocks, struct gpt *gpt)
{
	u32 size = le32(block + 12);

	if (memcmp(block, "EFI PART", 8) || le32(block + 8) != REVISION || size < HEADER_SIZE || size > block_size ||
	    !header_crc_holds(block, size) || le64(block + 24) != at)
		return false;
	*gpt = (struct gpt){ .first = le64(block + 40), .last = le64(block + 48), .entries_at = le64(block + 72),
			     .nr_entries = le32(block + 80), .entry_size = le32(block + 84), .entries_crc = le32(block + 88) };
	return gpt->first <= gpt->last && gpt->last < blocks && entries_fit(gpt, block_size, blocks);
}

/* One UTF-16 unit as UTF-8; a half of a pair and what no terminal should get are a question mark. */
static size_t put_unit(char *to, u16 unit)
{
	if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0) || (unit >= 0xd800 && unit < 0xe000))
		unit = '?';
	if (unit < 0x80) {
		to[0] = unit;
		return 1;
	}
	if (unit < 0x800) {
		to[0] = 0xc0 | unit >> 6;
		to[1] = 0x80 | (unit & 0x3f);
		return 2;
	}
	to[0] = 0xe0 | unit >> 12;
	to[1] = 0x80 | (unit >> 6 & 0x3f);
	to[2] = 0x80 | (unit & 0x3f);
	return 3;
}

static void get_name(const u8 *utf16, char *name)
{
	for (u32 i = 0; i < NAME_UNITS; i++) {
		u16 unit = utf16[2 * i] | utf16[2 * i + 1] << 8;

		if (!unit)
			break;
		name += put_unit(name, unit);
	}
	*name = 0;
}

bool gpt_entry(const struct gpt *gpt, const u8 *table, u32 n, struct partition *p)
{
	static const u8 unused[16];
	const u8 *entry = table + (u64)n * gpt->entry_size;
	u64 first = le64(entry + 32), last = le64(entry + 40);

	if (!memcmp(entry, unused, 16) || first < gpt->first || last > gpt->last || first > last)
		return false;
	*p = (struct partition){ .first = first, .count = last - first + 1 };
	get_name(entry + 56, p->name);
	return true;
}

bool mbr_valid(const u8 *block)
{
	return block[510] == 0x55 && block[511] == 0xaa;
}

bool mbr_protects_gpt(const u8 *block)
{
	for (u32 n = 0; mbr_valid(block) && n < 4; n++) {
		if (block[MBR_ENTRIES + 16 * n + 4] == TYPE_PROTECTIVE)
			return true;
	}
	return false;
}

bool mbr_entry(const u8 *block, u64 blocks, u32 n, struct partition *p)
{
	const u8 *entry = block + MBR_ENTRIES + 16 * n;
	u8 type = entry[4];
	bool extended = type == 0x05 || type == 0x0f || type == 0x85;

	*p = (struct partition){ .first = le32(entry + 8), .count = le32(entry + 12), .type = type };
	return type && !extended && type != TYPE_PROTECTIVE && !(entry[0] & 0x7f) && p->first && p->count && p->first < blocks &&
	       p->count <= blocks - p->first;
}

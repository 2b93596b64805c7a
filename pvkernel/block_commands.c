/* SPDX-License-Identifier: MIT */
/*
 * Commands that use a block device by its name, for people and tests. The pattern that they write and look for: each 8 bytes at
 * byte offset o of the disk are seed << 48 | o / 8, little-endian, so that a misplaced sector shows, too.
 */
#include <abi/errno.h>

#include "block.h"
#include "lib.h"
#include "mm.h"
#include "shell.h"
#include "time.h"

#define CHUNK (64 * PAGE_SIZE)

struct range {
	struct block_device *d;
	u64 sector, sectors, seed;
};

/* DEVICE SECTOR COUNT [SEED]; false: it has said why. */
static bool parse_range(int argc, char **argv, struct range *r)
{
	u64 *numbers[] = { &r->sector, &r->sectors, &r->seed };

	for (int i = 2; i < argc; i++) {
		if (!parse_u64(argv[i], numbers[i - 2])) {
			printf("%s: %s is no number\n", argv[0], argv[i]);
			return false;
		}
	}
	r->d = block_get(argv[1]);
	if (!r->d)
		printf("%s: no block device %s\n", argv[0], argv[1]);
	return r->d;
}

static u64 word_at(const struct range *r, u64 sector, u64 i)
{
	return r->seed << 48 | (sector * (SECTOR_SIZE / 8) + i);
}

/* In chunks: writes the pattern; or reads, and says where it is not. */
static int fill_or_check(const struct range *r, bool check, u64 *buf)
{
	for (u64 done = 0, some; done < r->sectors; done += some) {
		u64 sector = r->sector + done, words;
		int err;

		some = MIN(r->sectors - done, CHUNK >> SECTOR_SHIFT);
		words = some * (SECTOR_SIZE / 8);
		for (u64 i = 0; !check && i < words; i++)
			buf[i] = word_at(r, sector, i);
		err = block_io(r->d, check ? BLOCK_READ : BLOCK_WRITE, sector, buf, some << SECTOR_SHIFT);
		if (err) {
			printf("%s: sectors from %lu: error %d\n", r->d->name, sector, err);
			return 1;
		}
		for (u64 i = 0; check && i < words; i++) {
			if (buf[i] != word_at(r, sector, i)) {
				printf("%s: byte %lu: %016lx instead of %016lx\n", r->d->name, (sector << SECTOR_SHIFT) + 8 * i, buf[i],
				       word_at(r, sector, i));
				return 1;
			}
		}
	}
	printf("%s: sectors %lu to %lu %s\n", r->d->name, r->sector, r->sector + r->sectors - 1, check ? "hold the pattern" : "written");
	return 0;
}

static int run_pattern(int argc, char **argv, bool check)
{
	struct range r = { 0 };
	u64 *buf;
	int failed = 1;

	if (argc != 5) {
		printf("usage: %s DEVICE SECTOR COUNT SEED\n", argv[0]);
		return 1;
	}
	if (!parse_range(argc, argv, &r))
		return 1;
	buf = kmalloc(CHUNK);
	if (buf)
		failed = fill_or_check(&r, check, buf);
	kfree(buf);
	block_put(r.d);
	return failed;
}

static int cmd_disk_fill(int argc, char **argv)
{
	return run_pattern(argc, argv, false);
}
COMMAND_AS(disk_fill, "disk-fill", cmd_disk_fill, "DEVICE SECTOR COUNT SEED: writes a pattern");

static int cmd_disk_check(int argc, char **argv)
{
	return run_pattern(argc, argv, true);
}
COMMAND_AS(disk_check, "disk-check", cmd_disk_check, "DEVICE SECTOR COUNT SEED: reads, and tells where the pattern is not");

static int cmd_disk_flush(int argc, char **argv)
{
	struct range r = { 0 };
	int err;

	if (argc != 2) {
		printf("usage: disk-flush DEVICE\n");
		return 1;
	}
	if (!parse_range(argc, argv, &r))
		return 1;
	err = block_flush(r.d);
	printf("%s: flush: %d\n", r.d->name, err);
	block_put(r.d);
	return err != 0;
}
COMMAND_AS(disk_flush, "disk-flush", cmd_disk_flush, "DEVICE: what was written is kept from now on");

static int cmd_disk_discard(int argc, char **argv)
{
	struct range r = { 0 };
	int err;

	if (argc != 4) {
		printf("usage: disk-discard DEVICE SECTOR COUNT\n");
		return 1;
	}
	if (!parse_range(argc, argv, &r))
		return 1;
	err = block_io(r.d, BLOCK_DISCARD, r.sector, NULL, r.sectors << SECTOR_SHIFT);
	printf("%s: discard: %d\n", r.d->name, err);
	block_put(r.d);
	return err != 0;
}
COMMAND_AS(disk_discard, "disk-discard", cmd_disk_discard, "DEVICE SECTOR COUNT: what is there is not needed");

static void dump_lines(const u8 *data)
{
	for (u32 at = 0; at < SECTOR_SIZE; at += 16) {
		printf("%03x ", at);
		for (u32 i = 0; i < 16; i++)
			printf(" %02x", data[at + i]);
		printf("  ");
		for (u32 i = 0; i < 16; i++)
			printf("%c", data[at + i] >= 0x20 && data[at + i] < 0x7f ? data[at + i] : '.');
		printf("\n");
	}
}

static int cmd_disk_dump(int argc, char **argv)
{
	struct range r = { 0 };
	u8 data[SECTOR_SIZE];
	int err;

	if (argc != 3) {
		printf("usage: disk-dump DEVICE SECTOR\n");
		return 1;
	}
	if (!parse_range(argc, argv, &r))
		return 1;
	err = block_io(r.d, BLOCK_READ, r.sector, data, sizeof(data));
	if (err)
		printf("%s: sector %lu: error %d\n", r.d->name, r.sector, err);
	else
		dump_lines(data);
	block_put(r.d);
	return err != 0;
}
COMMAND_AS(disk_dump, "disk-dump", cmd_disk_dump, "DEVICE SECTOR: prints a sector");

/* One request at a time, over and over the disk; a quarter more go before, which are not counted. */
static int bench(struct block_device *d, enum block_op op, u64 size, u64 count, void *buf)
{
	u64 sectors = size >> SECTOR_SHIFT, slots = d->sectors / sectors, start = 0;
	int err = 0;

	for (u64 i = 0; i < count + count / 4 && !err; i++) {
		if (i == count / 4)
			start = now();
		err = block_io(d, op, i % slots * sectors, buf, size);
	}
	if (err)
		printf("%s: error %d\n", d->name, err);
	else
		printf("cost: %s %lu bytes: %lu ns\n", op == BLOCK_WRITE ? "write" : "read", size, (now() - start) / count);
	return err;
}

static int cmd_disk_bench(int argc, char **argv)
{
	bool write = argc == 5 && !strcmp(argv[2], "write");
	struct block_device *d;
	u64 size, count;
	void *buf;
	int err = 1;

	if (argc != 5 || (!write && strcmp(argv[2], "read")) || !parse_u64(argv[3], &size) || !parse_u64(argv[4], &count) || !count || !size ||
	    size % SECTOR_SIZE) {
		printf("usage: disk-bench DEVICE read|write BYTES COUNT\n");
		return 1;
	}
	d = block_get(argv[1]);
	buf = kmalloc(size);
	if (!d)
		printf("disk-bench: no block device %s\n", argv[1]);
	else if (!buf || size >> SECTOR_SHIFT > d->sectors)
		printf("disk-bench: %lu bytes are too much\n", size);
	else
		err = bench(d, write ? BLOCK_WRITE : BLOCK_READ, size, count, memset(buf, 0, size));
	kfree(buf);
	if (d)
		block_put(d);
	return err;
}
COMMAND_AS(disk_bench, "disk-bench", cmd_disk_bench, "DEVICE read|write BYTES COUNT: what such a request costs, one at a time; writes zeros");

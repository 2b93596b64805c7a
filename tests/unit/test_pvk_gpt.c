/* SPDX-License-Identifier: MIT */
/* pvkernel/gpt.c: tables as they should be, and each field wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "../../pvkernel/gpt.c"

#include "gpt_maker.h"

static u8 *header, *table;

static int start(void **state)
{
	make_disk();
	header = disk + BLOCK;
	table = disk + 2 * BLOCK;
	return 0;
}

static bool parses(struct gpt *gpt)
{
	return gpt_header(header, BLOCK, 1, BLOCKS, gpt);
}

static void test_crc(void **state)
{
	assert_int_equal(crc32_of(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32_of(crc32_of(0, "1234", 4), "56789", 5), 0xcbf43926);
}

static void test_both_headers(void **state)
{
	struct gpt gpt;

	assert_true(mbr_protects_gpt(disk));
	assert_true(parses(&gpt));
	assert_int_equal(gpt.entries_at, 2);
	assert_int_equal(crc32_of(0, table, 128 * 128), gpt.entries_crc);
	assert_true(gpt_header(disk + (BLOCKS - 1) * BLOCK, BLOCK, BLOCKS - 1, BLOCKS, &gpt));
	assert_int_equal(gpt.entries_at, BLOCKS - 33);
}

static void test_entries(void **state)
{
	struct gpt gpt;
	struct partition p;

	assert_true(parses(&gpt));
	assert_true(gpt_entry(&gpt, table, 0, &p));
	assert_int_equal(p.first, 40);
	assert_int_equal(p.count, 60);
	assert_string_equal(p.name, "root");
	assert_false(gpt_entry(&gpt, table, 1, &p));
	assert_true(gpt_entry(&gpt, table, 3, &p));
	assert_string_equal(p.name, "data");
}

static void test_entry_outside(void **state)
{
	struct gpt gpt;
	struct partition p;

	assert_true(parses(&gpt));
	store64(table + 32, 33);
	assert_false(gpt_entry(&gpt, table, 0, &p));
	store64(table + 32, 100);
	assert_false(gpt_entry(&gpt, table, 0, &p));
	store64(table + 32, 40);
	store64(table + 40, BLOCKS - 33);
	assert_false(gpt_entry(&gpt, table, 0, &p));
}

/* 36 units without an end; a half of a pair; one that a terminal would obey. */
static void test_names(void **state)
{
	struct gpt gpt;
	struct partition p;

	assert_true(parses(&gpt));
	for (u32 i = 0; i < 36; i++) {
		table[56 + 2 * i] = 0xac;
		table[57 + 2 * i] = 0x20;
	}
	assert_true(gpt_entry(&gpt, table, 0, &p));
	assert_int_equal(strlen(p.name), GPT_NAME - 1);
	memcpy(table + 56, "\x1b\0\x01\xd8\xe4\0\0\0", 8);
	assert_true(gpt_entry(&gpt, table, 0, &p));
	assert_string_equal(p.name, "??ä");
}

static void expect_refused(u32 at, u32 value)
{
	struct gpt gpt;

	start(NULL);
	store32(header + at, value);
	store32(header + 16, 0);
	store32(header + 16, crc32_of(0, header, 92));
	assert_false(parses(&gpt));
}

static void test_each_field(void **state)
{
	expect_refused(0, 0);
	expect_refused(8, 0x20000);
	expect_refused(12, 91);
	expect_refused(12, BLOCK + 1);
	expect_refused(24, 2);
	expect_refused(40, BLOCKS);
	expect_refused(48, BLOCKS);
	expect_refused(72, 1);
	expect_refused(72, BLOCKS - 31);
	expect_refused(76, 1);
	expect_refused(80, 0);
	expect_refused(80, GPT_MAX_ENTRIES + 1);
	expect_refused(84, 64);
	expect_refused(84, 129);
	expect_refused(84, 1u << 31);
}

static void test_header_damaged(void **state)
{
	struct gpt gpt;

	for (u32 i = 0; i < 92; i++) {
		header[i] ^= 1;
		assert_false(parses(&gpt));
		header[i] ^= 1;
	}
	assert_true(parses(&gpt));
}

static void mbr_partition(u32 n, u8 type, u32 first, u32 count)
{
	disk[446 + 16 * n + 4] = type;
	store32(disk + 446 + 16 * n + 8, first);
	store32(disk + 446 + 16 * n + 12, count);
}

static void test_mbr(void **state)
{
	struct partition p;

	mbr_partition(0, 0x83, 10, 20);
	mbr_partition(1, 0x05, 40, 10);
	mbr_partition(2, 0x83, BLOCKS - 1, 2);
	mbr_partition(3, 0x82, BLOCKS - 2, 2);
	assert_true(mbr_valid(disk));
	assert_false(mbr_protects_gpt(disk));
	assert_true(mbr_entry(disk, BLOCKS, 0, &p));
	assert_true(p.first == 10 && p.count == 20 && !*p.name);
	assert_false(mbr_entry(disk, BLOCKS, 1, &p));
	assert_false(mbr_entry(disk, BLOCKS, 2, &p));
	assert_true(mbr_entry(disk, BLOCKS, 3, &p));
	disk[446] = 0x12;	/* neither active nor not: no table but a program */
	assert_false(mbr_entry(disk, BLOCKS, 0, &p));
	disk[510] = 0;
	assert_false(mbr_valid(disk));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_crc, start), cmocka_unit_test_setup(test_both_headers, start),
		cmocka_unit_test_setup(test_entries, start), cmocka_unit_test_setup(test_entry_outside, start),
		cmocka_unit_test_setup(test_names, start), cmocka_unit_test_setup(test_each_field, start),
		cmocka_unit_test_setup(test_header_damaged, start), cmocka_unit_test_setup(test_mbr, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

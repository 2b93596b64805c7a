/* SPDX-License-Identifier: MIT */
/* pvkernel/control/cpio.c against archives that tools/make-ramdisk's form and damage describe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "../../pvkernel/control/cpio.c"

static char archive[4096];
static size_t length;

static void put(unsigned int mode, const char *name, const char *data)
{
	length += sprintf(archive + length, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1, mode, 0, 0, 1, 0,
			  strlen(data), 0, 0, 0, 0, strlen(name) + 1, 0);
	length += sprintf(archive + length, "%s", name) + 1;
	while (length & 3)
		archive[length++] = 0;
	length += sprintf(archive + length, "%s", data);
	while (length & 3)
		archive[length++] = 0;
}

static int start(void **state)
{
	length = 0;
	put(0040755, "etc", "");
	put(0100644, "etc/a", "hello");
	put(0120777, "link", "etc/a");
	put(0100644, "./b", "");
	put(0100644, "/c", "seven b");
	put(0, "TRAILER!!!", "");
	return 0;
}

static void expect(struct cpio *c, const char *name, const char *data)
{
	struct ramdisk_file f;

	assert_true(cpio_next(c, &f));
	assert_string_equal(f.name, name);
	assert_int_equal(f.size, strlen(data));
	assert_memory_equal(f.data, data, f.size);
}

static void test_files(void **state)
{
	struct ramdisk_file f;
	struct cpio c;

	memset(archive + length, 'x', 100);	/* what follows the trailer is not looked at */
	cpio_open(&c, archive, length + 100);
	expect(&c, "etc/a", "hello");
	expect(&c, "b", "");
	expect(&c, "c", "seven b");
	assert_false(cpio_next(&c, &f));
	assert_null(c.error);
}

/* At whatever byte it is cut, what comes out is a prefix of the files. */
static void test_cut(void **state)
{
	for (size_t size = 0; size < length; size++) {
		struct ramdisk_file f;
		struct cpio c;
		int n = 0;

		cpio_open(&c, archive, size);
		while (cpio_next(&c, &f))
			n++;
		assert_true(n <= 3);
		assert_true(c.error || n == 3 || size == (size_t)(c.at - c.start));
	}
}

static void damaged_at(size_t at, char with, const char *expected)
{
	struct ramdisk_file f;
	struct cpio c;

	start(NULL);
	archive[at] = with;
	cpio_open(&c, archive, length);
	assert_false(cpio_next(&c, &f));
	assert_non_null(c.error);
	assert_non_null(strstr(c.error, expected));
}

static void test_damage(void **state)
{
	damaged_at(5, '5', "header");
	damaged_at(6 + 8 * FIELD_MODE, 'g', "hexadecimal");
	damaged_at(6 + 8 * FIELD_NAMESIZE, 'f', "name");
	damaged_at(6 + 8 * FIELD_NAMESIZE + 7, '0', "name");
	damaged_at(6 + 8 * FIELD_FILESIZE, '1', "bytes of data");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_files, start),
		cmocka_unit_test_setup(test_cut, start),
		cmocka_unit_test_setup(test_damage, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

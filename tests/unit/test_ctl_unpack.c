/* SPDX-License-Identifier: MIT */
/* pvkernel/control/unpack.c with the decompressors as domain 0 has them: every format, what is kept, hostile files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H
#define PVK_MM_H
#define PVK_BOOT_H
#include <types.h>

void *memmove(void *to, const void *from, size_t n);	/* not in the string.h that is first on the path */

#define SAMPLES "tests/fuzz/corpus/image/"

static struct {
	u64 nr_pages;
} boot = { 8192 };

static u64 free_pages_now = 8192, areas;

static u64 pages_free(void)
{
	return free_pages_now;
}

static void *vmalloc(u64 size)
{
	areas++;
	return malloc(size);
}

static void vfree(void *va)
{
	areas--;
	free(va);
}

#include "../../hypervisor/domain/elf.c"
#include "../../hypervisor/domain/elfnote.c"
#include "../../pvkernel/control/unpack.c"

struct sample {
	u8 *data;
	u64 size;
};

static struct sample read_sample(const char *name)
{
	char path[100];
	struct sample s = { malloc(8192), 0 };
	FILE *f;

	snprintf(path, sizeof(path), SAMPLES "%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	s.size = fread(s.data, 1, 8192, f);
	fclose(f);
	return s;
}

static void forget_all(void)
{
	while (drop_kept())
		;
	assert_int_equal(areas, 0);
}

static const char *const packed[] = { "gz", "bz-gzip", "bz-xz", "bz-xz-plain", "bz-lz4", "bz-zstd", "bz-zstd-check" };

static void test_formats(void **state)
{
	struct sample elf = read_sample("elf");
	static struct image image;
	const u8 *got;
	u64 size;

	assert_null(kernel_unpack(elf.data, elf.size, &got, &size));
	assert_ptr_equal(got, elf.data);
	for (size_t i = 0; i < ARRAY_SIZE(packed); i++) {
		struct sample s = read_sample(packed[i]);

		assert_null(kernel_unpack(s.data, s.size, &got, &size));
		assert_int_equal(size, elf.size);
		assert_memory_equal(got, elf.data, size);
		assert_true(image_parse(&image, got, size));
		forget_all();
		free(s.data);
	}
	free(elf.data);
}

/* Two are kept, the latest; none when memory is short. */
static void test_kept(void **state)
{
	struct sample a = read_sample("bz-xz"), b = read_sample("bz-lz4"), c = read_sample("gz");
	const u8 *first, *got;
	u64 size;

	assert_null(kernel_unpack(a.data, a.size, &first, &size));
	assert_null(kernel_unpack(b.data, b.size, &got, &size));
	assert_int_equal(areas, 2);
	assert_null(kernel_unpack(a.data, a.size, &got, &size));
	assert_ptr_equal(got, first);
	assert_null(kernel_unpack(c.data, c.size, &got, &size));
	assert_int_equal(areas, 2);
	assert_null(kernel_unpack(a.data, a.size, &got, &size));
	assert_ptr_equal(got, first);
	kernel_unpack_trim();
	assert_int_equal(areas, 2);
	free_pages_now = 2047;
	kernel_unpack_trim();
	assert_int_equal(areas, 0);
	free_pages_now = 8192;
	free(a.data);
	free(b.data);
	free(c.data);
}

/* A line and nothing kept, whatever is cut off or said wrongly. */
static void refused(const struct sample *s, const char *what, const char *name)
{
	const u8 *got;
	u64 size;
	const char *error = kernel_unpack(s->data, s->size, &got, &size);

	if (!error || strchr(error, '\n'))
		fail_msg("%s: %s: %s", name, what, error ? error : "accepted");
	assert_int_equal(areas, 0);
}

static void refused_with(const struct sample *s, size_t at, u32 value, const char *what, const char *name)
{
	u32 before;

	memcpy(&before, s->data + at, 4);
	memcpy(s->data + at, &value, 4);
	refused(s, what, name);
	memcpy(s->data + at, &before, 4);
}

static void test_hostile(void **state)
{
	for (size_t i = 1; i < ARRAY_SIZE(packed); i++) {
		struct sample s = read_sample(packed[i]);
		struct sample cut = s;
		u32 length;

		memcpy(&length, s.data + s.size - 4, 4);
		refused_with(&s, s.size - 4, 0, "no length", packed[i]);
		refused_with(&s, s.size - 4, length - 1, "a byte less", packed[i]);
		refused_with(&s, s.size - 4, length + 1, "a byte more", packed[i]);
		refused_with(&s, s.size - 4, 0xffffffff, "4 GiB", packed[i]);
		refused_with(&s, s.size - 4, 29 << 20, "more than may be taken", packed[i]);
		refused_with(&s, 0x248, 0xffffffff, "the payload outside", packed[i]);
		refused_with(&s, 0x248, 1, "the payload not at its start", packed[i]);
		refused_with(&s, 0x24c, 0xffffffff, "the payload too long", packed[i]);
		refused_with(&s, 0x24c, 17, "the payload too short", packed[i]);
		refused_with(&s, 0x206, 0x207, "an old protocol", packed[i]);
		refused_with(&s, 1024 + 30, 0x5a5a5a5a, "damage", packed[i]);
		for (cut.size = 0x250; cut.size < s.size; cut.size += 7)
			refused(&cut, "cut", packed[i]);
		free(s.data);
	}
}

/* Packed and no bzImage: nothing says how long it becomes. */
static void test_bare(void **state)
{
	struct sample s = read_sample("bz-xz");
	struct sample bare = { s.data + 1024, s.size - 1024 };

	refused(&bare, "bare xz", "bz-xz");
	free(s.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats), cmocka_unit_test(test_kept), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_bare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

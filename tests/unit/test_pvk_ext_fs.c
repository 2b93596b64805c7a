/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/disk/{ext_fs,ext_io,cache}.c with libext2fs over a disk in memory that mke2fs made: random files and directories against
 * a model, open files that are removed, a full disk, a disk that fails; now and then the disk is judged by e2fsck and mounted anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* In place of the kernel's headers. */
#define PVK_BOOT_H
#define PVK_CMDLINE_H
#define PVK_LIB_H
#define PVK_LIBC_H
#define PVK_MM_H
#define PVK_MUTEX_H
#define PVK_OPS_H
#define PVK_TIME_H
#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/types.h"

#define PAGE_SIZE 4096ul
#define NO_PAGE 0ul
#define NSEC_PER_SEC 1000000000ul
#define NSEC_PER_MSEC 1000000ul
#define WAIT_QUEUE_INIT(q) { 0 }
#define MUTEX_INIT(m) { 0 }

struct wait_queue { int unused; };
struct mutex { int locked; };

static struct { char cmdline[8]; } boot;
static u64 clock_ns;

static bool irq_save(void) { return true; }
static void irq_restore(bool was) { }
static void mutex_lock(struct mutex *m) { assert_int_equal(m->locked++, 0); }
static void mutex_unlock(struct mutex *m) { m->locked--; }
static void wait_on(struct wait_queue *q) { fail(); }
static void wake_up(struct wait_queue *q) { }
static u64 page_alloc(void) { return (u64)aligned_alloc(PAGE_SIZE, PAGE_SIZE) >> 12; }
static void page_free(u64 pfn) { free((void *)(pfn << 12)); }
static void *pfn_to_virt(u64 pfn) { return (void *)(pfn << 12); }
static u64 virt_to_pfn(const void *va) { return (u64)va >> 12; }
static void *kmalloc(size_t size) { return calloc(1, size); }
static void kfree(void *p) { free(p); }
static u64 now(void) { return clock_ns; }
static void thread_sleep(u64 ns) { clock_ns += ns; }
static bool cmdline_get(const char *line, const char *key, char *buf, size_t size) { return false; }

/* What the library wants of C is the host's. */
#define __errno_location kernel_errno_location
#define getenv kernel_getenv
#define printf(...) ((void)0)
#define find cache_find
#include "../../pvkernel/disk/cache.c"
#undef find
#include "../../pvkernel/disk/ext_io.c"
#include "../../pvkernel/disk/ext_fs.c"
#undef printf

/* --- the disk ------------------------------------------------------------------------------------------------------ */

#define BYTES (4ul << 20)
#define IMAGE "build/unit/ext_fs.img"

static u8 disk[BYTES];
static u32 fail_one_in;
static struct block_device device_of_test = { .name = "xvda", .sectors = BYTES / SECTOR_SIZE, .max_pieces = 16, .scanned = true };

struct block_device *block_get(const char *name) { return strcmp(name, "xvda") ? NULL : &device_of_test; }
struct block_device *block_hold(struct block_device *d) { return d; }
void block_put(struct block_device *d) { }
void block_kick(struct block_device *d) { }
int block_flush(struct block_device *d) { return 0; }

void block_submit(struct block_device *d, struct block_request *r)
{
	u8 *at = disk + r->sector * SECTOR_SIZE;

	assert_true(r->nr_pieces <= d->max_pieces && r->sector + r->sectors <= d->sectors);
	if (fail_one_in && rand() % fail_one_in == 0) {
		r->done(r, -EIO);
		return;
	}
	for (u32 i = 0; i < r->nr_pieces; i++) {
		u8 *page = (u8 *)r->pieces[i].page + r->pieces[i].offset;

		memcpy(r->op == BLOCK_READ ? page : at, r->op == BLOCK_READ ? at : page, r->pieces[i].length);
		at += r->pieces[i].length;
	}
	r->done(r, 0);
}

static void shell(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static void make_disk(const char *kind)
{
	char command[160];
	FILE *f;

	snprintf(command, sizeof(command), "PATH=$PATH:/sbin rm -f " IMAGE "; PATH=$PATH:/sbin mke2fs -q -t %s " IMAGE " 4M", kind);
	shell(command);
	f = fopen(IMAGE, "rb");
	assert_int_equal(fread(disk, 1, BYTES, f), BYTES);
	fclose(f);
}

static void judge_disk(void)
{
	FILE *f = fopen(IMAGE, "wb");

	assert_int_equal(fwrite(disk, 1, BYTES, f), BYTES);
	fclose(f);
	shell("PATH=$PATH:/sbin e2fsck -fn " IMAGE " >build/unit/ext_fs.e2fsck 2>&1 || { cat build/unit/ext_fs.e2fsck; false; }");
}

static void unmount(void)
{
	if (fs)
		ext2fs_close_free(&fs);
	dirty = false;
}

/* --- the model ------------------------------------------------------------------------------------------------------ */

#define FILES 24
#define LONGEST 300000u

static struct model { bool there; u32 size; u8 content[LONGEST]; } model[FILES];

static void path_of(u32 n, char *path)
{
	sprintf(path, n % 3 ? "/d%u/file %u" : "/file%u%.0u", n % 3 ? n % 3 : n, n);
}

static void compare(u32 n)
{
	static u8 buf[LONGEST + 1];
	struct fs_file *f;
	char path[40];

	path_of(n, path);
	if (!model[n].there) {
		assert_int_equal(fs_open(path, 0, &f), -ENOENT);
		return;
	}
	assert_int_equal(fs_open(path, 0, &f), 0);
	assert_int_equal(fs_size(f), model[n].size);
	assert_int_equal(fs_read(f, 0, buf, sizeof(buf)), model[n].size);
	assert_memory_equal(buf, model[n].content, model[n].size);
	assert_int_equal(fs_close(f), 0);
}

/* False: the disk is full, and how much of it was written the file says. */
static bool write_some(u32 n, struct fs_file *f)
{
	static u8 buf[20000];
	u32 size = 1 + rand() % sizeof(buf), at = rand() % (rand() % 4 ? 30000 : LONGEST - sizeof(buf));
	s64 done;

	for (u32 i = 0; i < size; i++)
		buf[i] = rand();
	done = fs_write(f, at, buf, size);
	if (done == -ENOSPC)
		return false;
	assert_int_equal(done, size);
	if (at > model[n].size)
		memset(model[n].content + model[n].size, 0, at - model[n].size);
	memcpy(model[n].content + at, buf, size);
	model[n].size = MAX(model[n].size, at + size);
	return true;
}

static void remove_file_of(u32 n)
{
	char path[40];

	path_of(n, path);
	assert_int_equal(fs_remove(path), model[n].there ? 0 : -ENOENT);
	model[n].there = false;
	model[n].size = 0;
}

static void change(u32 n)
{
	u32 flags = FS_WRITE | FS_CREATE | (rand() % 3 ? 0 : FS_TRUNCATE);
	struct fs_file *f;
	char path[40];
	int err;

	path_of(n, path);
	err = fs_open(path, flags, &f);
	if (err == -ENOSPC)
		return;
	assert_int_equal(err, 0);
	if (!model[n].there || flags & FS_TRUNCATE)
		model[n].size = 0;
	model[n].there = true;
	if (write_some(n, f)) {
		if (rand() % 8 == 0)
			remove_file_of(n);	/* and it is open */
		assert_int_equal(fs_close(f), 0);
		return;
	}
	assert_int_equal(fs_close(f), 0);
	remove_file_of(n);
}

static void settle(void)
{
	for (u32 n = 0; n < FILES; n++)
		compare(n);
	assert_int_equal(fs_sync(), 0);
	judge_disk();
	unmount();
	for (u32 n = 0; n < FILES; n++)
		compare(n);
}

static void random_files(const char *kind)
{
	make_disk(kind);
	memset(model, 0, sizeof(model));
	assert_int_equal(fs_mkdir("/d1"), 0);
	assert_int_equal(fs_mkdir("d2/"), 0);
	assert_int_equal(fs_mkdir("/d1"), -EEXIST);
	for (u32 i = 1; i <= 1500; i++) {
		u32 n = rand() % FILES;

		if (rand() % 4)
			change(n);
		else if (rand() % 2)
			remove_file_of(n);
		else
			compare(n);
		if (i % 300 == 0)
			settle();
	}
	assert_int_equal(fs_remove("/lost+found/none"), -ENOENT);
	unmount();
}

static void test_ext2(void **state) { random_files("ext2"); }
static void test_ext3(void **state) { random_files("ext3"); }
static void test_ext4(void **state) { random_files("ext4"); }

/* Requests that fail end in errors, never worse; what had been synced before is read when the disk works again. */
static void test_failing_disk(void **state)
{
	make_disk("ext4");
	memset(model, 0, sizeof(model));
	assert_int_equal(fs_mkdir("/d1"), 0);
	assert_int_equal(fs_mkdir("/d2"), 0);
	change(0);
	model[0].there ? (void)0 : change(0);
	assert_int_equal(fs_sync(), 0);
	unmount();
	for (u32 i = 0; i < 300; i++) {
		struct fs_file *f;
		u8 buf[5000];

		fail_one_in = 2 + rand() % 6;
		if (!fs_open("/file0", 0, &f)) {
			s64 n = fs_read(f, 0, buf, sizeof(buf));

			assert_true(n < 0 || !memcmp(buf, model[0].content, n));
			fs_close(f);
		}
		unmount();
	}
	fail_one_in = 0;
	compare(0);
	judge_disk();
	unmount();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ext2), cmocka_unit_test(test_ext3), cmocka_unit_test(test_ext4), cmocka_unit_test(test_failing_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

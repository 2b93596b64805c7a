/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/disk/{ext_fs,ext_io,cache}.c with libext2fs over a disk in memory that mke2fs made: random files and directories against
 * a model, open files that are removed, a full disk, a disk that fails; now and then the disk is judged by e2fsck and mounted anew.
 */
#include <time.h>
#include <unistd.h>

#define DISK_SECTORS 8192u
#include "cache_host.h"

/* In place of more of the kernel's headers. */
#define PVK_BOOT_H
#define PVK_CMDLINE_H
#define PVK_LIBC_H
#define PVK_TIME_H
#define NSEC_PER_SEC 1000000000ul
#define NSEC_PER_MSEC 1000000ul

static struct { char cmdline[8]; } boot;
static u64 clock_ns;

static u64 now(void) { return clock_ns; }
static void thread_sleep(u64 ns) { clock_ns += ns; }
static bool cmdline_get(const char *line, const char *key, char *buf, size_t size) { return false; }

/* What the library wants of C is the host's. */
#define __errno_location kernel_errno_location
#define getenv kernel_getenv
#define printf(...) ((void)0)
#include "../../pvkernel/disk/ext_io.c"
#include "../../pvkernel/disk/ext_fs.c"
#undef printf

/* --- the disk ------------------------------------------------------------------------------------------------------ */

#define IMAGE "build/unit/ext_fs.img"

struct block_device *block_get(const char *name) { return strcmp(name, "xvda") ? NULL : &disk_device; }
int block_flush(struct block_device *d) { return 0; }

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
	assert_int_equal(fread(disk, 1, DISK_BYTES, f), DISK_BYTES);
	fclose(f);
}

static void judge_disk(void)
{
	FILE *f = fopen(IMAGE, "wb");

	assert_int_equal(fwrite(disk, 1, DISK_BYTES, f), DISK_BYTES);
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

/*
 * What is written is refused for longer than the cache has place for it: the writer is told, nothing more is changed, and the disk, which has
 * what had been synced, stays "not clean" also when it works again.
 */
static void test_refusing_disk(void **state)
{
	static u8 buf[64 << 10];
	struct fs_usage usage;
	struct fs_file *f;
	s64 done = 0;
	u32 i;

	make_disk("ext4");
	memset(model, 0, sizeof(model));
	assert_int_equal(fs_open("/kept", FS_WRITE | FS_CREATE, &f), 0);
	assert_int_equal(fs_write(f, 0, "synced", 6), 6);
	assert_int_equal(fs_close(f), 0);
	assert_int_equal(fs_sync(), 0);
	assert_int_equal(fs_open("/big", FS_WRITE | FS_CREATE, &f), 0);
	bad_sectors = DISK_SECTORS;
	for (i = 0; i < 100 && done >= 0; i++)
		done = fs_write(f, i * sizeof(buf), buf, sizeof(buf));
	assert_int_equal(done, -EIO);
	assert_true(i > 20);
	assert_int_equal(fs_write(f, 0, buf, 1), -EIO);
	assert_int_equal(fs_close(f), 0);
	assert_int_equal(fs_remove("/kept"), -EIO);
	assert_int_equal(fs_usage(&usage), 0);
	assert_true(usage.readonly);
	assert_int_equal(fs_open("/kept", 0, &f), 0);
	assert_int_equal(fs_read(f, 0, buf, sizeof(buf)), 6);
	assert_memory_equal(buf, "synced", 6);
	assert_int_equal(fs_close(f), 0);
	bad_sectors = 0;
	assert_int_equal(fs_sync(), -EIO);
	assert_int_equal(fs_sync(), -EIO);
	unmount();
	assert_int_equal(fs_usage(&usage), 0);
	assert_true(dirty && !usage.readonly);
	unmount();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ext2), cmocka_unit_test(test_ext3), cmocka_unit_test(test_ext4), cmocka_unit_test(test_failing_disk),
		cmocka_unit_test(test_refusing_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

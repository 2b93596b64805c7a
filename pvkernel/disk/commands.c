/* SPDX-License-Identifier: MIT */
/* What a person does with files, and with a disk as a whole. */
#include <abi/errno.h>

#include "../include/block.h"
#include "../include/fs.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/sha256.h"
#include "../include/shell.h"
#include "../include/time.h"

#define CHUNK (64 * 1024ul)

static int failed(const char *command, const char *path, s64 err)
{
	printf("%s: %s: error %ld\n", command, path, -err);
	return 1;
}

static int usage(const char *text)
{
	printf("usage: %s\n", text);
	return 1;
}

static bool print_entry(void *arg, const struct fs_entry *e)
{
	struct date d = date_of(e->modified);

	printf("%12lu %04u-%02u-%02u %02u:%02u %s%s\n", e->size, d.year, d.month, d.day, d.hour, d.minute, e->name, e->directory ? "/" : "");
	return true;
}

static int cmd_ls(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/";
	struct fs_entry e;
	int err = fs_stat(path, &e);

	if (!err && !e.directory)
		print_entry(NULL, &e);
	else if (!err)
		err = fs_list(path, print_entry, NULL);
	return err ? failed("ls", path, err) : 0;
}
COMMAND(ls, cmd_ls, "[PATH]: a directory of the disk's filesystem");

/* fn for each piece of the file, in order. */
static s64 each_chunk(const char *path, s64 (*fn)(void *arg, u64 offset, const char *bytes, s64 n), void *arg)
{
	char *buf = vmalloc(CHUNK);
	struct fs_file *f;
	u64 offset = 0;
	s64 n = buf ? fs_open(path, 0, &f) : -ENOMEM;

	if (!n) {
		while ((n = fs_read(f, offset, buf, CHUNK)) > 0) {
			s64 err = fn(arg, offset, buf, n);

			offset += n;
			if (err < 0) {
				n = err;
				break;
			}
		}
		fs_close(f);
	}
	if (buf)
		vfree(buf);
	return n;
}

static s64 print_chunk(void *arg, u64 offset, const char *bytes, s64 n)
{
	for (s64 i = 0; i < n; i++)
		printf("%c", bytes[i]);
	return 0;
}

static int cmd_cat(int argc, char **argv)
{
	s64 err = argc == 2 ? each_chunk(argv[1], print_chunk, NULL) : 0;

	if (argc != 2)
		return usage("cat FILE");
	return err ? failed("cat", argv[1], err) : 0;
}
COMMAND(cat, cmd_cat, "FILE: what is in it");

static int cmd_write(int argc, char **argv)
{
	struct fs_file *f;
	u64 offset = 0;
	s64 err;

	if (argc < 2)
		return usage("write FILE [WORD ...]");
	err = fs_open(argv[1], FS_WRITE | FS_CREATE | FS_TRUNCATE, &f);
	if (err)
		return failed("write", argv[1], err);
	for (int i = 2; err >= 0 && i < argc; i++) {
		err = fs_write(f, offset, argv[i], strlen(argv[i]));
		offset += strlen(argv[i]);
		err = err < 0 ? err : fs_write(f, offset++, i + 1 < argc ? " " : "\n", 1);
	}
	fs_close(f);
	return err < 0 ? failed("write", argv[1], err) : 0;
}
COMMAND(write, cmd_write, "FILE [WORD ...]: a file of these words");

static s64 write_chunk(void *arg, u64 offset, const char *bytes, s64 n)
{
	return fs_write(arg, offset, bytes, n);
}

static int cmd_cp(int argc, char **argv)
{
	struct fs_file *to;
	s64 err;
	int closed;

	if (argc != 3)
		return usage("cp FROM TO");
	err = fs_open(argv[2], FS_WRITE | FS_CREATE | FS_TRUNCATE, &to);
	if (err)
		return failed("cp", argv[2], err);
	err = each_chunk(argv[1], write_chunk, to);
	closed = fs_close(to);
	err = err ? err : closed;
	return err ? failed("cp", argv[1], err) : 0;
}
COMMAND(cp, cmd_cp, "FROM TO: copies a file");

static int cmd_rm(int argc, char **argv)
{
	int err = argc == 2 ? fs_remove(argv[1]) : 0;

	if (argc != 2)
		return usage("rm PATH");
	return err ? failed("rm", argv[1], err) : 0;
}
COMMAND(rm, cmd_rm, "PATH: removes a file or an empty directory");

static int cmd_mkdir(int argc, char **argv)
{
	int err = argc == 2 ? fs_mkdir(argv[1]) : 0;

	if (argc != 2)
		return usage("mkdir PATH");
	return err ? failed("mkdir", argv[1], err) : 0;
}
COMMAND(mkdir, cmd_mkdir, "PATH: makes a directory");

static int cmd_df(int argc, char **argv)
{
	struct fs_usage u;
	int err = fs_usage(&u);

	if (err)
		return failed("df", "filesystem", err);
	printf("%s: %lu KiB, %lu KiB free, %lu of %lu inodes free%s\n", u.device, u.blocks * u.block_size >> 10,
	       u.blocks_free * u.block_size >> 10, u.inodes_free, u.inodes, u.readonly ? ", read-only" : "");
	return 0;
}
COMMAND(df, cmd_df, "the filesystem's size and what is free");

static int cmd_sync(int argc, char **argv)
{
	int err = fs_sync();

	return err ? failed("sync", "filesystem", err) : 0;
}
COMMAND(sync, cmd_sync, "everything written is on the disk's medium");

static s64 digest_chunk(void *arg, u64 offset, const char *bytes, s64 n)
{
	sha256_update(arg, bytes, n);
	return 0;
}

static s64 digest_disk(struct block_device *d, struct sha256 *s)
{
	char *buf = vmalloc(CHUNK);
	int err = buf ? 0 : -ENOMEM;

	for (u64 at = 0; !err && at < d->sectors; at += CHUNK >> SECTOR_SHIFT) {
		u64 n = MIN(d->sectors - at, CHUNK >> SECTOR_SHIFT) << SECTOR_SHIFT;

		err = block_io(d, BLOCK_READ, at, buf, n);
		if (!err)
			sha256_update(s, buf, n);
	}
	if (buf)
		vfree(buf);
	return err;
}

/* A name without a slash that is a disk's is the disk's. */
static s64 digest(const char *name, struct sha256 *s)
{
	struct block_device *d = strchr(name, '/') ? NULL : block_get(name);
	s64 err;

	if (!d)
		return each_chunk(name, digest_chunk, s);
	err = digest_disk(d, s);
	block_put(d);
	return err;
}

static int cmd_sha256(int argc, char **argv)
{
	struct sha256 s;
	u8 sum[32];
	s64 err;

	if (argc != 2)
		return usage("sha256 FILE|DISK");
	sha256_init(&s);
	err = digest(argv[1], &s);
	if (err)
		return failed("sha256", argv[1], err);
	sha256_finish(&s, sum);
	for (unsigned int i = 0; i < sizeof(sum); i++)
		printf("%02x", sum[i]);
	printf("  %s\n", argv[1]);
	return 0;
}
COMMAND(sha256, cmd_sha256, "FILE|DISK: its SHA-256");

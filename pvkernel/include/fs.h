/* SPDX-License-Identifier: MIT */
/*
 * Files. One filesystem, ext2, ext3 or ext4, on the disk that the option root=NAME names, or xvda, or its first partition; mounted
 * at the first use. For threads, of which any number may call at once: one lock orders them.
 *
 * Paths begin at the root, with or without a slash. Errors are negative errnos: -ENOENT, -EEXIST, -EISDIR, -ENOTDIR,
 * -ENOTEMPTY, -EINVAL (a name too long, or a directory where a file has to be), -ENOSPC, -ENOMEM, -EROFS the disk or the filesystem
 * is read-only, -ENODEV no such disk, -EIO the disk failed or what is on it is not a sound filesystem.
 */
#ifndef PVK_FS_H
#define PVK_FS_H

#include "types.h"

struct fs_file;

#define FS_WRITE 1	/* fs_write() will be called */
#define FS_CREATE 2	/* made when it is not there; with FS_WRITE */
#define FS_TRUNCATE 4	/* begins empty; with FS_WRITE */

int fs_open(const char *path, u32 flags, struct fs_file **f);
s64 fs_read(struct fs_file *f, u64 offset, void *buf, size_t size);	/* how many bytes; 0 at or behind the end */
s64 fs_write(struct fs_file *f, u64 offset, const void *buf, size_t size);	/* all of them, or an error; a hole reads as zeros */
u64 fs_size(struct fs_file *f);
int fs_close(struct fs_file *f);	/* what fs_write() could not tell: 0 or an error */

struct fs_entry {
	char name[256];
	u64 size;
	u64 modified;		/* seconds since 1970 */
	u32 inode;
	bool directory;
};

int fs_stat(const char *path, struct fs_entry *e);	/* name: the path's last part */
/* fn for each entry but . and .., in no order; it ends the walk by returning false, and calls no fs_ function. */
int fs_list(const char *path, bool (*fn)(void *arg, const struct fs_entry *e), void *arg);
int fs_mkdir(const char *path);
int fs_remove(const char *path);	/* a file or an empty directory; a file that is open loses its name, its content stays until closed */
int fs_sync(void);			/* afterwards all that was written is on the disk's medium */

struct fs_usage {
	char device[32];
	u32 block_size;
	u64 blocks, blocks_free, inodes, inodes_free;
	bool readonly;
};

int fs_usage(struct fs_usage *u);

#endif

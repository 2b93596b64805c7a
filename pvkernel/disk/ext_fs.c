/* SPDX-License-Identifier: MIT */
/*
 * fs.h by libext2fs. One filesystem, one mutex around every call of the library. A file is its inode number: each call opens the
 * inode anew, so that nothing is held twice. A file that is removed while somebody has it open has no name and no links from then
 * on, and its blocks are freed by the last fs_close().
 *
 * What is on the disk. Before the first change after a sync the superblock says "not clean"; fs_sync() writes all, and then that it
 * is clean. So a filesystem that was not synced is known to be so, and e2fsck has something to do; one that was is sound as it is.
 * A journal is not written; one that holds something (a Linux that crashed) makes the filesystem read-only here, since it
 * is the journal's to say what is on the disk. When the disk has refused something for so long that the cache has lost it, it may
 * have been a directory or an inode: nothing is changed from then on (-EIO), and the disk stays "not clean".
 */
#include <errno.h>

#include "block.h"
#include "boot.h"
#include "cmdline.h"
#include "ext_io.h"
#include "fs.h"
#include "lib.h"
#include "libc.h"
#include "list.h"
#include "mutex.h"
#include "time.h"

#define PATH_MAX_LENGTH 1024
#define PATIENCE (10 * NSEC_PER_SEC)
#define LOOK_AGAIN (10 * NSEC_PER_MSEC)

struct fs_file {
	struct list node;
	ext2_ino_t inode;
	bool write, removed;
};

static struct mutex lock = MUTEX_INIT(lock);
static ext2_filsys fs;
static char device[32];
static bool dirty;			/* the disk says "not clean" */
static struct list open_files = LIST_INIT(open_files);

/* --- mounting ------------------------------------------------------------------------------------------------- */

static bool is_ready(const char *name, bool with_partitions)
{
	struct block_device *d = block_get(name);
	bool ready = d && (d->scanned || !with_partitions);

	if (d)
		block_put(d);
	return ready;
}

/* Disks come some time after the kernel, and partitions after their disk. */
static bool wait_for_disk(const char *name, bool with_partitions)
{
	u64 end = now() + PATIENCE;
	bool ready;

	while (!(ready = is_ready(name, with_partitions)) && now() < end)
		thread_sleep(LOOK_AGAIN);
	return ready;
}

static errcode_t open_fs(const char *name, int flags)
{
	return ext2fs_open2(name, NULL, flags | EXT2_FLAG_64BITS, 0, 0, ext_io_manager, &fs);
}

static bool is_readonly(const char *name)
{
	struct block_device *d = block_get(name);
	bool readonly = !d || d->readonly;

	if (d)
		block_put(d);
	return readonly;
}

static errcode_t mount_device(const char *name)
{
	errcode_t err = open_fs(name, is_readonly(name) ? 0 : EXT2_FLAG_RW);

	if (err)
		return err;
	if (fs->flags & EXT2_FLAG_RW && ext2fs_has_feature_journal_needs_recovery(fs->super)) {
		printf("filesystem: %s: its journal was not replayed: read-only\n", name);
		ext2fs_close_free(&fs);
		err = open_fs(name, 0);
	} else if (fs->flags & EXT2_FLAG_RW) {
		err = ext2fs_read_bitmaps(fs);
	}
	if (err && fs)
		ext2fs_close_free(&fs);
	return err;
}

/* 0: there is a filesystem, mounted by now. The lock is held. */
static int mounted(void)
{
	char root[sizeof(device)] = "xvda", first[sizeof(root) + 1];
	bool told = cmdline_get(boot.cmdline, "root", root, sizeof(root));
	const char *name = strncmp(root, "/dev/", 5) ? root : root + 5;
	errcode_t err;

	if (fs)
		return 0;
	if (!wait_for_disk(name, false))
		return -ENODEV;
	err = mount_device(name);
	snprintf(first, sizeof(first), "%s1", name);
	if (err == EXT2_ET_BAD_MAGIC && !told && wait_for_disk(name, true) && !mount_device(first)) {
		name = first;
		err = 0;
	}
	if (err) {
		printf("filesystem: %s: cannot be mounted (%ld)\n", name, err);
		return ext_errno(err);
	}
	snprintf(device, sizeof(device), "%.31s", name);
	dirty = !(fs->super->s_state & EXT2_VALID_FS);
	if (dirty)
		printf("filesystem: %s was not synced: e2fsck should look at it\n", device);
	return 0;
}

static int enter(void)
{
	int err;

	mutex_lock(&lock);
	err = mounted();
	if (err)
		mutex_unlock(&lock);
	return err;
}

static int leave(int err)
{
	mutex_unlock(&lock);
	return err;
}

/* The superblock alone; everything before it is on the medium, and so is it afterwards. */
static errcode_t write_state(bool valid)
{
	if (valid)
		fs->super->s_state |= EXT2_VALID_FS;
	else
		fs->super->s_state &= ~EXT2_VALID_FS;
	ext2fs_mark_super_dirty(fs);
	return ext2fs_flush2(fs, 0);
}

static errcode_t check_writable(void)
{
	if (!(fs->flags & EXT2_FLAG_RW))
		return EXT2_ET_RO_FILSYS;
	return cache_counts(ext_io_cache(fs->io)).lost ? EIO : 0;
}

/* Something is about to be changed. */
static errcode_t begin_change(void)
{
	errcode_t err = check_writable();

	if (err || dirty)
		return err;
	err = write_state(false);
	dirty = !err;
	return err;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static errcode_t find(const char *path, ext2_ino_t *inode)
{
	return ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, *path ? path : "/", inode);
}

static errcode_t is_directory(ext2_ino_t inode)
{
	return ext2fs_check_directory(fs, inode);
}

/* The directory that holds, or would hold, path's last part, and that part, which is in path. */
static errcode_t find_parent(const char *path, ext2_ino_t *parent, const char **name)
{
	char *copy;
	errcode_t err;

	*name = path;
	for (const char *p = path; *p; p++) {
		if (*p == '/' && p[1] && p[1] != '/')
			*name = p + 1;
	}
	if (strlen(path) >= PATH_MAX_LENGTH || !**name || **name == '/' || strlen(*name) > EXT2_NAME_LEN ||
	    !strcmp(*name, ".") || !strcmp(*name, ".."))
		return EINVAL;
	copy = malloc(PATH_MAX_LENGTH);
	if (!copy)
		return ENOMEM;
	snprintf(copy, PATH_MAX_LENGTH, "%.*s", (int)(*name - path), path);
	err = find(copy, parent);
	free(copy);
	return err ? err : is_directory(*parent);
}

static errcode_t link_name(ext2_ino_t parent, const char *name, ext2_ino_t inode)
{
	errcode_t err = ext2fs_link(fs, parent, name, inode, EXT2_FT_REG_FILE);

	if (err != EXT2_ET_DIR_NO_SPACE)
		return err;
	err = ext2fs_expand_dir(fs, parent);
	return err ? err : ext2fs_link(fs, parent, name, inode, EXT2_FT_REG_FILE);
}

/* --- inodes ----------------------------------------------------------------------------------------------------- */

static errcode_t with_extents(ext2_ino_t number, struct ext2_inode *inode)
{
	ext2_extent_handle_t handle;
	errcode_t err = ext2fs_extent_open2(fs, number, inode, &handle);

	if (!err)
		ext2fs_extent_free(handle);
	return err;
}

static errcode_t create(const char *path, ext2_ino_t *number)
{
	struct ext2_inode inode = { .i_mode = LINUX_S_IFREG | 0644, .i_links_count = 1 };
	ext2_ino_t parent;
	const char *name;
	errcode_t err = find_parent(path, &parent, &name);

	inode.i_atime = inode.i_ctime = inode.i_mtime = time(NULL);
	err = err ? err : begin_change();
	err = err ? err : ext2fs_new_inode(fs, parent, inode.i_mode, NULL, number);
	if (!err && ext2fs_has_feature_extents(fs->super))
		err = with_extents(*number, &inode);
	err = err ? err : link_name(parent, name, *number);
	if (err)
		return err;
	ext2fs_inode_alloc_stats2(fs, *number, 1, 0);
	return ext2fs_write_new_inode(fs, *number, &inode);
}

/* No name leads to it any more. */
static errcode_t free_inode(ext2_ino_t number, struct ext2_inode *inode)
{
	errcode_t err = 0;

	inode->i_links_count = 0;
	inode->i_dtime = time(NULL);
	if (ext2fs_inode_has_valid_blocks2(fs, inode))
		err = ext2fs_punch(fs, number, inode, NULL, 0, ~0ull);
	err = err ? err : ext2fs_write_inode(fs, number, inode);
	if (!err)
		ext2fs_inode_alloc_stats2(fs, number, -1, LINUX_S_ISDIR(inode->i_mode));
	return err;
}

static bool is_open(ext2_ino_t number)
{
	list_for_each(node, &open_files) {
		if (list_entry(node, struct fs_file, node)->inode == number)
			return true;
	}
	return false;
}

static void mark_removed(ext2_ino_t number)
{
	list_for_each(node, &open_files) {
		struct fs_file *f = list_entry(node, struct fs_file, node);

		f->removed |= f->inode == number;
	}
}

/* --- open files --------------------------------------------------------------------------------------------------- */

static errcode_t set_size(ext2_ino_t number, u64 size)
{
	ext2_file_t file;
	errcode_t err = begin_change(), closed;

	err = err ? err : ext2fs_file_open(fs, number, EXT2_FILE_WRITE, &file);
	if (err)
		return err;
	err = ext2fs_file_set_size2(file, size);
	closed = ext2fs_file_close(file);
	return err ? err : closed;
}

static errcode_t find_or_create(const char *path, u32 flags, ext2_ino_t *number)
{
	struct ext2_inode inode;
	errcode_t err = find(path, number);

	if (err == EXT2_ET_FILE_NOT_FOUND && flags & FS_CREATE)
		return flags & FS_WRITE ? create(path, number) : EINVAL;
	err = err ? err : ext2fs_read_inode(fs, *number, &inode);
	if (err)
		return err;
	if (LINUX_S_ISDIR(inode.i_mode))
		return EISDIR;
	if (!LINUX_S_ISREG(inode.i_mode))
		return EINVAL;
	if (!(flags & FS_WRITE))
		return 0;
	err = check_writable();
	return err || !(flags & FS_TRUNCATE) ? err : set_size(*number, 0);
}

int fs_open(const char *path, u32 flags, struct fs_file **f)
{
	struct fs_file *file;
	int err = enter();

	if (err)
		return err;
	file = calloc(1, sizeof(*file));
	if (!file)
		return leave(-ENOMEM);
	err = ext_errno(find_or_create(path, flags, &file->inode));
	if (err) {
		free(file);
		return leave(err);
	}
	file->write = flags & FS_WRITE;
	list_insert_before(&open_files, &file->node);
	*f = file;
	return leave(0);
}

int fs_close(struct fs_file *f)
{
	struct ext2_inode inode;
	errcode_t err = 0;

	mutex_lock(&lock);
	list_remove(&f->node);
	if (f->removed && !is_open(f->inode)) {
		err = ext2fs_read_inode(fs, f->inode, &inode);
		err = err ? err : begin_change();
		err = err ? err : free_inode(f->inode, &inode);
	}
	free(f);
	return leave(ext_errno(err));
}

/* As many bytes as there are: each call of the library takes an unsigned int of them. */
static errcode_t read_pieces(ext2_file_t file, char *buf, size_t size, size_t *done)
{
	unsigned int got = 1;
	errcode_t err = 0;

	for (*done = 0; !err && got && *done < size; *done += got) {
		got = 0;
		err = ext2fs_file_read(file, buf + *done, MIN(size - *done, 1u << 30), &got);
	}
	return err;
}

s64 fs_read(struct fs_file *f, u64 offset, void *buf, size_t size)
{
	ext2_file_t file;
	size_t done = 0;
	errcode_t err;

	mutex_lock(&lock);
	err = ext2fs_file_open(fs, f->inode, 0, &file);
	if (!err) {
		err = ext2fs_file_llseek(file, offset, EXT2_SEEK_SET, NULL);
		err = err ? err : read_pieces(file, buf, size, &done);
		ext2fs_file_close(file);
	}
	leave(0);
	return err ? ext_errno(err) : (s64)done;
}

static errcode_t write_pieces(ext2_file_t file, const char *buf, size_t size)
{
	unsigned int put;
	errcode_t err = 0;

	for (size_t done = 0; !err && done < size; done += put) {
		put = 0;
		err = ext2fs_file_write(file, buf + done, MIN(size - done, 1u << 30), &put);
	}
	return err;
}

static errcode_t set_time(ext2_ino_t number)
{
	struct ext2_inode inode;
	errcode_t err = ext2fs_read_inode(fs, number, &inode);

	inode.i_mtime = inode.i_ctime = time(NULL);
	return err ? err : ext2fs_write_inode(fs, number, &inode);
}

s64 fs_write(struct fs_file *f, u64 offset, const void *buf, size_t size)
{
	ext2_file_t file;
	errcode_t err, closed;

	if (!f->write)
		return -EBADF;
	mutex_lock(&lock);
	err = begin_change();
	err = err ? err : ext2fs_file_open(fs, f->inode, EXT2_FILE_WRITE, &file);
	if (!err) {
		err = ext2fs_file_llseek(file, offset, EXT2_SEEK_SET, NULL);
		err = err ? err : write_pieces(file, buf, size);
		closed = ext2fs_file_close(file);
		err = err ? err : closed;
		err = err ? err : set_time(f->inode);
	}
	leave(0);
	return err ? ext_errno(err) : (s64)size;
}

u64 fs_size(struct fs_file *f)
{
	struct ext2_inode inode;
	errcode_t err;

	mutex_lock(&lock);
	err = ext2fs_read_inode(fs, f->inode, &inode);
	leave(0);
	return err ? 0 : EXT2_I_SIZE(&inode);
}

/* --- directories --------------------------------------------------------------------------------------------------- */

static errcode_t describe(ext2_ino_t number, struct fs_entry *e)
{
	struct ext2_inode inode;
	errcode_t err = ext2fs_read_inode(fs, number, &inode);

	if (err)
		return err;
	e->inode = number;
	e->directory = LINUX_S_ISDIR(inode.i_mode);
	e->size = EXT2_I_SIZE(&inode);
	e->modified = inode.i_mtime;
	return 0;
}

int fs_stat(const char *path, struct fs_entry *e)
{
	const char *name = path;
	ext2_ino_t number;
	int err = enter();

	if (err)
		return err;
	for (const char *p = path; *p; p++)
		name = *p == '/' && p[1] ? p + 1 : name;
	snprintf(e->name, sizeof(e->name), "%s", name);
	err = ext_errno(find(path, &number));
	return leave(err ? err : ext_errno(describe(number, e)));
}

struct listing {
	bool (*fn)(void *arg, const struct fs_entry *e);
	void *arg;
	errcode_t err;
	struct fs_entry entry;
};

static int list_one(ext2_ino_t dir, int kind, struct ext2_dir_entry *d, int offset, int size, char *buf, void *arg)
{
	struct listing *l = arg;
	int length = ext2fs_dirent_name_len(d);

	if (kind == DIRENT_DOT_FILE || kind == DIRENT_DOT_DOT_FILE || kind == DIRENT_CHECKSUM)
		return 0;
	memcpy(l->entry.name, d->name, length);
	l->entry.name[length] = 0;
	l->err = describe(d->inode, &l->entry);
	return l->err || !l->fn(l->arg, &l->entry) ? DIRENT_ABORT : 0;
}

static errcode_t walk(ext2_ino_t dir, struct listing *l)
{
	errcode_t err = ext2fs_dir_iterate2(fs, dir, 0, NULL, list_one, l);

	return err ? err : l->err;
}

int fs_list(const char *path, bool (*fn)(void *arg, const struct fs_entry *e), void *arg)
{
	struct listing *l;
	ext2_ino_t dir;
	int err = enter();

	if (err)
		return err;
	l = calloc(1, sizeof(*l));
	if (!l)
		return leave(-ENOMEM);
	l->fn = fn;
	l->arg = arg;
	err = ext_errno(find(path, &dir));
	err = err ? err : ext_errno(is_directory(dir));
	err = err ? err : ext_errno(walk(dir, l));
	free(l);
	return leave(err);
}

static errcode_t make_directory(const char *path)
{
	ext2_ino_t parent, there;
	const char *name;
	char plain[EXT2_NAME_LEN + 1];
	errcode_t err = find_parent(path, &parent, &name);

	if (err)
		return err;
	snprintf(plain, sizeof(plain), "%s", name);
	for (size_t n = strlen(plain); n && plain[n - 1] == '/'; n--)
		plain[n - 1] = 0;
	if (!ext2fs_lookup(fs, parent, plain, strlen(plain), NULL, &there))
		return EEXIST;
	err = begin_change();
	err = err ? err : ext2fs_mkdir(fs, parent, 0, plain);
	if (err == EXT2_ET_DIR_NO_SPACE) {
		err = ext2fs_expand_dir(fs, parent);
		err = err ? err : ext2fs_mkdir(fs, parent, 0, plain);
	}
	return err;
}

int fs_mkdir(const char *path)
{
	int err = enter();

	return err ? err : leave(ext_errno(make_directory(path)));
}

static bool not_empty(void *arg, const struct fs_entry *e)
{
	*(bool *)arg = true;
	return false;
}

static errcode_t check_empty(ext2_ino_t dir)
{
	bool found = false;
	struct listing *l = calloc(1, sizeof(*l));
	errcode_t err = ENOMEM;

	if (l) {
		l->fn = not_empty;
		l->arg = &found;
		err = walk(dir, l);
	}
	free(l);
	return err ? err : found ? ENOTEMPTY : 0;
}

/* An empty directory has two links, and is one of its parent's. */
static errcode_t remove_directory(ext2_ino_t parent, ext2_ino_t number, struct ext2_inode *inode)
{
	struct ext2_inode above;
	errcode_t err = free_inode(number, inode);

	err = err ? err : ext2fs_read_inode(fs, parent, &above);
	if (err)
		return err;
	if (above.i_links_count > 1)
		above.i_links_count--;
	return ext2fs_write_inode(fs, parent, &above);
}

static errcode_t remove_file(ext2_ino_t number, struct ext2_inode *inode)
{
	if (--inode->i_links_count)
		return ext2fs_write_inode(fs, number, inode);
	if (!is_open(number))
		return free_inode(number, inode);
	mark_removed(number);
	return ext2fs_write_inode(fs, number, inode);
}

static errcode_t remove_path(const char *path)
{
	struct ext2_inode inode;
	ext2_ino_t parent, number;
	const char *name;
	errcode_t err = find_parent(path, &parent, &name);
	size_t length;

	if (err)
		return err;
	for (length = strlen(name); length && name[length - 1] == '/'; length--)
		;
	err = ext2fs_lookup(fs, parent, name, length, NULL, &number);
	err = err ? err : ext2fs_read_inode(fs, number, &inode);
	if (!err && LINUX_S_ISDIR(inode.i_mode))
		err = check_empty(number);
	err = err ? err : begin_change();
	err = err ? err : ext2fs_unlink(fs, parent, NULL, number, 0);
	if (err)
		return err;
	return LINUX_S_ISDIR(inode.i_mode) ? remove_directory(parent, number, &inode) : remove_file(number, &inode);
}

int fs_remove(const char *path)
{
	int err = enter();

	return err ? err : leave(ext_errno(remove_path(path)));
}

/* --- all of it -------------------------------------------------------------------------------------------------------- */

/* Files that are open without a name are somebody's to free: the disk stays "not clean" for as long. */
static bool any_removed(void)
{
	list_for_each(node, &open_files) {
		if (list_entry(node, struct fs_file, node)->removed)
			return true;
	}
	return false;
}

int fs_sync(void)
{
	errcode_t err = 0;

	mutex_lock(&lock);
	if (fs && dirty && fs->flags & EXT2_FLAG_RW) {
		err = ext2fs_flush2(fs, 0);
		err = err ? err : check_writable();
		if (!err && !any_removed()) {
			err = write_state(true);
			dirty = err;
		}
	}
	return leave(ext_errno(err));
}

int fs_usage(struct fs_usage *u)
{
	int err = enter();

	if (err)
		return err;
	*u = (struct fs_usage){ .block_size = fs->blocksize, .blocks = ext2fs_blocks_count(fs->super),
				.blocks_free = ext2fs_free_blocks_count(fs->super), .inodes = fs->super->s_inodes_count,
				.inodes_free = fs->super->s_free_inodes_count, .readonly = check_writable() != 0 };
	snprintf(u->device, sizeof(u->device), "%s", device);
	return leave(0);
}
